"""Whether two results are identical, and if not, where they differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

_BLOCK_BYTES: Final = 64 * 2**20


def find_differences(first: object, second: object, /, *, name: str) -> list[str]:
    """List where two results differ; NaN equals NaN.

    Arrays are compared value by value and read in pieces, so that large ones
    may be lazy. Dims, dtypes, coordinates and attributes count too.
    """
    return list(_differences(first, second, name))


def _differences(first: Any, second: Any, name: str) -> Iterator[str]:  # noqa: ANN401
    if type(first) is not type(second):
        yield f"{name} was {type(first).__name__}, is {type(second).__name__}"
    elif isinstance(first, xr.Dataset | xr.DataArray):
        yield from _of_xarray(first, second, name)
    elif isinstance(first, np.ndarray):
        yield from _of_arrays(first, second, name)
    elif isinstance(first, Mapping):
        yield from _of_mappings(first, second, name)
    elif hasattr(first, "_asdict"):
        yield from _of_mappings(first._asdict(), second._asdict(), name)
    elif dataclasses.is_dataclass(first):
        yield from _of_mappings(_fields(first), _fields(second), name)
    elif isinstance(first, list | tuple):
        yield from _of_mappings(dict(enumerate(first)), dict(enumerate(second)), name)
    elif hasattr(first, "todict"):
        yield from _of_mappings(first.todict(), second.todict(), name)
    elif not _equal(first, second):
        yield f"{name} was {first!r}, is {second!r}"


def _equal(first: Any, second: Any) -> bool:  # noqa: ANN401
    if isinstance(first, float | np.floating) and math.isnan(first):
        return math.isnan(second)
    return bool(first == second)


def _fields(record: Any) -> dict[str, Any]:  # noqa: ANN401 -- any dataclass
    return {part.name: getattr(record, part.name) for part in dataclasses.fields(record)}


def _of_mappings(first: Mapping[Any, Any], second: Mapping[Any, Any], name: str) -> Iterator[str]:
    for key in first.keys() - second.keys():
        yield f"{name}.{key} is gone"
    for key in second.keys() - first.keys():
        yield f"{name}.{key} is new"
    for key in first:
        if key in second:
            yield from _differences(first[key], second[key], f"{name}.{key}")


def _of_xarray(first: Any, second: Any, name: str) -> Iterator[str]:  # noqa: ANN401
    if isinstance(first, xr.DataArray):
        yield from _of_variables(first.variable, second.variable, name)
        if first.name != second.name:
            yield f"{name} was named {first.name!r}, is named {second.name!r}"
        yield from _of_variable_sets(first.coords, second.coords, name)
    else:
        yield from _of_variable_sets(first.variables, second.variables, name)
        yield from _of_mappings(first.attrs, second.attrs, f"{name}.attrs")
        if set(first.coords) != set(second.coords):
            yield f"coordinates of {name} were {sorted(first.coords)}, are {sorted(second.coords)}"


def _of_variable_sets(
    first: Mapping[Any, Any], second: Mapping[Any, Any], name: str
) -> Iterator[str]:
    if set(first) != set(second):
        yield f"{name} had {sorted(map(str, first))}, has {sorted(map(str, second))}"
    for key in first:
        if key in second:
            # Coordinates of an array are arrays, variables of a dataset are not.
            one, two = (getattr(part[key], "variable", part[key]) for part in (first, second))
            yield from _of_variables(one, two, f"{name}.{key}")


def _of_variables(first: Any, second: Any, name: str) -> Iterator[str]:  # noqa: ANN401
    if first.dims != second.dims:
        yield f"dims of {name} were {first.dims}, are {second.dims}"
        return
    yield from _of_arrays(first.data, second.data, name)
    yield from _of_mappings(first.attrs, second.attrs, f"{name}.attrs")


def _of_arrays(first: Any, second: Any, name: str) -> Iterator[str]:  # noqa: ANN401 -- or dask
    if first.shape != second.shape or first.dtype != second.dtype:
        yield (
            f"{name} was {first.dtype} of shape {first.shape}, is {second.dtype} of shape "
            f"{second.shape}"
        )
        return
    n_different, largest = 0, 0.0
    for piece in _pieces(first):
        one, two = np.asarray(first[piece]), np.asarray(second[piece])
        same = one == two
        if one.dtype.kind in "fc":
            same |= np.isnan(one) & np.isnan(two)
        n_different += int(np.count_nonzero(~same))
        if one.dtype.kind in "iufc" and not same.all():
            gaps = np.abs(one[~same].astype(complex) - two[~same].astype(complex))
            largest = max(largest, float(gaps.max()))
    if n_different:
        by = f", by up to {largest:.3g}" if largest else ""
        yield f"{n_different} of {first.size} values of {name} differ{by}"


def _pieces(array: Any) -> Iterator[Any]:  # noqa: ANN401 -- or dask
    if array.ndim == 0:
        yield ...
        return
    row_bytes = max(1, array.nbytes // max(1, array.shape[0]))
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, array.shape[0], step):
        yield slice(start, start + step)
