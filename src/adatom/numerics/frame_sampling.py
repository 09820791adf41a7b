"""Frames between their pixels: moved as a whole, or line by line, onto a common grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates, shift, spline_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Bools = NDArray[np.bool_]


class Piece(NamedTuple):
    """What a frame shows of the common grid.

    Attributes
    ----------
    origin : tuple of int
        Row and column of the common grid where `values` begin.
    values : ndarray, shape (y, x)
        NaN where a pixel that is needed was not measured.
    """

    origin: tuple[int, int]
    values: Floats


def without_gaps(frame: Floats, /) -> tuple[Floats, Bools]:
    """Fill what was not measured by the nearest pixel that was, and tell what was measured."""
    measured = np.isfinite(frame)
    if measured.all():
        return frame, measured
    if not measured.any():
        return np.zeros_like(frame), measured
    nearest = distance_transform_edt(~measured, return_distances=False, return_indices=True)
    return frame[tuple(nearest)], measured


def moved_piece(frame: Floats, move: NDArray[np.float64], /) -> Piece:
    """Sample a frame at places of the common grid plus a shift, by cubic splines.

    Places beyond the outermost pixels are left out, so that nothing is extrapolated.
    """
    values, measured = without_gaps(frame)
    origin = np.ceil(-move - 1e-9).astype(int)
    fraction = np.clip(origin + move, 0.0, None)
    fraction[fraction < 1e-9] = 0.0
    size = [n - int(f > 0) for n, f in zip(frame.shape, fraction, strict=True)]
    if fraction.any():
        values = shift(values.astype(float), -fraction, order=3, mode="mirror")
    values = np.array(values[: size[0], : size[1]])
    if not measured.all():
        for down in (0, 1) if fraction[0] else (0,):
            for right in (0, 1) if fraction[1] else (0,):
                part = measured[down : down + size[0], right : right + size[1]]
                values[~part] = np.nan
    return Piece((int(origin[0]), int(origin[1])), values)


def warped_piece(frame: Floats, lines: NDArray[np.float64], /) -> Piece:
    """Sample a frame whose every line was shifted by its own shift, (line, axis), by cubic splines.

    The pixel (i, j) shows the common grid at (i, j) - lines[i]. A place that
    two lines show is taken from where the scan, followed from the first line, is
    last before it passes beyond.
    """
    values, measured = without_gaps(frame)
    n_rows, n_columns = frame.shape
    # Where the scan turns back for a line or two, its farthest place so far counts.
    seen = np.maximum.accumulate(np.arange(n_rows) - lines[:, 0])
    seen += np.arange(n_rows) * 1e-9
    first, last = int(np.ceil(seen[0] - 1e-6)), int(np.floor(seen[-1] + 1e-6))
    rows = np.arange(first, max(last, first) + 1)
    row = np.interp(rows, seen, np.arange(n_rows))
    sideways = np.interp(row, np.arange(n_rows), lines[:, 1])
    left = int(np.ceil(-sideways.max()))
    right = int(np.floor(n_columns - 1 - sideways.min()))
    columns = np.arange(left, right + 1)
    at = np.stack(np.broadcast_arrays(row[:, None], columns + sideways[:, None]))
    sampled = map_coordinates(values.astype(float), at, order=3, mode="mirror")
    outside = (at[1] < -1e-6) | (at[1] > n_columns - 1 + 1e-6)
    if not measured.all():
        # A sample that touches a pixel which was not measured is not known.
        outside |= map_coordinates((~measured).astype(float), at, order=1, mode="nearest") > 1e-9
    sampled[outside] = np.nan
    return Piece((first, left), sampled)


def bounds_of(shape: tuple[int, ...], lines: NDArray[np.float64], /) -> NDArray[np.intp]:
    """Give where what a frame shows begins and ends on the common grid, (begin or end, axis).

    Of a frame that moved as a whole all lines have one shift.
    """
    seen = np.maximum.accumulate(np.arange(shape[0]) - lines[:, 0])
    ends = (seen[0], seen[-1]), (-lines[:, 1].max(), shape[1] - 1 - lines[:, 1].min())
    return np.array(
        [
            [int(np.ceil(first - 1e-6)) for first, _ in ends],
            [int(np.floor(last + 1e-6)) + 1 for _, last in ends],
        ]
    )


def spline_of(image: Floats, /) -> NDArray[np.float64]:
    """Give the coefficients of the cubic spline through an image."""
    return np.asarray(spline_filter(np.asarray(image, dtype=float), order=3, mode="mirror"))


class Canvas:
    """Sum and number of frames at every place of a common grid that holds all of them."""

    def __init__(self, low: NDArray[np.intp], high: NDArray[np.intp]) -> None:
        self.origin = np.asarray(low, dtype=int)
        shape = tuple((np.asarray(high) - low).tolist())
        self.total = np.zeros(shape)
        self.count = np.zeros(shape, dtype=np.int32)

    def add(self, piece: Piece) -> None:
        """Add what a frame shows; what lies beyond the grid is left out."""
        window, values = self._window(piece)
        known = np.isfinite(values)
        self.total[window] += np.where(known, values, 0.0)
        self.count[window] += known

    def mean(self) -> NDArray[np.float64]:
        """Give the mean, NaN where no frame shows anything."""
        return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    def others(self, piece: Piece) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give a piece, and the mean of all other frames where it lies, NaN where there are none.

        The piece must have been added before.
        """
        window, values = self._window(piece)
        known = np.isfinite(values)
        count = self.count[window] - known
        total = self.total[window] - np.where(known, values, 0.0)
        return values, np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def beneath(self, piece: Piece) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give a piece that was not added, and the mean of what was where it lies."""
        window, values = self._window(piece)
        count = self.count[window]
        return values, np.where(count > 0, self.total[window] / np.maximum(count, 1), np.nan)

    def _window(self, piece: Piece) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
        values = np.asarray(piece.values, dtype=float)
        slices, parts = [], []
        for axis in (0, 1):
            start = piece.origin[axis] - self.origin[axis]
            stop = start + values.shape[axis]
            low = max(start, 0)
            high = max(min(stop, self.total.shape[axis]), low)
            slices.append(slice(low, high))
            parts.append(slice(low - start, high - start))
        return (slices[0], slices[1]), values[parts[0], parts[1]]
