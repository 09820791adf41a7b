"""Scans of Nanonis (.sxm)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.blocks import stored_block
from adatom.io.guard import read_error
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adatom.io.lazy import LazyArray

_MAX_HEADER: Final = 2**20
_TYPES: Final = {"FLOAT": "f4", "DOUBLE": "f8", "INT": "i4", "SHORT": "i2"}
_ORDERS: Final = {"MSBFIRST": ">", "LSBFIRST": "<"}
_NANONIS_DATE: Final = "%d.%m.%YT%H:%M:%S"
# A channel of as many rows tells whether anything was recorded in it.
_ROWS_LOOKED_AT: Final = 64


class _Frame(NamedTuple):
    """What all channels of a scan share."""

    rows: int
    columns: int
    width: float
    height: float
    dtype: str
    upwards: bool


class _Channel(NamedTuple):
    name: str
    unit: str
    backward: bool

    @property
    def title(self) -> str:
        return f"{self.name} {'backward' if self.backward else 'forward'}"


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of a scan."""
    header, start = _header(path)
    frame = _frame(path, header)
    channels = _channels(path, header)
    size = frame.rows * frame.columns * np.dtype(frame.dtype).itemsize
    blocks = [
        stored_block(
            path,
            start + number * size,
            (frame.rows, frame.columns),
            frame.dtype,
            # The order of recording: lines from below of a scan upwards, and the way back
            # from the right.
            flipped=(*((0,) if frame.upwards else ()), *((1,) if channel.backward else ())),
        )
        for number, channel in enumerate(channels)
    ]
    facts = _facts(header)
    preferred = _preferred(channels, blocks)
    signals = [
        RawSignal(
            block,
            (
                RawAxis("y", "m", frame.height / frame.rows, stored="signal"),
                RawAxis("x", "m", frame.width / frame.columns, stored="signal"),
            ),
            name=channel.title,
            unit=channel.unit,
            metadata={**facts, "channel": channel.title},
            notes=tuple(_notes(block)),
            preferred=preferred.get(number, ""),
        )
        for number, (channel, block) in enumerate(zip(channels, blocks, strict=True))
    ]
    return RawFile(path, key, signals)


def _header(path: Path) -> tuple[dict[str, list[str]], int]:
    """Read the sections of the header, and where the numbers begin."""
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER)
    end = head.find(b":SCANIT_END:")
    start = head.find(b"\x1a\x04", end)
    if end < 0 or start < 0:
        raise read_error(path, "its header does not end", "The file may be cut off: copy it again")
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in head[:end].decode("latin-1").splitlines():
        if line.startswith(":") and line.rstrip().endswith(":") and len(line) > 2:
            lines = sections.setdefault(line.rstrip()[1:-1], [])
        else:
            lines.append(line)
    return sections, start + 2


def _text(header: Mapping[str, Sequence[str]], name: str) -> str:
    return "\n".join(header.get(name, ())).strip()


def _numbers(path: Path, header: Mapping[str, Sequence[str]], name: str) -> list[float]:
    try:
        return [float(word) for word in _text(header, name).split()]
    except ValueError:
        text = _text(header, name)
        raise read_error(path, f"its {name} is {text!r}", "The file is damaged") from None


def _frame(path: Path, header: Mapping[str, Sequence[str]]) -> _Frame:
    kind, _, order = _text(header, "SCANIT_TYPE").partition(" ")
    pixels = _numbers(path, header, "SCAN_PIXELS")
    size = _numbers(path, header, "SCAN_RANGE")
    if kind not in _TYPES or order.strip() not in _ORDERS:
        reason = f"its numbers are of the unknown type {_text(header, 'SCANIT_TYPE')!r}"
        raise read_error(path, reason, "Save it as FLOAT MSBFIRST")
    if len(pixels) != 2 or len(size) != 2 or not all(0 < n < 2**31 for n in pixels):
        reason = f"it gives {pixels} pixels and a range of {size}"
        raise read_error(path, reason, "The file is damaged: copy it again")
    # Columns stand before rows, and x before y.
    columns, rows = (int(number) for number in pixels)
    upwards = _text(header, "SCAN_DIR").lower() == "up"
    return _Frame(rows, columns, size[0], size[1], _ORDERS[order.strip()] + _TYPES[kind], upwards)


