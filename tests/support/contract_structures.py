"""Small calls of the steps that build and disturb structures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import ase
import numpy as np
import xarray as xr
from contract_example import Example

from adatom import simulation


@cache
def _cached_sheet() -> xr.Dataset:
    crystal = simulation.Crystal("tmd", spacing="1 d")
    return simulation.build_lattice(crystal=crystal, field=(3.0, 3.0), unit="nm")


def _sheet() -> xr.Dataset:
    return _cached_sheet().copy(deep=True)


def _structure() -> ase.Atoms:
    rng = np.random.default_rng(2)
    places = np.array([[0.0, 0.0, 0.0], [1.9, 1.9, 1.9], [1.9, 1.9, 0.0]])
    cell: ase.Atoms = ase.Atoms("SrTiO", places, cell=[3.9] * 3, pbc=True) * (2, 2, 2)
    cell.positions += rng.normal(0.0, 0.05, cell.positions.shape)
    return cell


EXAMPLES: dict[str, Callable[[], Example]] = {
    "simulation.sites_from_structure": lambda: Example((_structure(),), {"field": (2.0, 2.0)}),
    "simulation.simulate_sample": lambda: Example(
        (_structure(),),
        {
            "size": 64,
            "field": "1 nm",
            "sample": simulation.Sample(edges=simulation.Edges(vacuum=0.3)),
        },
    ),
    "simulation.columns_from_sites": lambda: Example(
        (simulation.build_bilayer(field=(60.0, 60.0)),)
    ),
    "simulation.build_bilayer": lambda: Example((), {"field": (60.0, 60.0)}),
    "simulation.build_grains": lambda: Example((), {"field": (60.0, 60.0)}),
    "simulation.apply_disorder": lambda: Example(
        (_sheet(),), {"disorder": simulation.Disorder(vacancies=0.1, adatoms=0.1)}
    ),
    "simulation.apply_strain": lambda: Example(
        (_sheet(),), {"strain": simulation.Strain(waviness=0.02, dislocations=1)}
    ),
    "simulation.apply_edges": lambda: Example((_sheet(),), {"edges": simulation.Edges(holes=1)}),
}
