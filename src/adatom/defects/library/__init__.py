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
==============================  ======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.defects.library.adding import add_defects
    from adatom.defects.library.calculations import (
        read_calculated_structure,
        read_calculation_array,
        read_calculations,
        rows_to_compute,
        store_calculation,
    )
    from adatom.defects.library.counting import LibraryCounts, count_defects
    from adatom.defects.library.opening import Library, open_library
    from adatom.defects.library.queries import DefectQuery
    from adatom.defects.library.reading import read_defect
    from adatom.defects.library.searching import search_library
    from adatom.defects.library.similarity import search_like

__all__ = [
    "DefectQuery",
    "Library",
    "LibraryCounts",
    "add_defects",
    "count_defects",
    "open_library",
    "read_calculated_structure",
    "read_calculation_array",
    "read_calculations",
    "read_defect",
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
        "count_defects": "counting",
        "open_library": "opening",
        "read_calculated_structure": "calculations",
        "read_calculation_array": "calculations",
        "read_calculations": "calculations",
        "read_defect": "reading",
        "rows_to_compute": "calculations",
        "search_library": "searching",
        "search_like": "similarity",
        "store_calculation": "calculations",
    },
)
