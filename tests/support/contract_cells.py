"""Small calls of the steps of local crystallography: cells."""

from __future__ import annotations

from collections.abc import Callable

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


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.compare_columns": lambda: Example((_columns(), _structure_sites())),
    "simulation.build_oxide": lambda: Example((), {"field": (4.0, 4.0)}),
    "simulation.simulate_oxide": lambda: Example((), {"size": 64, "field": "4 nm"}),
}
