"""A file, opened as the first of the formats that claim it and can read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adatom.errors import ReadError
from adatom.io.formats import all_formats, claimants, read_format
from adatom.io.guard import read_error, reading
from adatom.io.guarded import guarded_part
from adatom.io.sidecar import with_sidecar
from adatom.io.signals import RawSignal
from adatom.io.sniffing import beginning_of_file, unclaimed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adatom.io.signals import RawFile, RawPart


def open_file(path: str | Path, /) -> RawFile:
    """Find out what a file holds; arrays are read when they are needed.

    Of several formats that claim the file, one that fails or finds nothing
    yields to the next; a note then tells of it.

    Raises
    ------
    ReadError
        If no format claims the file, or all fail; the text is of the surest.
    """
    place = Path(path)
    beginning = beginning_of_file(place)
    keys = claimants(beginning)
    if not keys:
        raise unclaimed(beginning)
    failures: list[ReadError] = []
    for key in keys:
        try:
            with reading(place):
                raw = replace(read_format(place, key), format_name=key)
                found = _nonempty(with_sidecar(raw))
        except ReadError as failure:
            failures.append(failure)
            continue
        return _with_failure(found, failures[0], keys[0]) if failures else found
    raise failures[0]


def _nonempty(raw: RawFile) -> RawFile:
    empty = [isinstance(part, RawSignal) and 0 in part.shape for part in raw.parts]
    if all(empty):
        raise read_error(raw.path, "it holds no numbers", "Check that the measurement was saved")
    guarded = [guarded_part(raw.path, part) for part in raw.parts]
    return replace(raw, parts=_named_apart(guarded))


def _named_apart(parts: Sequence[RawPart]) -> list[RawPart]:
    """Give every part a name of its own, by which `dataset=` can choose it."""
    names = [part.name or "unnamed" for part in parts]
    return [
        replace(part, name=name if names.count(name) == 1 else f"{name} [{number}]")
        for number, (part, name) in enumerate(zip(parts, names, strict=True))
    ]


def _with_failure(raw: RawFile, failure: ReadError, first: str) -> RawFile:
    known = all_formats()
    _, _, reason = str(failure).partition("): ")
    note = (
        f"it was read as {known[raw.format_name].name}; as {known[first].name} it could not be: "
        f"{reason}"
    )
    return replace(raw, parts=[replace(part, notes=(*part.notes, note)) for part in raw.parts])
