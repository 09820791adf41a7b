"""Cubic spline windows of an image at sub-pixel centers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import distance_transform_edt, spline_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Windows cut at once: their coefficients stay within a few ten MB.
_BLOCK_VALUES: Final = 4_000_000


def spline_windows(
    image: NDArray[np.floating | np.integer],
    centers: NDArray[np.float64],
    half: tuple[int, int],
    /,
) -> NDArray[np.floating]:
    """Interpolate windows of an image around centers between its pixels.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        NaN: not measured.
    centers : ndarray, shape (window, 2)
        In pixels, axis y, x; (0, 0) is the center of the first pixel.
    half : tuple of int
        Pixels on either side of the center, along y and x.

    Returns
    -------
    ndarray, shape (window, 2 half_y + 1, 2 half_x + 1)
        NaN outside of the image's outermost pixels, and where one of the four
        pixels around was not measured.

    Notes
    -----
    All points of a window share the fractions of their center, so the spline
    is the product of two sums over four coefficients each.
    """
    dtype = image.dtype if image.dtype.kind == "f" else np.result_type(image.dtype, np.float32)
    measured = np.isfinite(image)
    # Linear filling would do: samples that touch a filled pixel are given as NaN.
    values = image if measured.all() else _filled(image, measured)
    coefficients = spline_filter(values.astype(np.float64), order=3, mode="mirror")
    windows = np.empty((len(centers), 2 * half[0] + 1, 2 * half[1] + 1), dtype=dtype)
    n_block = max(1, _BLOCK_VALUES // ((2 * half[0] + 4) * (2 * half[1] + 4)))
    for start in range(0, len(centers), n_block):
        block = slice(start, start + n_block)
        cut = _interpolated(coefficients, centers[block], half)
        cut[_missing(measured, centers[block], half)] = np.nan
        windows[block] = cut
    return windows


def _filled(
    image: NDArray[np.floating | np.integer], measured: NDArray[np.bool_]
) -> NDArray[np.floating | np.integer]:
    if not measured.any():
        return np.zeros_like(image)
    nearest = distance_transform_edt(~measured, return_distances=False, return_indices=True)
    filled: NDArray[np.floating | np.integer] = image[tuple(nearest)]
    return filled


def _interpolated(
    coefficients: NDArray[np.float64], centers: NDArray[np.float64], half: tuple[int, int]
) -> NDArray[np.float64]:
    first = np.floor(centers).astype(np.int64)
    fraction = centers - first
    rows, columns = (
        _mirrored(first[:, axis, None] + np.arange(-half[axis] - 1, half[axis] + 3), size)
        for axis, size in enumerate(coefficients.shape)
    )
    support = coefficients[rows[:, :, None], columns[:, None, :]]
    weights_y, weights_x = _weights(fraction[:, 0]), _weights(fraction[:, 1])
    n_rows, n_columns = 2 * half[0] + 1, 2 * half[1] + 1
    along_y = np.zeros((len(centers), n_rows, support.shape[2]))
    for k, weight in enumerate(weights_y):
        along_y += weight[:, None, None] * support[:, k : k + n_rows, :]
    windows = np.zeros((len(centers), n_rows, n_columns))
    for k, weight in enumerate(weights_x):
        windows += weight[:, None, None] * along_y[:, :, k : k + n_columns]
    return windows


def _weights(fraction: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Give the cubic B-spline at -1 - t, -t, 1 - t and 2 - t."""
    t, u = fraction, 1.0 - fraction
    return u**3 / 6, 2 / 3 - t**2 * (2 - t) / 2, 2 / 3 - u**2 * (2 - u) / 2, t**3 / 6


def _mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Reflect indices at the centers of the outermost pixels, as the coefficients are."""
    if size == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * size - 2)
    mirrored: NDArray[np.int64] = np.minimum(folded, 2 * size - 2 - folded)
    return mirrored


def _missing(
    measured: NDArray[np.bool_], centers: NDArray[np.float64], half: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which samples are beyond the image or touch a pixel that was not measured."""
    axes = []
    for axis, size in enumerate(measured.shape):
        sample = centers[:, axis, None] + np.arange(-half[axis], half[axis] + 1)
        # Up to half a pixel beyond the outermost center is still that pixel.
        axes.append((sample, (sample < -0.5) | (sample > size - 0.5)))
    (y, out_y), (x, out_x) = axes
    missing: NDArray[np.bool_] = out_y[:, :, None] | out_x[:, None, :]
    if measured.all():
        return missing
    for rows in _touched(y, measured.shape[0]):
        for columns in _touched(x, measured.shape[1]):
            missing |= ~measured[rows[:, :, None], columns[:, None, :]]
    return missing


def _touched(sample: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return tuple(  # type: ignore[return-value]
        np.clip(edge(sample).astype(np.int64), 0, size - 1) for edge in (np.floor, np.ceil)
    )
