"""Tables of a library as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.schema import table_from_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adatom.schema import Table


def print_columns(table: Table, names: Sequence[str], /) -> None:
    """Print some columns with their units, numbers to three or four digits."""
    from adatom.cli._tables import print_table

    columns = {}
    for name in names:
        if name not in table:
            continue
        unit = table[name].attrs.get("units", "1")
        head = name if unit == "1" else f"{name} [{unit}]"
        columns[head] = np.array([_spelled(value) for value in table[name].values.tolist()])
    print_table(table_from_columns(columns))


def _spelled(value: object) -> str:
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return str(value)
