"""Which names stand for which true ones, as a matrix of counts beside the recall of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from adatom.errors import KindError
from adatom.numerics.intervals import NORMAL_95, wilson_interval
from adatom.plotting._canvas import (
    FAINT,
    INK,
    RULE,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
)
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS: Final = ("truth", "found", "count")
# What stands for no defect comes last on its side.
_LAST: Final = ("not found", "not in the truth")
_CELL: Final = 0.42
_LETTER: Final = 0.075
_BARS: Final = 1.9
_BLUES: Final = LinearSegmentedColormap.from_list("counts", ["#ffffff", "#0072b2"])
_RIGHT: Final = "#0072b2"
# More names than these are not read; those that occur least are one row or column.
_MOST: Final = 24


def has_confusion(table: Table, /) -> bool:
    """Tell whether a table counts pairs of a true and a found name."""
    return set(_COLUMNS) <= set(table)


def plot_confusion(table: Table, /) -> Figure:
    """Plot a confusion matrix: counts, and the share of each true name that was found as such.

    Parameters
    ----------
    table : Table
        With ``truth``, ``found`` and ``count``, as `defects.compare_names` gives it.

    Returns
    -------
    Figure
        Rows are true names, columns found ones in the same order, so that
        what is right stands on the diagonal, framed. Bars are recall with
        its interval of 95 %.

    Raises
    ------
    KindError
        If the table holds no such counts.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> counts = {"truth": ["Si1C3", "Si1C4"], "found": ["Si1C3", "Si1C3"], "count": [5, 1]}
    >>> len(plot_confusion(table_from_columns(counts)).axes)
    2
    """
    TABLE.check(table, name="table")
    if not has_confusion(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need {', '.join(_COLUMNS)}"
        raise KindError(msg)
    truth, found = (table[side].values.astype(str) for side in ("truth", "found"))
    count = table["count"].values.astype(np.int64)
    rows, columns = _order(truth, found, count)
    matrix = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(matrix, (_places(truth, rows), _places(found, columns)), count)
    left = 0.35 + _LETTER * max(map(len, rows))
    below = 0.4 + _LETTER * max(map(len, columns))
    wide, high = _CELL * len(columns), _CELL * len(rows)
    figure = new_figure(left + wide + 0.25 + _BARS + 0.45, below + high + 0.4)
    axes = place_axes(figure, left, below, wide, high)
    _draw_matrix(axes, matrix, rows, columns)
    _draw_recall(place_axes(figure, left + wide + 0.25, below, _BARS, high), matrix, rows, columns)
    return figure


def _order(
    truth: NDArray[np.str_], found: NDArray[np.str_], count: NDArray[np.int64]
) -> tuple[list[str], list[str]]:
    """Give the names of rows and columns: shared ones first and in one order."""
    names, number = np.unique(np.concatenate([truth, found]), return_inverse=True)
    total = np.bincount(number, np.concatenate([count, count]))
    named = [name for name in names.tolist() if name not in _LAST]
    if len(named) > _MOST:
        weight = dict(zip(names.tolist(), total.tolist(), strict=True))
        named = sorted(sorted(named, key=lambda name: -weight[name])[: _MOST - 1])
        named.append("others")
    shown = set(named)
    sides = [
        {name if name in shown or name in _LAST else "others" for name in side.tolist()}
        for side in (truth, found)
    ]
    rows = [name for name in named if name in sides[0]]
    columns = [*rows, *(name for name in named if name in sides[1] - sides[0])]
    columns = [name for name in columns if name in sides[0] | sides[1]]
    for side, order in zip(sides, (rows, columns), strict=True):
        order += [name for name in _LAST if name in side]
    return rows, columns


def _places(names: NDArray[np.str_], order: list[str]) -> NDArray[np.int64]:
    at = {name: k for k, name in enumerate(order)}
    return np.array([at.get(name, at.get("others", 0)) for name in names.tolist()], dtype=np.int64)


def _draw_matrix(
    axes: Axes, matrix: NDArray[np.int64], rows: list[str], columns: list[str]
) -> None:
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap=_BLUES, vmin=0, vmax=1.15, aspect="auto")
    for (row, column), number in np.ndenumerate(matrix):
        if number:
            color = "white" if share[row, column] > 0.5 else INK
            style = text_style(size=9, color=color)
            axes.text(column, row, str(number), ha="center", va="center", **style)
    for row, name in enumerate(rows):
        if name in columns:
            corner = columns.index(name) - 0.5, row - 0.5
            frame = Rectangle(corner, 1, 1, facecolor="none", edgecolor=INK, linewidth=1.0)
            axes.add_patch(frame).set_zorder(3)
    axes.set_xticks(np.arange(len(columns)), [plain_text(name, limit=24) for name in columns])
    axes.set_yticks(np.arange(len(rows)), [plain_text(name, limit=24) for name in rows])
    style_axes(axes)
    axes.tick_params(axis="x", labelrotation=90)
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(RULE)
    for edge in np.arange(1, len(columns)) - 0.5:
        axes.axvline(edge, color=RULE, linewidth=0.4)
    for edge in np.arange(1, len(rows)) - 0.5:
        axes.axhline(edge, color=RULE, linewidth=0.4)
    axes.set_title("rows: truth; columns: found", loc="left", pad=5, **text_style(size=8))


def _draw_recall(
    axes: Axes, matrix: NDArray[np.int64], rows: list[str], columns: list[str]
) -> None:
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    hide_axes(axes)
    axes.set_title("recall, with 95 % limits", loc="left", pad=5, **text_style(size=8))
    for row, name in enumerate(rows):
        if name in _LAST:
            continue
        number = int(matrix[row].sum())
        right = int(matrix[row, columns.index(name)]) if name in columns else 0
        low, high = wilson_interval(right / number, number, deviations=NORMAL_95)
        axes.barh(row, right / number, height=0.34, color=_RIGHT, alpha=0.35)
        axes.plot([float(low), float(high)], [row, row], color=INK, linewidth=1.1)
        style = text_style(size=7.5, color=FAINT)
        axes.text(1.02, row, f"{right} of {number}", va="center", **style)
