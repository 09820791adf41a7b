"""The measured axis of features: ranges in its unit, and functions applied row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.errors import KindError, SettingError, UnitError
from adatom.units import quantity_from_text

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


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
    low, high = (_end(text, unit, name) for text in span)
    inside = (axis >= low) & (axis <= high)
    if inside.sum() < at_least:
        msg = (
            f"{name}={span!r} holds {int(inside.sum())} channels, {at_least} or more are needed: "
            f"the axis runs from {axis.min():.6g} to {axis.max():.6g} {unit}"
        )
        raise SettingError(msg)
    return np.asarray(inside)


def _end(text: str, unit: str, name: str) -> float:
    value, found = quantity_from_text(text, name=name)
    if found != unit:
        msg = f"{name}: {text!r} is in {found or 'no unit'}, the measured axis is in {unit}"
        raise UnitError(msg)
    return value


def by_rows(
    features: xr.DataArray,
    work: Callable[[NDArray[Any]], NDArray[Any]],
    /,
    *,
    dtype: np.dtype[Any] | None = None,
) -> xr.DataArray:
    """Apply a function of rows (row, channel) that gives rows of the same length.

    Numpy gives numpy; dask gives dask, computed chunk by chunk with whole rows.
    """
    made = np.dtype(dtype or np.result_type(features.dtype, np.float32))
    values: Any = features.data
    if hasattr(values, "dask"):
        whole = values.rechunk({values.ndim - 1: -1})
        return features.copy(data=whole.map_blocks(_rows, work, made, dtype=made))
    return features.copy(data=_rows(np.asarray(values), work, made))


def _rows(
    block: NDArray[Any], work: Callable[[NDArray[Any]], NDArray[Any]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    # Empty blocks are given by dask to learn the type.
    if block.size == 0:
        return np.empty(block.shape, dtype)
    rows = block.reshape(-1, block.shape[-1])
    return np.asarray(work(rows), dtype).reshape(block.shape)
