"""Lengths of smoothed boundaries, freed of what lattice and smoothing do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.class_contours import segment_lengths
from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.class_contours import ClassLines
    from adatom.numerics.meshes import Mesh

# All constants are from straight walls and arcs (12 to 50 spacings long) and outlines of blobs
# (radius 4 to 20) in any direction on square, hexagonal and honeycomb lattices, with noise of 1 to
# 6 % of the spacing.
# What steps of the lattice add to the length of a wall, on average over all directions,
# after smoothing by the root of a cell; it falls with the smoothing to this power.
_STEPS: Final = 0.007
_POWER: Final = 2.7
# What smoothing takes from tight bends beyond its first order, in (curvature smoothing)^4.
_TIGHT: Final = 1.5
# Share of the length by which steps add to one direction more than to another, in roots of a
# cell and spacings over smoothing to this power.
_DIRECTION: Final = 0.0043
_DIRECTION_POWER: Final = 2.2
# Rows of a lattice are 10 deg apart or so, as seen by a wall: directions in different bins add
# as chance has it.
N_DIRECTIONS: Final = 18
# An outline in all directions: bins are not filled alike.
_ROUND: Final = 1.5 / N_DIRECTIONS
# Shifts of a line change the length of a bend, by their variance as that of areas tells it; other
# waves than a shift of the whole add as much again.
_WAVES: Final = 1.75
# What is not known of tight bends, in (curvature smoothing)^4 of the length.
_BEND: Final = 1.3
# What smoothing adds to an open line, whose ends it turns towards the rim, in roots of a cell; and
# what is not known of that.
_ENDS: Final = 0.025
_ENDS_ERROR: Final = 0.025
# Half of the arc, in smoothings, over which a bend and a direction are told from what the steps of
# the lattice and noise of the sites make.
_ARM: Final = 6.0


class Pieces(NamedTuple):
    """What each vertex of a line adds to the length of the line, and to its error.

    Attributes
    ----------
    length : ndarray, shape (vertex,)
        Up to the next vertex.
    bend : ndarray, shape (vertex,)
        Square of curvature times length.
    bin : ndarray of int, shape (vertex,)
        Of the direction as it is without steps, out of `N_DIRECTIONS`.
    """

    length: NDArray[np.float64]
    bend: NDArray[np.float64]
    bin: NDArray[np.int64]


def pieces_of_lines(mesh: Mesh, lines: ClassLines, sigma: float, /) -> Pieces:
    """Give the length that each vertex of smoothed lines stands for, up to the next.

    Smoothing moves an arc of curvature k towards its center by k sigma^2 / 2
    and so shortens it by (k sigma)^2 / 2, which is given back, with the next term; the
    steps that the lattice leaves, and the ends, are taken off as they are on average.
    """
    length = segment_lengths(lines.points, lines.line)
    if not len(length):
        return Pieces(length, length, lines.line)
    bins = direction_bins(_overall_directions(lines, sigma, length))
    bent = (_curvatures(lines, sigma, length, arm=2.0) * sigma) ** 2
    root = np.sqrt(mesh.usual_area)
    true = length * (1 + bent / 2 + _TIGHT * bent**2) / (1 + _STEPS * (root / sigma) ** _POWER)
    total = np.maximum(np.bincount(lines.line, true, len(lines.pair)), root)
    true = true * np.where(lines.closed, 1.0, 1 - _ENDS * root / total)[lines.line]
    return Pieces(true, true * _curvatures(lines, sigma, length, arm=_ARM) ** 2, bins)


def length_errors(
    pieces: Pieces,
    group: NDArray[np.int64],
    closed: NDArray[np.bool_],
    mesh: Mesh,
    sigma: float,
    /,
    *,
    variance: float,
) -> NDArray[np.float64]:
    """Give the standard error of the length of groups of pieces, as of whole boundaries.

    It holds that steps of the lattice lengthen a line in one direction more than in
    another; that the cells of a lattice miscount areas, with this `variance`, and so the
    length of bends; what smoothing leaves of bends that are tight; and what
    it does to ends.

    Parameters
    ----------
    pieces : Pieces
    group : ndarray of int, shape (vertex,)
        -1: none.
    closed : ndarray of bool, shape (group,)
        Whether it is the whole outline of something, which bends by 360 deg at least.
    mesh : Mesh
    sigma : float
        Smoothing.
    variance : float
        As of `count_variance`.
    """
    n = len(closed)
    known = group >= 0
    length, bend = (sums_by_group(part[known], group[known], n_groups=n) for part in pieces[:2])
    key = group[known] * N_DIRECTIONS + pieces.bin[known]
    by_direction = np.bincount(key, pieces.length[known], n * N_DIRECTIONS)
    squares = (by_direction.reshape(n, N_DIRECTIONS) ** 2).sum(axis=1)
    return errors_of(length, squares, bend, closed, mesh, sigma, variance=variance)


def errors_of(
    length: NDArray[np.float64],
    squares: NDArray[np.float64],
    bend: NDArray[np.float64],
    closed: NDArray[np.bool_],
    mesh: Mesh,
    sigma: float,
    /,
    *,
    variance: float,
) -> NDArray[np.float64]:
    """Give these errors from lengths, sums of squares over directions, and sums of bends."""
    root, safe = np.sqrt(mesh.usual_area), np.where(length > 0, length, 1.0)
    bend = np.where(closed, np.maximum(bend, (2 * np.pi) ** 2 / safe), bend)
    steps = _DIRECTION * root * mesh.spacing ** (_DIRECTION_POWER - 1) / sigma**_DIRECTION_POWER
    # No bend is tighter than what is smoothed away.
    tight = _BEND * length * np.minimum(bend / safe * sigma**2, 1.0) ** 2
    ends = np.where(closed, 0.0, _ENDS_ERROR * root)
    total = steps**2 * squares + _WAVES * variance * root**3 * bend + tight**2 + ends**2
    return np.asarray(np.sqrt(total) * (length > 0))


def errors_of_outlines(
    length: NDArray[np.float64], mesh: Mesh, sigma: float, /, *, variance: float
) -> NDArray[np.float64]:
    """Give the errors of outlines of which no more than the length is known, as of circles."""
    closed = np.ones(len(length), dtype=bool)
    squares = _ROUND * length**2
    none = np.zeros(len(length))
    return errors_of(length, squares, none, closed, mesh, sigma, variance=variance)


def directions(lines: ClassLines, /) -> NDArray[np.float64]:
    """Give the direction at each vertex, over two vertices either way, in deg modulo 180."""
    n = len(lines.line)
    if not n:
        return np.zeros(0)
    begin = np.searchsorted(lines.line, lines.line)
    stop = np.searchsorted(lines.line, lines.line, side="right") - 1
    here = np.arange(n)
    before, after = np.maximum(here - 2, begin), np.minimum(here + 2, stop)
    step = lines.points[after] - lines.points[before]
    # The ends of a ring are the same point, so that its direction goes on through it.
    degrees: NDArray[np.float64] = np.degrees(np.arctan2(step[:, 0], step[:, 1])) % 180.0
    return np.where(degrees > 180.0 - 1e-9, 0.0, degrees)


def direction_bins(direction: NDArray[np.float64], /) -> NDArray[np.int64]:
    """Put directions (deg) into bins, of which the first is centered on 0.

    Walls along the axes do not fall on both sides of a cut then.
    """
    return np.asarray(np.round(direction / (180 / N_DIRECTIONS)).astype(np.int64) % N_DIRECTIONS)


def _arms(
    lines: ClassLines, sigma: float, length: NDArray[np.float64], *, arm: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give for each vertex those that are `arm` smoothings before and after it.

    A third of the line if that is less; the end of an open line if there is no more of it.
    """
    line, n_lines = lines.line, len(lines.pair)
    begin = np.searchsorted(line, np.arange(n_lines))
    stop = np.searchsorted(line, np.arange(n_lines), side="right") - 1
    mean = np.bincount(line, length, n_lines) / np.maximum(stop - begin, 1)
    steps = np.round(arm * sigma / np.where(mean > 0, mean, np.inf)).astype(np.int64)
    steps = np.clip(steps, 1, np.maximum((stop - begin) // 3, 1))[line]
    here = np.arange(len(line)) - begin[line]
    period = np.where(lines.closed, np.maximum(stop - begin, 1), np.iinfo(np.int64).max)[line]
    last = (stop - begin)[line]
    before = np.where(lines.closed[line], (here - steps) % period, np.maximum(here - steps, 0))
    after = np.where(lines.closed[line], (here + steps) % period, np.minimum(here + steps, last))
    return begin[line] + before, begin[line] + after


def _curvatures(
    lines: ClassLines, sigma: float, length: NDArray[np.float64], *, arm: float
) -> NDArray[np.float64]:
    """Give the curvature of the circle through each vertex and two on either side."""
    points = lines.points
    first, second = (points[place] - points for place in _arms(lines, sigma, length, arm=arm))
    doubled = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    sides = np.hypot(*first.T) * np.hypot(*second.T) * np.hypot(*(first - second).T)
    bend = np.where(sides > 0, 2 * doubled / np.where(sides > 0, sides, 1.0), 0.0)
    # No bend is tighter than what is smoothed away.
    return np.minimum(bend, 1 / sigma)


def _overall_directions(
    lines: ClassLines, sigma: float, length: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the direction (deg) at each vertex without the steps of the lattice."""
    before, after = _arms(lines, sigma, length, arm=_ARM)
    step = lines.points[after] - lines.points[before]
    return np.asarray(np.degrees(np.arctan2(step[:, 0], step[:, 1])) % 180.0)
