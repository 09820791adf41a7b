"""Lengths of smoothed boundaries, freed of what lattice and smoothing do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.numerics.class_contours import segment_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.class_contours import ClassLines
    from adatom.numerics.meshes import Mesh

# What steps of the lattice add to the length of a wall, on average over all directions,
# after smoothing by the root of a cell; it falls with the smoothing to this power. From straight
# walls and outlines of blobs on square, hexagonal and honeycomb lattices, smoothed by 0.5 to 1.5
# spacings.
_STEPS: Final = 0.006
_POWER: Final = 2.7
# Scatter of corrected lengths about the true ones, in roots of a cell, and the share of the length
# by which that of a straight wall depends on its direction; from the same walls and blobs.
_LENGTH_NOISE: Final = 0.27
_LENGTH_BIAS: Final = 0.0025
# What smoothing leaves of tight bends, in (smoothing over radius)^4 of the length: from blobs of
# four to six spacings radius, whose outlines come out shorter by 0.1 to 0.4 roots of a cell.
_BEND_BIAS: Final = 5.0

# Variance of the number of points of a square lattice within a smooth shape that lies
# anywhere, over its perimeter in spacings: the sum of |k|^-3 over the reciprocal lattice, 9.034,
# over 4 pi^3. A hexagonal lattice has 0.0716.
COUNT_VARIANCE: Final = 0.0728


def true_lengths(mesh: Mesh, lines: ClassLines, sigma: float, /) -> NDArray[np.float64]:
    """Give the length that each vertex of smoothed lines stands for, up to the next.

    Smoothing moves an arc of curvature k towards its center by k sigma^2 / 2
    and so shortens it by (k sigma)^2 / 2, which is given back; the steps
    that the lattice leaves are taken off as they are on average.
    """
    length = segment_lengths(lines.points, lines.line)
    if not len(length):
        return length
    excess = _STEPS * (np.sqrt(mesh.usual_area) / sigma) ** _POWER
    return np.asarray(
        length * (1 + (_curvatures(lines, sigma, length) * sigma) ** 2 / 2) / (1 + excess)
    )


def length_error(
    length: NDArray[np.float64], closed: NDArray[np.bool_] | bool, mesh: Mesh, /
) -> NDArray[np.float64]:
    """Give the standard error of the length of boundaries.

    That of a closed one holds what it would change by if its area was
    that much larger by which the cells of a lattice miscount it, and what smoothing
    leaves of its bend; its sides run in all directions, so that what depends on the
    direction of a wall cancels.
    """
    root = np.sqrt(mesh.usual_area)
    around = np.maximum(length, root)
    count = (2 * np.pi) ** 2 * COUNT_VARIANCE * root**3 / around
    bend = _BEND_BIAS * around * np.minimum(2 * np.pi * root / around, 1.0) ** 4
    further = np.where(closed, count + bend**2, (_LENGTH_BIAS * length) ** 2)
    return np.asarray(np.sqrt((_LENGTH_NOISE * root) ** 2 + further) * (length > 0))


def _curvatures(
    lines: ClassLines, sigma: float, length: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the curvature of the circle through each vertex and two that are 2 sigma from it."""
    line, points = lines.line, lines.points
    n_lines = len(lines.pair)
    begin = np.searchsorted(line, np.arange(n_lines))
    stop = np.searchsorted(line, np.arange(n_lines), side="right") - 1
    mean = np.bincount(line, length, n_lines) / np.maximum(stop - begin, 1)
    arm = np.round(2 * sigma / np.where(mean > 0, mean, np.inf)).astype(np.int64)
    arm = np.clip(arm, 1, np.maximum((stop - begin) // 3, 1))[line]
    here = np.arange(len(line)) - begin[line]
    period = np.where(lines.closed, np.maximum(stop - begin, 1), np.iinfo(np.int64).max)[line]
    last = (stop - begin)[line]
    before = np.where(lines.closed[line], (here - arm) % period, np.maximum(here - arm, 0))
    after = np.where(lines.closed[line], (here + arm) % period, np.minimum(here + arm, last))
    first, second = (points[begin[line] + place] - points for place in (before, after))
    doubled = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    sides = np.hypot(*first.T) * np.hypot(*second.T) * np.hypot(*(first - second).T)
    bend = np.where(sides > 0, 2 * doubled / np.where(sides > 0, sides, 1.0), 0.0)
    # No bend is tighter than what is smoothed away.
    return np.minimum(bend, 1 / sigma)
