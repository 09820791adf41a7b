"""Streams of TVIPS cameras: frames in files of numbered parts.

RosettaSciIO reads them too, but takes all frames into memory even when it is
asked to leave them in their file.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.io.guard import read_error
from adatom.io.lazy import rows_array
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_GENERAL: Final = (
    "size", "version", "columns", "rows", "bits per pixel", "offset x", "offset y", "binning x",
    "binning y", "pixel size", "high tension", "magnification", "bytes of frame header",
)  # fmt: skip
_HEADER: Final = struct.Struct("<13I")
# Number, seconds since 1970, milliseconds, color, current, magnification, mode.
_FRAME: Final = struct.Struct("<4If2I")
_DIFFRACTION: Final = 2
_MAX_HEADER: Final = 2**16
_REMEDY: Final = "The file is damaged: copy it again"


class _Stream(NamedTuple):
    """Where frames lie: in parts, each with its first frame, after a header in the first."""

    parts: tuple[Path, ...]
    starts: tuple[int, ...]
    first: int
    frame_header: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def record(self) -> int:
        """Return the bytes of a frame and its header."""
        return self.frame_header + self.shape[0] * self.shape[1] * self.dtype.itemsize


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header, and the times of the first and last frame."""
    parts = _parts(path)
    header = _header(path)
    stream = _stream(path, parts, header)
    count = stream.starts[-1]
    seconds, mode = _time_and_mode(stream, 0)
    last, _ = _time_and_mode(stream, count - 1)
    unit = "1/nm" if mode == _DIFFRACTION else "nm"
    step = (last - seconds) / (count - 1) if count > 1 else 0.0
    axes = (
        RawAxis("frame", "s", step, stored="stack") if step > 0 else RawAxis("frame"),
        RawAxis("y", unit, header["pixel size"], header["offset y"], stored="signal"),
        RawAxis("x", unit, header["pixel size"], header["offset x"], stored="signal"),
    )
    metadata = {
        "date": datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(),
        "beam_energy": header["high tension"] * 1000.0,
        "raw": raw_metadata(header),
    }
    metadata = {name: value for name, value in metadata.items() if value}
    values = rows_array((count, *stream.shape), stream.dtype, partial(_read_frames, stream))
    notes = ("frames are taken at even times between the first and the last",) if step > 0 else ()
    return RawFile(path, key, [RawSignal(values, axes, path.stem, metadata=metadata, notes=notes)])


def _header(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise read_error(path, "it ends within its header", _REMEDY)
    header = dict(zip(_GENERAL, _HEADER.unpack(head)))
    if header["version"] == 1:
        header["bytes of frame header"] = 12
    known = header["version"] in {1, 2} and header["bits per pixel"] in {8, 16, 32}
    lengths = (header["size"], header["bytes of frame header"])
    if not known or min(lengths) < 12 or max(lengths) > _MAX_HEADER:
        reason = f"its header gives version {header['version']}, {lengths} bytes of headers and "
        raise read_error(path, f"{reason}{header['bits per pixel']} bits a pixel", _REMEDY)
    return header


def _stream(path: Path, parts: list[Path], header: dict[str, int]) -> _Stream:
    """Find out how many frames each part of a stream holds."""
    shape = (header["rows"], header["columns"])
    dtype = np.dtype(f"<u{header['bits per pixel'] // 8}")
    stream = _Stream((), (), header["size"], header["bytes of frame header"], shape, dtype)
    starts = [0]
    for number, part in enumerate(parts):
        stored = part.stat().st_size - (0 if number else stream.first)
        frames, left = divmod(stored, stream.record) if 0 not in shape else (0, 0)
        if left or not frames:
            reason = f"{part.name} holds {frames} frames of {shape} pixels, and {left} bytes more"
            raise read_error(path, reason, _REMEDY)
        starts.append(starts[-1] + frames)
    return stream._replace(parts=tuple(parts), starts=tuple(starts))


def _parts(path: Path) -> list[Path]:
    """List the numbered parts, of which the first has the header."""
    found = re.fullmatch(r"(.*_)(\d{3})(\.tvips)", path.name, re.IGNORECASE)
    if found is None:
        return [path]
    stem, number, ending = found.groups()
    if int(number):
        reason = "it is a later part of a stream, without the header"
        raise read_error(path, reason, f"Give the first part, {stem}000{ending}")
    parts = [path]
    while (part := path.with_name(f"{stem}{len(parts):03}{ending}")).is_file():
        parts.append(part)
    return parts


def _place(stream: _Stream, number: int) -> tuple[Path, int]:
    """Give the part of a frame, and where the frame's header begins in it."""
    for part, (first, end) in zip(stream.parts, pairwise(stream.starts)):
        if first <= number < end:
            skipped = 0 if first else stream.first
            return part, skipped + (number - first) * stream.record
    raise IndexError(number)


def _time_and_mode(stream: _Stream, number: int) -> tuple[float, int]:
    part, offset = _place(stream, number)
    with part.open("rb") as file:
        file.seek(offset)
        head = file.read(min(_FRAME.size, stream.frame_header))
    fields = _FRAME.unpack(head.ljust(_FRAME.size, b"\0"))
    return fields[1] + fields[2] / 1000, fields[6]


def _read_frames(stream: _Stream, numbers: Sequence[int]) -> Iterator[NDArray[Any]]:
    size = stream.shape[0] * stream.shape[1]
    for number in numbers:
        part, offset = _place(stream, number)
        start = offset + stream.frame_header
        yield np.fromfile(part, stream.dtype, size, offset=start).reshape(stream.shape)
