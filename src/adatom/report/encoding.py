"""Pictures made small for pages, without a change that the eye could see."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
from matplotlib.colors import to_rgb

from adatom.plotting._colors import OKABE_ITO

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of 256 colors half are grays, every second one there is; the rest go to the colored pixels
# alone, so that a few marks on a large gray image keep their very color.
_N_GRAYS: Final = 128
_N_COLORS: Final = 256 - _N_GRAYS
_GRAYS: Final = np.linspace(0, 255, _N_GRAYS).round().astype(np.uint8)
# Colors of marks, which must be the same in every picture.
_KEPT: Final = (np.array([to_rgb(color) for color in OKABE_ITO]) * 255).round().astype(np.uint8)
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
    red, green, blue = (pixels[:, channel].astype(np.int32) >> 3 for channel in range(3))
    key = (red << 10) | (green << 5) | blue
    counts = np.bincount(key, minlength=1 << 15)
    bins = np.flatnonzero(counts)
    sums = [np.bincount(key, pixels[:, channel], minlength=1 << 15) for channel in range(3)]
    colors = np.stack(sums, axis=-1)[bins] / counts[bins, None]
    # By the root of how often: else a thousand blue marks leave no color for one red cross.
    weights = np.ceil(np.sqrt(counts[bins])).astype(np.int64)
    sample = np.repeat(colors.round().astype(np.uint8), weights, axis=0)
    palette = np.zeros((_N_COLORS, 3), dtype=np.uint8)
    palette[: len(_KEPT)] = _KEPT
    cut = PIL.Image.fromarray(sample[None]).quantize(
        _N_COLORS - len(_KEPT), method=PIL.Image.Quantize.MEDIANCUT
    )
    found = np.array(cut.getpalette(), dtype=np.uint8).reshape(-1, 3)[: _N_COLORS - len(_KEPT)]
    palette[len(_KEPT) : len(_KEPT) + len(found)] = found
    apart = ((colors[:, None] - palette.astype(float)) ** 2).sum(axis=-1)
    nearest = np.zeros(1 << 15, dtype=np.uint8)
    nearest[bins] = apart.argmin(axis=1)
    return nearest[key] + np.uint8(_N_GRAYS), palette


def thumbnail(png: bytes, /) -> bytes:
    """Make a small JPEG of a picture: an index may show hundreds."""
    picture = PIL.Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
