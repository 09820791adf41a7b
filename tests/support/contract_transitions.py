"""Small calls of the steps for transitions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import xarray as xr
from contract_example import Example
from simulated_chains import FOUR, confusion, simulated_tracks

from adatom import dynamics


def _tracks() -> xr.Dataset:
    return simulated_tracks(FOUR, n_tracks=6, n_frames=20, lost=0.2)


@cache
def _cached_counts() -> xr.Dataset:
    return dynamics.count_transitions(_tracks())


def _counts() -> xr.Dataset:
    return _cached_counts().copy(deep=True)


def _estimate() -> xr.Dataset:
    return dynamics.estimate_transitions(_counts(), n_samples=40, frame_time="0.5 s")


def _classes() -> xr.Dataset:
    return _tracks()[["label"]].reset_coords(drop=True)


def _matrix(dim: str) -> xr.DataArray:
    return xr.DataArray(confusion(4, 0.1), dims=("state", dim), attrs={"units": "1"})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "dynamics.count_transitions": lambda: Example((_tracks(), _classes())),
    "dynamics.estimate_transitions": lambda: Example((_counts(),), {"n_samples": 40}),
    "dynamics.transitions_from_matrix": lambda: Example((_matrix("state_to"),)),
    "dynamics.estimate_kinetics": lambda: Example((_estimate(), _counts()), {"n_simulated": 19}),
    "dynamics.fit_hidden_states": lambda: Example(
        (_tracks(), _classes(), _matrix("label")), {"n_samples": 24}
    ),
    "dynamics.compare_rates_with_dose": lambda: Example(
        ([_estimate(), _estimate()],), {"dose_rates": [1.0, 2.0]}
    ),
}
