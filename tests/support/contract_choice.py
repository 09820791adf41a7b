"""Small calls of the steps for simulated spectra and the choice of a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.schema import table_from_columns


def _counts() -> xr.DataArray:
    rng = np.random.default_rng(4)
    shapes = np.array([[9.0, 4.0, 1.0, 1.0], [1.0, 2.0, 8.0, 6.0]])
    place = {name: (name, np.arange(12.0), {"units": "nm"}) for name in ("y", "x")}
    labels = np.repeat([0, 1], [7, 5])
    return xr.DataArray(
        rng.poisson(8 * shapes[labels] * np.ones((12, 1, 1))).astype(float),
        dims=("y", "x", "energy"),
        coords={**place, "energy": ("energy", np.arange(4.0), {"units": "eV"})},
        attrs={"units": "1"},
    )


def _uniform() -> xr.DataArray:
    counts = _counts()
    columns = np.arange(12)
    inside = np.broadcast_to((columns < 6) | (columns > 7), (12, 12))
    place = {name: counts.coords[name] for name in ("y", "x")}
    return xr.DataArray(inside, dims=("y", "x"), coords=place)


_CHOICE = table_from_columns({"n_classes": [1, 2]}).assign_attrs(n_classes=2, reason="told")

EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.simulate_eels_map": lambda: Example((), {"size": 12, "n_channels": 64}),
    "clustering.compare_n_classes": lambda: Example(
        (_counts(), _counts(), _uniform()), {"max_classes": 3, "n_references": 2}
    ),
    "clustering.find_uniform_pixels": lambda: Example((_counts(),)),
    "clustering.fit_poisson_mixture": lambda: Example((_counts(), _uniform()), {"n_classes": 2}),
    "clustering.cluster_poisson_mixture": lambda: Example((_counts(), _CHOICE, _uniform())),
}
