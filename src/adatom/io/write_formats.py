"""One function a format of `write_file`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import WriteError
from adatom.io.guard import collected_chatter
from adatom.io.written import VERSION, encoded_dataset, plain_attributes
from adatom.io.written_tables import MARK, require_pyarrow
from adatom.schema import Image, Movie, Sites, Table, frame_from_table, pixel_size, table_from_sites

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_EXACT: Final = ".nc or .zarr holds it exactly"
_TIF_TYPES: Final = ("uint8", "uint16", "float32")
_UNIFORM: Final = 1e-9


def write_netcdf(data: Any, kind: str, place: Path, /) -> None:  # noqa: ANN401 -- any kind
    """Write netCDF 4, which every HDF5 reader opens; lazy arrays chunk by chunk."""
    encoded = encoded_dataset(data, kind)
    with collected_chatter():
        encoded.to_netcdf(place, engine="h5netcdf", format="NETCDF4")


def write_zarr(data: Any, kind: str, place: Path, /) -> None:  # noqa: ANN401 -- any kind
    """Write a zarr folder; lazy arrays chunk by chunk."""
    encoded = encoded_dataset(data, kind)
    # zarr warns that other programs may not know text; xarray does.
    with collected_chatter():
        encoded.to_zarr(place, zarr_format=3, consolidated=False)


# HyperSpy.


def write_hspy(data: xr.DataArray, kind: str, place: Path, /) -> None:
    """Write HyperSpy's HDF5: axes with units, and which of them were scanned."""
    lost = [str(name) for name in data.coords if name not in {*data.dims, "time"}]
    if lost:
        msg = f".hspy has no place for {', '.join(lost)} along {data.dims[0]}: {_EXACT}"
        raise WriteError(msg)
    with collected_chatter():
        from rsciio.hspy import file_writer

        signal = _hspy_signal(data, kind)
    with collected_chatter(("rsciio",)):
        file_writer(str(place), signal, close_file=True, show_progressbar=False)
    _require_kept_axes(data, place)


def _hspy_signal(data: xr.DataArray, kind: str) -> dict[str, Any]:
    n_measured = {"Image": 2, "Movie": 2, "DiffractionMap": 2}.get(kind, 1)
    n_scanned = data.ndim - n_measured
    axes = [_hspy_axis(data, number, number < n_scanned) for number in range(data.ndim)]
    unit = str(data.attrs.get("units", "1"))
    quantity = f"Intensity ({unit})" if unit != "1" else "Intensity"
    energy = data.attrs.get("beam_energy")
    microscope = {"microscope": data.attrs.get("instrument")}
    if isinstance(energy, int | float):
        microscope["beam_energy"] = energy / 1000
    instrument = {key: value for key, value in microscope.items() if value is not None}
    lazy = data.chunks is not None
    return {
        "data": data.data if lazy else data.values,
        "axes": axes,
        "metadata": {
            "General": {"title": _hspy_title(data)},
            "Signal": {"signal_type": "", "quantity": quantity},
            **({"Acquisition_instrument": {"TEM": instrument}} if instrument else {}),
        },
        "original_metadata": {"adatom": json.dumps(plain_attributes(data.attrs, "the data"))},
        "attributes": {"_lazy": lazy, "ragged": False},
        "learning_results": {},
        "tmp_parameters": {},
        "models": {},
        "package_info": {"package": "adatom", "package_version": str(VERSION)},
    }


def _hspy_title(data: xr.DataArray) -> str:
    """Give the title, which becomes the name of a group of HDF5.

    There a dot is the group that it stands in: the signal would be none. The
    title is read back from adatom's own attributes.
    """
    title = str(data.attrs.get("title", ""))
    return "" if title == "." else title


def _hspy_axis(data: xr.DataArray, number: int, navigate: bool) -> dict[str, Any]:
    dim = str(data.dims[number])
    along = data.coords.get("time" if dim == "frame" and "time" in data.coords else dim)
    axis: dict[str, Any] = {
        "name": dim if along is None else str(along.name),
        "navigate": navigate,
        "size": data.sizes[dim],
        "units": "",
        "is_binned": False,
    }
    if along is None:
        return axis | {"_type": "UniformDataAxis", "scale": 1.0, "offset": 0.0}
    values = np.asarray(along.values, float)
    unit = str(along.attrs.get("units", ""))
    axis["units"] = "" if unit in {"px", "1"} else unit
    steps = np.diff(values)
    if steps.size == 0 or np.allclose(steps, steps.mean(), rtol=_UNIFORM, atol=0):
        scale = float(values[-1] - values[0]) / steps.size if steps.size else 1.0
        offset = float(values[0])
        return axis | {"_type": "UniformDataAxis", "scale": scale, "offset": offset}
    return axis | {"_type": "DataAxis", "axis": values}


