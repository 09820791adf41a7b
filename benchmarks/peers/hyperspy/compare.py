"""Compare what adatom reads with what HyperSpy read: ``python compare.py DATA OUT > rows.jsonl``.

`dump.py` writes ``OUT``. Prints one JSON line for each file that either reads.
A signal of HyperSpy is equal to a dataset of adatom if all numbers are, element
by element, and all axes. HyperSpy's dims are ordered by their flags (navigation
before signal) and names; where these say nothing they stay in their order, and
no other order is tried. docs/formats.md says what adatom does with axes.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from adatom.errors import AdatomError, ReadError
from adatom.io import read_contents, read_data
from adatom.units import house_unit

_COLORS = ("red", "green", "blue", "alpha")
# HyperSpy's words for no unit.
_NO_UNIT = {"[]", "<undefined>", "None", "t.Undefined"}
_NAMES = {
    "y": {"y", "height"},
    "x": {"x", "width"},
    "k_y": {"dy", "ky"},
    "k_x": {"dx", "kx"},
}


@dataclass(frozen=True)
class Axis:
    """An axis of HyperSpy, its values in the basic unit of their quantity."""

    name: str
    unit: str
    navigate: bool
    along: NDArray[Any]

    @property
    def step(self) -> float:
        """Signed mean step."""
        return float(self.along[-1] - self.along[0]) / max(len(self.along) - 1, 1)


def basic(values: ArrayLike, unit: str) -> tuple[NDArray[Any], str]:
    """Convert to the basic unit of a quantity: nm, s, eV; an unknown unit stays."""
    plain = "" if unit in _NO_UNIT else "angstrom" if unit == "A" else unit
    try:
        house, factor = house_unit(plain)
    except AdatomError:
        return np.asarray(values), plain
    return np.asarray(values) * factor, house


def axes_of_signal(told: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> list[Axis]:
    """Make the axes of a signal, in the order of its array."""
    axes = []
    for i, axis in enumerate(told["axes"]):
        along, unit = basic(arrays[f"axis_{i}"], axis["unit"])
        axes.append(Axis(axis["name"].lower(), unit, axis["navigate"], along))
    return axes


def order_of_axes(dims: Sequence[str], axes: Sequence[Axis]) -> list[int]:
    """Find the axis of every dim by name, then by order; of one entry they may be missing."""
    kept = sorted(range(len(axes)), key=lambda i: not axes[i].navigate)
    single = [i for i in kept if len(axes[i].along) == 1]
    for i in single[: max(len(kept) - len(dims), 0)]:
        kept.remove(i)
    named = {
        dim: i
        for dim in dims
        for i in kept
        if axes[i].name in _NAMES.get(dim, ()) or (dim not in _NAMES and dim in axes[i].name)
    }
    rest = [i for i in kept if i not in named.values()]
    return [named[dim] if dim in named else rest.pop(0) for dim in dims if dim in named or rest]


def read_pairs(
    path: Path, name: str, values: NDArray[Any]
) -> Iterator[tuple[xr.DataArray, NDArray[Any]]]:
    """Read a dataset, color by color and part by part, beside the numbers of HyperSpy."""
    if values.dtype.names:
        for color, field in zip(_COLORS, values.dtype.names):
            yield _read(path, name, color), values[field]
    elif values.dtype.kind == "c":
        yield _read(path, name, "real"), values.real
        yield _read(path, name, "imaginary"), values.imag
    else:
        yield _read(path, name, None), values


def _read(path: Path, name: str, channel: str | None) -> xr.DataArray:
    found = read_data(path, dataset=name, channel=channel)
    if isinstance(found, xr.DataArray):
        return found
    msg = f"it read {path.name}): {type(found).__name__}, which is no array"
    raise ReadError(msg)


def differences(
    ours: xr.DataArray,
    theirs: NDArray[Any],
    axes: Sequence[Axis],
    quantity: str,
) -> tuple[list[str], list[str]]:
    """Say what differs, and what was done to HyperSpy's array before it was compared."""
    if ours.ndim > theirs.ndim and ours.dims[0] == "site" and ours.sizes["site"] == 1:
        ours = ours[0]
    order = order_of_axes([str(dim) for dim in ours.dims], axes)
    single = tuple(i for i in range(theirs.ndim) if i not in order)
    shape = tuple(theirs.shape[i] for i in order)
    if shape != ours.shape or any(theirs.shape[i] > 1 for i in single):
        return [f"shape {ours.shape} is {theirs.shape} in HyperSpy"], []
    theirs = theirs.transpose((*single, *order))[(0,) * len(single)]
    done = ["ordered by names"] if order != sorted(order) else []
    ordered = [axes[i] for i in order]
    for position, (dim, axis) in enumerate(zip(ours.dims, ordered)):
        if dim not in {"y", "x", "frame", "site"} and axis.step < 0:
            theirs = np.flip(theirs, position)
            ordered[position] = replace(axis, along=axis.along[::-1])
            done.append(f"{dim} turned around")
    odd, converted = values_differ(ours, theirs, quantity)
    return [*odd, *axes_differ(ours, ordered)], [*done, *converted]


