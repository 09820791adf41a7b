"""Calibrations that lie beside an array."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adatom.errors import ReadError
from adatom.io import read_image, read_movie, read_spectral_map
from adatom.io.companions import companion_files
from adatom.schema import notes, pixel_size

Array = np.ndarray[Any, Any]


def _write(folder: Path, values: Array, beside: object, name: str = "data.json") -> Path:
    np.save(folder / "data.npy", values)
    text = beside if isinstance(beside, str) else json.dumps(beside)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / "data.npy"


def test_a_pixel_size_beside_an_image_calibrates_it(tmp_path: Path, pattern: Array) -> None:
    path = _write(tmp_path, pattern, {"pixel_size": "0.2 Å", "title": "graphene", "unit": "counts"})
    image = read_image(path)
    assert pixel_size(image) == pytest.approx((0.02, 0.02))
    assert image.x.units == "nm"
    assert image.attrs["title"] == "graphene"
    assert notes(image) == ["the scale was taken from data.json beside the file"]


def test_axes_in_any_order_become_y_x_energy(tmp_path: Path) -> None:
    values = np.arange(24.0).reshape(4, 3, 2)
    axes = [
        {"name": "energy", "scale": 0.5, "offset": 1.0, "unit": "keV"},
        {"name": "y", "scale": 2.0, "unit": "nm"},
        {"name": "x", "scale": 3.0, "unit": "nm"},
    ]
    found = read_spectral_map(_write(tmp_path, values, {"axes": axes}))
    assert found.dims == ("y", "x", "energy")
    np.testing.assert_array_equal(found.values, np.moveaxis(values, 0, -1))
    assert found.energy.values.tolist() == [1000, 1500, 2000, 2500]
    assert found.energy.units == "eV"
    assert pixel_size(found) == (2.0, 3.0)


def test_an_axis_may_be_given_value_by_value(tmp_path: Path) -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    axes = [
        {"name": "y", "unit": "nm"},
        {"name": "x", "unit": "nm"},
        {"name": "Raman shift", "values": [400, 300, 150, 100], "unit": "1/cm"},
    ]
    found = read_spectral_map(_write(tmp_path, values, {"axes": axes}))
    assert found.wavenumber.values.tolist() == [100, 150, 300, 400]
    np.testing.assert_array_equal(found.values, values[:, :, ::-1])
    assert "wavenumber ran downwards in the file and was turned around" in notes(found)


def test_frames_that_follow_something_else_than_time_tell_of_it(tmp_path: Path) -> None:
    axes = [{"name": "depth", "scale": 2.5, "unit": "nm"}, {"name": "y"}, {"name": "x"}]
    movie = read_movie(_write(tmp_path, np.zeros((3, 4, 5)), {"axes": axes}))
    assert "time" not in movie.coords
    told = "frames follow depth in steps of 2.5 nm, not time: they are numbered"
    assert told in notes(movie)


def test_a_movie_gets_its_times(tmp_path: Path) -> None:
    axes = [
        {"name": "time", "scale": 40, "unit": "ms"},
        {"name": "y", "scale": 1, "unit": "nm"},
        {"name": "x", "scale": 1, "unit": "nm"},
    ]
    movie = read_movie(_write(tmp_path, np.zeros((3, 4, 5)), {"axes": axes}))
    np.testing.assert_allclose(movie.time.values, [0, 0.04, 0.08])
    assert movie.time.units == "s"
    assert movie.time.dims == ("frame",)


@pytest.mark.parametrize("inner", [False, True])
def test_the_field_of_view_of_scilink_is_understood(
    tmp_path: Path, pattern: Array, inner: bool
) -> None:
    view = {"field_of_view_x": 14, "field_of_view_y": 10, "field_of_view_units": "nm"}
    details: dict[str, Any] = {"voltage": "60 kV"}
    text: dict[str, Any] = {"material_type": "MoS2", "experimental_details": details}
    (details if inner else text)["spatial_info"] = view
    image = read_image(_write(tmp_path, pattern, text))
    assert pixel_size(image) == (2.0, 2.0)
    assert image.attrs["beam_energy"] == 60000.0
    assert image.attrs["sample"] == "MoS2"


def test_a_full_name_goes_before_the_stem(tmp_path: Path, pattern: Array) -> None:
    path = _write(tmp_path, pattern, {"pixel_size": "1 nm"})
    (tmp_path / "data.npy.json").write_text('{"pixel_size": "2 nm"}', encoding="utf-8")
    assert pixel_size(read_image(path)) == (2.0, 2.0)
    assert [file.name for file in companion_files(path)] == ["data.npy", "data.npy.json"]


def test_a_pixel_size_by_hand_overrules_and_says_what_the_file_said(
    tmp_path: Path, pattern: Array
) -> None:
    image = read_image(_write(tmp_path, pattern, {"pixel_size": "1 nm"}), pixel_size="3 nm")
    assert pixel_size(image) == (3.0, 3.0)
    expected = "pixel_size='3 nm' was set by hand; the file says 1 nm x 1 nm (y x x)"
    assert expected in notes(image)


@pytest.mark.parametrize(
    "text", ['{"pixel_size": 0.2}', "{", "[1]", "{}", '{"spatial_info": 3}', "\xff"]
)
def test_json_that_says_nothing_of_scale_leaves_px_and_a_note(
    tmp_path: Path, pattern: Array, text: str
) -> None:
    image = read_image(_write(tmp_path, pattern, text))
    assert image.x.units == "px"
    assert "data.json beside the file" in notes(image)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"pixel_size": "3"}, "pixel_size='3' has no unit of length"),
        ({"axes": 3}, '"axes" is not a list of objects'),
        ({"axes": [{"scale": "a"}, {}]}, "has no number"),
        ({"axes": [{"values": [1, 2]}, {}]}, r'"values" of axis .* has shape \(2,\), the array'),
    ],
)
def test_a_sidecar_in_our_form_with_a_mistake_is_refused(
    tmp_path: Path, pattern: Array, text: object, message: str
) -> None:
    with pytest.raises(ReadError, match=rf"'data.json'.*{message}"):
        read_image(_write(tmp_path, pattern, text))


def test_uneven_pixels_are_refused(tmp_path: Path, pattern: Array) -> None:
    axes = [{"name": "y", "unit": "nm", "values": [0, 1, 2, 3, 5]}, {"name": "x", "unit": "nm"}]
    with pytest.raises(ReadError, match=r"axis y is not uniform \(steps 1 to 2\)\. Resample"):
        read_image(_write(tmp_path, pattern, {"axes": axes}))


def test_x_before_y_is_turned(tmp_path: Path, pattern: Array) -> None:
    axes = [{"name": "x", "scale": 2, "unit": "nm"}, {"name": "y", "scale": 3, "unit": "nm"}]
    image = read_image(_write(tmp_path, pattern, {"axes": axes}))
    np.testing.assert_array_equal(image.values, pattern.T)
    assert pixel_size(image) == (3.0, 2.0)


def test_axes_that_a_format_leaves_unnamed_can_be_named_beside_it(
    write_hspy: Callable[..., Path], axis: Any
) -> None:
    values = np.arange(24.0).reshape(4, 3, 2)
    path = write_hspy(values, axis("", "", navigate=True), axis("y", "nm"), axis("x", "nm"))
    with pytest.raises(ReadError, match=r"name them in file\.hspy\.json beside it"):
        read_spectral_map(path)
    axes = [{"name": "energy", "unit": "eV"}, {"name": "y"}, {"name": "x"}]
    path.with_name("file.json").write_text("not for this one", encoding="utf-8")
    path.with_name("file.hspy.json").write_text(json.dumps({"axes": axes}), encoding="utf-8")
    found = read_spectral_map(path)
    np.testing.assert_array_equal(found.values, np.moveaxis(values, 0, -1))
    assert [file.name for file in companion_files(path)] == ["file.hspy", "file.hspy.json"]
