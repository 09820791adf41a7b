"""Whether a library is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adatom.defects.library.pictures import has_arrays
from adatom.errors import StoreError

if TYPE_CHECKING:
    from adatom.defects.library.opening import Library

# What is wrong, and how many are so.
_QUESTIONS: Final = {
    "images have another number of defects than they should": """
        SELECT COUNT(*) FROM adatom_images i WHERE n_defects !=
        (SELECT COUNT(*) FROM adatom_defects d WHERE d.image_id = i.id)""",
    "defects have no atoms in the ASE database": """
        SELECT COUNT(*) FROM adatom_defects d WHERE NOT EXISTS
        (SELECT 1 FROM systems s WHERE s.id = d.id)""",
    "defects have no shape to be compared by": """
        SELECT COUNT(*) FROM adatom_defects d WHERE NOT EXISTS
        (SELECT 1 FROM adatom_shapes s WHERE s.defect_id = d.id)""",
    "images are counted as current by one table and as old by another": """
        SELECT COUNT(*) FROM adatom_images i WHERE EXISTS (SELECT 1 FROM adatom_defects d
        WHERE d.image_id = i.id AND d.is_current != i.is_current)""",
}


def check_library(library: Library, /) -> list[str]:
    """List what is wrong with a library; nothing if it is whole.

    Rows are written in transactions and pictures before the rows that name
    them, so that a kill leaves no fault; a disk, a copy that was cut short or
    another program may.
    """
    session = library.session
    problems = []
    if session.is_sqlite:
        told = [row[0] for row in session.rows("PRAGMA quick_check(5)")]
        problems += [f"the database is damaged: {text}" for text in told if text != "ok"]
    for text, question in _QUESTIONS.items():
        number = session.rows(question)[0][0]
        if number:
            problems.append(f"{number} {text}")
    return problems + _missing_pictures(library)


def _missing_pictures(library: Library) -> list[str]:
    asked = "SELECT {0}, COUNT(*) FROM {1} WHERE {0} != '' GROUP BY {0}"
    problems = []
    for column, table in (("pixels", "adatom_images"), ("arrays", "adatom_calculations")):
        for digest, _ in library.session.rows(asked.format(column, table)):
            try:
                there = library.store is not None and has_arrays(library.store, digest)
            except StoreError as error:
                problems.append(str(error))
                continue
            if not there:
                problems.append(f"{column} {digest[:16]} are missing in {library.store}")
    return problems
