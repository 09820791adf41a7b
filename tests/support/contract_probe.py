"""Small calls of the steps for probe spectroscopy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import correction, curves, simulation

_SPACE = {"units": "nm"}


def _currents() -> xr.DataArray:
    """I-V curves of a junction with a gap, on a map of 9 x 9 pixels."""
    bias = np.linspace(-1.0, 1.0, 48)
    onset = 0.2 + 0.1 * np.arange(81.0).reshape(9, 9, 1) / 81
    current = np.sign(bias) * np.clip(np.abs(bias) - onset, 0, None) ** 2
    noise = np.random.default_rng(7).normal(0, 1e-3, current.shape)
    axes = {name: (name, np.arange(9.0), _SPACE) for name in ("y", "x")}
    return xr.DataArray(
        current + noise,
        dims=("y", "x", "bias"),
        coords={**axes, "bias": ("bias", bias, {"units": "V"})},
        attrs={"units": "nA"},
    )


def _conductances() -> xr.DataArray:
    return correction.conductance_from_current(_currents(), window="0.3 V").spectra


def _loops() -> xr.DataArray:
    """Hysteresis loops of 9 x 9 pixels."""
    up = np.linspace(-8.0, 8.0, 17)
    voltage = np.concatenate([up[8:], up[-2::-1], up[1:8]])
    is_up = np.concatenate([np.ones(9), np.zeros(16), np.ones(7)])
    loop = np.tanh(voltage - np.where(is_up, 4.0, -3.0))
    noise = np.random.default_rng(8).normal(0, 0.05, (9, 9, len(voltage)))
    axes = {name: (name, np.arange(9.0), _SPACE) for name in ("y", "x")}
    return xr.DataArray(
        loop + noise,
        dims=("y", "x", "bias"),
        coords={**axes, "bias": ("bias", voltage, {"units": "V"})},
        attrs={"units": "1"},
    )


@cache
def _cached_forces() -> xr.Dataset:
    simulated = simulation.simulate_force_curves(shape=(2, 3), n_samples=200, seed=3)
    levelled = correction.correct_force_baseline(correction.correct_deflection(simulated.curves))
    return correction.correct_separation(levelled.curves, curves.find_contact(levelled.curves))


def _forces() -> xr.Dataset:
    return _cached_forces().copy(deep=True)


def _volts() -> xr.Dataset:
    return simulation.simulate_force_curves(shape=(2, 3), n_samples=200, seed=3).curves


EXAMPLES: dict[str, Callable[[], Example]] = {
    "correction.correct_outlier_spectra": lambda: Example((_currents(),), {"factor": 1.2}),
    "correction.correct_saturation": lambda: Example((_currents(),), {"limit": "0.5 nA"}),
    "correction.mean_from_sweeps": lambda: Example((_currents(), _currents())),
    "correction.correct_zero_bias": lambda: Example((_currents(),)),
    "correction.conductance_from_current": lambda: Example((_currents(),), {"window": "0.3 V"}),
    "correction.correct_lock_in": lambda: Example((2 * _conductances() + 1, _conductances())),
    "correction.density_from_conductance": lambda: Example((_conductances(), _currents())),
    "curves.estimate_loops": lambda: Example((_loops(),)),
    "curves.estimate_gap": lambda: Example((_conductances(),)),
    "simulation.simulate_force_curves": lambda: Example((), {"shape": (2, 2), "n_samples": 64}),
    "correction.correct_deflection": lambda: Example((_volts(),)),
    "correction.correct_force_baseline": lambda: Example((_forces(),)),
    "correction.correct_separation": lambda: Example((_forces(), curves.find_contact(_forces()))),
    "curves.find_contact": lambda: Example((_forces(),)),
    "curves.estimate_sensitivity": lambda: Example((_volts(),)),
    "curves.estimate_adhesion": lambda: Example((_forces(),)),
    "curves.estimate_stiffness": lambda: Example((_forces(),)),
    "curves.fit_indentation": lambda: Example((_forces(),), {"tip": curves.Tip(radius="50 nm")}),
    "curves.features_from_curves": lambda: Example((_forces(),), {"n_samples": 32}),
    "curves.map_from_sites": lambda: Example((curves.find_contact(_forces()),)),
}
