"""Classes of patches that occur in several orientations: mean pictures, and how often each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.patheffects import withStroke

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    RULE,
    hide_axes,
    new_figure,
    place_axes,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.plotting._glyphs import draw_glyph, glyph_limits, glyph_of
from adatom.plotting._panels import length_text
from adatom.schema import CLASSES, FEATURES, Classes, Features

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_MAX_CLASSES: Final = 24
_CELL: Final = 1.5
_GAP: Final = 0.16
_BARS: Final = 0.62
# Of the half width of a picture: where the arrow begins and ends, beside what it points to.
_ARROW: Final = (0.70, 0.97)


def is_turned_means(means: xr.DataArray, /) -> bool:
    """Tell whether class means were averaged over members that were turned back."""
    return means.dims[0] == "class" and {"class_symmetry", "direction"} <= set(means.coords)


def is_orientations(classes: xr.Dataset, /) -> bool:
    """Tell whether classes are the orientations of patches."""
    return {"angle", "mirrored", "direction"} <= set(classes)


def plot_turned_classes(
    means: Features, classes: Classes | None = None, orientations: Classes | None = None, /
) -> Figure:
    """Plot the mean picture of every class in its first orientation, and how often each occurs.

    The arrow points to where the class departs most from its mean over all
    orientations. Each picture has its own grays, as classes may differ much
    in brightness. Bars count members by orientation, over the operations of
    the group in their order.

    Parameters
    ----------
    means : Features
        ``means`` of `clustering.cluster_turned_patches`.
    classes, orientations : Classes, optional
        Of the same clustering, for the bars.

    Raises
    ------
    KindError
        If the means are not of turned classes.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> means = xr.DataArray(
    ...     np.eye(3).reshape(1, 9),
    ...     dims=("class", "feature"),
    ...     coords={
    ...         "count": ("class", [5]),
    ...         "direction": ("class", [10.0]),
    ...         "class_symmetry": ("class", ["C1"]),
    ...     },
    ...     attrs={"patch_shape": [3, 3]},
    ... )
    >>> figure = plot_turned_classes(means)
    """
    FEATURES.check(means, name="means")
    if not is_turned_means(means):
        msg = (
            f"means of dims {means.dims} have no direction and class_symmetry: give the means of "
            "clustering.cluster_turned_patches"
        )
        raise KindError(msg)
    bars = None
    if classes is not None and orientations is not None:
        CLASSES.check(classes, name="classes")
        CLASSES.check(orientations, name="orientations")
        bars = _counts(classes, orientations, means.sizes["class"])
    glyph = glyph_of(means)
    values = means.values.astype(float)
    n = min(len(values), _MAX_CLASSES)
    columns = min(5, n)
    rows = -(-n // columns)
    height = _CELL + 0.52 + (_BARS + 0.34 if bars is not None else 0.0)
    width = columns * (_CELL + _GAP) + 0.3
    names = [] if orientations is None else list(orientations.attrs.get("class_names", []))
    mirrored = any("mirrored" in name for name in names)
    foot = _foot(glyph.width, glyph.unit, width, mirrored=mirrored)
    figure = new_figure(width, rows * height + 0.2 + 0.12 * len(foot))
    tallest = 1 if bars is None else max(1, int(bars.max(initial=1)))
    for k in range(n):
        row, column = divmod(k, columns)
        left = 0.2 + column * (_CELL + _GAP)
        top = figure.get_size_inches()[1] - 0.1 - row * height
        axes = place_axes(figure, left, top - 0.42 - _CELL, _CELL, _CELL)
        style = class_style(k)
        limits = glyph_limits(glyph, values[k])
        draw_glyph(axes, glyph, values[k], limits=limits, color=style.ink)
        _draw_direction(axes, float(means.coords["direction"].values[k]), style.ink)
        _name(axes, means, k, style.name)
        if bars is not None:
            below = place_axes(figure, left, top - 0.42 - _CELL - 0.12 - _BARS, _CELL, _BARS)
            _draw_bars(below, bars[k], tallest, style.ink, names)
    size = figure.get_size_inches()
    figure.text(
        *(0.2 / size[0], 0.05 / size[1]),
        "\n".join(foot),
        va="bottom",
        **text_style(size=6.5, color=FAINT),
    )
    return figure


def _counts(classes: xr.Dataset, orientations: xr.Dataset, n: int) -> NDArray[np.int64]:
    """Count members of each class by orientation, (class, operation)."""
    label = classes["label"].values.ravel()
    turn = orientations["label"].values.ravel()
    if label.shape != turn.shape:
        msg = (
            f"{label.size} labels, {turn.size} orientations: give the classes and orientations "
            "of one clustering"
        )
        raise KindError(msg)
    n_operations = orientations.sizes["class"]
    known = (label >= 0) & (turn >= 0)
    flat = np.bincount(label[known] * n_operations + turn[known], minlength=n * n_operations)
    return flat.reshape(n, n_operations)


def _draw_direction(axes: Axes, direction: float, color: str) -> None:
    if not np.isfinite(direction):
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    middle = np.array([(left + right) / 2, (bottom + top) / 2])
    half = min(abs(right - left), abs(top - bottom)) / 2
    # Rows are counted downwards, as y is.
    toward = np.array([np.cos(np.radians(direction)), np.sin(np.radians(direction))])
    tail, head = (tuple((middle + share * half * toward).tolist()) for share in _ARROW)
    style: dict[str, Any] = {"arrowstyle": "-|>", "color": color, "linewidth": 2.0}
    style |= {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    # A light rim sets it off from dark pictures, the color from bright ones.
    style["path_effects"] = [withStroke(linewidth=3.6, foreground="white")]
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)


def _name(axes: Axes, means: xr.DataArray, k: int, name: str) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    count = int(means.coords["count"].values[k])
    symmetry = str(means.coords["class_symmetry"].values[k])
    axes.set_title(name, loc="left", pad=15, **text_style(size=8.5, bold=True))
    told = f"{count} member{'' if count == 1 else 's'}, symmetry {symmetry}"
    axes.text(
        0, 1.03, told, transform=axes.transAxes, va="bottom", **text_style(size=7.5, color=FAINT)
    )


def _draw_bars(
    axes: Axes, counts: NDArray[np.int64], tallest: int, color: str, names: list[str]
) -> None:
    hide_axes(axes)
    axes.set_ylim(0, 1.3 * tallest)
    axes.set_xlim(-0.6, len(counts) - 0.4)
    axes.axhline(0, color=RULE, linewidth=0.8)
    if not counts.any():
        axes.text(
            *(0.5, 0.4, "no orientation\ntold apart"),
            transform=axes.transAxes,
            ha="center",
            va="center",
            **text_style(size=7, color=FAINT),
        )
        return
    axes.bar(np.arange(len(counts)), counts, width=0.7, color=color)
    small = text_style(size=7 if len(counts) <= 6 else 5, color=INK)
    for place, count in enumerate(counts.tolist()):
        if count:
            axes.text(place, count + 0.03 * tallest, f"{count}", ha="center", va="bottom", **small)
    for place, name in enumerate(names):
        # Of mirrored ones the angle of their mirror line, with a stroke before it.
        short = name.replace(" deg", "°").replace("mirrored at ", "|")
        axes.text(
            *(place, -0.06 * tallest, short),
            ha="center",
            va="top",
            rotation=0 if len(names) <= 6 else 90,
            **text_style(size=6.5 if len(names) <= 6 else 5, color=FAINT),
        )


def _foot(width: float, unit: str, inches: float, *, mirrored: bool) -> list[str]:
    told = "arrow: strongest departure from the mean over all orientations; grays of each its own"
    if width > 0 and unit in {"nm", "mm", "px"}:
        told = f"each picture is {length_text(width, unit)} wide; {told}"
    if mirrored:
        told = f"{told}; |30°: mirrored at a line under 30°"
    return textwrap.wrap(told, int(inches * 16))
