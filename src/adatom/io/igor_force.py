"""Force curves of Asylum Research, kept as Igor binary waves.

The layout of version 5 is that of WaveMetrics' Technical Note 003.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.guard import read_error
from adatom.io.igor_waves import DATA_AT, Wave, read_wave
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawCurves, RawFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


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


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read header, note and labels of a wave."""
    wave = read_wave(path)
    labels = wave.labels[1]
    if len(wave.shape) != 2 or "Defl" not in labels:
        reason = f"its columns {', '.join(labels) or 'without names'} are no force curve"
        raise read_error(path, reason, "Read it as an image or as spectra")
    ends, names = _segments(wave)
    columns = [_COLUMNS.get(label, _Column(_snake_case(label), "")) for label in labels]
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


def _segments(wave: Wave) -> tuple[list[int], tuple[str, ...]]:
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
    wave: Wave,
    columns: Sequence[_Column],
    ends: Sequence[int],
    constant: float | None,
    number: int,
) -> dict[str, list[NDArray[Any]]]:
    """Read the one curve of the file."""
    del number
    rows, width = wave.shape
    table = np.fromfile(wave.path, wave.dtype, rows * width, offset=DATA_AT)
    # Damaged numbers may be of the sort of nan that processors complain about.
    with np.errstate(invalid="ignore"):
        table = table.reshape(width, rows).astype(float)
    values: dict[str, NDArray[Any]] = {
        column.name: samples * column.sign for column, samples in zip(columns, table, strict=True)
    }
    values["time"] = np.arange(rows) * wave.steps[0]
    if constant:
        values["force"] = values["deflection"] * constant
    return {name: np.split(samples, ends[:-1]) for name, samples in values.items()}
