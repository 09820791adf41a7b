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
``find_variants``               phases, and ferroic variants of them, by symmetry
``assign_variants``             the same variants in another image
``find_doubling``               doubled cells and antiphase boundaries
==============================  ======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.dislocations import find_dislocations
    from adatom.crystallography.distortion import correct_lattice_distortion
    from adatom.crystallography.doubling import Doubling, find_doubling
    from adatom.crystallography.grains import Grains, find_grains
    from adatom.crystallography.indices import assign_lattice_indices
    from adatom.crystallography.lattice_fits import LatticeFit, fit_lattice
    from adatom.crystallography.missing import find_missing_sites
    from adatom.crystallography.rings import find_rings
    from adatom.crystallography.variant_models import VariantModel
    from adatom.crystallography.variants import Variants, assign_variants, find_variants

__all__ = [
    "Doubling",
    "Grains",
    "LatticeFit",
    "VariantModel",
    "Variants",
    "assign_lattice_indices",
    "assign_variants",
    "correct_lattice_distortion",
    "find_dislocations",
    "find_doubling",
    "find_grains",
    "find_missing_sites",
    "find_rings",
    "find_variants",
    "fit_lattice",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Doubling": "doubling",
        "Grains": "grains",
        "LatticeFit": "lattice_fits",
        "VariantModel": "variant_models",
        "Variants": "variants",
        "assign_lattice_indices": "indices",
        "assign_variants": "variants",
        "correct_lattice_distortion": "distortion",
        "find_dislocations": "dislocations",
        "find_doubling": "doubling",
        "find_grains": "grains",
        "find_missing_sites": "missing",
        "find_rings": "rings",
        "find_variants": "variants",
        "fit_lattice": "lattice_fits",
    },
)