def _require_kept_axes(data: xr.DataArray, place: Path) -> None:
    """Refuse a format that would move or rename what it is to hold, by reading it back."""
    from adatom.io.any_file import read_data

    back: Any = read_data(place)
    # Axes of images start at zero; where they began in the file just written is told beside them.
    shift = _origin(back) - _origin(data)
    starts = dict(zip(("y", "x"), shift.tolist(), strict=True))
    lost = [
        str(name)
        for name, along in data.coords.items()
        if not _is_kept(along, back, starts.get(str(name), 0.0))
    ]
    if back.dims != data.dims or lost:
        what = f"the positions along {', '.join(lost)}" if lost else f"the axes {data.dims}"
        msg = f"{place.suffix} does not keep {what}: {_EXACT}"
        raise WriteError(msg)


def _origin(data: xr.DataArray) -> np.ndarray[Any, Any]:
    return np.asarray(data.attrs.get("instrument_origin", (0.0, 0.0)), float)


def _is_kept(along: xr.DataArray, back: xr.DataArray, start: float) -> bool:
    name = str(along.name)
    if name not in back.coords or back[name].shape != along.shape:
        return False
    found = np.asarray(back[name].values, float) + start
    wanted = np.asarray(along.values, float)
    scale = float(np.abs(wanted).max(initial=0.0))
    same_unit = along.attrs.get("units") == back[name].attrs.get("units")
    return same_unit and bool(np.allclose(found, wanted, rtol=1e-5, atol=1e-6 * scale))


# ImageJ.


def write_tif(data: Image | Movie, kind: str, place: Path, /) -> None:
    """Write a tif that ImageJ and Fiji open with its scale; frame by frame."""
    import tifffile

    if data.dtype.name not in _TIF_TYPES:
        as_type = "int32 or more" if data.dtype.kind in "iu" else str(data.dtype)
        msg = (
            f"a tif of ImageJ holds {', '.join(_TIF_TYPES)}, found {data.dtype.name} "
            f'({as_type}): round it yourself, data.astype("float32"), or use .hspy; {_EXACT}'
        )
        raise WriteError(msg)
    metadata = {"axes": "YX" if kind == "Image" else "TYX", **_imagej_scale(data)}
    metadata |= _imagej_times(data) if kind == "Movie" else {}
    metadata["Info"] = json.dumps({"adatom": plain_attributes(data.attrs, "the data")})
    steps = _steps(data)
    with collected_chatter(("tifffile",)):
        tifffile.imwrite(
            place,
            data=_frames(data),
            shape=data.shape,
            dtype=data.dtype,
            imagej=True,
            resolution=(1 / steps[1], 1 / steps[0]),
            metadata=metadata,
        )
    _require_kept_axes(data, place)


def _frames(data: xr.DataArray) -> Iterator[np.ndarray[Any, Any]]:
    frames = [data] if data.ndim == 2 else data
    for frame in frames:
        yield np.asarray(frame.values)


def _steps(data: xr.DataArray) -> tuple[float, float]:
    if min(data.sizes["y"], data.sizes["x"]) < 2:
        msg = f"a tif needs two pixels along y and x, for its scale: {_EXACT}"
        raise WriteError(msg)
    return pixel_size(data)


def _imagej_scale(data: xr.DataArray) -> dict[str, Any]:
    unit = str(data.coords["y"].attrs["units"])
    starts = [float(data.coords[dim].values[0]) for dim in ("y", "x")]
    if any(starts):
        msg = (
            f"a tif counts from the first pixel, here y and x start at {starts[0]:.6g} and "
            f"{starts[1]:.6g} {unit}: subtract them, or use .hspy; {_EXACT}"
        )
        raise WriteError(msg)
    return {"unit": "pixel" if unit == "px" else unit}


