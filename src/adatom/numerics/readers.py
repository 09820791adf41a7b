"""Boxes of arrays in memory or on disk: read here, or by another process that opens the source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# A lazy array computes whole chunks: so many bytes of them at most are kept for the blocks that
# share them.
_CHUNK_BYTES: Final = 1 << 28
# What is read by reference travels as a few kB; below this it does not matter.
_SMALL: Final = 1 << 16

Box = tuple[slice, ...]
"""Along the leading axes of an array; the last axis is taken whole."""


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

    values: Mapping[tuple[tuple[int, int], ...], NDArray[Any]]

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Give a box."""
        return self.values[_key(box)]

    @property
    def nbytes(self) -> int:
        """Of all boxes."""
        return sum(part.nbytes for part in self.values.values())


def _key(box: Box) -> tuple[tuple[int, int], ...]:
    return tuple((s.start, s.stop) for s in box)


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
    """Computes the chunks that a box touches once, not once for every box in them."""

    array: Any
    scheduler: str = "threads"
    _lock: Lock = field(default_factory=Lock)
    _held: tuple[Box, NDArray[Any]] | None = None

    def __call__(self, box: Box, /) -> NDArray[Any]:
        """Compute the chunks around a box, or take those that are held."""
        slab = self._whole_chunks(box)
        if _n_bytes(self.array, [slab]) > _CHUNK_BYTES:
            return np.asarray(self.array[box].compute(scheduler=self.scheduler))
        with self._lock:
            held = self._held
            if held is None or held[0] != slab:
                held = (slab, np.asarray(self.array[slab].compute(scheduler=self.scheduler)))
                self._held = held
        return held[1][_moved(box, [s.start for s in slab])]

    def place_of(self, boxes: Sequence[Box], /) -> Reader:
        """Take the part of the graph that consecutive boxes need."""
        import dask

        low = [min(box[axis].start for box in boxes) for axis in range(len(boxes[0]))]
        high = [max(box[axis].stop for box in boxes) for axis in range(len(boxes[0]))]
        part = self.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        # Culled, so that chunks that stand in memory do not all travel.
        (culled,) = dask.optimize(part)  # type: ignore[attr-defined,no-untyped-call]
        return _MovedReader(DaskReader(culled, "synchronous"), tuple(low))

    def __reduce__(self) -> tuple[Any, ...]:
        return DaskReader, (self.array, self.scheduler)

    def _whole_chunks(self, box: Box) -> Box:
        slab = []
        for cut, sizes in zip(box, self.array.chunks, strict=False):
            edges = np.concatenate([[0], np.cumsum(sizes)])
            low = edges[np.searchsorted(edges, cut.start, side="right") - 1]
            high = edges[np.searchsorted(edges, cut.stop, side="left")]
            slab.append(slice(int(low), int(high)))
        return tuple(slab)


@dataclass(frozen=True, eq=False)
class _MovedReader:
    """Reads from a part of the array that begins at `start`."""

    part: Reader
    start: tuple[int, ...]

    def __call__(self, box: Box, /) -> NDArray[Any]:
        return self.part(_moved(box, self.start))


def _moved(box: Box, start: Sequence[int]) -> Box:
    return tuple(slice(s.start - o, s.stop - o) for s, o in zip(box, start, strict=True))
