"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==========================  ==========================================================
``assign_lattice_indices``  sites -> sites with lattice indices, sublattice and grain
``assign_sublattices``      the brighter from the dimmer of two sublattices
==========================  ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.indices import assign_lattice_indices
    from adatom.crystallography.sublattices import assign_sublattices

__all__ = ["assign_lattice_indices", "assign_sublattices"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "assign_lattice_indices": "indices",
        "assign_sublattices": "sublattices",
    },
)
