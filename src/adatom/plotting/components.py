"""Components of decompositions: their curves, and how much variance each has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    RULE,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
)
from adatom.plotting._colors import OKABE_ITO, on_paper
from adatom.plotting._curves import curve_axis, curve_legend, draw_curve, finish_curves
from adatom.plotting._panels import value_label
from adatom.plotting.feature_maps import feature_name
from adatom.schema import FEATURES, TABLE, Features, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CURVES: Final = 8
_MOST_VARIANCES: Final = 40
_CHOSEN: Final = "#D55E00"


def plot_components(components: Features, /) -> Figure:
    """Plot the curve of every component, one below the other over a common axis.

    Parameters
    ----------
    components : Features
        (component, what is measured), of at most eight of which are shown.

    Raises
    ------
    KindError
        If the features have more than one dim before the last.

    Examples
    --------
    >>> import xarray as xr
    >>> figure = plot_components(xr.DataArray(np.eye(3)[:2], dims=("component", "energy")))
    >>> len(figure.axes)
    2
    """
    FEATURES.check(components)
    if components.ndim != 2:
        msg = f"components have dims {components.dims}, need (component, what is measured)"
        raise KindError(msg)
    number = min(len(components), _MOST_CURVES)
    axis = curve_axis(components)
    height, gap = 0.85, 0.12
    figure = new_figure(6.6, number * (height + gap) + 0.85)
    top = figure.get_size_inches()[1] - 0.3
    rows = components[:number].values.astype(float)
    for place, row in enumerate(rows):
        bottom = top - (place + 1) * height - place * gap
        axes = place_axes(figure, 0.8, bottom, 4.6, height)
        if (row < 0).any():
            axes.axhline(0.0, color=RULE, linewidth=0.7)
        color = on_paper(OKABE_ITO[place % len(OKABE_ITO)])
        draw_curve(axes, axis, row, color=color, linewidth=1.1)
        finish_curves(axes, axis, small=True)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        if place < number - 1:
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)
        name = feature_name(components.transpose(..., components.dims[0]), place)
        axes.text(
            1.02, 0.5, plain_text(name), transform=axes.transAxes, va="center",
            **text_style(size=8, color=color, bold=True),
        )  # fmt: skip
    if len(components) > number:
        _remark(figure, f"{number} of {len(components)} are shown")
    return figure


def plot_curve_set(curves: Features, /) -> Figure:
    """Plot the curves of a few rows over one another, such as endmembers, with a legend.

    Examples
    --------
    >>> import xarray as xr
    >>> figure = plot_curve_set(xr.DataArray(np.eye(3)[:2], dims=("endmember", "energy")))
    >>> len(figure.axes[0].lines)
    2
    """
    FEATURES.check(curves)
    number = min(len(curves), _MOST_CURVES)
    axis = curve_axis(curves)
    figure = new_figure(7.4, 3.2)
    axes = place_axes(figure, 0.85, 0.5, 5.0, 2.4)
    rows = curves[:number].values.astype(float)
    for place, row in enumerate(rows):
        color = on_paper(OKABE_ITO[place % len(OKABE_ITO)])
        name = plain_text(feature_name(curves.transpose(..., curves.dims[0]), place))
        draw_curve(axes, axis, row, color=color, linewidth=1.2, label=name)
    finish_curves(axes, axis, y_label=value_label(curves), shown=rows)
    curve_legend(axes, outside=True)
    if len(curves) > number:
        _remark(figure, f"{number} of {len(curves)} are shown")
    return figure


def plot_variances(table: Table, /) -> Figure:
    """Plot the variance of every component on a log scale, those above the noise in color.

    Parameters
    ----------
    table : Table
        With columns ``component`` and ``variance``, perhaps ``above_noise``
        and the ``null`` that noise alone would reach.

    Raises
    ------
    KindError
        If there is no column ``variance``.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"component": [0, 1], "variance": [4.0, 1.0], "above_noise": [True, False]}
    >>> figure = plot_variances(table_from_columns(columns))
    """
    TABLE.check(table)
    if "variance" not in table:
        msg = f"the table has columns {', '.join(map(str, table))}; need variance"
        raise KindError(msg)
    variance = table["variance"].values.astype(float)[:_MOST_VARIANCES]
    number = np.arange(len(variance)) + 1
    above = np.ones(len(variance), dtype=bool)
    if "above_noise" in table:
        above = table["above_noise"].values.astype(bool)[:_MOST_VARIANCES]
    figure = new_figure(4.6, 2.7)
    axes = place_axes(figure, 0.85, 0.5, 3.5, 1.9)
    for which, color, name in ((above, _CHOSEN, "above noise"), (~above, FAINT, "noise")):
        if which.any():
            axes.plot(number[which], variance[which], "o", color=color, markersize=4, label=name)
    null = next((name for name in ("null", "null_variance", "null_quantile") if name in table), "")
    if null:
        values = table[null].values.astype(float)[:_MOST_VARIANCES]
        axes.plot(number, values, color=INK, linewidth=1.0, label="noise alone")
    if (variance > 0).any():
        axes.set_yscale("log")
    style_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("component, counted from the largest", **text_style(size=8))
    axes.set_ylabel("variance", **text_style(size=8))
    curve_legend(axes)
    return figure


def _remark(figure: Figure, text: str) -> None:
    figure.text(0.99, 0.01, text, ha="right", va="bottom", **text_style(size=6.5, color=FAINT))
