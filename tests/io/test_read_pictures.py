"""png, jpg, bmp and gif."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import pictures, read_contents, read_image
from adatom.schema import notes

Array = np.ndarray[Any, Any]


@pytest.fixture
def grey() -> Array:
    """Give a picture of bytes."""
    return np.arange(35, dtype=np.uint8).reshape(5, 7) * 7


def _save(path: Path, values: Array, mode: str | None = None, **more: Any) -> Path:
    picture = Pillow.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path, **more)
    return path


def test_grey_of_8_and_16_bits_comes_back(tmp_path: Path, grey: Array) -> None:
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.png", grey)).values, grey)
    deep = grey.astype(np.uint16) * 200
    image = read_image(_save(tmp_path / "b.png", deep))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image.values, deep)


@pytest.mark.parametrize("name", ["a.bmp", "a.gif"])
def test_grey_of_8_bits_comes_back_from_bmp_and_gif(tmp_path: Path, grey: Array, name: str) -> None:
    np.testing.assert_array_equal(read_image(_save(tmp_path / name, grey)).values, grey)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_grey_stored_as_color_becomes_grey(tmp_path: Path, grey: Array, mode: str) -> None:
    values = grey if mode != "1" else (grey > 100).astype(np.uint8) * 255
    image = read_image(_save(tmp_path / "a.png", values, mode))
    found = image.values * 255 if mode == "1" else image.values
    np.testing.assert_array_equal(found, values)


def test_colors_need_a_choice(tmp_path: Path, grey: Array) -> None:
    color = np.stack([grey, grey[::-1], 255 - grey], axis=-1)
    path = _save(tmp_path / "a.png", color)
    with pytest.raises(ReadError, match=r'color picture.*channel="red".*channel="luminance"'):
        read_image(path)
    for number, name in enumerate(("red", "green", "blue")):
        np.testing.assert_array_equal(read_image(path, channel=name).values, color[..., number])
    bright = read_image(path, channel="luminance")
    assert bright.dtype == np.float32
    np.testing.assert_allclose(bright.values, color @ [0.299, 0.587, 0.114], rtol=1e-5)
    assert "luminance was computed" in notes(bright)[0]
    with pytest.raises(ReadError, match=r"no channel='cyan'\. Choose one of red, green, blue"):
        read_image(path, channel="cyan")


def test_transparency_that_varies_needs_a_choice(tmp_path: Path, grey: Array) -> None:
    color = np.stack([grey, grey, grey, grey], axis=-1)
    path = _save(tmp_path / "a.png", color)
    with pytest.raises(ReadError, match=r'varying transparency.*channel="alpha"'):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, channel="red").values, grey)


def test_a_channel_of_a_grey_picture_is_a_mistake(tmp_path: Path, grey: Array) -> None:
    with pytest.raises(ReadError, match="neither a color picture nor complex"):
        read_image(_save(tmp_path / "a.png", grey), channel="red")


def test_dpi_are_no_scale(tmp_path: Path, grey: Array) -> None:
    image = read_image(_save(tmp_path / "a.png", grey, dpi=(300, 300)))
    assert image.x.units == "px"


def test_jpg_is_read_whatever_it_is_called(tmp_path: Path, grey: Array) -> None:
    path = _save(tmp_path / "a.jpg", grey)
    path.rename(tmp_path / "a.dat")
    assert read_image(tmp_path / "a.dat").shape == (5, 7)
    assert read_contents(tmp_path / "a.dat").attrs["format"] == "Picture"


def test_too_many_pixels_are_refused_before_they_are_unpacked(
    tmp_path: Path, grey: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "a.png", grey)
    monkeypatch.setattr(pictures, "_MAX_PIXELS", 34)
    with pytest.raises(ReadError, match=r"unpacks to 7 x 5 pixels\. Cut it to 34 pixels or fewer"):
        read_image(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = _crc(bytes(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ReadError, match="pixels"):
        read_image(tmp_path / "a.png")


def _crc(chunk: bytes) -> bytes:
    import zlib

    return zlib.crc32(chunk).to_bytes(4, "big")


def test_color_of_16_bits_is_refused_rather_than_cut_to_8(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[24] = 16
    content[29:33] = _crc(bytes(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ReadError, match=r"png of 16 bits with color.*Save it as tif"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_cut_off_picture_is_a_read_error(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    content = _save(tmp_path / f"a.{ending}", noise).read_bytes()
    (tmp_path / f"cut.{ending}").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match=rf"cannot read 'cut\.{ending}'.*copy it again"):
        read_image(tmp_path / f"cut.{ending}")


def test_only_the_first_of_several_pictures_is_read_and_told(tmp_path: Path, grey: Array) -> None:
    first, second = Pillow.fromarray(grey), Pillow.fromarray(255 - grey)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.values, grey)
    assert "only the first of its 2 pictures was read" in notes(image)


def test_the_length_of_a_damaged_chunk_takes_no_memory(tmp_path: Path, grey: Array) -> None:
    path = _save(tmp_path / "a.png", grey)
    content = bytearray(path.read_bytes())
    at = content.index(b"IDAT") - 4
    content[at : at + 4] = b"\xff\xff\xff\xf0"
    path.write_bytes(bytes(content))
    tracemalloc.start()
    try:
        assert read_contents(path)["shape"].item() == "5 x 7"
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**26
