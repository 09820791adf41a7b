"""Calibration in a JSON file beside an array: image.json beside image.npy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from adatom.errors import UnitError
from adatom.io.guard import read_error
from adatom.io.signals import RawAxis, RawFile, RawSignal
from adatom.units import ENERGY, LENGTH, house_unit

# Formats without metadata of their own: only beside these image.json is for image.npy.
_PLAIN = (".npy", ".npz", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".h5", ".hdf5")


def sidecar_of_file(path: Path, /) -> Path | None:
    """Find the JSON file that belongs to a file, if there is one.

    ``image.dm3.json`` belongs to ``image.dm3``. ``image.json`` may belong to
    anything called image, and is taken for arrays and pictures only.
    """
    candidates = [path.with_name(f"{path.name}.json")]
    if path.suffix.lower() in _PLAIN:
        candidates.append(path.with_suffix(".json"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def with_sidecar(raw: RawFile, /) -> RawFile:
    """Add to all datasets of a file what the JSON file beside it says of them.

    Raises
    ------
    ReadError
        If it is in the form of adatom but does not fit the arrays.
    """
    place = sidecar_of_file(raw.path)
    if place is None:
        return raw
    try:
        text = json.loads(place.read_text("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        line = f"{place.name} beside the file is not readable JSON ({error}): not used"
        return _with_note(raw, line)
    if not isinstance(text, Mapping):
        return _with_note(raw, f"no calibration was found in {place.name} beside the file")
    metadata = _metadata(text)
    parts = [
        _calibrated(part, text, place, metadata) if isinstance(part, RawSignal) else part
        for part in raw.parts
    ]
    return replace(raw, parts=parts)


def _with_note(raw: RawFile, note: str) -> RawFile:
    return replace(raw, parts=[replace(part, notes=(*part.notes, note)) for part in raw.parts])


def _calibrated(
    signal: RawSignal, text: Mapping[str, Any], place: Path, metadata: Mapping[str, Any]
) -> RawSignal:
    axes: tuple[RawAxis, ...] | None
    # A pixel size without a unit is of some other program.
    if "axes" in text or isinstance(text.get("pixel_size"), str):
        axes = _own_axes(signal, text, place)
    else:
        axes = _field_of_view_axes(signal, text)
    if axes is None:
        note = f"no scale that fits the array was found in {place.name} beside the file"
    else:
        note = f"the scale was taken from {place.name} beside the file"
    return replace(
        signal,
        axes=axes or signal.axes,
        unit=str(text.get("unit", signal.unit)),
        metadata={**signal.metadata, **metadata},
        notes=(*signal.notes, note),
    )


def _own_axes(
    signal: RawSignal, text: Mapping[str, Any], place: Path
) -> tuple[RawAxis, ...] | None:
    """Read the documented form: "axes", one for each dimension, or "pixel_size"."""
    given = text.get("axes")
    if given is None:
        return _square_pixels(signal, text["pixel_size"], place)
    if not (isinstance(given, list) and all(isinstance(axis, Mapping) for axis in given)):
        raise read_error(place, '"axes" is not a list of objects', _EXAMPLE)
    if len(given) != len(signal.shape):
        return None
    return tuple(_own_axis(axis, size, place) for axis, size in zip(given, signal.shape))


_EXAMPLE = 'Write "axes": [{"name": "y", "scale": 0.02, "unit": "nm"}, ...], one a dimension'


def _own_axis(axis: Mapping[str, Any], size: int, place: Path) -> RawAxis:
    try:
        values = None if "values" not in axis else np.asarray(axis["values"], dtype=float)
        scale, offset = float(axis.get("scale", 1.0)), float(axis.get("offset", 0.0))
    except (TypeError, ValueError) as error:
        raise read_error(place, f"axis {dict(axis)} has no number ({error})", _EXAMPLE) from error
    name = str(axis.get("name", ""))
    if values is not None and values.shape != (size,):
        reason = f'"values" of axis {name!r} has shape {values.shape}, the array has {size}'
        raise read_error(place, reason, "Give one value for every pixel along the axis")
    return RawAxis(name, str(axis.get("unit", "")), scale, offset, values)


def _square_pixels(signal: RawSignal, size: object, place: Path) -> tuple[RawAxis, ...] | None:
    try:
        step, unit = LENGTH.check(size, name="pixel_size")
    except UnitError as error:
        raise read_error(place, str(error), "Correct the file") from error
    if len(signal.shape) == 2:
        return (RawAxis("y", unit, step), RawAxis("x", unit, step))
    if len(signal.shape) == 3:
        return (RawAxis("frame"), RawAxis("y", unit, step), RawAxis("x", unit, step))
    return None


def _field_of_view_axes(signal: RawSignal, text: Mapping[str, Any]) -> tuple[RawAxis, ...] | None:
    """Read SciLink's form: the field of view, at the top or under the experiment."""
    place = text.get("experimental_details")
    inner = place.get("spatial_info") if isinstance(place, Mapping) else None
    view = text.get("spatial_info", inner)
    if not isinstance(view, Mapping) or len(signal.shape) != 2:
        return None
    unit = view.get("field_of_view_units", "")
    widths = [view.get(f"field_of_view_{name}") for name in ("y", "x")]
    numbers = [float(w) for w in widths if isinstance(w, (int, float)) and w > 0]
    if not isinstance(unit, str) or len(numbers) != 2 or 0 in signal.shape:
        return None
    return tuple(
        RawAxis(name, unit, width / size)
        for name, width, size in zip(("y", "x"), numbers, signal.shape)
    )


def _metadata(text: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for key, name in (
        ("title", "title"),
        ("instrument", "instrument"),
        ("date", "date"),
        ("material_type", "sample"),
    ):
        if isinstance(text.get(key), str):
            known[name] = text[key].strip()
    details = text.get("experimental_details")
    energy = text.get("beam_energy")
    if energy is None and isinstance(details, Mapping):
        # An electron gun of 60 kV gives electrons of 60 keV.
        energy = str(details.get("voltage", "")).replace("V", "eV")
    value = beam_energy_from_text(energy)
    if value is not None:
        known["beam_energy"] = value
    return known


def beam_energy_from_text(text: object, /) -> float | None:
    """Give the energy in eV of text such as "60 keV", nothing if it is none."""
    try:
        value, unit = ENERGY.check(text)
        return value * house_unit(unit)[1]
    except UnitError:
        return None
