"""Rows of any features cut into blocks, in memory or on disk, always in the same places."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from adatom.numerics.readers import Box, Reader, reader_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

# Some 16 MB of float32: large enough that numpy's overhead does not count, small enough that
# a few blocks for every thread fit in any memory.
_VALUES_PER_BLOCK: Final = 1 << 22
# Sums of products stay exact to 1e-6 in float32 up to some thousands of rows.
_ROWS_PER_BLOCK: Final = 1 << 13


class Block(NamedTuple):
    """Consecutive rows of features."""

    number: int
    rows: slice
    """Place among all rows, the leading dims taken in C order."""
    measured: NDArray[np.bool_]
    """Which of these rows have no NaN or infinity."""
    values: NDArray[Any]
    """The measured rows, (row, feature), C-contiguous float32 or float64."""
    incomplete: NDArray[Any]
    """The other rows, with their NaN."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """All rows of features, read block by block.

    Attributes
    ----------
    shape : tuple of int
        Sizes of the leading dims.
    n_columns : int
        Size of the last dim.
    dtype : numpy dtype
        Of the blocks: float64 for float64 and wide integers, else float32.
    reader : Reader
        Of the array.
    """

    shape: tuple[int, ...]
    n_columns: int
    dtype: np.dtype[Any]
    reader: Reader = field(repr=False)
    _cuts: tuple[tuple[Box, slice], ...] = field(repr=False)
    _complete: list[bool] = field(repr=False)
    _first: int = 0
    """Number of the first of `_cuts`, where only some blocks are at hand."""

    def __len__(self) -> int:
        return len(self._cuts)

    @property
    def n_rows(self) -> int:
        """Rows in all blocks, those with gaps included."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Size of all blocks in memory."""
        return self.n_rows * self.n_columns * self.dtype.itemsize

    def rows_of(self, index: int, /) -> slice:
        """Say which rows a block holds, without reading it."""
        return self._cuts[index - self._first][1]

    def boxes_of(self, numbers: range, /) -> list[Box]:
        """Say where some blocks stand in the array."""
        return [self._cuts[number - self._first][0] for number in numbers]

    def only(self, numbers: range, reader: Reader, /) -> Self:
        """Keep some consecutive blocks, by the numbers that they have, read by another reader."""
        kept = slice(numbers.start - self._first, numbers.stop - self._first)
        return replace(
            self,
            reader=reader,
            _cuts=self._cuts[kept],
            _complete=self._complete[kept],
            _first=numbers.start,
        )

    def __getitem__(self, index: int, /) -> Block:
        box, rows = self._cuts[index - self._first]
        # One memory layout for all sources: numpy's sums depend on it.
        values = np.ascontiguousarray(self.reader(box), dtype=self.dtype)
        values = values.reshape(-1, self.n_columns)
        if self._complete[index - self._first]:
            return Block(index, rows, np.ones(len(values), dtype=bool), values, values[:0])
        measured = np.isfinite(values).all(axis=1)
        incomplete = values[~measured]
        if measured.all():
            # Remembered, since fits pass over the same blocks many times.
            self._complete[index - self._first] = True
        else:
            values = values[measured]
        return Block(index, rows, measured, values, incomplete)


def blocks(features: xr.DataArray, /) -> Blocks:
    """Cut features into blocks of rows, from their shape and type alone.

    How a lazy array is chunked decides only how it is read, so results
    computed from blocks do not depend on it.

    Parameters
    ----------
    features : Features
        Numpy or dask inside; the last dim becomes the columns.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> cut = blocks(xr.DataArray(np.zeros((300, 200, 4), "float32"), dims=("y", "x", "energy")))
    >>> len(cut), cut[0].values.shape
    (8, (7400, 4))
    """
    return blocks_from_array(features.data)


