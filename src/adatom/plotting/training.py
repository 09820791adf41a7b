"""How a network learned: losses and scores over the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE: Final = "#0072B2"
_BEST: Final = "#D55E00"
# In the order in which a reader asks: how good, then by what it learned.
_FIRST: Final = ("score", "f1", "recall", "precision", "rmse", "loss")


def has_training(table: Table, /) -> bool:
    """Tell whether a table holds the losses of a training."""
    return {"step", "loss"} <= set(table)


def plot_training(table: Table, /) -> Figure:
    """Plot losses and scores against the steps; the network that was kept is marked.

    Parameters
    ----------
    table : Table
        With ``step`` and ``loss``, as `networks.table_from_training` gives it.

    Raises
    ------
    KindError
        If there is no step or no loss.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> table = table_from_columns({"step": [10, 20], "loss": [0.3, 0.2], "f1": [0.5, 0.9]})
    >>> len(plot_training(table).axes)
    2
    """
    TABLE.check(table)
    if not has_training(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need step and loss"
        raise KindError(msg)
    names = [name for name in _FIRST if name in table]
    names += [
        name
        for name in map(str, table)
        if name not in (*names, "step") and table[name].dtype.kind in "fiu"
    ]
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(columns * 1.75 + 0.15, rows * 1.6 + 0.1)
    best = _best_step(table)
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.5 + 1.75 * column, 0.42 + 1.6 * (rows - 1 - row), 1.2, 0.92)
        _draw_curve(axes, table, name, best)
    return figure


def _best_step(table: Table) -> int | None:
    if "score" not in table or not np.isfinite(table["score"].values).any():
        return None
    return int(table["step"].values[int(np.nanargmax(table["score"].values))])


def _draw_curve(axes: Axes, table: Table, name: str, best: int | None) -> None:
    step, values = table["step"].values, table[name].values.astype(float)
    axes.plot(step, values, color=_LINE, linewidth=1.0, marker="o", markersize=2)
    if best is not None:
        axes.axvline(best, color=_BEST, linewidth=0.9, linestyle="--", zorder=0)
    style_axes(axes)
    axes.tick_params(labelsize=6.5)
    axes.locator_params(nbins=4)
    for axis in (axes.xaxis, axes.yaxis):
        write_numbers_out(axis)
    axes.set_title(
        plain_text(name.replace("_", " "), limit=28), loc="left", pad=5, **text_style(size=8)
    )
    axes.set_xlabel("step", **text_style(size=7, color=FAINT))
