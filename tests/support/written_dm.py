"""DigitalMicrograph 4, as its tags are described at er-c.org/cbb/info/dmformat."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

_LONG, _FLOAT, _ULONG, _USHORT, _ARRAY = 3, 6, 5, 4, 20
# Number of the type of an image -> number of the type in a tag.
_TYPES: Final = {np.dtype("<u2"): (10, 4), np.dtype("<i2"): (1, 2), np.dtype("<f4"): (2, 6)}


def _data(name: str, kinds: tuple[int, ...], content: bytes, length: int | None = None) -> bytes:
    info = struct.pack(f">4sQ{len(kinds)}Q", b"%%%%", len(kinds), *kinds)
    size = len(info) + (len(content) if length is None else length)
    return (
        struct.pack(">BH", 21, len(name)) + name.encode() + struct.pack(">Q", size) + info + content
    )


def _number(name: str, value: int) -> bytes:
    return _data(name, (_ULONG,), struct.pack("<I", value))


def _group(name: str, tags: list[bytes], missing: int = 0) -> bytes:
    inner = struct.pack(">BBQ", 1, 0, len(tags)) + b"".join(tags)
    size = struct.pack(">Q", len(inner) + missing)
    return struct.pack(">BH", 20, len(name)) + name.encode() + size + inner


def _axis(scale: float, unit: str) -> bytes:
    letters = unit.encode("utf-16-le")
    return _group(
        "",
        [
            _data("Origin", (_FLOAT,), struct.pack("<f", 0)),
            _data("Scale", (_FLOAT,), struct.pack("<f", scale)),
            _data("Units", (_ARRAY, _USHORT, len(unit)), letters),
        ],
    )


def write_dm4(
    path: Path, shape: tuple[int, ...], dtype: Any, axes: Mapping[str, float], content: bytes = b""
) -> Path:
    """Write an image with its axes, fastest first, as `{unit: scale}`; zeros unless `content`.

    The numbers come last, so that they can be a hole in the file.
    """
    kind = np.dtype(dtype)
    number, tag = _TYPES[kind]
    count = int(np.prod(shape))
    length = count * kind.itemsize
    calibrations = _group("Dimension", [_axis(scale, unit.strip()) for unit, scale in axes.items()])
    image = [
        _group("Calibrations", [calibrations]),
        _number("DataType", number),
        _group("Dimensions", [_number("", size) for size in shape[::-1]]),
        _number("PixelDepth", kind.itemsize),
    ]
    values = _data("Data", (_ARRAY, tag, count), content, length)
    missing = length - len(content)
    measured = _group("ImageData", [*image, values], missing)
    entry = _group("", [_group("ImageTags", []), measured], missing)
    root = struct.pack(">BBQ", 1, 0, 1) + _group("ImageList", [entry], missing)
    path.write_bytes(struct.pack(">IQI", 4, len(root) + missing, 1) + root)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + missing + 8)
    return path


def write_small_dm4(folder: Path) -> Path:
    """Write a picture of 3 rows and 4 columns, pixels of 0.5 nm."""
    pixels = np.arange(12, dtype="<u2").reshape(3, 4)
    axes = {"nm": 0.5, "nm ": 0.5}
    return write_dm4(folder / "small.dm4", pixels.shape, "<u2", axes, pixels.tobytes())


MICROGRAPHS: dict[str, Callable[[Path], Path]] = {"dm": write_small_dm4}