def blocks_from_array(array: Any, /) -> Blocks:  # noqa: ANN401 -- numpy or dask
    """Cut an array (..., column) into blocks of rows; see `blocks`."""
    *shape, n_columns = array.shape
    narrow = array.dtype.kind == "f" or array.dtype.itemsize <= 2
    dtype = np.dtype(np.float32 if narrow and array.dtype.itemsize <= 4 else np.float64)
    n_rows = max(1, min(_ROWS_PER_BLOCK, _VALUES_PER_BLOCK // max(n_columns, 1)))
    cuts = tuple(_cuts(tuple(shape), n_rows))
    return Blocks(tuple(shape), n_columns, dtype, reader_of(array), cuts, [False] * len(cuts))


@dataclass(frozen=True, eq=False)
class MappedBlocks(Blocks):
    """Blocks of which the measured rows go through a function before they are used."""

    _work: Callable[[NDArray[Any]], NDArray[Any]] = field(default=np.asarray, repr=False)

    def __getitem__(self, index: int, /) -> Block:
        block = super().__getitem__(index)
        return block._replace(values=self._work(block.values))


def mapped_blocks(cut: Blocks, work: Callable[[NDArray[Any]], NDArray[Any]], /) -> MappedBlocks:
    """Pass the rows of every block through a function that works row by row.

    Parameters
    ----------
    cut : Blocks
        As they are.
    work : callable
        Gives, for measured rows (row, column), as many rows and columns of
        the same type.
    """
    return MappedBlocks(
        cut.shape, cut.n_columns, cut.dtype, cut.reader, cut._cuts, cut._complete, _work=work
    )


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive blocks, with what is known beside their rows: what one worker is given."""

    blocks: Blocks
    numbers: range
    beside: tuple[NDArray[Any], ...]
    """Arrays (row, ...) of the rows of these blocks alone."""

    def __iter__(self) -> Iterator[tuple[Block, list[NDArray[Any]]]]:
        """Read block after block, each with the measured rows of what stands beside it."""
        start = None
        for number in self.numbers:
            block = self.blocks[number]
            start = block.rows.start if start is None else start
            here = slice(block.rows.start - start, block.rows.stop - start)
            rows = [array[here] for array in self.beside]
            if not block.measured.all():
                rows = [part[block.measured] for part in rows]
            yield block, rows


def pieces_of(cut: Blocks, span: int, beside: Sequence[NDArray[Any]] = (), /) -> Iterator[Piece]:
    """Give all blocks in pieces of `span`, each with its rows of arrays (row, ...)."""
    for array in beside:
        if len(array) != cut.n_rows:
            msg = f"{len(array)} rows stand beside {cut.n_rows} rows of blocks"
            raise ValueError(msg)
    for start in range(0, len(cut), span):
        numbers = range(start, min(start + span, len(cut)))
        rows = slice(cut.rows_of(numbers[0]).start, cut.rows_of(numbers[-1]).stop)
        yield Piece(cut, numbers, tuple(array[rows] for array in beside))


def _cuts(shape: tuple[int, ...], n_rows: int) -> list[tuple[Box, slice]]:
    """Cut the leading dims into boxes that are consecutive in C order."""
    if math.prod(shape) == 0:
        return []
    # The first axis whose single steps are no more than a block is cut in pieces; the axes before
    # it go one step at a time, those after it are taken whole.
    axis = next(k for k in range(len(shape)) if math.prod(shape[k + 1 :]) <= n_rows)
    inner = math.prod(shape[axis + 1 :])
    n_pieces = -(-shape[axis] // max(1, n_rows // inner))
    edges = [shape[axis] * piece // n_pieces for piece in range(n_pieces + 1)]
    rest = tuple(slice(0, size) for size in shape[axis + 1 :])
    cuts = []
    start = 0
    for outer in np.ndindex(shape[:axis]):
        for low, high in pairwise(edges):
            box = (*(slice(i, i + 1) for i in outer), slice(low, high), *rest)
            stop = start + (high - low) * inner
            cuts.append((box, slice(start, stop)))
            start = stop
    return cuts
