"""Domains of cells, by what each cell shows itself and by what the eight around are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

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
# Of eight around: fewer are beyond the edge.
_LEAST_AROUND: Final = 5
_AROUND: Final = tuple((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b)
_I, _J = (1, 0), (0, 1)
# Cuts are found in whole numbers.
_PARTS: Final = 1000


def settled_domains(
    grid: CellGrid,
    label: NDArray[np.int64],
    sets: NDArray[np.int64],
    probability: NDArray[np.floating] | None = None,
    /,
) -> NDArray[np.int64]:
    """Give every cell the likeliest domain, since walls are few among the pairs of neighbors.

    Cells beside a wall see one half of their neighbors in the other domain, and
    tell less of their own than others do; what lacks a neighbor there may tell
    nothing. The sum of the logarithms of their probabilities and of a term for
    every pair of like neighbors is brought to a maximum: cell by cell by iterated
    conditional modes [1]_, then all cells near walls at once by minimum cuts
    [2]_, since a row of cells may be wrong together. The term is that of the pairs
    that are unlike: where these are few, a wall is unlikely, and where hardly
    any are so along one axis, walls run along it without steps.

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

    Returns
    -------
    ndarray of int, shape (site,)

    References
    ----------
    .. [1] J. Besag, J. R. Stat. Soc. B 48, 259 (1986), section 2.5.
    .. [2] Y. Boykov, O. Veksler, R. Zabih, IEEE Trans. Pattern Anal. 23, 1222 (2001), section 3
       (swap moves).

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
        shown = _shown(probability[held]) / _BONDS_SHARED
        shown = np.maximum(shown, -_MOST * likeness)
    cells = _cells(grid, label, held, shown, likeness)
    cells.shown[sets != sets[cells.label][:, None]] = -np.inf
    _settle_singly(cells)
    settled[held] = cells.label[: len(held)]
    cells = cells._replace(likeness=likeness + _straightness(grid, settled))
    _settle_near_walls(cells, sets)
    settled[held] = cells.label[: len(held)]
    return settled


class _Cells(NamedTuple):
    """Cells with a domain, which is changed in place; vacant ones come last.

    `parity` (cell) numbers the cells of 2 x 2, `shown` (cell, domain) is what each tells itself,
    `beside` (step, cell) the number of the cell around it, that of all cells where there is
    none, and `likeness` (step) what it counts to be like that one.
    """

    label: NDArray[np.int64]
    parity: NDArray[np.int64]
    shown: NDArray[np.float64]
    beside: NDArray[np.int64]
    likeness: NDArray[np.float64]

    def score(self, cells: NDArray[np.int64], label: NDArray[np.int64], /) -> NDArray[np.float64]:
        """Give what cells themselves, and the labels around them, tell for each domain."""
        around = np.append(label, -1)[self.beside[:, cells]]
        score = self.shown[cells].copy()
        for domain in range(score.shape[1]):
            score[:, domain] += self.likeness @ (around == domain)
        return score


def _cells(
    grid: CellGrid,
    label: NDArray[np.int64],
    held: NDArray[np.int64],
    shown: NDArray[np.float64],
    likeness: float,
) -> _Cells:
    """Put the cells that have a domain together, with vacant ones amid them.

    Walls go on through vacancies, which tell nothing themselves.
    """
    n_rows, n_columns = grid.shape
    taken = np.zeros((n_rows + 2, n_columns + 2), dtype=bool)
    row, column = np.divmod(grid.place[held], n_columns)
    taken[row + 1, column + 1] = True
    around = sum(
        np.roll(taken, (-a, -b), axis=(0, 1))[1:-1, 1:-1].astype(np.int8) for a, b in _AROUND
    )
    vacant = ~taken[1:-1, 1:-1] & (np.asarray(around) >= _LEAST_AROUND)
    row, column = (
        np.append(mine, more) + 1
        for mine, more in zip((row, column), np.nonzero(vacant), strict=True)
    )
    number = np.full(taken.shape, len(row))
    number[row, column] = np.arange(len(row))
    beside = np.stack([number[row + a, column + b] for a, b in _AROUND])
    n_vacant = len(row) - len(held)
    cells = _Cells(
        np.append(label[held], np.full(n_vacant, -1)),
        2 * (row % 2) + column % 2,
        np.vstack([shown, np.zeros((n_vacant, shown.shape[1]))]),
        beside,
        np.full(len(_AROUND), likeness),
    )
    last = np.arange(len(held), len(row))
    cells.label[last] = cells.score(last, cells.label).argmax(axis=1)
    return cells


