"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

====================  ===========================================================
``compare_columns``   the columns of a cell laid over those of a structure
``ColumnComparison``  what ``compare_columns`` gives
====================  ===========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.crystallography.column_comparison import ColumnComparison, compare_columns

__all__ = ["ColumnComparison", "compare_columns"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"ColumnComparison": "column_comparison", "compare_columns": "column_comparison"},
)
