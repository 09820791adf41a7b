"""Spots and tracks of TrackMate, from the XML in which it keeps a session or exports tracks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.signals import RawFile, RawTable
from adatom.io.xml_events import xml_events

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_NAMES: Final = {
    "POSITION_X": "x",
    "POSITION_Y": "y",
    "POSITION_Z": "z",
    "POSITION_T": "time",
    "FRAME": "frame",
    "RADIUS": "radius",
}
_TEXT: Final = {"name"}
_MAX_SPOTS: Final = 20_000_000


@dataclass
class _Session:
    """What was read so far."""

    spots: dict[str, array[float]] = field(default_factory=dict)
    ids: array[int] = field(default_factory=lambda: array("q"))
    tracks: dict[int, int] = field(default_factory=dict)
    hidden: list[bool] = field(default_factory=list)
    filtered: set[int] | None = None
    units: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    merging: int = 0


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the spots of a session, or the tracks of an export."""
    if key == "trackmate-tracks":
        return RawFile(path, key, [_exported_tracks(path)])
    session = _session(path)
    if not session.ids:
        raise read_error(path, "TrackMate found no spots in it", "Detect spots and save it again")
    return RawFile(path, key, [_table(path, session)])


def _session(path: Path) -> _Session:
    session = _Session()
    track = -1
    for event in xml_events(path):
        if not event.opens:
            continue
        attributes = event.attributes
        if event.tag == "Model":
            session.units["space"] = attributes.get("spatialunits", "")
            session.units["time"] = attributes.get("timeunits", "")
        elif event.tag == "Spot":
            _add_spot(path, session, attributes)
        elif event.tag == "Track":
            track = int(float(attributes["TRACK_ID"]))
        elif event.tag == "TrackID":
            session.filtered = (session.filtered or set()) | {int(float(attributes["TRACK_ID"]))}
        elif event.tag == "Edge":
            _add_edge(session, attributes, track)
        elif event.tag == "ImageData":
            session.metadata = {"image": attributes.get("filename", "")}
    return session


def _add_spot(path: Path, session: _Session, attributes: Mapping[str, str]) -> None:
    if len(session.ids) >= _MAX_SPOTS:
        raise read_error(path, f"it holds more than {_MAX_SPOTS} spots", "Save fewer spots")
    session.ids.append(int(attributes["ID"]))
    session.hidden.append(attributes.get("VISIBILITY", "1") in {"0", "false"})
    known = len(session.ids) - 1
    for name, text in attributes.items():
        if name in {"ID", "VISIBILITY"} | _TEXT:
            continue
        try:
            value = float(text)
        except ValueError:
            # Outlines and the like.
            continue
        column = session.spots.setdefault(name, array("d"))
        column.extend([np.nan] * (known - len(column)))
        column.append(value)


def _add_edge(session: _Session, attributes: Mapping[str, str], track: int) -> None:
    for name in ("SPOT_SOURCE_ID", "SPOT_TARGET_ID"):
        session.tracks[int(float(attributes[name]))] = track


def _table(path: Path, session: _Session) -> RawTable:
    ids = np.array(session.ids)
    columns: dict[str, NDArray[Any]] = {}
    for name, values in session.spots.items():
        values.extend([np.nan] * (len(ids) - len(values)))
        columns[_NAMES.get(name, name.lower())] = np.array(values)
    if not {"y", "x"} <= set(columns):
        raise read_error(path, "its spots have no positions", "Save it with TrackMate again")
    columns["spot"] = ids
    columns["track"] = np.array([session.tracks.get(one, -1) for one in ids.tolist()], np.int64)
    if any(session.hidden):
        columns["hidden"] = np.array(session.hidden)
    space = session.units.get("space", "")
    lengths = ("y", "x", "z", "radius")
    units: dict[str, str] = {name: space for name in lengths if name in columns and space}
    if session.units.get("time") and "time" in columns:
        units["time"] = session.units["time"]
    notes = []
    if any(session.hidden):
        notes.append(f"{sum(session.hidden)} spots were filtered out in TrackMate: see hidden")
    if session.filtered is not None and set(session.tracks.values()) - session.filtered:
        left = len(set(session.tracks.values()) - session.filtered)
        notes.append(f"{left} tracks were filtered out in TrackMate and are kept here")
    return RawTable(columns, units, path.stem, session.metadata, tuple(notes))


def _exported_tracks(path: Path) -> RawTable:
    """Read the simple export: particles, each with detections t, x, y, z."""
    columns = {name: array("d") for name in ("track", "t", "x", "y", "z")}
    space = time = ""
    interval = 1.0
    track = -1
    for event in xml_events(path):
        if not event.opens:
            continue
        if event.tag == "Tracks":
            space = event.attributes.get("spaceUnits", "")
            time = event.attributes.get("timeUnits", "")
            interval = float(event.attributes.get("frameInterval", "1"))
        elif event.tag == "particle":
            track += 1
        elif event.tag == "detection":
            columns["track"].append(track)
            for name in ("t", "x", "y", "z"):
                columns[name].append(float(event.attributes.get(name, "nan")))
    found: dict[str, NDArray[Any]] = {name: np.array(values) for name, values in columns.items()}
    frames = found.pop("t")
    found = {"frame": frames, **found}
    units: dict[str, str] = {name: space for name in ("y", "x", "z") if space}
    if time and time != "frame" and np.isfinite(interval):
        found["time"] = frames * interval
        units["time"] = time
    return RawTable(found, units, path.stem)
