"""Point spectroscopy of Nanonis as text (.dat), alone or many in a zip archive."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import Places, RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_TEXT: Final = 2**28
_MAX_ARCHIVE: Final = 2**29
_DATA: Final = "[DATA]"
_UNIT: Final = re.compile(r"\(([^()]*)\)")
# Beginnings of the names of swept quantities -> names of axes.
_AXES: Final = {"bias": "bias", "z rel": "distance", "time": "time", "freq": "frequency"}


@dataclass(frozen=True)
class _Point:
    """The spectra of one file: the sweep, and what was measured along it."""

    name: str
    header: Mapping[str, str]
    columns: tuple[tuple[str, str], ...]
    values: NDArray[np.float64]

    @property
    def sweep(self) -> NDArray[np.float64]:
        """Values of the axis."""
        return self.values[:, 0]

    @property
    def place(self) -> tuple[float, float]:
        """Where it was taken: y down, x, in m."""
        return -_number(self.header.get("Y (m)", "")), _number(self.header.get("X (m)", ""))


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all columns of a file, or of all files of an archive."""
    points, empty = _points_of_archive(path) if key == "nanonis-zip" else _point_alone(path)
    if not points:
        reason = f"none of its {len(empty)} measurements holds a value"
        raise read_error(path, reason, "They may have been stopped before the first point")
    notes = []
    if empty:
        names = ", ".join(empty[:20])
        notes.append(f"{len(empty)} measurements without a value were left out: {names}")
    groups = _groups(points)
    signals = [
        _signal(group, column, notes, alone=len(groups) == 1)
        for group in groups
        for column in range(1, len(group[0].columns))
    ]
    chosen, why = _preferred(groups, signals)
    signals[chosen] = replace(signals[chosen], preferred=why if len(signals) > 1 else "")
    return RawFile(path, key, signals)


def _point_alone(path: Path) -> tuple[list[_Point], list[str]]:
    if path.stat().st_size > _MAX_TEXT:
        raise read_error(path, "its text is larger than 256 MB", "It is no point spectroscopy")
    point = _point(path, path.stem, path.read_bytes())
    return ([point], []) if len(point.values) else ([], [path.name])


def _points_of_archive(path: Path) -> tuple[list[_Point], list[str]]:
    found, empty = [], []
    with zipfile.ZipFile(path) as archive:
        members = [
            one
            for one in archive.infolist()
            if one.filename.lower().endswith(".dat") and not one.filename.startswith("__MACOSX")
        ]
        total = sum(one.file_size for one in members)
        if total > _MAX_ARCHIVE:
            reason = f"its spectra unpack to {total} bytes"
            raise read_error(path, reason, "Unpack it, and read its files one by one")
        for one in sorted(members, key=lambda member: member.filename):
            text = archive.read(one)
            if not text.startswith(b"Experiment\t"):
                continue
            name = one.filename.rpartition("/")[2].removesuffix(".dat")
            point = _point(path, name, text)
            if len(point.values):
                found.append(point)
            else:
                empty.append(name)
    return found, empty


def _point(path: Path, name: str, content: bytes) -> _Point:
    head, mark, table = content.decode("latin-1").partition(_DATA)
    if not mark:
        raise read_error(path, f"{name} has no {_DATA}", "The file may be cut off: copy it again")
    pairs = (line.split("\t") for line in head.splitlines() if "\t" in line)
    header = {cells[0].strip(): cells[1].strip() for cells in pairs if cells[0].strip()}
    lines = [line for line in table.splitlines() if line.strip()]
    if not lines:
        raise read_error(path, f"{name} names no columns", "The file may be cut off: copy it again")
    columns = tuple(_column(cell) for cell in lines[0].rstrip("\t\r\n").split("\t"))
    rows = [line.rstrip("\t").split("\t") for line in lines[1:]]
    if any(len(row) != len(columns) for row in rows):
        reason = f"{name} has rows that are not of {len(columns)} columns"
        raise read_error(path, reason, "The file may be cut off: copy it again")
    values = np.array(rows, float).reshape(-1, len(columns))
    return _Point(name, header, columns, values)


