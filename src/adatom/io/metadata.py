"""The few facts about a measurement that are kept with it, from the metadata of RosettaSciIO."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from adatom.units import house_unit

_TITLE: Final = "General.title"
_DATE: Final = ("General.date", "General.time")
_BRANCHES: Final = ("Acquisition_instrument.TEM", "Acquisition_instrument.SEM")
_INSTRUMENT: Final = ("microscope", "beam_energy")
_QUANTITY: Final = "Signal.quantity"
# RosettaSciIO's word for "no title".
_NO_TITLE: Final = "__unnamed__"


def facts_from_dictionary(entry: Mapping[str, Any], /) -> tuple[dict[str, Any], list[str]]:
    """Pick title, date, instrument, beam energy (eV) and quantity, and tell what failed.

    RosettaSciIO gives some of them as metadata, others as rules by which
    HyperSpy finds them among the tags of the vendor.
    """
    found, notes = _found_by_rules(entry)
    metadata = entry.get("metadata", {})

    def fact(path: str) -> Any:  # noqa: ANN401 -- whatever the file holds
        value = _at(metadata, path)
        return found.get(path) if value is None else value

    facts: dict[str, Any] = {}
    title = fact(_TITLE)
    if isinstance(title, str) and title not in {"", _NO_TITLE}:
        facts["title"] = title
    date = [part for part in map(fact, _DATE) if isinstance(part, str) and part]
    if date:
        facts["date"] = "T".join(date)
    for branch in _BRANCHES:
        _add_instrument(facts, fact(f"{branch}.microscope"), fact(f"{branch}.beam_energy"))
    quantity = fact(_QUANTITY)
    if isinstance(quantity, str):
        facts["quantity"] = quantity
    return facts, notes


def _add_instrument(facts: dict[str, Any], microscope: object, energy: object) -> None:
    if isinstance(microscope, str) and microscope.strip():
        facts.setdefault("instrument", microscope.strip())
    if isinstance(energy, (int, float, np.number)) and np.isfinite(energy) and energy > 0:
        # HyperSpy keeps keV.
        facts.setdefault("beam_energy", float(energy) * house_unit("keV")[1])


def _found_by_rules(entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    wanted = {_TITLE, *_DATE, _QUANTITY}
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
