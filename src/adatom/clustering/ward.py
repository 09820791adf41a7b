"""Trees by Ward's criterion, of points that stand for any number of rows each."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Tree(NamedTuple):
    """Merges in their order, numbered as `scipy.cluster.hierarchy` does.

    The leaves are 0 to n - 1, the k-th merge makes the node n + k.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    height: NDArray[np.float64]
    """Root of twice the rise of the sum of squares; the distance of two single rows."""
    n_rows: NDArray[np.int64]
    """Rows below each merge."""


def ward_tree(points: NDArray[np.float64], counts: NDArray[np.int64], /) -> Tree:
    """Merge the two nearest clusters again and again [1]_, by chains of nearest neighbors [2]_.

    Takes one square matrix of all points.

    References
    ----------
    .. [1] J. H. Ward, J. Am. Stat. Assoc. 58, 236 (1963); the update of distances by
       G. N. Lance and W. T. Williams, Comput. J. 9, 373 (1967).
    .. [2] F. Murtagh, Comput. J. 26, 354 (1983).
    """
    n = len(points)
    squares = _ward_squares(points, counts)
    sizes = counts.astype(np.float64)
    merges = np.empty((n - 1, 2), dtype=np.int64)
    heights = np.empty(n - 1)
    alive = np.ones(n, dtype=bool)
    chain: list[int] = []
    for number in range(n - 1):
        if not chain:
            chain.append(int(np.argmax(alive)))
        while True:
            tip = chain[-1]
            nearest = int(np.argmin(squares[tip]))
            # Of equally near ones the one before in the chain, or the chain would never end.
            if len(chain) > 1 and squares[tip, chain[-2]] <= squares[tip, nearest]:
                break
            chain.append(nearest)
        two, one = chain.pop(), chain.pop()
        merges[number], heights[number] = (one, two), squares[one, two]
        _merge(squares, sizes, one, two)
        alive[two] = False
    return _ordered(merges, heights, counts)


