"""Scores become shares, and classes of windows the classes of pixels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import classes_from_scores, classes_from_windows
from adatom.descriptors import window_spectra
from adatom.errors import KindError, SettingError
from adatom.schema import image_from_array, notes


def _scores(values: object) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, dtype=float), dims=("site", "component"))


def test_shares_do_not_depend_on_how_strong_a_component_is() -> None:
    share = np.random.default_rng(0).uniform(size=(50, 1))
    share = np.hstack([share, 1 - share])
    found = classes_from_scores(_scores(share * [100.0, 0.2]))
    np.testing.assert_allclose(found["probability"], share, atol=1e-6)
    np.testing.assert_array_equal(found["label"], share.argmax(axis=1))


def test_rows_without_anything_and_rows_not_measured_have_no_class() -> None:
    found = classes_from_scores(_scores([[1, 0], [0, 1], [0, 0], [np.nan, 1]]))
    np.testing.assert_array_equal(found["label"], [0, 1, -1, -1])
    assert np.isnan(found["probability"][2:]).all()


def test_negative_scores_are_refused() -> None:
    with pytest.raises(SettingError, match="least score is -1"):
        classes_from_scores(_scores([[1, -1]]))
    with pytest.raises(SettingError, match="all scores are zero"):
        classes_from_scores(_scores([[0, 0]]))


def test_every_pixel_has_a_class_and_a_straight_border_stays_where_it_is() -> None:
    image = image_from_array(np.zeros((90, 101)), pixel_size="0.1 nm")
    windows = window_spectra(image, size="1.6 nm", step="0.4 nm")
    # Windows with their middle left of 5 nm are of the one class.
    label = np.broadcast_to(windows["x"].values > 5.0, windows.shape[:2]).astype(int)
    axes = {dim: windows.coords[dim] for dim in ("y", "x")}
    found = classes_from_windows(xr.Dataset({"label": (("y", "x"), label)}, coords=axes), image)
    assert (found["label"] >= 0).all()
    np.testing.assert_allclose(found["probability"].sum("class"), 1.0, atol=1e-6)
    border = found["x"].values[(found["label"][40].values == 1).argmax()]
    # Half a step of the windows, and a pixel.
    assert border == pytest.approx(5.0, abs=0.3)
    assert any("1.6 x 1.6 nm" in note for note in notes(found))


def test_pixels_not_measured_and_pixels_under_unsorted_windows_have_no_class() -> None:
    values = np.zeros((16, 32))
    values[3, 4] = np.nan
    image = image_from_array(values)
    axes = {
        "y": ("y", [7.5], {"units": "px"}),
        "x": ("x", [7.5, 23.5], {"units": "px"}),
    }
    found = classes_from_windows(xr.Dataset({"label": (("y", "x"), [[0, -1]])}, coords=axes), image)
    assert found["label"][3, 4] == -1
    assert (found["label"][:, 16:] == -1).all()
    assert (found["label"][5, :16] == 0).all()


def test_windows_of_another_image_are_refused() -> None:
    axes = {n: (n, [7.5, 23.5], {"units": "px"}) for n in ("y", "x")}
    classes = xr.Dataset({"label": (("y", "x"), [[0, 1]] * 2)}, coords=axes)
    with pytest.raises(KindError, match="are they of another"):
        classes_from_windows(classes, image_from_array(np.zeros((32, 48))))
    with pytest.raises(KindError, match="the image in nm"):
        classes_from_windows(classes, image_from_array(np.zeros((32, 32)), pixel_size="1 nm"))
