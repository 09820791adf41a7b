"""The columns of a unit cell, drawn in the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import FAINT, INK, hide_axes, new_figure, place_axes, text_style
from adatom.plotting._colors import SITE, class_style
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS: Final = ("along_a", "along_b", "y", "x", "found")
# Inches: the longer side of the picture, and room for the legend beside it.
_SIDE: Final = 3.6
_LEGEND: Final = 2.2
# Columns beyond the cell are drawn up to this share of it, so that a tunnel is seen whole.
_BEYOND: Final = 0.12


def has_columns(table: Table, /) -> bool:
    """Tell whether a table is one of the columns of a cell."""
    return set(_COLUMNS) <= set(map(str, table)) and {"a", "b"} <= set(table.attrs)


def plot_cell_columns(table: Table, /) -> Figure:
    """Plot the columns of a unit cell where they stand, colored by class.

    Parameters
    ----------
    table : Table
        As `localization.estimate_columns` gives it. The area of a mark goes
        with the amplitude of the column.

    Raises
    ------
    KindError
        If the table holds no columns of a cell.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"along_a": [0.0], "along_b": [0.0], "y": [0.0], "x": [0.0], "found": [1.0]}
    >>> table = table_from_columns(columns).assign_attrs(a=[0.0, 1.0], b=[1.0, 0.0])
    >>> len(plot_cell_columns(table).axes)
    1
    """
    TABLE.check(table)
    if not has_columns(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need {', '.join(_COLUMNS)}"
        raise KindError(msg)
    vectors = np.array([table.attrs["a"], table.attrs["b"]], dtype=float)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) @ vectors
    margin = 1.5 * _BEYOND * float(np.hypot(*vectors.T).max())
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    scale = _SIDE / float((high - low).max())
    height, width = (high - low) * scale
    total = max(height, 0.22 * table.sizes["row"] + 0.3)
    figure = new_figure(width + _LEGEND + 0.2, total + 0.2)
    axes = place_axes(figure, 0.1, 0.1 + (total - height) / 2, width, height)
    axes.set_xlim(low[1], high[1])
    axes.set_ylim(high[0], low[0])
    hide_axes(axes, frame=True)
    axes.plot(corners[:, 1], corners[:, 0], color=FAINT, linewidth=0.9)
    for letter, vector, other in zip("ab", vectors, vectors[::-1], strict=True):
        # Beside the cell, where columns do not hide it.
        y, x = vector / 2 - 0.8 * margin * other / float(np.hypot(*other))
        axes.text(x, y, letter, ha="center", va="center", **_letter())
    share = np.stack([table["along_a"].values, table["along_b"].values], axis=1)
    for row, size in enumerate(_sizes(table)):
        style = _style(table, row)
        place = _in_and_around(share[row]) @ vectors
        marks: dict[str, Any] = {"s": size**2, "linewidths": 0.7, "edgecolors": INK}
        axes.scatter(place[:, 1], place[:, 0], c=style[0], marker=style[1], **marks)
        for y, x in place:
            axes.text(x, y, str(row), ha="center", va="center", **text_style(size=7, bold=True))
        bottom = 0.1 + total - 0.22 * (row + 1)
        figure.text(
            (width + 0.3) / (width + _LEGEND + 0.2),
            bottom / (total + 0.2),
            f"{row}: {style[2]}, in {100 * float(table['found'].values[row]):.0f} % of cells",
            **text_style(size=8),
        )
    return figure


def _letter() -> dict[str, Any]:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    return {**text_style(size=9, color=FAINT), "bbox": box}


def _style(table: Table, row: int) -> tuple[str, str, str]:
    if "class" not in table:
        return SITE, "o", "column"
    style = class_style(int(table["class"].values[row]))
    return style.color, style.marker if style.marker != "x" else "o", style.name


def _sizes(table: Table) -> NDArray[np.float64]:
    """Give the diameters of marks, in points."""
    if "amplitude" not in table:
        return np.full(table.sizes["row"], 14.0)
    amplitude = np.clip(table["amplitude"].values.astype(float), 0, None)
    return np.asarray(np.maximum(8.0, 20.0 * np.sqrt(amplitude / max(amplitude.max(), 1e-300))))


def _in_and_around(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a column and its copies in the next cells, as far as they are drawn."""
    steps = np.stack(np.meshgrid([0, -1, 1], [0, -1, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    copies = share + steps
    return np.asarray(copies[((copies > -_BEYOND) & (copies < 1 + _BEYOND)).all(axis=1)])
