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
    from adatom.defects.library.opening import Library, open_library
    from adatom.defects.library.queries import DefectQuery
    from adatom.defects.library.reading import read_defect

__all__ = [
    "DefectQuery",
    "Library",
    "add_defects",
    "open_library",
    "read_calculated_structure",
    "read_calculation_array",
    "read_calculations",
    "read_defect",
    "rows_to_compute",
    "store_calculation",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DefectQuery": "queries",
        "Library": "opening",
        "add_defects": "adding",
        "open_library": "opening",
        "read_calculated_structure": "calculations",
        "read_calculation_array": "calculations",
        "read_calculations": "calculations",
        "read_defect": "reading",
        "rows_to_compute": "calculations",
        "store_calculation": "calculations",
    },
)
