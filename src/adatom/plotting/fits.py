"""Curves and the models fitted to them, with what the fits leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import INK, RULE, new_figure, place_axes, plain_text, text_style
from adatom.plotting._colors import class_style
from adatom.plotting._curves import curve_axis, draw_curve, finish_curves
from adatom.plotting._panels import value_label
from adatom.schema import FEATURES, Features

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST: Final = 6
_COLUMNS: Final = 2


def plot_fits(curves: Features, fitted: Features, /) -> Figure:
    """Plot curves with the models fitted to them, and below each what the fit leaves.

    What is left should be noise about zero: a shape in it is what the model
    cannot follow.

    Parameters
    ----------
    curves : Features
        (row, what is measured), such as class means; the first six are
        shown.
    fitted : Features
        Of the same rows and axis; NaN outside of the range of the fit.

    Raises
    ------
    KindError
        If the fits are of other curves.

    Examples
    --------
    >>> import xarray as xr
    >>> curves = xr.DataArray(np.eye(3)[:2], dims=("class", "energy"))
    >>> len(plot_fits(curves, curves * 0.9).axes)
    4
    """
    FEATURES.check(curves)
    FEATURES.check(fitted, name="fitted")
    if curves.ndim != 2 or curves.shape != fitted.shape:
        msg = f"fits are {dict(fitted.sizes)}, curves {dict(curves.sizes)}: give those of one fit"
        raise KindError(msg)
    axis = curve_axis(curves)
    known = np.flatnonzero(np.isfinite(curves.values).any(axis=1))[:_MOST]
    columns = min(_COLUMNS, max(len(known), 1))
    rows = -(-len(known) // columns)
    figure = new_figure(columns * 3.9 + 0.1, rows * 2.95 + 0.2)
    height = figure.get_size_inches()[1]
    for place, number in enumerate(known.tolist()):
        row, column = divmod(place, columns)
        left, top = 0.85 + column * 3.9, height - 0.35 - row * 2.95
        upper = place_axes(figure, left, top - 1.45, 2.85, 1.45)
        lower = place_axes(figure, left, top - 2.15, 2.85, 0.55)
        curve, fit = (part.values[number].astype(float) for part in (curves, fitted))
        style = class_style(number)
        draw_curve(upper, axis, curve, color=style.ink, linewidth=0.9)
        upper.plot(axis.values, fit, color=INK, linewidth=1.1)
        finish_curves(upper, axis, y_label=value_label(curves), small=True)
        upper.set_xlabel("")
        upper.tick_params(labelbottom=False)
        name = style.name if curves.dims[0] == "class" else f"{curves.dims[0]} {number}"
        upper.set_title(plain_text(f"{name}; black: fit"), loc="left", pad=3, **text_style(size=8))
        lower.axhline(0.0, color=RULE, linewidth=0.8)
        lower.plot(axis.values, curve - fit, color=style.ink, linewidth=0.8)
        lower.set_xlim(upper.get_xlim())
        finish_curves(lower, axis, y_label="left", small=True)
    return figure
