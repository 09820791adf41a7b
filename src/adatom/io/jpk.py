"""Force curves of JPK: single ones, maps, and quantitative imaging."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.jpk_scaling import Channel, Properties, channel_of_segment, parse_properties
from adatom.io.metadata import iso_date, raw_metadata
from adatom.io.signals import Places, RawCurves, RawFile
from adatom.io.zip_members import Member, member_of_info, read_member, table_of_contents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SEGMENT: Final = re.compile(r"((?:index/(\d+)/)?segments/(\d+)/)(.*)")
_HEADER: Final = "segment-header.properties"
_POSITION: Final = re.compile(rb"\.header\.position\.([xy])\s*[=:]\s*([-+.\deE]+)")
_STYLES: Final = {"extend": "approach", "retract": "retract", "pause": "pause"}
# Sensors of the height of the cantilever; all of them measure the same.
_SENSORS: Final = ("measuredHeight", "capacitiveSensorHeight", "strainGaugeHeight")
_NAMES: Final = {"height": "height_piezo", "hDeflection": "lateral_deflection"}
_LARGEST_HEADER: Final = 4 * 2**20
# The settings stand under the name of the kind of measurement.
_KINDS: Final = (
    "force-scan-map", "force-scan-series", "quantitative-imaging-map",
    "quantitative-imaging-series",
)  # fmt: skip


@dataclass(frozen=True)
class _Segment:
    """A folder of the archive with the samples of one segment."""

    folder: str
    members: Mapping[str, Member]
    """By their names below the folder."""


@dataclass(frozen=True)
class _Archive:
    """What is needed to read a curve: its segments by number, and the shared settings."""

    path: Path
    curves: tuple[Mapping[int, _Segment], ...]
    shared: Properties
    wanted: tuple[tuple[str, str, str], ...] = ()
    """Name of a channel, of its member in the archive, and of its calibration."""


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the headers of the first curve, the places of all, and how long each is."""
    stored = path.stat().st_size
    members = {
        info.filename: member_of_info(path, info, stored=stored) for info in table_of_contents(path)
    }
    curves = _listed_curves(path, members)
    with path.open("rb") as file:
        shared = _properties(path, file, members.get("shared-data/header.properties"))
        archive = _Archive(path, tuple(curves[number] for number in sorted(curves)), shared)
        segments, channels = _first_headers(file, archive)
        names = _channel_names(path, channels)
        general = _properties(path, file, members.get("header.properties"))
        headers = [
            members.get(f"{_curve_folder(curve)}header.properties") for curve in archive.curves
        ]
        places = _places(path, file, headers)
    archive = _Archive(
        path, archive.curves, shared, tuple((n, c, s) for n, (c, s, _) in names.items())
    )
    lengths = _lengths(archive, segments, channels)
    metadata = _metadata(general, channels) | {"raw": raw_metadata(general)}
    notes = _notes(metadata, len(curves), places)
    units = {name: unit for name, (_, _, unit) in names.items()} | {"time": "s"}
    part = RawCurves(
        lengths,
        _segment_names([segments[number] for number in sorted(segments)]),
        units,
        partial(_read_curve, archive, tuple(sorted(segments))),
        places,
        name=path.stem,
        metadata=metadata,
        notes=notes,
    )
    return RawFile(path, key, [part])


def _listed_curves(path: Path, members: Mapping[str, Member]) -> dict[int, dict[int, _Segment]]:
    """Find curves and segments by the names of the members."""
    curves: dict[int, dict[int, dict[str, Member]]] = {}
    folders: dict[tuple[int, int], str] = {}
    for name, member in members.items():
        found = _SEGMENT.fullmatch(name)
        if found is not None and found[4]:
            number, place = int(found[2] or 0), int(found[3])
            curves.setdefault(number, {}).setdefault(place, {})[found[4]] = member
            folders[number, place] = found[1]
    if not curves:
        raise read_error(path, "it holds no segment of a force curve", "Save the curves again")
    return {
        number: {
            place: _Segment(folders[number, place], segments[place]) for place in sorted(segments)
        }
        for number, segments in curves.items()
    }


