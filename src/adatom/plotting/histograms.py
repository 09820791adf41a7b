"""How one measured number spreads, class by class."""

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
from adatom.plotting._colors import class_style
from adatom.schema import CLASSES, FEATURES, Classes, Features

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_PLAIN: Final = "#8ab6d6"
_MOST_BINS: Final = 80
# Fewer members than this are marked one by one: their bar would not be seen.
_FEW: Final = 25


def plot_feature_histogram(features: Features, classes: Classes | None = None, /) -> Figure:
    """Plot how features of one number spread, the members of every class in its color.

    Members of small classes have a tick each below the bars.

    Parameters
    ----------
    features : Features
        With one feature, such as the brightness of sites.
    classes : Classes, optional
        Of the same places.

    Raises
    ------
    KindError
        If there are several features, or the classes are of other places.

    Examples
    --------
    >>> import xarray as xr
    >>> features = xr.DataArray([[0.0], [0.1], [1.0]], dims=("site", "feature"))
    >>> figure = plot_feature_histogram(features, xr.Dataset({"label": ("site", [0, 0, 1])}))
    """
    FEATURES.check(features)
    if features.shape[-1] != 1:
        msg = f"features have {features.shape[-1]} columns, a histogram is of one: choose one"
        raise KindError(msg)
    values = np.asarray(features.values, dtype=float).ravel()
    labels = np.zeros(values.shape, dtype=int)
    if classes is not None:
        CLASSES.check(classes)
        labels = np.asarray(classes["label"].values).ravel()
        if labels.shape != values.shape:
            msg = f"{values.size} rows of features, {labels.size} labels: give their classes"
            raise KindError(msg)
    known = np.isfinite(values)
    figure = new_figure(6.4, 2.9)
    axes = place_axes(figure, 0.75, 0.5, 3.9, 2.2)
    _draw_bars(axes, values[known], labels[known], classes)
    style_axes(axes)
    axes.set_xlabel(_axis_label(features), **text_style(size=8))
    axes.set_ylabel("places", **text_style(size=8))
    write_numbers_out(axes.xaxis)
    if (~known).any():
        told = f"{int((~known).sum())} not measured"
        axes.set_title(told, loc="right", pad=3, **text_style(size=7, color=FAINT))
    return figure


def _draw_bars(
    axes: Axes, values: NDArray[np.float64], labels: NDArray[np.int64], classes: Classes | None
) -> None:
    if not values.size:
        return
    edges = _edges(values)
    order = sorted(np.unique(labels).tolist(), key=lambda k: (k < 0, k))
    bottom = np.zeros(len(edges) - 1)
    drop = 0.0
    for k in order:
        style = class_style(k, classes)
        color = _PLAIN if classes is None else style.ink
        here = np.clip(values[labels == k], edges[0], edges[-1])
        counts, _ = np.histogram(here, bins=edges)
        axes.bar(
            edges[:-1],
            counts,
            width=np.diff(edges),
            bottom=bottom,
            align="edge",
            color=color,
            edgecolor="white",
            linewidth=0.3,
            label=f"{style.name}: {len(here)}",
        )
        bottom += counts
        if classes is not None and k >= 0 and len(here) < _FEW:
            drop += 1.0
            axes.plot(
                here,
                np.full(len(here), -0.045 * drop),
                marker="|",
                linestyle="none",
                color=color,
                markersize=6,
                markeredgewidth=1.4,
                transform=axes.get_xaxis_transform(),
                clip_on=False,
            )
    axes.tick_params(axis="x", pad=3 + 5 * drop)
    axes.set_xlim(edges[0], edges[-1])
    if classes is not None:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.01, 1.02),
            frameon=False,
            prop={"family": "DejaVu Sans", "size": 8},
            labelcolor=INK,
        )


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut the range of nearly all values into bars; what lies beyond falls into the last ones."""
    middle = float(np.median(values))
    low, high = np.quantile(values, (0.05, 0.95))
    reach = 4 * max(float(high - low), 1e-12 * max(abs(middle), 1.0))
    low, high = max(values.min(), middle - reach), min(values.max(), middle + reach)
    if not high > low:
        low, high = middle - 0.5, middle + 0.5
    n_bins = int(np.clip(2 * np.sqrt(values.size), 6, _MOST_BINS))
    edges: NDArray[np.float64] = np.linspace(low, high, n_bins + 1)
    return edges


def _axis_label(features: Features) -> str:
    name = str(features.coords["variable"].values[0]) if "variable" in features.coords else ""
    name = name or ("value" if features.name is None else str(features.name))
    unit = str(features.attrs.get("units", "1"))
    return plain_text(name.replace("_", " ") if unit in {"", "1"} else f"{name} [{unit}]")
