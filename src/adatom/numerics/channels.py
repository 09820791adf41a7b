"""The measured axis of features: ranges in its unit, and functions applied row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, UnitError
from adatom.units import quantity_from_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VALUES_AT_ONCE: Final = 1 << 22
# From the unit that texts are turned into to the other one that the house has for the quantity.
_FACTORS: Final = {("s", "ns"): 1e9, ("nm", "mm"): 1e-6}


def channel_axis_of(features: xr.DataArray, /) -> tuple[NDArray[np.float64], str]:
    """Give the values of the measured axis and their unit.

    Raises
    ------
    KindError
        If the axis has no values.
    """
    dim = features.dims[-1]
    if dim not in features.coords:
        msg = f"the measured axis {dim!r} has no values: read the features with their axis"
        raise KindError(msg)
    axis = features.coords[dim]
    return axis.values.astype(float), str(axis.attrs.get("units", "1"))


def channels_in(
    features: xr.DataArray, span: tuple[str, str], /, *, name: str, at_least: int = 1
) -> NDArray[np.bool_]:
    """Tell which channels lie in a span such as ("700 eV", "900 eV"), both ends included.

    Raises
    ------
    UnitError
        If an end is in another unit than the axis.
    SettingError
        If fewer channels than `at_least` lie in the span.
    """
    axis, unit = channel_axis_of(features)
    low, high = (value_on_axis(text, unit, name=name) for text in span)
    inside = (axis >= low) & (axis <= high)
    if inside.sum() < at_least:
        msg = (
            f"{name}={span!r} holds {int(inside.sum())} channels, {at_least} or more are needed: "
            f"the axis runs from {axis.min():.6g} to {axis.max():.6g} {unit}"
        )
        raise SettingError(msg)
    return np.asarray(inside)


def value_on_axis(text: str, unit: str, /, *, name: str) -> float:
    """Give a value such as "0.7 keV" in the unit of a measured axis.

    Raises
    ------
    UnitError
        If it is of another quantity than the axis.

    Examples
    --------
    >>> value_on_axis("2.5 ns", "ns", name="step")
    2.5
    """
    value, found = quantity_from_text(text, name=name)
    factor = 1.0 if found == unit else _FACTORS.get((found, unit))
    if factor is None:
        msg = f"{name}: {text!r} is in {found or 'no unit'}, the measured axis is in {unit}"
        raise UnitError(msg)
    return float(f"{value * factor:.15g}")


def length_on_axis(features: xr.DataArray, text: str, /, *, name: str) -> float:
    """Give a length along the measured axis, such as "40 1/cm", as a number in its unit.

    Raises
    ------
    UnitError
        If it is in another unit than the axis.
    """
    return value_on_axis(text, channel_axis_of(features)[1], name=name)


def bridged_rows(rows: NDArray[np.float64], measured: NDArray[np.bool_], /) -> NDArray[np.float64]:
    """Fill the gaps of every row from its neighbors on both sides; rows without values are zero."""
    filled = np.where(measured, rows, 0.0)
    number = np.arange(rows.shape[1])
    for row in np.flatnonzero(~measured.all(axis=1) & measured.any(axis=1)):
        there = measured[row]
        filled[row] = np.interp(number, number[there], rows[row, there])
    return filled


def by_rows(
    features: xr.DataArray,
    work: Callable[[NDArray[Any]], NDArray[Any]],
    /,
    *,
    n_columns: int | None = None,
) -> xr.DataArray:
    """Apply a function of rows (row, channel) that works on each row by itself.

    Numpy gives numpy; dask gives dask, computed chunk by chunk with whole
    rows. float32 stays float32; integers become float32 or float64 as they
    need.

    Parameters
    ----------
    features : Features
        What is worked on.
    work : callable
        Gives as many rows, and as many columns unless told otherwise. Its
        result for a row must not depend on the rows beside it.
    n_columns : int, optional
        Columns that it gives instead, along a dim "measure".
    """
    dtype = np.result_type(features.dtype, np.float32)
    values: Any = features.data
    if hasattr(values, "dask"):
        whole = values.rechunk({values.ndim - 1: -1})
        last = whole.chunks[-1] if n_columns is None else (n_columns,)
        chunks = (*whole.chunks[:-1], last)
        made = whole.map_blocks(_rows, work, dtype, n_columns, dtype=dtype, chunks=chunks)
    else:
        made = _rows(np.asarray(values), work, dtype, n_columns)
    if n_columns is None:
        return features.copy(data=made)
    dim = features.dims[-1]
    kept = {name: coord for name, coord in features.coords.items() if dim not in coord.dims}
    return xr.DataArray(made, dims=(*features.dims[:-1], "measure"), coords=kept)


def _rows(
    block: NDArray[Any],
    work: Callable[[NDArray[Any]], NDArray[Any]],
    dtype: np.dtype[Any],
    n_columns: int | None,
) -> NDArray[Any]:
    shape = (*block.shape[:-1], block.shape[-1] if n_columns is None else n_columns)
    # Empty blocks are given by dask to learn the type.
    if block.size == 0:
        return np.empty(shape, dtype)
    rows = block.reshape(-1, block.shape[-1])
    made = np.empty((len(rows), shape[-1]), dtype)
    # Piece by piece, since work needs several times the memory of what it is given.
    step = max(1, _VALUES_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        made[start : start + step] = work(np.ascontiguousarray(rows[start : start + step]))
    return made.reshape(shape)
