"""Documents of Anasys Studio (.axz, .axd): maps and infrared spectra of AFM-IR.

The names of elements are those that AnasysPythonTools of the instrument's
maker reads (github.com/AnasysInstruments/anasys-python-tools).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np

from adatom.io.guard import read_error
from adatom.io.lazy import LazyArray
from adatom.io.signals import Places, RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

_MAX_TEXT: Final = 2**28
_MAX_GAPS: Final = 10
_SPACE: Final = "{www.anasysinstruments.com}"
_PREFIXES: Final = {"n", "u", "µ", "m", "p", ""}


class _Spectrum(NamedTuple):
    """One channel of one spectrum."""

    label: str
    channel: str
    start: float
    stop: float
    y: float
    x: float
    values: NDArray[np.float32]
    date: str


class _Grid(NamedTuple):
    """Wavenumbers in equal steps."""

    start: float
    step: float
    n_points: int


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read maps and spectra of a document."""
    root = _document(path)
    maps = [_map(path, one) for one in root.iter(f"{_SPACE}HeightMap")]
    spectra = [
        channel
        for one in root.iter(f"{_SPACE}IRRenderedSpectra")
        for channel in _spectrum(path, one)
    ]
    if not maps and not spectra:
        raise read_error(path, "it holds neither maps nor spectra", "Save a document with data")
    if maps:
        heights = [n for n, one in enumerate(maps) if one.metadata["channel"] == "height"]
        chosen = heights[0] if heights else 0
        name = maps[chosen].name
        maps[chosen] = replace(maps[chosen], preferred=f"{name} was read, as the first map")
    return RawFile(path, key, [*maps, *_sets_of_spectra(spectra)])


def _document(path: Path) -> Element:
    content = path.read_bytes() if path.stat().st_size <= _MAX_TEXT else b""
    if content.startswith(b"\x1f\x8b"):
        unpacking = zlib.decompressobj(wbits=31)
        content = unpacking.decompress(content, _MAX_TEXT)
        if not unpacking.eof and len(content) < _MAX_TEXT:
            raise read_error(path, "it ends before all is unpacked", "It is cut off: copy it again")
        if not unpacking.eof:
            raise read_error(path, "it unpacks to more than 256 MB", "Save its maps in parts")
    if not content:
        raise read_error(path, "it is larger than 256 MB", "Save its maps in parts")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if wide else "utf-8-sig")
    del content
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        reason = "it defines entities, which no document of Anasys does"
        raise read_error(path, reason, "Save it anew in Analysis Studio")
    # The declaration tells the encoding of the file, not of this text.
    _, _, body = text.partition("?>") if text.lstrip().startswith("<?xml") else ("", "", text)
    return ET.fromstring(body)  # noqa: S314 -- entities are refused above


def _text(element: Element, name: str) -> str:
    steps = "/".join(f"{_SPACE}{step}" for step in name.split("/"))
    return (element.findtext(steps) or "").strip()


def _number(element: Element, name: str) -> float:
    try:
        return float(_text(element, name))
    except ValueError:
        return float("nan")


