"""Columns in cages: displacements, errors that hold, missing corners, charges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from strained_lattices import coverage, noisy, places

from adatom.crystallography import estimate_polarization
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import Sites, sites_from_positions


def _caged(
    moved: NDArray[np.float64] | tuple[float, float],
    *,
    noise: tuple[float, float] = (0.0, 0.0),
    n: int = 106,
    vacancies: float = 0.0,
    known: bool = False,
) -> tuple[Sites, Sites]:
    corners = places("square", n=n, vacancies=vacancies)
    inside = places("square", n=n) + 0.5
    inside = inside[(inside < n - 1).all(axis=1)]
    a = noisy(corners, (noise[0], noise[0]), seed=1, known=known)
    b = noisy(inside + moved, (noise[1], noise[1]), seed=2, known=known)
    return neighbor_vectors(b, a, n_neighbors=4), a


@pytest.mark.parametrize("known", [False, True])
def test_intervals_of_displacements_hold(known: bool) -> None:
    # Columns of the cage are the brighter ones, and better known.
    sites, cage = _caged((0.06, -0.08), noise=(0.01, 0.02), vacancies=0.02, known=known)
    found = estimate_polarization(sites, cage)
    assert coverage(found, "displacement_y", 0.06) == pytest.approx(0.95, abs=0.02)
    assert coverage(found, "displacement_x", -0.08) == pytest.approx(0.95, abs=0.02)
    assert coverage(found, "displacement_magnitude", 0.1) == pytest.approx(0.95, abs=0.02)
    truth = float(np.degrees(np.arctan2(0.06, -0.08)))
    assert coverage(found, "displacement_angle", truth) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("size", [0.03, 0.05, 0.2])
def test_magnitudes_have_intervals_that_hold_down_to_the_noise(size: float) -> None:
    sites, cage = _caged((0.0, size), noise=(0.01, 0.02))
    found = estimate_polarization(sites, cage)
    lower = found["displacement_magnitude_lower"].values
    upper = found["displacement_magnitude_upper"].values
    assert ((lower <= size) & (size <= upper)).mean() == pytest.approx(0.95, abs=0.02)


def test_noise_alone_shows_little_displacement() -> None:
    sites, cage = _caged((0.0, 0.0), noise=(0.01, 0.02))
    found = estimate_polarization(sites, cage)
    seen = np.hypot(found["displacement_y"], found["displacement_x"])
    # The length itself has the mean sqrt(pi / 2) s; a quarter is taken off.
    assert float(found["displacement_magnitude"].mean()) < 0.8 * float(seen.mean())
    assert (found["displacement_magnitude_lower"] == 0).mean() > 0.95


def test_of_clear_displacements_the_magnitude_is_not_biased() -> None:
    sites, cage = _caged((0.0, 0.06), noise=(0.01, 0.02))
    found = estimate_polarization(sites, cage)
    # By s^2 / (2 p) = 0.0035 without correction; the mean of 11,000 is known to 0.0002.
    assert float(found["displacement_magnitude"].mean()) == pytest.approx(0.06, abs=6e-4)


def test_a_cage_without_a_corner_is_judged_by_the_pair_that_is_left() -> None:
    corners = places("square", n=8)
    inside = places("square", n=7) + 0.5 + [0.0, 0.1]
    gone = np.flatnonzero((corners == [3, 3]).all(axis=1) | (corners == [3, 4]).all(axis=1))
    a = sites_from_positions(*np.delete(corners, gone, axis=0).T, unit="nm")
    sites = neighbor_vectors(sites_from_positions(*inside.T, unit="nm"), a, n_neighbors=4)
    found = estimate_polarization(sites, a, position_error="0.01 nm")
    filled = (found["slot_state"] == 0).sum("neighbor").values
    assert sorted(np.unique(filled).tolist()) == [2, 3, 4]
    one_gone, neighbors_gone = found.isel(site=filled == 3), found.isel(site=filled == 2)
    assert one_gone["displacement_x"].values == pytest.approx(0.1, abs=1e-6)
    assert one_gone["displacement_x_error"].values == pytest.approx(0.01 * np.sqrt(1.5))
    assert np.isnan(neighbors_gone["displacement_x"].values).all()


def test_a_charge_turns_displacements_into_polarization() -> None:
    corners = 0.4 * places("square", n=8)
    inside = 0.4 * (places("square", n=7) + 0.5) + [0.01, 0.0]
    a = sites_from_positions(*corners.T, unit="nm")
    sites = neighbor_vectors(sites_from_positions(*inside.T, unit="nm"), a, n_neighbors=4)
    found = estimate_polarization(
        sites, a, born_charge=7.0, cell_volume=0.064, position_error="0.001 nm"
    )
    # 7 e x 0.01 nm / 0.064 nm^3 = 0.1752 C/m^2.
    assert found["polarization_y"].values[20] == pytest.approx(17.52, abs=0.01)
    assert found["polarization_y"].attrs["units"] == "uC/cm^2"
    ratio = found["polarization_y_error"] / found["displacement_y_error"]
    assert ratio.values[20] == pytest.approx(1752, abs=1)


def test_a_charge_needs_a_volume_and_a_scale() -> None:
    sites, cage = _caged((0.0, 0.0), n=9)
    with pytest.raises(SettingError, match="a polarization needs both"):
        estimate_polarization(sites, cage, born_charge=7.0)
    for data in (sites, cage):
        for name in ("y", "x"):
            data.coords[name].attrs["units"] = "px"
    with pytest.raises(UnitError, match="needs positions in nm"):
        estimate_polarization(sites, cage, born_charge=7.0, cell_volume=0.06)


def test_another_cage_is_refused() -> None:
    sites, cage = _caged((0.0, 0.0), n=9)
    with pytest.raises(KindError, match="among other sites"):
        estimate_polarization(sites, cage.isel(site=slice(None, None, -1)))


def test_walls_between_domains_do_not_widen_the_errors() -> None:
    n = 106
    inside = places("square", n=n) + 0.5
    inside = inside[(inside < n - 1).all(axis=1)]
    truth = np.where((inside[:, 1] // 15) % 2 == 0, 0.08, -0.08)
    moved = np.stack([np.zeros_like(truth), truth], axis=1)
    sites, cage = _caged(moved, noise=(0.01, 0.02))
    found = estimate_polarization(sites, cage)
    assert coverage(found, "displacement_x", truth) == pytest.approx(0.95, abs=0.02)


def test_a_cage_in_another_unit_and_a_charge_that_is_none_are_refused() -> None:
    sites, cage = _caged((0.06, -0.08), n=12)
    other = cage.assign_coords({name: cage[name].assign_attrs(units="px") for name in ("y", "x")})
    with pytest.raises(UnitError, match="cage in px"):
        estimate_polarization(sites, other)
    with pytest.raises(SettingError, match="born_charge=nan"):
        estimate_polarization(sites, cage, born_charge=np.nan, cell_volume=0.06)
