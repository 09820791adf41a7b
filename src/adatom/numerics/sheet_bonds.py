"""Bonds of flat sheets, by name: what finders of atoms and of defects both know of a host."""

from __future__ import annotations

from typing import Final

SHEET_BONDS: Final = {
    # A. H. Castro Neto et al., Rev. Mod. Phys. 81, 109 (2009): a = 1.42 angstrom.
    "graphene": 0.142,
}
"""Distance between neighbors in nm."""