def _values(path: Path, element: Element, count: int, label: str) -> NDArray[np.float32]:
    """Decode float32 numbers, after comparing their count with the text's length."""
    text = "".join(_text(element, "SampleBase64").split())
    if len(text) != 4 * -(-4 * count // 3):
        reason = f"{label} has {len(text)} letters of base64 for {count} values"
        raise read_error(path, reason, "The file is damaged: save it anew in Analysis Studio")
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except (binascii.Error, ValueError):
        raise read_error(path, f"{label} is no base64", "The file is damaged") from None


def _count(path: Path, element: Element, name: str) -> int:
    text = _text(element, name)
    if not text.isdigit() or not 0 < int(text) < 2**24:
        raise read_error(path, f"a {name} in it is {text!r}", "The file is damaged")
    return int(text)


def _map(path: Path, element: Element) -> RawSignal:
    label = element.get("Label") or "map"
    rows, columns = (_count(path, element, f"Resolution/{axis}") for axis in "YX")
    values = _values(path, element, rows * columns, label)
    prefix, unit = _text(element, "UnitPrefix"), _text(element, "Units")
    tags = {one.get("Name", ""): one.get("Value", "") for one in element.iter(f"{_SPACE}Tag")}
    facts: dict[str, Any] = {"channel": element.get("DataChannel", "")}
    if tags.get("System"):
        facts["instrument"] = f"Anasys {tags['System']}"
    if _text(element, "TimeStamp"):
        facts["date"] = _text(element, "TimeStamp")
    yaw = _number(element, "Rotation/Yaw")
    if np.isfinite(yaw):
        facts["scan_angle"] = yaw
    center = [_number(element, f"Position/{axis}") for axis in "YX"]
    if np.isfinite(center).all():
        # In um, of the middle of the map, y up as the instrument has it.
        facts["center_y"], facts["center_x"] = center
    facts["raw"] = {name: value[:300] for name, value in list(tags.items())[:500]}
    return RawSignal(
        LazyArray((rows, columns), np.dtype("<f4"), partial(_index, values.reshape(rows, columns))),
        (
            RawAxis("y", "um", _number(element, "Size/Y") / rows, stored="signal"),
            RawAxis("x", "um", _number(element, "Size/X") / columns, stored="signal"),
        ),
        name=label,
        unit=prefix + unit if prefix in _PREFIXES else unit,
        metadata=facts,
    )


def _index(values: NDArray[Any], index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index of numpy
    return np.asarray(values[index])


def _spectrum(path: Path, element: Element) -> list[_Spectrum]:
    label = _text(element, "Label")
    count = _count(path, element, "DataPoints")
    found = []
    for channel in element.findall(f"{_SPACE}DataChannels"):
        name = channel.get("Name") or channel.get("DataChannel") or "spectrum"
        found.append(
            _Spectrum(
                label,
                name,
                _number(element, "StartWavenumber"),
                _number(element, "EndWavenumber"),
                -_number(element, "Location/Y"),
                _number(element, "Location/X"),
                _values(path, channel, count, f"{name} of {label}"),
                _text(element, "TimeStamp"),
            )
        )
    return found


def _sets_of_spectra(spectra: Sequence[_Spectrum]) -> list[RawSignal]:
    """Put the spectra of each channel together: on one axis where they share its grid."""
    sets = []
    for channel in dict.fromkeys(one.channel for one in spectra):
        group = [one for one in spectra if one.channel == channel]
        grid = _common_grid(group)
        if grid is not None:
            sets.append(_set_of_spectra(channel, group, grid))
            continue
        sets += [_set_of_spectra(f"{channel}, {one.label}", [one], _own_grid(one)) for one in group]
    if len(sets) > 1:
        sets[0] = replace(sets[0], preferred=f"{sets[0].name} was read, as the first channel")
    return sets


def _own_grid(one: _Spectrum) -> _Grid:
    count = one.values.size
    return _Grid(one.start, (one.stop - one.start) / max(count - 1, 1), count)


def _common_grid(group: Sequence[_Spectrum]) -> _Grid | None:
    """Find the grid on which all spectra lie, if their points fall together."""
    grids = [_own_grid(one) for one in group]
    step = grids[0].step
    start = min(grid.start for grid in grids)
    stop = max(one.stop for one in group)
    if not (step > 0 and all(abs(grid.step - step) <= 1e-6 * step for grid in grids)):
        return None
    shifts = [(grid.start - start) / step for grid in grids]
    if any(abs(shift - round(shift)) > 1e-3 for shift in shifts):
        return None
    count = round((stop - start) / step) + 1
    # Ranges far apart are sets of their own rather than mostly gaps.
    return (
        _Grid(start, step, count) if count <= _MAX_GAPS * max(g.n_points for g in grids) else None
    )


def _set_of_spectra(name: str, group: Sequence[_Spectrum], grid: _Grid) -> RawSignal:
    values = np.full((len(group), grid.n_points), np.nan, np.float32)
    for row, one in zip(values, group, strict=True):
        first = round((one.start - grid.start) / grid.step) if grid.step else 0
        row[first : first + one.values.size] = one.values
    places = np.array([(one.y, one.x) for one in group])
    notes = ["y points down: it is the negative of the instrument's Y"]
    if any(one.values.size < grid.n_points for one in group):
        notes.append("spectra do not all range over the whole axis: NaN where one was not measured")
    missing = sum(int(np.isnan(one.values).sum()) for one in group)
    if missing:
        notes.append(f"{missing} values of these spectra are NaN in the file")
    return RawSignal(
        values,
        (
            RawAxis("point", stored="stack"),
            RawAxis("wavenumber", "1/cm", grid.step, grid.start, stored="signal"),
        ),
        name=name,
        metadata={
            "channel": group[0].channel,
            "title": ", ".join(one.label for one in group)[:300],
            "date": group[0].date,
        },
        notes=tuple(notes),
        places=Places(places[:, 0], places[:, 1], "um"),
    )
