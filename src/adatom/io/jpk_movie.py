"""Movies of JPK's NanoWizard UltraSpeed in HDF5 (.h5-jpk).

The layout is that which AFMReader documents (github.com/AFM-SPM/AFMReader).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.lazy import rows_array
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Beginnings of names of channels -> unit after the encoder's scaling.
_UNITS: Final = {
    "height": "m",
    "measuredheight": "m",
    "amplitude": "m",
    "error": "m",
    "phase": "deg",
    "vdeflection": "V",
    "hdeflection": "V",
}
_FRAMES_AT_ONCE: Final = 16
_GRID: Final = "position-pattern.grid."


def read_parts(path: Path, key: str, /) -> RawFile:
    """List the channels of all measurements."""
    signals = []
    with h5py.File(path, "r") as file:
        for name, measurement in file.items():
            if name.startswith("Measurement_") and isinstance(measurement, h5py.Group):
                signals += _channels(path, name, measurement)
    if not signals:
        reason = "none of its measurements holds a channel of frames"
        raise read_error(path, reason, "Export it from JPK's software as tif")
    if len(signals) > 1:
        names = [one.name for one in signals]
        chosen = names.index("height trace") if "height trace" in names else 0
        why = f"{names[chosen]} was read"
        signals[chosen] = replace(signals[chosen], preferred=why)
    return RawFile(path, key, signals)


def _channels(path: Path, name: str, measurement: h5py.Group) -> list[RawSignal]:
    attributes = {key: _plain(value) for key, value in measurement.attrs.items()}
    columns = _whole(attributes.get(f"{_GRID}ilength"))
    rows = _whole(attributes.get(f"{_GRID}jlength"), columns)
    found = []
    for key, group in measurement.items():
        if not key.startswith("Channel_") or not isinstance(group, h5py.Group):
            continue
        title = str(_plain(group.attrs.get("channel.name", key))).strip()
        arrays = [one for one in group.values() if isinstance(one, h5py.Dataset) and one.ndim == 2]
        named = [one for one in arrays if one.name.rpartition("/")[2].lower() == title.lower()]
        array = next(iter(named or arrays), None)
        if array is None:
            continue
        if array.shape[0] != rows * columns or array.dtype.kind not in "iuf":
            reason = f"{name}/{key} is {array.shape} {array.dtype}, not {rows * columns} pixels"
            raise read_error(path, reason, "The file may be damaged: copy it again")
        found.append(_movie(path, array, title, group, attributes, (rows, columns)))
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever an attribute holds
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def _whole(value: object, other: int = 0) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 2**31 else other


def _movie(
    path: Path,
    array: h5py.Dataset,
    title: str,
    group: h5py.Group,
    attributes: Mapping[str, Any],
    shape: tuple[int, int],
) -> RawSignal:
    rows, columns = shape
    way = "retrace" if str(_plain(group.attrs.get("retrace", False))).lower() == "true" else "trace"
    count = array.shape[1]
    check_size(path, array.shape, array.dtype.itemsize, stored=path.stat().st_size)
    scale = float(_plain(group.attrs.get("net-encoder.scaling.multiplier", 1.0)))
    offset = float(_plain(group.attrs.get("net-encoder.scaling.offset", 0.0)))
    name = f"{title.lower()} {way}"
    rate = attributes.get("timing-settings.scanRate")
    notes = []
    frame = RawAxis("frame", stored="stack")
    if isinstance(rate, int | float) and rate > 0:
        frame = RawAxis("frame", "s", rows / rate, stored="stack")
        notes.append("times of frames follow from the number of lines and the rate of lines")
    values = rows_array(
        (count, rows, columns),
        np.dtype(np.float64),
        partial(_read, path, array.name, shape, scale, offset),
    )
    unit = next((unit for start, unit in _UNITS.items() if title.lower().startswith(start)), "")
    return RawSignal(
        values,
        (
            frame,
            _space("y", attributes.get(f"{_GRID}vlength"), rows, attributes, columns),
            _space("x", attributes.get(f"{_GRID}ulength"), columns, attributes, columns),
        ),
        name=name,
        unit=unit,
        metadata={"instrument": "JPK", "channel": name, "raw": raw_metadata(attributes)},
        notes=tuple(notes),
    )


def _space(
    name: str, length: object, count: int, attributes: Mapping[str, Any], columns: int
) -> RawAxis:
    """Make an axis of a length in m; pixels are square where only x has one."""
    width = attributes.get(f"{_GRID}ulength")
    if isinstance(length, int | float) and count:
        return RawAxis(name, "m", float(length) / count, stored="signal")
    if isinstance(width, int | float) and columns:
        return RawAxis(name, "m", float(width) / columns, stored="signal")
    return RawAxis(name, stored="signal")


def _read(
    path: Path,
    name: str,
    shape: tuple[int, int],
    scale: float,
    offset: float,
    numbers: Sequence[int],
) -> Iterator[NDArray[np.float64]]:
    """Read frames, each a column of the table; the lowest line comes first."""
    with h5py.File(path, "r") as file:
        table = file[name]
        for first, last in _runs(numbers):
            # Columns side by side are read at once, since each alone reads every row.
            columns = table[:, first : last + 1]
            for column in columns.T:
                yield column.reshape(shape)[::-1] * scale + offset


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Part numbers into runs that follow one another, as first and last."""
    start = 0
    for place in range(1, len(numbers) + 1):
        ends = place == len(numbers) or numbers[place] != numbers[place - 1] + 1
        if ends or place - start == _FRAMES_AT_ONCE:
            yield numbers[start], numbers[place - 1]
            start = place
