"""Few sites, none, and sites that were selected: an answer or an error that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adatom import crystallography, descriptors
from adatom.errors import AdatomError, KindError, TooFewSitesError
from adatom.schema import Sites, sites_from_positions

OF_A_LATTICE: dict[str, Callable[[Sites], Any]] = {
    "fit_lattice": crystallography.fit_lattice,
    "find_grains": crystallography.find_grains,
    "find_missing_sites": crystallography.find_missing_sites,
    "correct_lattice_distortion": lambda sites: crystallography.correct_lattice_distortion(
        sites, length="1 nm"
    ),
}
OF_NEIGHBORS: dict[str, Callable[[Sites], Any]] = {
    "assign_lattice_indices": crystallography.assign_lattice_indices,
    "assign_sublattices": crystallography.assign_sublattices,
    "estimate_bonds": crystallography.estimate_bonds,
    "estimate_lattice_parameters": crystallography.estimate_lattice_parameters,
    "estimate_strain": crystallography.estimate_strain,
    "find_dislocations": crystallography.find_dislocations,
}
of_a_lattice = pytest.mark.parametrize("step", OF_A_LATTICE.values(), ids=OF_A_LATTICE)
of_neighbors = pytest.mark.parametrize("step", OF_NEIGHBORS.values(), ids=OF_NEIGHBORS)
Step = Callable[[Sites], Any]


def _lattice(*, n: int = 9, noise: float = 0.02) -> Sites:
    y, x = (part.ravel() for part in np.mgrid[: float(n), : float(n)])
    off = noise * np.random.default_rng(0).normal(size=(2, len(y)))
    sites = sites_from_positions(y + off[0], x + off[1], unit="nm", spacing=1.0)
    bright = 1.0 + 0.5 * ((y + x) % 2)
    return sites.assign(amplitude=("site", bright + 0.01 * off[0]))


def _indexed(**settings: Any) -> Sites:
    near = descriptors.neighbor_vectors(_lattice(**settings))
    return crystallography.assign_lattice_indices(near)


def _two_grains() -> Sites:
    """Give two lattices beside one another, the smaller of 36 sites turned by 30 deg."""
    sites = _lattice(noise=0.0)
    y, x = (sites[name].values[sites["y"].values < 5.5] for name in ("y", "x"))
    keep = x < 5.5
    y, x = y[keep], x[keep]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    both = sites_from_positions(
        np.append(sites["y"], c * y + s * x + 1.0),
        np.append(sites["x"], c * x - s * y + 11.7),
        unit="nm",
    )
    return crystallography.assign_lattice_indices(descriptors.neighbor_vectors(both))


@of_a_lattice
def test_sites_none_of_which_is_indexed_are_refused_with_their_number(step: Step) -> None:
    sites = _indexed()
    sites = sites.assign(grain=sites["grain"] * 0 - 1)
    with pytest.raises(TooFewSitesError, match="none of the 81 sites has a place"):
        step(sites)
    with pytest.raises(TooFewSitesError, match="none of the 0 sites"):
        step(sites.isel(site=[]))


def test_sites_on_one_line_fix_no_lattice_and_say_so() -> None:
    row = _indexed().isel(site=[0, 1, 2])
    fit = crystallography.fit_lattice(row)
    assert np.isnan(fit.sites["displacement"]).all()
    assert np.isnan(fit.lattices["i_y_error"]).all()
    # The vectors are those that indexing found, of the whole crystal.
    np.testing.assert_allclose(fit.sites.attrs["lattice_vectors"], row.attrs["lattice_vectors"])
    assert crystallography.find_grains(row).grains["n_sites"].item() == 3
    with pytest.raises(TooFewSitesError, match="holds 3 sites, which are on one line"):
        crystallography.correct_lattice_distortion(row, length="1 nm")


def test_three_sites_in_a_corner_fit_exactly_and_tell_no_error() -> None:
    fit = crystallography.fit_lattice(_indexed().isel(site=[0, 1, 9]))
    np.testing.assert_allclose(fit.sites["displacement"], 0.0, atol=1e-9)
    # A residual of zero without freedom is no proof of exactness.
    assert np.isnan(fit.sites["displacement_error"]).all()
    assert np.isnan(fit.lattices["length_i_error"]).all()


def test_a_grain_that_was_selected_keeps_its_number_and_its_lattice() -> None:
    both = _two_grains()
    assert both["grain"].max() == 1
    whole = crystallography.find_grains(both).grains
    alone = both.isel(site=np.flatnonzero(both["grain"] == 1))
    grains = crystallography.find_grains(alone).grains
    assert grains["n_sites"].values.tolist() == [0, alone.sizes["site"]]
    np.testing.assert_allclose(grains["orientation"][1], whole["orientation"][1])
    assert crystallography.fit_lattice(alone).lattices.sizes["row"] == 2


def test_the_boundary_of_grains_is_found_after_sites_were_selected() -> None:
    both = _two_grains()
    whole = crystallography.find_grains(both).boundaries
    kept = np.flatnonzero(both["x"] > 2.5)
    part = crystallography.find_grains(both.isel(site=kept)).boundaries
    assert whole.sizes["row"] == part.sizes["row"] == 1
    assert whole["n_contacts"].item() == part["n_contacts"].item()


@of_neighbors
@pytest.mark.parametrize("chosen", [slice(None, None, -1), slice(0, 40), slice(None, None, 2)])
def test_neighbors_that_are_no_longer_true_are_refused(step: Step, chosen: slice) -> None:
    near = descriptors.neighbor_vectors(_lattice())
    with pytest.raises(KindError, match="selected or moved"):
        step(near.isel(site=chosen))


@of_neighbors
def test_a_site_without_a_place_is_named(step: Step) -> None:
    near = descriptors.neighbor_vectors(_lattice())
    y = near["y"].values.copy()
    y[5] = np.nan
    with pytest.raises(KindError, match="1 of 81 sites have no finite position"):
        step(near.assign_coords(y=("site", y, near["y"].attrs)))


def test_a_cage_without_a_place_is_named() -> None:
    cage = _lattice()
    inside = _lattice(n=8).assign_coords({name: _lattice(n=8)[name] + 0.5 for name in ("y", "x")})
    for name in ("y", "x"):
        inside[name].attrs["units"] = "nm"
    caged = descriptors.neighbor_vectors(inside, cage, n_neighbors=4)
    y = cage["y"].values.copy()
    y[40] = np.nan
    with pytest.raises(KindError, match="no finite position"):
        crystallography.estimate_polarization(
            caged, cage.assign_coords(y=("site", y, cage["y"].attrs))
        )


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_sites_get_an_answer_or_an_error_of_adatom(n: int) -> None:
    steps = {**OF_A_LATTICE, **OF_NEIGHBORS}
    steps["find_rings"] = crystallography.find_rings
    steps["estimate_site_order"] = crystallography.estimate_site_order
    some = _indexed().isel(site=[0, 1, 9, 10, 11][:n])
    for step in steps.values():
        # What is no error of adatom ends the test.
        with contextlib.suppress(AdatomError):
            step(some)


def test_features_of_no_sites_are_empty_and_keep_their_columns() -> None:
    near = descriptors.neighbor_vectors(_lattice())
    assert descriptors.features_from_sites(near.isel(site=[])).shape == (0, 8)


def test_bonds_that_close_no_ring_give_none() -> None:
    corner = sites_from_positions([0.0, 0.0, 0.6], [0.0, 1.0, 1.8], unit="nm")
    assert crystallography.find_rings(corner).sizes["site"] == 0
