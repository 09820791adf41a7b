"""HDF5 of pycroscopy: NSID, as sidpy writes it, and USID before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import h5py

from adatom.io.guard import read_error
from adatom.io.hdf5 import dimension_axis, lazy_dataset
from adatom.io.layout import axis_unit
from adatom.io.signals import RawAxis, RawFile, RawSignal
from adatom.io.usid import is_usid, usid_signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MEASURED: Final = {"SPECTRAL", "RECIPROCAL"}
_FRAMES: Final = {"TEMPORAL", "FRAME", "TIME"}


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read axes and units of all main datasets."""
    found: list[RawSignal] = []
    notes: list[str] = []

    def visit(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biufc":
            return
        if key == "usid" and is_usid(item):
            found.append(usid_signal(path, name, item))
        elif key == "nsid" and "main_data_name" in item.attrs:
            found.append(_nsid_signal(path, name, item))
        elif item.ndim >= 2 and not _is_ancillary(item):
            notes.append(f"{name!r} is no main dataset and was not read")

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    if not found:
        raise read_error(path, "it holds no main dataset", "Check how it was written")
    repaired = _with_siblings_units(_named_by_quantity(found))
    signals = [replace(signal, notes=(*signal.notes, *notes)) for signal in repaired]
    return RawFile(path, key, signals)


def text_of(value: object, /) -> str:
    """Give an attribute as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_ancillary(dataset: h5py.Dataset) -> bool:
    name = str(dataset.name).rpartition("/")[2]
    return name.startswith(("Position_", "Spectroscopic_"))


def _nsid_signal(path: Path, name: str, dataset: h5py.Dataset) -> RawSignal:
    axes = [_axis(dataset, number) for number in range(dataset.ndim)]
    if not any(axis.stored == "signal" for axis in axes):
        # Of an image or a movie names tell all, and frames do not count as pixels of a scan.
        axes = [replace(axis, stored="") for axis in axes]
    attrs = dataset.attrs
    metadata = {
        fact: text_of(attrs[key])
        for fact, key in (("title", "title"), ("channel", "quantity"), ("source_of_data", "source"))
        if text_of(attrs.get(key, "generic")) not in {"", "generic"}
    }
    return RawSignal(
        lazy_dataset(path, dataset),
        tuple(axes),
        name,
        unit=_known(text_of(attrs.get("units", ""))),
        metadata=metadata,
    )


def _known(unit: str) -> str:
    return "" if unit.lower() in {"generic", "none", "unitless"} else unit


def _axis(dataset: h5py.Dataset, number: int) -> RawAxis:
    """Read a dimension scale with sidpy's word for what it is."""
    axis = dimension_axis(dataset, number)
    axis = replace(axis, unit=_known(axis.unit))
    dimension = dataset.dims[number]
    told = dimension[0].attrs.get("dimension_type", "") if len(dimension) else ""
    kind = text_of(told).rpartition(".")[2].upper()
    if not kind:
        return axis
    if kind in _FRAMES and not axis_unit(axis)[0]:
        axis = replace(axis, name="frame")
    return replace(axis, stored="signal" if kind in _MEASURED else "stack")


def _named_by_quantity(signals: Sequence[RawSignal]) -> list[RawSignal]:
    """Call signals by what was measured, where that tells them apart."""
    quantities = [signal.metadata.get("channel", "") for signal in signals]
    counts = Counter(quantities)
    return [
        replace(signal, name=quantity) if quantity and counts[quantity] == 1 else signal
        for signal, quantity in zip(signals, quantities, strict=True)
    ]


def _with_siblings_units(signals: Sequence[RawSignal]) -> list[RawSignal]:
    """Take the unit of x and y from other channels of the same scan where it is no length.

    Some writers give the axes the unit of the values: a phase on axes in deg.
    """
    lengths: dict[tuple[Any, ...], str] = {}
    for signal in signals:
        for axis, size in zip(signal.axes, signal.shape, strict=True):
            if axis_unit(axis)[0] in {"nm", "mm"}:
                lengths.setdefault(_scan_axis(axis, size), axis.unit)
    return [_repaired(signal, lengths) for signal in signals]


def _scan_axis(axis: RawAxis, size: int) -> tuple[Any, ...]:
    return (axis.name.lower(), size, float(f"{axis.scale:.6g}"), float(f"{axis.offset:.6g}"))


def _repaired(signal: RawSignal, lengths: dict[tuple[Any, ...], str]) -> RawSignal:
    axes, notes = [], []
    for axis, size in zip(signal.axes, signal.shape, strict=True):
        unit = lengths.get(_scan_axis(axis, size))
        odd = axis.name.lower() in {"x", "y"} and axis_unit(axis)[0] not in {"nm", "mm"}
        if odd and unit is not None and axis.values is None:
            notes.append(
                f"{axis.name} is in {axis.unit or 'no unit'} in the file: {unit} was taken, as in "
                "the other channels of the same scan"
            )
            axes.append(replace(axis, unit=unit))
        else:
            axes.append(axis)
    return replace(signal, axes=tuple(axes), notes=(*signal.notes, *notes))
