"""Functions applied to force curves one by one, in memory or lazily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.measures import named_measures

Array = NDArray[np.float64]

HEIGHTS: Final = ("height", "height_piezo")
"""Channels that tell the height, the better one first."""

_DIMS: Final = ["segment", "sample"]


def measures_by_curves(
    curves: xr.Dataset,
    channels: Sequence[str],
    work: Callable[..., Sequence[float]],
    units: Mapping[str, str],
    /,
    *,
    name: str,
) -> xr.DataArray:
    """Measure every curve: (site, measure), with the places of the curves.

    Parameters
    ----------
    curves : ForceCurves
        Numpy gives numpy; dask gives dask.
    channels : sequence of str
        What `work` is given of a curve, each (segment, sample).
    work : callable
        Gives a number for each of the names in `units`.
    units : mapping of str to str
        Names of the measures, and their units.
    name : str
        Of the result.
    """

    def looped(*arrays: NDArray[Any]) -> Array:
        made = np.full((*arrays[0].shape[:-2], len(units)), np.nan)
        for index in np.ndindex(made.shape[:-1]):
            made[index] = work(*(array[index].astype(np.float64) for array in arrays))
        return made

    made = _applied(curves, channels, looped, ["measure"], {"measure": len(units)})
    result = named_measures(made.assign_coords(_places(curves)), units, name=name)
    result.attrs |= grid_of(curves)
    return result


def channel_by_curves(
    curves: xr.Dataset, channels: Sequence[str], work: Callable[..., Array], /
) -> xr.DataArray:
    """Make a channel (site, segment, sample) of every curve by itself."""

    def looped(*arrays: NDArray[Any]) -> Array:
        made = np.full(arrays[0].shape, np.nan)
        for index in np.ndindex(made.shape[:-2]):
            made[index] = work(*(array[index].astype(np.float64) for array in arrays))
        return made

    return _applied(curves, channels, looped, _DIMS, {})


def rows_by_curves(
    curves: xr.Dataset,
    channels: Sequence[str],
    work: Callable[..., Array],
    /,
    *,
    n_columns: int,
) -> Any:  # noqa: ANN401 -- numpy or dask
    """Make one row (site, column) of every curve."""

    def looped(*arrays: NDArray[Any]) -> Array:
        made = np.full((*arrays[0].shape[:-2], n_columns), np.nan)
        for index in np.ndindex(made.shape[:-1]):
            made[index] = work(*(array[index].astype(np.float64) for array in arrays))
        return made

    return _applied(curves, channels, looped, ["column"], {"column": n_columns}).data


def _applied(
    curves: xr.Dataset,
    channels: Sequence[str],
    looped: Callable[..., Array],
    core: list[str],
    sizes: dict[str, int],
) -> xr.DataArray:
    arrays = [curves[name].drop_vars(list(curves.coords), errors="ignore") for name in channels]
    whole = [
        array.chunk({"segment": -1, "sample": -1}) if hasattr(array.data, "dask") else array
        for array in arrays
    ]
    dtype = np.result_type(*(array.dtype for array in arrays), np.float32)
    made: xr.DataArray = xr.apply_ufunc(
        lambda *blocks: looped(*blocks).astype(dtype, copy=False),
        *whole,
        input_core_dims=[_DIMS] * len(whole),
        output_core_dims=[core],
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={"output_sizes": sizes} if sizes else {},
    )
    return made


def _places(curves: xr.Dataset) -> dict[str, xr.DataArray]:
    return {str(name): coord for name, coord in curves.coords.items() if coord.dims == ("site",)}


def grid_of(curves: xr.Dataset, /) -> dict[str, Any]:
    """Give the attribute that tells the grid of which the curves are all or some."""
    return {"grid_shape": curves.attrs["grid_shape"]} if "grid_shape" in curves.attrs else {}


def height_of(curves: xr.Dataset, /) -> str:
    """Name the channel of the height, of the sensor if there is one."""
    for name in HEIGHTS:
        if name in curves:
            return name
    msg = f"these curves have no {' or '.join(HEIGHTS)}, only {', '.join(map(str, curves))}"
    raise KindError(msg)


def force_of(curves: xr.Dataset, /) -> str:
    """Name the channel of the force, or of the deflection where there is no force."""
    for name in ("force", "deflection"):
        if name in curves:
            return name
    msg = f"these curves have neither force nor deflection, only {', '.join(map(str, curves))}"
    raise KindError(msg)


def needed_channels(curves: xr.Dataset, /, *names: str, by: str) -> None:
    """Raise an error that names the step which makes a channel that is missing."""
    missing = [name for name in names if name not in curves]
    if missing:
        msg = (
            f"these curves have no {', '.join(missing)}, only {', '.join(map(str, curves))}: "
            f"{by} makes it"
        )
        raise KindError(msg)


def segment_number(curves: xr.Dataset, name: str, /) -> int:
    """Give the place of a segment by its name, the first if there are several."""
    names = [str(segment) for segment in curves.coords["segment"].values]
    if name not in names:
        msg = f"segment={name!r} is none of these curves: they have {', '.join(names)}"
        raise SettingError(msg)
    return names.index(name)
