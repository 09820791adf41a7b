"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==========================  ==========================================================
``assign_lattice_indices``  sites -> sites with lattice indices, sublattice and grain
``find_dislocations``       circuits that do not close, and their Burgers vectors
``find_rings``              rings of bonds, with the number of their members
==========================  ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.dislocations import find_dislocations
    from adatom.crystallography.indices import assign_lattice_indices
    from adatom.crystallography.rings import find_rings

__all__ = ["assign_lattice_indices", "find_dislocations", "find_rings"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "assign_lattice_indices": "indices",
        "find_dislocations": "dislocations",
        "find_rings": "rings",
    },
)
