"""Image -> sites.

==========================  =================================================
``find_atoms``              positions of atoms, with nothing told but the image
``find_lattice_regions``    where there is a lattice to analyse
``refine_sites``            all positions refined by one fit, with covariance
``compare_sites``           precision, recall, errors against known positions
``SiteComparison``          what ``compare_sites`` gives
==========================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.localization.comparing import SiteComparison, compare_sites
    from adatom.localization.finding import find_atoms
    from adatom.localization.refinement import refine_sites
    from adatom.localization.regions import find_lattice_regions

__all__ = [
    "SiteComparison",
    "compare_sites",
    "find_atoms",
    "find_lattice_regions",
    "refine_sites",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "SiteComparison": "comparing",
        "compare_sites": "comparing",
        "find_atoms": "finding",
        "find_lattice_regions": "regions",
        "refine_sites": "refinement",
    },
)
