"""Cells of a wall that look like a phase which stands between the wall's two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.stats import chi2

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
# By what is fitted noise gains less than this in 19 of 20 cases.
_CERTAIN: Final = 0.95


class WallCells(NamedTuple):
    """Cells of walls and the sides of these.

    Attributes
    ----------
    rows : ndarray of int, shape (row,)
        Sites that are of a wall.
    sides : ndarray of int, shape (row, 2)
        Classes on its two sides.
    part : ndarray, shape (row,)
        How far each site's vector is on the way from the first to the second,
        0 to 1 and beyond.
    """

    rows: NDArray[np.int64]
    sides: NDArray[np.int64]
    part: NDArray[np.float64]


class _Run(NamedTuple):
    """The shortest run of cells of one class through each of some cells, and what ends it.

    `length` (row) in cells; `ends` (row, 2) are the labels behind and ahead,
    `last` (row, 2) the sites at which the run ends there.
    """

    length: NDArray[np.int64]
    ends: NDArray[np.int64]
    last: NDArray[np.int64]


def find_wall_cells(
    label: NDArray[np.int64],
    flat: NDArray[np.float64],
    known: NDArray[np.float64],
    whitening: NDArray[np.float64],
    grid: CellGrid,
    /,
) -> WallCells:
    """Find cells that are of a wall, and to which side of it each belongs.

    On their way from one side of a wall to the other vectors come near those
    of a phase that stands between, as the parent does between opposite
    variants. A run of its cells between the two sides, shorter than a window,
    is of a wall if the vectors at its ends are likelier as two points of the
    straight way through the wall, as far apart as the run takes, than as
    those of the phase: a wall goes through, a phase stays. A single cell is of
    a wall if it is nearer to the way than to the phase.

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
    """
    white = known @ whitening.T
    extent = _extents(white)
    stands_between: NDArray[np.bool_] = np.asarray((extent > 0).any(axis=(1, 2)))
    suspected = np.flatnonzero((label >= 0) & stands_between[label])
    suspected = suspected[np.isfinite(flat[suspected]).all(axis=1)]
    run = _shortest_runs(label, suspected, extent > 0, grid)
    ended = run.length > 0
    suspected, run = suspected[ended], _Run(*(each[ended] for each in run))
    own, (first, second) = label[suspected], run.ends.T
    # Cells of a run are evenly spread over what of the way is nearest to the class between.
    step = extent[own, first, second] * (run.length - 1) / run.length
    way = _Way(white[first], white[second] - white[first])
    wall = _goes_through(flat[run.last] @ whitening.T, way, white[own], step)
    part = way.part((flat[suspected] @ whitening.T)[:, None])[:, 0]
    return WallCells(suspected[wall], run.ends[wall], part[wall])


class _Way(NamedTuple):
    """Straight ways (row, feature) from one class to another."""

    start: NDArray[np.float64]
    along: NDArray[np.float64]

    def part(self, places: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Give how far on its way each place (row, place, feature) is, 0 to 1 and beyond."""
        to = places - self.start[:, None]
        part: NDArray[np.float64] = (to * self.along[:, None]).sum(axis=2)
        part /= (self.along**2).sum(axis=1)[:, None]
        return part

    def at(self, part: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Give the places (row, place, feature) at these parts (row, place) of the ways."""
        places: NDArray[np.float64] = part[..., None] * self.along[:, None]
        places += self.start[:, None]
        return places


def _goes_through(
    cells: NDArray[np.float64], way: _Way, phase: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Compare the ends (row, 2, feature) of runs with two points of the way, and with the phase."""
    middle = np.clip(way.part(cells).mean(axis=1), 0, 1)
    through = way.at(middle[:, None] + step[:, None] * np.array([-0.5, 0.5]))
    as_wall = ((cells - through) ** 2).sum(axis=(1, 2))
    as_phase = ((cells - phase[:, None]) ** 2).sum(axis=(1, 2))
    # Where the middle is was fitted, by which noise gains as well. A single cell on the way is
    # of the wall without more evidence: no phase is so thin.
    gain = np.where(step > 0, float(chi2.ppf(_CERTAIN, 1)), 0.0)
    wall: NDArray[np.bool_] = as_wall + gain < as_phase
    return wall


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
