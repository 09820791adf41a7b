"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

===============================  ===========================================================
``estimate_bonds``               lengths of bonds and angles between them
``estimate_lattice_parameters``  lengths and angle of the unit cell around every site
``estimate_polarization``        displacement of columns against the cage of their neighbors
``estimate_site_order``          bond-orientational order and coordination of every site
``estimate_strain``              strain and rotation of the lattice around every site
===============================  ===========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.bonds import estimate_bonds
    from adatom.crystallography.lattice_parameters import estimate_lattice_parameters
    from adatom.crystallography.polarization import estimate_polarization
    from adatom.crystallography.site_order import estimate_site_order
    from adatom.crystallography.strain import estimate_strain

__all__ = [
    "estimate_bonds",
    "estimate_lattice_parameters",
    "estimate_polarization",
    "estimate_site_order",
    "estimate_strain",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "estimate_bonds": "bonds",
        "estimate_lattice_parameters": "lattice_parameters",
        "estimate_polarization": "polarization",
        "estimate_site_order": "site_order",
        "estimate_strain": "strain",
    },
)
