"""Where a track that rests and jumps has jumped, without a lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.dynamics.grids import grids_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.grids import Grid
    from adatom.dynamics.trajectories import Trajectories

# A jump must better the sum of squares, in units of the variance, by this times the log of the
# number of frames: of resting tracks some one in a hundred then shows a jump.
_PENALTY: Final = 4.0
# A rest of one frame cannot be told from a site found wrongly.
_SHORTEST: Final = 2
_MOST_CELLS: Final = 4_000_000


class Dwells(NamedTuple):
    """Rests of tracks, in the order of segment and time.

    ``segment``, ``first`` and ``last`` frame seen, ``position`` (dwell, axis)
    and ``number`` (dwell,), the sites that it is the mean of; infinite
    for points of a lattice, which have no error.
    """

    segment: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    position: NDArray[np.float64]
    number: NDArray[np.float64]


def resting_variance(trajectories: Trajectories, /) -> float:
    """Estimate the squared localization error of one axis from the median of squared steps.

    The squared step between two sites of a rest has the median 4 ln(2) s^2;
    jumps in less than half of all steps hardly change it.
    """
    following = (np.diff(trajectories.segment) == 0) & (np.diff(trajectories.frame) == 1)
    squares = (np.diff(trajectories.position, axis=0)[following] ** 2).sum(axis=1)
    return float(np.median(squares) / (4 * np.log(2))) if len(squares) else float("nan")


def find_dwells(trajectories: Trajectories, variance: float, /) -> Dwells:
    """Part each segment into rests by penalized least squares, all jumps together [1]_.

    References
    ----------
    .. [1] B. Jackson et al., IEEE Signal Process. Lett. 12, 105 (2005).
    """
    starts = np.flatnonzero(np.r_[True, np.diff(trajectories.segment) > 0])
    edge = np.zeros(len(trajectories.segment), dtype=bool)
    edge[starts] = True
    for grid in grids_of(trajectories):
        rows = max(1, _MOST_CELLS // grid.seen.shape[1] ** 2)
        for at in range(0, len(grid.segment), rows):
            part = slice(at, at + rows)
            jumps = _jumps(grid.position[part], grid.seen[part], variance)
            _mark(edge, starts, grid, part, jumps)
    begins = np.flatnonzero(edge)
    ends = np.r_[begins[1:], len(edge)]
    number = (ends - begins).astype(np.float64)
    return Dwells(
        segment=trajectories.segment[begins],
        first=trajectories.frame[begins],
        last=trajectories.frame[ends - 1],
        position=np.add.reduceat(trajectories.position, begins, axis=0) / number[:, None],
        number=number,
    )


def _mark(
    edge: NDArray[np.bool_],
    starts: NDArray[np.int64],
    grid: Grid,
    part: slice,
    jumps: NDArray[np.bool_],
) -> None:
    """Mark the sites that begin a rest."""
    row, column = np.nonzero(grid.seen[part])
    first = np.r_[0, np.flatnonzero(np.diff(row)) + 1]
    within = np.arange(len(row)) - np.repeat(first, np.diff(np.r_[first, len(row)]))
    sites = starts[grid.segment[part]][row] + within
    # A jump during a gap is seen at the next site.
    rest = np.cumsum(jumps, axis=1)[row, column]
    changed = np.r_[False, (np.diff(rest) > 0) & (np.diff(row) == 0)]
    edge[sites[changed]] = True


def _jumps(
    position: NDArray[np.float64], seen: NDArray[np.bool_], variance: float
) -> NDArray[np.bool_]:
    """Tell for each row at which frames a new rest begins, by dynamic programming over frames."""
    n_rows, n_frames = seen.shape
    penalty = _PENALTY * np.log(np.maximum(seen.sum(axis=1), 2))
    number = _summed(seen.astype(np.float64))
    first = _summed(position)
    second = _summed((position**2).sum(axis=2))
    cost = np.full((n_rows, n_frames + 1), np.inf)
    cost[:, 0] = 0.0
    came = np.zeros((n_rows, n_frames + 1), dtype=np.int64)
    for end in range(1, n_frames + 1):
        begin = slice(0, max(end - _SHORTEST, 0) + 1)
        count = number[:, end, None] - number[:, begin]
        total = first[:, end, None] - first[:, begin]
        squares = second[:, end, None] - second[:, begin]
        misfit = squares - (total**2).sum(axis=2) / np.maximum(count, 1.0)
        whole = cost[:, begin] + misfit / variance + penalty[:, None]
        whole[:, 1:][count[:, 1:] < _SHORTEST] = np.inf
        came[:, end] = whole.argmin(axis=1)
        cost[:, end] = whole[np.arange(n_rows), came[:, end]]
    jumps = np.zeros((n_rows, n_frames), dtype=bool)
    at = np.full(n_rows, n_frames)
    while (at > 0).any():
        at = came[np.arange(n_rows), at]
        jumps[at > 0, at[at > 0]] = True
    return jumps


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    zero = np.zeros((len(values), 1, *values.shape[2:]))
    return np.concatenate([zero, np.cumsum(values, axis=1)], axis=1)
