"""Libraries of defects: a database of what was found in many images.

==============================  ======================================================
``open_library``                open or make a library, a file or in PostgreSQL
``Library``                     an opened library
``add_defects``                 add what was found in an image, all or nothing
``DefectQuery``                 what is asked of a library
``read_defect``                 one row: defect, structure, patch of its image
``rows_to_compute``             defects that were not yet computed by a calculator
``store_calculation``           keep what a calculation gave beside its defect
``read_calculations``           what calculations gave
``read_calculated_structure``   the relaxed structure of a calculation
``read_calculation_array``      an array of a calculation, such as its density of states
``search_library``              rows by formula, name, class, geometry, source
``search_like``                 rows whose atoms lie best over those of a given defect
``count_defects``               numbers, densities and togetherness of classes
``check_library``               whether a library is whole
``export_defects``              csv, extxyz, cif, poscar, hdf5
``merge_libraries``             take all of another library over, and tell conflicts
``read_defects``                many rows
``read_aicrystallographer``     a file of AICrystallographer's library
==============================  ======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.library.adding import add_defects
    from adatom.defects.library.aicrystallographer import read_aicrystallographer
    from adatom.defects.library.calculations import (
        read_calculated_structure,
        read_calculation_array,
        read_calculations,
        rows_to_compute,
        store_calculation,
    )
    from adatom.defects.library.checking import check_library
    from adatom.defects.library.counting import LibraryCounts, count_defects
    from adatom.defects.library.exporting import export_defects
    from adatom.defects.library.merging import merge_libraries
    from adatom.defects.library.opening import Library, open_library
    from adatom.defects.library.queries import DefectQuery
    from adatom.defects.library.reading import read_defect, read_defects
    from adatom.defects.library.searching import search_library
    from adatom.defects.library.similarity import search_like

__all__ = [
    "DefectQuery",
    "Library",
    "LibraryCounts",
    "add_defects",
    "check_library",
    "count_defects",
    "export_defects",
    "merge_libraries",
    "open_library",
    "read_aicrystallographer",
    "read_calculated_structure",
    "read_calculation_array",
    "read_calculations",
    "read_defect",
    "read_defects",
    "rows_to_compute",
    "search_library",
    "search_like",
    "store_calculation",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DefectQuery": "queries",
        "Library": "opening",
        "LibraryCounts": "counting",
        "add_defects": "adding",
        "check_library": "checking",
        "count_defects": "counting",
        "export_defects": "exporting",
        "merge_libraries": "merging",
        "open_library": "opening",
        "read_aicrystallographer": "aicrystallographer",
        "read_calculated_structure": "calculations",
        "read_calculation_array": "calculations",
        "read_calculations": "calculations",
        "read_defect": "reading",
        "read_defects": "reading",
        "rows_to_compute": "calculations",
        "search_library": "searching",
        "search_like": "similarity",
        "store_calculation": "calculations",
    },
)
