"""Domains of cells, by what each cell shows itself and by what the eight around are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.cell_windows import CellGrid

# A wall along a row of cells cuts so many of the eight pairs of each cell beside it.
_CUT: Final = 3
# What a cell shows counts for no more than half of the eight around, so that one alone is
# outvoted however sure it seems: dirt and a false position look like anything.
_MOST: Final = 4
# Neighboring cells share their bonds, so that a sum over cells holds each bond twice.
_BONDS_SHARED: Final = 2
_LEAST: Final = 1e-30
_MOST_ROUNDS: Final = 20
_AROUND: Final = tuple((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b)


def settled_domains(
    grid: CellGrid,
    label: NDArray[np.int64],
    sets: NDArray[np.int64],
    probability: NDArray[np.floating] | None = None,
    /,
    *,
    n_averaged: int = 1,
) -> NDArray[np.int64]:
    """Give every cell the likeliest domain, since walls are few among the pairs of neighbors.

    Cells beside a wall see one half of their neighbors in the other domain, and
    tell less of their own than others do; what lacks a neighbor there may tell
    nothing. The sum of the logarithms of their probabilities and of a term for
    every pair of like neighbors is brought to its nearest maximum by iterated
    conditional modes [1]_. The term is that of the pairs that are unlike: where
    these are few, a wall is unlikely.

    Parameters
    ----------
    grid : CellGrid
        Where cells stand.
    label : ndarray of int, shape (site,)
        Domain of each cell as found; -1: none, which stays so.
    sets : ndarray of int, shape (domain,)
        Cells change to domains of the same set only.
    probability : ndarray, shape (site, domain), optional
        Of the domains for each cell; by default, a cell counts as one of the eight.
    n_averaged : int
        Cells over which means were taken, so that a sum over cells holds each
        so many times.

    Returns
    -------
    ndarray of int, shape (site,)

    References
    ----------
    .. [1] J. Besag, J. R. Stat. Soc. B 48, 259 (1986), section 2.5.

    Examples
    --------
    >>> from adatom.numerics.cell_windows import grid_of_cells
    >>> index = np.indices((3, 3)).reshape(2, -1).T
    >>> grid = grid_of_cells(index, np.zeros(9, dtype=int))
    >>> settled_domains(grid, np.array([1, 1, 1, 1, 0, 1, 1, 1, 1]), np.zeros(2))
    array([1, 1, 1, 1, 1, 1, 1, 1, 1])
    """
    held = np.flatnonzero(label >= 0)
    settled = label.copy()
    if not len(held):
        return settled
    likeness = _likeness(grid, label)
    if probability is None:
        shown = np.where(label[held, None] == np.arange(len(sets)), 0.0, -likeness)
    else:
        shown = _shown(probability[held]) / (_BONDS_SHARED * n_averaged)
        shown = np.maximum(shown, -_MOST * likeness)
    shown[sets != sets[label[held]][:, None]] = -np.inf
    beside = np.stack([grid.partners(step)[held] for step in _AROUND])
    beside[beside < 0] = len(label)
    # Cells of like parity along i and along j are no neighbors, and settle at once.
    parity = grid.index[held] % 2 @ np.array([2, 1])
    turns = [np.flatnonzero(parity == turn) for turn in range(4)]
    for _ in range(_MOST_ROUNDS):
        before = settled.copy()
        for mine in turns:
            around = np.append(settled, -1)[beside[:, mine]]
            score = shown[mine].copy()
            for domain in range(len(sets)):
                score[:, domain] += likeness * (around == domain).sum(axis=0)
            own = settled[held[mine]]
            # What is as likely as another stays what it is.
            score[np.arange(len(mine)), own] += 1e-6
            settled[held[mine]] = score.argmax(axis=1)
        if np.array_equal(before, settled):
            break
    return settled


def _likeness(grid: CellGrid, label: NDArray[np.int64]) -> float:
    """Give the logarithm of how much likelier like neighbors are, for one of the pairs cut."""
    unlike, pairs = 0, 0
    for step in ((1, 0), (0, 1)):
        to = grid.partners(step)
        first = np.flatnonzero((to >= 0) & (label >= 0))
        first = first[label[to[first]] >= 0]
        unlike += int((label[first] != label[to[first]]).sum())
        pairs += len(first)
    share = (unlike + 0.5) / (pairs + 1)
    return max(0.0, float(np.log((1 - share) / share)) / _CUT)


def _shown(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the logarithm of how much less likely domains are than the likeliest."""
    log = np.log(np.maximum(probability.astype(np.float64), _LEAST))
    shown: NDArray[np.float64] = log - log.max(axis=1, keepdims=True)
    return shown
