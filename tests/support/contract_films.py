"""Small calls of the steps of local crystallography: films."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import descriptors, simulation


def _columns() -> xr.Dataset:
    """Columns of two sorts that alternate, with their neighbors."""
    crystal = simulation.Crystal("perovskite_100", species=("Bi", "Fe", "O"), spacing="20 px")
    truth = simulation.simulate_lattice(crystal=crystal).truth
    metals = truth.isel(site=np.flatnonzero(truth["species"].values != "O"))
    return descriptors.neighbor_vectors(metals)


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.assign_sublattices": lambda: Example((_columns(),)),
    "simulation.build_film": lambda: Example((), {"field": (2.0, 2.0)}),
    "simulation.simulate_film": lambda: Example((), {"size": 64, "field": "2 nm"}),
}
