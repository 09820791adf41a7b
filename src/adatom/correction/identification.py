"""What the search for edges and the search for lines have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.moments import moments_of
from adatom.schema import Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_threshold(threshold: float, /) -> None:
    """Raise `SettingError` unless the threshold is above zero."""
    if not threshold > 0:
        msg = f"{threshold=} must be above zero"
        raise SettingError(msg)


def total_counts(spectra: Features, /) -> NDArray[np.float64]:
    """Sum the counts of all measured rows in every channel."""
    moments = moments_of(blocks(spectra))
    return np.maximum(moments.mean * int(moments.counts.sum()), 0.0)


def table_of_found(
    rows: list[dict[str, object]], columns: tuple[str, ...], /, *, in_ev: tuple[str, ...]
) -> Table:
    """Make a table of what was found, its first column the names, with a note to look at them."""
    name = columns[0]
    kinds = {name: str, "alternatives": str, "used": bool}
    table = table_from_columns(
        {key: np.array([row[key] for row in rows], dtype=kinds.get(key, float)) for key in columns},
        units=dict.fromkeys(in_ev, "eV"),
    )
    used = [str(row[name]) for row in rows if row["used"]]
    add_note(
        table,
        f"Named by the table, to be looked at: {', '.join(used)}."
        if used
        else f"No {name}s were found above the threshold: name them where maps are made.",
    )
    return table
