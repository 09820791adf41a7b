"""Pictures made small for pages, without a change that the eye could see."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of 256 colors half are grays, every second one there is; the rest go to the colored pixels
# alone, so that a few marks on a large gray image keep their very color.
_N_GRAYS: Final = 128
_N_COLORS: Final = 256 - _N_GRAYS
# Levels of 255. A tint that differs by more could be taken for that of another class.
_LARGEST_ERROR: Final = 24
_THUMBNAIL_WIDTH: Final = 640


def fewer_colors(png: bytes, /) -> bytes:
    """Write a picture with 256 colors, or as it is where they do not do."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))
    spread = pixels.max(axis=-1).astype(np.int16) - pixels.min(axis=-1)
    is_gray = spread <= 4
    indices = (pixels.mean(axis=-1) / 255 * (_N_GRAYS - 1)).round().astype(np.uint8)
    grays = (np.arange(_N_GRAYS) / (_N_GRAYS - 1) * 255).round().astype(np.uint8)
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[:_N_GRAYS] = grays[:, None]
    if not is_gray.all():
        indices[~is_gray], palette[_N_GRAYS:] = _colored(pixels[~is_gray])
    error = np.abs(palette[indices].astype(np.int16) - pixels).max(axis=-1)
    if np.percentile(error, 99.9) > _LARGEST_ERROR:
        return png
    picture = PIL.Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def _colored(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give the index of each colored pixel in the whole palette, and the colored part of it."""
    reduced = PIL.Image.fromarray(pixels[None]).quantize(
        _N_COLORS, method=PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.NONE
    )
    palette = np.zeros((_N_COLORS, 3), dtype=np.uint8)
    found = np.array(reduced.getpalette(), dtype=np.uint8).reshape(-1, 3)[:_N_COLORS]
    palette[: len(found)] = found
    return np.asarray(reduced)[0] + np.uint8(_N_GRAYS), palette


def thumbnail(png: bytes, /) -> bytes:
    """Make a small JPEG of a picture: an index may show hundreds."""
    picture = PIL.Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
