"""Coloring of graphs: which members may be worked on at the same time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def color_graph(edges: NDArray[np.intp], n_members: int, /) -> NDArray[np.intp]:
    """Give every member of a graph a color that none of its neighbors has.

    All members that outrank their uncolored neighbors take the lowest free
    color at once [1]_; ranks are a fixed shuffle, so that the answer is
    always the same and the number of rounds grows with the logarithm of the
    number of members only.

    Parameters
    ----------
    edges : array of int, shape (edge, 2)
        Each pair once, in either order.
    n_members : int

    Returns
    -------
    array of int, shape (member,)
        Colors from 0 upward.

    References
    ----------
    .. [1] M. T. Jones, P. E. Plassmann, SIAM J. Sci. Comput. 14, 654 (1993), section 3.

    Examples
    --------
    >>> int(color_graph(np.array([[0, 1], [1, 2]]), 3).max())
    1
    """
    rank = np.random.default_rng(0).permutation(n_members)
    # Directed from the member to the neighbor that it waits for.
    low = np.where(rank[edges[:, 0]] < rank[edges[:, 1]], edges[:, 0], edges[:, 1])
    high = edges[:, 0] + edges[:, 1] - low
    color = np.full(n_members, -1)
    waits_for = np.bincount(low, minlength=n_members)
    taken = np.zeros((n_members, 64), dtype=bool)
    ready = np.flatnonzero(waits_for == 0)
    order = np.argsort(high, kind="stable")
    low, first = low[order], np.searchsorted(high[order], np.arange(n_members + 1))
    while ready.size:
        if taken[ready].all(axis=1).any():
            taken = np.pad(taken, ((0, 0), (0, taken.shape[1])))
        color[ready] = np.argmin(taken[ready], axis=1)
        counts = first[ready + 1] - first[ready]
        position = np.repeat(first[ready] - np.cumsum(counts) + counts, counts)
        waiting = low[position + np.arange(counts.sum())]
        taken[waiting, np.repeat(color[ready], counts)] = True
        np.subtract.at(waits_for, waiting, 1)
        ready = np.unique(waiting[waits_for[waiting] == 0])
    return color