def _curve_folder(curve: Mapping[int, _Segment]) -> str:
    return next(iter(curve.values())).folder.partition("segments/")[0]


def _properties(path: Path, file: IO[bytes], member: Member | None) -> Properties:
    """Read a member of settings; what is not there has none."""
    return {} if member is None else parse_properties(_header_text(path, file, member))


def _header_text(path: Path, file: IO[bytes], member: Member) -> bytes:
    if member.size > _LARGEST_HEADER:
        reason = f"its header {member.name} has {member.size} bytes"
        raise read_error(path, reason, "The file may be damaged: copy it again")
    return read_member(path, file, member)


def _first_headers(
    file: IO[bytes], archive: _Archive
) -> tuple[dict[int, str], dict[int, dict[str, Channel]]]:
    """Read name and channels of each segment, from the first curve that has it."""
    styles: dict[int, str] = {}
    channels: dict[int, dict[str, Channel]] = {}
    for curve in archive.curves:
        for number, segment in curve.items():
            if number not in styles:
                header = _properties(archive.path, file, segment.members.get(_HEADER))
                styles[number] = _style(header, archive.shared)
                channels[number] = _channels(archive.path, header, archive.shared)
    return styles, channels


def _style(header: Properties, shared: Properties) -> str:
    """Tell whether a segment approaches, retracts or waits."""
    key = "force-segment-header"
    number = header.get(f"{key}.{key}-info.*", "")
    for setting in ("settings.segment-settings.style", "settings.style"):
        for found in (header.get(f"{key}.{setting}"), shared.get(f"{key}-info.{number}.{setting}")):
            if found:
                return _STYLES.get(found, found)
    return "segment"


def _segment_names(styles: Sequence[str]) -> tuple[str, ...]:
    """Give segments of like names a number: pause, pause 2."""
    return tuple(
        style if style not in styles[:place] else f"{style} {styles[: place + 1].count(style)}"
        for place, style in enumerate(styles)
    )


def _channels(path: Path, header: Properties, shared: Properties) -> dict[str, Channel]:
    names = header.get("channels.list", "").split()
    found = (channel_of_segment(path, name, header, shared) for name in names)
    return {channel.name: channel for channel in found if channel is not None}


def _channel_names(
    path: Path, channels: Mapping[int, Mapping[str, Channel]]
) -> dict[str, tuple[str, str, str]]:
    """Choose names, calibrations and units: force and height first."""
    known: dict[str, Channel] = {}
    for of_segment in channels.values():
        known = {**of_segment, **known}
    found: dict[str, tuple[str, str, str]] = {}
    bending = known.pop("vDeflection", None)
    if bending is not None:
        if "force" in bending.slots:
            found["force"] = ("vDeflection", "force", bending.unit("force"))
        slot = "distance" if "distance" in bending.slots else bending.base
        found["deflection"] = ("vDeflection", slot, bending.unit(slot))
    sensor = next((name for name in _SENSORS if name in known), None)
    if sensor is not None:
        height = known.pop(sensor)
        found["height"] = (sensor, height.default, height.unit(height.default))
    for name, channel in known.items():
        house = _NAMES.get(name) or _snake_case(name)
        if name == "height" and "height" not in found:
            house = "height"
        found[house] = (name, channel.default, channel.unit(channel.default))
    if not found:
        raise read_error(path, "its curves have no channels", "Save the curves again")
    return found


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _lengths(
    archive: _Archive,
    segments: Mapping[int, str],
    channels: Mapping[int, Mapping[str, Channel]],
) -> NDArray[np.int64]:
    """Count samples by the sizes of the members, so that no header has to be opened."""
    order = sorted(segments)
    lengths = np.zeros((len(archive.curves), len(order)), dtype=np.int64)
    for row, curve in enumerate(archive.curves):
        for column, number in enumerate(order):
            segment = curve.get(number)
            if segment is None:
                continue
            for channel in channels[number].values():
                member = segment.members.get(channel.member)
                count = 0 if member is None else member.size // channel.dtype.itemsize
                lengths[row, column] = max(lengths[row, column], count)
    return lengths


