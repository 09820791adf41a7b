"""Force curves of Asylum Research, kept as Igor binary waves.

The layout of version 5 is that of WaveMetrics' Technical Note 003.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawCurves, RawFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_DATA_AT: Final = 384
_LABEL: Final = 32
_TYPES: Final = {2: "f4", 4: "f8", 8: "i1", 16: "i2", 32: "i4", 72: "u1", 80: "u2", 96: "u4"}


class _Column(NamedTuple):
    name: str
    unit: str
    sign: float = 1.0


# The piezo extends towards the sample: its negative is the height above it.
_COLUMNS: Final = {
    "Raw": _Column("height_piezo", "m", -1.0),
    "ZSnsr": _Column("height", "m", -1.0),
    "Defl": _Column("deflection", "m"),
    "DeflV": _Column("deflection_voltage", "V"),
    "Amp": _Column("amplitude", "m"),
    "Phase": _Column("phase", "deg"),
    "Freq": _Column("frequency", "Hz"),
    "Lat": _Column("lateral_deflection", "V"),
    "Cur": _Column("current", "A"),
}


@dataclass(frozen=True)
class _Wave:
    """The header of a wave: where its numbers and texts are."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, int]
    step: float
    note: Mapping[str, str]
    labels: tuple[str, ...]


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read header, note and labels of a wave."""
    wave = _read_header(path)
    if "Defl" not in wave.labels:
        reason = f"its columns {', '.join(wave.labels) or 'without names'} are no force curve"
        raise read_error(path, reason, "Read it as an image or as spectra")
    ends, names = _segments(wave)
    columns = [_COLUMNS.get(label, _Column(_snake_case(label), "")) for label in wave.labels]
    constant = _number(wave.note.get("SpringConstant"))
    channels = {column.name: column.unit for column in columns} | {"time": "s"}
    if constant:
        channels = {"force": "N"} | channels
    unknown = [column.name for column in columns if not column.unit]
    notes = [f"the file gives no unit of {', '.join(unknown)}"] if unknown else []
    notes.append("piezo and sensor count towards the sample: negated, they are heights above it")
    part = RawCurves(
        np.diff([0, *ends])[None],
        names,
        channels,
        partial(_read_curve, wave, tuple(columns), tuple(ends), constant),
        name=path.stem,
        metadata=_metadata(wave.note, constant) | {"raw": raw_metadata(wave.note)},
        notes=tuple(notes),
    )
    return RawFile(path, key, [part])


def _read_header(path: Path) -> _Wave:
    stored = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_DATA_AT)
        if len(head) < _DATA_AT or head[:2] not in {b"\x05\x00", b"\x00\x05"}:
            raise read_error(path, "it is no Igor wave of version 5", "Save it anew in Igor")
        order = "<" if head[0] else ">"
        _, _, _, formula, note, unit, *sizes = struct.unpack_from(f"{order}hhiiii8iiii", head)
        _, number = struct.unpack_from(f"{order}ih", head, 64 + 12)
        rows, columns, *more = struct.unpack_from(f"{order}4i", head, 64 + 68)
        (step,) = struct.unpack_from(f"{order}d", head, 64 + 84)
        texts = [formula, note, unit, *sizes[:8]]
        if number not in _TYPES or min(rows, columns, *texts) < 0 or any(more):
            raise read_error(path, "its header is no table of numbers", "The file may be damaged")
        dtype = np.dtype(order + _TYPES[number])
        check_size(path, (rows, columns), dtype.itemsize, stored=stored - _DATA_AT, packed=False)
        after = _DATA_AT + rows * columns * dtype.itemsize
        check_size(path, (sum(texts),), 1, stored=stored - after, packed=False)
        file.seek(after + formula)
        text = file.read(note).decode("latin-1")
        file.seek(unit + sum(sizes[:4]) + sizes[4], 1)
        # The first label is of the dimension, the others of its columns.
        labels = file.read(sizes[5])[_LABEL:]
    names = [
        labels[at : at + _LABEL].split(b"\0")[0].decode("latin-1")
        for at in range(0, len(labels), _LABEL)
    ]
    return _Wave(path, dtype, (rows, columns), step, _note(text), tuple(names[:columns]))


def _note(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in re.split(r"[\r\n]+", text))
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _segments(wave: _Wave) -> tuple[list[int], tuple[str, ...]]:
    """Give the ends of the segments and what the piezo did in each."""
    rows = wave.shape[0]
    ends = [int(text) for text in wave.note.get("Indexes", "").split(",") if text.strip().isdigit()]
    steps = [text.strip() for text in wave.note.get("Direction", "").split(",") if text.strip()]
    if len(ends) < 2 or len(steps) != len(ends) or sorted(set(ends)) != ends or ends[-1] >= rows:
        return [rows], ("segment",)
    names = {"1": "approach", "-1": "retract", "0": "pause"}
    # Each index is of the last sample of a segment; the first one is where it all begins.
    stops = [end + 1 for end in ends[1:]]
    found = [names.get(step, "segment") for step in steps[1:]]
    if stops[-1] < rows:
        stops, found = [*stops, rows], [*found, "rest"]
    return stops, tuple(
        name if name not in found[:place] else f"{name} {found[: place + 1].count(name)}"
        for place, name in enumerate(found)
    )


def _metadata(note: Mapping[str, str], constant: float | None) -> dict[str, Any]:
    known: dict[str, Any] = {"instrument": f"Asylum {note.get('MicroscopeModel', '')}".strip()}
    date = f"{note.get('Date', '')} {note.get('Time', '')}".strip()
    if date:
        known["date"] = iso_date(date, "%Y-%m-%d %I:%M:%S %p")
    if constant:
        known["spring_constant"] = constant
    sensitivity = _number(note.get("InvOLS"))
    if sensitivity:
        # In nm/V.
        known["deflection_sensitivity"] = sensitivity * 1e9
    return known


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if np.isfinite(number) and number > 0 else None


def _snake_case(label: str) -> str:
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label)).lower() or "unnamed"


def _read_curve(
    wave: _Wave,
    columns: Sequence[_Column],
    ends: Sequence[int],
    constant: float | None,
    number: int,
) -> dict[str, list[NDArray[Any]]]:
    """Read the one curve of the file."""
    del number
    rows, width = wave.shape
    table = np.fromfile(wave.path, wave.dtype, rows * width, offset=_DATA_AT)
    values: dict[str, NDArray[Any]] = {
        column.name: samples * column.sign
        for column, samples in zip(columns, table.reshape(width, rows).astype(float), strict=True)
    }
    values["time"] = np.arange(rows) * wave.step
    if constant:
        values["force"] = values["deflection"] * constant
    return {name: np.split(samples, ends[:-1]) for name, samples in values.items()}
