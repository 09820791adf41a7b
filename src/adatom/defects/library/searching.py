"""Searching a library by what is known of its defects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.defects.library.queries import DefectQuery, condition_of_query
from adatom.errors import SettingError
from adatom.schema import add_note, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adatom.defects.library.opening import Library
    from adatom.schema import Table

# Column of the answer, how it is spelled, its type and unit.
_COLUMNS: Final[tuple[tuple[str, str, type, str | None], ...]] = (
    ("id", "d.id", int, None),
    ("name", "d.name", str, None),
    ("kind", "d.kind", str, None),
    ("formula", "d.formula", str, None),
    ("class_key", "d.class_key", str, None),
    ("chirality", "d.chirality", int, None),
    ("host", "i.host", str, None),
    ("confidence", "d.confidence", float, "1"),
    ("extent", "d.extent_nm", float, "nm"),
    ("orientation", "d.orientation", float, "deg"),
    ("y", "d.y_nm", float, "nm"),
    ("x", "d.x_nm", float, "nm"),
    ("source", "i.source", str, None),
    ("image", "i.image_hash", str, None),
    ("image_id", "d.image_id", int, None),
)
_SELECTED: Final = ", ".join(spelled for _, spelled, _, _ in _COLUMNS)
_FROM: Final = "FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id"


def search_library(
    library: Library, query: DefectQuery | None = None, /, *, limit: int | None = None
) -> Table:
    """List the defects that fulfil a query.

    Parameters
    ----------
    library : Library
    query : DefectQuery, optional
        All defects if left out.
    limit : int, optional
        Give the first so many only; a note tells how many there are.

    Returns
    -------
    Table
        A row for every defect, in the order of its ``id``: ``name``, ``kind``,
        ``formula``, ``class_key``, ``chirality``, ``host``, ``confidence``,
        ``extent``, ``orientation``, its place ``y``, ``x`` in the image, name of
        the ``source``, hash and number of the ``image``. ``attrs["n_found"]`` is
        the number of all that fulfil the query.

    Raises
    ------
    SettingError
        If the query cannot be understood.
    """
    if limit is not None and limit < 1:
        msg = f"{limit=} must be 1 or more"
        raise SettingError(msg)
    where, values = condition_of_query(library, query or DefectQuery())
    statement = f"SELECT {_SELECTED} {_FROM} WHERE {where} ORDER BY d.id"  # noqa: S608
    if limit is not None:
        statement += f" LIMIT {int(limit)}"
    rows = library.session.rows(statement, values)
    n_found = len(rows)
    if limit is not None and n_found == limit:
        n_found = count_found(library, where, values)
    table = table_of_rows(rows)
    table.attrs["n_found"] = n_found
    if n_found > len(rows):
        add_note(table, f"the first {len(rows)} of {n_found} defects that were found")
    return table


def count_found(library: Library, where: str, values: Sequence[Any], /) -> int:
    """Count what fulfils a condition."""
    return int(library.session.rows(f"SELECT COUNT(*) {_FROM} WHERE {where}", values)[0][0])  # noqa: S608


def rows_of_ids(library: Library, numbers: Sequence[int], /) -> list[tuple[Any, ...]]:
    """Give the rows of some numbers, in their order."""
    marks = ", ".join("?" * len(numbers)) or "NULL"
    statement = f"SELECT {_SELECTED} {_FROM} WHERE d.id IN ({marks})"  # noqa: S608
    found = {row[0]: row for row in library.session.rows(statement, numbers)}
    return [found[number] for number in numbers if number in found]


def table_of_rows(rows: Sequence[Sequence[Any]], /) -> Table:
    """Make a table of rows as they are selected here."""
    columns = list(zip(*rows)) if rows else [()] * len(_COLUMNS)
    types = {int: np.int64, float: np.float64, str: np.str_}
    return table_from_columns(
        {
            # As an array of numbers NULL becomes NaN: not measured.
            name: np.array(column, dtype=types[kind])
            for (name, _, kind, _), column in zip(_COLUMNS, columns, strict=True)
        },
        units={name: unit for name, _, _, unit in _COLUMNS if unit is not None},
    )
