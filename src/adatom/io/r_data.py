"""Data of R, of which rdata reads the objects: matrices, data frames, hyperSpec."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import collected_chatter, read_error
from adatom.io.mat_tree import Tree, add_number, parts_of_tree
from adatom.io.signals import (
    Places,
    RawAxis,
    RawFile,
    RawPart,
    RawSignal,
    RawTable,
    axis_from_values,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST: Final = 2**29
_HEADS: Final = (b"RDX", b"RDA", b"X\n", b"A\n")
_MAX_DEPTH: Final = 8
# Symbols in the label of an axis, such as tilde(nu)/cm^-1, and what it then is.
_AXES: Final = (
    ("cm", "wavenumber", "1/cm"),
    ("nm", "wavelength", "nm"),
    ("eV", "energy", "eV"),
    ("lambda", "wavelength", ""),
)


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all objects of a file, which is packed as a whole."""
    import rdata.parser

    stored = _unpacked(path)
    if not stored.startswith(_HEADS):
        raise read_error(path, "it holds no objects of R", "Save it with save() or saveRDS()")
    with collected_chatter():
        parsed = rdata.parser.parse_data(stored, altrep_constructor_dict=_bounded_sequences())
    tree = Tree()
    parts: list[RawPart] = []
    if stored.startswith((b"RDX", b"RDA")):
        objects = {name: value for name, value in _pairs(parsed.object) if name}
    else:
        objects = {path.stem: parsed.object}
    for name, value in objects.items():
        parts.extend(_parts(tree, name, value, 0))
    parts.extend(parts_of_tree(tree))
    if not parts:
        raise read_error(path, "it holds no numbers", "Save a matrix, a data frame or a hyperSpec")
    return RawFile(path, key, parts)


def _unpacked(path: Path) -> bytes:
    """Unpack a file, but not more than could be meant."""
    stored = path.read_bytes()
    unpacker: Any
    if stored.startswith(b"BZh"):
        unpacker = bz2.BZ2Decompressor()
    elif stored.startswith(b"\xfd7zXZ"):
        unpacker = lzma.LZMADecompressor(memlimit=_LARGEST)
    elif stored.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(31)
    else:
        return stored
    found: bytes = unpacker.decompress(stored, _LARGEST)
    if len(found) == _LARGEST:
        reason = f"it unpacks to {_LARGEST >> 20} MB or more"
        raise read_error(path, reason, "Save the objects that are needed in a file of their own")
    if not unpacker.eof:
        raise read_error(path, "it ends before its packed data do", "Copy it again")
    return found


def _bounded_sequences() -> dict[bytes, Any]:
    """Give the constructors of rdata, but let no short text stand for a huge sequence."""
    from rdata.parser import DEFAULT_ALTREP_MAP

    known = dict(DEFAULT_ALTREP_MAP)

    def bounded(name: bytes) -> Any:  # noqa: ANN401 -- a constructor of rdata
        def construct(state: Any) -> Any:  # noqa: ANN401 -- of rdata
            if float(state.value[0]) > 2**24:
                msg = f"a sequence of {state.value[0]:.3g} numbers"
                raise ValueError(msg)
            return DEFAULT_ALTREP_MAP[name](state)

        return construct

    for name in (b"compact_intseq", b"compact_realseq"):
        known[name] = bounded(name)
    return known


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- of rdata
    """Go along a pairlist: names and values."""
    while value is not None and isinstance(value.value, tuple):
        first, rest = value.value
        yield _symbol(value.tag), first
        value = rest


def _symbol(value: Any) -> str:  # noqa: ANN401 -- of rdata
    """Give the name of a symbol, also where it refers to an earlier one."""
    if value is None:
        return ""
    value = value.referenced_object or value
    text = getattr(value.value, "value", b"") or b""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else ""


def _attributes(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- of rdata
    return dict(_pairs(value.attributes))


def _texts(value: Any) -> list[str]:  # noqa: ANN401 -- of rdata
    """Give the texts of a vector of texts."""
    if value is None or not isinstance(value.value, list):
        return []
    entries = (getattr(entry, "value", b"") or b"" for entry in value.value)
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else "" for text in entries]


def _classes(value: Any) -> list[str]:  # noqa: ANN401 -- of rdata
    return _texts(_attributes(value).get("class"))


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- of rdata
    """Give the named entries of a list or data frame."""
    names = _texts(_attributes(value).get("names"))
    return dict(zip(names, value.value, strict=False)) if isinstance(value.value, list) else {}


def _numbers(value: Any) -> NDArray[Any] | None:  # noqa: ANN401 -- of rdata
    """Give numbers in the shape of R, whose first index runs fastest; missing ones as NaN."""
    values: Any = value.value
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biufc":
        return None
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(float), np.nan)
    dims = _attributes(value).get("dim")
    if dims is not None and isinstance(dims.value, np.ndarray):
        values = values.reshape([int(size) for size in dims.value], order="F")
    found: NDArray[Any] = np.asarray(values)
    return found


