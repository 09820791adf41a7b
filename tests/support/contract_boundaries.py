"""Small calls of the steps of local crystallography: boundaries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.crystallography import find_boundaries
from adatom.schema import Sites, sites_from_positions


def _sites() -> Sites:
    y, x = np.indices((24, 24)).reshape(2, -1)
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, len(x))
    sites["shift"] = ("site", np.tanh(x - 11.3) + noise, {"units": "nm"})
    return sites


def _classes() -> xr.Dataset:
    x = _sites()["x"].values
    return xr.Dataset({"label": ("site", (x > 11.3).astype(int))})


def _vertices() -> Sites:
    return find_boundaries(_classes(), _sites()).vertices


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.find_regions": lambda: Example((_classes(), _sites())),
    "crystallography.find_boundaries": lambda: Example((_classes(), _sites())),
    "crystallography.estimate_fractions": lambda: Example((_classes(), _sites())),
    "crystallography.estimate_profile": lambda: Example(
        (_sites(), _vertices()), {"quantity": "shift"}
    ),
}
