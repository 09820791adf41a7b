"""How the losses and scores of a network went over the steps of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
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
    from numpy.typing import NDArray

_WIDTH: Final = 6.4
_HEIGHT: Final = 1.75
_LEFT: Final = 0.75
_RIGHT: Final = 1.15
_BETWEEN: Final = 0.35
_BOTTOM: Final = 0.5
_TOP: Final = 0.3
# Okabe and Ito.
_COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LOSSES: Final = ("loss", "center", "overlap", "offset", "lattice", "classes")
_SHARES: Final = ("f1", "precision", "recall")


def is_training(table: Table, /) -> bool:
    """Tell whether a table is of `networks.table_from_training`."""
    return {"step", "loss"} <= set(table)


def plot_training(table: Table, /) -> Figure:
    """Plot losses, found sites and errors of their places against the steps.

    Parameters
    ----------
    table : Table
        Of `networks.table_from_training`.

    Raises
    ------
    KindError
        If it has no columns ``step`` and ``loss``.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> table = table_from_columns({"step": [10, 20], "loss": [1.0, 0.5], "f1": [0.2, 0.8]})
    >>> len(plot_training(table).axes)
    2
    """
    TABLE.check(table)
    if not is_training(table):
        msg = "no columns step and loss: networks.table_from_training makes such a table"
        raise KindError(msg)
    panels = [
        (title, shown)
        for title, names in (
            ("loss", _LOSSES),
            ("of sites, on images not learned from", _SHARES),
            ("error of places, in spacings", ("rmse",)),
        )
        if (shown := [name for name in names if name in table])
    ]
    height = _BOTTOM + _TOP + len(panels) * _HEIGHT + (len(panels) - 1) * _BETWEEN
    figure = new_figure(_WIDTH, height)
    step = table["step"].values.astype(float)
    for place, (title, names) in enumerate(panels):
        bottom = height - _TOP - (place + 1) * _HEIGHT - place * _BETWEEN
        axes = place_axes(figure, _LEFT, bottom, _WIDTH - _LEFT - _RIGHT, _HEIGHT)
        style_axes(axes)
        _draw_lines(axes, step, {name: table[name].values for name in names})
        axes.set_title(title, loc="left", pad=3, **text_style(size=8.5, bold=True))
        if title == "loss":
            axes.set_yscale("log")
        if place == len(panels) - 1:
            axes.set_xlabel("step", **text_style(color=FAINT))
        write_numbers_out(axes.xaxis)
    return figure


def _draw_lines(axes: Axes, step: NDArray[np.float64], lines: dict[str, NDArray[np.float64]]) -> None:
    """Draw lines with their names at their ends, moved apart where they would touch."""
    for (name, values), color in zip(lines.items(), _COLORS, strict=False):
        marker = "o" if len(step) < 30 else ""
        style = {"color": INK if name in {"loss", "f1", "rmse"} else color, "linewidth": 1.1}
        axes.plot(step, values, marker=marker, markersize=2.5, label=name, **style)
    legend = axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=7.5, handlelength=1.2
    )
    for text in legend.get_texts():
        text.set(text=plain_text(text.get_text()), **text_style(size=7.5))
