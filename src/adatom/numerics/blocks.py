"""Rows of any features cut into blocks, in memory or on disk, always in the same places."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

# Some 16 MB of float32: large enough that numpy's overhead does not count, small enough that
# a few blocks for every thread fit in any memory.
_VALUES_PER_BLOCK: Final = 1 << 22
# Sums of products stay exact to 1e-6 in float32 up to some thousands of rows.
_ROWS_PER_BLOCK: Final = 1 << 13
# A lazy array computes whole chunks: one this large at most is kept for the blocks that share it.
_CHUNK_BYTES: Final = 1 << 28

Slices = tuple[slice, ...]


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
    """

    shape: tuple[int, ...]
    n_columns: int
    dtype: np.dtype[Any]
    _read: Callable[[Slices], NDArray[Any]] = field(repr=False)
    _cuts: tuple[tuple[Slices, slice], ...] = field(repr=False)
    _complete: list[bool] = field(repr=False)

    def __len__(self) -> int:
        return len(self._cuts)

    @property
    def n_rows(self) -> int:
        """Rows in all blocks, those with gaps included."""
        return math.prod(self.shape)

    def rows_of(self, index: int, /) -> slice:
        """Say which rows a block holds, without reading it."""
        return self._cuts[index][1]

    def __getitem__(self, index: int, /) -> Block:
        slices, rows = self._cuts[index]
        # One memory layout for all sources: numpy's sums depend on it.
        values = np.ascontiguousarray(self._read(slices), dtype=self.dtype)
        values = values.reshape(-1, self.n_columns)
        if self._complete[index]:
            return Block(index, rows, np.ones(len(values), dtype=bool), values, values[:0])
        measured = np.isfinite(values).all(axis=1)
        incomplete = values[~measured]
        if measured.all():
            # Remembered, since fits pass over the same blocks many times.
            self._complete[index] = True
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
    read = _DaskReader(array) if hasattr(array, "dask") else _ArrayReader(array)
    return Blocks(tuple(shape), n_columns, dtype, read, cuts, [False] * len(cuts))


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
        cut.shape, cut.n_columns, cut.dtype, cut._read, cut._cuts, cut._complete, work
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


def _cuts(shape: tuple[int, ...], n_rows: int) -> list[tuple[Slices, slice]]:
    """Cut the leading dims into boxes that are consecutive in C order."""
    if math.prod(shape) == 0:
        return []
    # The first axis whose single steps are no more than a block is cut in pieces; the axes before
    # it go one step at a time, those after it are taken whole.
    axis = next(k for k in range(len(shape)) if math.prod(shape[k + 1 :]) <= n_rows)
    inner = math.prod(shape[axis + 1 :])
    n_pieces = -(-shape[axis] // max(1, n_rows // inner))
    edges = [shape[axis] * piece // n_pieces for piece in range(n_pieces + 1)]
    cuts = []
    start = 0
    for outer in np.ndindex(shape[:axis]):
        for low, high in pairwise(edges):
            slices = (*(slice(i, i + 1) for i in outer), slice(low, high))
            stop = start + (high - low) * inner
            cuts.append((slices, slice(start, stop)))
            start = stop
    return cuts


@dataclass(frozen=True)
class _ArrayReader:
    array: Any

    def __call__(self, slices: Slices) -> NDArray[Any]:
        return np.asarray(self.array[slices])


@dataclass(eq=False)
class _DaskReader:
    """Computes the chunks that a box touches once, not once for every block in them."""

    array: Any
    _lock: Lock = field(default_factory=Lock)
    _held: tuple[Slices, NDArray[Any]] | None = None

    def __call__(self, slices: Slices) -> NDArray[Any]:
        slab = self._whole_chunks(slices)
        n_values = math.prod(s.stop - s.start for s in slab)
        n_values *= math.prod(self.array.shape[len(slab) :])
        if n_values * self.array.dtype.itemsize > _CHUNK_BYTES:
            return np.asarray(self.array[slices].compute(scheduler="threads"))
        with self._lock:
            held = self._held
            if held is None or held[0] != slab:
                held = (slab, np.asarray(self.array[slab].compute(scheduler="threads")))
                self._held = held
        inside = tuple(
            slice(s.start - whole.start, s.stop - whole.start)
            for s, whole in zip(slices, slab, strict=True)
        )
        return held[1][inside]

    def _whole_chunks(self, slices: Slices) -> Slices:
        slab = []
        for cut, sizes in zip(slices, self.array.chunks, strict=False):
            edges = np.concatenate([[0], np.cumsum(sizes)])
            low = edges[np.searchsorted(edges, cut.start, side="right") - 1]
            high = edges[np.searchsorted(edges, cut.stop, side="left")]
            slab.append(slice(int(low), int(high)))
        return tuple(slab)
