"""Grids of spectra of Nanonis (.3ds)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.lazy import LazyArray, rows_array
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_HEADER: Final = 2**20
_END: Final = b":HEADER_END:"
_QUANTITY: Final = re.compile(r"(?P<name>.*?)\s*\((?P<unit>[^()]*)\)\s*(?P<way>\[.*\])?")
# A grid that was stopped is filled with NaN, but not from next to nothing.
_MAX_GROWTH: Final = 1000
_ALWAYS_ALLOWED: Final = 64 * 2**20
# Analog inputs of Nanonis end at 10 V; larger files are not searched for samples there.
_LIMIT: Final = 10.0
_MAX_SEARCHED: Final = 64 * 2**20
# Names of the sweep's ends as parameters; also with a unit, "Sweep Start (V)".
_START, _STOP = "sweep start", "sweep end"


@dataclass(frozen=True)
class _Grid:
    """Where the pixels of a grid lie: row by row, parameters before channels."""

    path: Path
    start: int
    rows: int
    columns: int
    n_parameters: int
    n_channels: int
    n_points: int

    @property
    def width(self) -> int:
        """Numbers of a pixel."""
        return self.n_parameters + self.n_channels * self.n_points


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the header of a grid."""
    header, start = _header(path)
    parameters = [
        *_list(header.get("Fixed parameters", "")),
        *_list(header.get("Experiment parameters", "")),
    ]
    channels = _list(header.get("Channels", ""))
    grid = _grid(path, header, start, parameters, channels)
    space = _space(header, grid)
    sweep, notes = _sweep(header, grid, parameters)
    notes += _unfinished(grid)
    facts = _facts(header)
    signals = [
        _channel(grid, number, text, (*space, sweep), facts, notes)
        for number, text in enumerate(channels)
    ]
    first = next((n for n, one in enumerate(signals) if _varies(one)), 0)
    why = f"{signals[first].name} was read, as the first channel that changes"
    preferred = why if len(signals) > 1 else ""
    signals[first] = replace(signals[first], preferred=preferred)
    images = [
        _parameter(grid, number, text, space, facts)
        for number, text in enumerate(parameters)
        if not text.lower().startswith((_START, _STOP))
    ]
    return RawFile(path, key, [*signals, *images])


def _header(path: Path) -> tuple[dict[str, str], int]:
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER)
    end = head.find(_END)
    if end < 0:
        raise read_error(path, "its header does not end", "The file may be cut off: copy it again")
    start = head.find(b"\n", end) + 1
    if not start:
        raise read_error(path, "nothing follows its header", "The file may be cut off")
    pairs = (line.partition("=") for line in head[:end].decode("latin-1").splitlines())
    return {name.strip(): value.strip().strip('"') for name, sign, value in pairs if sign}, start


def _list(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(";") if entry.strip()]


