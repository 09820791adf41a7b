"""Arrays saved by NumPy: npy and npz, never with pickle."""

from __future__ import annotations

import zipfile
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from adatom.io.guard import check_plain, check_size, read_error
from adatom.io.lazy import LazyArray
from adatom.io.signals import COLORS, RawFile, RawSignal, plain_axes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _read_member(path: Path, member: str, index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        values = np.lib.format.read_array(file, allow_pickle=False)
        # Only at its end does zipfile compare the check sum.
        file.read(1)
    return np.asarray(values[index])


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the headers of all arrays of a file."""
    signals = [_npy_signal(path)] if key == "npy" else _npz_signals(path)
    return RawFile(path, key, signals)


def _npy_signal(path: Path) -> RawSignal:
    stored = path.stat().st_size
    with path.open("rb") as file:
        shape, fortran, dtype = _header(path, file)
        start = file.tell()
    check_plain(path, dtype)
    check_size(path, shape, dtype.itemsize, stored=stored - start, packed=False)
    notes = []
    extra = stored - start - int(np.prod(shape, dtype=object)) * dtype.itemsize
    if extra:
        notes.append(f"{extra} bytes follow the array in {path.name} and were not read")
    values: Any
    if 0 in shape:
        values = np.empty(shape, dtype)
    else:
        values = np.memmap(
            path, dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C"
        )
    return array_signal(values, path.stem, tuple(notes))


def _npz_signals(path: Path) -> list[RawSignal]:
    signals = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as file:
                shape, _, dtype = _header(path, file)
            name = info.filename.removesuffix(".npy")
            if dtype.kind != "O":
                check_size(path, shape, dtype.itemsize, stored=info.file_size, packed=False)
                check_size(path, shape, dtype.itemsize, stored=info.compress_size)
            values = LazyArray(shape, dtype, partial(_read_member, path, info.filename))
            signals.append(array_signal(values, name))
    if not signals:
        raise read_error(path, "it holds no array", "Check how it was saved")
    return signals


def _header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (3, 0):
        # Version 3 differs in the encoding of field names only, and no such array is read.
        remedy = 'Save one plain array each: numpy.savez("arrays.npz", name=array)'
        raise read_error(path, "it is an array of records with names outside of latin-1", remedy)
    if version not in _HEADER_READERS:
        raise read_error(path, f"npy version {version} is not known", "Save it with numpy.save")
    shape, fortran, dtype = _HEADER_READERS[version](file)
    if any(size < 0 for size in shape):
        raise read_error(path, f"its header gives shape {shape}", "The file is damaged")
    return shape, fortran, dtype


def array_signal(values: Any, name: str, notes: tuple[str, ...] = (), /) -> RawSignal:  # noqa: ANN401
    """Make a signal of an array of which nothing else is known.

    Bytes of shape (rows, columns, 3 or 4) are a color picture.
    """
    shape = values.shape
    if values.dtype == np.uint8 and len(shape) == 3 and shape[2] in {3, 4} and min(shape[:2]) > 4:
        return RawSignal(values, plain_axes(2), name, colors=COLORS[: shape[2]], notes=notes)
    return RawSignal(values, plain_axes(len(shape)), name, notes=notes)
