"""tif of several programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import read_image, read_movie, tif
from adatom.schema import notes, pixel_size

Array = np.ndarray[Any, Any]


def _imagej(path: Path, values: Array, unit: str, *, y: float, x: float, **more: Any) -> Path:
    tifffile.imwrite(
        path, values, imagej=True, resolution=(1 / x, 1 / y), metadata={"unit": unit, **more}
    )
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.int32, np.float64])
def test_numbers_come_back(tmp_path: Path, pattern: Array, kind: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pattern.astype(kind) // 8, compression="zlib")
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == kind
    np.testing.assert_array_equal(image.values, pattern.astype(kind) // 8)
    assert image.x.units == "px"


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 1.0), ("micron", 1e3), ("\\u00B5m", 1e3), ("A", 0.1), ("um", 1e3)]
)
def test_the_scale_of_imagej_is_read_in_every_unit(
    tmp_path: Path, pattern: Array, unit: str, factor: float
) -> None:
    image = read_image(_imagej(tmp_path / "a.tif", pattern, unit, y=0.25, x=0.5))
    assert image.x.units == "nm"
    assert pixel_size(image) == pytest.approx((0.25 * factor, 0.5 * factor), rel=1e-6)
    np.testing.assert_array_equal(image.values, pattern)


@pytest.mark.parametrize("unit", ["inch", "cm", "pixel"])
def test_resolutions_of_printers_are_no_scale(tmp_path: Path, pattern: Array, unit: str) -> None:
    image = read_image(_imagej(tmp_path / "a.tif", pattern, unit, y=1 / 300, x=1 / 300))
    assert image.x.units == "px"


def test_dpi_are_no_scale(tmp_path: Path, pattern: Array) -> None:
    Pillow.fromarray(pattern.astype(np.uint8)).save(tmp_path / "a.tif", dpi=(300, 300))
    image = read_image(tmp_path / "a.tif")
    assert image.x.units == "px"
    assert notes(image) == ['the file has no scale: set it with pixel_size="... nm"']


def test_a_stack_is_a_movie(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (4, 5, 6), np.uint16)
    _imagej(tmp_path / "a.tif", values, "nm", y=0.5, x=0.5, axes="TYX")
    movie = read_movie(tmp_path / "a.tif")
    np.testing.assert_array_equal(movie.values, values)
    assert pixel_size(movie) == pytest.approx((0.5, 0.5))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", frame=3).values, values[3])
    with pytest.raises(ReadError, match=r"movie, 4 x 5 x 6 uint16(.|\n)*frame=0"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("more", [{"compression": "zlib"}, {}, {"byteorder": ">"}])
def test_a_large_stack_is_read_as_far_as_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    values = np.random.default_rng(0).integers(0, 99, (4, 5, 6), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", **more)
    small = read_movie(tmp_path / "a.tif")
    monkeypatch.setattr(tif, "_LARGE", 0)
    large = read_movie(tmp_path / "a.tif")
    assert large.compute().identical(small.compute())
    np.testing.assert_array_equal(large[2].values, values[2])
    np.testing.assert_array_equal(large[1:3, ::2, 4].values, values[1:3, ::2, 4])


def test_equal_colors_become_grey_and_others_need_a_choice(tmp_path: Path, pattern: Array) -> None:
    grey = (pattern // 6).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([grey] * 3, -1), photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").values, grey)
    color = np.stack([grey, grey, grey + 1], -1)
    tifffile.imwrite(tmp_path / "b.tif", color, photometric="rgb")
    with pytest.raises(ReadError, match='channel="luminance"'):
        read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif", channel="blue").values, grey + 1)


def _with_palette(path: Path, numbers: Array, palette: Array) -> Path:
    tifffile.imwrite(path, numbers, photometric="palette", colormap=palette)
    return path


def test_a_grey_palette_leaves_the_numbers(tmp_path: Path, pattern: Array) -> None:
    numbers = (pattern // 6).astype(np.uint8)
    for factor in (255, 256, 257):
        ramp = np.tile((np.arange(256) * factor).astype(np.uint16), (3, 1))
        image = read_image(_with_palette(tmp_path / "a.tif", numbers, ramp))
        np.testing.assert_array_equal(image.values, numbers)
        assert image.dtype == np.uint8


def test_another_palette_is_looked_up(tmp_path: Path, pattern: Array) -> None:
    numbers = (pattern // 6).astype(np.uint8)
    inverted = np.tile((np.arange(256)[::-1] * 257).astype(np.uint16), (3, 1))
    image = read_image(_with_palette(tmp_path / "a.tif", numbers, inverted))
    np.testing.assert_array_equal(image.values, inverted[0][numbers])
    assert "its numbers stand for colors of a palette, which were looked up" in notes(image)
    colored = inverted.copy()
    colored[1] = 0
    with pytest.raises(ReadError, match="color picture"):
        read_image(_with_palette(tmp_path / "b.tif", numbers, colored))


def test_pixels_that_are_not_square_outside_of_imagej_are_told(tmp_path: Path) -> None:
    tags = [(65003, "s", 0, "nm"), (65004, "s", 0, "nm")]
    scales = [(65009, "d", 1, 0.5, True), (65010, "d", 1, 0.25, True)]
    extra = [*((*t, True) for t in tags), *scales]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6), np.uint8), extratags=extra)
    image = read_image(tmp_path / "a.tif")
    assert pixel_size(image) == (0.25, 0.5)
    assert "pixels are not square by the file (0.25 high, 0.5 wide)" in notes(image)[0]


def test_a_picture_that_cannot_be_in_the_file_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6), np.uint8), compression="zlib")
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags
        places = [tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
        size = tags["ImageWidth"].dtype
    assert size in {3, 4}
    changed = bytearray(content)
    for place in places:
        changed[place : place + 2] = (60000).to_bytes(2, "little")
    (tmp_path / "b.tif").write_bytes(changed)
    with pytest.raises(ReadError, match=r"promises an array of shape \(60000, 60000\)"):
        read_image(tmp_path / "b.tif")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_a_cut_off_file_is_a_read_error(tmp_path: Path, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ReadError, match=r"cannot read 'cut\.tif'"):
        read_image(tmp_path / "cut.tif")
