"""Boxes of arrays in memory or on disk: read here, or by another process that opens the source."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import finalize

import numpy as np

from adatom.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

# A lazy array computes whole chunks: those around a block are held for the next one if they take
# no more than this.
_HELD_BYTES: Final = 1 << 28
# Older ones are let go beyond this; the last two stay, whatever their size.
_KEPT_BYTES: Final = 1 << 26
# What is read by reference travels as a few kB; below this it does not matter.
_SMALL: Final = 1 << 16

Box = tuple[slice, ...]
"""Along all axes of an array but the last, which is taken whole."""

Key = tuple[tuple[int, int], ...]
"""A box that can be the key of a dict."""


class Reader(Protocol):
    """Reads boxes of one array."""

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Read a box."""
        ...


def reader_of(array: Any, /) -> Reader:  # noqa: ANN401 -- anything with shape, dtype and slicing
    """Make the reader of an array: numpy, dask, or one that stays in its file until sliced."""
    return DaskReader(array) if hasattr(array, "dask") else ArrayReader(array)


def traveling_reader(reader: Reader, boxes: Sequence[Box], /) -> Reader:
    """Give what reads some consecutive boxes alone, and is fit to travel to another process.

    Where the array stands in a file, it travels as the place of the file;
    values travel where they are in memory, or are smaller than the
    description of how they come about.
    """
    if not isinstance(reader, ArrayReader | DaskReader):
        return reader
    place = reader.place_of(boxes)
    most = max(_SMALL, _n_bytes(reader.array, boxes))
    pickled = None if place is None else _pickled(place, most)
    return values_of(reader, boxes) if pickled is None else _PickledReader(pickled)


def values_of(reader: Reader, boxes: Sequence[Box], /) -> ValuesReader:
    """Read some boxes and hold them."""
    return ValuesReader({_key(box): np.ascontiguousarray(reader(box)) for box in boxes})


def _n_bytes(array: Any, boxes: Sequence[Box]) -> int:  # noqa: ANN401
    n_rows = sum(math.prod(s.stop - s.start for s in box) for box in boxes)
    return int(n_rows * array.shape[-1] * array.dtype.itemsize)


@dataclass(frozen=True, eq=False)
class ValuesReader:
    """Holds the values of a few boxes."""

    values: Mapping[Key, NDArray[Any]]

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Give a box."""
        return self.values[_key(box)]

    @property
    def nbytes(self) -> int:
        """Of all boxes."""
        return sum(part.nbytes for part in self.values.values())


def _key(box: Box) -> Key:
    return tuple((s.start, s.stop) for s in box)


def _box(key: Key) -> Box:
    return tuple(slice(start, stop) for start, stop in key)


@dataclass(eq=False)
class _PickledReader:
    """A reader in the form in which it travels, opened where it is first used."""

    pickled: bytes
    _lock: Lock = field(default_factory=Lock)
    _opened: Reader | None = None

    def __call__(self, box: Box, /) -> NDArray[Any]:
        import cloudpickle

        with self._lock:
            if self._opened is None:
                self._opened = cloudpickle.loads(self.pickled)
            opened: Reader = self._opened
        return opened(box)

    def __reduce__(self) -> tuple[Any, ...]:
        return _PickledReader, (self.pickled,)


def _pickled(reader: Reader, most: int) -> bytes | None:
    """Pickle a reader, unless it cannot be or would take more than `most` bytes."""
    import cloudpickle

    try:
        # Arrays that it holds are only pointed to, so that they can be counted first.
        held: list[Any] = []
        outside = cloudpickle.dumps(reader, protocol=5, buffer_callback=held.append)
        if len(outside) + sum(buffer.raw().nbytes for buffer in held) > most:
            return None
        return bytes(cloudpickle.dumps(reader))
    except Exception:  # noqa: BLE001 -- locks, open files: whatever the source holds
        return None


@dataclass(frozen=True, eq=False)
class ArrayReader:
    """Slices an array: numpy, mapped from a file, or of zarr or HDF5."""

    array: Any

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Slice."""
        return np.asarray(self.array[box])

    def place_of(self, _boxes: Sequence[Box], /) -> Reader | None:
        """Name the file, if there is one."""
        if isinstance(self.array, np.ndarray):
            return _mapped_file(self.array)
        if type(self.array).__module__.startswith("h5py"):
            return _Hdf5Reader(str(Path(self.array.file.filename).absolute()), str(self.array.name))
        return self


@dataclass(frozen=True, eq=False)
class _Hdf5Reader:
    """Opens the file for every box: HDF5 files do not travel, and do not stay open."""

    path: str
    name: str

    def __call__(self, box: Box, /) -> NDArray[Any]:
        import h5py

        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.name][box])


@dataclass(frozen=True, eq=False)
class _MapReader:
    """Maps a file anew for every box, and so lets its pages go."""

    path: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, box: Box, /) -> NDArray[Any]:
        mapped = np.memmap(self.path, np.uint8, "r")
        whole: NDArray[Any] = np.ndarray(self.shape, self.dtype, mapped, self.offset, self.strides)
        return np.array(whole[box])


