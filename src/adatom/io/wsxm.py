"""Images of WSxM (.top, .stp, .cur and others of the layout "SxM Image file")."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.blocks import stored_block
from adatom.io.guard import read_error
from adatom.io.lazy import LazyArray
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MAX_HEADER: Final = 2**20
_SIZE: Final = re.compile(rb"Image header size:\s*(\d+)")
_AMOUNT: Final = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*")
_TYPES: Final = {"": "<i2", "short": "<i2", "integer": "<i4", "float": "<f4", "double": "<f8"}
_DATE: Final = ("%d/%m/%Y, %H:%M:%S", "%d/%m/%Y, %H:%M:%S.%f", "%d/%m/%y, %H:%M:%S")


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of an image."""
    header, start = _header(path)
    counts = [header.get(f"General Info.Number of {name}", "") for name in ("rows", "columns")]
    kind = header.get("General Info.Image Data Type", "").lower()
    if not all(count.isdigit() and int(count) for count in counts) or kind not in _TYPES:
        reason = f"it gives {counts[0]!r} rows, {counts[1]!r} columns and numbers of type {kind!r}"
        raise read_error(path, reason, "Save it anew as an image in WSxM")
    rows, columns = (int(count) for count in counts)
    # WSxM writes the last line first, and each from its end.
    stored = stored_block(path, start, (rows, columns), _TYPES[kind], flipped=(0, 1))
    range_, unit = _amount(header.get("General Info.Z Amplitude", ""))
    values: Any = stored
    notes = []
    if range_ is None:
        notes.append("the file gives no Z Amplitude: values are the converter's counts")
        unit = ""
    else:
        values = LazyArray(
            stored.shape, np.dtype(np.float64), partial(_read_scaled, stored, range_)
        )
        notes.append(
            f"values were scaled so that they range over the Z Amplitude of {range_:g} {unit}; "
            "their zero is arbitrary"
        )
    channel = header.get("General Info.Acquisition channel", "")
    part = RawSignal(
        values,
        (_axis("y", header, rows), _axis("x", header, columns)),
        name=channel or path.stem,
        unit=unit,
        metadata=_facts(header, channel),
        notes=tuple(notes),
    )
    return RawFile(path, key, [part])


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Read settings as "Section.Name", and where the numbers begin."""
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER)
    found = _SIZE.search(head[:300])
    start = int(found[1]) if found else 0
    if b"[Header end]" not in head[:start]:
        remedy = "The file may be cut off or be no image: save it anew as an image in WSxM"
        raise read_error(path, "its header does not end where it says", remedy)
    settings: dict[str, str] = {}
    section = ""
    for line in head[:start].decode("latin-1").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text.strip("[]")
        elif ":" in text:
            # Some names hold colons, values only in times of day.
            name, _, value = text.partition(": ")
            settings[f"{section}.{name.rstrip(':')}"] = value.strip()
    return settings, start


def _amount(text: str) -> tuple[float | None, str]:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None, ""
    # Arbitrary units are no unit.
    unit = "" if match[2] in {"a.u.", "arb. units"} else match[2]
    return float(match[1]), unit


def _axis(name: str, header: Mapping[str, str], count: int) -> RawAxis:
    length, unit = _amount(header.get(f"Control.{name.upper()} Amplitude", ""))
    if length is None:
        return RawAxis(name, stored="signal")
    return RawAxis(name, unit, length / count, stored="signal")


def _facts(header: Mapping[str, str], channel: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"channel": channel} if channel else {}
    head = header.get("General Info.Head type") or header.get("Head Settings.Head Name")
    facts["instrument"] = f"WSxM {head or ''}".strip()
    date = header.get("General Info.Acquisition time", "")
    if date:
        facts["date"] = iso_date(date, *_DATE)
    for name, fact, unit in (
        ("Control.Topography Bias", "bias", {"V": 1.0, "mV": 1e-3}),
        ("Control.Angle", "scan_angle", {"": 1.0}),
        ("General Info.Force constant", "spring_constant", {"N/m": 1.0}),
    ):
        value, found = _amount(header.get(name, ""))
        if value is not None and found in unit:
            facts[fact] = value * unit[found]
    facts["raw"] = raw_metadata(header)
    return facts


def _read_scaled(stored: LazyArray, range_: float, index: Any) -> NDArray[Any]:  # noqa: ANN401
    values = stored[...].astype(float)
    spread = np.ptp(values) if values.size else 0.0
    return np.asarray(values[index] * (range_ / spread if spread else 0.0))
