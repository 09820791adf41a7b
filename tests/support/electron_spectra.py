"""Spectra of electrons and X-rays of which everything is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray[Any, Any]


def spectral_map(values: Array, energy: Array, *, unit: str = "eV") -> xr.DataArray:
    """Give values (y, x, energy) their axes."""
    place = {
        name: (name, np.arange(float(size)), {"units": "nm"})
        for name, size in zip("yx", values.shape, strict=False)
    }
    axis = {"energy": ("energy", energy, {"units": unit})}
    dims = ("y", "x", "energy")
    return xr.DataArray(values, dims=dims, coords={**place, **axis}, attrs={"units": "1"})


def rows(values: Array, energy: Array, *, unit: str = "eV") -> xr.DataArray:
    """Give values (site, energy) their axis."""
    axis = {"energy": ("energy", energy, {"units": unit})}
    return xr.DataArray(values, dims=("site", "energy"), coords=axis, attrs={"units": "1"})


def poisson_plural(
    single: Array, zero: Array, n_before: int, electrons: float
) -> tuple[Array, Array]:
    """Give plural scattering, exact, and the single losses that should be left of it.

    Both ``single`` (losses over the intensity of the zero loss) and ``zero``
    (of sum 1) have their origin at channel `n_before`.
    """
    n = single.size
    origin = np.exp(2j * np.pi * np.fft.rfftfreq(n) * n_before)
    transform, response = np.fft.rfft(single) * origin, np.fft.rfft(zero) * origin
    plural = np.fft.irfft(response * np.exp(transform) / origin, n) * electrons
    once = np.fft.irfft(response * transform / origin, n) * electrons
    return plural, once
