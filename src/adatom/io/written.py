"""Data that adatom wrote: netCDF, zarr, CSV and parquet with all that a kind holds.

Beside what other programs read, every file has a text ``adatom`` of JSON that
tells kind, dims, types, units and attributes, so that data come back exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from adatom.errors import WriteError
from adatom.io.guard import check_size, read_error
from adatom.io.lazy import LazyArray
from adatom.io.signals import RawAxis, RawCurves, RawFile, RawPart, RawSignal, RawTable

VERSION: Final = 1
"""Number of the layout."""

_PLAIN: Final = (bool, int, float, str, type(None))
_LAZY_BYTES: Final = 64 * 2**20
# What an axis is, for the readers of all files: what scans counts, what is measured does not.
_SCANNED: Final = ("y", "x", "frame", "site")


def description_of_data(data: xr.DataArray | xr.Dataset, kind: str, /) -> dict[str, Any]:
    """Describe data in what JSON can hold.

    Raises
    ------
    WriteError
        If attributes are not plain, or values are neither numbers nor text.
    """
    dataset = _dataset(data)
    variables = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind not in "biufU":
            msg = f"{name!r} holds {variable.dtype}, which no file keeps: make it numbers or text"
            raise WriteError(msg)
        variables[str(name)] = {
            "dims": [str(dim) for dim in variable.dims],
            "dtype": variable.dtype.str,
            "attrs": plain_attributes(variable.attrs, str(name)),
        }
    attrs = {} if isinstance(data, xr.DataArray) else plain_attributes(data.attrs, "the data")
    return {
        "version": VERSION,
        "kind": kind,
        "array": isinstance(data, xr.DataArray),
        "name": data.name if isinstance(data, xr.DataArray) else None,
        "coordinates": [str(name) for name in dataset.coords],
        "variables": variables,
        "attrs": attrs,
    }


def _dataset(data: xr.DataArray | xr.Dataset) -> xr.Dataset:
    """Give data as a Dataset, the values of an array as its variable "values"."""
    return data if isinstance(data, xr.Dataset) else data.rename(None).to_dataset(name="values")


def plain_attributes(attrs: Mapping[Any, Any], name: str, /) -> dict[str, Any]:
    """Give attributes if they come back the same from JSON."""
    for key, value in attrs.items():
        if not isinstance(key, str) or not _is_plain(value):
            msg = (
                f"attrs[{key!r}] of {name} is {type(value).__name__}: attrs hold text, numbers, "
                "and lists and dicts of these, so convert it first"
            )
            raise WriteError(msg)
    return dict(attrs)


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    if isinstance(value, list):
        return all(_is_plain(part) for part in value)
    return type(value) in _PLAIN


def encoded_dataset(data: xr.DataArray | xr.Dataset, kind: str, /) -> xr.Dataset:
    """Make the Dataset that netCDF and zarr hold: plain attributes, and all of them as JSON."""
    described = description_of_data(data, kind)
    encoded = _dataset(data).copy()
    for name, variable in encoded.variables.items():
        variable.encoding = {}
        units = described["variables"][name]["attrs"].get("units")
        variable.attrs = {"units": units} if isinstance(units, str) else {}
    encoded.attrs = {"adatom": json.dumps(described)}
    return encoded


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read a netCDF file or zarr folder that adatom wrote."""
    described, arrays = _hdf5_arrays(path) if path.is_file() else _zarr_arrays(path)
    if described["version"] != VERSION:
        reason = f"it is written in layout {described['version']}, this version reads {VERSION}"
        raise read_error(path, reason, "Update adatom, or write it again")
    variables = {
        name: _variable(path, one, arrays[name]) for name, one in described["variables"].items()
    }
    return RawFile(path, key, [part_from_variables(path, described, variables)])


def _hdf5_arrays(path: Path) -> tuple[dict[str, Any], dict[str, LazyArray]]:
    import h5py

    stored = path.stat().st_size
    with h5py.File(path, "r") as file:
        described = json.loads(file.attrs["adatom"])
        arrays = {}
        for name in described["variables"]:
            source = file[name]
            check_size(path, source.shape, source.dtype.itemsize, stored=stored)
            arrays[name] = LazyArray(source.shape, source.dtype, partial(_read_hdf5, path, name))
    return described, arrays


def _read_hdf5(path: Path, name: str, index: Any) -> Any:  # noqa: ANN401 -- any index of numpy
    import h5py

    with h5py.File(path, "r") as file:
        source = file[name]
        return (source.asstr() if h5py.check_string_dtype(source.dtype) else source)[index]


