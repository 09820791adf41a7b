"""Pictures of everyday use: png, jpg, bmp and gif."""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from adatom.io.guard import collected_chatter, read_error
from adatom.io.signals import COLORS, RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Pillow's own bound against decompression bombs is twice its MAX_IMAGE_PIXELS.
_MAX_PIXELS = 178_000_000

_FORMATS = ("PNG", "JPEG", "BMP", "GIF")

_GREY = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read a picture; a resolution in dpi is of a printer, not of a microscope."""
    with collected_chatter():
        values, colors, notes = _decoded(path)
    axes = (RawAxis("y"), RawAxis("x"))
    signal = RawSignal(values, axes, path.stem, colors=colors, notes=notes)
    return RawFile(path, key, [signal])


def _decoded(path: Path) -> tuple[NDArray[Any], tuple[str, ...], tuple[str, ...]]:
    """Give the pixels, the names of their colors, and notes."""
    # Of a map of the file Pillow reads no more than there is, whatever length a chunk gives.
    with (
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as content,
        Pillow.open(content, formats=_FORMATS) as picture,  # type: ignore[arg-type]
    ):
        pixels = picture.width * picture.height
        if pixels > _MAX_PIXELS:
            reason = f"it unpacks to {picture.width} x {picture.height} pixels"
            raise read_error(path, reason, f"Cut it to {_MAX_PIXELS} pixels or fewer")
        if picture.format == "PNG":
            _refuse_lost_bits(path)
        frames = getattr(picture, "n_frames", 1)
        notes = () if frames == 1 else (f"only the first of its {frames} pictures was read",)
        if picture.mode in _GREY:
            values = np.asarray(picture)
            return (values.astype(np.uint8) if values.dtype == bool else values), (), notes
        transparent = picture.mode in {"LA", "RGBA"} or "transparency" in picture.info
        values = np.asarray(picture.convert("RGBA" if transparent else "RGB"))
        return values, COLORS[: values.shape[-1]], notes


def _refuse_lost_bits(path: Path) -> None:
    """Refuse color png of 16 bits, of which Pillow would drop 8 without a word."""
    with path.open("rb") as file:
        head = file.read(26)
    bits, color_type = head[24], head[25]
    if bits == 16 and color_type in {2, 4, 6}:
        reason = "it is a png of 16 bits with color or transparency"
        raise read_error(path, reason, "Save it as tif, or as png in grey without transparency")