def _likeness(grid: CellGrid, label: NDArray[np.int64]) -> float:
    """Give the logarithm of how much likelier like neighbors are, for one of the pairs cut."""
    unlike, pairs = np.sum([_unlike(grid, label, step) for step in (_I, _J)], axis=0)
    share = (unlike + 0.5) / (pairs + 1)
    return max(0.0, float(np.log((1 - share) / share)) / _CUT)


def _unlike(grid: CellGrid, label: NDArray[np.int64], step: tuple[int, int]) -> tuple[int, int]:
    """Count the pairs of cells that are unlike, and all pairs."""
    to = grid.partners(step)
    first = np.flatnonzero((to >= 0) & (label >= 0))
    first = first[label[to[first]] >= 0]
    return int((label[first] != label[to[first]]).sum()), len(first)


def _straightness(grid: CellGrid, label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the logarithm of how rare steps of walls are, for each step to a cell around.

    A wall along i has unlike pairs along j, and one along i where it steps aside. Walls of
    all directions have as many of both.
    """
    along_i, along_j = (_unlike(grid, label, step)[0] + 1 for step in (_I, _J))
    rare = float(np.log(along_j / along_i))
    return np.array([max(0.0, rare) * (not b) + max(0.0, -rare) * (not a) for a, b in _AROUND])


def _settle_singly(cells: _Cells) -> None:
    """Bring one cell after the other to its likeliest domain, until none changes."""
    # Cells of like parity along i and along j are no neighbors, and settle at once.
    turns = [np.flatnonzero(cells.parity == turn) for turn in range(4)]
    for _ in range(_MOST_ROUNDS):
        before = cells.label.copy()
        for mine in turns:
            score = cells.score(mine, cells.label)
            # What is as likely as another stays what it is.
            score[np.arange(len(mine)), cells.label[mine]] += 1e-6
            cells.label[mine] = score.argmax(axis=1)
        if np.array_equal(before, cells.label):
            break


def _settle_near_walls(cells: _Cells, sets: NDArray[np.int64]) -> None:
    """Exchange every two domains of a set among the cells near walls, for the best of all."""
    pairs = [(a, b) for b in range(len(sets)) for a in range(b) if sets[a] == sets[b]]
    for _ in range(_MOST_ROUNDS):
        before = cells.label.copy()
        for first, second in pairs:
            _exchange(cells, first, second)
        if len(pairs) == 1 or np.array_equal(before, cells.label):
            break


def _near_walls(cells: _Cells) -> NDArray[np.bool_]:
    """Tell which cells have an unlike one among the two cells around."""
    label = np.append(cells.label, -1)
    around = label[cells.beside]
    near = ((around != cells.label) & (around >= 0)).any(axis=0)
    wide: NDArray[np.bool_] = near | np.append(near, False)[cells.beside].any(axis=0)
    return wide


def _exchange(cells: _Cells, first: int, second: int) -> None:
    """Part the cells near walls that are of one of two domains by a minimum cut."""
    mine = np.flatnonzero(_near_walls(cells) & np.isin(cells.label, (first, second)))
    if not len(mine):
        return
    place = np.full(len(cells.label) + 1, -1)
    place[mine] = np.arange(len(mine))
    # What stays speaks as what the cells show themselves; pairs within are to be cut.
    fixed = cells.label.copy()
    fixed[mine] = -1
    gain = np.diff(cells.score(mine, fixed)[:, [second, first]])[:, 0]
    # What is as likely as another stays what it is.
    gain += np.where(cells.label[mine] == first, 1, -1) / _PARTS
    to = place[cells.beside[:, mine]]
    step, start = np.nonzero(to >= 0)
    source, sink = len(mine), len(mine) + 1
    ends = np.concatenate([to[step, start], np.arange(len(mine)), np.full(len(mine), sink)])
    starts = np.concatenate([start, np.full(len(mine), source), np.arange(len(mine))])
    weight = np.concatenate([cells.likeness[step], np.maximum(gain, 0), np.maximum(-gain, 0)])
    capacity = csr_array(
        (np.round(_PARTS * weight).astype(np.int32), (starts, ends)), shape=(sink + 1, sink + 1)
    )
    left = capacity - maximum_flow(capacity, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    is_first = np.zeros(len(mine), dtype=bool)
    is_first[reached[reached < len(mine)]] = True
    cells.label[mine] = np.where(is_first, first, second)


def _shown(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the logarithm of how much less likely domains are than the likeliest."""
    log = np.log(np.maximum(probability.astype(np.float64), _LEAST))
    shown: NDArray[np.float64] = log - log.max(axis=1, keepdims=True)
    return shown
