"""Dislocations planted by their elastic field, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from planted_crystals import CRYSTALS, bicrystal, edge_dislocation, planted, with_neighbors

from adatom.crystallography import find_dislocations

_AT = (0.31, 0.43)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("name", ["square", "hexagonal", "rectangular", "oblique", "honeycomb"])
def test_a_pair_of_edge_dislocations_is_found_with_its_burgers_vectors(
    name: str, noise: float
) -> None:
    truth = planted(name, half_width=20.0).with_vacancies(0.02, 3)
    burgers = CRYSTALS[name][0][1][1]
    other = (_AT[0] + 8, _AT[1] + 6)
    moved = edge_dislocation(truth.place, _AT, burgers)
    moved += edge_dislocation(truth.place, other, -burgers)
    truth = truth._replace(place=truth.place + moved).noisy(noise, 4)
    found = find_dislocations(with_neighbors(truth))
    assert found.sizes["site"] == 2
    place = np.stack([found["y"].values, found["x"].values], axis=1)
    for at, sign in ((_AT, 1), (other, -1)):
        away = np.linalg.norm(place - at, axis=1)
        core = int(away.argmin())
        # As near as its mesh is wide, of missing sites and of those that fit no star.
        assert away[core] < 1.0 + np.sqrt(found["core_area"].values[core])
        vector = found["burgers_vector"].values[core]
        assert vector == pytest.approx([0.0, sign * burgers], abs=0.03)
        assert found["burgers_magnitude"].values[core] == pytest.approx(burgers, abs=0.03)


@pytest.mark.parametrize("noise", [0.05, 0.1])
@pytest.mark.parametrize("name", CRYSTALS)
def test_noise_vacancies_and_edges_make_no_dislocations(name: str, noise: float) -> None:
    truth = planted(name, half_width=20.0, angle=11.0).with_vacancies(0.05, 5).noisy(noise, 6)
    assert find_dislocations(with_neighbors(truth)).sizes["site"] == 0


@pytest.mark.parametrize("angle", [5.0, 10.0])
def test_a_low_angle_boundary_holds_as_many_as_read_and_shockley_say(angle: float) -> None:
    truth, _ = bicrystal("square", angle, 0.03, 0)
    found = find_dislocations(with_neighbors(truth))
    wall = 44 * np.sqrt(1 + 0.15**2)
    # Each side of the frame may cut one.
    assert found.sizes["site"] == pytest.approx(2 * np.sin(np.radians(angle / 2)) * wall, abs=2)
    # All of one sign, along the normal of the wall within its steps.
    assert (np.abs(found["burgers_vector"].sum("site").values[1])) == pytest.approx(
        found["burgers_vector"].values[:, 1].__abs__().sum(), rel=0.15
    )
