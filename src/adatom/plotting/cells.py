"""Unit cells of the frames of a movie, against time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import new_figure, place_axes, style_axes, text_style
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS: Final = ("a", "b", "angle", "repeat", "chance")
_FIRST: Final = "#0072B2"
_SECOND: Final = "#D55E00"


def has_cells(table: Table, /) -> bool:
    """Tell whether a table is one of unit cells."""
    return set(_COLUMNS) <= set(map(str, table))


def plot_unit_cells(table: Table, /) -> Figure:
    """Plot the unit cell of every frame: its lengths, its angle, how well it repeats.

    Parameters
    ----------
    table : Table
        As `localization.find_unit_cell` gives it. Bars are one standard error.

    Raises
    ------
    KindError
        If the table holds no unit cells.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"a": [1.0, 1.1], "b": [1.0, 1.0], "angle": [90.0, 89.0]}
    >>> table = table_from_columns({**columns, "repeat": [0.8, 0.7], "chance": [0.1, 0.1]})
    >>> len(plot_unit_cells(table).axes)
    3
    """
    TABLE.check(table)
    if not has_cells(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need {', '.join(_COLUMNS)}"
        raise KindError(msg)
    figure = new_figure(7.6, 2.2)
    axes = [place_axes(figure, 0.55 + 2.5 * place, 0.45, 1.85, 1.35) for place in range(3)]
    where, label = _abscissa(table)
    unit = table["a"].attrs.get("units", "1")
    for name, color in (("a", _FIRST), ("b", _SECOND)):
        _draw(axes[0], table, where, name, color)
    _draw(axes[1], table, where, "angle", _FIRST)
    _draw(axes[2], table, where, "repeat", _FIRST)
    axes[2].plot(where, table["chance"].values, color=_SECOND, linewidth=0.9, linestyle="--")
    axes[2].set_ylim(bottom=0)
    titles = (
        (f"lengths [{unit}]", "a", "b"), ("angle [deg]", "", ""), ("correlation", "cell", "chance"),
    )  # fmt: skip
    for one, (title, first, second) in zip(axes, titles, strict=True):
        style_axes(one)
        one.set_title(title, loc="left", pad=5, **text_style(size=8.5))
        one.set_xlabel(label, **text_style(size=8))
        for place, (text, color) in enumerate(((first, _FIRST), (second, _SECOND))):
            style = text_style(size=8, color=color)
            at = 0.72 + 0.28 * place
            one.text(at, 1.04, text, ha="right", transform=one.transAxes, **style)
    return figure


def _abscissa(table: Table) -> tuple[NDArray[np.float64], str]:
    for name in ("time", "frame"):
        if name in table:
            unit = table[name].attrs.get("units")
            return table[name].values.astype(float), f"{name} [{unit}]" if unit else name
    return np.arange(table.sizes["row"], dtype=float), "row"


def _draw(axes: Axes, table: Table, where: NDArray[np.float64], name: str, color: str) -> None:
    error = f"{name}_error"
    axes.errorbar(
        where,
        table[name].values,
        yerr=table[error].values if error in table else None,
        color=color,
        linewidth=0.9,
        elinewidth=0.7,
        marker="o",
        markersize=2.6,
    )
