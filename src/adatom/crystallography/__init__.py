"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

======================  ==================================================
`find_regions`          connected regions of one class, and their sizes
`find_boundaries`       lines between classes: length, width, direction
======================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.boundaries import Boundaries, find_boundaries
    from adatom.crystallography.regions import Regions, find_regions

__all__ = ["Boundaries", "Regions", "find_boundaries", "find_regions"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Boundaries": "boundaries",
        "Regions": "regions",
        "find_boundaries": "boundaries",
        "find_regions": "regions",
    },
)
