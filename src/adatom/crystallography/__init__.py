"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

======================  ==================================================
`compare_columns`       the columns of a cell laid over those of a structure
`find_regions`          connected regions of one class, and their sizes
`find_boundaries`       lines between classes: length, width, direction
`estimate_profile`      any quantity across boundaries, with the wall's width
`estimate_fractions`    phase fractions whose intervals know of domains
======================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.boundaries import Boundaries, find_boundaries
    from adatom.crystallography.column_comparison import ColumnComparison, compare_columns
    from adatom.crystallography.fractions import estimate_fractions
    from adatom.crystallography.profiles import BoundaryProfile, estimate_profile
    from adatom.crystallography.regions import Regions, find_regions

__all__ = [
    "Boundaries",
    "BoundaryProfile",
    "ColumnComparison",
    "Regions",
    "compare_columns",
    "estimate_fractions",
    "estimate_profile",
    "find_boundaries",
    "find_regions",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Boundaries": "boundaries",
        "BoundaryProfile": "profiles",
        "ColumnComparison": "column_comparison",
        "Regions": "regions",
        "compare_columns": "column_comparison",
        "estimate_fractions": "fractions",
        "estimate_profile": "profiles",
        "find_boundaries": "boundaries",
        "find_regions": "regions",
    },
)
