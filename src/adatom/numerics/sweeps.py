"""Sweeps of a bias or another quantity: their axis, and two beside one another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.channels import channel_axis_of
from adatom.units import quantity_from_text

_LEAST_CHANNELS: Final = 5


def sweep_of(spectra: xr.DataArray, /) -> tuple[NDArray[np.float64], str]:
    """Give the axis of a single sweep, which rises or falls throughout, and its unit."""
    axis, unit = channel_axis_of(spectra)
    steps = np.diff(axis)
    if len(axis) < _LEAST_CHANNELS or not ((steps > 0).all() or (steps < 0).all()):
        turns = "turns back" if len(axis) >= _LEAST_CHANNELS else "is too short"
        msg = (
            f"the {spectra.dims[-1]} axis of {len(axis)} samples {turns}: one sweep of "
            f"{_LEAST_CHANNELS} samples or more is needed; correction.mean_from_sweeps splits "
            "a sweep there and back"
        )
        raise SettingError(msg)
    return axis, unit


def side_by_side(one: xr.DataArray, other: xr.DataArray, /) -> xr.DataArray:
    """Put rows of two features of the same places and channels beside one another."""
    same = one.shape == other.shape and one.dims[:-1] == other.dims[:-1]
    if not same or not _same_axis(channel_axis_of(one)[0], channel_axis_of(other)[0]):
        msg = (
            f"the two are not of the same places and channels: {dict(one.sizes)} and "
            f"{dict(other.sizes)}. Read them from the same file, and crop both alike"
        )
        raise KindError(msg)
    if hasattr(one.data, "dask") or hasattr(other.data, "dask"):
        import dask.array as da

        whole = one.ndim - 1
        first = da.asarray(one.data)  # type: ignore[no-untyped-call]
        first = first.rechunk({whole: -1})
        second = da.asarray(other.data)  # type: ignore[no-untyped-call]
        second = second.rechunk((*first.chunks[:-1], -1))
        values: Any = da.concatenate([first, second], axis=-1)  # type: ignore[no-untyped-call]
        values = values.rechunk({whole: -1})
    else:
        values = np.concatenate([one.values, other.values], axis=-1)
    dim = one.dims[-1]
    kept = {name: coord for name, coord in one.coords.items() if dim not in coord.dims}
    return xr.DataArray(values, dims=one.dims, coords=kept, attrs=one.attrs)


def _same_axis(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-9 * float(np.abs(one).max())))


def length_along(text: str, unit: str, name: str) -> float:
    """Give a positive stretch of the measured axis, told as text, in the unit of the axis."""
    value, found = quantity_from_text(text, name=name)
    if found != unit:
        msg = f"{name}={text!r} is in {found}, the measured axis is in {unit}"
        raise UnitError(msg)
    if not value > 0:
        msg = f"{name}={text!r} must be above zero"
        raise SettingError(msg)
    return value
