"""The tree of a hierarchical clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.cluster.hierarchy

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    new_figure,
    place_axes,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS: Final = ("first", "second", "height", "n_leaves")
_CUT: Final = "#D55E00"


def is_tree(table: Table, /) -> bool:
    """Tell whether a table holds the merges of a tree."""
    return set(_COLUMNS) <= set(table) and table.sizes["row"] > 0


def plot_tree(table: Table, /, *, n_classes: int | None = None) -> Figure:
    """Plot the merges of a tree at their heights, and where it was cut.

    A cut through long lines holds over a wide range of heights; where lines
    are short everywhere, no number of classes stands out.

    Parameters
    ----------
    table : Table
        Of `clustering.cluster_hierarchical`: ``first`` and ``second`` node of
        every merge, ``height`` and ``n_leaves``.
    n_classes : int, optional
        At which the tree was cut.

    Raises
    ------
    KindError
        If the table holds no tree.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> merges = {"first": [0, 2], "second": [1, 3], "height": [1.0, 4.0], "n_leaves": [2, 3]}
    >>> len(plot_tree(table_from_columns(merges), n_classes=2).axes)
    1
    """
    TABLE.check(table)
    if not is_tree(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need {', '.join(_COLUMNS)}"
        raise KindError(msg)
    merges = np.stack([table[name].values.astype(float) for name in _COLUMNS], axis=1)
    drawn = scipy.cluster.hierarchy.dendrogram(merges, no_plot=True)
    figure = new_figure(6.6, 3.2)
    axes = place_axes(figure, 0.85, 0.35, 5.5, 2.6)
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot(x, y, color=INK, linewidth=0.8)
    heights = np.sort(merges[:, 2])[::-1]
    if n_classes is not None and 1 < n_classes <= len(heights) + 1:
        below = heights[n_classes - 1] if n_classes <= len(heights) else 0.0
        cut = (heights[n_classes - 2] + below) / 2
        axes.axhline(cut, color=_CUT, linewidth=1.0, linestyle="--")
        text = f"cut into {n_classes} classes"
        axes.text(
            1.0, cut, text, transform=axes.get_yaxis_transform(), ha="right", va="bottom",
            **text_style(size=7.5, color=_CUT),
        )  # fmt: skip
    style_axes(axes)
    write_numbers_out(axes.yaxis)
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    unit = str(table["height"].attrs.get("units", "1"))
    axes.set_ylabel("height" if unit == "1" else f"height [{unit}]", **text_style(size=8))
    leaves = f"{len(heights) + 1} branches, each a group of like rows"
    figure.text(0.5, 0.02, leaves, ha="center", va="bottom", **text_style(size=7, color=FAINT))
    return figure
