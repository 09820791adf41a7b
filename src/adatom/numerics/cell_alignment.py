"""One cell of points laid over another: vectors, mirror and origin found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from adatom.numerics.plane_groups import integer_matrices, periodic_distances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Of the shortest vectors of one lattice in terms of those of another: enough for cells that
# are four times as large, and for cells that are not reduced.
_REACH: Final = 4
# Alignments start with one of so many points on one of the others: any right pair is enough.
_STARTS: Final = 6
# As many of the best alignments are refined.
_FINALISTS: Final = 24
_ROUNDS: Final = 4
# Of two ways that cost the same the one of the smaller cells is meant, and one of larger cells
# must save so much for every further cell: two columns of a square cell fit the four of a
# perovskite as well, if their scale is not known and O counts for little.
_FURTHER_CELL: Final = 0.05


class Cell(NamedTuple):
    """Points of a cell: vectors (2, 2), fractions (point, 2), and how much each counts."""

    vectors: Floats
    fraction: Floats
    weight: Floats


class Alignment(NamedTuple):
    """How the points of a found cell lie over those of an expected one.

    Attributes
    ----------
    found_cell, expected_cell : ndarray of int, shape (2, 2)
        Vectors of the common cell in terms of either cell's own, row by row. The second has a
        negative determinant where the found cell is a mirror image.
    shift : ndarray, shape (2,)
        Fractions of the common cell to be added to those found.
    found_index, expected_index : ndarray of int
        Matched points, by their numbers in the common cell.
    distance : ndarray
        Of the matched points, in the unit of the expected cell.
    cost : float
        0 to 1: the share of all weight that finds no partner, and of squared distances
        relative to the tolerance.
    """

    found_cell: Ints
    expected_cell: Ints
    shift: Floats
    found_index: Ints
    expected_index: Ints
    distance: Floats
    cost: float


def repeated(cell: Cell, multiple: Ints, /) -> Cell:
    """Repeat a cell: its points in fractions of a larger cell, copy after copy of each."""
    determinant = abs(round(float(np.linalg.det(multiple))))
    reach = np.arange(-int(np.abs(multiple).sum()), int(np.abs(multiple).sum()) + 1)
    steps = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    inverse = np.linalg.inv(multiple)
    corner = steps @ inverse
    # Corners of small cells on the border of the large one belong to it once.
    inside = ((corner > -1e-9) & (corner < 1 - 1e-9)).all(axis=1)
    copies = corner[inside][:determinant]
    fraction = ((cell.fraction @ inverse)[:, None] + copies).reshape(-1, 2)
    return Cell(multiple @ cell.vectors, fraction, np.repeat(cell.weight, determinant))


def aligned_cells(
    found: Cell,
    expected: Cell,
    /,
    *,
    tolerance: float,
    max_distortion: float,
    max_multiple: int,
    same_scale: bool,
) -> list[Alignment]:
    """Lay found points over expected ones in every way, and give the best ways first.

    Vectors of the one cell may be any whole sums of those of the other, so that
    all turns and mirrors of the plane, other choices of the vectors, and cells that are
    multiples of one another are tried. What is left of the difference of the two
    lattices is a distortion, and distances are measured without it.

    Parameters
    ----------
    found, expected : Cell
        Weights of expected points say how much it counts that they are not found.
    tolerance : float
        In the unit of the expected cell: points farther apart are no pair.
    max_distortion : float
        Relative stretch of the one lattice against the other that is allowed.
    max_multiple : int
        How many times larger than the other either cell may be.
    same_scale : bool
        Whether both are in one unit; if not, any scale will do.
    """
    tried = []
    for multiple, vectors in _common_cells(
        found.vectors, expected.vectors, max_distortion, max_multiple, same_scale=same_scale
    ):
        one, other = repeated(found, multiple), repeated(expected, vectors)
        shift, cost = _screened(one, other, tolerance)
        best = np.argsort(cost, kind="stable")[:_FINALISTS]
        further = _further(multiple, vectors)
        tried += [(float(cost[k]) + further, multiple, vectors, shift[k]) for k in best]
    tried.sort(key=lambda one: one[0])
    refined = [
        _refined(repeated(found, multiple), repeated(expected, vectors), multiple, vectors, shift,
                 tolerance)
        for _, multiple, vectors, shift in tried[:_FINALISTS]
    ]  # fmt: skip
    return sorted(refined, key=lambda one: one.cost + _further(one.found_cell, one.expected_cell))


def _further(*multiples: Ints) -> float:
    """Charge for every cell beyond the first that a common cell holds."""
    cells = sum(abs(float(np.linalg.det(one))) - 1 for one in multiples)
    return _FURTHER_CELL * round(cells)


def lattice_distortion(one: Floats, other: Floats, /) -> Floats:
    """Principal stretches (..., 2), the larger first, of the lattice `one` against `other`."""
    metric = other @ np.swapaxes(other, -1, -2)
    relative = np.linalg.solve(metric, np.broadcast_to(one @ one.T, metric.shape))
    trace = np.trace(relative, axis1=-2, axis2=-1)
    root = np.sqrt(np.maximum(trace**2 / 4 - np.linalg.det(relative), 0.0))
    squared = np.stack([trace / 2 + root, trace / 2 - root], axis=-1)
    stretches: Floats = np.sqrt(np.maximum(squared, 0.0))
    return stretches


def _common_cells(
    found: Floats, expected: Floats, limit: float, max_multiple: int, *, same_scale: bool
) -> Iterator[tuple[Ints, Ints]]:
    """Give multiples of both cells that agree but for a distortion."""
    every = integer_matrices(_REACH)
    size = np.abs(np.rint(np.linalg.det(every))).astype(np.int64)
    for multiple in _sublattices(max_multiple):
        own = int(multiple[0, 0] * multiple[1, 1])
        # Both cells multiplied would say the same of a larger cell.
        wanted = (size >= 1) & (size <= (max_multiple if own == 1 else 1))
        stretch = lattice_distortion(multiple @ found, every[wanted] @ expected)
        logs = np.log(np.maximum(stretch, 1e-12))
        off = np.abs(logs).max(axis=1) if same_scale else (logs[:, 0] - logs[:, 1]) / 2
        for vectors in every[wanted][off <= np.log1p(limit)]:
            yield multiple, vectors


def _sublattices(max_multiple: int) -> Iterator[Ints]:
    """Give one cell of every sublattice, up to so many times as large."""
    for determinant in range(1, max_multiple + 1):
        for first in range(1, determinant + 1):
            if determinant % first == 0:
                for across in range(determinant // first):
                    yield np.array([[first, across], [0, determinant // first]])


def _screened(found: Cell, expected: Cell, tolerance: float) -> tuple[Floats, Floats]:
    """Give shifts that lay a found point on an expected one, and about what each costs."""
    first = np.argsort(-found.weight, kind="stable")[:_STARTS]
    shift = (expected.fraction[None] - found.fraction[first, None]).reshape(-1, 2)
    apart = np.stack(
        [
            periodic_distances(found.fraction + one, expected.fraction, expected.vectors)
            for one in shift
        ]
    )
    of_found = np.minimum(apart.min(axis=2) / tolerance, 1.0) ** 2 @ found.weight
    of_expected = (apart.min(axis=1) > tolerance) @ expected.weight
    return shift, (of_found + of_expected) / (found.weight.sum() + expected.weight.sum())


def _refined(
    found: Cell, expected: Cell, multiple: Ints, vectors: Ints, shift: Floats, tolerance: float
) -> Alignment:
    """Match points exclusively, and move the origin to where matched points agree best."""
    for _ in range(_ROUNDS):
        places = found.fraction + shift
        apart = periodic_distances(places, expected.fraction, expected.vectors)
        cost = np.minimum(apart / tolerance, 1.0) ** 2
        # A pair saves what both would cost alone.
        saved = found.weight[:, None] * (1 - cost) + expected.weight * (cost < 1.0)
        one, other = linear_sum_assignment(saved, maximize=True)
        near = apart[one, other] < tolerance
        one, other = one[near], other[near]
        away = expected.fraction[other] - places[one]
        if not len(one):
            break
        shift = shift + (away - np.rint(away)).mean(axis=0)
    distance = apart[one, other]
    alone = found.weight.sum() - found.weight[one].sum()
    alone += expected.weight.sum() - expected.weight[other].sum()
    off = found.weight[one] @ (distance / tolerance) ** 2
    total = float((alone + off) / (found.weight.sum() + expected.weight.sum()))
    return Alignment(multiple, vectors, shift % 1.0, one, other, distance, total)