def _column(text: str) -> tuple[str, str]:
    """Part "Current [bwd] (A)" or "Current (A) [bwd] [filt]" into name and unit."""
    unit = _UNIT.search(text)
    name = " ".join(_UNIT.sub(" ", text, count=1).split())
    return name, unit[1] if unit else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _groups(points: Sequence[_Point]) -> list[list[_Point]]:
    """Put together what was measured of the same channels along the same sweep."""
    found: dict[tuple[Any, ...], list[_Point]] = {}
    for point in points:
        same = (point.header.get("Experiment"), point.columns, point.sweep.tobytes())
        found.setdefault(same, []).append(point)
    return list(found.values())


def _sweep(point: _Point) -> RawAxis:
    name, unit = point.columns[0]
    dim = next((dim for start, dim in _AXES.items() if name.lower().startswith(start)), name)
    axis = axis_from_values(dim, unit, _even(point.sweep))
    return RawAxis(axis.name, axis.unit, axis.scale, axis.offset, axis.values, stored="signal")


def _even(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make steps equal that differ only because numbers were rounded to six digits."""
    if len(values) < 2:
        return values
    even = np.linspace(values[0], values[-1], len(values))
    rounding = 1e-5 * np.abs(values).max()
    return even if np.abs(values - even).max() <= rounding else values


def _signal(
    group: Sequence[_Point], column: int, notes: Sequence[str], *, alone: bool
) -> RawSignal:
    first = group[0]
    channel, unit = first.columns[column]
    axis = _sweep(first)
    named = channel if alone else f"{channel}, {_span(first)}"
    places = np.array([point.place for point in group])
    own = list(notes)
    if np.isfinite(places).all():
        own.append("y points down: it is the negative of the instrument's Y")
    known = Places(places[:, 0], places[:, 1], "m") if np.isfinite(places).all() else None
    values = np.stack([point.values[:, column] for point in group])
    axes: tuple[RawAxis, ...] = (RawAxis("point", stored="stack"), axis)
    if known is None and len(group) == 1:
        values, axes = values[0], (axis,)
    return RawSignal(
        values,
        axes,
        name=named,
        unit=unit,
        metadata=_facts(group, channel),
        notes=tuple(own),
        places=known,
    )


def _span(point: _Point) -> str:
    """Describe a sweep, such as "Z rel 5 to -0.6 nm (500 points, Z-Spectroscopy004)"."""
    name, unit = point.columns[0]
    factor, unit = (1e9, "nm") if unit == "m" else (1.0, unit)
    ends = f"{point.sweep[0] * factor:g} to {point.sweep[-1] * factor:g} {unit}"
    return f"{name} {ends} ({len(point.sweep)} points, {point.name})"


def _facts(group: Sequence[_Point], channel: str) -> dict[str, Any]:
    first = group[0]
    facts: dict[str, Any] = {"instrument": "Nanonis", "channel": channel}
    if first.header.get("Experiment"):
        facts["title"] = first.header["Experiment"]
    if first.header.get("Date"):
        facts["date"] = iso_date(first.header["Date"], "%d.%m.%Y %H:%M:%S")
    bias = _number(first.header.get("Bias>Bias (V)", ""))
    if np.isfinite(bias):
        facts["bias"] = bias
    if len(group) > 1:
        facts["measurements"] = [point.name for point in group]
    facts["raw"] = raw_metadata(first.header)
    return facts


def _preferred(groups: Sequence[Sequence[_Point]], signals: Sequence[RawSignal]) -> tuple[int, str]:
    """Choose the first channel that changes, of the largest group."""
    sizes = [len(group) for group in groups]
    largest = sizes.index(max(sizes))
    start = sum(len(group[0].columns) - 1 for group in groups[:largest])
    stop = start + len(groups[largest][0].columns) - 1
    changing = (n for n in range(start, stop) if np.ptp(signals[n].values) > 0)
    chosen = next(changing, start)
    name = signals[chosen].metadata["channel"]
    if len(groups) == 1:
        return chosen, f"{name} was read, as the first channel that changes"
    total = sum(sizes)
    return chosen, (
        f"{name} of {sizes[largest]} of {total} measurements was read, the most that share one "
        "sweep; those of other sweeps are datasets of their own"
    )
