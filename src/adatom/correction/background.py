"""Backgrounds of spectra fitted in a range and taken off."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.channels import by_rows, channel_axis_of, channels_in
from adatom.schema import FEATURES, Features, add_note

# Newton's steps of two parameters come to rest within a few; this bounds rows without counts.
_MOST_STEPS: Final = 12
_LEAST_CHANNELS: Final = 3


def correct_power_law(
    spectra: Features, /, *, fit_range: tuple[str, str], keep_before: bool = False
) -> Features:
    """Take off a background that falls as a power of the energy, as below an edge of EELS [1]_.

    ``A E^-r`` is fitted to every row in the range before the edge by maximum
    likelihood of counts, which needs no logarithm of the counts and so takes
    zeros as they are, and is extrapolated under the edge.

    Parameters
    ----------
    spectra : Features
        Counts; the last axis above zero. Numpy gives numpy; dask gives dask.
    fit_range : tuple of two texts
        Such as ("700 eV", "900 eV"): before the edge, without other edges.
    keep_before : bool
        Also give what lies below the range; by default it becomes zero,
        since the power law says nothing there.

    Returns
    -------
    Features
        What is above the background, in the unit of the spectra.

    Raises
    ------
    SettingError
        If fewer than three channels lie in the range, or the axis is not
        above zero there.

    Examples
    --------
    >>> import xarray as xr
    >>> energy = np.arange(200.0, 800.0, 50.0)
    >>> rows = xr.DataArray([1e9 * energy**-3.0], dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> float(abs(correct_power_law(rows, fit_range=("200 eV", "400 eV"))).max().round(3))
    0.0

    References
    ----------
    .. [1] R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed.
       (Springer 2011), sec. 4.4.
    """
    FEATURES.check(spectra)
    inside = channels_in(spectra, fit_range, name="fit_range", at_least=_LEAST_CHANNELS)
    axis, unit = channel_axis_of(spectra)
    used = axis >= axis[inside].min()
    if not axis[used].min() > 0:
        msg = f"{fit_range=} reaches down to {axis[used].min():.6g} {unit}: a power law needs > 0"
        raise SettingError(msg)
    middle = float(np.exp(np.log(axis[inside]).mean()))
    logs = np.log(np.where(axis > 0, axis, middle) / middle)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        height, power = power_laws(wide[:, inside], logs[inside])
        background = height[:, None] * np.exp(-power[:, None] * logs)
        left = wide - background
        left[:, ~used] = wide[:, ~used] if keep_before else 0.0
        return left

    result = by_rows(spectra, work)
    ends = f"{axis[inside].min():.6g} to {axis[inside].max():.6g} {unit}"
    kept = "" if keep_before else "; what lies below that range is zero"
    add_note(result, f"A power law fitted from {ends} was taken off every spectrum{kept}.")
    return result


def power_laws(
    counts: NDArray[np.float64], logs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit height and power of every row by Newton's method on the likelihood of counts.

    The likelihood of a log-linear mean is concave, and its height follows
    from the power: so one parameter is left.
    """
    total = counts.sum(axis=1)
    # Sums along rows, not products of matrices, whose last bits depend on the number of rows.
    first = (counts * logs).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = first / total
        power = np.full(len(counts), 2.0)
        for _ in range(_MOST_STEPS):
            weights = np.exp(-power[:, None] * logs)
            norm = weights.sum(axis=1)
            mean = (weights * logs).sum(axis=1) / norm
            spread = (weights * logs**2).sum(axis=1) / norm - mean**2
            # Bounded, since a row of few counts may have its best power at infinity.
            power = np.clip(power + (mean - wanted) / spread, -20.0, 20.0)
        height = total / np.exp(-power[:, None] * logs).sum(axis=1)
    empty = ~(total > 0)
    height = np.where(empty, np.where(np.isnan(total), np.nan, 0.0), height)
    return height, np.where(empty, 0.0, power)