def _imagej_times(data: xr.DataArray) -> dict[str, Any]:
    if "frame" in data.coords and (data["frame"].values != np.arange(data.sizes["frame"])).any():
        msg = f"a tif counts its frames from 0, these have other numbers: {_EXACT}"
        raise WriteError(msg)
    if "time" not in data.coords:
        return {}
    times = np.asarray(data["time"].values, float)
    steps = np.diff(times)
    if not steps.size or times[0] or not np.allclose(steps, steps.mean(), rtol=_UNIFORM, atol=0):
        msg = f"a tif holds times in equal steps from 0, these are others: use .hspy; {_EXACT}"
        raise WriteError(msg)
    return {"finterval": float(steps.mean()), "tunit": str(data["time"].attrs.get("units", "s"))}


# Tables.


def _described_table(data: Sites | Table, kind: str) -> tuple[Table, str]:
    """Give sites as a table, and all that a file of columns cannot hold as JSON."""
    table = table_from_sites(data) if kind == "Sites" else data
    columns = {}
    for name, column in table.variables.items():
        if column.dtype.kind not in "biufU":
            msg = f"column {name!r} holds {column.dtype}: make it numbers or text"
            raise WriteError(msg)
        attrs = plain_attributes(column.attrs, f"column {name!r}")
        columns[str(name)] = {"dtype": column.dtype.str, "attrs": attrs}
    # What sites share is spelled by xarray with tuples, which JSON has not.
    shared = {name: table.attrs[name] for name in ("shared",) if name in table.attrs}
    own = {name: value for name, value in table.attrs.items() if name not in shared}
    attrs = plain_attributes(own, "the data") | shared
    return table, json.dumps({"version": VERSION, "kind": kind, "attrs": attrs, "columns": columns})


def write_csv(data: Sites | Table, kind: str, place: Path, /) -> None:
    """Write CSV with units in the header, below one line of comment that keeps all else."""
    table, described = _described_table(data, kind)
    frame = frame_from_table(table)
    with place.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{MARK}{described}\n")
        separator = "\t" if place.suffix.lower() == ".tsv" else ","
        frame.to_csv(file, index=False, sep=separator, na_rep="nan", lineterminator="\n")


def write_parquet(data: Sites | Table, kind: str, place: Path, /) -> None:
    """Write parquet; units stand with every column."""
    parquet = require_pyarrow("writing")
    import pyarrow as pa

    table, described = _described_table(data, kind)
    arrays, fields = [], []
    for name, column in table.variables.items():
        values = column.values
        array = pa.array(values.tolist() if values.dtype.kind == "U" else values)
        unit = str(column.attrs.get("units", ""))
        arrays.append(array)
        fields.append(pa.field(str(name), array.type, metadata={"units": unit}))
    schema = pa.schema(fields, metadata={"adatom": described})
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), place)


# Structures.


def write_extxyz(data: Any, kind: str, place: Path, /) -> None:  # noqa: ANN401 -- Atoms or sites
    """Write a structure, or sites with species as a flat one."""
    from ase.io.extxyz import write_extxyz as write_frames

    atoms = _flat_structure(data) if kind == "Sites" else data
    if getattr(atoms, "calc", None) is not None:
        msg = "the structure has a calculator: keep its results in atoms.info, set atoms.calc=None"
        raise WriteError(msg)
    with place.open("w", encoding="utf-8") as file:
        write_frames(file, [atoms], write_results=False)


def _flat_structure(sites: Sites) -> Any:  # noqa: ANN401 -- ase.Atoms
    from ase import Atoms
    from ase.data import chemical_symbols

    unit = str(sites["y"].attrs["units"])
    if "species" not in sites or unit == "px":
        what = "species" if "species" not in sites else "no scale (px)"
        need = f"no {what}" if what == "species" else what
        msg = f"the sites have {need}: a structure needs elements and lengths; use .csv or .nc"
        raise WriteError(msg)
    unknown = sorted(set(sites["species"].values.tolist()) - set(chemical_symbols))
    if unknown:
        msg = f"{', '.join(map(repr, unknown[:5]))} are no elements: use .csv or .nc"
        raise WriteError(msg)
    factor = 10.0 if unit == "nm" else 1e7
    y, x = (sites[name].values * factor for name in ("y", "x"))
    # y points down in pictures and up in structures: the atoms look as in the picture.
    positions = np.stack([x, -y, np.zeros_like(x)], axis=-1)
    return Atoms(symbols=sites["species"].values.tolist(), positions=positions)
