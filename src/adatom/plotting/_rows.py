"""Classes of rows whose place is not known: one mark a row, in the order of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.plotting._canvas import new_figure, place_axes, style_axes, text_style
from adatom.plotting._colors import class_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def plot_class_rows(classes: xr.Dataset, /) -> Figure:
    """Plot the class of every row against its number, or what was varied along the rows."""
    label = classes["label"]
    (dim,) = label.dims
    along, name = np.arange(label.size, dtype=float), "row"
    if dim in label.coords:
        axis = label.coords[dim]
        unit = axis.attrs.get("units", "1")
        along, name = axis.values, f"{dim} [{unit}]" if unit != "1" else str(dim)
    numbers = np.unique(label.values).tolist()
    height = 0.26 * max(len(numbers), 2)
    figure = new_figure(7.2, height + 0.62)
    axes = place_axes(figure, 1.3, 0.52, 5.7, height)
    for level, k in enumerate(numbers):
        style = class_style(int(k), classes)
        here = label.values == k
        axes.plot(along[here], np.full(here.sum(), level), "|", color=style.ink, markersize=11)
    names = [class_style(int(k), classes).name for k in numbers]
    axes.set_yticks(range(len(numbers)), names)
    axes.set_ylim(len(numbers) - 0.4, -0.6)
    axes.set_xlabel(name, **text_style())
    style_axes(axes)
    return figure
