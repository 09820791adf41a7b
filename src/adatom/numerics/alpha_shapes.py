"""Outlines of sets of points: where discs of one size find no point."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Outline(NamedTuple):
    """A closed line through points, what they fill on the side from axis 1 towards axis 0.

    Attributes
    ----------
    points : ndarray of int, shape (vertex,)
        In order; the first follows the last. A point at which two parts touch is there twice.
    area : float
        Enclosed; negative for a hole.
    part : int
        Number of the connected part that it bounds.
    """

    points: Ints
    area: float
    part: int


def outlines_of_points(places: Floats, /, *, radius: float) -> list[Outline]:
    """Draw the outlines of what points fill: its alpha shape.

    Triangles of the Delaunay triangulation whose circumscribed circle is no
    larger than the radius are filled [1]_; an empty disc of that radius fits nowhere
    into what they fill. Points on no such triangle are left out.

    Parameters
    ----------
    places : ndarray, shape (point, 2)
    radius : float
        Of the disc. Holes into which it does not fit are filled.

    Returns
    -------
    list of Outline
        The largest area first, the holes of a part after its outer outline.

    References
    ----------
    .. [1] H. Edelsbrunner, D. Kirkpatrick, R. Seidel, IEEE Trans. Inf. Theory 29, 551 (1983).

    Examples
    --------
    >>> y, x = np.mgrid[:3.0, :4.0]
    >>> outline, = outlines_of_points(np.column_stack([y.ravel(), x.ravel()]), radius=0.8)
    >>> len(outline.points), outline.area
    (10, 6.0)
    """
    if len(places) < 3:
        return []
    try:
        mesh = Delaunay(places)
    except QhullError:
        # All points lie on a line.
        return []
    triangles, beside = mesh.simplices.astype(np.int64), mesh.neighbors.astype(np.int64)
    filled = _circumradii(places[triangles]) <= radius
    # The neighbor across the edge from vertex k + 1 to k + 2 stands at k; -1: none.
    edge = filled[:, None] & ~((beside >= 0) & filled[np.maximum(beside, 0)])
    part = _parts(filled, beside)
    loops, seen = [], np.zeros(edge.shape, dtype=bool)
    for start in np.argwhere(edge):
        triangle, side = (int(k) for k in start)
        if seen[triangle, side]:
            continue
        points = []
        while not seen[triangle, side]:
            seen[triangle, side] = True
            points.append(int(triangles[triangle, (side + 1) % 3]))
            triangle, side = _following(triangle, side, edge, beside)
        number = np.array(points, dtype=np.int64)
        loops.append(Outline(number, _area(places[number]), int(part[triangle])))
    return sorted(loops, key=lambda loop: (loop.part, -loop.area))


def _circumradii(corner: Floats) -> Floats:
    sides = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2)
    one, other = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    twice = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = np.asarray(sides.prod(axis=1) / (2 * twice))
    return np.where(np.isfinite(radius), radius, np.inf)


def _following(triangle: int, side: int, edge: NDArray[np.bool_], beside: Ints) -> tuple[int, int]:
    """Turn about the end of an outline's edge through filled triangles to its next edge."""
    side = (side + 1) % 3
    while not edge[triangle, side]:
        other = int(beside[triangle, side])
        back = int(np.flatnonzero(beside[other] == triangle)[0])
        triangle, side = other, (back + 1) % 3
    return triangle, side


def _parts(filled: NDArray[np.bool_], beside: Ints) -> Ints:
    """Give the connected part of each triangle, the largest part first."""
    rows, sides = np.nonzero(filled[:, None] & (beside >= 0))
    others = beside[rows, sides]
    joined = filled[others]
    n = len(filled)
    graph = csr_array((np.ones(int(joined.sum())), (rows[joined], others[joined])), shape=(n, n))
    _, part = connected_components(graph, directed=False)
    sizes = np.bincount(part, weights=filled)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(rank[part])


def _area(corner: Floats) -> float:
    # Small differences of large products where the places are far from the origin.
    one = corner - corner.mean(axis=0)
    other = np.roll(one, -1, axis=0)
    return float(0.5 * (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum())
