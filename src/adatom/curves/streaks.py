"""Streak images as decays."""

from __future__ import annotations

from adatom.errors import KindError
from adatom.schema import SPECTRA, Features, Spectra


def decays_from_streak(streak: Spectra, /) -> Features:
    """Turn a streak image into a decay at every wavelength.

    Parameters
    ----------
    streak : Spectra
        (time, wavelength), as a streak camera gives them. Numpy gives numpy;
        dask gives dask.

    Returns
    -------
    Features
        (wavelength, time), the same values.

    Raises
    ------
    KindError
        If the first axis is no time.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> axes = {"time": ("time", [0.0, 0.1], {"units": "ns"})}
    >>> axes["wavelength"] = ("wavelength", [500.0, 501.0, 502.0], {"units": "nm"})
    >>> streak = xr.DataArray(np.zeros((2, 3)), dims=("time", "wavelength"), coords=axes)
    >>> decays_from_streak(streak).dims
    ('wavelength', 'time')
    """
    SPECTRA.check(streak)
    first, last = streak.dims
    if first != "time":
        msg = f"the first axis is {first!r}, a streak image has (time, wavelength)"
        raise KindError(msg)
    return streak.transpose(last, first)
