"""A dataset on its way to a kind of data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.companions import companion_files
from adatom.io.guard import check_size, read_error
from adatom.io.lazy import LazyArray

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from adatom.io.layout import Layout
    from adatom.io.signals import RawAxis, RawFile, RawSignal
    from adatom.schema import Kind

# What dask itself takes for a chunk.
_CHUNK_BYTES: Final = 1 << 27


@dataclass
class Draft:
    """A dataset on its way to a kind, with what is to be told of it."""

    file: RawFile
    signal: RawSignal
    layout: Layout
    notes: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Return the file that the dataset is of."""
        return self.file.path

    def axis(self, position: int) -> RawAxis:
        """Return the axis at a position of the kind's order."""
        return self.signal.axes[self.layout.order[position]]


def require_possible(draft: Draft) -> None:
    """Refuse a dataset that holds nothing, or more than its file can hold."""
    if 0 in draft.signal.shape:
        reason = f"its dataset {draft.signal.name!r} of shape {draft.signal.shape} is empty"
        raise read_error(draft.path, reason, "Check that the measurement was saved")
    if draft.path.is_file():
        stored = sum(file.stat().st_size for file in companion_files(draft.path))
        values = draft.signal.values
        check_size(draft.path, values.shape, values.dtype.itemsize, stored=stored)


def as_written(draft: Draft, kind: Kind, *settings: object) -> bool:
    """Tell whether adatom wrote the dataset as this kind, and no setting asks for another form."""
    original = draft.signal.original
    return original is not None and kind.fits(original) and all(one is None for one in settings)


def loaded(values: Any) -> Any:  # noqa: ANN401 -- numpy or dask
    """Load values as a copy, so that no map of the file's bytes stays behind."""
    return np.array(values.compute() if hasattr(values, "compute") else values)


def lazy(values: Any, outer: tuple[int, ...]) -> Any:  # noqa: ANN401 -- dask
    """Wrap values in dask, cut along the outer axes only: frames and spectra stay whole."""
    import dask.array as da

    if isinstance(values, da.Array):
        return values
    if isinstance(values, np.ndarray):
        # Dask would copy the whole array, and so load all of a mapped file.
        values = LazyArray(values.shape, values.dtype, _reader(values))
    chunks = _chunks(tuple(values.shape), values.dtype.itemsize, outer)
    return da.from_array(values, chunks=chunks, name=False)  # type: ignore[no-untyped-call]


def _chunks(shape: tuple[int, ...], itemsize: int, outer: tuple[int, ...]) -> dict[int, int]:
    """Cut the first outer axis that has to be cut; those before it go one step at a time.

    So chunks are consecutive rows, as whoever goes through them block by
    block asks for them: chunks that are square in y and x would be read
    again for every line.
    """
    chunks = dict.fromkeys(range(len(shape)), -1)
    left = itemsize * math.prod(size for axis, size in enumerate(shape) if axis not in outer)
    sizes = [shape[axis] for axis in outer]
    for number, axis in enumerate(outer):
        inner = max(left * math.prod(sizes[number + 1 :]), 1)
        chunks[axis] = max(1, min(shape[axis], _CHUNK_BYTES // inner))
        if inner <= _CHUNK_BYTES:
            break
    return chunks


def _reader(values: NDArray[Any]) -> Callable[[Any], NDArray[Any]]:
    """Give what reads a part; a whole map is opened anew each time, and so lets its pages go."""
    base: Any = values.base
    if not isinstance(values, np.memmap) or not isinstance(base, mmap):
        return partial(_copied, values)
    order = "C" if values.flags.c_contiguous else "F"
    return partial(
        _read_map, str(values.filename), values.dtype, values.offset, values.shape, order
    )


def _read_map(
    name: str,
    dtype: np.dtype[Any],
    offset: int,
    shape: tuple[int, ...],
    order: Any,  # noqa: ANN401 -- "C" or "F"
    index: Any,  # noqa: ANN401 -- any index of numpy
) -> NDArray[Any]:
    mapped: NDArray[Any] = np.memmap(name, dtype, "r", offset, shape, order)
    return np.array(mapped[index])


def _copied(values: NDArray[Any], index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index of numpy
    return np.array(values[index])


def ordered(draft: Draft, values: Any) -> Any:  # noqa: ANN401 -- numpy or dask
    """Bring axes into the order of the kind, the color last, and drop those of one entry."""
    order = draft.layout.order
    dropped = tuple(i for i in range(len(draft.signal.axes)) if i not in order)
    colors = tuple(range(len(draft.signal.axes), values.ndim))
    return values.transpose((*dropped, *order, *colors))[(0,) * len(dropped)]


def attributes(draft: Draft, unit: str, more: dict[str, Any]) -> dict[str, Any]:
    """Give what is kept with the values: unit, source, metadata and notes."""
    attrs: dict[str, Any] = {"units": unit, "source": draft.path.name}
    if len(draft.file.parts) > 1:
        attrs["dataset"] = draft.signal.name
    attrs.update(draft.signal.metadata)
    attrs.update(more)
    notes = list(dict.fromkeys([*draft.signal.notes, *draft.notes]))
    if notes:
        attrs["notes"] = notes
    return attrs
