"""Current against bias -> differential conductance, and the density of states that it shows."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import by_rows
from adatom.numerics.local_polynomials import local_polynomial, noise_of_rows
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.sweeps import length_along, side_by_side, sweep_of
from adatom.schema import FEATURES, Features, add_note

_LEAST_CERTAIN: Final = 3.0
# Steps of the sweep on either side of zero bias.
_NEAR_ZERO: Final = 3.0


class Conductance(NamedTuple):
    """Differential conductance, and its noise."""

    spectra: Features
    noise: Features
    """(..., measure): standard deviation in the middle of the sweep, of every row."""


def conductance_from_current(
    current: Features, /, *, window: str | None = None, order: int = 2
) -> Conductance:
    """Differentiate current by bias: dI/dV, smoothed over a stated window of the bias.

    In a window around every bias a polynomial is fitted and its slope taken
    [1]_. A window in volts, not in samples, says which structure survives:
    peaks narrower than the window are broadened to it, as by a lock-in of
    that modulation. On sweeps of unequal steps the fit is the same; at the
    ends the window lies to one side, where noise is higher.

    Parameters
    ----------
    current : Features
        Current, last axis bias, rising or falling throughout: a sweep that
        turns back is split by `mean_from_sweeps` first. Numpy gives numpy;
        dask gives dask. NaN spreads over the windows that hold it.
    window : str, optional
        Full width such as "20 mV". By default six steps of the sweep, that
        is seven samples, which already have a third of the noise of a
        difference of neighbors.
    order : int
        Of the polynomial. With two the slope of a parabola is exact; three
        keeps the height of peaks better, and leaves more noise.

    Returns
    -------
    Conductance
        In nA/V of a current in nA, and the standard deviation that noise of
        the current, found from its third differences, gives it.

    Raises
    ------
    SettingError
        If the window or order is out of range, or the bias turns back.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = np.linspace(-1.0, 1.0, 41)
    >>> rows = xr.DataArray([bias**2], dims=("site", "bias"),
    ...     coords={"bias": ("bias", bias, {"units": "V"})}, attrs={"units": "nA"})
    >>> conductance_from_current(rows, window="0.2 V").spectra.values[0, [0, 20, 40]].round(9)
    array([-2.,  0.,  2.])

    References
    ----------
    .. [1] A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964).
    """
    FEATURES.check(current)
    axis, unit = sweep_of(current)
    if not 1 <= order <= 5:
        msg = f"{order=} must be 1 to 5"
        raise SettingError(msg)
    width = _width(window, axis, unit, order)
    slope = local_polynomial(axis, window=width, order=order, derivative=1)
    gain = float(np.median(slope.gain))

    def noise(rows: NDArray[Any]) -> NDArray[np.float64]:
        return gain * noise_of_rows(rows)[:, None]

    units = _quotient_unit(str(current.attrs.get("units", "1")), unit)
    spectra = by_rows(current, slope.apply)
    spectra.name, spectra.attrs["units"] = "conductance", units
    add_note(
        spectra,
        f"Slope of a polynomial of order {order} in a window of {width:.4g} {unit}, "
        f"{slope.weights.shape[1]} samples; noise of a sample is multiplied by {gain:.4g} {units} "
        "per unit of current.",
    )
    return Conductance(
        spectra, measures_by_rows(current, noise, {"conductance_noise": units}, name="noise")
    )


def density_from_conductance(
    conductance: Features, current: Features, /, *, broadening: str = "0.1 V"
) -> Features:
    """Divide dI/dV by I/V: what the density of states is proportional to.

    The transmission of the tunnel barrier grows with bias and distance
    alike in dI/dV and in I/V, so that their ratio is free of it [1]_. In a
    gap both vanish; I/V is therefore averaged over `broadening` with
    weights exp(-|V - V'| / broadening), so that the ratio goes to zero there
    [2]_.

    Parameters
    ----------
    conductance : Features
        dI/dV, numeric or from a scaled lock-in. Numpy gives numpy; dask
        gives dask.
    current : Features
        Of the same places and biases, with the offset at zero bias taken off.
    broadening : str
        About the width of the gap: too little, and noise in the gap is
        divided by nearly nothing; too much, and the slope of the barrier
        comes back.

    Returns
    -------
    Features
        Without unit; one for an ohmic contact. NaN where the broadened I/V
        is below three times its noise: nothing can be divided by it, which
        a wider broadening mends.

    Raises
    ------
    KindError
        If the two are not of the same places and biases.
    SettingError
        If the broadening is not above zero.

    Examples
    --------
    >>> import xarray as xr
    >>> bias = np.linspace(-1.0, 1.0, 40)
    >>> axis = {"bias": ("bias", bias, {"units": "V"})}
    >>> ohmic = xr.DataArray([2 * bias], dims=("site", "bias"), coords=axis, attrs={"units": "nA"})
    >>> slope = conductance_from_current(ohmic).spectra
    >>> density_from_conductance(slope, ohmic).values[0, [0, 20]].round(6)
    array([1., 1.])

    References
    ----------
    .. [1] J. A. Stroscio, R. M. Feenstra, A. P. Fein, Phys. Rev. Lett. 57, 2579 (1986).
    .. [2] R. M. Feenstra, Phys. Rev. B 50, 4561 (1994).
    """
    FEATURES.check(conductance)
    FEATURES.check(current, name="current")
    axis, unit = sweep_of(conductance)
    width = length_along(broadening, unit, "broadening")
    both = side_by_side(conductance, current)
    weights = np.exp(-np.abs(axis[:, None] - axis[None, :]) / width) * np.abs(np.gradient(axis))
    weights /= weights.sum(axis=1, keepdims=True)
    # Noise of the broadened ratio for white noise of one in the current.
    gain = np.sqrt(((weights @ _ratio(np.eye(len(axis)), axis).T) ** 2).sum(axis=1))
    n = len(axis)

    def work(rows: NDArray[Any]) -> NDArray[np.float64]:
        wide = rows.astype(np.float64)
        mean = _broadened(_ratio(wide[:, n:], axis), weights)
        noise = noise_of_rows(wide[:, n:])[:, None] * gain
        with np.errstate(divide="ignore", invalid="ignore"):
            is_known = (np.abs(mean) > _LEAST_CERTAIN * noise) & (mean != 0)
            return np.where(is_known, wide[:, :n] / mean, np.nan)

    made = by_rows(both, work, n_columns=n)
    result = conductance.astype(made.dtype, copy=False).copy(data=made.data)
    result.name, result.attrs["units"] = "density_of_states", "1"
    add_note(result, f"dI/dV was divided by I/V broadened by {width:.4g} {unit}.")
    return result


def _ratio(currents: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give I/V; within three steps of zero bias it is the slope of a line through zero.

    The current over its own bias would be little but noise there.
    """
    step = float(np.median(np.abs(np.diff(axis))))
    near = np.abs(axis) <= (_NEAR_ZERO + 1e-6) * step
    ratio = currents / np.where(near, 1.0, axis)
    squares = float((axis[near] ** 2).sum())
    if squares > 0:
        ratio[:, near] = (currents[:, near] * axis[near]).sum(axis=1, keepdims=True) / squares
    return ratio


def _broadened(rows: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average rows with the weights around every channel, over what was measured."""
    known = np.isfinite(rows)
    filled = np.where(known, rows, 0.0)
    # Summed along rows: a product of matrices rounds by how many rows there are.
    sums = np.stack([(filled * around).sum(axis=1) for around in weights], axis=1)
    shares = np.stack([(known * around).sum(axis=1) for around in weights], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums / shares)


def _quotient_unit(above: str, below: str) -> str:
    """Write the unit of a quotient, such as "nA/V"."""
    if below in {"", "1"}:
        return above
    return f"{above if above not in {'', '1'} else '1'}/{below}"


def _width(window: str | None, axis: NDArray[np.float64], unit: str, order: int) -> float:
    step = float(np.median(np.abs(np.diff(axis))))
    if window is None:
        # Six steps hold seven samples; a higher polynomial needs more.
        return max(6.0, 2.0 * order) * step
    width = length_along(window, unit, "window")
    span = float(np.ptp(axis))
    if not order * step <= width * (1 + 1e-9) or width > span:
        msg = (
            f"{window=} must be from {order * step:.4g} {unit}, {order} steps of the sweep, "
            f"to {span:.4g} {unit}, the whole sweep"
        )
        raise SettingError(msg)
    return width
