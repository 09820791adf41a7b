"""What is kept of a file beside its numbers: a few facts, and its whole header as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

import numpy as np

from adatom.units import house_unit

_TITLE: Final = "General.title"
_DATE: Final = ("General.date", "General.time")
_BRANCHES: Final = ("Acquisition_instrument.TEM", "Acquisition_instrument.SEM")
_INSTRUMENT: Final = ("microscope", "beam_energy")
_LASER: Final = "Acquisition_instrument.Laser.wavelength"
_SAMPLE: Final = ("Sample.name", "Sample.description")
# Of light and, below the microscope, of X-rays and of electrons.
_DETECTORS: Final = (
    "Acquisition_instrument.Detector.model",
    "Acquisition_instrument.Detector.detector_type",
    *(f"{branch}.Detector.EDS.detector_type" for branch in _BRANCHES),
    *(f"{branch}.Detector.EELS.spectrometer" for branch in _BRANCHES),
    *(f"{branch}.Detector.Camera.name" for branch in _BRANCHES),
)
_QUANTITY: Final = "Signal.quantity"
# RosettaSciIO's word for "no title".
_NO_TITLE: Final = "__unnamed__"

FACT_UNITS: Final = {
    "beam_energy": "eV",
    "bias": "V",
    "scan_angle": "deg",
    "laser_wavelength": "nm",
    "spring_constant": "N/m",
    "deflection_sensitivity": "nm/V",
}
"""Units of the facts that are numbers."""

_MAX_ENTRIES: Final = 500
_MAX_CHARACTERS: Final = 300
_MAX_COUNTED: Final = 100_000
_MAX_DEPTH: Final = 20
# Short lists, as of a scan range, are worth reading; tables are data.
_MAX_LISTED: Final = 16


def raw_metadata(header: Mapping[Any, Any], /) -> dict[str, str]:
    """Flatten the header of a file into text, for ``metadata["raw"]``.

    Parameters
    ----------
    header : mapping
        As the file has it, nested or not.

    Returns
    -------
    dict of str to str
        Dotted keys such as ``"Scan.Range.x"``; at most 500 entries of 300
        characters. Where there is more, the entry ``"..."`` says how much was
        left out. Long lists and arrays are described only.
    """
    leaves = _leaves(header, "", _MAX_DEPTH)
    flat = {key[:_MAX_CHARACTERS]: _short(value) for key, value in islice(leaves, _MAX_ENTRIES)}
    more = sum(1 for _ in islice(leaves, _MAX_COUNTED))
    if more:
        least = "at least " if more == _MAX_COUNTED else ""
        flat["..."] = f"{least}{more} more entries were left out"
    return flat


def _leaves(value: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Walk through mappings, and lists of mappings, whose entries are numbered."""
    if isinstance(value, Mapping):
        entries = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        entries = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        yield key, value
        return
    if not depth:
        yield key, f"{len(entries)} entries deeper down"
        return
    for name, inner in entries:
        yield from _leaves(inner, f"{key}.{name}" if key else name, depth - 1)


def _short(value: object) -> str:
    if isinstance(value, bytes):
        value = value[:_MAX_CHARACTERS].decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        if value.size > _MAX_LISTED or value.dtype.hasobject:
            return f"array of shape {value.shape}, {value.dtype.name}"
        value = value.tolist()
    if isinstance(value, list | tuple | set) and len(value) > _MAX_LISTED:
        return f"list of {len(value)}"
    text = " ".join(str(value).split("\0")).strip()
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 4]} ..."


def facts_from_dictionary(entry: Mapping[str, Any], /) -> tuple[dict[str, Any], list[str]]:
    """Pick the facts that are kept by name, and tell what failed.

    RosettaSciIO gives some of them as metadata, others as rules by which
    HyperSpy finds them among the tags of the vendor.

    Parameters
    ----------
    entry : mapping
        A dictionary of RosettaSciIO.

    Returns
    -------
    facts : dict
        Those that the file has, of these:

        =================== ============================================
        ``title``           name of the measurement
        ``date``            and time of the instrument, ISO 8601
        ``instrument``      name of the microscope
        ``beam_energy``     of electrons, in eV
        ``sample``          name of the sample
        ``detector``        model or type of the detector
        ``laser_wavelength`` of Raman and photoluminescence, in nm
        ``quantity``        what was measured, with its unit in parentheses
        =================== ============================================

    notes : list of str
        What could not be understood.
    """
    found, notes = _found_by_rules(entry)
    metadata = entry.get("metadata", {})

    def fact(path: str) -> Any:  # noqa: ANN401 -- whatever the file holds
        value = _at(metadata, path)
        return found.get(path) if value is None else value

    def first_text(*paths: str) -> str:
        texts = (value.strip() for value in map(fact, paths) if isinstance(value, str))
        return next((text for text in texts if text), "")

    named = {
        "title": first_text(_TITLE).replace(_NO_TITLE, ""),
        "date": _date(*(first_text(path) for path in _DATE)),
        "sample": first_text(*_SAMPLE),
        "detector": first_text(*_DETECTORS),
        "quantity": first_text(_QUANTITY),
    }
    facts: dict[str, Any] = {name: text for name, text in named.items() if text}
    for branch in _BRANCHES:
        _add_instrument(facts, fact(f"{branch}.microscope"), fact(f"{branch}.beam_energy"))
    laser = fact(_LASER)
    if _is_positive(laser):
        # HyperSpy keeps nm.
        facts["laser_wavelength"] = float(laser)
    return facts, notes


def _date(day: str, time: str) -> str:
    # RosettaSciIO writes ISO 8601 now; files of older programs have the order of Europe.
    day = iso_date(day, "%d.%m.%Y").partition("T")[0]
    return f"{day}T{time}" if day and time else day


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(np.isfinite(value) and value > 0)


def _add_instrument(facts: dict[str, Any], microscope: object, energy: object) -> None:
    if isinstance(microscope, str) and microscope.strip():
        facts.setdefault("instrument", microscope.strip())
    if _is_positive(energy):
        # HyperSpy keeps keV.
        facts.setdefault("beam_energy", float(energy) * house_unit("keV")[1])  # type: ignore[arg-type]


def _found_by_rules(entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    wanted = {_TITLE, *_DATE, _QUANTITY, _LASER, *_SAMPLE, *_DETECTORS}
    wanted.update(f"{branch}.{name}" for branch in _BRANCHES for name in _INSTRUMENT)
    found: dict[str, Any] = {}
    notes = []
    for source, (target, function) in (entry.get("mapping") or {}).items():
        value = _at(entry.get("original_metadata", {}), source) if target in wanted else None
        if value is None:
            continue
        try:
            found[target] = value if function is None else function(value)
        # These are rules for the tags of each vendor, which may be anything.
        except Exception as error:  # noqa: BLE001
            name = target.rpartition(".")[2]
            notes.append(f"{name} could not be understood ({type(error).__name__}: {error})")
    return found, notes


def _at(tree: object, path: str) -> Any:  # noqa: ANN401 -- whatever the file holds
    for part in path.split("."):
        if not isinstance(tree, Mapping) or part not in tree:
            return None
        tree = tree[part]
    return tree


def iso_date(text: str, *layouts: str) -> str:
    """Write a date as ISO 8601 if it has one of the layouts of `strptime`, else as it is.

    Examples
    --------
    >>> iso_date("1:07:05 PM May 17 2018", "%I:%M:%S %p %b %d %Y")
    '2018-05-17T13:07:05'
    """
    for layout in layouts:
        try:
            # The local time of the instrument, whose zone is not told.
            return datetime.strptime(text, layout).isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    return text
