"""Sums of squared displacements of every track at every lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.fft

from adatom.dynamics.grids import grids_of
from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.grids import Grid
    from adatom.dynamics.trajectories import Trajectories


class SquaredDisplacements(NamedTuple):
    """Sums over pairs of sites that are so many frames apart.

    ``squares`` (track, lag, axis), axis y, x; ``pairs`` (track, lag), their
    number; ``overlap`` (track, lag), what the variance of free motion is
    summed of, from which effective numbers follow. Lags are 1, 2, ...
    """

    squares: NDArray[np.float64]
    pairs: NDArray[np.float64]
    overlap: NDArray[np.float64]


def squared_displacements(
    trajectories: Trajectories, /, *, n_lags: int, axes: bool = True
) -> SquaredDisplacements:
    """Sum squared displacements by the track, over true lags: a gap is not one step.

    By Fourier transforms over the frames, in which missing ones are zero:
    of seen positions x and the mask m, the sum over pairs of (x' - x)^2 is
    that of the correlations m * m x^2 + m x^2 * m - 2 (m x * m x).
    """
    n_tracks = len(trajectories.names)
    squares = np.zeros((n_tracks, n_lags, 2 if axes else 1))
    pairs = np.zeros((n_tracks, n_lags))
    overlap = np.zeros((n_tracks, n_lags))
    for grid in grids_of(trajectories):
        of_track = trajectories.track[grid.segment]
        lags = min(n_lags, grid.seen.shape[1] - 1)
        if lags < 1:
            continue
        sums, count = _sums_of_grid(grid, lags, axes)
        last = grid.seen.shape[1] - 1 - grid.seen[:, ::-1].argmax(axis=1)
        for total, part in (
            (squares, sums),
            (pairs, count),
            (overlap, _overlap(count, last)),
        ):
            _add(total, of_track, part)
    return SquaredDisplacements(squares, pairs, overlap)


def _add(
    total: NDArray[np.float64], of_track: NDArray[np.int64], part: NDArray[np.float64]
) -> None:
    """Add the segments of a batch to their tracks, of which one may have several."""
    tracks, inverse = np.unique(of_track, return_inverse=True)
    if len(tracks) < len(of_track):
        part = sums_by_group(part, inverse, n_groups=len(tracks))
    else:
        part = part[np.argsort(inverse)]
    total[tracks, : part.shape[1]] += part


def _sums_of_grid(
    grid: Grid, lags: int, axes: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Wrapped pairs fall beyond the lags that are asked for.
    size = scipy.fft.next_fast_len(grid.seen.shape[1] + lags, real=True)
    mask = grid.seen.astype(np.float64)
    # Deviations from the mean lose fewer digits than positions.
    mean = grid.position.sum(axis=1) / mask.sum(axis=1)[:, None]
    place = np.where(grid.seen[..., None], grid.position - mean[:, None], 0.0)
    of_mask = scipy.fft.rfft(mask, size)
    square = place**2 if axes else (place**2).sum(axis=2, keepdims=True)
    power = np.abs(np.stack([scipy.fft.rfft(place[..., k], size) for k in (0, 1)], -1)) ** 2
    if not axes:
        power = power.sum(axis=2, keepdims=True)
    sums = np.empty((len(mask), lags, square.shape[2]))
    for k in range(square.shape[2]):
        both = 2 * (np.conj(of_mask) * scipy.fft.rfft(square[..., k], size)).real
        sums[..., k] = scipy.fft.irfft(both - 2 * power[..., k], size)[:, 1 : lags + 1]
    count = np.rint(scipy.fft.irfft(np.abs(of_mask) ** 2, size)[:, 1 : lags + 1])
    return np.maximum(np.where(count[..., None] > 0, sums, 0.0), 0.0), count


def _overlap(count: NDArray[np.float64], last: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum squared correlations of overlapping displacements, 1 - k / n at k of n frames.

    Of all places of a track, spread evenly over its span, a share is taken
    up: pairs of displacements by its square.
    """
    lags = np.arange(1, count.shape[1] + 1, dtype=np.float64)
    room = np.maximum(last[:, None] + 1 - lags, 0.0)
    reach = np.minimum(lags, room) - 1
    # Sums of k, k^2, k^3 up to the reach; squares of 1 - k / n times room - k.
    one = np.maximum(reach, 0.0)
    k1, k2, k3 = (
        one * (one + 1) / 2,
        one * (one + 1) * (2 * one + 1) / 6,
        (one * (one + 1) / 2) ** 2,
    )
    total = room * one - k1 * (1 + 2 * room / lags) + k2 * (2 / lags + room / lags**2)
    total -= k3 / lags**2
    share = np.divide(count, room, out=np.zeros_like(count), where=room > 0)
    return np.asarray(count + 2 * share**2 * np.maximum(total, 0.0))
