"""Movies of high-speed AFM in the ASD layout of RIBM's instruments.

The layout and the rule from counts to heights are those of libasd
(github.com/ToruNiina/libasd) and AFMReader (github.com/AFM-SPM/AFMReader).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.lazy import rows_array
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Fields of a header in their order, with the letters of `struct`; "x" is not used.
_FIRST: Final = {
    0: "4x:version 2s:channel_1 2s:channel_2 i:header_size i:frame_header_size i:name_size "
    "i:comment_offset i:comment_size h:x_pixels h:y_pixels h:x_range h:y_range f:frame_time "
    "f:z_extension f:z_gain I:voltage_range i:n_bits ?:averaged i:averaging_window 2x:legacy "
    "h:year B:month B:day B:hour B:minute B:second B:rounding f:x_range_max f:y_range_max "
    "12x:booked i:n_frames_recorded i:n_frames i:machine h:file",
    1: "4x:version i:header_size i:frame_header_size i:code_page i:name_size i:comment_size "
    "4s:channel_1 4s:channel_2 i:n_frames_recorded i:n_frames i:scan_direction i:file "
    "i:x_pixels i:y_pixels i:x_range i:y_range ?:averaged i:averaging_window i:year i:month "
    "i:day i:hour i:minute i:second i:x_rounding i:y_rounding f:frame_time "
    "f:scanner_sensitivity f:phase_sensitivity i:offset 12x:booked i:machine I:voltage_range "
    "i:n_bits f:x_range_max f:y_range_max f:x_extension f:y_extension f:z_extension f:z_gain",
}
_LAST: Final = "f:scanner_sensitivity f:phase_sensitivity i:scan_direction"
_MAX_TEXT: Final = 2**20

# Codes of the converter -> lowest and highest voltage.
_VOLTAGES: Final = {
    0x1: (0.0, 1.0),
    0x2: (0.0, 2.5),
    0x3: (0.0, 9.99),
    0x4: (0.0, 5.0),
    0x10000: (-1.0, 1.0),
    0x20000: (-2.5, 2.5),
    0x40000: (-5.0, 5.0),
    0x800000: (-80.0, 80.0),
}
_UNPUBLISHED_RANGE: Final = 0x3
# In nm/V or deg/V; what is larger comes from damage.
_LARGEST_GAIN: Final = 1e12


class _Channel(NamedTuple):
    name: str
    unit: str


_CHANNELS: Final = {
    "TP": _Channel("topography", "nm"),
    "ER": _Channel("error", "nm"),
    "PH": _Channel("phase", "deg"),
}


@dataclass(frozen=True)
class _Frames:
    """Where the frames of a channel lie, and what their counts stand for."""

    path: Path
    start: int
    skip: int
    shape: tuple[int, int]
    scale: float
    offset: float

    @property
    def step(self) -> int:
        """Bytes from frame to frame."""
        return self.skip + 2 * self.shape[0] * self.shape[1]


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of a movie."""
    header = _header(path)
    count, shape = header["n_frames"], (header["y_pixels"], header["x_pixels"])
    codes = [header[name].decode("latin-1").rstrip("\0") for name in ("channel_1", "channel_2")]
    codes = [code for code in codes if code]
    if not codes or any(code not in _CHANNELS for code in codes):
        remedy = "Export the channels TP, ER or PH from the instrument's software"
        raise read_error(path, f"its channels are {codes}, not TP, ER or PH", remedy)
    skip = header["frame_header_size"]
    if min(count, skip, header["header_size"], *shape) < 0:
        raise read_error(path, f"its header gives {count} frames of {shape}", "It is damaged")
    channel_size = count * (skip + 2 * shape[0] * shape[1])
    stored = path.stat().st_size - header["header_size"]
    check_size(path, (len(codes), channel_size), 1, stored=stored, packed=False)
    signals = []
    for number, code in enumerate(codes):
        start = header["header_size"] + number * channel_size
        scale, offset = _conversion(path, code, header)
        frames = _Frames(path, start, skip, shape, scale, offset)
        signals.append(_signal(header, code, frames, alone=len(codes) == 1))
    return RawFile(path, key, signals)


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(512)
        version = int.from_bytes(head[:4], "little")
        if version not in {0, 1, 2}:
            remedy = "Export it in version 0, 1 or 2"
            raise read_error(path, f"ASD version {version} is not known", remedy)
        fields, end = _unpacked(path, head, 0, _FIRST[min(version, 1)])
        sizes = (fields["name_size"], fields["comment_size"])
        if min(sizes) < 0 or max(sizes) > _MAX_TEXT:
            raise read_error(path, f"its texts have {sizes} bytes", "The file is damaged")
        file.seek(end)
        name = file.read(fields["name_size"])
        if not version:
            # Version 1 has these before the name.
            length = struct.calcsize(_letters(_LAST))
            last, _ = _unpacked(path, file.read(length), 0, _LAST)
            fields |= last
            file.seek(max(0, min(fields["comment_offset"], _MAX_TEXT)), 1)
        comment = file.read(fields["comment_size"])
    texts = {"operator": name, "comment": comment}
    decoded = {one: _decoded(text, fields.get("code_page", 932)) for one, text in texts.items()}
    return {"version": version, **fields, **decoded}


