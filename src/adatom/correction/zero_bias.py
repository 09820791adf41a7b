"""Offsets of a current amplifier, and the scale of a lock-in."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import by_rows
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.sweeps import length_along, side_by_side, sweep_of
from adatom.schema import FEATURES, Features, add_note

# A parabola through this share of the sweep, which is locally exact for any smooth junction.
_SHARE: Final = 0.1
_LEAST_SAMPLES: Final = 5
# Below this correlation of lock-in and slope the two do not show the same quantity.
_LEAST_CORRELATION: Final = 0.5


class ZeroBiasCorrection(NamedTuple):
    """Currents that vanish at zero bias, and what was taken off each."""

    spectra: Features
    offset: Features
    """(..., measure): current at zero bias before."""


class LockInCorrection(NamedTuple):
    """Lock-in signal as differential conductance, and how well each row fits."""

    spectra: Features
    fit: Features
    """(..., measure): slope, offset and correlation of every row by itself."""


def correct_zero_bias(current: Features, /, *, window: str | None = None) -> ZeroBiasCorrection:
    """Take off the current at zero bias, which no junction in the dark has.

    What is left there is the offset of the amplifier, and would make I/V
    diverge. It is read from a parabola fitted around zero, so that it is
    much less noisy than the one sample there.

    Parameters
    ----------
    current : Features
        Last axis bias, one sweep across zero. Numpy gives numpy; dask gives dask.
    window : str, optional
        Full width of the fit around zero, such as "40 mV"; by default a
        tenth of the sweep, and five samples at least.

    Returns
    -------
    ZeroBiasCorrection
        The currents, and the offset of every row, which is NaN, as is the
        row, where a sample of the fit is.

    Raises
    ------
    SettingError
        If the sweep does not cross zero, or the window holds under five samples.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = np.linspace(-1.0, 1.0, 41)
    >>> rows = xr.DataArray([bias + 0.3], dims=("site", "bias"),
    ...     coords={"bias": ("bias", bias, {"units": "V"})}, attrs={"units": "nA"})
    >>> correct_zero_bias(rows).offset.values.round(9)
    array([[0.3]])
    """
    FEATURES.check(current)
    axis, unit = sweep_of(current)
    inside = _around_zero(axis, unit, window)
    powers = (axis[inside, None] / np.abs(axis[inside]).max()) ** np.arange(3)
    weights = np.linalg.pinv(powers)[0]

    def offsets(rows: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray((rows[:, inside] * weights).sum(axis=1, keepdims=True))

    def mended(rows: NDArray[Any]) -> NDArray[np.float64]:
        return rows - offsets(rows)

    result = by_rows(current, mended)
    ends = f"{axis[inside].min():.4g} to {axis[inside].max():.4g} {unit}"
    add_note(result, f"The current at zero bias, of a parabola from {ends}, was taken off.")
    units = {"offset": str(current.attrs.get("units", "1"))}
    return ZeroBiasCorrection(result, measures_by_rows(current, offsets, units, name="offset"))


def correct_lock_in(lock_in: Features, conductance: Features, /) -> LockInCorrection:
    """Scale a lock-in signal to the conductance that the current itself gives.

    A lock-in gives dI/dV in volts, times a factor of gain, sensitivity and
    modulation that files do not hold, on an offset. Both are the
    instrument's and so the same for all rows: factor and offset that bring
    the lock-in to the numeric derivative are found row by row, and their
    medians over all rows are applied. The result is as quiet as the lock-in
    and in the unit of the derivative.

    Parameters
    ----------
    lock_in : Features
        Numpy gives numpy; dask gives dask, after one pass. NaN, as of
        saturated samples, stays.
    conductance : Features
        By `conductance_from_current` from the current at the same places.

    Returns
    -------
    LockInCorrection
        The conductance, and what every row alone would have said.

    Raises
    ------
    KindError
        If the two are not of the same places and biases.
    SettingError
        If the two do not follow one another: the median correlation of rows is below 0.5.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = {"bias": ("bias", np.arange(6.0), {"units": "V"})}
    >>> slope = xr.DataArray([[1.0, 2.0, 4.0, 4.0, 3.0, 1.0]], dims=("site", "bias"),
    ...     coords=bias, attrs={"units": "nA/V"})
    >>> correct_lock_in(0.5 * slope + 2.0, slope).spectra.values.round(9)
    array([[1., 2., 4., 4., 3., 1.]])
    """
    FEATURES.check(lock_in)
    FEATURES.check(conductance, name="conductance")
    sweep_of(lock_in)
    both = side_by_side(lock_in, conductance)
    n = lock_in.shape[-1]

    def lines(rows: NDArray[Any]) -> NDArray[np.float64]:
        return _lines(rows[:, :n].astype(np.float64), rows[:, n:].astype(np.float64))

    unit = str(conductance.attrs.get("units", "1"))
    units = {"slope": "1", "offset": unit, "correlation": "1"}
    fit = measures_by_rows(both, lines, units, name="lock_in_fit").compute()
    found = fit.values.reshape(-1, 3)
    found = found[np.isfinite(found).all(axis=1)]
    middle = np.median(found, axis=0) if len(found) else np.zeros(3)
    slope, offset, correlation = (float(value) for value in middle)
    if abs(correlation) < _LEAST_CORRELATION:
        msg = (
            f"the lock-in does not follow the conductance: their median correlation is "
            f"{correlation:.2f}, {_LEAST_CORRELATION} is needed. Choose the other phase of the "
            "lock-in (LockinY), or a wider window of the derivative"
        )
        raise SettingError(msg)
    result = by_rows(lock_in, lambda rows: slope * rows.astype(np.float64) + offset)
    result.name, result.attrs["units"] = "conductance", unit
    spread = float(np.median(np.abs(found[:, 0] / slope - 1)))
    add_note(
        result,
        f"The lock-in signal was multiplied by {slope:.4g} and {offset:+.4g} {unit} added, the "
        f"medians of {len(found)} rows, between which the factor scatters by {spread:.1%} "
        f"(median deviation); median correlation {correlation:.3f}.",
    )
    return LockInCorrection(result, fit)


def _lines(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give slope, offset and correlation of y on x of every row, without what is NaN."""
    known = np.isfinite(x) & np.isfinite(y)
    count = known.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x = np.where(known, x, 0).sum(axis=1, keepdims=True) / count
        mean_y = np.where(known, y, 0).sum(axis=1, keepdims=True) / count
        off_x, off_y = np.where(known, x - mean_x, 0), np.where(known, y - mean_y, 0)
        xx, xy, yy = ((a * b).sum(axis=1) for a, b in
                      ((off_x, off_x), (off_x, off_y), (off_y, off_y)))  # fmt: skip
        slope = xy / xx
        return np.stack([slope, mean_y[:, 0] - slope * mean_x[:, 0], xy / np.sqrt(xx * yy)], axis=1)


def _around_zero(axis: NDArray[np.float64], unit: str, window: str | None) -> NDArray[np.intp]:
    if not axis.min() < 0 < axis.max():
        msg = f"the bias runs from {axis.min():.4g} to {axis.max():.4g} {unit}: it must cross zero"
        raise SettingError(msg)
    if window is None:
        inside = np.abs(axis) <= _SHARE / 2 * float(np.ptp(axis))
        nearest = np.argsort(np.abs(axis), kind="stable")[:_LEAST_SAMPLES]
        return np.union1d(np.flatnonzero(inside), nearest)
    used = np.flatnonzero(np.abs(axis) <= length_along(window, unit, "window") / 2)
    if used.size < _LEAST_SAMPLES:
        msg = f"{window=} holds {used.size} samples around zero, {_LEAST_SAMPLES} are needed"
        raise SettingError(msg)
    return used
