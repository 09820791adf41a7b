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


def _meeting() -> Sites:
    """Let twelve pairs of particles become one each, half-way through twelve frames."""
    rng = np.random.default_rng(1)
    middle = np.stack(np.divmod(np.arange(12), 4), axis=1) * 20.0
    apart = np.array([[0.0, 0.3], [0.0, -0.3]])
    parts = []
    for frame in range(12):
        place = middle if frame >= 6 else (middle[:, None] + apart * (7 - frame)).reshape(-1, 2)
        weight = np.full(len(place), 2.0 if frame >= 6 else 1.0)
        parts.append((np.full(len(place), frame), place + rng.normal(0, 0.1, place.shape), weight))
    frames, places, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    sites = sites_from_positions(*places.T, unit="nm", frame=frames, spacing=5.0)
    sites["intensity"] = ("site", weights * rng.lognormal(0, 0.05, len(weights)))
    return link_sites(sites)


EXAMPLES: dict[str, Callable[[], Example]] = {
    "tracking.link_sites": lambda: Example((_sites(),)),
    "tracking.remove_drift": lambda: Example((_sites(),)),
    "tracking.find_merges_and_splits": lambda: Example((_meeting(),), {"intensity": "intensity"}),
    "tracking.assess_links": lambda: Example((link_sites(_sites()),), {"n_simulations": 1}),
}