def _letters(layout: str) -> str:
    return "<" + "".join(entry.partition(":")[0] for entry in layout.split())


def _unpacked(path: Path, head: bytes, at: int, layout: str) -> tuple[dict[str, Any], int]:
    letters = _letters(layout)
    if len(head) < struct.calcsize(letters):
        raise read_error(path, "its header is cut off", "Copy the file again")
    pairs = [entry.split(":") for entry in layout.split()]
    names = [name for letter, name in pairs if not letter.endswith("x")]
    values = struct.unpack_from(letters, head, at)
    return dict(zip(names, values, strict=True)), at + struct.calcsize(letters)


def _decoded(text: bytes, code_page: int) -> str:
    # 932 is Shift JIS, 1200 is UTF-16.
    encoding = "utf-16-le" if code_page == 1200 else f"cp{code_page}"
    try:
        return text.decode(encoding, "replace").strip("\0 ")
    except LookupError:
        return text.decode("latin-1").strip("\0 ")


def _conversion(path: Path, code: str, header: Mapping[str, Any]) -> tuple[float, float]:
    """Give the physical value of one count and of count 0.

    A large count of topography is a high voltage: the piezo is pushed down,
    so that height falls with counts. Error and phase have the other sign.
    """
    if header["voltage_range"] not in _VOLTAGES:
        reason = f"the range of its converter has the unknown code {header['voltage_range']:#x}"
        raise read_error(path, reason, "Export the movie as tif from the instrument's software")
    bits = header["n_bits"]
    if not 1 <= bits <= 16:
        raise read_error(path, f"its converter has {bits} bits", "The file is damaged")
    low, high = _VOLTAGES[header["voltage_range"]]
    factors = {
        "TP": header["z_extension"] * header["z_gain"],
        "ER": -header["scanner_sensitivity"],
        "PH": -header["phase_sensitivity"],
    }
    if not abs(factors[code]) < _LARGEST_GAIN:
        reason = f"its header gives a gain of {factors[code]:g} for channel {code}"
        raise read_error(path, reason, "The file is damaged: copy it again")
    return -(high - low) / 2**bits * factors[code], -low * factors[code]


def _signal(header: Mapping[str, Any], code: str, frames: _Frames, *, alone: bool) -> RawSignal:
    count = header["n_frames"]
    rows, columns = frames.shape
    channel = _CHANNELS[code]
    values = rows_array((count, rows, columns), np.dtype(np.float32), partial(_read, frames))
    wanted = code == "TP" and not alone
    return RawSignal(
        values,
        (
            # In ms.
            RawAxis("frame", "s", header["frame_time"] / 1000, stored="stack"),
            RawAxis("y", "nm", header["y_range"] / max(rows, 1), stored="signal"),
            RawAxis("x", "nm", header["x_range"] / max(columns, 1), stored="signal"),
        ),
        name=channel.name,
        unit=channel.unit,
        metadata=_metadata(header, channel.name),
        notes=tuple(_notes(header, frames)),
        preferred="topography was read of two channels" if wanted else "",
    )


def _metadata(header: Mapping[str, Any], channel: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"channel": channel, "raw": raw_metadata(header)}
    date = [header[part] for part in ("year", "month", "day", "hour", "minute", "second")]
    try:
        # The local time of the instrument, whose zone is not told.
        facts["date"] = datetime(*date).isoformat()  # noqa: DTZ001
    except ValueError:
        facts["date"] = "-".join(str(part) for part in date)
    if header["comment"]:
        facts["title"] = header["comment"][:300]
    return facts


def _notes(header: Mapping[str, Any], frames: _Frames) -> list[str]:
    notes = []
    if header["voltage_range"] == _UNPUBLISHED_RANGE:
        notes.append(
            "the converter's range has code 3, which no description of the format lists: taken as "
            "0 to 9.99 V, as AFMReader does; all heights are in proportion to it"
        )
    if not frames.scale:
        notes.append("the header gives this channel a gain of 0, so that all its values are 0")
    return notes


def _read(frames: _Frames, numbers: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Read frames; the first row is the upper one."""
    rows, columns = frames.shape
    with frames.path.open("rb") as file:
        for number in numbers:
            file.seek(frames.start + number * frames.step + frames.skip)
            counts = np.frombuffer(file.read(2 * rows * columns), "<i2").reshape(rows, columns)
            yield (counts * frames.scale + frames.offset).astype(np.float32)
