"""Windows over images with infinite values, and waves of no length."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from adatom import descriptors, localization
from adatom.clustering import classes_from_scores
from adatom.errors import KindError, SettingError
from adatom.schema import Features, Image, image_from_array, sites_from_positions

WINDOWS: dict[str, Callable[..., Features]] = {
    "window_spectra": descriptors.window_spectra,
    "window_quantiles": descriptors.window_quantiles,
    "window_projections": descriptors.window_projections,
    "window_moments": descriptors.window_moments,
}


def _image(scale: float = 1.0) -> Image:
    y, x = np.mgrid[:160, :160] * (2 * np.pi / 10)
    values = np.cos(y) + np.cos(x) + np.where(x > x.mean(), np.cos(y / 2) * np.cos(x / 2), 0)
    values += np.random.default_rng(2).normal(0, 0.3, values.shape)
    return image_from_array(scale * values, pixel_size="0.02 nm")


@pytest.mark.parametrize("step", WINDOWS.values(), ids=WINDOWS)
def test_infinite_pixels_count_as_not_measured(step: Callable[..., Features]) -> None:
    infinite, missing = _image(), _image()
    infinite[3, 3], missing[3, 3] = np.inf, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = step(infinite, size="40 px")
    np.testing.assert_array_equal(found.values, step(missing, size="40 px").values)
    assert np.isinf(infinite[3, 3]), "the image was changed"


@pytest.mark.parametrize("step", [descriptors.window_spectra, descriptors.window_moments])
@pytest.mark.parametrize("shortest", ["0 px", "-1 nm"])
def test_waves_have_a_positive_period(step: Callable[..., Features], shortest: str) -> None:
    with pytest.raises(SettingError, match="greater than zero"):
        step(_image(), size="40 px", shortest_period=shortest)


def test_moments_are_of_the_spectrum_or_of_the_image() -> None:
    with pytest.raises(SettingError, match="is not known"):
        descriptors.window_moments(_image(), size="40 px", of="phase")  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_a_superlattice_does_not_depend_on_the_unit_of_the_image(scale: float) -> None:
    one, other = (descriptors.estimate_superlattice(_image(by)) for by in (1.0, scale))
    np.testing.assert_array_equal(one.classes["label"], other.classes["label"])
    np.testing.assert_allclose(one.departure, other.departure, rtol=1e-3)


def test_scores_without_components_are_refused() -> None:
    scores = xr.DataArray(np.zeros((5, 0)), dims=("site", "component"))
    with pytest.raises(KindError, match="no component"):
        classes_from_scores(scores)


def test_columns_of_an_image_of_nan_have_no_intensity() -> None:
    image = image_from_array(np.full((40, 40), np.nan))
    y, x = (10.0 * part.ravel() + 5 for part in np.mgrid[:4.0, :4.0])
    sites = sites_from_positions(y, x, unit="px", spacing=10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = localization.estimate_column_intensity(image, sites)
    assert np.isnan(found["column_intensity"]).all()
    with pytest.raises(SettingError, match="use 'voronoi' or 'fit'"):
        localization.estimate_column_intensity(image, sites, method="sum")  # type: ignore[arg-type]
