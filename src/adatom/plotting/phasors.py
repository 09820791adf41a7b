"""The phasor plot: where the decays of pixels lie, and where single lifetimes would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patheffects import withStroke

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    new_figure,
    place_axes,
    style_axes,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.schema import CLASSES, FEATURES, Classes, Features

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Bins across the half circle: finer than pixels of a thousand photons spread.
_BINS: Final = 120
# Fewer pixels than this are seen better one by one.
_FEW: Final = 400
_TICKS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def plot_phasors(
    phasors: Features,
    classes: Classes | None = None,
    /,
    *,
    lifetimes: tuple[float, ...] = (),
) -> Figure:
    """Plot phasors as a histogram over the plane, with the half circle of single lifetimes.

    Parameters
    ----------
    phasors : Features
        (..., phasor) of `curves.phasors_from_decays`.
    classes : Classes, optional
        Of the same places: the center of each class is marked in its color.
    lifetimes : tuple of float
        In ns, marked on the half circle; two or more are joined by the lines
        on which their mixtures lie.

    Raises
    ------
    KindError
        If these are no phasors, or the classes are of other places.

    Examples
    --------
    >>> import xarray as xr
    >>> phasors = xr.DataArray([[0.5, 0.5]], dims=("site", "phasor"),
    ...     attrs={"angular_frequency": 0.5})
    >>> figure = plot_phasors(phasors, lifetimes=(1.0, 4.0))
    """
    FEATURES.check(phasors)
    omega = phasors.attrs.get("angular_frequency")
    if phasors.dims[-1] != "phasor" or omega is None:
        msg = f"found dims {tuple(phasors.dims)}: give what curves.phasors_from_decays gives"
        raise KindError(msg)
    points = phasors.values.reshape(-1, 2).astype(float)
    known = np.isfinite(points).all(axis=1)
    figure = new_figure(7.3, 4.1)
    axes = place_axes(figure, 0.65, 0.55, 4.9, 3.2)
    limits = _limits(points[known])
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    axes.set_aspect("equal", adjustable="box", anchor="SW")
    _draw_points(figure, axes, points[known], limits)
    _draw_circle(axes, float(omega), lifetimes)
    if classes is not None:
        _draw_centers(axes, points, known, classes)
    style_axes(axes)
    axes.set_xlabel("g", **text_style(size=8))
    axes.set_ylabel("s", **text_style(size=8))
    told = f"{int(known.sum())} decays at {1e3 * omega / (2 * np.pi):.4g} MHz"
    if (~known).any():
        told += f"; {int((~known).sum())} without photons"
    axes.set_title(told, loc="left", pad=4, **text_style(size=8))
    return figure


def _limits(points: NDArray[np.float64]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Show the half circle, and beyond it all but one in two hundred of the points."""
    low, high = np.array([-0.03, -0.03]), np.array([1.03, 0.56])
    if len(points):
        spread = np.quantile(points, (0.0025, 0.9975), axis=0)
        low = np.maximum(np.minimum(low, spread[0] - 0.02), -0.5)
        high = np.minimum(np.maximum(high, spread[1] + 0.02), 1.5)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def _draw_points(
    figure: Figure,
    axes: Axes,
    points: NDArray[np.float64],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    if len(points) < _FEW:
        axes.plot(*points.T, "o", color="#0072B2", markersize=3, alpha=0.6, markeredgewidth=0)
        return
    bins = [np.arange(low, high + 1 / _BINS, 1 / _BINS) for low, high in limits]
    counts, g, s = np.histogram2d(points[:, 0], points[:, 1], bins=bins)
    shown = np.ma.masked_equal(counts.T, 0)
    norm = LogNorm(1, max(counts.max(), 2))
    picture = axes.pcolormesh(g, s, shown, cmap="viridis", norm=norm, rasterized=True)
    bar_axes = place_axes(figure, 6.35, 0.55, 0.12, 2.6)
    figure.colorbar(picture, cax=bar_axes)
    style_axes(bar_axes)
    bar_axes.set_ylabel("decays in a bin", **text_style(size=8, color=FAINT))


def _draw_circle(axes: Axes, omega: float, lifetimes: tuple[float, ...]) -> None:
    angle = np.linspace(0, np.pi, 361)
    axes.plot(0.5 + 0.5 * np.cos(angle), 0.5 * np.sin(angle), color=INK, linewidth=0.8)
    axes.plot([0, 1], [0, 0], color=FAINT, linewidth=0.5)
    marked = np.array([1 / (1 - 1j * omega * tau) for tau in lifetimes])
    for tick in _TICKS:
        place = 1 / (1 - 1j * omega * tick)
        # Ticks crowd towards both ends, and would run into marks.
        if place.imag > 0.15 and (not marked.size or np.abs(marked - place).min() > 0.08):
            _draw_tick(axes, place, f"{tick:g} ns", color=FAINT)
    if len(marked) > 1:
        for number, one in enumerate(marked):
            for other in marked[number + 1 :]:
                ends = np.array([one, other])
                axes.plot(ends.real, ends.imag, color="#D55E00", linewidth=0.9, linestyle="--")
    for tau, place in zip(lifetimes, marked, strict=True):
        axes.plot(place.real, place.imag, "o", color="#D55E00", markersize=6, markeredgecolor=INK)
        _draw_tick(axes, place, f"{tau:.3g} ns", color=INK)


def _draw_tick(axes: Axes, place: complex, text: str, *, color: str) -> None:
    outwards = (place - 0.5) / abs(place - 0.5)
    ends = np.array([place, place + 0.012 * outwards])
    axes.plot(ends.real, ends.imag, color=color, linewidth=0.8)
    at = place + 0.03 * outwards
    side = "left" if outwards.real > 0.3 else "right" if outwards.real < -0.3 else "center"
    written = axes.text(
        at.real, at.imag, text, ha=side, va="bottom", **text_style(size=7, color=color)
    )
    # Points may lie below it.
    written.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _draw_centers(
    axes: Axes, points: NDArray[np.float64], known: NDArray[np.bool_], classes: Classes
) -> None:
    CLASSES.check(classes)
    labels = classes["label"].values.ravel()
    if len(labels) != len(points):
        msg = f"{len(points)} phasors, {len(labels)} labels: give the classes of the same places"
        raise KindError(msg)
    for label in np.unique(labels[known & (labels >= 0)]).tolist():
        here = points[known & (labels == label)].mean(axis=0)
        style = class_style(label, classes)
        axes.plot(
            *here,
            marker="s",
            linestyle="none",
            markersize=7,
            markerfacecolor=style.ink,
            markeredgecolor="white",
            label=style.name,
        )
    axes.legend(
        # Inside of the half circle, near the g axis, only mixtures of far lifetimes lie.
        loc="lower center",
        bbox_to_anchor=(0.5, 0.1),
        frameon=False,
        prop={"family": "DejaVu Sans", "size": 7.5},
        labelcolor=INK,
        handletextpad=0.3,
    )
