"""Decays on a logarithmic axis, with their fits and what these leave."""

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
)
from adatom.plotting._colors import class_style, classes_of_means, on_paper
from adatom.schema import FEATURES, Features

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# More curves than this hide one another.
_MOST: Final = 8


def plot_decays(decays: Features, fitted: Features | None = None, /) -> Figure:
    """Plot counts against time on a logarithmic axis, with fits and weighted residuals.

    Residuals are counts less fit over the root of the fit: between -2 and 2
    in nineteen of twenty channels of a good fit.

    Parameters
    ----------
    decays : Features
        (row, time), such as the sums of classes; of many rows the first
        eight are shown.
    fitted : Features, optional
        From `curves.decays_from_fit`, of the same rows.

    Raises
    ------
    KindError
        If the decays are not rows, or the fits are of others.

    Examples
    --------
    >>> import xarray as xr
    >>> time = ("time", np.arange(20.0), {"units": "ns"})
    >>> decays = xr.DataArray(np.exp(-time[1] / 5)[None], dims=("class", "time"),
    ...     coords={"time": time})
    >>> figure = plot_decays(decays, decays)
    """
    FEATURES.check(decays)
    if decays.ndim != 2:
        msg = f"found dims {tuple(decays.dims)}, need (row, time): sum pixels by class first"
        raise KindError(msg)
    if fitted is not None and fitted.shape != decays.shape:
        msg = f"decays are {dict(decays.sizes)}, fits {dict(fitted.sizes)}: need the same rows"
        raise KindError(msg)
    dim = str(decays.dims[1])
    time = decays.coords[dim].values.astype(float)
    rows = decays.values[:_MOST].astype(float)
    fits = None if fitted is None else fitted.values[:_MOST].astype(float)
    figure = new_figure(7.2, 3.9 if fits is None else 4.9)
    upper = place_axes(figure, 0.85, 0.55 if fits is None else 1.75, 5.0, 2.95)
    names, colors = _styles(decays, len(rows))
    for number, (row, name, color) in enumerate(zip(rows, names, colors, strict=True)):
        shown = np.where(row > 0, row, np.nan)
        upper.plot(time, shown, ".", color=color, markersize=2.2, label=plain_text(name))
        if fits is not None:
            upper.plot(time, np.where(fits[number] > 0, fits[number], np.nan), color=INK, lw=0.9)
    upper.set_yscale("log")
    style_axes(upper)
    upper.set_ylabel("counts", **text_style(size=8))
    _legend(upper)
    unit = decays.coords[dim].attrs.get("units", "1")
    lowest = upper
    if fits is not None:
        lowest = place_axes(figure, 0.85, 0.55, 5.0, 0.95)
        _draw_residuals(lowest, time, rows, fits, colors)
        lowest.set_xlim(upper.get_xlim())
        upper.tick_params(labelbottom=False)
    lowest.set_xlabel(f"{dim} [{unit}]", **text_style(size=8))
    return figure


def _styles(decays: Features, number: int) -> tuple[list[str], list[str]]:
    classes = classes_of_means(decays)
    styles = [class_style(k, classes) for k in range(number)]
    counts = decays.coords["count"].values if "count" in decays.coords else None
    names = [
        style.name if counts is None else f"{style.name}: {int(counts[k])}"
        for k, style in enumerate(styles)
    ]
    if decays.dims[0] != "class":
        names = [f"{decays.dims[0]} {k}" for k in range(number)]
    return names, [on_paper(style.ink) for style in styles]


def _draw_residuals(
    axes: Axes,
    time: NDArray[np.float64],
    rows: NDArray[np.float64],
    fits: NDArray[np.float64],
    colors: list[str],
) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (rows - fits) / np.sqrt(np.where(fits > 0, fits, np.nan))
    for row, color in zip(left, colors, strict=True):
        axes.plot(time, row, color=color, linewidth=0.5)
    axes.axhline(0, color=FAINT, linewidth=0.5)
    known = np.abs(left[np.isfinite(left)])
    reach = max(4.0, float(np.quantile(known, 0.99)) if known.size else 0.0)
    axes.set_ylim(-reach, reach)
    style_axes(axes)
    axes.set_ylabel("residual", **text_style(size=8))


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        frameon=False,
        prop={"family": "DejaVu Sans", "size": 8},
        labelcolor=INK,
        markerscale=3,
        handletextpad=0.3,
    )
