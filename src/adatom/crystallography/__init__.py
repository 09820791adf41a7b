"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

======================  ==================================================
``assign_sublattices``  the brighter from the dimmer of two sublattices
======================  ==================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.sublattices import assign_sublattices

__all__ = ["assign_sublattices"]

__getattr__, __dir__ = lazy_names(__name__, {"assign_sublattices": "sublattices"})
