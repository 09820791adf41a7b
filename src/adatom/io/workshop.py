"""Force curves of AFMWorkshop: text, alone or many in a zip archive."""

from __future__ import annotations

import io
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import Places, RawCurves, RawFile
from adatom.io.zip_members import member_of_info

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_SEGMENTS: Final = {"Extend": "approach", "Retract": "retract"}
_COLUMN: Final = re.compile(r"(Extend|Retract) (.+?)\s*\((.+)\)")
# Name and sign: the sensor counts towards the sample, its negative is the height above it.
_QUANTITIES: Final = {
    "Z-Sense": ("height", -1.0),
    "T-B": ("deflection", 1.0),
    "Force": ("force", 1.0),
}
_MAX_HEADER: Final = 100
_MAX_MEMBER: Final = 2**26


@dataclass(frozen=True)
class _Curve:
    """The header of one text, and how many rows follow."""

    member: str
    header: Mapping[str, str]
    columns: tuple[str, ...]
    rows: int
    skip: int
    found: tuple[tuple[str, str, float, str], ...] = field(default=())
    """Segment, name, sign and unit of each column."""


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the headers of all curves, and how many rows each has."""
    curves = [_header(path, member) for member in _members(path)]
    units: dict[str, str] = {}
    for curve in curves:
        units.update({name: unit for _, name, _, unit in curve.found})
    segments = tuple(_SEGMENTS.values())
    lengths = np.array([[curve.rows] * len(segments) for curve in curves])
    factor, notes = _force_factor(curves[0].header, units)
    if factor is not None:
        units = {"force": "nN"} | units
    places = _places(curves)
    if places is not None:
        notes.append("the file does not say whether y points up or down: it is taken as it is")
    part = RawCurves(
        lengths,
        segments,
        units,
        partial(_read_curve, path, tuple(curves), segments, factor),
        places,
        name=path.stem,
        metadata=_metadata(curves[0].header) | {"raw": raw_metadata(curves[0].header)},
        notes=("the sensor counts towards the sample: its negative is the height", *notes),
    )
    return RawFile(path, key, [part])


def _members(path: Path) -> list[str]:
    if not zipfile.is_zipfile(path):
        return [""]
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if info.filename.lower().endswith(".csv")]
    stored = path.stat().st_size
    for info in infos:
        member_of_info(path, info, stored=stored)
    # Numbers of curves may have any number of digits.
    return sorted((info.filename for info in infos), key=lambda name: (len(name), name))


@contextmanager
def _opened(path: Path, member: str) -> Iterator[IO[str]]:
    if not member:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(member) as stored:
        text = stored.read(_MAX_MEMBER + 1)
    if len(text) > _MAX_MEMBER:
        raise read_error(path, f"its member {member!r} is too long for a curve", "Unpack it first")
    yield io.StringIO(text.decode("utf-8", "replace"))


def _header(path: Path, member: str) -> _Curve:
    """Read up to the names of the columns, and count the rows."""
    header: dict[str, str] = {}
    with _opened(path, member) as file:
        for number, line in enumerate(file):
            if number > _MAX_HEADER:
                break
            columns = line.strip().split(",")
            found = tuple(_column(name) for name in columns)
            if len(columns) > 1 and all(found):
                rows = sum(1 for row in file if row.strip())
                known = tuple(column for column in found if column is not None)
                return _Curve(member, header, tuple(columns), rows, number + 1, known)
            # Of some lines the name holds a comma, as "X, um".
            name, colon, value = line.partition(":")
            if colon:
                header[name.strip()] = value.strip()
    raise read_error(path, f"{member or 'it'} has no row of names of columns", "Export it again")


def _column(name: str) -> tuple[str, str, float, str] | None:
    found = _COLUMN.fullmatch(name.strip())
    if found is None:
        return None
    segment, quantity, unit = found.groups()
    plain = re.sub(r"\W+", "_", quantity).lower()
    house, sign = _QUANTITIES.get(quantity, (plain, 1.0))
    return _SEGMENTS[segment], house, sign, unit


def _force_factor(
    header: Mapping[str, str], units: Mapping[str, str]
) -> tuple[float | None, list[str]]:
    """Give nN for a volt of deflection where the file knows it; 1 stands for not calibrated."""
    if "force" in units:
        return None, []
    gain = _number(header.get("Light Lever Gain, mV/nm"))
    constant = _number(header.get("Force Constant, nN/nm"))
    if gain is None or constant is None or 1.0 in {gain, constant}:
        return None, ["no spring constant or sensitivity in the file: deflection in V, no force"]
    return constant * 1e3 / gain, []


def _metadata(header: Mapping[str, str]) -> dict[str, Any]:
    known: dict[str, Any] = {"instrument": "AFMWorkshop"}
    date = " ".join(header[name] for name in ("Date", "Time") if header.get(name))
    if date:
        known["date"] = iso_date(date, "%A, %B %d, %Y %I:%M:%S %p", "%d %B %Y %I:%M:%S %p")
    constant = _number(header.get("Force Constant, nN/nm"))
    if constant not in {None, 1.0}:
        known["spring_constant"] = constant
    return known


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if np.isfinite(number) and number != 0 else None


def _places(curves: list[_Curve]) -> Places | None:
    found = [[curve.header.get(f"{name}, um") for name in "YX"] for curve in curves]
    if any(value is None for pair in found for value in pair):
        return None
    y, x = np.array(found, dtype=float).T
    return Places(y, x, "um")


def _read_curve(
    path: Path,
    curves: tuple[_Curve, ...],
    segments: tuple[str, ...],
    factor: float | None,
    number: int,
) -> dict[str, list[NDArray[Any]]]:
    """Read the rows of one curve."""
    curve = curves[number]
    with _opened(path, curve.member) as file:
        table = np.loadtxt(file, delimiter=",", skiprows=curve.skip, ndmin=2)
    values: dict[str, dict[str, NDArray[Any]]] = {}
    for (segment, name, sign, _), samples in zip(curve.found, table.T, strict=True):
        values.setdefault(name, {})[segment] = samples * sign
    if factor is not None and "deflection" in values:
        values["force"] = {name: samples * factor for name, samples in values["deflection"].items()}
    none: NDArray[Any] = np.empty(0)
    return {name: [found.get(part, none) for part in segments] for name, found in values.items()}
