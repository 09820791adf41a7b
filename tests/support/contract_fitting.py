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


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.correct_baseline": lambda: Example((_raman_map(),)),
}
