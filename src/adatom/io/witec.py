"""Tables of spectra that WITec writes as text: one column a spectrum, named with its pixel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.lazy import LazyArray
from adatom.io.signals import RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_PIXEL: Final = re.compile(r"(.*)\((\d+)/(\d+)\)")
_MAX_LINE: Final = 2**24
_DIMS: Final = {"1/cm": "wavenumber", "nm": "wavelength", "eV": "energy"}


@dataclass(frozen=True)
class _Head:
    """Names and units of the columns, and the lines before the numbers."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    lines: int


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read names, units and the first column."""
    head = _read_head(path)
    along = _first_column(path, head.lines)
    channel, notes = _channel(head, along)
    pixels = [_PIXEL.fullmatch(name) for name in head.names[1:]]
    values_unit = head.units[1] if len(head.units) > 1 else ""
    unit = "counts" if values_unit in {"CCD cts", "cts"} else values_unit
    size = len(along)
    title = ""
    order = None
    if pixels and all(pixels):
        found = np.array([[int(pixel[3]), int(pixel[2])] for pixel in pixels if pixel])
        title = next(pixel[1] for pixel in pixels if pixel).rstrip("_F ")
        order = _order(found)
    if order is None:
        shape: tuple[int, ...] = (len(pixels), size)
        axes: tuple[RawAxis, ...] = (RawAxis(stored="stack"), channel)
        order = np.arange(len(pixels))
        notes.append("the names of the columns make no full map: they are spectra, one a column")
    else:
        shape = (*order.shape, size)
        axes = (RawAxis("y", stored="stack"), RawAxis("x", stored="stack"), channel)
    read = partial(_read_table, path, head.lines, order, shape)
    values = LazyArray(shape, np.dtype(np.float64), read)
    metadata = {"title": title} if title else {}
    signal = RawSignal(
        values, axes, title or path.stem, unit=unit, metadata=metadata, notes=tuple(notes)
    )
    return RawFile(path, key, [signal])


def _read_head(path: Path) -> _Head:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        names = tuple(name.strip() for name in file.readline(_MAX_LINE).split("\t"))
        second = tuple(text.strip() for text in file.readline(_MAX_LINE).split("\t"))
    if len(names) < 2 or len(second) != len(names):
        reason = f"its first row names {len(names)} columns, its second has {len(second)}"
        raise read_error(path, reason, "Export it again as a table of text")
    try:
        float(second[0])
    except ValueError:
        return _Head(names, second, 2)
    return _Head(names, (), 1)


def _first_column(path: Path, skip: int) -> NDArray[np.float64]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = (line for number, line in enumerate(file) if number >= skip)
        return np.array([float(line.split("\t", 1)[0]) for line in lines if line.strip()])


def _channel(head: _Head, along: NDArray[np.float64]) -> tuple[RawAxis, list[str]]:
    if not head.units:
        axis = axis_from_values("", "", along)
        note = "the table has no row of units: whether the first column is 1/cm or nm is not told"
        return RawAxis("", "", axis.scale, axis.offset, axis.values, "signal"), [note]
    # Raman shifts are relative to the laser.
    unit = re.sub(r"^rel\.\s*", "", head.units[0])
    axis = axis_from_values(_DIMS.get(unit, ""), unit, along)
    return RawAxis(axis.name, axis.unit, axis.scale, axis.offset, axis.values, "signal"), []


def _order(pixels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Give the column of every pixel (y, x); nothing unless each has exactly one."""
    rows, columns = (int(size) for size in pixels.max(axis=0) + 1)
    if rows * columns != len(pixels):
        return None
    order = np.full((rows, columns), -1)
    order[pixels[:, 0], pixels[:, 1]] = np.arange(len(pixels))
    return None if (order < 0).any() else order


def _read_table(
    path: Path,
    skip: int,
    order: NDArray[np.int64],
    shape: tuple[int, ...],
    index: Any,  # noqa: ANN401 -- any index
) -> NDArray[Any]:
    table = np.loadtxt(path, delimiter="\t", skiprows=skip, ndmin=2, encoding="utf-8-sig")
    if table.shape != (shape[-1], order.size + 1):
        reason = f"its rows make a table of {table.shape}, not {(shape[-1], order.size + 1)}"
        raise read_error(path, reason, "The file may be cut off: copy it again")
    values: NDArray[Any] = table[:, 1:].T[order][index]
    return values