def values_differ(
    ours: xr.DataArray, theirs: NDArray[Any], quantity: str
) -> tuple[list[str], list[str]]:
    """Compare all numbers; types too but for half floats and booleans, which adatom widens."""
    wide: dict[np.dtype[Any], np.dtype[Any]] = {
        np.dtype(bool): np.dtype(np.uint8),
        np.dtype(np.float16): np.dtype(np.float32),
    }
    native: np.dtype[Any] = theirs.dtype.newbyteorder("=")
    theirs = theirs.astype(wide.get(native, native))
    unit = quantity.partition("(")[2].rpartition(")")[0]
    factor = float(basic(1.0, unit)[0])
    if factor != 1.0:
        equal = np.allclose(ours.values, theirs * factor, rtol=1e-6, atol=0, equal_nan=True)
        done = [f"values from {unit} to {ours.attrs['units']}"]
    else:
        same_type = ours.dtype == theirs.dtype
        equal = same_type and np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind == "f")
        done = []
    return [] if equal else [f"numbers differ ({ours.dtype}, {theirs.dtype} in HyperSpy)"], done


def axes_differ(ours: xr.DataArray, axes: Sequence[Axis]) -> list[str]:
    """Compare all axes by the rules of docs/formats.md."""
    by_dim = dict(zip(map(str, ours.dims), axes))
    odd = [text for dim, axis in by_dim.items() if (text := _axis_differs(ours, dim, axis))]
    if {"y", "x"} <= by_dim.keys() and by_dim["y"].unit == by_dim["x"].unit == "nm":
        starts = [float(by_dim[dim].along[0]) for dim in ("y", "x")]
        unit = ours.attrs.get("instrument_origin_unit", "nm")
        origin, _ = basic(ours.attrs.get("instrument_origin", [0.0, 0.0]), unit)
        if not np.allclose(origin, starts, rtol=1e-6, atol=1e-6 * abs(by_dim["y"].step)):
            odd.append(f"origin {origin.tolist()} is {starts} nm in HyperSpy")
    return odd


def _axis_differs(ours: xr.DataArray, dim: str, axis: Axis) -> str:
    if ours.sizes[dim] != len(axis.along):
        return f"{dim} has {ours.sizes[dim]} entries, HyperSpy's axis {len(axis.along)}"
    numbers, expected, unit = np.arange(len(axis.along)), axis.along, axis.unit
    if dim in {"y", "x"} or (dim == "site" and unit == "nm"):
        expected = numbers * abs(axis.step) if unit == "nm" else numbers
        unit = "nm" if unit == "nm" else "px"
    elif dim == "frame" and (unit != "s" or axis.step <= 0):
        expected, unit = numbers, "1"
    elif dim in {"k_y", "k_x"} and unit not in {"1/nm", "deg"}:
        expected, unit = numbers, "px"
    elif dim == "site":
        return ""
    name = {"site": "x", "frame": "frame" if unit == "1" else "time"}.get(dim, dim)
    if name not in ours.coords:
        return f"{dim} has no values, HyperSpy's are in {axis.unit}"
    found, own = basic(ours[name].values, ours[name].attrs.get("units", ""))
    tolerance = 1e-6 * abs(axis.step)
    if own == unit and np.allclose(found, expected, rtol=1e-6, atol=tolerance):
        return ""
    here, there = ([float(f"{v[i]:.6g}") for i in (0, -1)] for v in (found, axis.along))
    return f"{dim} is {here} {own}, in HyperSpy {there} {axis.unit}"


def compared(path: Path, name: str, told: dict[str, Any], out: Path) -> tuple[list[str], list[str]]:
    """Compare a dataset with a signal."""
    with np.load(out / told["array"]) as arrays:
        values, axes = arrays["values"], axes_of_signal(told, arrays)
    odd: list[str] = []
    done: list[str] = []
    try:
        for ours, theirs in read_pairs(path, name, values):
            more, how = differences(ours, theirs, axes, told["quantity"])
            odd, done = [*odd, *more], [*done, *how]
    except AdatomError as refusal:
        return [_reason(refusal)], []
    parts = {"c": ["parts of complex numbers one by one"], "V": ["colors one by one"]}
    return list(dict.fromkeys(odd)), list(dict.fromkeys(done + parts.get(values.dtype.kind, [])))


def _reason(refusal: AdatomError) -> str:
    return "adatom refuses: " + " ".join(str(refusal).partition("): ")[2].split(":")[0].split())


def row_of_file(data: Path, told: dict[str, Any], out: Path) -> dict[str, Any]:
    """Say what either reads, and of every signal of HyperSpy whether it is equal."""
    path, signals = data / told["file"], told.get("signals", [])
    row: dict[str, Any] = {"file": told["file"], "reader": told.get("reader")}
    row["hyperspy"] = [one["shape"] for one in signals]
    try:
        contents = read_contents(path)
    except AdatomError as refusal:
        return row | {"adatom": [], "differ": [_reason(refusal)] if signals else [], "done": []}
    names = contents["name"].values.tolist()
    differ, done = [], []
    for signal in signals:
        found = {name: compared(path, name, signal, out) for name in names}
        equal = next((name for name in names if not found[name][0]), None)
        if equal is None:
            # What differs least says best what is different.
            odds: list[list[str]] = [odd for odd, _ in found.values()]
            least = min(odds, key=len) if odds else ["no dataset is left"]
            differ.append(f"{'x'.join(map(str, signal['shape']))}: {'; '.join(least)}")
        else:
            names.remove(equal)
            done += found[equal][1]
    kinds = contents["kind"].values.tolist()
    return row | {"adatom": kinds, "differ": differ, "done": list(dict.fromkeys(done))}


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    for line in (out / "hyperspy.jsonl").read_text("utf-8").splitlines():
        row = row_of_file(data, json.loads(line), out)
        if row["hyperspy"] or row["adatom"]:
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
