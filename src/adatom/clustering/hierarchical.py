"""Classes by Ward's hierarchy, of rows or of connected regions of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.clustering.labelled import classes_from_labels
from adatom.clustering.lloyd import lloyd_passes, nearest_means
from adatom.clustering.models import number_of_classes
from adatom.clustering.places import neighbor_pairs
from adatom.clustering.subspace import scores_in, subspace_of
from adatom.clustering.ward import Tree, connected_tree, cut_tree, merged_neighbors, ward_tree
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import Blocks, blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import fold, map_to
from adatom.numerics.groups import counts_by_group, means_by_group
from adatom.numerics.moments import measured_rows, moments_of, sample_of
from adatom.schema import (
    FEATURES,
    TABLE,
    Classes,
    Features,
    Table,
    add_note,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# All pairs of so many rows take 134 MB.
_ALL_PAIRS: Final = 4096
_MICRO_CLASSES: Final = 2048
_SAMPLE_ROWS: Final = 1 << 14
# The greedy order of a map of 128 x 128 takes a second; of larger ones it makes no difference
# that shows in which order single pixels found their neighbors.
_GREEDY_REGIONS: Final = 1 << 14
# Of the tree so many branches are given: more than anybody looks at.
_BRANCHES: Final = 256
# Small classes need not be the best ones: a few passes make them round.
_MICRO_PASSES: Final = 3


class HierarchicalClustering(NamedTuple):
    """Classes cut from a tree, their means, and the tree."""

    classes: Classes
    """With ``distance`` to the mean of the class and ``margin`` to the next mean."""
    means: Features
    """(class, feature)."""
    tree: Table
    """The top of the tree, a row a merge: ``n_classes`` left after it, ``height``, the nodes
    ``first`` and ``second``, the ``n_leaves`` of this table and the rows, ``count``, below it.
    ``first``, ``second``, ``height`` and ``n_leaves`` are a linkage matrix of
    `scipy.cluster.hierarchy`, for its dendrogram."""


class _Leaves(NamedTuple):
    points: NDArray[np.float64]
    counts: NDArray[np.int64]
    of_row: NDArray[np.int64]
    """The leaf of every measured row."""
    notes: list[str]


def cluster_hierarchical(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_classes: int | None = None,
    connected: bool = False,
    seed: int = 0,
) -> HierarchicalClustering:
    """Sort the rows of features into classes by Ward's hierarchy.

    Every row begins as a class of its own; again and again the two classes are
    merged whose union raises the sum of squares least [1]_. The tree of merges
    shows at which distances classes hold together, and any number of classes
    can be cut from it.

    Up to 4096 rows the tree is exact. Of more rows it would take all pairs of
    them; so they are first gathered in 2048 small classes by k-means in the
    principal components above the noise, which then are merged with their
    counts; where rows form no separate groups, classes then depend on the
    seed, as Ward's do on any change of the rows. With `connected` only classes
    that touch are merged, which needs no pairs but neighbors: exact up to
    16,384 rows, in the components above the noise; of more, places that are
    each other's nearest neighbor are merged first [2]_. A note says which was
    done.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part.
    choice : Table, optional
        Of `choose_n_classes`: the number to take where `n_classes` gives none.
    n_classes : int, optional
        Number of classes to cut from the tree.
    connected : bool
        Whether every class is one connected region: of pixels (y, x) that
        share an edge, or of sites whose Voronoi cells do. Then classes are
        grains or domains, and two of them may be of the same material.
    seed : int
        Of the small classes of many rows.

    Returns
    -------
    HierarchicalClustering

    Raises
    ------
    TooFewSitesError
        If there are fewer measured rows than classes, or fewer than two.
    SettingError
        If neither `choice` nor `n_classes` is given, or
        `n_classes` is more than the leaves of the tree.
    KindError
        If `connected` and the places have no neighbors.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [0.2]], dims=("site", "feature"))
    >>> found = cluster_hierarchical(rows, n_classes=2)
    >>> found.classes["label"].values
    array([0, 0, 1, 0], dtype=int32)
    >>> found.tree["height"].values.round(2)
    array([0.1 , 0.17, 6. ])

    References
    ----------
    .. [1] J. H. Ward, J. Am. Stat. Assoc. 58, 236 (1963).
    .. [2] F. Murtagh, Comput. J. 26, 354 (1983).
    """
    FEATURES.check(features)
    if choice is not None:
        TABLE.check(choice)
    number = number_of_classes(choice, n_classes)
    cut = blocks(features)
    with single_threaded_blas():
        measured = measured_rows(cut)
        n_rows = int(measured.sum())
        if n_rows < max(number, 2):
            msg = f"{n_rows} measured rows cannot form {number} classes of a tree: give more rows"
            raise TooFewSitesError(msg)
        if connected:
            tree, leaves = _connected(features, cut, measured, number)
        else:
            leaves = _all_rows(cut) if n_rows <= _ALL_PAIRS else _micro_classes(cut, seed)
            tree = ward_tree(leaves.points, leaves.counts)
    if number > len(leaves.counts):
        msg = f"{number} classes cannot be cut from a tree of {len(leaves.counts)} leaves"
        raise SettingError(msg)
    label = np.full(cut.n_rows, -1, dtype=np.int64)
    label[measured] = cut_tree(tree, len(leaves.counts), number)[leaves.of_row]
    classes, means = classes_from_labels(features, label, n_classes=number)
    for note in leaves.notes:
        add_note(classes, note)
    if n_rows < cut.n_rows:
        add_note(classes, f"{cut.n_rows - n_rows} rows with NaN have no class: label -1")
    return HierarchicalClustering(
        classes, means, _table(tree, str(features.attrs.get("units", "1")))
    )


def _all_rows(cut: Blocks) -> _Leaves:
    rows = np.concatenate(fold(cut, lambda block: [block.values], lambda a, b: a + b))
    number = np.arange(len(rows))
    return _Leaves(rows.astype(np.float64), np.ones(len(rows), dtype=np.int64), number, [])


def _micro_classes(cut: Blocks, seed: int) -> _Leaves:
    """Gather rows in many small classes, on a sample; then all rows go to the nearest of them."""
    subspace, counts = subspace_of(cut, n_classes=2, seed=seed)
    scores = scores_in(subspace, cut, counts)
    scored = blocks_from_array(scores)
    moments = moments_of(scored)
    rows = sample_of(scored, moments.counts, n_rows=_SAMPLE_ROWS, seed=seed)
    # Starts as dense as the rows are; far ones, as of k-means++, would stand for single outliers.
    edges = np.arange(_MICRO_CLASSES + 1) * len(rows) // _MICRO_CLASSES
    starts = rows[np.random.default_rng(seed).integers(edges[:-1], edges[1:])]
    origin = np.zeros(scores.shape[1])
    found = lloyd_passes(
        blocks_from_array(rows),
        starts[None],
        origin=origin,
        spread=float(np.sqrt(moments.sum_of_squares / len(scores))),
        n_passes=_MICRO_PASSES,
    )
    of_row = _nearest(scored, found.means.astype(scores.dtype))
    kept, of_row = np.unique(of_row, return_inverse=True)
    points = means_by_group(scores, of_row, n_groups=len(kept))
    note = (
        f"{len(scores)} rows were first gathered in {len(kept)} small classes by k-means in "
        f"{scores.shape[1]} principal components; the tree is of these"
    )
    return _Leaves(points, counts_by_group(of_row, n_groups=len(kept)), of_row, [note])


def _nearest(scored: Blocks, means: NDArray[Any]) -> NDArray[np.int64]:
    half = (means**2).sum(axis=-1) / 2
    label = np.empty(scored.n_rows, dtype=np.int64)
    map_to(scored, lambda rows: [nearest_means(rows, means, half)[0][0]], [label])
    return label


def _connected(
    features: Features, cut: Blocks, measured: NDArray[np.bool_], n_classes: int
) -> tuple[Tree, _Leaves]:
    """Grow the tree of the places that touch, in the components above the noise."""
    pairs = neighbor_pairs(features[..., 0])
    row_of = np.cumsum(measured) - 1
    pairs = row_of[pairs[measured[pairs].all(axis=1)]]
    subspace, counts = subspace_of(cut, n_classes=2)
    scores = scores_in(subspace, cut, counts).astype(np.float64)
    notes = []
    if len(subspace.basis) < cut.n_columns:
        notes.append(
            f"merged by their distances in the {len(subspace.basis)} principal components kept "
            f"of {cut.n_columns} features"
        )
    region = np.arange(len(scores))
    if len(scores) > _GREEDY_REGIONS:
        region = merged_neighbors(scores, pairs, n_left=_GREEDY_REGIONS)
        pairs = np.sort(region[pairs], axis=1)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
        notes.append(
            f"{len(scores)} rows were first merged to {region.max() + 1} regions of neighbors"
        )
    sizes = counts_by_group(region, n_groups=int(region.max()) + 1)
    points = means_by_group(scores, region, n_groups=len(sizes))
    tree, n_parts = connected_tree(points, sizes, pairs)
    if n_parts > n_classes:
        notes.append(
            f"the map falls into {n_parts} parts that do not touch: parts were merged as if they "
            "did, so some classes are not connected"
        )
    return tree, _Leaves(points, sizes, region, notes)


def _table(tree: Tree, unit: str) -> Table:
    """Give the top of a tree, with what hangs below it as its leaves."""
    n_all = len(tree.height) + 1
    n = min(n_all, _BRANCHES)
    # Nodes that are used above the cut and were made below it become the leaves.
    top = np.arange(n_all - n, n_all - 1)
    number = {n_all + int(merge): n + k for k, merge in enumerate(top)}
    nodes = np.stack([tree.first[top], tree.second[top]], axis=1)
    leaves = [node for node in np.unique(nodes).tolist() if node not in number]
    number |= {node: leaf for leaf, node in enumerate(leaves)}
    renumbered = np.array([[number[node] for node in pair] for pair in nodes.tolist()])
    table = table_from_columns(
        {
            "n_classes": n - 1 - np.arange(n - 1),
            "first": renumbered[:, 0],
            "second": renumbered[:, 1],
            "height": tree.height[top],
            "n_leaves": _leaves_below(renumbered, n),
            "count": tree.n_rows[top],
        },
        units={"height": unit},
    )
    table.attrs["n_leaves"] = n
    if n < n_all:
        add_note(
            table, f"the last {n - 1} of {n_all - 1} merges; leaves are what was merged before"
        )
    return table


def _leaves_below(nodes: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    below = np.ones(2 * n - 1, dtype=np.int64)
    for number, pair in enumerate(nodes):
        below[n + number] = below[pair].sum()
    return below[n:]
