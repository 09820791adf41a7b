"""What goes in and out of refine_sites: order, units, kinds and messages."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from simulated_atoms import Simulated, simulate

from adatom.errors import KindError, SettingError, TooFewSitesError, UnitError
from adatom.localization import refine_sites
from adatom.schema import SITES, image_from_array, sites_from_positions

NAMES = ("amplitude", "background", "width", "covariance", "fit_quality", "fit_ok")


@pytest.fixture(scope="module")
def scene() -> Simulated:
    return simulate("square", n_sites=64, snr=10, seed=0)


@pytest.fixture(scope="module")
def refined(scene: Simulated) -> xr.Dataset:
    return refine_sites(scene.image, scene.start)


def test_the_result_is_sites_with_what_was_fitted(refined: xr.Dataset) -> None:
    SITES.check(refined)
    assert set(NAMES) <= set(refined.data_vars)
    assert refined["covariance"].dims == ("site", "axis", "axis_other")
    assert refined["width"].attrs["units"] == "px"
    assert refined["covariance"].attrs["units"] == "px^2"
    assert refined.attrs["spacing"] == 8.0


def test_what_sites_carried_before_is_still_there(scene: Simulated) -> None:
    sites = scene.start.assign(score=("site", np.linspace(0, 1, 64)))
    sites.attrs["notes"] = ["kept"]
    refined = refine_sites(scene.image, sites)
    np.testing.assert_array_equal(refined["score"], sites["score"])
    assert refined.attrs["notes"] == ["kept"]


def test_input_is_not_changed(scene: Simulated) -> None:
    image, sites = scene.image.copy(deep=True), scene.start.copy(deep=True)
    refine_sites(scene.image, scene.start)
    xr.testing.assert_identical(image, scene.image)
    xr.testing.assert_identical(sites, scene.start)


def test_the_order_of_sites_is_kept_and_does_not_matter(
    scene: Simulated, refined: xr.Dataset
) -> None:
    shuffled = np.random.default_rng(0).permutation(64)
    other = refine_sites(scene.image, scene.start.isel(site=shuffled))
    for name in ("y", "x", *NAMES):
        np.testing.assert_array_equal(other[name], refined[name].isel(site=shuffled))


def test_the_same_again_is_bit_identical(scene: Simulated, refined: xr.Dataset) -> None:
    xr.testing.assert_identical(refine_sites(scene.image, scene.start), refined)


def test_lengths_scale_with_the_pixel_size(scene: Simulated, refined: xr.Dataset) -> None:
    image = image_from_array(scene.image.values, pixel_size="0.02 nm")
    y, x = 0.02 * scene.start.y.values, 0.02 * scene.start.x.values
    sites = refine_sites(image, sites_from_positions(y, x, unit="nm", spacing=0.16))
    np.testing.assert_allclose(sites.y, 0.02 * refined.y, rtol=1e-9)
    np.testing.assert_allclose(sites["width"], 0.02 * refined["width"], rtol=1e-6)
    np.testing.assert_allclose(sites["covariance"], 4e-4 * refined["covariance"], rtol=1e-6)
    assert sites["width"].attrs["units"] == "nm"


def test_the_origin_of_the_image_is_honored(scene: Simulated, refined: xr.Dataset) -> None:
    image = scene.image.assign_coords(y=scene.image.y + 100.0, x=scene.image.x - 7.0)
    for dim in ("y", "x"):
        image[dim].attrs["units"] = "px"
    moved = sites_from_positions(scene.start.y + 100.0, scene.start.x - 7.0, unit="px", spacing=8.0)
    sites = refine_sites(image, moved)
    np.testing.assert_allclose(sites.y, refined.y + 100.0, atol=1e-8)
    np.testing.assert_allclose(sites.x, refined.x - 7.0, atol=1e-8)


def test_pixels_need_not_be_square() -> None:
    rng = np.random.default_rng(1)
    y, x = np.meshgrid(0.01 * np.arange(200), 0.02 * np.arange(120), indexing="ij")
    truth = np.stack(np.meshgrid(np.arange(0.25, 1.8, 0.25), np.arange(0.3, 2.2, 0.25)), -1)
    truth = truth.reshape(-1, 2) + rng.normal(0, 0.01, (truth.size // 2, 2))
    values = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * 0.05**2)) for a, b in truth)
    image = image_from_array(values + rng.normal(0, 0.02, y.shape), pixel_size="0.01 nm")
    image = image.assign_coords(x=("x", 0.02 * np.arange(120), {"units": "nm"}))
    start = truth + rng.normal(0, 0.01, truth.shape)
    sites = refine_sites(image, sites_from_positions(*start.T, unit="nm", spacing=0.25))
    assert sites["fit_ok"].all()
    assert float(sites["width"].median()) == pytest.approx(0.05, rel=0.01)
    # 0.02 * sqrt(2 / pi) pixels of 0.014 nm are 0.0002 nm.
    assert np.abs(sites.y - truth[:, 0]).max() < 0.001
    assert np.abs(sites.x - truth[:, 1]).max() < 0.001


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint16", "int32"])
def test_any_real_numbers_give_the_same_positions(scene: Simulated, dtype: str) -> None:
    values = np.round(1000 * (scene.image.values + 1)).astype(dtype)
    sites = refine_sites(image_from_array(values), scene.start)
    same = refine_sites(image_from_array(values.astype(float)), scene.start)
    np.testing.assert_allclose(sites.y, same.y, atol=1e-6)


def test_lazy_images_give_the_same_however_they_are_chunked(
    scene: Simulated, refined: xr.Dataset
) -> None:
    for chunks in ((17, 40), (64, 64)):
        lazy = scene.image.chunk({"y": chunks[0], "x": chunks[1]})
        xr.testing.assert_identical(refine_sites(lazy, scene.start), refined)


def test_the_spacing_is_measured_where_it_is_missing(scene: Simulated, refined: xr.Dataset) -> None:
    sites = refine_sites(scene.image, sites_from_positions(scene.start.y, scene.start.x, unit="px"))
    assert sites.attrs["spacing"] == pytest.approx(8.0, rel=0.15)
    assert np.abs(sites.y - refined.y).max() < 0.05


def test_no_sites_give_no_sites(scene: Simulated) -> None:
    none = refine_sites(scene.image, scene.start.isel(site=slice(0)))
    assert none.sizes["site"] == 0
    assert set(NAMES) <= set(none.data_vars)


def test_sites_outside_of_the_image_are_flagged(scene: Simulated, refined: xr.Dataset) -> None:
    y = np.append(scene.start.y, -50.0)
    x = np.append(scene.start.x, 10.0)
    sites = refine_sites(scene.image, sites_from_positions(y, x, unit="px", spacing=8.0))
    assert not sites["fit_ok"][-1]
    assert sites.y[-1] == -50
    np.testing.assert_allclose(sites.y[:-1], refined.y, atol=1e-9)


def test_a_site_may_not_go_farther_than_max_shift(scene: Simulated) -> None:
    far = scene.start.copy()
    y = far.y.values.copy()
    y[20] = scene.truth[20, 0] + 2.0
    far.coords["y"] = ("site", y, far.y.attrs)
    assert refine_sites(scene.image, far)["fit_ok"][20]
    strict = refine_sites(scene.image, far, max_shift="1.5 px")
    assert not strict["fit_ok"][20]
    assert strict.y[20] == y[20]


def test_a_window_of_the_users_gives_nearly_the_same(scene: Simulated, refined: xr.Dataset) -> None:
    sites = refine_sites(scene.image, scene.start, window="1.4 d")
    between = np.hypot(sites.y - refined.y, sites.x - refined.x)
    assert float(between.max()) < 0.1


def test_a_tiny_image_with_one_site_works() -> None:
    y, x = np.mgrid[:9, :8]
    values = np.exp(-((y - 4.2) ** 2 + (x - 3.9) ** 2) / (2 * 1.5**2))
    sites = refine_sites(
        image_from_array(values), sites_from_positions([4.0], [4.0], unit="px", spacing=6.0)
    )
    assert float(sites.y[0]) == pytest.approx(4.2, abs=0.02)


def test_units_that_differ_are_named(scene: Simulated) -> None:
    sites = sites_from_positions([1.0, 2.0], [1.0, 2.0], unit="nm")
    with pytest.raises(KindError, match="image is in px, the sites are in nm"):
        refine_sites(scene.image, sites)


def test_regions_of_another_shape_are_refused(scene: Simulated) -> None:
    small = scene.image.isel(y=slice(10)) > 0
    with pytest.raises(KindError, match="do not cover an image"):
        refine_sites(scene.image, scene.start, small)


def test_a_window_too_small_is_refused(scene: Simulated) -> None:
    with pytest.raises(SettingError, match=r"window='3 px' is 3 pixels wide, 5 or more"):
        refine_sites(scene.image, scene.start, window="3 px")


def test_a_shift_of_nothing_is_refused(scene: Simulated) -> None:
    with pytest.raises(SettingError, match="max_shift='0 px' must be positive"):
        refine_sites(scene.image, scene.start, max_shift="0 px")


def test_a_length_without_unit_is_refused(scene: Simulated) -> None:
    with pytest.raises(UnitError, match="max_shift"):
        refine_sites(scene.image, scene.start, max_shift="3")


def test_an_unknown_contrast_is_refused(scene: Simulated) -> None:
    with pytest.raises(SettingError, match="use 'auto', 'bright' or 'dark'"):
        refine_sites(scene.image, scene.start, contrast="grey")  # type: ignore[arg-type]


def test_a_single_site_needs_a_spacing(scene: Simulated) -> None:
    with pytest.raises(TooFewSitesError, match=r"attrs\['spacing'\]"):
        refine_sites(scene.image, sites_from_positions([20.0], [20.0], unit="px"))
