"""Transition matrices: every entry with its interval, and the states as a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.patches import Circle, FancyArrowPatch

from adatom.errors import KindError
from adatom.numerics.markov_chains import closed_parts, stationary_distribution
from adatom.numerics.markov_estimates import normalized_rows
from adatom.plotting._canvas import (
    FAINT,
    INK,
    RULE,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.schema import TRANSITIONS, Transitions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Arrows of less are left out of the network; the matrix shows them.
_SHOWN: Final = 0.02
_CELL: Final = 0.82
_MOST_TEXT: Final = 8
_NETWORK: Final = 4.2
# Of the network, in radii of the ring.
_SPAN: Final = 3.5
_SMALLEST, _LARGEST = 0.12, 0.24
_WIDEST: Final = 9.0
# Points away from a node at which the number of a state that stays is written.
_OUTSIDE: Final = 0.16


def has_transitions(data: object, /) -> bool:
    """Tell whether a dataset holds a transition matrix."""
    return isinstance(data, xr.Dataset) and TRANSITIONS.fits(data) and "probability" in data


def plot_transitions(transitions: Transitions, /) -> Figure:
    """Plot a transition matrix with its intervals, and beside it the states as a network.

    In the network circles are as large as the share of time in each state, arrows as wide
    as transitions are likely; those below 2 % are only in the matrix. The
    number outside of a circle is the chance to stay.

    Parameters
    ----------
    transitions : Transitions
        As `dynamics.estimate_transitions` gives them.

    Raises
    ------
    KindError
        If there is no matrix.

    Examples
    --------
    >>> import xarray as xr
    >>> matrix = {"probability": (("state", "state_to"), [[0.9, 0.1], [0.2, 0.8]])}
    >>> names = {"state": ["A", "B"], "state_to": ["A", "B"]}
    >>> figure = plot_transitions(xr.Dataset(matrix, coords=names))
    """
    TRANSITIONS.check(transitions)
    if not has_transitions(transitions):
        msg = "there is no 'probability': dynamics.estimate_transitions gives it"
        raise KindError(msg)
    names = [plain_text(name, limit=12) for name in transitions["state"].values]
    matrix = transitions["probability"].transpose("state", "state_to").values
    size = min(max(_CELL * len(names), 2.2), 6.0)
    height = max(size + 1.1, _NETWORK + 0.35)
    figure = new_figure(size + 1.3 + _NETWORK + 0.3, height)
    axes = place_axes(figure, 1.05, height - size - 0.75, size, size)
    _draw_matrix(axes, transitions, matrix, names)
    network = place_axes(figure, size + 1.35, (height - _NETWORK) / 2, _NETWORK, _NETWORK)
    _draw_network(network, matrix, names)
    return figure


def _draw_matrix(axes: Axes, transitions: Transitions, matrix: Floats, names: list[str]) -> None:
    n = len(names)
    axes.imshow(np.nan_to_num(matrix), cmap="Blues", vmin=0, vmax=1.15)
    told = "probability_low" in transitions
    ends = [transitions[f"probability_{e}"].values for e in ("low", "high")] if told else []
    for i, j in np.ndindex(n, n):
        color = "white" if matrix[i, j] > 0.65 else INK
        if np.isnan(matrix[i, j]):
            axes.text(j, i, "?", ha="center", va="center", **text_style(size=8, color=FAINT))
            continue
        if n > _MOST_TEXT:
            continue
        shift = 0.12 if told else 0.0
        style = text_style(size=9, color=color)
        axes.text(j, i - shift, f"{matrix[i, j]:.2f}", ha="center", va="center", **style)
        if told and np.isfinite(ends[0][i, j]):
            low, high = float(ends[0][i, j]), float(ends[1][i, j])
            text = f"{low:.2f}\u2013{high:.2f}" if high >= 0.01 else f"< {high:.1g}"
            style = text_style(size=6, color=color)
            axes.text(j, i + 0.2, text, ha="center", va="center", **style)
    axes.set_xticks(range(n), names, **text_style(size=8))
    axes.set_yticks(range(n), names, **text_style(size=8))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("to, one frame later", labelpad=8, **text_style(size=8))
    axes.set_ylabel("from", **text_style(size=8))
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if told:
        share = float(transitions.attrs.get("confidence", 0.95))
        text = f"small: interval of {share:.0%}".replace("%", " %")
        style = text_style(size=7, color=FAINT)
        axes.text(1.0, -0.02, text, transform=axes.transAxes, ha="right", va="top", **style)


def _draw_network(axes: Axes, matrix: Floats, names: list[str]) -> None:
    n = len(names)
    hide_axes(axes)
    axes.set_xlim(-_SPAN / 2, _SPAN / 2)
    axes.set_ylim(-_SPAN / 2, _SPAN / 2)
    axes.set_aspect("equal")
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1) if n > 1 else np.zeros((1, 2))
    share = _shares(matrix)
    top = max(float(np.nanmax(share)), 1e-9) if np.isfinite(share).any() else 1.0
    radius = _SMALLEST + (_LARGEST - _SMALLEST) * np.sqrt(np.nan_to_num(share) / top)
    points = 72 * _NETWORK / _SPAN
    for i, j in np.ndindex(n, n):
        chance = float(matrix[i, j])
        if i == j or not chance >= _SHOWN:
            continue
        axes.add_patch(
            FancyArrowPatch(
                tuple(place[i]),
                tuple(place[j]),
                connectionstyle="arc3,rad=0.14",
                arrowstyle="-|>",
                mutation_scale=7 + _WIDEST * chance,
                linewidth=0.6 + _WIDEST * chance,
                color=class_style(i).ink,
                alpha=0.75,
                shrinkA=points * float(radius[i]),
                shrinkB=points * float(radius[j]) + 1,
            )
        )
    for k, name in enumerate(names):
        style = class_style(k)
        unknown = np.isnan(matrix[k]).all()
        axes.add_patch(
            Circle(
                tuple(place[k]),
                radius[k],
                facecolor="white" if unknown else style.color,
                edgecolor=RULE if unknown else INK,
                linewidth=1.0,
                zorder=3,
            )
        )
        out = place[k] * (1 + radius[k] + _OUTSIDE) if n > 1 else np.array([0.0, 0.5])
        stays = "?" if unknown else f"{matrix[k, k]:.2f}"
        # Words beside a circle begin there, so that long ones do not run into it.
        side = int(np.sign(round(out[0], 1)))
        out[0] -= 0.12 * side
        align = {-1: "right", 0: "center", 1: "left"}[side]
        axes.text(
            float(out[0]),
            float(out[1]),
            f"{name}\n{stays}",
            ha=align,
            va="center",
            **text_style(size=8),
        )


def _shares(matrix: Floats) -> Floats:
    """Give the share of time in every state, NaN where there is none."""
    known = np.flatnonzero(~np.isnan(matrix).all(axis=1))
    share = np.full(len(matrix), np.nan)
    if not len(known):
        return share
    block = normalized_rows(np.nan_to_num(matrix[np.ix_(known, known)]))
    if len(closed_parts(block)) == 1:
        share[known] = stationary_distribution(block)
    return share
