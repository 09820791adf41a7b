"""Small calls of the steps that link sites to tracks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from contract_example import Example

from adatom.schema import Sites, sites_from_positions
from adatom.tracking import link_sites


def _sites() -> Sites:
    """Walk eight particles through six frames, one of them missed once."""
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 20, (8, 2))
    place = start + np.cumsum(rng.normal(0, 0.3, (6, 8, 2)), axis=0)
    sites = sites_from_positions(
        *place.reshape(-1, 2).T, unit="nm", frame=np.repeat(np.arange(6), 8), spacing=5.0
    )
    return sites.isel(site=np.delete(np.arange(48), 20))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "tracking.link_sites": lambda: Example((_sites(),)),
    "tracking.remove_drift": lambda: Example((_sites(),)),
    "tracking.assess_links": lambda: Example((link_sites(_sites()),), {"n_simulations": 1}),
}
