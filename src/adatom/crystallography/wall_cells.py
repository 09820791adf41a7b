"""Cells of a wall that look like a phase which stands between the wall's two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.components import squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.cell_windows import CellGrid

# What is as wide as the widest window in which classes are sought, 5 cells, fills it: a phase.
_WIDEST: Final = 4
# Both directions of the axes and of the diagonals of the cell: walls run in all directions.
_DIRECTIONS: Final = ((1, 0), (0, 1), (1, 1), (1, -1))
# Points on the line between two classes of which the nearest class is asked.
_POINTS: Final = np.linspace(0, 1, 101)


class _Run(NamedTuple):
    """The shortest run of cells of one class through each of some cells, and what ends it.

    `length` (row) in cells; `ends` (row, 2) are the labels behind and ahead,
    `last` (row, 2) the sites at which the run ends there.
    """

    length: NDArray[np.int64]
    ends: NDArray[np.int64]
    last: NDArray[np.int64]


def without_wall_cells(
    label: NDArray[np.int64],
    flat: NDArray[np.float64],
    known: NDArray[np.float64],
    whitening: NDArray[np.float64],
    grid: CellGrid,
    /,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find cells that are of a wall, and to which side of it each belongs.

    On their way from one side of a wall to the other vectors come near those
    of a phase that stands between, as the parent does between opposite
    variants. A run of its cells between the two sides, shorter than a window,
    is of a wall if the vectors at its ends are likelier as two points of the
    straight way through the wall, as far apart as the run takes, than as
    those of the phase: a wall goes through, a phase stays.

    Parameters
    ----------
    label : ndarray of int, shape (site,)
        Nearest class of every site; -1: none.
    flat : ndarray, shape (site, feature)
        Vectors of single cells, less drift.
    known : ndarray, shape (class, feature)
        Means of the classes.
    whitening : ndarray, shape (feature, feature)
        Makes the scatter of single cells the identity.
    grid : CellGrid
        Where sites stand.

    Returns
    -------
    rows : ndarray of int, shape (row,)
        Sites that are of a wall.
    sides : ndarray of int, shape (row, 2)
        Classes on its two sides.
    part : ndarray, shape (row,)
        How far the site's vector is from the first to the second, 0 to 1 and
        beyond; in units of their distance.
    """
    white = known @ whitening.T
    extent = _extents(white)
    suspected = np.flatnonzero((label >= 0) & (extent > 0).any(axis=(1, 2))[label])
    suspected = suspected[np.isfinite(flat[suspected]).all(axis=1)]
    run = _shortest_runs(label, suspected, extent > 0, grid)
    found = run.length > 0
    suspected, run = suspected[found], _Run(*(each[found] for each in run))
    first, second = run.ends.T
    along = white[second] - white[first]
    squared = np.maximum((along**2).sum(axis=1), 1e-300)
    cells = flat[run.last] @ whitening.T
    to = cells - white[first][:, None]
    part = (to * along[:, None]).sum(axis=2) / squared[:, None]
    # Cells of the run are evenly spread over what of the way is nearest to the class between.
    own = label[suspected]
    step = extent[own, first, second] * (run.length - 1) / run.length
    middle = np.clip(part.mean(axis=1), 0, 1)
    way = middle[:, None] + step[:, None] * np.array([-0.5, 0.5])
    as_wall = ((to - way[:, :, None] * along[:, None]) ** 2).sum(axis=(1, 2))
    as_phase = ((cells - white[own][:, None]) ** 2).sum(axis=(1, 2))
    wall = as_wall < as_phase
    to = flat[suspected] @ whitening.T - white[first]
    return suspected[wall], run.ends[wall], ((to * along).sum(axis=1) / squared)[wall]


def _extents(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how much of the way from one class to another is nearest to a third.

    (class, first, second), in units of the way.
    """
    n = len(white)
    extent = np.zeros((n, n, n))
    for a in range(n):
        for b in range(a + 1, n):
            way = white[a] + _POINTS[:, None] * (white[b] - white[a])
            nearest = squared_distances(way, white).argmin(axis=1)
            extent[:, a, b] = np.bincount(nearest, minlength=n) / len(way)
            extent[[a, b], a, b] = 0.0
            extent[:, b, a] = extent[:, a, b]
    return extent


def _shortest_runs(
    label: NDArray[np.int64],
    rows: NDArray[np.int64],
    between: NDArray[np.bool_],
    grid: CellGrid,
) -> _Run:
    """Find the shortest run through each row whose two ends its class stands between.

    Length 0 where there is none shorter than a window. Of runs as short, that along an axis of
    the cell is taken, since cells are nearer there.
    """
    own = label[rows]
    best = _Run(
        np.zeros(len(rows), np.int64),
        np.full((len(rows), 2), -1),
        np.stack([rows, rows], axis=1),
    )
    for direction in _DIRECTIONS:
        behind = _followed(label, rows, grid.partners((-direction[0], -direction[1])))
        ahead = _followed(label, rows, grid.partners(direction))
        length = behind.length + ahead.length + 1
        ends = np.stack([behind.end, ahead.end], axis=1)
        fits = (ends >= 0).all(axis=1) & (length <= _WIDEST)
        fits &= between[own, ends[:, 0], ends[:, 1]]
        fits &= (best.length == 0) | (length < best.length)
        best.length[fits], best.ends[fits] = length[fits], ends[fits]
        best.last[fits] = np.stack([behind.last, ahead.last], axis=1)[fits]
    return best


class _Side(NamedTuple):
    """How many more cells of the class follow, the last of them, and the label after it."""

    length: NDArray[np.int64]
    last: NDArray[np.int64]
    end: NDArray[np.int64]


def _followed(
    label: NDArray[np.int64], rows: NDArray[np.int64], following: NDArray[np.int64]
) -> _Side:
    """Follow each row to the first cell of another class, or to none (-1)."""
    length, last = np.zeros(len(rows), np.int64), rows.copy()
    for _ in range(_WIDEST):
        to = following[last]
        same = (to >= 0) & (label[to] == label[rows])
        length[same] += 1
        last[same] = to[same]
    to = following[last]
    end = np.where(to >= 0, label[to], -1)
    return _Side(length, last, end)