def _read_curve(
    archive: _Archive, segments: tuple[int, ...], number: int
) -> dict[str, list[NDArray[Any]]]:
    """Read all channels of a curve."""
    curve = archive.curves[number]
    none: NDArray[Any] = np.empty(0)
    found: dict[str, list[NDArray[Any]]] = {name: [] for name, _, _ in archive.wanted}
    found["time"] = []
    start = 0.0
    with archive.path.open("rb") as file:
        for place in segments:
            segment = curve.get(place)
            if segment is None:
                for rows in found.values():
                    rows.append(none)
                continue
            header = _properties(archive.path, file, segment.members.get(_HEADER))
            channels = _channels(archive.path, header, archive.shared)
            count = 0
            for name, member, slot in archive.wanted:
                samples = _samples(archive, file, segment, channels.get(member), slot)
                count = max(count, len(samples))
                found[name].append(samples)
            duration = float(header.get("force-segment-header.duration", "nan"))
            found["time"].append(start + np.arange(count) * (duration / max(count, 1)))
            start += duration
    return found


def _samples(
    archive: _Archive,
    file: IO[bytes],
    segment: _Segment,
    channel: Channel | None,
    slot: str,
) -> NDArray[Any]:
    member = None if channel is None else segment.members.get(channel.member)
    if channel is None or member is None:
        return np.empty(0)
    stored = read_member(archive.path, file, member)
    whole = len(stored) // channel.dtype.itemsize * channel.dtype.itemsize
    if whole != len(stored):
        reason = f"{member.name} ends within a number"
        raise read_error(archive.path, reason, "The file is damaged: copy it again")
    return channel.calibrated(np.frombuffer(stored, channel.dtype), slot)


def _places(path: Path, file: IO[bytes], headers: Sequence[Member | None]) -> Places | None:
    """Read where each curve was measured; JPK counts y upwards."""
    found = []
    for member in headers:
        # Of thousands of headers only these two lines are wanted.
        text = b"" if member is None else _header_text(path, file, member)
        pair = dict(_POSITION.findall(text))
        found.append([float(pair.get(name, b"nan")) for name in (b"y", b"x")])
    y, x = np.array(found, dtype=float).T
    return Places(-y, x, "m") if np.isfinite([y, x]).all() else None


def _setting(properties: Properties, name: str) -> str | None:
    found = (properties.get(f"{kind}.{name}") for kind in _KINDS)
    return next((value for value in found if value), None)


def _metadata(general: Properties, channels: Mapping[int, Mapping[str, Channel]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    instrument = _setting(general, "description.instrument")
    if instrument:
        known["instrument"] = instrument
    date = _setting(general, "start-time")
    if date:
        known["date"] = iso_date(date, "%Y-%m-%d %H:%M:%S.%f %z")
    for of_segment in channels.values():
        bending = of_segment.get("vDeflection")
        if bending is not None:
            if "force" in bending.slots and bending.unit("force") == "N":
                known.setdefault("spring_constant", bending.scale("force"))
            if "distance" in bending.slots and bending.unit("distance") == "m":
                # In nm/V.
                known.setdefault("deflection_sensitivity", bending.scale("distance") * 1e9)
    grid = [_setting(general, f"position-pattern.grid.{name}") for name in ("jlength", "ilength")]
    if grid[0] and grid[1]:
        known["grid_shape"] = [int(grid[0]), int(grid[1])]
    return known


def _notes(metadata: Mapping[str, Any], n_curves: int, places: Places | None) -> tuple[str, ...]:
    notes = []
    rows, columns = metadata.get("grid_shape", (0, 0))
    if rows * columns not in {0, n_curves}:
        notes.append(f"the file holds {n_curves} curves of a grid of {rows} x {columns}")
    if places is not None:
        notes.append("the instrument counts y upwards: it was negated, so that y points down")
    if "spring_constant" not in metadata:
        notes.append("the file gives no spring constant: there is no force, only the deflection")
    return tuple(notes)