def _zarr_arrays(path: Path) -> tuple[dict[str, Any], dict[str, LazyArray]]:
    import zarr

    group = zarr.open_group(path, mode="r")
    described = json.loads(str(group.attrs["adatom"]))
    stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    arrays = {}
    for name in described["variables"]:
        source: Any = group[name]
        check_size(path, source.shape, 8, stored=stored)
        dtype = np.dtype(object) if source.dtype.kind in "OTU" else source.dtype
        arrays[name] = LazyArray(source.shape, dtype, partial(_read_zarr, path, name))
    return described, arrays


def _read_zarr(path: Path, name: str, index: Any) -> Any:  # noqa: ANN401 -- any index of numpy
    import zarr

    return np.asarray(zarr.open_group(path, mode="r")[name][index])


def _variable(path: Path, described: Mapping[str, Any], source: LazyArray) -> xr.Variable:
    dtype = np.dtype(described["dtype"])
    if dtype.kind not in "biufU" or len(described["dims"]) != source.ndim:
        raise read_error(path, "its description does not fit its arrays", "Write it again")
    if dtype.kind == "U" or source.dtype.itemsize * int(np.prod(source.shape)) <= _LAZY_BYTES:
        values: Any = np.asarray(source[...])
        return xr.Variable(described["dims"], values.astype(dtype), described["attrs"])
    from adatom.io.draft import lazy

    array = lazy(source, tuple(range(max(1, source.ndim - 2))))
    return xr.Variable(described["dims"], array.astype(dtype), described["attrs"])


def with_attributes(signal: RawSignal, text: object, /) -> RawSignal:
    """Give a dataset of another program's file the attributes that adatom wrote into it."""
    try:
        attrs = json.loads(str(text))
    except ValueError:
        return signal
    if not isinstance(attrs, Mapping):
        return signal
    kept = {key: value for key, value in attrs.items() if key not in {"units", "notes"}}
    notes = attrs.get("notes", [])
    return replace(
        signal,
        unit=str(attrs.get("units", signal.unit)),
        metadata=kept,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def part_from_variables(
    path: Path, described: Mapping[str, Any], variables: Mapping[str, xr.Variable], /
) -> RawPart:
    """Make the part of a file, which carries the data as they were written."""
    coordinates = set(described["coordinates"])
    dataset = xr.Dataset(
        {name: one for name, one in variables.items() if name not in coordinates},
        coords={name: one for name, one in variables.items() if name in coordinates},
        attrs=described["attrs"],
    )
    if described["array"]:
        return _signal(path, dataset["values"].rename(described["name"]))
    if described["kind"] == "ForceCurves":
        return _curves(path, dataset)
    return _table(path, dataset, described["kind"])


def _signal(path: Path, data: xr.DataArray) -> RawSignal:
    axes = tuple(_axis(data, str(dim)) for dim in data.dims)
    metadata = {key: value for key, value in data.attrs.items() if key not in {"units", "notes"}}
    return RawSignal(
        data.data,
        axes,
        path.stem,
        unit=str(data.attrs.get("units", "")),
        metadata=metadata,
        notes=tuple(data.attrs.get("notes", ())),
        original=data,
    )


def _axis(data: xr.DataArray, dim: str) -> RawAxis:
    # Frames are told apart by their times, where these are known.
    along = data.coords.get("time") if dim == "frame" and "time" in data.coords else None
    along = data.coords.get(dim) if along is None else along
    scanned = dim in _SCANNED or (dim == "time" and data.ndim == 2)
    if along is None:
        return RawAxis(dim, stored="stack" if scanned else "signal")
    values = np.asarray(along.values, float)
    unit = str(along.attrs.get("units", ""))
    return RawAxis(dim, unit, values=values, stored="stack" if scanned else "signal")


def _curves(path: Path, data: xr.Dataset) -> RawCurves:
    dims = ("site", "segment", "sample")
    channels = {str(k): str(v.attrs.get("units", "")) for k, v in data.items() if v.dims == dims}
    if "n_samples" in data.variables:
        lengths = data["n_samples"].values
    else:
        lengths = np.full((data.sizes["site"], data.sizes["segment"]), data.sizes["sample"])
    return RawCurves(
        lengths,
        tuple(map(str, data["segment"].values)),
        channels,
        partial(_read_curve, data, tuple(channels)),
        name=path.stem,
        original=data,
    )


def _read_curve(data: xr.Dataset, channels: tuple[str, ...], number: int) -> dict[str, Any]:
    return {name: list(data[name][number].values) for name in channels}


def _table(path: Path, data: xr.Dataset, kind: str) -> RawTable:
    flat = {str(name): one for name, one in data.variables.items() if one.ndim == 1}
    dim = "site" if kind == "Sites" else "row"
    columns = {name: one.values for name, one in flat.items() if one.dims == (dim,)}
    units = {name: str(flat[name].attrs.get("units", "")) for name in columns}
    return RawTable(columns, units, path.stem, original=data)
