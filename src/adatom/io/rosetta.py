"""The formats that RosettaSciIO reads, through one wrapper."""

from __future__ import annotations

import gc
import io
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np
import tifffile

from adatom.io.companions import companion_files
from adatom.io.guard import check_size, collected_chatter, read_error
from adatom.io.metadata import facts_from_dictionary, raw_metadata
from adatom.io.rosetta_plugins import PLUGINS
from adatom.io.rosetta_tables import table_from_dictionaries
from adatom.io.signals import COLORS, RawAxis, RawFile, RawSignal
from adatom.io.written import with_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Of no use to who reads a file.
_CHATTER: Final = ("Cannot find package lumispy", "Cannot find package exspy")


# Whatever lies in a file of this size can be read with the memory that adatom needs anyway.
_SMALL: Final = 16 * 2**20


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all datasets of a file, lazily where the format allows."""
    entries, notes = read_dictionaries(path, key, lazy=True)
    plugin = PLUGINS[key]
    if plugin.table:
        return RawFile(path, key, [table_from_dictionaries(path, entries, notes)])
    signals = [signal_from_dictionary(entry, notes) for entry in entries]
    if plugin.starts:
        signals = [_with_starts(signal, plugin.starts) for signal in signals]
    if plugin.turned:
        signals = [replace(signal, axes=signal.axes[::-1]) for signal in signals]
    if plugin.plain:
        for signal in signals:
            _check_plain_size(path, signal)
    return RawFile(path, key, signals)


def read_dictionaries(
    path: Path, key: str, /, *, lazy: bool
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Read the dictionaries of RosettaSciIO, and what it had to tell."""
    plugin = PLUGINS[key]
    found = plugin.check(path) if plugin.check is not None else None
    # On its first import RosettaSciIO sets up its logger, which is diverted only after that.
    with collected_chatter():
        module = import_module(f"rsciio.{plugin.module}")
    read = partial(module.file_reader, **plugin.settings)
    entries, lines = _entries(read, path, lazy=lazy and plugin.lazy)
    if not entries:
        raise read_error(path, "it holds no dataset", "Check that the measurement was saved")
    told = (" ".join(line.split()) for line in ([found, *lines] if found else lines))
    return entries, tuple(line for line in told if not line.startswith(_CHATTER))


def _entries(
    read: Callable[..., Sequence[dict[str, Any]]], path: Path, *, lazy: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    # asyncio tells of tasks of zarr that failed together with the reading.
    with collected_chatter(("rsciio", "asyncio")) as lines:
        try:
            return list(read(str(path), lazy=lazy)), lines
        except Exception as error:
            _close_files(error)
            gc.collect()
            # Colors of DigitalMicrograph and zipped zspy can be read in one go only.
            if not (lazy and isinstance(error, ValueError)):
                _explain_memory(path, error)
                raise
    return _entries(read, path, lazy=False)


def _explain_memory(path: Path, error: Exception) -> None:
    """Blame a small file, not the computer, for lengths that no memory holds."""
    stored = sum(file.stat().st_size for file in companion_files(path))
    if isinstance(error, MemoryError) and stored < _SMALL:
        reason = f"its header gives lengths that cannot be in {stored} bytes"
        raise read_error(path, reason, "The file is damaged: copy it again") from error


def _check_plain_size(path: Path, signal: RawSignal) -> None:
    """Refuse an array that is larger than the file, or the file beside it, that it lies in."""
    stored = max(file.stat().st_size for file in companion_files(path))
    values = signal.values
    check_size(path, values.shape, values.dtype.itemsize, stored=stored, packed=False)


def _close_files(error: BaseException) -> None:
    """Close what RosettaSciIO leaves open when it fails."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__")).startswith("rsciio."):
            for value in list(frame.f_locals.values()):
                if isinstance(value, (io.IOBase, h5py.File, tifffile.TiffFile)):
                    value.close()


def signal_from_dictionary(entry: Mapping[str, Any], notes: tuple[str, ...], /) -> RawSignal:
    """Turn a dictionary of RosettaSciIO into the common form."""
    values, colors = _without_colors(entry["data"])
    facts, odd = facts_from_dictionary(entry)
    quantity = facts.pop("quantity", "")
    header = entry.get("original_metadata") or {}
    signal = RawSignal(
        values=values,
        axes=tuple(_axis(axis) for axis in entry["axes"]),
        name=facts.get("title", ""),
        colors=colors,
        unit=_unit_in_parentheses(quantity),
        metadata={**facts, "raw": raw_metadata(header)},
        notes=(*notes, *odd, *_missing_entries(entry["axes"], values.shape)),
    )
    written = header.get("adatom") if isinstance(header, Mapping) else None
    return signal if written is None else with_attributes(signal, written)


def _missing_entries(axes: Sequence[Mapping[str, Any]], shape: tuple[int, ...]) -> list[str]:
    """Tell of axes that are longer than the array, as of packed Fourier transforms of odd width."""
    return [
        f"the file gives {axis.get('name') or 'an axis'} {axis['size']} entries, of which "
        f"{size} could be unpacked: what is missing is not known"
        for axis, size in zip(axes, shape)
        if axis.get("size") is not None and int(axis["size"]) != size
    ]


def _axis(axis: Mapping[str, Any]) -> RawAxis:
    table = axis.get("axis")
    navigate = axis.get("navigate")
    return RawAxis(
        name=_text(axis.get("name")),
        unit=_text(axis.get("units")),
        scale=float(axis["scale"]) if axis.get("scale") is not None else 1.0,
        offset=float(axis["offset"]) if axis.get("offset") is not None else 0.0,
        values=None if table is None else np.asarray(table, dtype=float),
        stored="" if navigate is None else "stack" if navigate else "signal",
    )


def _with_starts(signal: RawSignal, factors: Mapping[str, float]) -> RawSignal:
    axes = (replace(a, offset=a.offset * factors.get(a.unit, 1.0)) for a in signal.axes)
    return replace(signal, axes=tuple(axes))


def _text(value: object) -> str:
    """Give the text of a name or unit; the ways of files to say that there is none are many."""
    text = "" if value is None else str(value).strip().strip("[]")
    return "" if text in {"None", "<undefined>", "t.Undefined", "undefined"} else text


def _without_colors(values: Any) -> tuple[Any, tuple[str, ...]]:  # noqa: ANN401 -- numpy or dask
    fields = values.dtype.names
    if not fields:
        return values, ()
    stack = np.stack if isinstance(values, np.ndarray) else import_module("dask.array").stack
    return stack([values[name] for name in fields], axis=-1), COLORS[: len(fields)]


def _unit_in_parentheses(quantity: object) -> str:
    """Find the unit in a quantity such as "Intensity (Counts)"."""
    _, bracket, rest = str(quantity).partition("(")
    return rest.rpartition(")")[0].strip() if bracket else ""
