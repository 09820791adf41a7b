"""HDF5 without a layout of its own, and the layouts of the shared graphene images."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from adatom.io.guard import check_size, read_error
from adatom.io.lazy import LazyArray
from adatom.io.numpy_files import array_signal
from adatom.io.signals import RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def read_parts(path: Path, key: str, /) -> RawFile:
    """List the arrays of a file."""
    with h5py.File(path, "r") as file:
        found = _graphene(path, file) if key == "graphene" else _plain(path, file)
    if not found:
        remedy = "Save the image as a dataset of numbers"
        raise read_error(path, "it holds no array of numbers with two or more dimensions", remedy)
    return RawFile(path, key, found)


def _plain(path: Path, file: h5py.File) -> list[RawSignal]:
    found: list[RawSignal] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2 and item.dtype.kind in "biufc":
            # A name that is no text comes as bytes.
            found.append(_plain_signal(path, _text(name), item))

    file.visititems(visit)
    return found


def _plain_signal(path: Path, name: str, dataset: h5py.Dataset) -> RawSignal:
    signal = array_signal(lazy_dataset(path, dataset), name)
    if signal.colors:
        return signal
    axes = tuple(dimension_axis(dataset, i) for i in range(dataset.ndim))
    unit = _text(dataset.attrs.get("units", ""))
    return replace(signal, axes=axes, unit=unit)


def dimension_axis(dataset: h5py.Dataset, number: int, /) -> RawAxis:
    """Read a label and a dimension scale, the way of HDF5 to name and calibrate an axis."""
    dimension = dataset.dims[number]
    size = dataset.shape[number]
    scale = dimension[0] if len(dimension) else None
    name = _label(dataset, number)
    if scale is not None and not name:
        name = _text(scale.name).rpartition("/")[2]
    if scale is None or scale.shape != (size,) or scale.dtype.kind not in "iuf":
        return RawAxis(name)
    return axis_from_values(name, _text(scale.attrs.get("units", "")), scale[()].astype(float))


def _label(dataset: h5py.Dataset, number: int) -> str:
    """Give the label of an axis; asked for one that is damaged, the HDF5 library crashes."""
    labels = dataset.attrs.get("DIMENSION_LABELS", ())
    return _text(labels[number]) if np.shape(labels) == (dataset.ndim,) else ""


def _read_dataset(path: Path, dataset: str, index: Any) -> NDArray[Any]:  # noqa: ANN401 -- any index
    with h5py.File(path, "r") as file:
        return np.asarray(file[dataset][index])


def lazy_dataset(path: Path, dataset: h5py.Dataset, /) -> LazyArray:
    """Make a lazy array of a dataset, once its size is known to be possible."""
    stored = path.stat().st_size
    check_size(path, dataset.shape, dataset.dtype.itemsize, stored=stored)
    shape = tuple(map(int, dataset.shape))
    return LazyArray(shape, dataset.dtype, partial(_read_dataset, path, dataset.name))


def _graphene(path: Path, file: h5py.File) -> list[RawSignal]:
    """Read the layouts of AICrystallographer: experimental images, and the library of defects.

    The scan size stands in nm with the experimental images and in pm with
    the library, as a number or as text.
    """
    if "nn_input" in file:
        dataset, unit = file["nn_input"], "pm"
        text = _text(dataset.attrs.get("metadata", ""))
        width = dataset.attrs.get("scan size")
    else:
        dataset, unit = file["image_data"], "nm"
        text = _text(file["metadata"][()])
        width = None
    about = _json(text)
    width = about.get("scan size") if width is None else width
    values = lazy_dataset(path, dataset)
    shape = values.shape
    if len(shape) == 4:
        # (image, row, column, channel), as networks take them.
        rows_at = 1
    elif len(shape) == 2:
        rows_at = 0
    else:
        raise read_error(path, f"{dataset.name} has shape {shape}", "2 or 4 dimensions are needed")
    axes = [RawAxis() for _ in shape]
    number = _number(width)
    notes = []
    if number is None:
        notes.append(f"the scan size in the file is {_text(width)!r}: no scale")
    else:
        step = number / shape[rows_at + 1]
        axes[rows_at : rows_at + 2] = [RawAxis("y", unit, step), RawAxis("x", unit, step)]
    name = dataset.name.lstrip("/")
    metadata = _about(about)
    return [RawSignal(values, tuple(axes), name, metadata=metadata, notes=tuple(notes))]


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    sample = about.get("sample name")
    if isinstance(sample, str) and sample not in {"NA", "N/A"}:
        known["sample"] = sample
    voltage = _number(about.get("acc voltage"))
    if voltage is not None:
        # In kV.
        known["beam_energy"] = voltage * 1e3
    return known


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if np.isfinite(number) and number > 0 else None


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
