"""Tables as text."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adatom.schema import Table


def print_table(table: Table) -> None:
    """Print the columns of a table; the widest is wrapped to the terminal."""
    columns = [
        [str(name), *(str(value) for value in table[name].values.tolist())]
        for name in table.variables
    ]
    widths = [max(map(len, column)) for column in columns]
    widest = widths.index(max(widths))
    room = shutil.get_terminal_size().columns - sum(widths) + widths[widest] - 2 * len(widths)
    widths[widest] = min(widths[widest], max(room, 24))
    for row in zip(*columns, strict=True):
        _print_row(row, widths)


def _print_row(row: tuple[str, ...], widths: list[int]) -> None:
    cells = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = (
            f"{cell[number] if number < len(cell) else '':<{width}}"
            for cell, width in zip(cells, widths, strict=True)
        )
        print("  ".join(parts).rstrip())
