"""Class spectra: the mean of every class with its spread, its typical and doubtful members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.plotting._canvas import FAINT, INK, new_figure, place_axes, plain_text, text_style
from adatom.plotting._colors import class_style, classes_of_means
from adatom.plotting._curves import (
    curve_axis,
    curve_legend,
    draw_band,
    draw_curve,
    finish_curves,
    quiet_note,
)
from adatom.plotting._members import (
    ClassSummary,
    member_distances,
    pick_members,
    summarize_classes,
)
from adatom.plotting._panels import value_label
from adatom.plotting._samples import rows_numbered
from adatom.schema import CLASSES, FEATURES, Classes, Features

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_SHOWN: Final = 12
_LINES: Final = ("-", "--", ":", "-.")
_N_MEMBERS: Final = 3


def plot_class_spectra(features: Features, classes: Classes, /) -> Figure:
    """Plot the mean spectrum of every class, shaded one standard deviation to both sides.

    Parameters
    ----------
    features : Features
        Spectra on the places of the classes: those that were clustered, or
        the raw ones. Read block by block.
    classes : Classes
        Of these places.

    Examples
    --------
    >>> import xarray as xr
    >>> spectra = xr.DataArray(np.eye(4), dims=("site", "energy"))
    >>> figure = plot_class_spectra(spectra, xr.Dataset({"label": ("site", [0, 0, 1, 1])}))
    >>> len(figure.axes[0].lines)
    2
    """
    FEATURES.check(features)
    CLASSES.check(classes)
    return draw_class_spectra(features, classes, summarize_classes(features, classes))


def draw_class_spectra(
    features: xr.DataArray, classes: xr.Dataset | None, summary: ClassSummary, /
) -> Figure:
    """Draw class spectra from their summary; spreads that are not known are not drawn."""
    axis = curve_axis(features)
    classes = classes_of_means(features) if classes is None else classes
    shown = np.flatnonzero(summary.counts != 0)[:_MOST_SHOWN]
    figure = new_figure(7.9, 3.6)
    axes = place_axes(figure, 0.85, 0.5, 5.3, 2.8)
    means = summary.means[shown]
    for k in shown.tolist():
        style = class_style(int(summary.labels[k]), classes)
        mean, spread = summary.means[k], summary.spreads[k]
        if np.isfinite(spread).any():
            draw_band(axes, axis, mean - spread, mean + spread, color=style.ink, alpha=0.16)
        count = int(summary.counts[k])
        draw_curve(
            axes,
            axis,
            mean,
            color=style.ink,
            linestyle=_LINES[k // 7 % 4],
            linewidth=1.4,
            label=plain_text(f"{style.name}: {count}" if count >= 0 else style.name),
        )
    finish_curves(axes, axis, y_label=value_label(features), shown=means)
    curve_legend(axes, outside=True)
    if np.isfinite(summary.spreads[shown]).any() and not (axis.is_loop or axis.has_stems):
        quiet_note(axes, "shaded: one standard deviation within the class")
    return figure


def plot_member_spectra(features: Features, classes: Classes, /) -> Figure:
    """Plot typical and doubtful members of every class as spectra, a panel a class.

    Typical are the members nearest to the mean of their class, doubtful those
    nearest to another class, as in `plot_members`.

    Examples
    --------
    >>> import xarray as xr
    >>> spectra = xr.DataArray(np.eye(4), dims=("site", "energy"))
    >>> figure = plot_member_spectra(spectra, xr.Dataset({"label": ("site", [0, 0, 1, 1])}))
    >>> len(figure.axes)
    2
    """
    FEATURES.check(features)
    CLASSES.check(classes)
    summary = summarize_classes(features, classes)
    distances = member_distances(features, classes, summary)
    labels = summary.labels[summary.counts > 0][:_MOST_SHOWN].tolist()
    picked = {k: pick_members(classes, distances, k, n=_N_MEMBERS) for k in labels}
    wanted = [np.concatenate(members) for members in picked.values()] or [np.zeros(0, np.int64)]
    rows = rows_numbered(features, np.concatenate(wanted))
    axis = curve_axis(features)
    columns = min(3, max(1, len(labels)))
    n_rows = -(-len(labels) // columns)
    # The words above need the width of two panels.
    figure = new_figure(max(columns, 2) * 2.95 + 0.25, n_rows * 2.05 + 0.35)
    height = figure.get_size_inches()[1]
    for place, k in enumerate(labels):
        row, column = divmod(place, columns)
        left, bottom = 0.75 + column * 2.95, height - 0.35 - row * 2.05 - 1.35
        axes = place_axes(figure, left, bottom, 2.15, 1.25)
        style = class_style(int(k), classes)
        typical, doubtful = picked[k]
        for members, color, width, line in (
            (doubtful, FAINT, 0.7, "--"),
            (typical, style.ink, 0.9, "-"),
        ):
            for member in members.tolist():
                draw_curve(
                    axes,
                    axis,
                    rows[member],
                    color=color,
                    linewidth=width,
                    linestyle=line,
                    alpha=0.8,
                )
        draw_curve(axes, axis, summary.means[k], color=INK, linewidth=1.2)
        near = np.stack([summary.means[k], *(rows[m] for m in (*typical, *doubtful))])
        finish_curves(axes, axis, shown=near, small=True)
        _name(axes, f"{style.name}: {summary.counts[k]}", style.ink)
    figure.text(
        0.1 / figure.get_size_inches()[0],
        1 - 0.13 / height,
        "black: mean; colored: typical members; dashed: doubtful ones",
        va="center",
        **text_style(size=7.5, color=FAINT),
    )
    return figure


def _name(axes: Axes, text: str, color: str) -> None:
    axes.set_title(
        plain_text(text), loc="left", pad=3, **text_style(size=8, color=color, bold=True)
    )
