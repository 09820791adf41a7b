"""Lattices fitted to indexed sites, their errors, and distortion undone."""

from __future__ import annotations

import numpy as np
import pytest
from planted_crystals import Planted, bicrystal, planted, turn, with_neighbors

from adatom.crystallography import (
    assign_lattice_indices,
    correct_lattice_distortion,
    find_grains,
    fit_lattice,
)
from adatom.errors import KindError, SettingError
from adatom.schema import Sites, notes, positions, sites_from_positions


def _indexed(truth: Planted) -> Sites:
    return assign_lattice_indices(with_neighbors(truth))


def _scattered(sites: Sites, noise: float, rng: np.random.Generator) -> Sites:
    """Move sites that are indexed already."""
    out = sites.copy()
    for axis in "yx":
        values = sites[axis].values + rng.normal(scale=noise, size=sites.sizes["site"])
        out.coords[axis] = ("site", values, {"units": "nm"})
    return out


def test_displacements_are_what_was_planted() -> None:
    truth = planted("square", half_width=12.0)
    moved = np.zeros_like(truth.place)
    moved[::17] = [0.05, -0.08]
    found = _indexed(truth._replace(place=truth.place + moved))
    displacement = fit_lattice(found).sites["displacement"].values
    # Few are moved: the fitted lattice moves with them by a few thousandths.
    assert displacement - displacement.mean(axis=0) == pytest.approx(
        moved - moved.mean(axis=0), abs=0.004
    )


def test_errors_of_vectors_lengths_angles_and_orientation_are_their_spread() -> None:
    true = {"i_y": 1.8, "j_x": 1.0, "length_i": 1.8, "length_j": 1.0, "angle": 90.0}
    perfect = _indexed(planted("rectangular", half_width=8.0))
    rng = np.random.default_rng(1)
    pulls: dict[str, list[float]] = {name: [] for name in (*true, "orientation")}
    for _ in range(400):
        row = fit_lattice(_scattered(perfect, 0.05, rng)).lattices
        for name, of in pulls.items():
            away = row[name].item() - true.get(name, 0.0)
            if name == "orientation":
                away = (away + 90.0) % 180.0 - 90.0
            of.append(away / row[f"{name}_error"].item())
    inside = (np.abs(np.array(list(pulls.values()))) < 1.96).mean(axis=1)
    # Of 400 tries each, 95 % +- 3 x 1.1 %.
    assert ((inside > 0.917) & (inside < 0.983)).all(), inside


def test_errors_hold_in_grains_of_few_sites() -> None:
    # Fifteen sites: without Student's t 92 %; displacements without the pull of a site on its own
    # ideal place 99 %.
    perfect = _indexed(planted("rectangular", half_width=3.0))
    assert perfect.sizes["site"] < 25
    rng = np.random.default_rng(4)
    held = []
    for _ in range(600):
        fit = fit_lattice(_scattered(perfect, 0.03, rng))
        pull = fit.sites["displacement"].values / fit.sites["displacement_error"].values
        row = fit.lattices
        length = (row["length_j"].item() - 1.0) / row["length_j_error"].item()
        held.append([abs(length) < 1.96, (np.abs(pull) < 1.96).mean()])
    assert np.mean(held, axis=0) == pytest.approx([0.95, 0.95], abs=0.02)


def test_errors_of_displacements_are_their_spread() -> None:
    perfect = _indexed(planted("honeycomb", half_width=50.0))
    assert perfect.sizes["site"] > 7_000
    fit = fit_lattice(_scattered(perfect, 0.04, np.random.default_rng(2)))
    # Nothing is displaced: what is found is noise.
    pull = fit.sites["displacement"].values / fit.sites["displacement_error"].values
    assert 0.94 < (np.abs(pull) < 1.96).mean() < 0.96


def test_position_errors_are_those_of_the_displacements() -> None:
    found = _indexed(planted("square").noisy(0.03, 1))
    for axis in "yx":
        found[f"{axis}_error"] = ("site", np.full(found.sizes["site"], 0.01))
    error = fit_lattice(found).sites["displacement_error"].values
    assert error == pytest.approx(np.full_like(error, 0.01), rel=0.1)


