"""Exclusive assignment of the greatest total gain among few candidates, and its runner-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import (
    connected_components,
    dijkstra,
    min_weight_full_bipartite_matching,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# The solver resets arrays as long as its matrix for every row: small components go together
# into matrices of about so many candidates, and a large one has its own.
_CANDIDATES_AT_ONCE: Final = 1024
# Numbers held at once while runners-up are sought.
_ENTRIES_AT_ONCE: Final = 2_000_000
# All paths are found up to so many rows; in larger components only those that cost less than
# the limit, which few rows take part in.
_MOST_ROWS: Final = 48


def assign_by_gain(
    row: Ints, column: Ints, gain: Floats, /, *, n_rows: int, n_columns: int
) -> NDArray[np.bool_]:
    """Choose candidates, one a row and one a column at most, of the greatest total gain.

    The graph of candidates falls into connected components. Those of one
    candidate are settled at once, all others exactly, by shortest augmenting
    paths.

    Parameters
    ----------
    row, column : ndarray of int, shape (candidate,)
        What each candidate would join; no two join the same.
    gain : ndarray, shape (candidate,)
        Gain over leaving both alone. Candidates without gain are never chosen.
    n_rows, n_columns : int
        How many there are.

    Returns
    -------
    ndarray of bool, shape (candidate,)
        Which are chosen.

    Examples
    --------
    >>> row, column = np.array([0, 0, 1]), np.array([0, 1, 0])
    >>> assign_by_gain(row, column, np.array([5.0, 4.0, 3.0]), n_rows=2, n_columns=2)
    array([False,  True,  True])
    """
    chosen = np.zeros(len(row), dtype=bool)
    use = np.flatnonzero(gain > 0)
    if not use.size:
        return chosen
    component = candidate_components(row[use], column[use], n_rows=n_rows, n_columns=n_columns)
    size = np.bincount(component)
    alone = size[component] == 1
    chosen[use[alone]] = True
    shared = np.flatnonzero(~alone)
    for part in _parts(component[shared]):
        edges = use[shared[part]]
        chosen[edges] = _chosen_in_part(row[edges], column[edges], gain[edges])
    return chosen


def candidate_components(row: Ints, column: Ints, /, *, n_rows: int, n_columns: int) -> Ints:
    """Tell candidate by candidate in which connected component of their graph it is.

    Rows and columns without candidates are components too, so that numbers have gaps.
    """
    size = n_rows + n_columns
    graph = coo_array(
        (np.ones(len(row), dtype=np.int8), (row, column + n_rows)), shape=(size, size)
    )
    _, of_node = connected_components(graph, directed=False)
    return np.asarray(of_node[row], dtype=np.intp)


def _parts(component: Ints) -> Iterator[Ints]:
    """Split candidates into parts of whole components."""
    order = np.argsort(component, kind="stable")
    if not order.size:
        return
    first = np.flatnonzero(np.diff(component[order], prepend=-1))
    # A component begins a new part where the one before has filled its own.
    cut = np.flatnonzero(np.diff(first // _CANDIDATES_AT_ONCE, prepend=0))
    yield from np.split(order, first[cut])


def _chosen_in_part(row: Ints, column: Ints, gain: Floats) -> NDArray[np.bool_]:
    rows, i = np.unique(row, return_inverse=True)
    columns, j = np.unique(column, return_inverse=True)
    n, m = len(rows), len(columns)
    best = float(gain.max())
    # The solver takes zeros for absent, so that every row costs a little more.
    extra = 1e-3 * best
    # Every row has a column of its own for staying alone; columns may stay alone as it is.
    values = np.concatenate([best - gain, np.full(n, best)]) + extra
    places = (np.concatenate([i, np.arange(n)]), np.concatenate([j, m + np.arange(n)]))
    _, taken = min_weight_full_bipartite_matching(csr_array((values, places), shape=(n, m + n)))
    return np.asarray(taken[i] == j)


def runner_up_losses(
    row: Ints, column: Ints, gain: Floats, chosen: NDArray[np.bool_], /, *, limit: float = np.inf
) -> Floats:
    """Tell how much of the total gain is lost when a chosen candidate is forbidden.

    The next best assignment is found for each chosen candidate by the
    shortest path along which others would move.

    Parameters
    ----------
    row, column : ndarray of int, shape (candidate,)
        As for `assign_by_gain`.
    gain : ndarray, shape (candidate,)
        As for `assign_by_gain`.
    chosen : ndarray of bool, shape (candidate,)
        An optimal assignment.
    limit : float
        Losses above it need not be known: they are given as the limit.

    Returns
    -------
    ndarray, shape (candidate,)
        NaN where not chosen.

    Examples
    --------
    >>> row, column = np.array([0, 0, 1]), np.array([0, 1, 0])
    >>> gain = np.array([5.0, 4.0, 3.0])
    >>> runner_up_losses(row, column, gain, np.array([False, True, True]))
    array([nan,  2.,  2.])
    """
    loss = np.full(len(row), np.nan)
    use = np.flatnonzero((gain > 0) | chosen)
    if not chosen.any():
        return loss
    n_rows, n_columns = int(row[use].max()) + 1, int(column[use].max()) + 1
    component = candidate_components(row[use], column[use], n_rows=n_rows, n_columns=n_columns)
    order = np.argsort(component, kind="stable")
    use, component = use[order], np.unique(component[order], return_inverse=True)[1]
    start = np.flatnonzero(np.diff(component, prepend=-1))
    pair = component.astype(np.int64) * n_rows + row[use]
    rows_of = np.bincount(np.unique(pair) // n_rows, minlength=len(start))
    single = np.diff(start, append=len(use)) == 1
    only = use[start[single]]
    loss[only] = np.where(chosen[only], gain[only], np.nan)
    large = rows_of > _MOST_ROWS
    if large.any():
        here = use[large[component]]
        loss[here] = _losses_of_large(row[here], column[here], gain[here], chosen[here], limit)
    for size in np.unique(rows_of[~single & ~large]).tolist():
        mine = np.flatnonzero((rows_of == size) & ~single)
        at_once = max(1, _ENTRIES_AT_ONCE // (size + 1) ** 2)
        for begin in range(0, len(mine), at_once):
            batch = mine[begin : begin + at_once]
            edges = np.flatnonzero(np.isin(component, batch))
            number = np.searchsorted(batch, component[edges])
            here = use[edges]
            loss[here] = _losses(
                number, row[here], column[here], gain[here], chosen[here], (len(batch), size)
            )
    found: Floats = np.minimum(loss, limit)
    return found


def _losses(
    number: Ints,
    row: Ints,
    column: Ints,
    gain: Floats,
    chosen: NDArray[np.bool_],
    shape: tuple[int, int],
) -> Floats:
    """Find the losses in components of equally many rows at once."""
    n_parts, n = shape
    rows, flat = np.unique(row, return_inverse=True)
    # Rows are numbered within their component; the node n stands for whatever is free.
    part_of_row = np.zeros(len(rows), dtype=np.intp)
    part_of_row[flat] = number
    order = np.argsort(part_of_row, kind="stable")
    rank = np.empty(len(rows), dtype=np.intp)
    rank[order] = np.arange(len(rows)) % n
    local = rank[flat]
    own_gain = np.zeros((n_parts, n))
    own_gain[number[chosen], local[chosen]] = gain[chosen]
    owner = np.full(int(column.max()) + 1, n, dtype=np.intp)
    owner[column[chosen]] = local[chosen]
    # What it costs that a row takes the column of another, takes a free one or none, or that
    # the column of a row is left.
    cost = np.full((n_parts, n + 1, n + 1), np.inf)
    cost[:, n, :n] = 0.0
    cost[:, :n, n] = own_gain
    other = ~chosen
    index = (number[other], local[other], owner[column[other]])
    np.minimum.at(cost, index, own_gain[index[0], index[1]] - gain[other])
    node = np.arange(n + 1)
    cost[:, node, node] = np.inf
    path = cost.copy()
    path[:, node, node] = 0.0
    for through in range(n + 1):
        np.minimum(path, path[:, :, through, None] + path[:, None, through, :], out=path)
    around = (cost + path.transpose(0, 2, 1)).min(axis=2)
    found: Floats = np.where(chosen, np.maximum(around[number, local], 0.0), np.nan)
    return found


def _losses_of_large(
    row: Ints, column: Ints, gain: Floats, chosen: NDArray[np.bool_], limit: float
) -> Floats:
    """Find losses up to a limit by Dijkstra's method, on costs made positive by potentials."""
    rows, i = np.unique(row, return_inverse=True)
    _, j = np.unique(column, return_inverse=True)
    n = len(rows)
    own = np.zeros(n)
    own[i[chosen]] = gain[chosen]
    owner = np.full(int(j.max()) + 1, n, dtype=np.intp)
    owner[j[chosen]] = i[chosen]
    other = ~chosen
    node = np.arange(n)
    start = np.concatenate([i[other], node, np.full(n, n)])
    stop = np.concatenate([owner[j[other]], np.full(n, n), node])
    cost = np.concatenate([own[i[other]] - gain[other], own, np.zeros(n)])
    potential = _potential(start, stop, cost, n)
    # No cost is negative now, and cycles cost what they did.
    cost = np.maximum(cost + potential[start] - potential[stop], 0.0)
    keep = (cost <= limit) & (start != stop)
    # Of parallel edges the cheapest counts; the sum of duplicates would be taken.
    order = np.lexsort((cost[keep], stop[keep], start[keep]))
    start, stop, cost = start[keep][order], stop[keep][order], cost[keep][order]
    first = np.flatnonzero(np.diff(start * (n + 1) + stop, prepend=-1))
    start, stop, cost = start[first], stop[first], cost[first]
    # The solver takes zeros for absent.
    graph = csr_array((cost + 1e-12, (start, stop)), shape=(n + 1, n + 1))
    loss = np.full(n, limit)
    at_once = max(1, _ENTRIES_AT_ONCE // (n + 1))
    for begin in range(0, n + 1, at_once):
        sources = np.arange(begin, min(begin + at_once, n + 1))
        path = dijkstra(graph, indices=sources, limit=limit)
        # An edge from a row to a source closes a path from there back to the row.
        closes = (stop >= sources[0]) & (stop <= sources[-1]) & (start < n)
        around = cost[closes] + path[stop[closes] - begin, start[closes]]
        np.minimum.at(loss, start[closes], around)
    return np.where(chosen, loss[i], np.nan)


def _potential(start: Ints, stop: Ints, cost: Floats, n: int) -> Floats:
    """Give the cheapest way from the free node to every row, by Bellman and Ford's method."""
    potential = np.zeros(n + 1)
    for _ in range(n + 1):
        through = potential[start] + cost
        following = potential.copy()
        np.minimum.at(following, stop, through)
        if (following >= potential - 1e-12).all():
            break
        potential = following
    return potential
