"""Small calls of the steps that tell how tracks move, for the contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from brownian_tracks import free_walks, tracks_of
from contract_example import Example

from adatom.schema import Sites


def _tracks() -> Sites:
    sites = tracks_of(free_walks(15, 30, np.random.default_rng(2), error=0.3))
    return sites.assign(kind=("site", sites["track"].values % 2))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "dynamics.estimate_msd": lambda: Example((_tracks(),), {"by": "kind", "max_lag": 6}),
    "dynamics.estimate_diffusion": lambda: Example(
        (_tracks(),), {"by": "kind", "frame_time": "0.5 s"}
    ),
    "dynamics.count_hops": lambda: Example((_tracks(),), {"by": "kind"}),
    "dynamics.estimate_mobility": lambda: Example((_tracks(),), {"bin_size": "4 nm"}),
}
