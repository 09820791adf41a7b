"""Pixels as they are shown: averaged in blocks where there are too many, clipped for contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# A picture of 6.4 inches at 160 dots has 1024 dots a side: more pixels cannot be seen.
MAX_PIXELS: Final = 1024
_BAND_BYTES: Final = 2**27


class Shown(NamedTuple):
    """Values to draw and how many pixels of the image each stands for, along an axis."""

    values: NDArray[np.floating]
    factor: int


def shown_pixels(image: xr.DataArray, /, *, max_pixels: int = MAX_PIXELS) -> Shown:
    """Average an image (y, x) over square blocks until it fits the screen.

    Blocks at the far edges hold what is left over, so nothing is cut off;
    pixels that were not measured (NaN) do not count. The image is read in
    bands of rows, so that a large lazy one never stands in memory whole.
    """
    rows, columns = image.shape
    factor = max(1, -(-max(rows, columns) // max_pixels))
    if factor == 1:
        return Shown(_floats(image.values), 1)
    per_band = max(1, _BAND_BYTES // (8 * columns * factor)) * factor
    bands = [
        _block_mean(_floats(image[start : start + per_band].values), factor)
        for start in range(0, rows, per_band)
    ]
    return Shown(np.concatenate(bands), factor)


def _floats(values: NDArray[np.generic]) -> NDArray[np.floating]:
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)


def _block_mean(values: NDArray[np.floating], factor: int) -> NDArray[np.floating]:
    starts = [np.arange(0, size, factor) for size in values.shape]
    measured = np.isfinite(values)
    sums = np.where(measured, values, 0.0).astype(np.float64)
    counts = measured.astype(np.int64)
    for axis in (0, 1):
        sums = np.add.reduceat(sums, starts[axis], axis=axis)
        counts = np.add.reduceat(counts, starts[axis], axis=axis)
    means: NDArray[np.float64] = np.divide(
        sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0
    )
    return means


def contrast_limits(
    values: NDArray[np.floating], percentiles: tuple[float, float], /
) -> tuple[float, float]:
    """Find between which values the gray scale runs.

    Examples
    --------
    >>> contrast_limits(np.array([0.0, 1.0, 2.0, np.nan]), (0, 100))
    (0.0, 2.0)
    """
    measured = values[np.isfinite(values)]
    if measured.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(measured, percentiles))
    if high > low:
        return low, high
    # A few bright pixels on a flat ground: the percentiles meet, the full range may not.
    low, high = float(measured.min()), float(measured.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def pixel_edges(image: xr.DataArray, /) -> tuple[float, float, float, float]:
    """Give left, right, bottom, top of the outer pixel edges: y points down."""
    y_low, y_high = _edges(image.coords["y"].values)
    x_low, x_high = _edges(image.coords["x"].values)
    return x_low, x_high, y_high, y_low


def shown_edges(image: xr.DataArray, shown: Shown, /) -> tuple[float, float, float, float]:
    """Give left, right, bottom, top of what is drawn.

    The last block of an averaged image may stand for fewer pixels than the
    others: it is drawn at full size, beyond the edges of the image.
    """
    left, right, bottom, top = pixel_edges(image)
    rows, columns = shown.values.shape
    step_y = (bottom - top) / image.shape[0] * shown.factor
    step_x = (right - left) / image.shape[1] * shown.factor
    return left, left + columns * step_x, top + rows * step_y, top


def _edges(centers: NDArray[np.floating]) -> tuple[float, float]:
    half = 0.5 * float(centers[-1] - centers[0]) / (centers.size - 1) if centers.size > 1 else 0.5
    return float(centers[0]) - half, float(centers[-1]) + half
