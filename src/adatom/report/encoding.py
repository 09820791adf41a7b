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
_GRAYS: Final = np.linspace(0, 255, _N_GRAYS).round().astype(np.uint8)
_GRAY_OF_LEVEL: Final = (np.arange(256) / 255 * (_N_GRAYS - 1)).round().astype(np.uint8)
# Levels of 255. A tint that differs by more could be taken for that of another class.
_LARGEST_ERROR: Final = 24
_THUMBNAIL_WIDTH: Final = 640


def fewer_colors(png: bytes, /) -> bytes:
    """Write a picture with 256 colors, or as it is where they do not do."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))
    red, green, blue = (pixels[..., channel] for channel in range(3))
    low = np.minimum(np.minimum(red, green), blue)
    high = np.maximum(np.maximum(red, green), blue)
    is_gray = high - low <= 4
    indices = _GRAY_OF_LEVEL[green]
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[:_N_GRAYS] = _GRAYS[:, None]
    if not is_gray.all():
        indices[~is_gray], palette[_N_GRAYS:] = _colored(pixels[~is_gray])
    if _share_beyond(indices, palette, pixels) > 1e-3:
        return png
    picture = PIL.Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return min(png, buffer.getvalue(), key=len)


def _share_beyond(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8], pixels: NDArray[np.uint8]
) -> float:
    """Give the share of pixels that would look different."""
    beyond = np.zeros(indices.shape, dtype=bool)
    for channel in range(3):
        shown = palette[:, channel][indices].astype(np.int16)
        beyond |= np.abs(shown - pixels[..., channel]) > _LARGEST_ERROR
    return float(beyond.mean())


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
