"""Small calls of the steps of local crystallography: strain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.descriptors import neighbor_vectors
from adatom.schema import sites_from_positions


def _neighbors() -> xr.Dataset:
    y, x = (axis.ravel().astype(float) for axis in np.mgrid[:9, :10])
    noise = 0.02 * np.random.default_rng(4).normal(size=(2, len(y)))
    return neighbor_vectors(sites_from_positions(y + noise[0], x + noise[1], unit="nm"))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "crystallography.estimate_strain": lambda: Example((_neighbors(),), {"n_shells": 1}),
}
