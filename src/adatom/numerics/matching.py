"""Exclusive matching of two sets of points, optimal in their distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class PointMatch(NamedTuple):
    """Pairs of points; every point is in one pair at most.

    Attributes
    ----------
    left, right : ndarray of int
        The k-th pair joins ``left[k]`` of the one set to ``right[k]`` of the other.
    distance : ndarray of float
        Distance of each pair.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    distance: NDArray[np.float64]


def match_points(left: ArrayLike, right: ArrayLike, /, *, max_distance: float) -> PointMatch:
    """Join each point to at most one point of the other set.

    Of all exclusive matchings the cheapest is found, in which a pair costs
    its squared distance and a point left alone `max_distance` squared: two
    points within reach and otherwise alone are joined, and where several
    compete the sum of squares decides. (Greedy joining would let one false
    point steal a true one.)

    Parameters
    ----------
    left, right : array_like, shape (n, dim) and (m, dim)
        Positions in the same unit.
    max_distance : float
        Pairs farther apart than this are never made.

    Examples
    --------
    >>> match = match_points([[0.0, 0.0], [0.0, 3.0]], [[0.0, 2.0]], max_distance=2.5)
    >>> match.left.tolist(), match.distance.tolist()
    ([1], [1.0])
    """
    one, two = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    if one.size == 0 or two.size == 0:
        none = np.zeros(0, dtype=np.intp)
        return PointMatch(none, none.copy(), np.zeros(0))
    near = cKDTree(one).sparse_distance_matrix(cKDTree(two), max_distance, output_type="ndarray")
    pairs = np.stack([near["i"], near["j"]]).astype(np.intp)
    column = _cheapest_columns(pairs, near["v"] ** 2, max_distance**2, one.shape[0], two.shape[0])
    joined = np.flatnonzero(column < two.shape[0])
    partner = column[joined]
    return PointMatch(joined, partner, np.linalg.norm(one[joined] - two[partner], axis=1))


def _cheapest_columns(
    pairs: NDArray[np.intp], cost: NDArray[np.float64], alone: float, n: int, m: int
) -> NDArray[np.intp]:
    """Give the column of each left point; ``m`` and beyond mean that it stays alone.

    Every point gets a stand-in to pair with when it stays alone. Stand-ins of
    a left and a right point that could have been a pair are joined at no cost
    when they are, which makes a full matching possible.
    """
    i, j = pairs
    left, right = np.arange(n), np.arange(m)
    rows = np.concatenate([i, left, n + right, n + j])
    columns = np.concatenate([j, m + left, right, m + i])
    # The solver takes zeros for absent: every edge gets the same extra cost,
    # which changes no matching, since all full ones have as many edges.
    extra = 1e-3 * alone + 1e-300
    costs = np.concatenate([cost, np.full(n + m, alone), np.zeros(i.size)]) + extra
    graph = csr_array((costs, (rows, columns)), shape=(n + m, n + m))
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(graph)
    column = np.full(n, m, dtype=np.intp)
    real = chosen_rows < n
    column[chosen_rows[real]] = chosen_columns[real]
    return column
