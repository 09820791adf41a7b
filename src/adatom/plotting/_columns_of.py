"""Which columns a table has: what it can be drawn as, and what is missing."""

from __future__ import annotations

import xarray as xr

from adatom.errors import KindError
from adatom.schema import TABLE, Table


def has_columns_of(table: object, columns: set[str], /) -> bool:
    """Tell whether it is a Dataset with these columns."""
    return isinstance(table, xr.Dataset) and columns <= set(table)


def need_columns_of(table: Table, known: bool, what: str, /) -> None:
    """Refuse a table that is not of the sort that is drawn."""
    TABLE.check(table)
    if not known:
        msg = f"the table has columns {', '.join(map(str, table))}: it holds no {what}"
        raise KindError(msg)
