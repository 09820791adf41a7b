"""Logs of holders that heat, bias or flow: quantities of RosettaSciIO as one table over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.io.metadata import facts_from_dictionary, raw_metadata
from adatom.io.signals import RawTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def table_from_dictionaries(
    path: Path, entries: Sequence[Mapping[str, Any]], notes: tuple[str, ...], /
) -> RawTable:
    """Make one table of quantities that were logged together, with their times in s."""
    facts, odd = facts_from_dictionary(entries[0])
    times, told = _times(entries[0])
    columns: dict[str, NDArray[Any]] = {"time": times}
    units = {"time": "s"}
    for entry in entries:
        name, unit = _name_and_unit(entry)
        columns[name] = np.asarray(entry["data"])
        units[name] = unit
    metadata: dict[str, Any] = {"date": facts["date"]} if "date" in facts else {}
    metadata["raw"] = raw_metadata(entries[0].get("original_metadata") or {})
    return RawTable(columns, units, path.stem, metadata, (*notes, *odd, *told))


def _times(entry: Mapping[str, Any]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Give the times that were logged, or those of even steps that RosettaSciIO fits."""
    header = entry.get("original_metadata", {}).get("Protochips_header", {})
    logged = header.get("Time axis")
    if logged is not None:
        factor = 1e-3 if logged["units"] == "Milliseconds" else 1.0
        return np.asarray(logged["value"], float) * factor, ()
    axis = entry["axes"][0]
    times = axis["offset"] + np.arange(axis["size"]) * axis["scale"]
    return times, ("times are evenly spaced, as RosettaSciIO fits them to those of the log",)


def _name_and_unit(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Tell "Power (mW)" apart; a log of one quantity has it as quantity, not as title."""
    about = entry["metadata"]
    text = about["General"].get("title") or about["Signal"].get("quantity") or "quantity"
    name, _, unit = str(text).rpartition(" (")
    return (name, unit.rstrip(")")) if name else (str(text), "")
