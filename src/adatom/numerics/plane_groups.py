"""Symmetry of points in a cell of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Operations of a lattice map the vectors of its reduced cell on sums and differences of them;
# those of a cell that is not quite reduced on a little more.
_REACH: Final = 2


class PlaneGroup(NamedTuple):
    """Operations that bring points of a cell onto like ones, and which points are equivalent.

    Attributes
    ----------
    rotation : ndarray of int, shape (operation, 2, 2)
        Fractions f of a point become ``f @ rotation + translation``.
    translation : ndarray, shape (operation, 2)
        In fractions of the cell.
    orbit : ndarray of int, shape (point,)
        Number of the set of equivalent points that each belongs to, by their first points.
    """

    rotation: Ints
    translation: Floats
    orbit: Ints


def integer_matrices(reach: int, /) -> Ints:
    """List all matrices (n, 2, 2) of whole numbers from -reach to reach."""
    numbers = np.arange(-reach, reach + 1)
    return np.stack(np.meshgrid(*[numbers] * 4, indexing="ij"), axis=-1).reshape(-1, 2, 2)


def periodic_distances(one: Floats, other: Floats, vectors: Floats, /) -> Floats:
    """Distances (..., n, m) of fractions (..., n, 2) from fractions (m, 2) of one cell.

    Exact where they are less than half the height of the cell.
    """
    away = one[..., :, None, :] - other
    away -= np.rint(away)
    distance: Floats = np.linalg.norm(away @ vectors, axis=-1)
    return distance


def plane_group(
    vectors: Floats, fraction: Floats, kind: Ints, /, *, tolerance: float
) -> PlaneGroup:
    """Find the operations of the plane under which points of a cell come onto like points.

    Parameters
    ----------
    vectors : ndarray, shape (2, 2)
        Of the cell, row by row.
    fraction : ndarray, shape (point, 2)
        Of the cell.
    kind : ndarray of int, shape (point,)
        Only points of one kind may be equivalent.
    tolerance : float
        In the unit of the vectors: how far an operation may miss a point.

    Examples
    --------
    >>> cell, points = np.eye(2), np.array([[0.25, 0.0], [0.75, 0.0]])
    >>> group = plane_group(cell, points, np.zeros(2, dtype=int), tolerance=1e-6)
    >>> len(group.rotation), group.orbit.tolist()
    (8, [0, 0])
    """
    metric = vectors @ vectors.T
    lengths = np.sqrt(np.diag(metric))
    turns = integer_matrices(_REACH)
    off = np.abs(turns @ metric @ np.swapaxes(turns, 1, 2) - metric) / np.outer(lengths, lengths)
    # A vector moved by the tolerance changes the metric by twice its share.
    turns = turns[(off < 2 * tolerance / lengths.min()).all(axis=(1, 2))]
    rarest = np.flatnonzero(kind == _rarest(kind))
    found, shifts, target = [], [], []
    for turn in turns:
        turned = fraction @ turn
        for point in rarest:
            shift = fraction[point] - turned[rarest[0]]
            apart = periodic_distances(turned + shift, fraction, vectors)
            apart[kind[:, None] != kind] = np.inf
            nearest = apart.argmin(axis=1)
            if (apart.min(axis=1) < tolerance).all() and len(set(nearest.tolist())) == len(nearest):
                found.append(turn)
                shifts.append(shift % 1.0)
                target.append(nearest)
    return PlaneGroup(np.array(found), np.array(shifts), _orbits(np.array(target)))


def _rarest(kind: Ints) -> int:
    kinds, counts = np.unique(kind, return_counts=True)
    return int(kinds[counts.argmin()])


def _orbits(target: Ints) -> Ints:
    """Give the number of each point's set: operations (operation, point) say who moves where."""
    n_points = target.shape[1]
    source = np.tile(np.arange(n_points), len(target))
    graph = coo_array((np.ones(target.size), (source, target.ravel())), shape=(n_points, n_points))
    _, label = connected_components(graph, directed=False)
    _, first, orbit = np.unique(label, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    numbers: Ints = rank[orbit].astype(np.int64)
    return numbers
