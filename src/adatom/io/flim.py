"""Fluorescence lifetimes: photons of PicoQuant (ptu), decays of Becker & Hickl (sdt)."""

from __future__ import annotations

import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.lazy import LazyArray
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_DAMAGED: Final = "The file is cut off or damaged: copy it again"
_MAX_MARKER: Final = 32
# An incomplete last frame, and channels that counted nothing, are left out.
_TRIMMED: Final = "TC"


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read what was recorded; photons of a ptu are sorted into decays when they are needed."""
    with collected_chatter(("ptufile", "sdtfile")):
        parts = _ptu_signals(path) if key == "ptu" else list(_sdt_signals(path))
    return RawFile(path, key, parts)


def _ptu_signals(path: Path) -> list[RawSignal]:
    import ptufile

    with ptufile.PtuFile(path, trimdims=_TRIMMED) as file:
        _check_markers(path, file.tags)
        if not (file.is_t3 and file.is_image):
            reason = f"it is a {file.measurement_mode.name} {file.measurement_submode.name} record"
            raise read_error(path, reason, "Only images of time-tagged photons (T3) are read")
        frames, rows, columns, channels, _ = file.shape
        bins = int(file.number_bins_in_period)
        shape = (int(rows), int(columns), bins)
        check_size(path, shape, 4, stored=path.stat().st_size)
        size, resolution = file.tags.get("ImgHdr_PixResol"), float(file.tcspc_resolution)
        numbers = [int(number) for number in file.active_channels]
        metadata: dict[str, Any] = {"raw": raw_metadata(file.tags)}
        if file.datetime is not None:
            metadata["date"] = file.datetime.isoformat()
    notes = []
    if frames > 1:
        notes.append(f"photons of {frames} frames were added up")
    axes = (*_pixels(size), RawAxis("time", "s", resolution, stored="signal"))
    return [
        RawSignal(
            LazyArray(shape, np.dtype(np.uint32), partial(_decays, path, channel, bins)),
            axes,
            f"channel {numbers[channel] if channel < len(numbers) else channel}",
            unit="counts",
            metadata=metadata,
            notes=tuple(notes),
        )
        for channel in range(int(channels))
    ]


def _check_markers(path: Path, tags: Mapping[str, Any]) -> None:
    """Refuse numbers of markers that ptufile would take powers of two of, without end."""
    for name in ("ImgHdr_LineStart", "ImgHdr_LineStop", "ImgHdr_Frame"):
        marker = tags.get(name) or 0
        if not isinstance(marker, int) or not 0 <= marker <= _MAX_MARKER:
            raise read_error(path, f"its {name} is marker {marker!r}", _DAMAGED)


def _pixels(size: object) -> tuple[RawAxis, RawAxis]:
    """Give the axes y and x; PicoQuant gives the size of square pixels in micrometers."""
    if isinstance(size, int | float) and size > 0:
        return tuple(RawAxis(n, "um", float(size), stored="stack") for n in ("y", "x"))  # type: ignore[return-value]
    return RawAxis("y", stored="stack"), RawAxis("x", stored="stack")


def _decays(path: Path, channel: int, bins: int, index: Any) -> NDArray[Any]:  # noqa: ANN401
    """Sort photons into decays, of the rows that are asked for."""
    import ptufile

    entries = list(index) if isinstance(index, tuple) else [index]
    first = entries[0]
    # Other indices than plain slices of rows are taken from what was decoded.
    by_rows = isinstance(first, slice) and first.step in {None, 1}
    rows = first if by_rows else None
    summed = slice(None, None, -1)
    with collected_chatter(("ptufile",)), ptufile.PtuFile(path, trimdims=_TRIMMED) as file:
        decoded = file.decode_image(
            [summed, rows, None, channel, None], dtype=np.uint32, dtime=0, keepdims=True
        )
    block = np.asarray(decoded)[0, :, :, 0, :bins]
    if by_rows:
        entries[0] = slice(None)
    return np.asarray(block[tuple(entries)])


def _sdt_signals(path: Path) -> Iterator[RawSignal]:
    import sdtfile

    _check_blocks(path)
    with sdtfile.SdtFile(path) as file:
        metadata = {"raw": raw_metadata({"info": str(file.info)})}
        for number, (values, times) in enumerate(zip(file.data, file.times, strict=True)):
            yield _sdt_signal(path, f"block {number}", np.array(values), times, metadata)


def _sdt_signal(
    path: Path, name: str, values: NDArray[Any], times: NDArray[Any], metadata: dict[str, Any]
) -> RawSignal:
    step = float(times[1] - times[0]) if len(times) > 1 else 0.0
    unit = "s" if step > 0 and np.isfinite(step) else ""
    time = RawAxis("time", unit, step if unit else 1.0, stored="signal")
    if values.ndim == 2 and values.shape[0] == 1:
        values = values[0]
    places = {
        1: (),
        2: (RawAxis("curve", stored="stack"),),
        3: (RawAxis("y", stored="stack"), RawAxis("x", stored="stack")),
    }
    if values.ndim not in places:
        reason = f"its {name} has shape {values.shape}, decays of several detectors"
        raise read_error(path, reason, "Save one detector a file")
    return RawSignal(values, (*places[values.ndim], time), name, unit="counts", metadata=metadata)


def _check_blocks(path: Path) -> None:
    """Refuse blocks that unpack to more than they can hold, before memory is taken."""
    header = np.fromfile(path, "u1", 42)
    size = path.stat().st_size
    if len(header) < 42:
        raise read_error(path, f"it has {size} bytes, its header alone 42", _DAMAGED)
    start = int.from_bytes(header[14:18].tobytes(), "little")
    count = int.from_bytes(header[18:20].tobytes(), "little")
    if start >= size or count > size // 22 + 1:
        raise read_error(path, f"its header promises {count} blocks from byte {start}", _DAMAGED)
    # Packed blocks are zip archives of one member.
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            largest = max((one.file_size for one in archive.infolist()), default=0)
        check_size(path, (largest,), 1, stored=size)
