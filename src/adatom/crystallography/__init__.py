"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

===================  =======================================================
``estimate_strain``  strain and rotation of the lattice around every site
===================  =======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.strain import estimate_strain

__all__ = [
    "estimate_strain",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "estimate_strain": "strain",
    },
)