def _channels(path: Path, header: Mapping[str, Sequence[str]]) -> list[_Channel]:
    found = []
    for line in header.get("DATA_INFO", [])[1:]:
        cells = [cell.strip() for cell in line.split("\t")][1:]
        if len(cells) < 4:
            cells = line.split()
        if len(cells) < 4:
            continue
        _, name, unit, direction = cells[:4]
        ways = {"both": (False, True), "forward": (False,), "backward": (True,)}
        found += [_Channel(name, unit, way) for way in ways.get(direction.lower(), (False, True))]
    if not found:
        raise read_error(path, "its DATA_INFO names no channel", "Check that channels were saved")
    return found


def _preferred(channels: Sequence[_Channel], blocks: Sequence[LazyArray]) -> dict[int, str]:
    """Choose Z forward, or what was recorded at constant height.

    Returns
    -------
    dict of int to str
        Number of the channel, and why.
    """
    forward = [number for number, channel in enumerate(channels) if not channel.backward]
    forward = forward or list(range(len(channels)))
    heights = [number for number in forward if channels[number].name == "Z"]
    for number in heights:
        if _varies(blocks[number]):
            return {number: "Z forward was read, as the topography"}
    # With the feedback off these show the sample; what stands first may be a noisy input.
    telling = (r"freq\w*[ _]?shift", r"current")
    others = [
        number
        for pattern in (*telling, "")
        for number in forward
        if number not in heights and re.search(pattern, channels[number].name.lower())
    ]
    why = "as Z is constant" if heights else "as Z was not recorded"
    for number in others:
        if _varies(blocks[number]):
            return {number: f"{channels[number].title} was read, {why}"}
    first = forward[0]
    return {first: f"{channels[first].title} was read, as all channels are constant"}


def _varies(block: LazyArray) -> bool:
    step = max(1, block.shape[0] // _ROWS_LOOKED_AT)
    rows = block[::step]
    rows = rows[np.isfinite(rows)] if rows.dtype.kind == "f" else rows
    return bool(rows.size) and bool(rows.min() != rows.max())


def _notes(block: LazyArray) -> list[str]:
    # What is missing is the end of the scan, up or down.
    ends = block[:: max(1, block.shape[0] - 1), 0]
    if block.dtype.kind != "f" or np.isfinite(ends).all():
        return []
    missing = int(np.isnan(block[:, 0]).sum())
    if not missing:
        return []
    return [
        f"the scan was stopped: {missing} of {block.shape[0]} rows were not recorded and are NaN"
    ]


def _facts(header: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    facts: dict[str, Any] = {"instrument": "Nanonis"}
    date = "T".join(_text(header, name) for name in ("REC_DATE", "REC_TIME"))
    if date != "T":
        facts["date"] = iso_date(date, _NANONIS_DATE)
    # In V and deg; the angle is clockwise.
    for name, fact in (("BIAS", "bias"), ("SCAN_ANGLE", "scan_angle")):
        try:
            facts[fact] = float(_text(header, name))
        except ValueError:
            continue
    controller = [line.split("\t") for line in header.get("Z-CONTROLLER", [])]
    if len(controller) > 1 and "Setpoint" in controller[0]:
        row = dict(zip(controller[0], controller[1], strict=False))
        facts["setpoint"] = row.get("Setpoint", "")
    if _text(header, "COMMENT"):
        facts["comment"] = _text(header, "COMMENT")[:300]
    facts["raw"] = raw_metadata({name: _text(header, name) for name in header})
    return facts
