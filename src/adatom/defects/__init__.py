"""Defects against the ideal crystal: found, named, kept in a library, computed.

=========================  ========================================================================
``Defects``                defects, the atoms of each, and the bonds between these
``ClassCard``              a class of defects as an atlas shows it, with ``Estimate``, ``Drawing``,
                           ``Computed``
``assign_species``         which element each atom of a sheet is, by its brightness
``find_defects``           vacancies, impurities, odd rings: found, named, with their atoms
``assign_column_species``  what stands at every place of a layer such as MoS2
``find_lattice_defects``   places of a layer that do not hold what the crystal has there
``classes_from_columns``   what stands at every place, as classes
``count_columns``          how many columns of each sort a layer holds
``compare_defects``        how far the atoms of defects are from one another
=========================  ========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.class_cards import ClassCard, Computed, Drawing, Estimate
    from adatom.defects.column_classes import classes_from_columns
    from adatom.defects.column_counts import count_columns
    from adatom.defects.column_species import assign_column_species
    from adatom.defects.finding import find_defects
    from adatom.defects.lattice_defects import find_lattice_defects
    from adatom.defects.records import Defects
    from adatom.defects.similarity import compare_defects
    from adatom.defects.species import assign_species

__all__ = [
    "ClassCard",
    "Computed",
    "Defects",
    "Drawing",
    "Estimate",
    "assign_column_species",
    "assign_species",
    "classes_from_columns",
    "compare_defects",
    "count_columns",
    "find_defects",
    "find_lattice_defects",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClassCard": "class_cards",
        "Computed": "class_cards",
        "Defects": "records",
        "Drawing": "class_cards",
        "Estimate": "class_cards",
        "assign_column_species": "column_species",
        "assign_species": "species",
        "classes_from_columns": "column_classes",
        "compare_defects": "similarity",
        "count_columns": "column_counts",
        "find_defects": "finding",
        "find_lattice_defects": "lattice_defects",
    },
)
