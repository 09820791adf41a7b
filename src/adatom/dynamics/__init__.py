"""Tracks -> diffusion, hops, transitions.

======================  ========================================================================
``estimate_msd``        mean squared displacements at true lags, with their band
``estimate_diffusion``  D of all, of each class and track, and whether motion is free
``count_hops``          hops on a lattice, or between rests: rates, lengths, waits, D
``estimate_mobility``   a map of local D
``Diffusion``           what ``estimate_diffusion`` gives
``Hops``                what ``count_hops`` gives
``Mobility``            what ``estimate_mobility`` gives
======================  ========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.dynamics.diffusion import Diffusion, estimate_diffusion
    from adatom.dynamics.hops import Hops, count_hops
    from adatom.dynamics.mobility import Mobility, estimate_mobility
    from adatom.dynamics.msd import estimate_msd

__all__ = [
    "Diffusion",
    "Hops",
    "Mobility",
    "count_hops",
    "estimate_diffusion",
    "estimate_mobility",
    "estimate_msd",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Diffusion": "diffusion",
        "Hops": "hops",
        "Mobility": "mobility",
        "count_hops": "hops",
        "estimate_diffusion": "diffusion",
        "estimate_mobility": "mobility",
        "estimate_msd": "msd",
    },
)
