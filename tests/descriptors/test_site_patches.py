"""Patches are centered on their sites, and say what they lack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.descriptors import site_patches
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import FEATURES, Image, image_from_array, notes, sites_from_positions


def smooth(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give a pattern without scale below 2.5 px."""
    return np.asarray(np.cos(0.5 * y + 0.2) * np.sin(0.4 * x) + 0.01 * y * x)


def image_of(shape: tuple[int, int], pixels: tuple[float, float] = (1.0, 1.0)) -> Image:
    y, x = np.arange(shape[0]) * pixels[0], np.arange(shape[1]) * pixels[1]
    return xr.DataArray(
        smooth(y[:, None] / pixels[0], x[None] / pixels[1]),
        dims=("y", "x"),
        coords={"y": ("y", y, {"units": "nm"}), "x": ("x", x, {"units": "nm"})},
        attrs={"units": "counts"},
    )


def test_patches_are_centered_between_pixels() -> None:
    rng = np.random.default_rng(0)
    y, x = rng.uniform(12, 50, (2, 40))
    patches = site_patches(image_of((64, 64)), sites_from_positions(y, x, unit="nm"), size="7 px")
    FEATURES.check(patches)
    assert patches.shape == (40, 49)
    expected = smooth(
        y[:, None] + patches["patch_y"].values, x[:, None] + patches["patch_x"].values
    )
    # The spline's error at 12 px a period is of fourth order, (2 pi / 12)^4 / 384.
    assert np.abs(patches.values - expected).max() < 2e-3
    assert patches["patch_y"].values.reshape(7, 7)[:, 0].tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_a_site_on_a_pixel_gives_the_pixels() -> None:
    image = image_of((20, 20))
    patches = site_patches(image, sites_from_positions([9.0], [7.0], unit="nm"), size="5 px")
    assert np.allclose(patches.values.reshape(5, 5), image.values[7:12, 5:10], atol=1e-12)
    assert patches.attrs["patch_shape"] == [5, 5]
    assert patches.attrs["units"] == "counts"


def test_pixels_that_are_not_square_keep_the_size_in_space() -> None:
    image = image_of((80, 40), (0.5, 1.0))
    patches = site_patches(image, sites_from_positions([20.0], [20.0], unit="nm"), size="9 nm")
    # 18 pixels lie between 17 and 19: the greater is taken.
    assert patches.attrs["patch_shape"] == [19, 9]
    assert np.ptp(patches["patch_x"].values) == 8.0
    assert np.ptp(patches["patch_y"].values) == 9.0
    middle = patches.values[0, patches.sizes["feature"] // 2]
    assert middle == pytest.approx(image.sel(y=20, x=20).item())


def test_pixels_beyond_the_edge_are_missing_and_told() -> None:
    image = image_of((30, 30))
    sites = sites_from_positions([0.0, 15.0, 28.6], [0.0, 15.0, 29.4], unit="nm")
    patches = site_patches(image, sites, size="5 px")
    window = patches.values.reshape(3, 5, 5)
    # Half a pixel beyond the last center still is that pixel: 3 rows and 3 columns of 5 remain.
    assert patches["missing"].values.tolist() == [16 / 25, 0.0, 16 / 25]
    assert np.isnan(window[0, :2]).all()
    assert np.isfinite(window[0, 2:, 2:]).all()
    assert notes(patches) == ["2 of 3 patches lack pixels, which are NaN"]


def test_pixels_not_measured_make_only_their_surroundings_missing() -> None:
    image = image_of((40, 40))
    image[20, 20] = np.nan
    sites = sites_from_positions([20.0, 20.5, 8.3], [20.0, 20.5, 8.6], unit="nm")
    patches = site_patches(image, sites, size="7 px")
    assert np.isnan(patches.values).sum(axis=1).tolist() == [1, 4, 0]
    whole = site_patches(image_of((40, 40)), sites, size="7 px")
    # Splines decay by 0.27 a pixel: the filled pixel is not felt 12 pixels away.
    assert np.abs(patches.values[2] - whole.values[2]).max() < 1e-4


def test_dask_images_give_the_same() -> None:
    image = image_of((30, 30))
    lazy = image.chunk(7)
    sites = sites_from_positions([11.2], [13.7], unit="nm")
    xr.testing.assert_identical(
        site_patches(image, sites, size="5 px"), site_patches(lazy, sites, size="5 px")
    )


@pytest.mark.parametrize(
    ("given", "kept"), [("float32", "float32"), ("uint8", "float32"), ("int32", "float64")]
)
def test_float32_is_kept_and_integers_stay_exact(given: Any, kept: Any) -> None:
    image = image_from_array(np.full((9, 9), 3, dtype=given))
    patches = site_patches(image, sites_from_positions([4.3], [4.1], unit="px"), size="3 px")
    assert patches.dtype == np.dtype(kept)
    assert np.allclose(patches.values, 3, atol=1e-6)


def test_the_size_is_two_spacings_unless_said_otherwise() -> None:
    sites = sites_from_positions([15.0], [15.0], unit="nm", spacing=4.5)
    patches = site_patches(image_of((31, 31)), sites)
    assert patches.attrs["patch_shape"] == [9, 9]
    assert patches.attrs["spacing"] == 4.5
    with pytest.raises(UnitError, match="in nearest-neighbor distances"):
        site_patches(image_of((31, 31)), sites_from_positions([15.0], [15.0], unit="nm"))


def test_images_and_sites_that_do_not_fit_are_named() -> None:
    image = image_of((20, 20))
    with pytest.raises(UnitError, match="image is in nm, sites in px"):
        site_patches(image, sites_from_positions([5.0], [5.0], unit="px"), size="5 px")
    movie = sites_from_positions([5.0, 5.0], [5.0, 5.0], unit="nm", frame=[0, 1])
    with pytest.raises(KindError, match="sites are of 2 frames, image is one"):
        site_patches(image, movie, size="5 px")
    with pytest.raises(SettingError, match="a patch needs 3 or more, that is 3 nm"):
        site_patches(image, sites_from_positions([5.0], [5.0], unit="nm"), size="1.4 px")


def test_a_site_without_a_position_has_no_patch() -> None:
    sites = sites_from_positions([np.nan, 9.0, 500.0], [9.0, 9.0, 9.0], unit="nm")
    patches = site_patches(image_of((20, 20)), sites, size="5 px")
    assert patches["missing"].values.tolist() == [1.0, 0.0, 1.0]


def test_no_sites_give_no_patches() -> None:
    patches = site_patches(image_of((20, 20)), sites_from_positions([], [], unit="nm"), size="5 px")
    assert patches.shape == (0, 25)
