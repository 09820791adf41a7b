"""Refinement on images that are not perfect lattices in white noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from simulated_atoms import errors, gaussians, lattice, simulate

from adatom.localization import refine_sites
from adatom.numerics import gaussian_steps
from adatom.schema import image_from_array, sites_from_positions


def with_gaussian(
    image: xr.DataArray, place: np.ndarray, height: float, sigma: float
) -> xr.DataArray:
    shape = (image.shape[0], image.shape[1])
    more = gaussians(shape, place[None], np.array([height]), np.array([sigma]))
    return image + more


def test_a_site_where_there_is_nothing_is_flagged_and_keeps_its_place() -> None:
    scene = simulate("square", n_sites=100, snr=10, seed=1)
    empty = with_gaussian(scene.image, scene.truth[44], -1.0, 2.0)
    sites = refine_sites(empty, scene.start)
    assert not sites["fit_ok"][44]
    assert sites.y[44] == scene.start.y[44]
    assert sites.x[44] == scene.start.x[44]
    for name in ("amplitude", "background", "width", "fit_quality"):
        assert np.isnan(sites[name][44])
    assert np.isnan(sites["covariance"][44]).all()
    assert sites["fit_ok"].sum() == 99


def test_sites_beside_a_vacancy_stay_where_they_are() -> None:
    scene = simulate("honeycomb", n_sites=200, snr=20, sigma=2.5, spacing=10.0, seed=2)
    gone = 90
    empty = with_gaussian(scene.image, scene.truth[gone], -1.0, 2.5)
    rest = np.arange(len(scene.truth)) != gone
    sites = refine_sites(empty, scene.start.isel(site=rest))
    assert sites["fit_ok"].all()
    assert np.abs(errors(sites, scene.truth[rest])).max() < 0.25


def test_a_site_ten_times_as_bright_does_not_pull_at_its_neighbors() -> None:
    scene = simulate("honeycomb", n_sites=200, snr=20, sigma=2.5, spacing=10.0, seed=3)
    bright = with_gaussian(scene.image, scene.truth[90], 9.0, 2.5)
    sites = refine_sites(bright, scene.start)
    assert sites["fit_ok"].all()
    assert float(sites["amplitude"][90]) == pytest.approx(10.0, rel=0.03)
    assert np.abs(errors(sites, scene.truth)).max() < 0.25


def test_weak_and_wide_sites_between_strong_and_narrow_ones_are_found() -> None:
    rng = np.random.default_rng(4)
    strong = lattice("square", 17.0, 64) + 14.0
    truth = np.concatenate([strong, strong + 8.5]) + rng.normal(0, 0.3, (128, 2))
    height, width = np.repeat([1.0, 0.2], 64), np.repeat([2.5, 3.4], 64)
    values = gaussians((160, 160), truth, height, width) + rng.normal(0, 0.02, (160, 160))
    start = truth + rng.normal(0, 0.6, truth.shape)
    sites = refine_sites(
        image_from_array(values), sites_from_positions(*start.T, unit="px", spacing=12.0)
    )
    assert sites["fit_ok"].all()
    off = errors(sites, truth)
    # 0.8 over the SNR of 50 and of 10 is the bound of a lone site.
    assert np.sqrt(np.mean(off[:64] ** 2)) < 0.02
    assert np.sqrt(np.mean(off[64:] ** 2)) < 0.13
    assert float(sites["width"][:64].median()) == pytest.approx(2.5, rel=0.02)
    assert float(sites["width"][64:].median()) == pytest.approx(3.4, rel=0.1)


def test_sites_three_and_a_half_widths_apart_are_fitted_with_honest_errors() -> None:
    scene = simulate("hexagonal", n_sites=300, snr=20, sigma=3.0, spacing=10.5, off=0.4, seed=5)
    sites = refine_sites(scene.image, scene.start)
    assert sites["fit_ok"].mean() > 0.98
    ok = sites["fit_ok"].values
    stated = np.sqrt(np.mean(np.diagonal(sites["covariance"].values[ok], axis1=1, axis2=2)))
    found = np.sqrt(np.mean(errors(sites, scene.truth)[ok] ** 2))
    assert found == pytest.approx(stated, rel=0.15)


def test_very_noisy_honeycombs_do_not_run_away() -> None:
    scene = simulate("honeycomb", n_sites=300, snr=0.8, sigma=5.0, spacing=18.0, off=1.5, seed=6)
    sites = refine_sites(scene.image, scene.start)
    assert sites["fit_ok"].mean() > 0.9
    ok = sites["fit_ok"].values
    # The bound is 1.05 px.
    assert np.sqrt(np.mean(errors(sites, scene.truth)[ok] ** 2)) < 1.6
    assert float(sites["width"].median()) == pytest.approx(5.0, rel=0.1)
    assert float(sites["width"].max()) < 11


def test_pure_noise_holds_almost_no_sites() -> None:
    scene = simulate("honeycomb", n_sites=200, sigma=4.0, spacing=16.0, off=1.0)
    noise = np.random.default_rng(7).normal(size=scene.image.shape)
    sites = refine_sites(image_from_array(noise), scene.start)
    assert sites["fit_ok"].mean() < 0.15


def test_sites_cut_by_the_border_are_fitted_from_what_is_left_of_them() -> None:
    scene = simulate("square", n_sites=100, snr=20, off=0.4, seed=8)
    top = int(np.ceil(np.median(np.sort(scene.truth[:, 0])[:10])))
    cut = scene.image.isel(y=slice(top, None))
    inside = scene.truth[:, 0] > top - 0.4
    sites = refine_sites(cut, scene.start.isel(site=inside))
    ok = sites["fit_ok"].values
    assert ok.mean() > 0.97
    off = errors(sites, scene.truth[inside])[ok]
    stated = np.sqrt(np.diagonal(sites["covariance"].values[ok], axis1=1, axis2=2))
    assert np.abs(off / stated).max() < 6


def test_masked_pixels_are_not_used() -> None:
    scene = simulate("square", n_sites=100, snr=20, seed=9)
    spoiled = scene.image.copy(deep=True)
    half = spoiled.sizes["x"] // 2
    spoiled[:, half:] = 1e6
    regions = xr.DataArray(np.ones(spoiled.shape, dtype=bool), spoiled.coords, spoiled.dims)
    regions[:, half:] = False
    sites = refine_sites(spoiled, scene.start, regions)
    well_inside = scene.truth[:, 1] < half - 6
    assert sites["fit_ok"][well_inside].all()
    assert np.abs(errors(sites, scene.truth)[well_inside]).max() < 0.3
    assert not sites["fit_ok"][scene.truth[:, 1] > half + 6].any()


def test_pixels_that_are_not_numbers_are_left_out() -> None:
    scene = simulate("square", n_sites=100, snr=20, seed=9)
    holed = scene.image.copy(deep=True)
    holes = np.random.default_rng(0).uniform(size=holed.shape) < 0.1
    sites = refine_sites(holed.where(~holes), scene.start)
    assert sites["fit_ok"].all()
    assert np.abs(errors(sites, scene.truth)).max() < 0.3


def test_dark_sites_are_found_to_be_dark() -> None:
    scene = simulate("hexagonal", n_sites=150, snr=10, seed=10)
    bright = refine_sites(scene.image, scene.start)
    dark = refine_sites(262_000 - 40 * scene.image, scene.start)
    np.testing.assert_allclose(dark.y, bright.y, atol=1e-6)
    np.testing.assert_allclose(dark["amplitude"], -40 * bright["amplitude"], rtol=1e-6)
    np.testing.assert_allclose(dark["background"], 262_000 - 40 * bright["background"], rtol=1e-9)


def test_the_wrong_contrast_finds_nothing_and_says_so() -> None:
    scene = simulate("square", n_sites=49, snr=20, spacing=10.0)
    sites = refine_sites(scene.image, scene.start, contrast="dark")
    assert sites["fit_ok"].mean() < 0.2


def test_an_image_without_contrast_fails_everywhere() -> None:
    scene = simulate("square", n_sites=25)
    sites = refine_sites(xr.zeros_like(scene.image), scene.start)
    assert not sites["fit_ok"].any()
    np.testing.assert_array_equal(sites.y, scene.start.y)


def test_where_noise_leaves_widths_open_the_fit_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[float] = []
    real = gaussian_steps._typical_gain

    def counted(*arguments: Any) -> float:
        steps.append(real(*arguments))
        return steps[-1]

    monkeypatch.setattr(gaussian_steps, "_typical_gain", counted)
    # Atoms that overlap, no brighter than the noise of their pixels: 22 steps, and 123 if it
    # goes on until sites hold still, with as many sites fitted.
    scene = simulate("honeycomb", n_sites=300, sigma=3.1, spacing=9.2, snr=0.8, off=0.5, seed=1)
    refined = refine_sites(scene.image, scene.start)
    assert len(steps) <= 40
    assert refined["fit_ok"].mean() > 0.65
