"""Images of Gwyddion (.gwy), also of the old layout whose mark is GWYO.

The layout is that of Gwyddion's user guide, appendix "Gwyddion native data
format": objects of named components, arrays in one piece.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adatom.io.blocks import stored_block
from adatom.io.guard import read_error
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_DEPTH: Final = 20
_MAX_ENTRIES: Final = 200_000
_MAX_TEXT: Final = 2**20
# Letters of types -> letters of `struct`; capital letters are arrays of them.
_NUMBERS: Final = {"b": "?", "c": "b", "i": "i", "q": "q", "d": "d", "f": "f"}
_ARRAYS: Final = {"C": 1, "I": 4, "Q": 8, "D": 8, "F": 4}
# Types of the old layout are numbers of GLib, four times the number of the type.
_OLD_TYPES: Final = {12: "c", 20: "b", 24: "i", 40: "q", 60: "d", 64: "s", 80: "o"}
_PREFIXED: Final = re.compile(r"[yzafpnuµμmkMGT](m|V|A|Hz|N|s|Pa|W|C|K|J|F)")
_DATA: Final = re.compile(r"/(\d+)/data")


class _Array(NamedTuple):
    """Where an array lies."""

    offset: int
    size: int
    letter: str


@dataclass
class _Object:
    """A serialized object: its class, and what it holds."""

    kind: str
    items: dict[str, Any] = field(default_factory=dict)


class _Reader:
    """Walks through the bytes of a file, and never past the end of an object."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self.path, self.content = path, content
        self.at, self.entries = 4, 0

    def read_object(self, end: int, depth: int, *, old: bool = False) -> _Object:
        found = _Object(self.word(end))
        (size,) = struct.unpack("<I", self.take(4, end))
        stop = self.at + size
        if depth > _MAX_DEPTH:
            reason = f"objects in it stand more than {_MAX_DEPTH} deep in one another"
            raise read_error(self.path, reason, "The file is damaged: save it anew in Gwyddion")
        if stop > end:
            reason = f"an object {found.kind} of {size} bytes reaches past the end"
            raise read_error(self.path, reason, "The file is cut off: copy it again")
        # Only containers had types of GLib in the old layout.
        glib = old and found.kind == "GwyContainer"
        while self.at < stop:
            name, value = self.read_entry(stop, depth, glib=glib, old=old)
            found.items[name] = value
        return found

    def read_entry(self, end: int, depth: int, *, glib: bool, old: bool) -> tuple[str, Any]:
        self.entries += 1
        if self.entries > _MAX_ENTRIES:
            raise read_error(self.path, f"it has over {_MAX_ENTRIES} entries", "It is damaged")
        if glib:
            (number,) = struct.unpack("<I", self.take(4, end))
            name = self.word(end)
            letter = _OLD_TYPES.get(number, str(number))
        else:
            name = self.word(end)
            letter = self.take(1, end).decode("latin-1")
        return name, self.read_value(letter, end, depth, old=old)

    def read_value(self, letter: str, end: int, depth: int, *, old: bool) -> Any:  # noqa: ANN401
        if letter in _NUMBERS:
            size = struct.calcsize("<" + _NUMBERS[letter])
            (value,) = struct.unpack("<" + _NUMBERS[letter], self.take(size, end))
            return value
        if letter == "s":
            return self.word(end)
        if letter == "o":
            return self.read_object(end, depth + 1, old=old)
        (count,) = struct.unpack("<I", self.take(4, end))
        if letter in _ARRAYS:
            array = _Array(self.at, count, letter)
            self.skip(count * _ARRAYS[letter], end)
            return array
        if letter == "S":
            return [self.word(end) for _ in range(min(count, end - self.at))]
        if letter == "O":
            return [self.read_object(end, depth + 1, old=old) for _ in range(min(count, end))]
        raise read_error(
            self.path, f"it has a component of unknown type {letter!r}", "Save it anew"
        )

    def take(self, count: int, end: int) -> bytes:
        start = self.at
        self.skip(count, end)
        return self.content[start : self.at]

    def skip(self, count: int, end: int) -> None:
        if count > end - self.at:
            reason = f"a component of {count} bytes reaches past the end"
            raise read_error(self.path, reason, "The file is cut off: copy it again")
        self.at += count

    def word(self, end: int) -> str:
        stop = self.content.find(b"\0", self.at, min(end, self.at + _MAX_TEXT))
        if stop < 0:
            raise read_error(self.path, "a text in it has no end", "It is cut off: copy it again")
        text = self.content[self.at : stop]
        self.at = stop + 1
        try:
            return text.decode()
        except UnicodeDecodeError:
            # Before UTF-8 became the rule.
            return text.decode("latin-1")


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the tree of a file; arrays stay in it."""
    with path.open("rb") as file:
        old = file.read(4) == b"GWYO"
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            tree = _Reader(path, content).read_object(len(content), 0, old=old)
    numbers = sorted(int(found[1]) for name in tree.items if (found := _DATA.fullmatch(name)))
    fields = [(n, tree.items[f"/{n}/data"]) for n in numbers]
    fields = [(n, one) for n, one in fields if isinstance(one, _Object)]
    if not fields:
        kinds = ", ".join(sorted({one.kind for one in _objects(tree)})) or "nothing"
        reason = f"it holds no image, but {kinds}"
        raise read_error(path, reason, "Export its curves or volumes from Gwyddion as text")
    others = _others(tree)
    signals = [_image(path, tree, number, one, others) for number, one in fields]
    if len(signals) > 1:
        why = f"{signals[0].name} was read, as the first channel"
        signals[0] = replace(signals[0], preferred=why)
    return RawFile(path, key, signals)


def _objects(tree: _Object) -> Iterator[_Object]:
    return (one for one in tree.items.values() if isinstance(one, _Object))


def _others(tree: _Object) -> list[str]:
    """Tell what of the file is not read."""
    names = {
        "GwyBrick": "volume",
        "GwySpectra": "set of spectra",
        "GwyGraphModel": "graph",
        "GwySurface": "surface",
        "GwyLawn": "curve map",
    }
    counts = {word: sum(one.kind == kind for one in _objects(tree)) for kind, word in names.items()}
    found = [f"{count} of kind {word}" for word, count in counts.items() if count]
    return [f"beside images the file holds {', '.join(found)}, not read"] if found else []


def _image(path: Path, tree: _Object, number: int, one: _Object, others: list[str]) -> RawSignal:
    items = one.items
    array = items.get("data")
    columns, rows = items.get("xres"), items.get("yres")
    if (
        not isinstance(array, _Array)
        or not isinstance(columns, int)
        or not isinstance(rows, int)
        or min(rows, columns) < 1
        or rows * columns != array.size
    ):
        count = array.size if isinstance(array, _Array) else "no"
        reason = f"channel {number} has {count} values for {columns} x {rows} pixels"
        raise read_error(path, reason, "The file is damaged: save it anew in Gwyddion")
    notes = list(others)
    unit, space = (_unit(one, name, notes) for name in ("si_unit_z", "si_unit_xy"))
    if f"/{number}/mask" in tree.items:
        notes.append("the channel has a mask in the file, which was not applied")
    title = tree.items.get(f"/{number}/data/title")
    name = title if isinstance(title, str) and title else f"channel {number}"
    facts: dict[str, Any] = {"channel": name}
    meta = tree.items.get(f"/{number}/meta")
    if isinstance(meta, _Object):
        facts["raw"] = raw_metadata(meta.items)
    # Row by row, the upper one first.
    return RawSignal(
        stored_block(path, array.offset, (rows, columns), "<f4" if array.letter == "F" else "<f8"),
        (
            RawAxis("y", space, _length(items, "yreal") / rows, stored="signal"),
            RawAxis("x", space, _length(items, "xreal") / columns, stored="signal"),
        ),
        name=name,
        unit=unit,
        metadata=facts,
        notes=tuple(notes),
    )


def _length(items: Mapping[str, Any], name: str) -> float:
    length = items.get(name, 1.0)
    return float(length) if isinstance(length, float | int) else 1.0


def _unit(one: _Object, name: str, notes: list[str]) -> str:
    """Give the unit without its prefix: Gwyddion keeps values in base units."""
    inner = one.items.get(name)
    text = inner.items.get("unitstr", "") if isinstance(inner, _Object) else ""
    text = text.strip() if isinstance(text, str) else ""
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed is None:
        return text
    notes.append(
        f"the file says {text!r} of values that Gwyddion keeps in {prefixed[1]!r}: the latter holds"
    )
    return prefixed[1]