def _ward_squares(points: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give twice the rise of the sum of squares that each merge would cause."""
    centered = points - np.average(points, axis=0, weights=counts)
    own = np.einsum("ij,ij->i", centered, centered)
    squares: NDArray[np.float64] = centered @ centered.T
    squares *= -2
    squares += own
    squares += own[:, None]
    # Products leave rounding errors where rows are the same.
    squares[squares < 8 * np.finfo(np.float64).eps * own.max(initial=0.0)] = 0.0
    sizes = counts.astype(np.float64)
    squares *= 2 * sizes[:, None]
    squares *= sizes
    squares /= sizes + sizes[:, None]
    np.fill_diagonal(squares, np.inf)
    return squares


def _merge(squares: NDArray[np.float64], sizes: NDArray[np.float64], one: int, two: int) -> None:
    """Put the union of two clusters in the place of the first, in place."""
    total = sizes[one] + sizes[two] + sizes
    row = (sizes[one] + sizes) * squares[one] + (sizes[two] + sizes) * squares[two]
    row -= sizes * squares[one, two]
    row /= total
    row[[one, two]] = np.inf
    squares[one], squares[:, one] = row, row
    squares[two], squares[:, two] = np.inf, np.inf
    sizes[one] += sizes[two]


def _ordered(
    merges: NDArray[np.int64], heights: NDArray[np.float64], counts: NDArray[np.int64]
) -> Tree:
    """Sort merges by height and number the nodes that they make."""
    n = len(counts)
    order = np.argsort(heights, kind="stable")
    node, sizes = np.arange(n), counts.copy()
    root = np.arange(n)
    first, second, count = (np.empty(n - 1, dtype=np.int64) for _ in range(3))
    for number, (one, two) in enumerate(merges[order]):
        low, high = _root(root, one), _root(root, two)
        first[number], second[number] = sorted((node[low], node[high]))
        root[high], node[low] = low, n + number
        sizes[low] += sizes[high]
        count[number] = sizes[low]
    return Tree(first, second, np.sqrt(heights[order]), count)


def _root(root: NDArray[np.int64], member: int) -> int:
    while root[member] != member:
        root[member] = root[root[member]]
        member = int(root[member])
    return int(member)


def connected_tree(
    points: NDArray[np.float64], counts: NDArray[np.int64], pairs: NDArray[np.int64], /
) -> tuple[Tree, int]:
    """Merge, again and again, the two nearest clusters of those that touch.

    Parameters
    ----------
    points : array, shape (leaf, feature)
        Means.
    counts : array of int, shape (leaf,)
        Rows that each stands for.
    pairs : array of int, shape (pair, 2)
        Leaves that touch.

    Returns
    -------
    tree : Tree
        Heights need not rise: a merge may make neighbors that are nearer.
    n_parts : int
        Parts of the graph without a connection; they are merged last, as if
        all of them touched.
    """
    n = len(points)
    sums = np.zeros((2 * n - 1, points.shape[1]))
    sums[:n] = points * counts[:, None]
    sizes = np.zeros(2 * n - 1, dtype=np.int64)
    sizes[:n] = counts
    touching: dict[int, set[int]] = {leaf: set() for leaf in range(n)}
    for one, two in pairs.tolist():
        touching[one].add(two)
        touching[two].add(one)
    squares = _pair_squares(sums, sizes, pairs[:, 0], pairs[:, 1])
    heap = list(zip(squares.tolist(), pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))
    heapq.heapify(heap)
    merges: list[tuple[int, int, float]] = []
    while heap:
        square, one, two = heapq.heappop(heap)
        if one not in touching or two not in touching:
            continue
        new = n + len(merges)
        merges.append((one, two, square))
        others = (touching.pop(one) | touching.pop(two)) - {one, two}
        sums[new], sizes[new] = sums[one] + sums[two], sizes[one] + sizes[two]
        for other in others:
            touching[other] -= {one, two}
            touching[other].add(new)
        touching[new] = others
        index = np.array(sorted(others), dtype=np.int64)
        for other, square in zip(index, _pair_squares(sums, sizes, index, new), strict=True):
            heapq.heappush(heap, (float(square), int(other), new))
    n_parts = len(touching)
    merges += _merges_of_parts(sums, sizes, np.array(sorted(touching)), n + len(merges))
    firsts, seconds, squares = (np.array(column) for column in zip(*merges, strict=True))
    for number in range(n - n_parts, n - 1):
        sizes[n + number] = sizes[firsts[number]] + sizes[seconds[number]]
    low, high = np.minimum(firsts, seconds), np.maximum(firsts, seconds)
    tree = Tree(low, high, np.sqrt(squares), sizes[n:])
    return tree, n_parts


def _pair_squares(
    sums: NDArray[np.float64],
    sizes: NDArray[np.int64],
    ones: NDArray[np.int64],
    twos: NDArray[np.int64] | int,
) -> NDArray[np.float64]:
    first, second = sizes[ones].astype(np.float64), sizes[twos].astype(np.float64)
    apart = sums[ones] / first[:, None] - sums[twos] / second[..., None]
    squares: NDArray[np.float64] = 2 * first * second / (first + second) * (apart**2).sum(axis=-1)
    return squares


def _merges_of_parts(
    sums: NDArray[np.float64], sizes: NDArray[np.int64], roots: NDArray[np.int64], n_nodes: int
) -> list[tuple[int, int, float]]:
    if len(roots) < 2:
        return []
    tree = ward_tree(sums[roots] / sizes[roots, None], sizes[roots])
    node = np.concatenate([roots, n_nodes + np.arange(len(roots) - 1)])
    return [
        (int(node[one]), int(node[two]), float(height) ** 2)
        for one, two, height in zip(tree.first, tree.second, tree.height, strict=True)
    ]


def merged_neighbors(
    points: NDArray[np.float64], pairs: NDArray[np.int64], /, *, n_left: int
) -> NDArray[np.int64]:
    """Merge all that are each other's nearest neighbor, in rounds, down to about `n_left` [1]_.

    Returns
    -------
    array of int, shape (row,)
        The region of every row.

    References
    ----------
    .. [1] F. Murtagh, Comput. J. 26, 354 (1983): reciprocal nearest neighbors.
    """
    region = np.arange(len(points))
    sums, sizes = points.astype(np.float64), np.ones(len(points), dtype=np.int64)
    while len(sizes) > n_left and len(pairs):
        squares = _pair_squares(sums, sizes, pairs[:, 0], pairs[:, 1])
        nearest = _nearest(pairs, squares, len(sizes))
        partner = np.where(nearest >= 0, nearest[nearest], -1)
        mutual = np.flatnonzero((partner == np.arange(len(sizes))) & (nearest >= 0))
        target = np.arange(len(sizes))
        target[mutual] = np.minimum(mutual, nearest[mutual])
        kept, target = np.unique(target, return_inverse=True)
        sums = sums_by_group(sums, target, n_groups=len(kept))
        sizes = np.bincount(target, weights=sizes, minlength=len(kept)).astype(np.int64)
        region = target[region]
        pairs = np.sort(target[pairs], axis=1)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    return region


def _nearest(pairs: NDArray[np.int64], squares: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Give the nearest of those that touch each, -1 where none does.

    Pairs are ranked once, so that ties are broken alike for both of a pair and the first pair of
    all is always mutual.
    """
    rank = np.lexsort((pairs[:, 1], pairs[:, 0], squares))
    ranked = pairs[rank]
    nearest = np.full(n, -1, dtype=np.int64)
    # Later writes win: the pair of least distance is written last.
    ends = np.stack([ranked[::-1], ranked[::-1, ::-1]], axis=1).reshape(-1, 2)
    nearest[ends[:, 0]] = ends[:, 1]
    return nearest


def cut_tree(tree: Tree, n_leaves: int, n_classes: int, /) -> NDArray[np.int64]:
    """Label the leaves by the classes that are left before the last ``n_classes - 1`` merges."""
    parent = np.arange(2 * n_leaves - 1)
    for number in range(n_leaves - n_classes):
        parent[[tree.first[number], tree.second[number]]] = n_leaves + number
    # A parent has the larger number: from the top down every node learns its root.
    for node in range(len(parent) - 1, -1, -1):
        parent[node] = parent[parent[node]]
    return np.unique(parent[:n_leaves], return_inverse=True)[1].astype(np.int64)
