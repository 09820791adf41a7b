"""Refined positions are as good as theory allows, and say how good they are."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr
from simulated_atoms import bound, errors, share_inside, simulate

from adatom.localization import refine_sites
from adatom.schema import image_from_array

KINDS = ("square", "hexagonal", "honeycomb")
NOISES = (5.0, 20.0)


@functools.cache
def refined(kind: str, snr: float) -> tuple[xr.Dataset, np.ndarray]:
    scene = simulate(kind, n_sites=1700, snr=snr, off=0.5, seed=7)
    return refine_sites(scene.image, scene.start), scene.truth


@pytest.mark.parametrize("snr", NOISES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_within_a_tenth_of_the_cramer_rao_bound(kind: str, snr: float) -> None:
    sites, truth = refined(kind, snr)
    assert sites["fit_ok"].mean() > 0.998
    ok = sites["fit_ok"].values
    error = np.sqrt(np.mean(errors(sites, truth)[ok] ** 2))
    assert error == pytest.approx(bound(kind, sigma=2.0, spacing=8.0, snr=snr), rel=0.1)


def test_the_stated_regions_hold_what_they_say_of_ten_thousand_positions() -> None:
    shares, counts = [], []
    for kind in KINDS:
        for snr in NOISES:
            sites, truth = refined(kind, snr)
            ok = sites["fit_ok"].values
            shares.append(share_inside(sites.isel(site=ok), truth[ok]))
            counts.append(int(ok.sum()))
    assert sum(counts) > 10_000
    assert 0.93 < np.average(shares, weights=counts) < 0.97
    # 1,700 positions scatter by 0.6 %.
    assert min(shares) > 0.92


@pytest.mark.parametrize("kind", KINDS)
def test_positions_are_not_biased(kind: str) -> None:
    sites, truth = refined(kind, 20.0)
    mean = errors(sites, truth).mean(axis=0)
    limit = 4 * bound(kind, sigma=2.0, spacing=8.0, snr=20.0) / np.sqrt(len(truth))
    assert np.abs(mean).max() < limit


@pytest.mark.parametrize("kind", KINDS)
def test_height_width_and_background_are_found(kind: str) -> None:
    sites, _ = refined(kind, 20.0)
    assert float(sites["width"].median()) == pytest.approx(2.0, rel=0.02)
    assert float(sites["amplitude"].median()) == pytest.approx(1.0, rel=0.03)
    assert float(sites["background"].median()) == pytest.approx(0.3, abs=0.03)
    assert float(sites["fit_quality"].median()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_starts_a_quarter_of_the_spacing_off_end_where_good_starts_end(kind: str) -> None:
    scene = simulate(kind, n_sites=300, snr=20, off=0.0, seed=1)
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, len(scene.truth))
    far = scene.start.copy()
    far.coords["y"] = scene.start.y + 2.0 * np.sin(angle)
    far.coords["x"] = scene.start.x + 2.0 * np.cos(angle)
    near, here = refine_sites(scene.image, far), refine_sites(scene.image, scene.start)
    assert near["fit_ok"].all()
    between = np.hypot(near.y - here.y, near.x - here.x)
    # A fifth of the statistical error.
    assert float(np.sqrt((between**2).mean())) < 0.01


def test_without_noise_the_truth_is_found_to_a_hundredth_of_a_pixel() -> None:
    scene = simulate("hexagonal", n_sites=100)
    off = errors(refine_sites(scene.image, scene.start), scene.truth)
    assert np.abs(off).max() < 0.01


def test_counted_electrons_are_weighted_by_their_own_noise() -> None:
    scene = simulate("square", n_sites=1000, sigma=2.0, spacing=9.0, off=0.3, seed=3)
    clean = (scene.image.values - 0.27) * 60
    counts = np.random.default_rng(4).poisson(clean)
    sites = refine_sites(image_from_array(counts), scene.start)
    error = np.sqrt(np.mean(errors(sites, scene.truth) ** 2))
    # The bound of counted electrons; unweighted least squares is a third above it.
    y, x = np.mgrid[-20:21, -20:21] / 2.0
    shape = np.exp(-0.5 * (y * y + x * x))
    information = np.sum((60 * y / 2.0 * shape) ** 2 / (60 * shape + 60 * 0.03))
    assert error < 1.15 / np.sqrt(information)
    assert 0.89 < share_inside(sites, scene.truth) < 0.97


def test_a_sloping_background_does_not_pull() -> None:
    scene = simulate("square", n_sites=200, snr=20, seed=5)
    y, x = np.meshgrid(scene.image.y, scene.image.x, indexing="ij")
    sloping = refine_sites(scene.image + 0.03 * y - 0.02 * x, scene.start)
    level = refine_sites(scene.image, scene.start)
    assert np.abs(sloping.y - level.y).max() < 0.02
    assert np.abs(sloping.x - level.x).max() < 0.02


def test_pixels_much_finer_than_the_atoms_are_averaged_without_harm() -> None:
    scene = simulate("honeycomb", n_sites=200, sigma=6.3, spacing=24.0, snr=5.0, off=1.5, seed=3)
    sites = refine_sites(scene.image, scene.start)
    assert sites["fit_ok"].all()
    error = np.sqrt(np.mean(errors(sites, scene.truth) ** 2))
    assert error == pytest.approx(bound("honeycomb", sigma=6.3, spacing=24.0, snr=5.0), rel=0.1)
    assert share_inside(sites, scene.truth) > 0.88
    mean = errors(sites, scene.truth).mean(axis=0)
    assert np.abs(mean).max() < 4 * error / np.sqrt(len(scene.truth))
    assert float(sites["width"].median()) == pytest.approx(6.3, rel=0.02)
    assert float(sites["amplitude"].median()) == pytest.approx(1.0, rel=0.02)
    assert float(sites["background"].median()) == pytest.approx(0.3, abs=0.02)
