"""Small calls of the steps for fits of curves and mass spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example


def _raman_map() -> xr.DataArray:
    """Give 18 x 18 spectra of two lines on fluorescence, on an axis of unequal steps."""
    rng = np.random.default_rng(5)
    shift = np.linspace(400.0, 1600.0, 96) + np.linspace(0.0, 10.0, 96) ** 2
    heights = rng.uniform(20.0, 60.0, (18, 18, 1))
    lines = sum(np.exp(-(((shift - center) / 25) ** 2)) for center in (800.0, 1300.0))
    values = 30 + shift / 20 + heights * lines + rng.standard_normal((18, 18, 96))
    axes = {name: (name, 0.5 * np.arange(18.0), {"units": "nm"}) for name in ("y", "x")}
    axes["wavenumber"] = ("wavenumber", shift, {"units": "1/cm"})
    dims = ("y", "x", "wavenumber")
    return xr.DataArray(values, dims=dims, coords=axes, attrs={"units": "1"})


def _luminescence() -> tuple[xr.DataArray, xr.Dataset]:
    """Give 18 x 18 spectra of one line in two classes."""
    rng = np.random.default_rng(6)
    wavelength = np.linspace(500.0, 540.0, 48)
    label = (np.arange(18 * 18) % 5 < 2).astype(np.int32).reshape(18, 18)
    centers = np.where(label, 515.0, 525.0)[..., None]
    values = 100 * np.exp(-(((wavelength - centers) / 5) ** 2)) + rng.standard_normal((18, 18, 48))
    axes = {name: (name, 0.5 * np.arange(18.0), {"units": "nm"}) for name in ("y", "x")}
    axes["wavelength"] = ("wavelength", wavelength, {"units": "nm"})
    dims = ("y", "x", "wavelength")
    spectra = xr.DataArray(values, dims=dims, coords=axes, attrs={"units": "1"})
    return spectra, xr.Dataset({"label": (("y", "x"), label)})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.correct_baseline": lambda: Example((_raman_map(),)),
    "curves.locate_line": lambda: Example((_luminescence()[0],)),
    "curves.fit_model": lambda: Example(
        _luminescence(), {"model": "GaussianModel(prefix='g_') + ConstantModel()"}
    ),
}
