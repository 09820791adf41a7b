"""Small calls of the steps of local crystallography: lattice."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from contract_example import Example

from adatom.crystallography import assign_lattice_indices
from adatom.descriptors import neighbor_vectors
from adatom.schema import Sites, sites_from_positions


@cache
def _indexed() -> Sites:
    y, x = (np.delete(part.ravel(), 27) for part in np.mgrid[:8.0, :8.0])
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    return assign_lattice_indices(neighbor_vectors(sites))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.assign_lattice_indices": lambda: Example((_indexed(),)),
    "crystallography.correct_lattice_distortion": lambda: Example(
        (_indexed(),), {"length": "1.1 nm"}
    ),
    "crystallography.find_dislocations": lambda: Example((_indexed(),)),
    "crystallography.find_grains": lambda: Example((_indexed(),)),
    "crystallography.find_missing_sites": lambda: Example((_indexed(),)),
    "crystallography.find_rings": lambda: Example((_indexed(),)),
    "crystallography.fit_lattice": lambda: Example((_indexed(),)),
}
