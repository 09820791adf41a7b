"""Tracks -> diffusion, hops, transitions.

======================  ========================================================================
``estimate_msd``        mean squared displacements at true lags, with their band
``estimate_diffusion``  D of all, of each class and track, and whether motion is free
``Diffusion``           what ``estimate_diffusion`` gives
======================  ========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.dynamics.diffusion import Diffusion, estimate_diffusion
    from adatom.dynamics.msd import estimate_msd

__all__ = ["Diffusion", "estimate_diffusion", "estimate_msd"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Diffusion": "diffusion",
        "estimate_diffusion": "diffusion",
        "estimate_msd": "msd",
    },
)
