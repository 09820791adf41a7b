"""Class maps drawn by an expert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import read_label_image
from adatom.schema import IMAGE, pixel_size

Array = np.ndarray[Any, Any]

DRAWN = np.array([[0, 0, 1], [2, 1, 1]])
COLORS = np.array([[0, 0, 0], [0, 200, 10], [255, 0, 0]], np.uint8)


def test_every_color_is_a_label_in_a_fixed_order(tmp_path: Path) -> None:
    Pillow.fromarray(COLORS[DRAWN]).save(tmp_path / "drawn.png")
    labels = read_label_image(tmp_path / "drawn.png", pixel_size="2 nm")
    IMAGE.check(labels)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels.values, DRAWN)
    assert labels.attrs["legend"] == ["#000000", "#00c80a", "#ff0000"]
    assert pixel_size(labels) == (2.0, 2.0)
    assert labels.attrs["units"] == "1"


def test_the_same_drawing_gives_the_same_labels_in_every_format(tmp_path: Path) -> None:
    picture = Pillow.fromarray(COLORS[DRAWN])
    picture.save(tmp_path / "rgb.png")
    picture.convert("RGBA").save(tmp_path / "rgba.png")
    picture.quantize(8).save(tmp_path / "palette.png")
    tifffile.imwrite(tmp_path / "rgb.tif", COLORS[DRAWN], photometric="rgb")
    for name in ("rgb.png", "rgba.png", "palette.png", "rgb.tif"):
        labels = read_label_image(tmp_path / name)
        np.testing.assert_array_equal(labels.values, DRAWN, err_msg=name)
        assert labels.attrs["legend"] == ["#000000", "#00c80a", "#ff0000"]


def test_values_are_labels_in_rising_order(tmp_path: Path) -> None:
    np.save(tmp_path / "drawn.npy", np.array([[-5.5, 7.0], [7.0, 0.0]]))
    labels = read_label_image(tmp_path / "drawn.npy")
    assert labels.values.tolist() == [[0, 2], [2, 1]]
    assert labels.attrs["legend"] == ["-5.5", "0.0", "7.0"]


def test_transparent_colors_are_told_apart(tmp_path: Path) -> None:
    drawn = np.array([[[9, 9, 9, 255], [9, 9, 9, 0]]], np.uint8)
    Pillow.fromarray(drawn).save(tmp_path / "drawn.png")
    labels = read_label_image(tmp_path / "drawn.png")
    assert labels.values.tolist() == [[1, 0]]
    assert labels.attrs["legend"] == ["#09090900", "#090909"]


def test_a_photograph_is_no_class_map(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (30, 30, 3), np.uint8)
    Pillow.fromarray(values).save(tmp_path / "photo.png")
    with pytest.raises(ReadError, match=r"has \d+ distinct values.*never as jpg"):
        read_label_image(tmp_path / "photo.png")