def _mapped_file(array: NDArray[Any]) -> _MapReader | None:
    """Find the file that an array is mapped from, if all that it shows stands in the file."""
    chain: Any = array
    found: np.memmap[Any, Any] | None = None
    while isinstance(chain, np.ndarray):
        if isinstance(chain, np.memmap):
            found = chain
        chain = chain.base
    # Changes to a map of mode "c" stand in memory alone.
    if found is None or found.filename is None or found.mode == "c":
        return None
    place = array.__array_interface__["data"][0] - found.__array_interface__["data"][0]
    return _MapReader(
        str(found.filename), array.dtype, found.offset + place, array.shape, array.strides
    )


@dataclass(eq=False)
class DaskReader:
    """Computes whole chunks of a dask array once, not once for every box in them.

    Chunks are kept while boxes go on through them. Where the chunks around a
    box are too many for memory (those of a map that is cut along the measured
    axis are the whole map), they are computed once and laid down row by row
    in temporary files.
    """

    array: Any
    scheduler: str = "threads"
    _lock: Lock = field(default_factory=Lock)
    _slabs: dict[Key, Future[NDArray[Any]]] = field(default_factory=dict)
    _laid: dict[Key, _RowFiles] = field(default_factory=dict)

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Compute the chunks around a box, or take those that are held."""
        axis, strips = self._strips(box)
        parts = []
        for strip in strips:
            inside = list(box)
            inside[axis] = slice(
                max(box[axis].start, strip[axis].start), min(box[axis].stop, strip[axis].stop)
            )
            parts.append(self._read(tuple(inside), strip))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)

    def _read(self, box: Box, strip: Box) -> NDArray[Any]:
        if self._fits_memory(strip):
            return self._held(strip)[_moved(box, [s.start for s in strip])]
        if _is_file_itself(self.array):
            # The file is asked for the box alone, whatever the chunks.
            return self._computed(self.array[box])
        return self._from_files(box, strip)

    def __reduce__(self) -> tuple[Any, ...]:
        return DaskReader, (self.array, self.scheduler)

    def place_of(self, boxes: Sequence[Box], /) -> Reader | None:
        """Take the part of the graph that consecutive boxes need, if that is not far too much."""
        import dask

        if not self.holds(boxes[0]):
            return None
        low = [min(box[axis].start for box in boxes) for axis in range(len(boxes[0]))]
        high = [max(box[axis].stop for box in boxes) for axis in range(len(boxes[0]))]
        part = self.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        # Culled, so that chunks that stand in memory do not all travel.
        (culled,) = dask.optimize(part)  # type: ignore[attr-defined,no-untyped-call]
        return _MovedReader(DaskReader(culled, "synchronous"), tuple(low))

    def holds(self, box: Box, /) -> bool:
        """Tell whether the chunks around a box are few enough to be held in memory."""
        return all(self._fits_memory(strip) for strip in self._strips(box)[1])

    def _strips(self, box: Box) -> tuple[int, list[Box]]:
        """Cut the chunks around a box, along one axis, into those of it alone and those shared."""
        around = [
            _edges_around(cut, sizes) for cut, sizes in zip(box, self.array.chunks, strict=False)
        ]
        whole = [slice(edges[0], edges[-1]) for edges in around]
        # Along the axes behind this one, boxes are whole.
        axis = max(
            (k for k, cut in enumerate(box) if cut != slice(0, self.array.shape[k])), default=0
        )
        edges = around[axis]
        cuts = [edges[0], edges[-1]]
        if edges[0] < box[axis].start:
            cuts.insert(1, edges[1])
        if edges[-1] > box[axis].stop:
            cuts.insert(-1, edges[-2])
        strips = [
            (*whole[:axis], slice(low, high), *whole[axis + 1 :])
            for low, high in pairwise(dict.fromkeys(cuts))
        ]
        return axis, strips

    def _fits_memory(self, slab: Box) -> bool:
        return _n_bytes(self.array, [slab]) <= _HELD_BYTES

    def _held(self, slab: Box) -> NDArray[Any]:
        """Compute chunks, or wait for the thread that computes them already."""
        key = _key(slab)
        with self._lock:
            future = self._slabs.pop(key, None)
            is_new = future is None
            if future is None:
                future = Future()
                self._let_go(_n_bytes(self.array, [slab]))
            # The last in the row was used last.
            self._slabs[key] = future
        if is_new:
            try:
                future.set_result(self._computed(self.array[slab]))
            except BaseException as error:
                with self._lock:
                    self._slabs.pop(key, None)
                future.set_exception(error)
                raise
        return future.result()

    def _let_go(self, n_bytes: int) -> None:
        """Make room for so many bytes, the oldest first.

        The last stays: threads are still in it while others are ahead.
        """
        sizes = {key: _n_bytes(self.array, [_box(key)]) for key in self._slabs}
        for key in list(sizes)[:-1]:
            if n_bytes + sum(sizes.values()) <= _KEPT_BYTES:
                break
            del self._slabs[key], sizes[key]

    def _computed(self, part: Any) -> NDArray[Any]:  # noqa: ANN401 -- dask
        return np.asarray(part.compute(scheduler=self.scheduler))

    def _from_files(self, box: Box, slab: Box) -> NDArray[Any]:
        key = _key(slab)
        with self._lock:
            if key not in self._laid:
                self._laid[key] = self._lay_down(slab)
        return self._laid[key](_moved(box, [s.start for s in slab]))

    def _lay_down(self, slab: Box) -> _RowFiles:
        files = _RowFiles(tuple(s.stop - s.start for s in slab), self.array.dtype)
        for columns in self._columns_at_once(slab):
            files.add(columns.stop - columns.start)
            for cell in self._cells(slab, columns):
                values = self._computed(self.array[(*cell, columns)])
                files.write(_moved(cell, [s.start for s in slab]), values)
        return files

    def _columns_at_once(self, slab: Box) -> Iterator[slice]:
        """Cut the last axis into as many chunks side by side as may be held, one at least."""
        n_rows = math.prod(s.stop - s.start for s in slab)
        most = max(1, _HELD_BYTES // (n_rows * self.array.dtype.itemsize))
        start = stop = 0
        for size in (*self.array.chunks[-1], most + 1):
            if stop > start and stop + size - start > most:
                yield slice(start, stop)
                start = stop
            stop += size

    def _cells(self, slab: Box, columns: slice) -> list[Box]:
        """Give all rows at once if they may be held in these columns, else chunk by chunk."""
        n_rows = math.prod(s.stop - s.start for s in slab)
        if n_rows * (columns.stop - columns.start) * self.array.dtype.itemsize <= _HELD_BYTES:
            return [slab]
        edges = [
            _edges_around(cut, sizes) for cut, sizes in zip(slab, self.array.chunks, strict=False)
        ]
        return [
            tuple(slice(low, high) for low, high in cell)
            for cell in product(*(pairwise(axis) for axis in edges))
        ]


def _edges_around(cut: slice, sizes: Sequence[int]) -> list[int]:
    """Give the edges of the chunks that a cut touches."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    low = np.searchsorted(edges, cut.start, side="right") - 1
    high = np.searchsorted(edges, cut.stop, side="left")
    return [int(edge) for edge in edges[low : high + 1]]


