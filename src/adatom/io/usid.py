"""Main datasets of USID: positions times spectroscopic steps, with tables of indices.

The layout is that of the USID documentation: rows of ``Position_Indices`` and columns
of ``Spectroscopic_Indices`` say where each row and column of the dataset belongs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import h5py
import numpy as np

from adatom.io.draft import lazy
from adatom.io.guard import check_size, read_error
from adatom.io.hdf5 import lazy_dataset
from adatom.io.signals import Places, RawAxis, RawSignal, axis_from_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TABLES: Final = (
    "Position_Indices", "Position_Values", "Spectroscopic_Indices", "Spectroscopic_Values",
)  # fmt: skip


class _Dimension(NamedTuple):
    """A dimension: its name, unit, values, and the index of every entry."""

    name: str
    unit: str
    values: NDArray[np.float64]
    at: NDArray[np.int64]


def is_usid(dataset: h5py.Dataset, /) -> bool:
    """Tell whether a dataset is a main dataset."""
    return dataset.ndim == 2 and all(name in dataset.attrs for name in _TABLES)


def usid_signal(path: Path, name: str, dataset: h5py.Dataset, /) -> RawSignal:
    """Fold a main dataset as its indices say, or give its rows with their places."""
    rows = _dimensions(path, dataset, "Position", dataset.shape[0])
    columns = _dimensions(path, dataset, "Spectroscopic", dataset.shape[1])
    values = lazy(lazy_dataset(path, dataset), (0,))
    unit, quantity = (_text(dataset.attrs.get(key, "")) for key in ("units", "quantity"))
    metadata = {"channel": quantity} if quantity else {}
    channel, notes = _channel_axis(columns, dataset.shape[1])
    order = _nesting(rows, dataset.shape[0])
    if order is None or len(order) > 2:
        places = _places(rows)
        notes.append("rows make no full grid: they are spectra at places of their own")
        axes = (RawAxis(stored="stack"), channel)
        return RawSignal(values, axes, name, (), unit, metadata, tuple(notes), places)
    space = tuple(_space_axis(dimension) for dimension in order)
    shape = tuple(dimension.values.size for dimension in order)
    if dataset.shape[1] == 1:
        # One number a place: an image.
        plain = tuple(RawAxis(axis.name, axis.unit, axis.scale, axis.offset) for axis in space)
        return RawSignal(values.reshape(shape), plain, name, (), unit, metadata, tuple(notes))
    cube = values.reshape((*shape, dataset.shape[1]))
    return RawSignal(cube, (*space, channel), name, (), unit, metadata, tuple(notes))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _dimensions(path: Path, dataset: h5py.Dataset, kind: str, length: int) -> list[_Dimension]:
    """Read the tables of one side, in which each dimension is a column (or row)."""
    tables = []
    for what in ("Indices", "Values"):
        table = dataset.file[dataset.attrs[f"{kind}_{what}"]]
        check_size(path, table.shape, table.dtype.itemsize, stored=path.stat().st_size)
        found = np.asarray(table[()])
        tables.append(found.T if kind == "Position" else found)
    indices, values = tables
    if indices.shape != values.shape or indices.ndim != 2 or indices.shape[1] != length:
        reason = f"its {kind}_Indices of shape {indices.shape} do not fit {length} entries"
        raise read_error(path, reason, "The file may be damaged: copy it again")
    attrs = dataset.file[dataset.attrs[f"{kind}_Values"]].attrs
    names, units = (
        [_text(one) for one in np.atleast_1d(attrs.get(key, []))] for key in ("labels", "units")
    )
    found_dimensions = []
    for number, (index, along) in enumerate(zip(indices, values, strict=True)):
        _, first, inverse = np.unique(index, return_index=True, return_inverse=True)
        name = names[number] if number < len(names) else ""
        unit = units[number] if number < len(units) else ""
        found_dimensions.append(
            _Dimension(name, unit, along[first].astype(float), inverse.astype(np.int64))
        )
    return found_dimensions


def _nesting(dimensions: list[_Dimension], length: int) -> list[_Dimension] | None:
    """Order dimensions from the slowest to the fastest; nothing if they make no full grid."""
    varied = [one for one in dimensions if one.values.size > 1] or dimensions[:1]
    if math.prod(one.values.size for one in varied) != length:
        return None
    changes = [int(np.count_nonzero(np.diff(one.at))) for one in varied]
    order = [varied[i] for i in np.argsort(changes, kind="stable")]
    expected = np.unravel_index(np.arange(length), [one.values.size for one in order])
    full = all(np.array_equal(one.at, there) for one, there in zip(order, expected, strict=True))
    return order if full else None


def _channel_axis(columns: list[_Dimension], length: int) -> tuple[RawAxis, list[str]]:
    """Make the axis of the channels; several dimensions are counted through."""
    order = _nesting(columns, length)
    if order is not None and len(order) == 1:
        axis = axis_from_values(order[0].name, order[0].unit, order[0].values)
        return _stored(axis, "signal"), []
    if order is None:
        names = ", ".join(one.name for one in columns)
        return RawAxis(stored="signal"), [f"channels run through {names}, which make no full grid"]
    text = ", then ".join(f"{one.name} ({one.values.size})" for one in reversed(order))
    note = f"channels run through {text}, the first of these fastest"
    return RawAxis(stored="signal"), [note]


def _space_axis(dimension: _Dimension) -> RawAxis:
    return _stored(axis_from_values(dimension.name, dimension.unit, dimension.values), "stack")


def _stored(axis: RawAxis, stored: Any) -> RawAxis:  # noqa: ANN401 -- one of the three words
    return RawAxis(axis.name, axis.unit, axis.scale, axis.offset, axis.values, stored)


def _places(rows: list[_Dimension]) -> Places | None:
    """Give y and x of rows that make no grid."""
    by_name = {one.name.lower(): one for one in rows}
    if not {"x", "y"} <= set(by_name) or by_name["x"].unit != by_name["y"].unit:
        return None
    y, x = (by_name[name].values[by_name[name].at] for name in "yx")
    return Places(y, x, by_name["x"].unit)
