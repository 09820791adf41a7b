from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from adatom.clustering import find_uniform_pixels
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import MASK, notes

Array = np.ndarray[Any, Any]


def features(values: Array) -> xr.DataArray:
    place = {
        name: (name, np.arange(float(size)), {"units": "nm"})
        for name, size in zip(("y", "x"), values.shape)
    }
    return xr.DataArray(values, dims=("y", "x", "feature"), coords=place)


def noise(n_features: int, seed: int = 0, size: int = 96) -> Array:
    return np.random.default_rng(seed).normal(size=(size, size, n_features))


@pytest.mark.parametrize("n_features", [1, 3, 6])
def test_a_map_of_noise_keeps_all_but_the_stated_share(n_features: int) -> None:
    mask = find_uniform_pixels(features(noise(n_features)))
    MASK.check(mask)
    # The noise is learnt from a fifth of 9,216 pixels whose slopes overlap: six seeds gave shares
    # from nine tenths of the stated 0.01 to twice as much.
    assert 0.004 < 1 - mask.attrs["share"] < 0.025


def test_lone_pixels_amid_a_border_are_left_out() -> None:
    rng = np.random.default_rng(0)
    values = noise(1)
    # A band in which every pixel differs from the next by much.
    values[:, 40:56, 0] += rng.permutation(np.linspace(0, 60, 96 * 16)).reshape(96, 16)
    mask = find_uniform_pixels(features(values)).values
    assert mask[:, 41:55].sum() == 0
    assert mask[:, :38].mean() > 0.95


def test_noise_that_is_correlated_and_differs_along_the_axes_excludes_no_more() -> None:
    mixed = noise(4) @ np.random.default_rng(1).normal(size=(4, 4))
    # Lines of a scan that jump by as much as pixels do.
    mixed += np.random.default_rng(2).normal(size=(96, 1, 4))
    assert find_uniform_pixels(features(mixed)).values.mean() > 0.97


def test_an_even_slope_is_no_border() -> None:
    slope = np.linspace(0, 30, 96)[:, None] * np.ones(3)
    assert find_uniform_pixels(features(noise(3) + slope)).values.mean() > 0.97


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_mixed_borders_are_left_out_in_any_unit(scale: float) -> None:
    field = gaussian_filter(np.random.default_rng(3).normal(size=(2, 96, 96)), (0, 8, 8))
    share = gaussian_filter((field[0] > field[1]).astype(float), 1.2)
    values = noise(3) + 12 * share[..., None] * np.array([1.0, -0.5, 0.2])
    mask = find_uniform_pixels(features(values * scale)).values
    mixed = (share > 0.15) & (share < 0.85)
    inside = (share < 1e-3) | (share > 1 - 1e-3)
    assert mask[mixed].mean() < 0.02
    assert mask[inside].mean() > 0.95


def test_a_map_without_noise_keeps_what_is_level() -> None:
    steps = np.repeat([0.0, 1.0, 5.0], 8)[:, None] * np.ones((24, 1, 1))
    mask = find_uniform_pixels(features(steps)).values
    assert mask[5].tolist() == [k % 8 not in (7, 0) or k in (0, 23) for k in range(24)]


def test_pixels_beside_unmeasured_ones_are_left_out() -> None:
    values = noise(2)
    values[40, 50] = np.nan
    mask = find_uniform_pixels(features(values)).values
    assert not mask[39:42, 49:52].any()
    assert mask.mean() > 0.97


def test_where_no_pixel_is_like_the_next_all_are_kept() -> None:
    # Atoms eight pixels apart: level on their tops, and nowhere else.
    wave = np.cos(2 * np.pi * np.arange(48) / 8)
    mask = find_uniform_pixels(features(20 * np.outer(wave, wave)[..., None] + noise(1, size=48)))
    assert mask.values.all()
    assert "there are no domains, and all measured pixels are kept" in notes(mask)[0]


def test_small_maps_lose_few_pixels() -> None:
    for seed in range(5):
        # What is learnt from a hundred pixels is less sure: at most a quarter was lost.
        assert find_uniform_pixels(features(noise(4, seed=seed, size=12))).values.mean() > 0.7


def test_a_single_line_has_neighbors_along_it() -> None:
    mask = find_uniform_pixels(features(noise(2)[:1]))
    assert mask.shape == (1, 96)
    assert mask.values.mean() > 0.9


def test_the_mask_says_how_much_is_left() -> None:
    assert (
        "differ from their neighbors by noise alone"
        in notes(find_uniform_pixels(features(noise(2))))[0]
    )


def test_a_map_too_small_to_learn_its_noise_keeps_what_is_measured() -> None:
    values = np.random.default_rng(0).normal(size=(4, 4, 2))
    values[1, 2] = np.nan
    mask = find_uniform_pixels(features(values))
    np.testing.assert_array_equal(mask.values, np.isfinite(values[..., 0]))
    assert "all measured pixels are kept" in notes(mask)[0]
    assert find_uniform_pixels(features(np.ones((1, 1, 2)))).values.all()


def test_what_has_no_neighbors_is_refused() -> None:
    rows = xr.DataArray(np.zeros((50, 2)), dims=("site", "feature"))
    with pytest.raises(KindError, match=r"neighbors are known on \('y', 'x'\) alone"):
        find_uniform_pixels(rows)
    with pytest.raises(SettingError, match="false_exclusion=0 is a share"):
        find_uniform_pixels(features(noise(1)), false_exclusion=0)


def test_a_map_with_a_channel_of_gaps_says_that_no_pixel_is_measured() -> None:
    values = noise(3, size=8)
    values[..., 1] = np.nan
    with pytest.raises(TooFewSitesError, match="none of 64 pixels is measured throughout"):
        find_uniform_pixels(features(values))