def _is_file_itself(array: Any) -> bool:  # noqa: ANN401 -- dask
    """Tell whether a dask array is nothing but an array in a file, of which parts can be read.

    Its chunks are then those of the graph, and say nothing of the file.
    """
    names = list(array.dask.layers)
    if len(names) != 2 or not any(name.startswith("original-") for name in names):
        return False
    # Chunks along the last axis are how the file is laid out (zarr) or what somebody asked for.
    return len(array.chunks[-1]) == 1


class _RowFiles:
    """Rows (..., column) in temporary files: each holds some columns of all rows, row by row."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._folder = Path(tempfile.mkdtemp(prefix="adatom-rows-"))
        self._widths: list[int] = []
        # Also at the end of the process.
        finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def add(self, width: int) -> None:
        """Make room for further columns of all rows."""
        self._widths.append(width)
        n_bytes = math.prod(self._shape) * width * self._dtype.itemsize
        try:
            with self._file(len(self._widths) - 1).open("wb") as file:
                file.truncate(n_bytes)
                if hasattr(os, "posix_fallocate"):
                    # A mapped file that cannot grow any more would end the process.
                    os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            msg = (
                f"{self._folder} has no room for {n_bytes} bytes ({error}): chunks along the "
                "measured axis are laid down there row by row. Name a larger folder by TMPDIR, or "
                "save the data in chunks that hold whole rows"
            )
            raise StoreError(msg) from error

    def write(self, box: Box, values: NDArray[Any]) -> None:
        """Write some rows of the columns added last."""
        self._mapped(len(self._widths) - 1, "r+")[box] = values

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Read the rows of a box."""
        parts = [self._mapped(number, "r")[box] for number in range(len(self._widths))]
        return np.concatenate(parts, axis=-1)

    def _file(self, number: int) -> Path:
        return self._folder / str(number)

    def _mapped(self, number: int, mode: Any) -> NDArray[Any]:  # noqa: ANN401 -- of numpy
        """Map a file anew, so that its pages go with what is done with them."""
        shape = (*self._shape, self._widths[number])
        mapped: NDArray[Any] = np.memmap(self._file(number), self._dtype, mode, shape=shape)
        return mapped


@dataclass(frozen=True, eq=False)
class _MovedReader:
    """Reads from a part of the array that begins at `start`."""

    part: Reader
    start: tuple[int, ...]

    def __call__(self, box: Box, /) -> NDArray[Any]:
        return self.part(_moved(box, self.start))


def _moved(box: Box, start: Sequence[int]) -> Box:
    return tuple(slice(s.start - o, s.stop - o) for s, o in zip(box, start, strict=True))
