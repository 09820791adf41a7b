"""What a correction did to spectra: before and after, and what was taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.plotting._canvas import FAINT, INK, new_figure, place_axes
from adatom.plotting._curves import CurveAxis, curve_axis, curve_legend, draw_curve, finish_curves
from adatom.plotting._panels import value_label
from adatom.plotting._samples import same_rows, sample_rows
from adatom.schema import FEATURES, Features

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_AFTER: Final = "#D55E00"
_N_EXAMPLES: Final = 2


def plot_correction(before: Features, after: Features, /) -> Figure:
    """Plot the mean spectrum before and after a correction, and the rows that it changed most.

    Parameters
    ----------
    before, after : Features
        On the same places; their measured axes may differ. Of many rows
        some, spread over all, are looked at; if none of them changed, the
        first is titled so.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray(np.eye(3), dims=("site", "energy"))
    >>> len(plot_correction(rows, rows * 2.0).axes)
    3
    """
    FEATURES.check(before)
    FEATURES.check(after)
    sampled = sample_rows(before)
    first, second = sampled.values, same_rows(after, sampled)
    figure = new_figure(7.9, 3.9)
    axes = (curve_axis(before), curve_axis(after))
    units = (value_label(before), value_label(after))
    apart = units[0] != units[1] or not _alike(first, second)
    top = place_axes(figure, 0.85, 2.35, 6.1, 1.25)
    _draw_pair(top, axes, (_mean(first), _mean(second)), units, apart=apart, title="mean")
    changed = not np.array_equal(first, second, equal_nan=True)
    for place, row in enumerate(_most_changed(first, second)):
        panel = place_axes(figure, 0.85 + 3.55 * place, 0.5, 2.55, 1.2)
        what = ("changed most" if changed else "unchanged", "typical")[place]
        title = f"{what}: row {sampled.numbers[row]}"
        _draw_pair(panel, axes, (first[row], second[row]), units, apart=apart, title=title)
    return figure


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    mean: NDArray[np.float64] = total / np.where(count > 0, count, np.nan)
    return mean


def _alike(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Tell whether both can share a scale."""
    spans = [float(np.nanmax(np.abs(_mean(rows)), initial=0.0)) for rows in (first, second)]
    return min(spans) > 0.02 * max(spans)


def _most_changed(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[int]:
    """Give the row that changed most in shape, and one that changed as most do."""
    if not len(first):
        return []
    if first.shape == second.shape:
        change = np.nanmax(np.abs(np.nan_to_num(second) - np.nan_to_num(first)), axis=1)
    else:
        change = np.abs(np.nan_to_num(second)).max(axis=1)
    order = np.argsort(-change, kind="stable")
    picked = [int(order[0]), int(order[len(order) // 2])]
    return picked[: min(_N_EXAMPLES, len(first))]


def _draw_pair(
    axes: Axes,
    along: tuple[CurveAxis, CurveAxis],
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
    units: tuple[str, str],
    *,
    apart: bool,
    title: str,
) -> None:
    draw_curve(axes, along[0], rows[0], color="#9aa0a6", linewidth=1.1, label="before")
    small = title != "mean"
    finish_curves(axes, along[0], y_label=units[0], title=title, small=small)
    if apart:
        other = axes.twinx()
        draw_curve(other, along[1], rows[1], color=_AFTER, linewidth=1.0, label="after")
        finish_curves(other, along[1], y_label=units[1], small=small)
        other.spines["right"].set_visible(True)
        other.spines["left"].set_visible(False)
        other.yaxis.label.set_color(_AFTER)
        axes.yaxis.label.set_color(FAINT)
        axes.plot([], [], color=_AFTER, linewidth=1.0, label="after, scale at the right")
    else:
        draw_curve(axes, along[1], rows[1], color=_AFTER, linewidth=1.0, label="after")
    if not small:
        curve_legend(axes)
    axes.tick_params(colors=INK if not apart else FAINT)
