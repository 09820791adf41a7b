"""How far maps by windows of one size agree with those of the next."""

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
)
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE: Final = "#0072B2"
_CHOSEN: Final = "#D55E00"


def has_window_sizes(table: Table, /) -> bool:
    """Tell whether a table compares sizes of windows."""
    return {"window_size", "agreement"} <= set(map(str, table))


def plot_window_sizes(table: Table, /) -> Figure:
    """Plot how far the map of every size of windows agrees with the next, the chosen marked.

    Parameters
    ----------
    table : Table
        As `pipelines.choose_window_size` gives it.

    Raises
    ------
    KindError
        If there is no window_size or no agreement.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"window_size": [32.0, 45.0, 64.0], "agreement": [0.7, 0.9, np.nan]}
    >>> len(plot_window_sizes(table_from_columns(columns, units={"window_size": "px"})).axes)
    1
    """
    TABLE.check(table)
    if not has_window_sizes(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need window_size and agreement"
        raise KindError(msg)
    sizes = table["window_size"].values.astype(float)
    agreement = table["agreement"].values.astype(float)
    unit = table["window_size"].attrs.get("units", "")
    figure = new_figure(3.4, 2.3)
    axes = place_axes(figure, 0.55, 0.45, 2.7, 1.5)
    axes.plot(sizes, agreement, color=_LINE, linewidth=1.1, marker="o", markersize=3)
    chosen = str(table.attrs.get("window_size", ""))
    if chosen:
        value = float(chosen.split(maxsplit=1)[0])
        axes.axvline(value, color=_CHOSEN, linewidth=0.9, linestyle="--", zorder=0)
        at = int(np.argmin(np.abs(sizes - value)))
        axes.plot(sizes[at : at + 1], agreement[at : at + 1], "o", markersize=6.5, color=_CHOSEN)
    style_axes(axes)
    axes.tick_params(labelsize=7)
    axes.set_ylim(min(0.0, float(np.nanmin(agreement, initial=0.0))), 1.04)
    title = f"agreement with the next size; chosen: {chosen or 'none'}"
    axes.set_title(plain_text(title, limit=60), loc="left", pad=5, **text_style(size=8))
    label = f"size of windows ({unit})" if unit else "size of windows"
    axes.set_xlabel(plain_text(label, limit=40), **text_style(size=7.5, color=FAINT))
    return figure