def test_the_place_of_a_sublattice_in_the_cell_is_found_with_its_error() -> None:
    perfect = _indexed(planted("honeycomb", half_width=12.0))
    rng = np.random.default_rng(3)
    places, errors = [], []
    for _ in range(300):
        row = fit_lattice(_scattered(perfect, 0.05, rng)).sublattices.isel(row=1)
        # A third along both, or two thirds: which sublattice is the first is free.
        part = np.array([row["i"].item(), row["j"].item()])
        assert np.allclose(part, 1 / 3, atol=0.02) or np.allclose(part, 2 / 3, atol=0.02)
        places.append([row["y"].item(), row["x"].item()])
        errors.append([row["y_error"].item(), row["x_error"].item()])
    # A spread of 300 is known to 4 %.
    assert np.std(places, axis=0) == pytest.approx(np.mean(errors, axis=0), rel=0.15)


def test_slow_distortion_is_taken_out_and_a_wall_of_domains_stays() -> None:
    truth = planted("square", half_width=20.0)
    y, x = truth.place.T
    domain = np.where(truth.cell[:, 1] % 8 < 4, 0.05, -0.05)
    bent = np.stack([y + 0.002 * y**2, x + domain], axis=1)
    found = _indexed(truth._replace(place=bent))
    straight = fit_lattice(found, degree=2).sites["displacement"].values
    assert np.abs(straight[:, 0]).max() < 0.01
    assert np.corrcoef(straight[:, 1], domain)[0, 1] > 0.98
    assert np.abs(fit_lattice(found).sites["displacement"].values[:, 0]).max() > 0.3


def test_grains_have_their_orientation_and_misorientation() -> None:
    for seed in range(8):
        truth, _ = bicrystal("square", 20.0, 0.03, seed)
        grains, boundaries = find_grains(_indexed(truth))
        assert grains.sizes["row"] == 2
        assert grains["n_fold"].values.tolist() == [4, 4]
        assert grains["area"].values.sum() == pytest.approx(44.0**2, rel=0.03)
        assert boundaries.sizes["row"] == 1
        assert boundaries["n_contacts"].item() > 40
        assert sorted(grains["orientation"].values) == pytest.approx([13.0, 83.0], abs=0.1)
        away = boundaries["misorientation"].item() - 20.0
        assert abs(away) < 3.5 * boundaries["misorientation_error"].item()


def test_an_isolated_crystal_has_no_boundary() -> None:
    _, boundaries = find_grains(_indexed(planted("honeycomb", angle=11.0)))
    assert boundaries.sizes["row"] == 0
    assert "misorientation" in boundaries


@pytest.mark.parametrize(("name", "angle"), [("square", "90 deg"), ("honeycomb", "60 deg")])
def test_drift_along_the_slow_axis_is_undone_to_the_true_places(name: str, angle: str) -> None:
    truth = planted(name, half_width=12.0, angle=20.0)
    drifted = truth.place @ np.array([[1.04, 0.03], [0.0, 1.0]])
    found = _indexed(truth._replace(place=drifted))
    length = "1 nm" if name == "square" else f"{3**0.5:.12f} nm"
    true = correct_lattice_distortion(found, length=length, angle=angle)
    assert positions(true) == pytest.approx(truth.place, abs=1e-6)
    to = positions(true)[true["neighbor_index"].values] - positions(true)[:, None]
    filled = true["neighbor_index"].values >= 0
    assert true["neighbor_vector"].values[filled] == pytest.approx(to[filled])
    assert "y stretched by -3.85 %" in notes(true)[-1]
    # What was given is not changed.
    assert positions(found) == pytest.approx(drifted)


def test_a_wrong_scale_is_undone_whatever_the_orientation() -> None:
    truth = planted("rectangular", half_width=10.0, angle=-33.0)
    found = _indexed(truth._replace(place=1.1 * truth.place))
    true = correct_lattice_distortion(found, length="1.8 nm", second_length="1 nm")
    turned = positions(true)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.linalg.norm(truth.place, axis=1))
    assert turned @ turn(0.0) == pytest.approx(truth.place, abs=1e-6)


def test_what_cannot_be_is_refused() -> None:
    found = _indexed(planted("square", half_width=6.0))
    with pytest.raises(SettingError, match=r"grain=3: the sites have the grains 0 to 0"):
        correct_lattice_distortion(found, length="1 nm", grain=3)
    with pytest.raises(SettingError, match="has no area"):
        correct_lattice_distortion(found, length="1 nm", angle="180 deg")
    with pytest.raises(SettingError, match="degree=0"):
        fit_lattice(found, degree=0)
    with pytest.raises(KindError, match=r"run crystallography\.assign_lattice_indices"):
        fit_lattice(sites_from_positions([0.0], [0.0], unit="nm"))
