"""Small calls of the steps of local crystallography: cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.schema import sites_from_positions, table_from_columns


def _columns() -> xr.Dataset:
    rows = {"along_a": [0.0, 0.5], "along_b": [0.0, 0.5], "y": [0.0, 7.0], "x": [0.0, 7.0]}
    table = table_from_columns({**rows, "class": [0, 1]}, units={"y": "px", "x": "px"})
    return table.assign_attrs(a=[0.0, 14.0], b=[14.0, 0.0])


def _structure_sites() -> xr.Dataset:
    sites = sites_from_positions([0.0, 0.195], [0.0, 0.195], unit="nm")
    sites["species"] = ("site", ["Sr", "Ti"])
    return sites.assign_attrs(cell_vectors=[[0.0, 0.39], [0.39, 0.0]])


def _sites() -> xr.Dataset:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:6, :6] + rng.normal(0, 0.1, (2, 6, 6))
    sites = sites_from_positions(y.ravel(), x.ravel(), unit="px", spacing=1.0)
    for name in ("y_error", "x_error"):
        sites[name] = ("site", np.full(36, 0.1), {"units": "px"})
    return sites


def _classes() -> xr.Dataset:
    return xr.Dataset({"label": ("site", np.arange(36) % 3 - 1)})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "descriptors.neighbor_distances": lambda: Example((_sites(),), {"n_neighbors": 4}),
    "descriptors.neighborhood_composition": lambda: Example(
        (_sites(), _classes()), {"n_neighbors": 4}
    ),
    "crystallography.compare_columns": lambda: Example((_columns(), _structure_sites())),
    "simulation.build_oxide": lambda: Example((), {"field": (4.0, 4.0)}),
    "simulation.simulate_oxide": lambda: Example((), {"size": 64, "field": "4 nm"}),
}
