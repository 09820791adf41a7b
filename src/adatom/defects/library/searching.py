"""Searching a library by what is known of its defects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.defects.library.queries import DefectQuery, condition_of_query
from adatom.errors import SettingError
from adatom.schema import add_note, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from adatom.defects.library.opening import Library
    from adatom.schema import Table

# Column of the answer, how it is spelled, its type and unit.
_COLUMNS: Final[tuple[tuple[str, str, type[np.generic], str | None], ...]] = (
    ("id", "d.id", np.int64, None),
    ("name", "d.name", np.str_, None),
    ("kind", "d.kind", np.str_, None),
    ("formula", "d.formula", np.str_, None),
    ("class_key", "d.class_key", np.str_, None),
    ("chirality", "d.chirality", np.int64, None),
    ("confidence", "d.confidence", np.float64, "1"),
    ("extent", "d.extent_nm", np.float64, "nm"),
    ("orientation", "d.orientation", np.float64, "deg"),
    ("y", "d.y_nm", np.float64, "nm"),
    ("x", "d.x_nm", np.float64, "nm"),
    ("image_id", "d.image_id", np.int64, None),
)
# Of the image, which is read once for all of its defects.
_IMAGE_COLUMNS: Final = (("host", "host"), ("source", "source"), ("image", "image_hash"))
_SELECTED: Final = ", ".join(spelled for _, spelled, _, _ in _COLUMNS)
# SQLite takes at most some 32,000 values in one statement.
_AT_ONCE: Final = 10_000


def tables_of_condition(where: str, /) -> str:
    """Name the tables that a condition speaks of: images are joined only where it needs them."""
    joined = " JOIN adatom_images i ON i.id = d.image_id" if "i." in where else ""
    return f"adatom_defects d{joined}"


def search_library(
    library: Library,
    query: DefectQuery | None = None,
    /,
    *,
    limit: int | None = None,
    offset: int = 0,
) -> Table:
    """List the defects that fulfil a query.

    Parameters
    ----------
    library : Library
    query : DefectQuery, optional
        All defects if left out.
    limit : int, optional
        Give the first so many only; a note tells how many there are.
    offset : int
        Leave out so many before them, to go through a long list page by page.

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
    if offset < 0 or (offset and limit is None):
        msg = f"{offset=} must be 0 or more, and needs limit="
        raise SettingError(msg)
    where, values = condition_of_query(library, query or DefectQuery())
    tables = tables_of_condition(where)
    statement = f"SELECT {_SELECTED} FROM {tables} WHERE {where} ORDER BY d.id"  # noqa: S608
    if limit is not None:
        statement += f" LIMIT {int(limit)} OFFSET {int(offset)}"
    rows = library.session.rows(statement, values)
    n_found = offset + len(rows)
    if limit is not None and (len(rows) == limit or (offset and not rows)):
        n_found = count_found(library, where, values)
    table = _table(library, rows)
    table.attrs["n_found"] = n_found
    if n_found > len(rows):
        first = (
            f"defects {offset + 1} to {offset + len(rows)}" if offset else f"the first {len(rows)}"
        )
        add_note(table, f"{first} of {n_found} defects that were found")
    return table


def count_found(library: Library, where: str, values: Sequence[Any], /) -> int:
    """Count what fulfils a condition."""
    question = f"SELECT COUNT(*) FROM {tables_of_condition(where)} WHERE {where}"  # noqa: S608
    return int(library.session.rows(question, values)[0][0])


def table_of_ids(library: Library, numbers: Sequence[int], /) -> Table:
    """List some defects in the order of their numbers given."""
    found: dict[int, tuple[Any, ...]] = {}
    for some in _parts(numbers):
        marks = ", ".join("?" * len(some))
        question = f"SELECT {_SELECTED} FROM adatom_defects d WHERE d.id IN ({marks})"  # noqa: S608
        found |= {row[0]: row for row in library.session.rows(question, some)}
    return _table(library, [found[number] for number in numbers if number in found])


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _AT_ONCE):
        yield numbers[start : start + _AT_ONCE]


def _table(library: Library, rows: Sequence[Sequence[Any]]) -> Table:
    told = list(zip(*rows)) if rows else [()] * len(_COLUMNS)
    # As an array of numbers NULL becomes NaN: not measured.
    columns: dict[str, NDArray[Any]] = {
        name: np.array(values, dtype=kind)
        for (name, _, kind, _), values in zip(_COLUMNS, told, strict=True)
    }
    columns |= _image_columns(library, columns["image_id"])
    units = {name: unit for name, _, _, unit in _COLUMNS if unit is not None}
    return table_from_columns(columns, units=units)


def _image_columns(library: Library, of_row: NDArray[np.int64]) -> dict[str, NDArray[np.str_]]:
    numbers, which = np.unique(of_row, return_inverse=True)
    names = ", ".join(column for _, column in _IMAGE_COLUMNS)
    known: dict[int, Sequence[str]] = {}
    for some in _parts(numbers.tolist()):
        marks = ", ".join("?" * len(some))
        question = f"SELECT id, {names} FROM adatom_images WHERE id IN ({marks})"  # noqa: S608
        known |= {number: told for number, *told in library.session.rows(question, some)}
    return {
        name: np.array([known[n][k] for n in numbers.tolist()], dtype=np.str_)[which]
        for k, (name, _) in enumerate(_IMAGE_COLUMNS)
    }
