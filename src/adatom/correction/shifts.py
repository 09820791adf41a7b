"""Spectra moved along their axis by a fraction of a channel, each by its own amount."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.channels import by_rows, channel_axis_of
from adatom.schema import FEATURES, Features, add_note

Ends = Literal["extend", "keep", "common"]


def correct_shifts(spectra: Features, offsets: Features, /, *, ends: Ends = "extend") -> Features:
    """Move every spectrum along its axis by its own offset: what lay there lies at zero after it.

    The median of all offsets moves the axis itself; what is left for each
    row moves its values, by cubic interpolation between channels [1]_, which
    keeps the sum but lets neighboring channels share noise.

    Parameters
    ----------
    spectra : Features
        With an axis of equal steps. Numpy gives numpy; dask gives dask.
    offsets : Features
        (..., measure), one number a row in the unit of the axis, such as
        ``positions`` of `estimate_zero_loss`; loaded. Those of a low-loss
        map move the core-loss map that was taken with it, whatever its
        channels are. NaN where it is not known: those rows become NaN.
    ends : {"extend", "keep", "common"}
        "extend": the axis grows until all that was measured is on it. "keep":
        it stays as long as it is, and what moves beyond is left out. "common":
        only channels that every row has. The first two have NaN where a row
        was not measured; a note counts the channels.

    Returns
    -------
    Features
        On the moved axis.

    Raises
    ------
    KindError
        If the offsets are not one number for each row.
    SettingError
        If the axis does not have equal steps, or no channel is common to all.
    UnitError
        If the offsets are in another unit than the axis.

    Examples
    --------
    >>> energy = ("energy", np.arange(-3.0, 4.0), {"units": "eV"})
    >>> rows = xr.DataArray(np.eye(7)[2:4], dims=("site", "energy"), coords={"energy": energy})
    >>> where = xr.DataArray([[-1.0], [0.0]], dims=("site", "measure"), attrs={"units": "eV"})
    >>> correct_shifts(rows, where, ends="common").values.argmax(axis=1)
    array([2, 2])

    References
    ----------
    .. [1] R. G. Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981).
    """
    FEATURES.check(spectra)
    FEATURES.check(offsets, name="offsets")
    axis, unit = channel_axis_of(spectra)
    step = _equal_step(axis, str(spectra.dims[-1]))
    found = _checked(spectra, offsets, unit)
    known = found[np.isfinite(found)]
    # The lower of two middles, so that offsets of whole channels move by whole channels.
    middle = float(np.quantile(known, 0.5, method="lower"))
    # Moved to the left by so many channels; whole ones are exact.
    apart = np.round((found - middle) / step, 6)
    low, high = _reach(apart[np.isfinite(apart)], axis.size, ends)
    if high - low < 2:
        msg = (
            f"offsets from {known.min():.6g} to {known.max():.6g} {unit} leave "
            f"{max(high - low, 0)} "
            'channels that all rows have: take ends="extend"'
        )
        raise SettingError(msg)
    moved = _moved(spectra, apart, low, high)
    dim = spectra.dims[-1]
    new_axis = axis[0] - middle + step * np.arange(low, high)
    moved = moved.assign_coords({dim: (dim, new_axis, dict(spectra.coords[dim].attrs))})
    moved.attrs, moved.name = dict(spectra.attrs), spectra.name
    add_note(moved, _words(found, unit, step, axis.size, low, high))
    return moved


def _equal_step(axis: NDArray[np.float64], dim: str) -> float:
    steps = np.diff(axis)
    if axis.size < 4 or not (steps[0] and np.allclose(steps, steps.mean(), rtol=1e-3, atol=0)):
        msg = f"the axis {dim!r} needs four channels or more in equal steps: use correct_sampling"
        raise SettingError(msg)
    return float(steps.mean())


def _checked(spectra: xr.DataArray, offsets: xr.DataArray, unit: str) -> NDArray[np.float64]:
    if offsets.dims[:-1] != spectra.dims[:-1] or offsets.shape != (*spectra.shape[:-1], 1):
        msg = (
            f"offsets are {dict(offsets.sizes)}, need one number for each row of "
            f"{dict(spectra.sizes)}: dims {(*spectra.dims[:-1], 'measure')}"
        )
        raise KindError(msg)
    if offsets.attrs.get("units") != unit:
        msg = f"offsets are in {offsets.attrs.get('units')!r}, the measured axis is in {unit!r}"
        raise UnitError(msg)
    found = np.asarray(offsets.values, dtype=np.float64)
    if not np.isfinite(found).any():
        msg = "no offset is known: all are NaN"
        raise SettingError(msg)
    return found


def _reach(apart: NDArray[np.float64], n_channels: int, ends: Ends) -> tuple[int, int]:
    """Give the first channel of the result and the one after the last, on the old numbering."""
    if ends == "keep":
        return 0, n_channels
    far = (apart.min(), apart.max())
    if ends == "common":
        # Interpolation needs a neighbor on both sides unless a row moves by whole channels.
        return int(np.ceil(-far[0])), n_channels - int(np.ceil(far[1]))
    return int(np.floor(-far[1])), n_channels + int(np.ceil(-far[0]))


def _moved(spectra: xr.DataArray, apart: NDArray[np.float64], low: int, high: int) -> xr.DataArray:
    dim = spectra.dims[-1]
    # Every row carries its own shift as one more channel, so that it works row by row.
    real = spectra.astype(np.result_type(spectra.dtype, np.float32))
    shift = xr.DataArray(apart.astype(real.dtype), dims=spectra.dims)
    bare = real.drop_vars([name for name, c in real.coords.items() if dim in c.dims])
    carried = xr.concat(
        [bare, shift], dim=dim, join="override", coords="minimal", compat="override"
    )
    channels = np.arange(low, high, dtype=np.float64)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        return interpolated(wide[:, :-1], channels[None, :] + wide[:, -1:])

    return by_rows(carried, work, n_columns=high - low).rename(measure=str(dim))


def interpolated(rows: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read rows (row, channel) at fractional channels, by cubic convolution; NaN beyond the ends.

    Beyond the last channel on either side the row is continued by a
    parabola, as in the paper of `correct_shifts`.
    """
    n_channels = rows.shape[1]
    inside = (places >= 0) & (places <= n_channels - 1)
    safe = np.where(inside, places, 0.0)
    left = np.minimum(np.floor(safe).astype(np.int64), n_channels - 2)
    t = safe - left
    first = 3 * rows[:, :1] - 3 * rows[:, 1:2] + rows[:, 2:3]
    last = 3 * rows[:, -1:] - 3 * rows[:, -2:-1] + rows[:, -3:-2]
    padded = np.concatenate([first, rows, last], axis=1)
    weights = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    total = np.zeros(places.shape)
    for number, weight in enumerate(weights):
        values = np.take_along_axis(padded, left + number, axis=1)
        # A gap does not matter where it has no weight.
        total += np.where(weight == 0, 0.0, weight * values)
    return np.where(inside, total, np.nan)


def _words(
    found: NDArray[np.float64], unit: str, step: float, n_channels: int, low: int, high: int
) -> str:
    known = found[np.isfinite(found)]
    middle = float(np.quantile(known, 0.5, method="lower"))
    text = (
        f"Every row was moved by its own offset: {known.min():.4g} to {known.max():.4g} {unit}, "
        f"median {middle:.4g}; from {n_channels} channels came {high - low}."
    )
    apart = (known - middle) / step
    first, last = np.ceil(-apart.min() - 1e-6), np.floor(n_channels - 1 - apart.max() + 1e-6)
    beyond = max(0.0, apart.max() + low, -apart.min() - (high - n_channels))
    if beyond > 1e-6:
        text += f" Up to {int(np.ceil(beyond - 1e-6))} channels at an end of a row are left out."
    if first > low or last < high - 1:
        text += (
            f" All rows are measured in channels {max(int(first) - low, 0)} to "
            f"{int(last) - low} of these; elsewhere some are NaN."
        )
    n_unknown = found.size - known.size
    return text + (f" {n_unknown} rows without a known offset are NaN." if n_unknown else "")
