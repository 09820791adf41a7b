"""Boundaries, profiles, fractions and order of unusual classes, sites and settings."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom import crystallography
from adatom.crystallography import _distances
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import CLASSES, Sites, image_from_array, sites_from_positions


def _halves(n: int = 24) -> tuple[xr.Dataset, Sites]:
    y, x = (part.ravel() for part in np.mgrid[: float(n), : float(n)])
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    noise = np.random.default_rng(0).normal(0, 0.05, len(x))
    sites["shift"] = ("site", np.tanh(x - 11.3) + noise, {"units": "nm"})
    return xr.Dataset({"label": ("site", (x > 11.3).astype(int))}), sites


def _vertices() -> Sites:
    return crystallography.find_boundaries(*_halves()).vertices


def test_labels_of_a_million_are_refused_before_they_fill_the_memory() -> None:
    classes, sites = _halves()
    classes["label"] = classes["label"] * 10**9
    for step in (crystallography.find_regions, crystallography.find_boundaries):
        with pytest.raises(KindError, match="runs up to 1000000000 in 576 places"):
            step(classes, sites)
    few = xr.Dataset({"label": ("site", np.array([4000, 7]))})
    CLASSES.check(few)


def test_a_site_without_a_place_does_not_count_in_a_profile() -> None:
    _, sites = _halves()
    y = sites["y"].values.copy()
    y[5] = np.nan
    without = sites.assign_coords(y=("site", y, sites["y"].attrs))
    left_out = sites.isel(site=np.delete(np.arange(sites.sizes["site"]), 5))
    found, expected = (
        crystallography.estimate_profile(part, _vertices(), quantity="shift").profile
        for part in (without, left_out)
    )
    xr.testing.assert_allclose(found, expected)


def test_sites_of_several_frames_have_no_profile_across_boundaries_of_one() -> None:
    _, sites = _halves()
    frames = sites.assign_coords(frame=("site", np.arange(576) % 2))
    with pytest.raises(KindError, match="sites are of 2 frames, boundaries of one"):
        crystallography.estimate_profile(frames, _vertices(), quantity="shift")


def test_bins_without_number_are_refused_at_once() -> None:
    _, sites = _halves()
    with pytest.raises(TooFewSitesError, match="bins of 576 places"):
        crystallography.estimate_profile(
            sites, _vertices(), quantity="shift", bin_width="0.0000001 d"
        )


def test_the_profile_of_an_image_does_not_depend_on_blocks(monkeypatch: Any) -> None:
    y, x = np.mgrid[:60, :60]
    image = image_from_array(np.tanh((x - 28.3) / 3) + 0 * y, pixel_size="0.4 nm")
    whole = crystallography.estimate_profile(image, _vertices()).profile
    monkeypatch.setattr(_distances, "_BLOCK", 97)
    xr.testing.assert_identical(crystallography.estimate_profile(image, _vertices()).profile, whole)


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        ("estimate_fractions", {"by": "volume"}),
        ("estimate_profile", {"quantity": "shift", "shape": "hill"}),
    ],
)
def test_choices_that_are_not_known_are_refused(step: str, settings: dict[str, str]) -> None:
    classes, sites = _halves()
    data = (sites, _vertices()) if step == "estimate_profile" else (classes, sites)
    with pytest.raises(SettingError, match="is not known: use"):
        getattr(crystallography, step)(*data, **settings)


def test_a_position_error_beyond_the_spacing_is_refused() -> None:
    with pytest.raises(SettingError, match="100 distances between neighbors"):
        crystallography.estimate_site_order(_halves()[1], n_fold=4, position_error="100 d")


def test_a_site_whose_fit_ran_away_leaves_only_its_neighbors_without_order() -> None:
    _, sites = _halves()
    error = np.full(576, 0.02)
    error[300] = 1e6
    for name in ("y_error", "x_error"):
        sites[name] = ("site", error, {"units": "nm"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order = crystallography.estimate_site_order(sites, n_fold=4)["bond_order"]
    inside = ((sites["y"] > 1) & (sites["y"] < 22) & (sites["x"] > 1) & (sites["x"] < 22)).values
    lost = np.flatnonzero(np.isnan(order.values) & inside)
    assert lost.tolist() == [276, 299, 300, 301, 324]
    rest = np.setdiff1d(np.flatnonzero(inside), lost)
    np.testing.assert_allclose(order.values[rest], 1.0, atol=0.01)


@pytest.mark.parametrize("lattice", ["x", [[1, 0]], [[1, 0], [2, 0]], [1, 2]])
def test_a_lattice_that_is_none_is_refused(lattice: Any) -> None:
    near = neighbor_vectors(_halves()[1])
    with pytest.raises(SettingError, match="must be two vectors"):
        crystallography.estimate_strain(near, lattice=lattice)


@pytest.mark.parametrize("smoothing", ["100 d", "10000 d"])
def test_smoothing_that_leaves_no_boundary_is_refused(smoothing: str) -> None:
    with pytest.raises(SettingError, match="more than half of the 23 nm"):
        crystallography.find_boundaries(*_halves(), smoothing=smoothing)
