"""Masks from images, and spectra within them."""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np
import pytest
import xarray as xr

from adatom.clustering import cluster_kmeans
from adatom.correction import features_from_mask, mask_from_classes, mask_from_image
from adatom.errors import KindError, SettingError
from adatom.schema import image_from_array, notes

Array = np.ndarray[Any, Any]


@pytest.fixture
def image() -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = rng.normal(1.0, 0.1, (20, 30))
    values[5:12, 8:20] = rng.normal(3.0, 0.2, (7, 12))
    return image_from_array(values, pixel_size="2 nm")


def _spectra(image: xr.DataArray, values: Array) -> xr.DataArray:
    energy = ("energy", np.arange(values.shape[-1]) * 1.0, {"units": "eV"})
    coords = {"y": image.y, "x": image.x, "energy": energy}
    return xr.DataArray(values, dims=("y", "x", "energy"), coords=coords)


def test_a_bright_particle_is_parted_from_its_support(image: xr.DataArray) -> None:
    mask = mask_from_image(image)
    truth = np.zeros((20, 30), bool)
    truth[5:12, 8:20] = True
    np.testing.assert_array_equal(mask.values, truth)
    assert "86 % is left out" in notes(mask)[0]


def test_both_ends_can_be_given(image: xr.DataArray) -> None:
    mask = mask_from_image(image, above=0.9, below=1.1)
    np.testing.assert_array_equal(mask.values, (image.values > 0.9) & (image.values < 1.1))


def test_what_was_not_measured_is_never_marked(image: xr.DataArray) -> None:
    image[6, 9] = np.nan
    assert not mask_from_image(image, above=-100.0)[6, 9]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"above": 2.0, "below": 1.0}, "must be less"),
        ({"above": 100.0}, "no pixel lies within .* the image has 0"),
    ],
)
def test_thresholds_that_leave_nothing_are_refused(
    image: xr.DataArray, settings: dict[str, float], said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        mask_from_image(image, **settings)


def test_a_flat_image_has_no_threshold() -> None:
    with pytest.raises(SettingError, match="one value"):
        mask_from_image(image_from_array(np.ones((3, 3))))


def test_rows_outside_of_the_mask_get_no_class(image: xr.DataArray) -> None:
    counts = np.random.default_rng(1).poisson(9.0, (20, 30, 4)).astype(np.uint16)
    mask = mask_from_image(image)
    kept = features_from_mask(_spectra(image, counts), mask)
    assert kept.dtype == np.float32
    label = cluster_kmeans(kept, n_classes=2).classes["label"].values
    np.testing.assert_array_equal(label >= 0, mask.values)


def test_a_lazy_map_stays_lazy(image: xr.DataArray) -> None:
    values = np.random.default_rng(1).normal(size=(20, 30, 4))
    mask = mask_from_image(image)
    lazy = features_from_mask(_spectra(image, values).chunk(y=7, x=11), mask)
    assert isinstance(lazy.data, dask.array.Array)
    xr.testing.assert_identical(lazy.compute(), features_from_mask(_spectra(image, values), mask))


def test_a_mask_of_other_pixels_is_refused(image: xr.DataArray) -> None:
    mask = mask_from_image(image).isel(y=slice(3, None))
    with pytest.raises(KindError, match="same pixels"):
        features_from_mask(_spectra(image, np.ones((20, 30, 2))), mask)


def _windows(labels: list[list[int]]) -> xr.Dataset:
    """Give classes of windows whose centers lie 4 px apart, the first at 3.5 px."""
    place = {
        name: (name, 3.5 + 4.0 * np.arange(size), {"units": "px"})
        for name, size in zip(("y", "x"), np.shape(labels), strict=True)
    }
    classes = xr.Dataset({"label": (("y", "x"), np.array(labels))}, coords=place)
    return classes.assign_attrs(class_names=["lattice", "dirt", "vacuum"])


def test_the_border_of_a_mask_of_windows_lies_halfway_between_their_centers() -> None:
    image = image_from_array(np.zeros((12, 16)))
    mask = mask_from_classes(_windows([[0, 0, 1], [0, 0, 1]]), image, keep=["lattice"])
    # Centers at 7.5 and 11.5: halfway is 9.5.
    assert mask.values.all(axis=0).tolist() == [True] * 10 + [False] * 6


def test_windows_without_a_class_are_left_out_of_a_mask() -> None:
    image = image_from_array(np.zeros((12, 12)))
    mask = mask_from_classes(_windows([[0, -1], [0, -1]]), image, keep=["lattice", "vacuum"])
    assert not mask.values[:, 7:].any()


def test_classes_to_keep_must_be_among_those_there_are() -> None:
    image = image_from_array(np.zeros((12, 12)))
    classes = _windows([[0, 1], [0, 1]])
    with pytest.raises(SettingError, match="names film: the classes are lattice, dirt, vacuum"):
        mask_from_classes(classes, image, keep=["film"])
    with pytest.raises(SettingError, match="nothing would be left to analyze"):
        mask_from_classes(classes, image, keep=["vacuum"])