def _parts(tree: Tree, name: str, value: Any, depth: int) -> list[RawPart]:  # noqa: ANN401
    """Make parts of an object, or put its plain numbers into the tree."""
    if depth > _MAX_DEPTH:
        tree.notes.append(f"{name!r} is nested too deeply and was not read")
        return []
    classes = _classes(value)
    if "hyperSpec" in classes:
        return [_hyperspec(name, value)]
    if "data.frame" in classes:
        return [_table(name, value)]
    numbers = _numbers(value)
    if numbers is not None:
        if numbers.size == 1 and numbers.dtype.kind != "c":
            add_number(tree, name, float(numbers.reshape(-1)[0]))
        elif numbers.size:
            tree.arrays[name] = numbers
        return []
    fields = _fields(value)
    if fields:
        found = (_parts(tree, f"{name}.{key}", one, depth + 1) for key, one in fields.items())
        return [part for parts in found for part in parts]
    texts = _texts(value)
    if texts:
        tree.texts[name] = ", ".join(texts)[:300]
    elif value.value is not None or classes:
        tree.notes.append(f"{name!r} ({', '.join(classes) or value.info.type.name}) was not read")
    return []


def _table(name: str, value: Any) -> RawTable:  # noqa: ANN401 -- of rdata
    """Make a table of a data frame."""
    columns, notes = _columns(value)
    return RawTable(columns, {}, name, notes=tuple(notes))


def _columns(value: Any) -> tuple[dict[str, NDArray[Any]], list[str]]:  # noqa: ANN401 -- of rdata
    columns: dict[str, NDArray[Any]] = {}
    notes = []
    for key, one in _fields(value).items():
        numbers = _numbers(one)
        levels = _texts(_attributes(one).get("levels"))
        if numbers is not None and levels and numbers.dtype.kind in "iu":
            # Factors count their levels from 1.
            named = [levels[at - 1] if 0 < at <= len(levels) else "" for at in numbers.tolist()]
            columns[key] = np.array(named)
        elif numbers is not None and numbers.ndim == 1:
            columns[key] = numbers
        elif numbers is None and _texts(one):
            columns[key] = np.array(_texts(one))
        else:
            notes.append(f"the column {key!r} is no plain column and was not read")
    return columns, notes


def _hyperspec(name: str, value: Any) -> RawSignal:  # noqa: ANN401 -- of rdata
    """Make spectra of a hyperSpec object, with its places where it has x and y."""
    slots = _attributes(value)
    fields = _fields(slots["data"])
    labels = _fields(slots["label"]) if "label" in slots else {}
    spectra = _numbers(fields["spc"])
    along = _numbers(slots["wavelength"])
    if spectra is None or along is None or spectra.ndim != 2 or spectra.shape[1] != along.size:
        msg = f"the spectra of {name!r} do not fit their axis"
        raise ValueError(msg)
    symbols = _symbols(labels.get(".wavelength"))
    dim, unit = next(((dim, unit) for word, dim, unit in _AXES if word in symbols), ("", ""))
    axis = axis_from_values(dim, unit, along.astype(float))
    channel = RawAxis(axis.name, axis.unit, axis.scale, axis.offset, axis.values, "signal")
    columns, _ = _columns(slots["data"])
    places, used = _places(columns, _symbols(labels.get("x")))
    others = [key for key in fields if key not in {"spc", *used}]
    notes = (f"columns of {name!r} not kept: {', '.join(others)}",) if others else ()
    return RawSignal(spectra, (RawAxis(stored="stack"), channel), name, notes=notes, places=places)


def _symbols(value: Any) -> set[str]:  # noqa: ANN401 -- of rdata
    """Collect the words of an expression or a text that labels an axis."""
    found: set[str] = set()
    waiting = [] if value is None else [value]
    while waiting:
        one = waiting.pop()
        if one is None or not hasattr(one, "info"):
            continue
        found.add(_symbol(one))
        if isinstance(one.value, tuple | list):
            waiting.extend(one.value)
        elif isinstance(one.value, bytes):
            text = one.value.decode("utf-8", "replace")
            found.update(text.replace("/", " ").replace("^", " ").split())
    return found


def _places(
    columns: dict[str, NDArray[Any]], symbols: set[str]
) -> tuple[Places | None, tuple[str, ...]]:
    """Give where spectra were measured, if columns say so."""
    if not {"x", "y"} <= set(columns) or any(columns[key].dtype.kind not in "iuf" for key in "xy"):
        return None, ()
    unit = "um" if {"mu", "m"} <= symbols else next((u for u in ("nm", "mm") if u in symbols), "")
    return Places(columns["y"].astype(float), columns["x"].astype(float), unit), ("x", "y")
