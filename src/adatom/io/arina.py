"""Dectris Arina: frames of a 4D-STEM scan in the HDF5 files that a master file points to."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.lazy import LazyArray, rows_array
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_FRAMES: Final = "entry/data"
_PATTERN: Final = (RawAxis("k_y", stored="signal"), RawAxis("k_x", stored="signal"))


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read how many frames there are; a number that is a square is taken for a square scan."""
    frames, names = _frames(path)
    metadata = {"raw": raw_metadata({"frames in": names})}
    total = frames.shape[0]
    side = isqrt(total)
    if side * side != total or side < 2:
        axes = (RawAxis("frame", stored="stack"), *_PATTERN)
        note = f"{total} patterns make no square: they were taken in the order of time"
        signal = RawSignal(frames, axes, path.stem, metadata=metadata, notes=(note,))
        return RawFile(path, key, [signal])
    scan = LazyArray(
        (side, side, *frames.shape[1:]), frames.dtype, partial(_read_scan, side, frames)
    )
    note = f"the file does not give the scan: {total} patterns were taken as {side} x {side}"
    signal = RawSignal(
        scan, (*_scan_axes(path), *_PATTERN), path.stem, metadata=metadata, notes=(note,)
    )
    return RawFile(path, key, [signal])


def _frames(path: Path) -> tuple[LazyArray, list[str]]:
    """Give the patterns one after the other, and the files that they are in."""
    _load_filters()
    with h5py.File(path, "r") as file:
        stacks = _stacks(path, file)
        shape, dtype = stacks[0].shape[1:], stacks[0].dtype
        starts = np.cumsum([0, *(stack.shape[0] for stack in stacks)]).tolist()
        names = [Path(stack.file.filename).name for stack in stacks]
        for stack in stacks:
            stored = stack.id.get_storage_size()
            check_size(path, stack.shape, dtype.itemsize, stored=stored)
    read = partial(_read_frames, path, tuple(starts))
    return rows_array((starts[-1], *shape), dtype, read), names


def _load_filters() -> None:
    """Make the detector's compression known to HDF5, if the package for it is there."""
    with suppress(ImportError):
        import_module("hdf5plugin")


def _stacks(path: Path, file: h5py.File) -> list[h5py.Dataset]:
    """Open the stacks of frames in their order; they may lie in files beside."""
    group = file[_FRAMES]
    stacks = []
    for name in sorted(group):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink) and Path(link.filename).name != link.filename:
            raise read_error(path, f"it points to {link.filename!r}", "Copy all into one folder")
        if group.get(name) is None:
            reason = f"its frames {name!r} are in a file that is not beside it"
            raise read_error(path, reason, "Copy all files of the measurement into one folder")
        if isinstance(group[name], h5py.Dataset) and group[name].ndim == 3:
            stacks.append(group[name])
    if not stacks or len({stack.shape[1:] for stack in stacks}) > 1:
        raise read_error(path, "it holds no frames of one size", "Check how it was saved")
    return stacks


def _read_frames(
    path: Path, starts: tuple[int, ...], numbers: Sequence[int]
) -> Iterator[NDArray[Any]]:
    _load_filters()
    with h5py.File(path, "r") as file:
        stacks = _stacks(path, file)
        for number in numbers:
            stack, first = next(
                (stack, first)
                for stack, (first, end) in zip(stacks, pairwise(starts))
                if first <= number < end
            )
            yield stack[number - first]


def _read_scan(side: int, frames: LazyArray, index: Any) -> NDArray[Any]:  # noqa: ANN401
    """Read patterns by row and column; numbers of frames run along the rows."""
    whole = index if isinstance(index, tuple) else (index,)
    place = next((i for i, one in enumerate(whole) if one is Ellipsis), None)
    if place is not None:
        filled = (slice(None),) * (5 - len(whole))
        whole = (*whole[:place], *filled, *whole[place + 1 :])
    numbers = np.arange(side * side).reshape(side, side)[whole[:2]]
    patterns = frames[(numbers.reshape(-1), *whole[2:])]
    return patterns.reshape(*np.shape(numbers), *patterns.shape[1:])


def _scan_axes(path: Path) -> tuple[RawAxis, RawAxis]:
    """Take the pixel of the scan from the microscope's own file beside, in nm."""
    beside = path.with_name(path.name.replace("_master.h5", ".h5"))
    step, unit = 1.0, ""
    if beside != path and beside.is_file():
        with h5py.File(beside, "r") as file:
            size = np.ravel(file["STEM Metadata"].attrs["Pixel Size"])
            step, unit = float(size[0]), "nm"
    return (
        RawAxis("y", unit, step, stored="stack"),
        RawAxis("x", unit, step, stored="stack"),
    )
