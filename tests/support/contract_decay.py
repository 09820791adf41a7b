"""Small calls of the steps for decays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import clustering, curves, simulation

_TIMER = simulation.PhotonTimer(period=12.5, n_channels=64, response_center=2.5, response_width=0.3)


@cache
def _simulation() -> simulation.FlimSimulation:
    return simulation.simulate_flim_map(size=9, photons=400.0, timer=_TIMER, seed=2)


def _decays() -> xr.DataArray:
    return _simulation().decays.astype(float)


def _response() -> xr.DataArray:
    return curves.estimate_response(_simulation().decays, period="12.5 ns").astype(float)


def _sums() -> xr.DataArray:
    sums = clustering.class_sums(_simulation().decays, _simulation().classes)
    return sums.astype(float)


def _shared() -> curves.DecayFit:
    return curves.fit_decays(_sums(), _response(), shared=True, n_lifetimes=2, period="12.5 ns")


def _phasors() -> xr.DataArray:
    return curves.phasors_from_decays(_decays(), _response(), period="12.5 ns")


def _held() -> xr.DataArray:
    return xr.DataArray([[0.8, 2.0]], dims=("class", "component"))


def _streak() -> xr.DataArray:
    rows = _sums().transpose("time", "class").rename({"class": "wavelength"}).drop_vars("count")
    return rows.assign_coords(wavelength=("wavelength", [500.0, 510.0, 520.0], {"units": "nm"}))


@cache
def _masses() -> xr.DataArray:
    rng = np.random.default_rng(4)
    masses = 700.0 + 0.002 * np.arange(400)
    counts = np.zeros((6, 5, 400))
    counts[..., 100:103] = rng.poisson(20, (6, 5, 3))
    counts[:3, :, 300] = 40.0
    axes = {dim: (dim, np.arange(float(n)), {"units": "nm"}) for dim, n in (("y", 6), ("x", 5))}
    axes["mass_to_charge"] = ("mass_to_charge", masses, {"units": "Da"})
    return xr.DataArray(counts, dims=("y", "x", "mass_to_charge"), coords=axes)


def _halves() -> xr.Dataset:
    return xr.Dataset({"label": (("y", "x"), np.repeat([[0], [1]], 3, 0).repeat(5, 1))})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_flim_map": lambda: Example((), {"size": 6, "timer": _TIMER}),
    "simulation.simulate_mass_map": lambda: Example((), {"size": 5}),
    "correction.find_mass_peaks": lambda: Example((_masses().copy(deep=True),)),
    "clustering.find_markers": lambda: Example((_masses().copy(deep=True), _halves())),
    "clustering.class_sums": lambda: Example((_decays(), _simulation().classes)),
    "correction.correct_decay_background": lambda: Example((_decays(),)),
    "correction.correct_dead_channels": lambda: Example((_decays(),)),
    "correction.correct_pile_up": lambda: Example((_decays(),), {"n_pulses": 8000}),
    "correction.correct_time_zero": lambda: Example((_decays(),)),
    "curves.estimate_response": lambda: Example((_decays(),), {"period": "12.5 ns"}),
    "curves.fit_decay_tails": lambda: Example((_decays(),)),
    "curves.fit_decays": lambda: Example((_decays(), _response(), _held()), {"period": "12.5 ns"}),
    "curves.decays_from_fit": lambda: Example((_sums(), _shared().parameters)),
    "curves.decays_from_streak": lambda: Example((_streak(),)),
    "curves.phasors_from_decays": lambda: Example((_decays(), _response()), {"period": "12.5 ns"}),
    "curves.lifetimes_from_phasors": lambda: Example((_phasors(),)),
    "curves.fractions_from_phasors": lambda: Example(
        (_phasors(),), {"lifetimes": ("0.8 ns", "2 ns")}
    ),
    "curves.image_from_parameters": lambda: Example(
        (curves.fit_decay_tails(_decays()).parameters,),
        {"parameter": "lifetime_1", "minimum": "photons_1 > 100"},
    ),
}
