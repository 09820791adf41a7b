"""Small calls of the steps for corrections of spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import correction
from adatom.schema import image_from_array


def _map(mean: np.ndarray[tuple[int, ...], np.dtype[np.float64]], energy: object) -> xr.DataArray:
    place = {name: (name, np.arange(9.0), {"units": "nm"}) for name in ("y", "x")}
    counts = np.random.default_rng(8).poisson(mean * np.linspace(1, 2, 81).reshape(9, 9, 1))
    axis = {"energy": ("energy", np.asarray(energy), {"units": "eV"})}
    dims = ("y", "x", "energy")
    return xr.DataArray(
        counts.astype(float), dims=dims, coords={**place, **axis}, attrs={"units": "1"}
    )


def _low_loss() -> xr.DataArray:
    energy = np.arange(-8.0, 32.0, 0.5)
    shift = np.linspace(-1, 1, 81).reshape(9, 9, 1)
    zero = 2000 * np.exp(-(((energy - shift) / 0.8) ** 2))
    return _map(zero + 60 * np.exp(-(((energy - 16 - shift) / 4) ** 2)), energy)


def _core_loss() -> xr.DataArray:
    energy = np.arange(420.0, 640.0, 2.0)
    return _map(300 * (energy / 500) ** -3 + 80 * (energy >= 532), energy)


def _x_rays() -> xr.DataArray:
    energy = np.arange(5500.0, 7500.0, 20.0)
    return _map(5 + 50 * np.exp(-(((energy - 6404) / 84) ** 2)), energy)


def _offsets() -> xr.DataArray:
    offsets = _low_loss()[..., :1] * 0 + np.linspace(-1, 1, 81).reshape(9, 9, 1)
    return offsets.drop_vars("energy").rename(energy="measure").assign_attrs(units="eV")


def _thickness() -> xr.DataArray:
    return (_offsets() + 2).assign_attrs(units="1")


def _stuck() -> xr.DataArray:
    spectra = _core_loss()
    spectra[..., 7] = 3.0
    return spectra


def _dead() -> xr.DataArray:
    spectra = _core_loss()
    spectra[6, 7] = 0.0
    spectra[0, 0] = 9.0
    return spectra


def _image() -> xr.DataArray:
    values = np.random.default_rng(9).normal(size=(9, 9)).cumsum(axis=1)
    return image_from_array(values, pixel_size="1 nm")


def _scaled() -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    spectra, weights, channels = correction.scaled_from_counts(_core_loss())
    return spectra, weights, channels


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.choose_channels": lambda: Example((_core_loss(),), {"span": ("500 eV", "600 eV")}),
    "correction.correct_axis": lambda: Example((_core_loss(),), {"offset": "-2 eV", "scale": 1.01}),
    "correction.correct_axis_by_feature": lambda: Example((_x_rays(),), {"feature": "Fe Ka"}),
    "correction.correct_sampling": lambda: Example((_core_loss(),), {"step": "3 eV"}),
    "correction.bins_from_channels": lambda: Example((_core_loss(),), {"n_channels": 4}),
    "correction.bins_from_pixels": lambda: Example((_core_loss(),), {"join": "sum"}),
    "correction.correct_stuck_channels": lambda: Example((_stuck(),)),
    "correction.correct_dead_pixels": lambda: Example((_dead(),), {"fill": "interpolate"}),
    "correction.scaled_from_counts": lambda: Example((_core_loss(),)),
    "correction.counts_from_scaled": lambda: Example(_scaled()),
    "correction.roots_from_counts": lambda: Example((_core_loss(),), {"readout": 1.0}),
    "correction.counts_from_roots": lambda: Example((_core_loss(),), {"gain": 2.0}),
    "correction.estimate_zero_loss": lambda: Example((_low_loss(),)),
    "correction.correct_shifts": lambda: Example((_core_loss(), _offsets())),
    "correction.correct_zero_loss": lambda: Example((_low_loss(), _core_loss())),
    "correction.estimate_thickness": lambda: Example((_low_loss(),)),
    "correction.correct_thickness": lambda: Example((_core_loss(), _thickness())),
    "correction.correct_plural_scattering": lambda: Example((_low_loss(),)),
    "correction.find_edges": lambda: Example((_core_loss(),)),
    "correction.maps_from_edges": lambda: Example((_core_loss(),), {"edges": ["O K"]}),
    "correction.find_lines": lambda: Example((_x_rays(),)),
    "correction.maps_from_lines": lambda: Example((_x_rays(),), {"lines": ["Fe Ka"]}),
    "descriptors.compare_maps": lambda: Example((_core_loss()[..., :3], _image())),
}
