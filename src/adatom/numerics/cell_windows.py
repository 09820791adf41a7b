"""Means over the cells around each cell of a lattice, for sites that carry lattice indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Cells between two patches of a grid, so that no window reaches from one into the other.
_GAP: Final = 8


class Box(NamedTuple):
    """Cells around one, as first and last offset along i and along j."""

    i_first: int
    i_last: int
    j_first: int
    j_last: int


def square_box(size: int, /) -> Box:
    """Give the box of size x size cells around one; `size` is odd.

    Examples
    --------
    >>> square_box(3)
    Box(i_first=-1, i_last=1, j_first=-1, j_last=1)
    """
    half = size // 2
    return Box(-half, half, -half, half)


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Where sites stand on grids of cells, one patch for each group, side by side.

    Attributes
    ----------
    place : ndarray of int, shape (site,)
        Place of each site in the flat grid; -1: none.
    index : ndarray of int, shape (site, 2)
        Lattice index i, j, whose parity tells the cells of a doubled cell apart.
    shape : tuple of int
        Rows and columns of the grid.
    """

    place: NDArray[np.int64]
    index: NDArray[np.int64]
    shape: tuple[int, int]

    def means(
        self,
        values: NDArray[np.floating],
        box: Box,
        /,
        *,
        characters: Sequence[tuple[int, int]] = ((0, 0),),
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Average values (site, measure), NaN left out, over the like cells of a box.

        `characters` are the wave vectors, in halves of the reciprocal cell, of
        a superlattice: with (0, 0) and (1, 0) cells are like where they are an
        even number of cells apart along i.

        Returns
        -------
        means : ndarray, shape (site, measure)
            NaN where the box holds nothing.
        counts : ndarray, shape (site, measure)
            Cells that were averaged.
        """
        n_sites, n_measures = values.shape
        means = np.full((n_sites, n_measures), np.nan)
        counts = np.zeros((n_sites, n_measures))
        here = np.flatnonzero(self.place >= 0)
        signs = [self._signs(character)[here] for character in characters]
        for measure in range(n_measures):
            column = values[here, measure].astype(np.float64)
            known = np.isfinite(column)
            column = np.where(known, column, 0.0)
            weight = known.astype(np.float64)
            total = sum(s * self._sums(s * column, here, box) for s in signs)
            count = sum(s * self._sums(s * weight, here, box) for s in signs)
            count = np.round(np.asarray(count) / len(signs))
            with np.errstate(invalid="ignore", divide="ignore"):
                means[here, measure] = np.where(
                    count > 0, np.asarray(total) / len(signs) / count, np.nan
                )
            counts[here, measure] = count
        return means, counts

    def weighted(
        self, values: NDArray[np.floating], weights: Sequence[float], /
    ) -> NDArray[np.float64]:
        """Average values (site,) with the same weights along i and j, as many on both sides."""
        here = np.flatnonzero((self.place >= 0) & np.isfinite(values))
        dense = np.bincount(self.place[here], values[here], self._size).reshape(self.shape)
        count = (
            np.bincount(self.place[here], minlength=self._size).reshape(self.shape).astype(float)
        )
        for axis in (0, 1):
            dense, count = (_correlated(array, weights, axis) for array in (dense, count))
        out = np.full(len(values), np.nan)
        held = self.place >= 0
        with np.errstate(invalid="ignore", divide="ignore"):
            out[held] = (dense / count).ravel()[self.place[held]]
        return out

    def partners(self, step: tuple[int, int], /) -> NDArray[np.int64]:
        """Give the number of the site that stands a step of cells away; -1: none."""
        lookup = np.full(self._size, -1, dtype=np.int64)
        held = np.flatnonzero(self.place >= 0)
        lookup[self.place[held]] = held
        row, column = np.divmod(self.place[held], self.shape[1])
        row, column = row + step[0], column + step[1]
        inside = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        found = np.full(len(self.place), -1, dtype=np.int64)
        found[held[inside]] = lookup[row[inside] * self.shape[1] + column[inside]]
        return found

    @property
    def _size(self) -> int:
        return self.shape[0] * self.shape[1]

    def _signs(self, character: tuple[int, int]) -> NDArray[np.float64]:
        odd = (self.index[:, 0] * character[0] + self.index[:, 1] * character[1]) % 2
        return 1.0 - 2.0 * odd

    def _sums(
        self, column: NDArray[np.float64], here: NDArray[np.int64], box: Box
    ) -> NDArray[np.float64]:
        dense = np.bincount(self.place[here], column, self._size).reshape(self.shape)
        dense = _banded(dense, box.i_first, box.i_last, 0)
        dense = _banded(dense, box.j_first, box.j_last, 1)
        sums: NDArray[np.float64] = dense.ravel()[self.place[here]]
        return sums


def grid_of_cells(lattice_index: NDArray[np.int64], group: NDArray[np.int64], /) -> CellGrid:
    """Lay the sites of every group (-1: none) out on a grid of their own.

    Examples
    --------
    >>> grid = grid_of_cells(np.array([[0, 0], [0, 1], [0, 2]]), np.array([0, 0, 0]))
    >>> grid.means(np.array([[1.0], [2.0], [6.0]]), square_box(3))[0].ravel()
    array([1.5, 3. , 4. ])
    """
    place = np.full(len(group), -1, dtype=np.int64)
    held = np.flatnonzero(group >= 0)
    if not len(held):
        return CellGrid(place, lattice_index, (1, 1))
    numbers, rank = np.unique(group[held], return_inverse=True)
    low = np.full((len(numbers), 2), np.iinfo(np.int64).max)
    high = np.full((len(numbers), 2), np.iinfo(np.int64).min)
    np.minimum.at(low, rank, lattice_index[held])
    np.maximum.at(high, rank, lattice_index[held])
    extent = high - low + 1
    # Patches lie along j: those that are longer along i would leave most of the rows empty.
    start = np.concatenate([[0], np.cumsum(extent[:-1, 1] + _GAP)])
    shape = int(extent[:, 0].max()), int(start[-1] + extent[-1, 1])
    offset = lattice_index[held] - low[rank]
    place[held] = offset[:, 0] * shape[1] + offset[:, 1] + start[rank]
    return CellGrid(place, lattice_index, shape)


def _banded(dense: NDArray[np.float64], first: int, last: int, axis: int) -> NDArray[np.float64]:
    """Sum along an axis from `first` to `last` cells beyond each; outside is zero."""
    if first == last == 0:
        return dense
    out = np.zeros_like(dense)
    for shift in range(first, last + 1):
        _add_shifted(out, dense, shift, axis, 1.0)
    return out


def _correlated(
    dense: NDArray[np.float64], weights: Sequence[float], axis: int
) -> NDArray[np.float64]:
    out = np.zeros_like(dense)
    for shift, weight in enumerate(weights, start=-(len(weights) // 2)):
        _add_shifted(out, dense, shift, axis, weight)
    return out


def _add_shifted(
    out: NDArray[np.float64], dense: NDArray[np.float64], shift: int, axis: int, weight: float
) -> None:
    size = dense.shape[axis]
    if abs(shift) >= size:
        return
    to = slice(max(0, -shift), size - max(0, shift))
    of = slice(max(0, shift), size + min(0, shift))
    part = (to, slice(None)) if axis == 0 else (slice(None), to)
    source = (of, slice(None)) if axis == 0 else (slice(None), of)
    out[part] += dense[source] if weight == 1.0 else weight * dense[source]
