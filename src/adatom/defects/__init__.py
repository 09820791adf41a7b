"""Defects against the ideal crystal: found, named, kept in a library, computed.

===================  =============================================================
``assign_species``   which element each atom of a sheet is, by its brightness
``find_defects``     vacancies, impurities, odd rings: found, named, with their atoms
``compare_defects``  how far the atoms of defects are from one another
``Defects``          defects, the atoms of each, and the bonds between these
``ClassCard``        a class of defects as an atlas shows it, with ``Estimate``, ``Drawing``,
                     ``Computed``
===================  =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.class_cards import ClassCard, Computed, Drawing, Estimate
    from adatom.defects.finding import find_defects
    from adatom.defects.records import Defects
    from adatom.defects.similarity import compare_defects
    from adatom.defects.species import assign_species

__all__ = [
    "ClassCard",
    "Computed",
    "Defects",
    "Drawing",
    "Estimate",
    "assign_species",
    "compare_defects",
    "find_defects",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassCard": "class_cards",
        "Computed": "class_cards",
        "Defects": "records",
        "assign_species": "species",
        "compare_defects": "similarity",
        "find_defects": "finding",
        "Drawing": "class_cards",
        "Estimate": "class_cards",
    },
)
