"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==============================  ======================================================
``assign_lattice_indices``      sites -> sites with lattice indices, sublattice, grain
``fit_lattice``                 the ideal lattice of every grain, and the displacement
                                of every site from it
``correct_lattice_distortion``  undo drift and shear where the true cell is known
``find_grains``                 grains with their lattice, and their boundaries
``find_dislocations``           circuits that do not close, and their Burgers vectors
``find_missing_sites``          places of the lattice that no site fills
``find_rings``                  rings of bonds, with the number of their members
==============================  ======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.dislocations import find_dislocations
    from adatom.crystallography.distortion import correct_lattice_distortion
    from adatom.crystallography.grains import Grains, find_grains
    from adatom.crystallography.indices import assign_lattice_indices
    from adatom.crystallography.lattice_fits import LatticeFit, fit_lattice
    from adatom.crystallography.missing import find_missing_sites
    from adatom.crystallography.rings import find_rings

__all__ = [
    "Grains",
    "LatticeFit",
    "assign_lattice_indices",
    "correct_lattice_distortion",
    "find_dislocations",
    "find_grains",
    "find_missing_sites",
    "find_rings",
    "fit_lattice",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Grains": "grains",
        "LatticeFit": "lattice_fits",
        "assign_lattice_indices": "indices",
        "correct_lattice_distortion": "distortion",
        "find_dislocations": "dislocations",
        "find_grains": "grains",
        "find_missing_sites": "missing",
        "find_rings": "rings",
        "fit_lattice": "lattice_fits",
    },
)
