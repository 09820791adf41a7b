"""Bright and dim columns are told by their neighbors and by their place, not by a threshold."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.crystallography import assign_lattice_indices, assign_sublattices
from adatom.descriptors import neighbor_vectors
from adatom.errors import AdatomWarning, KindError, SettingError
from adatom.schema import sites_from_positions
from adatom.simulation import Film, build_film

NOISE = 0.1


FILM = Film()


def _metals(film: Film = FILM, *, noise: float = NOISE, seed: int = 0) -> xr.Dataset:
    """Columns of A and B of a film, as bright as their elements, with relative noise."""
    sites = build_film(film=film, field=(8.0, 8.0), margin=0.0, seed=seed)
    metals = sites.isel(site=np.flatnonzero(sites["species"].values != "O"))
    brightness = {"Bi": 1404.0, "Fe": 240.0, "Sr": 390.0, "Ti": 190.0, "Pb": 1377.0, "Ru": 530.0}
    values = np.array([brightness[name] for name in metals["species"].values])
    rng = np.random.default_rng(seed)
    metals["amplitude"] = ("site", values * rng.lognormal(0.0, noise, values.size))
    return metals.drop_vars(["lattice_index", "direction"])


def _blind(sites: xr.Dataset) -> xr.Dataset:
    """Sites without what their builder knew, with neighbors."""
    return neighbor_vectors(sites.drop_vars(["sublattice", "phase", "domain"]))


def test_a_substrate_dimmer_than_the_film_keeps_its_bright_columns() -> None:
    metals = _metals()
    # The film is twice as thick: its dim columns are brighter than the substrate's bright ones.
    metals["amplitude"] = metals["amplitude"] * np.where(metals["phase"] == 0, 2.0, 1.0)
    found = assign_sublattices(_blind(metals))
    assert (found["sublattice"] == metals["sublattice"]).all()
    amplitude, sublattice = metals["amplitude"].values, metals["sublattice"].values
    cuts = np.geomspace(150, 3000, 200)
    best = max(((amplitude < cut) == (sublattice == 1)).mean() for cut in cuts)
    assert best < 0.95


def test_a_score_is_high_where_columns_are_plain() -> None:
    found = assign_sublattices(_blind(_metals()))
    assert float(found["sublattice_score"].min()) > 0.95


def test_sites_that_were_moved_or_selected_after_their_neighbors_are_told_what_to_do() -> None:
    sites = _blind(_metals())
    moved = sites.assign_coords(x=sites.x + 0.05 * np.sin(40 * sites.y))
    remedy = r"moved since. Run descriptors.neighbor_vectors\(sites\) on these very sites"
    with pytest.raises(KindError, match=rf"\d+ of \d+ neighbors do not stand where .*{remedy}"):
        assign_sublattices(moved)
    with pytest.raises(KindError, match=remedy):
        assign_sublattices(sites.isel(site=slice(20, None)))
    # A crystal that drifts as a whole keeps its neighbors.
    assert "sublattice" in assign_sublattices(sites.assign_coords(x=sites.x + 0.05))


def test_scores_fall_with_noise_and_promise_no_more_than_is_true() -> None:
    # The logarithms of Sr and TiO differ by 0.72.
    film = Film(elements=("Sr", "Ti"), misfit=0.0, displacement="0 nm", substrate=0.0)
    right, score = [], []
    for seed in range(5):
        metals = _metals(film, noise=0.5, seed=seed)
        found = assign_sublattices(_blind(metals))
        right.append(found["sublattice"].values == metals["sublattice"].values)
        score.append(found["sublattice_score"].values)
    correct, sure = np.concatenate(right), np.concatenate(score)
    assert sure.min() < 0.8
    # Scores know a column and its neighbors; the sublattice knows what lies beyond as well.
    assert correct.mean() > sure.mean() - 0.01
    assert correct[sure < 0.9].mean() > sure[sure < 0.9].mean()


def test_an_impurity_stays_on_its_sublattice() -> None:
    metals = _metals()
    heavy = int(np.flatnonzero(metals["species"].values == "Fe")[150])
    metals["amplitude"][heavy] = 3000.0
    found = assign_sublattices(_blind(metals))
    assert int(found["sublattice"][heavy]) == 1


def test_on_the_lattice_a_sublattice_goes_on_where_its_columns_become_the_dimmer_ones() -> None:
    # In PbTiO3 A is brighter, in SrRuO3 B is.
    film = Film(elements=("Pb", "Ti"), substrate_elements=("Sr", "Ru"), displacement="0.02 nm")
    metals = _metals(film, noise=0.03)
    indexed = assign_lattice_indices(_blind(metals))
    found = assign_sublattices(indexed)
    assert (found["sublattice"] == metals["sublattice"]).all()
    by_brightness = assign_sublattices(indexed, basis="brightness")
    substrate = metals["phase"].values == 1
    agree = (by_brightness["sublattice"] == metals["sublattice"]).values
    assert agree[~substrate].mean() > 0.97
    # But for rows near the interface, which follow the film.
    assert agree[substrate].mean() < 0.35
    # What the contrast speaks against is told.
    assert np.nanmedian(found["sublattice_score"].values[substrate]) < 0.05


def test_columns_without_a_fit_are_told_by_their_neighbors() -> None:
    metals = _metals()
    lost = np.random.default_rng(1).uniform(size=metals.sizes["site"]) < 0.05
    metals["amplitude"] = metals["amplitude"].where(~lost)
    found = assign_sublattices(_blind(metals))
    assert (found["sublattice"] == metals["sublattice"]).values[lost].mean() > 0.98


def test_dark_columns_on_a_bright_ground_are_told_by_their_depth() -> None:
    metals = _metals()
    metals["amplitude"] = -metals["amplitude"]
    found = assign_sublattices(_blind(metals))
    assert (found["sublattice"] == metals["sublattice"]).all()


def test_columns_of_one_sort_are_one_sublattice_and_that_is_told() -> None:
    y, x = np.indices((15, 15)).reshape(2, -1)
    sites = sites_from_positions(y, x, unit="nm")
    sites["amplitude"] = ("site", np.random.default_rng(0).lognormal(0.0, 0.1, 225))
    with pytest.warns(AdatomWarning, match="columns do not alternate in amplitude"):
        found = assign_sublattices(neighbor_vectors(sites))
    assert (found["sublattice"] == 0).all()


def test_a_site_without_neighbors_is_not_told() -> None:
    metals = _metals()
    far = metals.isel(site=[0]).assign_coords(y=("site", [50.0], {"units": "nm"}))
    found = assign_sublattices(
        _blind(xr.concat([metals, far], dim="site", combine_attrs="override"))
    )
    assert int(found["sublattice"][-1]) == -1
    assert np.isnan(found["sublattice_score"].values[-1])


def test_missing_neighbors_name_the_step_that_finds_them() -> None:
    with pytest.raises(KindError, match=r"run descriptors.neighbor_vectors\(sites\) first"):
        assign_sublattices(_metals())


def test_a_brightness_that_is_not_there_is_named() -> None:
    with pytest.raises(KindError, match="of='height': sites have no such variable"):
        assign_sublattices(_blind(_metals()), of="height")


def test_a_lattice_asked_for_must_be_there() -> None:
    with pytest.raises(KindError, match=r"call crystallography\.assign_lattice_indices before"):
        assign_sublattices(_blind(_metals()), basis="lattice")
    with pytest.raises(SettingError, match="basis='parity' is not known"):
        assign_sublattices(_blind(_metals()), basis="parity")  # type: ignore[arg-type]
