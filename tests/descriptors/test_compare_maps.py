"""Maps are compared with an image by a correlation whose interval holds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from adatom.descriptors import compare_maps
from adatom.errors import KindError, UnitError
from adatom.schema import image_from_array


def _smooth(
    rng: np.random.Generator, sigma: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    field = rng.normal(size=(40, 40))
    return np.asarray(scipy.ndimage.gaussian_filter(field, sigma) if sigma else field)


def _maps(*values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> xr.DataArray:
    images = [image_from_array(one, pixel_size="1 nm") for one in values]
    return xr.concat(images, dim="element").transpose("y", "x", "element")


def test_the_correlation_is_pearsons_and_the_rank_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    one, noise = _smooth(rng, 0), _smooth(rng, 0)
    image = image_from_array(one, pixel_size="1 nm")
    table = compare_maps(_maps(one + noise, np.exp(3 * one)), image)
    expected = np.corrcoef((one + noise).ravel(), one.ravel())[0, 1]
    assert table["correlation"].values[0] == pytest.approx(expected)
    assert table["rank_correlation"].values[1] == pytest.approx(1)
    assert table["correlation"].values[1] < 0.9


@pytest.mark.parametrize("sigma", [0.0, 2.0, 3.0])
def test_the_interval_holds_for_maps_that_have_nothing_in_common(sigma: float) -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(120):
        table = compare_maps(
            _maps(_smooth(rng, sigma)), image_from_array(_smooth(rng, sigma), pixel_size="1 nm")
        )
        covered.append(table["low"].item() <= 0 <= table["high"].item())
    # 95 % promised; of 120 trials that is 114, and 105 are three standard deviations fewer.
    assert sum(covered) >= 105


def test_missing_and_constant_maps_are_told() -> None:
    rng = np.random.default_rng(2)
    one = _smooth(rng, 1)
    image = image_from_array(one, pixel_size="1 nm")
    holes = one.copy()
    holes[:5] = np.nan
    table = compare_maps(_maps(holes, np.ones((40, 40))), image)
    assert table["n_pixels"].values.tolist() == [35 * 40, 1600]
    assert table["correlation"].values[0] == pytest.approx(1)
    assert np.isnan(table["correlation"].values[1])


def test_other_pixels_are_refused() -> None:
    maps = _maps(np.ones((40, 40)))
    with pytest.raises(KindError, match=r"40 x 40 pixels, the image 20 x 20: join pixels"):
        compare_maps(maps, image_from_array(np.ones((20, 20)), pixel_size="1 nm"))
    with pytest.raises(UnitError, match="maps are in 'nm', the image in 'mm'"):
        compare_maps(maps, image_from_array(np.ones((40, 40)), pixel_size="1 mm"))
    with pytest.raises(KindError, match="need"):
        compare_maps(maps.stack(site=("y", "x")).transpose("site", "element"), maps[..., 0])