def _quantity(text: str) -> tuple[str, str]:
    """Part "Current [bwd] (A)" or "Current (A) [bwd]" into name and unit."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        return text.strip(), ""
    return f"{match['name']} {match['way'] or ''}".strip(), match["unit"]


def _grid(
    path: Path,
    header: Mapping[str, str],
    start: int,
    parameters: Sequence[str],
    channels: Sequence[str],
) -> _Grid:
    sizes = [int(word) for word in re.findall(r"\d+", header.get("Grid dim", ""))]
    points = header.get("Points", "")
    if len(sizes) != 2 or min(sizes) < 1 or not points.isdigit() or not channels:
        reason = f"it gives a grid of {sizes}, {points!r} points and {len(channels)} channels"
        raise read_error(path, reason, "The file is damaged: copy it again")
    declared = header.get("# Parameters (4 byte)", str(len(parameters)))
    n_parameters = int(declared) if declared.isdigit() else -1
    if n_parameters < len(parameters):
        reason = f"it gives {declared} parameters and names {len(parameters)}"
        raise read_error(path, reason, "The file is damaged: copy it again")
    columns, rows = sizes
    grid = _Grid(path, start, rows, columns, n_parameters, len(channels), int(points))
    stored, needed = path.stat().st_size - start, 4 * grid.width * rows * columns
    if stored < 4 * grid.width or needed > max(_ALWAYS_ALLOWED, stored * _MAX_GROWTH):
        reason = f"its header promises {needed} bytes of spectra, but {stored} bytes follow"
        raise read_error(path, reason, "The file is cut off or damaged: copy it again")
    return grid


def _space(header: Mapping[str, str], grid: _Grid) -> tuple[RawAxis, RawAxis]:
    settings = [float(word) for word in _list(header.get("Grid settings", ""))]
    if len(settings) < 4:
        return RawAxis("y", stored="stack"), RawAxis("x", stored="stack")
    width, height = settings[2:4]
    # Spectra are taken in the middle of pixels.
    return (
        RawAxis("y", "m", height / grid.rows, stored="stack"),
        RawAxis("x", "m", width / grid.columns, stored="stack"),
    )


def _sweep(
    header: Mapping[str, str], grid: _Grid, parameters: Sequence[str]
) -> tuple[RawAxis, list[str]]:
    """Make the axis of the sweep: of its segments, or of its ends."""
    name, unit = _quantity(header.get("Sweep Signal", ""))
    lowered = name.lower()
    dim = "bias" if "bias" in lowered else "distance" if lowered.startswith("z") else lowered
    segments = next((text for key, text in header.items() if key.startswith("Segment Start")), "")
    if segments:
        values = _segment_values(segments)
        if len(values) == grid.n_points:
            return _signal_axis(dim, unit, values), []
        note = f"its segments have {len(values)} points, its spectra {grid.n_points}: not used"
        return RawAxis("channel", stored="signal"), [note]
    lowered_names = [text.lower() for text in parameters]
    places = [
        next((n for n, text in enumerate(lowered_names) if text.startswith(end)), None)
        for end in (_START, _STOP)
    ]
    if places[0] is None or places[1] is None:
        note = "the file gives no ends of the sweep, so that its points are only counted"
        return RawAxis("channel", stored="signal"), [note]
    ends = _parameter_rows(grid, places[0]), _parameter_rows(grid, places[1])
    # Kept in float32, whose digits after the seventh mean nothing.
    first, last = (float(f"{values[np.isfinite(values)][0]:.7g}") for values in ends)
    notes = []
    if any(np.nanmax(values) != np.nanmin(values) for values in ends):
        notes.append(
            f"ends of the sweep differ from pixel to pixel: the axis is of the first, {first:g} "
            f"to {last:g} {unit}"
        )
    if any(text.lower().startswith("bias_m") for text in _list(header.get("Channels", ""))):
        notes.append("the axis was made of the ends of the sweep; the channel Bias_m is not it")
    return _signal_axis(dim, unit, np.linspace(first, last, grid.n_points)), notes


def _segment_values(text: str) -> NDArray[np.float64]:
    """Join segments "start,end,settling,integration,steps"; they share no point."""
    pieces = []
    for segment in _list(text):
        cells = segment.split(",")
        count = int(float(cells[4]))
        if not 0 < count < 2**24:
            msg = f"a segment of {count} points"
            raise ValueError(msg)
        pieces.append(np.linspace(float(cells[0]), float(cells[1]), count))
    return np.concatenate(pieces)


def _signal_axis(name: str, unit: str, values: NDArray[np.float64]) -> RawAxis:
    return replace(axis_from_values(name, unit, values), stored="signal")


def _channel(
    grid: _Grid,
    number: int,
    text: str,
    axes: tuple[RawAxis, ...],
    facts: Mapping[str, Any],
    notes: Sequence[str],
) -> RawSignal:
    name, unit = _quantity(text)
    shape = (grid.rows, grid.columns, grid.n_points)
    at = grid.n_parameters + number * grid.n_points
    values = rows_array(
        shape, np.dtype(np.float32), partial(_read_rows, grid, at, grid.n_points, False)
    )
    return RawSignal(
        values,
        axes,
        name=name,
        unit=unit,
        metadata={**facts, "channel": name},
        notes=(*notes, *_saturated(name, unit, values)),
    )


def _parameter(
    grid: _Grid,
    number: int,
    text: str,
    space: tuple[RawAxis, RawAxis],
    facts: Mapping[str, Any],
) -> RawSignal:
    name, unit = _quantity(text)
    values = rows_array(
        (grid.rows, grid.columns), np.dtype(np.float32), partial(_read_rows, grid, number, 1, True)
    )
    chosen = name == "Z"
    return RawSignal(
        values,
        space,
        name=name,
        unit=unit,
        metadata={**facts, "channel": name},
        preferred="Z was read, the height at which each spectrum was taken" if chosen else "",
    )


def _varies(signal: RawSignal) -> bool:
    row = signal.values[signal.shape[0] // 2]
    row = row[np.isfinite(row)]
    # A readback such as Bias_m scatters about one value at every point of the sweep.
    means = np.nanmean(row.reshape(-1, signal.shape[2]), 0) if row.size else row
    return bool(means.size) and bool(means.min() != means.max())


def _saturated(name: str, unit: str, values: LazyArray) -> list[str]:
    if unit != "V" or 4 * int(np.prod(values.shape, dtype=np.int64)) > _MAX_SEARCHED:
        return []
    count = int(np.count_nonzero(np.abs(values[...]) >= _LIMIT * (1 - 1e-6)))
    if not count:
        return []
    return [f"{count} samples of {name} are at {_LIMIT:g} V, the end of the converter's range"]


def _unfinished(grid: _Grid) -> list[str]:
    stored = grid.path.stat().st_size - grid.start
    done, total = stored // (4 * grid.width), grid.rows * grid.columns
    if done >= total:
        return []
    why = "the grid was stopped or the file is cut off"
    return [f"{why}: {done} of {total} spectra are in it, the others are NaN"]


def _facts(header: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"instrument": "Nanonis"}
    date = header.get("Start time") or header.get("Date", "")
    if date:
        facts["date"] = iso_date(date, "%d.%m.%Y %H:%M:%S")
    settings = _list(header.get("Grid settings", ""))
    if len(settings) > 4:
        # In deg, clockwise.
        facts["scan_angle"] = float(settings[4])
    if header.get("Comment"):
        facts["comment"] = header["Comment"][:300]
    facts["raw"] = raw_metadata(header)
    return facts


def _parameter_rows(grid: _Grid, number: int) -> NDArray[np.float32]:
    """Read one parameter of the first and of the last complete row."""
    return np.stack(list(_read_rows(grid, number, 1, True, [0, grid.rows - 1])))


def _read_rows(
    grid: _Grid,
    at: int,
    count: int,
    flat: bool,
    numbers: Sequence[int],
) -> Iterator[NDArray[np.float32]]:
    """Read rows of pixels, the upper one first; NaN where the file ends before."""
    with grid.path.open("rb") as file:
        for number in numbers:
            # The lines of a grid are recorded from below.
            stored = grid.rows - 1 - number
            row = np.full((grid.columns, grid.width), np.nan, np.float32)
            file.seek(grid.start + 4 * stored * row.size)
            found = np.frombuffer(file.read(4 * row.size), np.uint8)
            whole = found[: found.size // (4 * grid.width) * 4 * grid.width].view(">f4")
            row.reshape(-1)[: whole.size] = whole
            wanted = row[:, at : at + count]
            yield wanted[:, 0] if flat else wanted
