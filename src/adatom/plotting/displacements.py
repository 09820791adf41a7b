"""Displacements of tracks: mean squares against lag, lengths of hops, waiting times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import NullFormatter

from adatom.plotting._canvas import (
    FONT,
    INK,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.plotting._columns_of import has_columns_of, need_columns_of
from adatom.schema import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALL: Final = "#0072B2"
_FIT: Final = "#D55E00"
# Curves of more classes than these cannot be told apart.
_MOST_CURVES: Final = 7


def is_msd(table: object, /) -> bool:
    """Tell whether a table holds mean squared displacements."""
    return has_columns_of(table, {"lag", "lag_time", "msd", "msd_low", "msd_high"})


def is_jump_lengths(table: object, /) -> bool:
    """Tell whether a table is a histogram of the lengths of hops."""
    return has_columns_of(table, {"length", "length_low", "length_high", "count"})


def is_waits(table: object, /) -> bool:
    """Tell whether a table tells how long tracks rest."""
    return has_columns_of(table, {"wait", "survival", "expected"})


def plot_msd(msd: Table, diffusion: Table | None = None, /) -> Figure:
    """Plot mean squared displacements with their band of 95 %, and the fit of free motion.

    Parameters
    ----------
    msd : Table
        As `dynamics.estimate_msd` gives it; a curve for all tracks, or
        one for each class.
    diffusion : Table, optional
        ``classes`` of `dynamics.estimate_diffusion`: its line 4 D t + c is
        drawn from the lag of its increments on, and D is told.

    Raises
    ------
    KindError
        If the table holds no mean squared displacements.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"class": [-1, -1], "lag": [1, 2], "lag_time": [0.5, 1.0], "msd": [1.0, 2.0]}
    >>> columns |= {"msd_low": [0.9, 1.7], "msd_high": [1.1, 2.3]}
    >>> figure = plot_msd(table_from_columns(columns))
    """
    need_columns_of(msd, is_msd(msd), "mean squared displacements")
    figure = new_figure(5.4, 3.5)
    axes = place_axes(figure, 0.8, 0.55, 4.35, 2.65)
    style_axes(axes)
    numbers = np.unique(msd["class"].values)
    shown = numbers[numbers >= 0][:_MOST_CURVES] if (numbers >= 0).any() else numbers[:1]
    for number in shown.tolist():
        _draw_class(axes, msd, diffusion, int(number))
    axes.set_xscale("log")
    axes.set_yscale("log")
    time, length = (str(msd[name].attrs.get("units", "")) for name in ("lag_time", "msd"))
    axes.set_xlabel(plain_text(f"lag [{time}]"), **text_style(size=8))
    axes.set_ylabel(plain_text(f"mean squared displacement [{length}]"), **text_style(size=8))
    axes.legend(frameon=False, prop={"family": FONT, "size": 7}, labelcolor=INK)
    return figure


def _draw_class(axes: Axes, msd: Table, diffusion: Table | None, number: int) -> None:
    rows = msd["class"].values == number
    time, mean = msd["lag_time"].values[rows], msd["msd"].values[rows]
    low, high = msd["msd_low"].values[rows], msd["msd_high"].values[rows]
    color, ink, name = _ALL, INK, "all tracks"
    if number >= 0:
        style = class_style(number, msd)
        color, ink, name = style.color, style.ink, style.name
    axes.fill_between(time, low, high, color=color, alpha=0.35, linewidth=0)
    axes.plot(time, mean, "o", color=ink, markersize=2.8, label=plain_text(name))
    if diffusion is None or number not in diffusion["class"].values:
        return
    fit = diffusion.isel(row=int(np.flatnonzero(diffusion["class"].values == number)[0]))
    # Nothing was fitted below the lag of the increments, and motion may not be free there.
    frame = float(time.min()) / float(msd["lag"].values[rows].min())
    shortest = max(float(time.min()), int(diffusion.attrs.get("lag", 1)) * frame)
    lags = np.geomspace(min(shortest, float(time.max())), time.max(), 100)
    line = 4 * float(fit["diffusion"]) * lags + float(fit["offset"])
    unit = str(diffusion["diffusion"].attrs.get("units", ""))
    value, low_end, high_end = (float(fit[f"diffusion{end}"]) for end in ("", "_low", "_high"))
    told = f"D = {value:.3g} ({low_end:.3g} to {high_end:.3g}) {unit}, {fit['motion'].item()}"
    axes.plot(
        lags,
        np.where(line > 0, line, np.nan),
        color=_FIT if number < 0 else ink,
        linewidth=1.2,
        label=plain_text(told, limit=80),
    )


def plot_jump_lengths(lengths: Table, /) -> Figure:
    """Plot how many hops have each length, with intervals of 95 % of the counts.

    Parameters
    ----------
    lengths : Table
        ``lengths`` of `dynamics.count_hops`.

    Raises
    ------
    KindError
        If the table holds no lengths of hops.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"length": [0.5, 1.5], "length_low": [0.0, 1.0], "length_high": [1.0, 2.0]}
    >>> figure = plot_jump_lengths(table_from_columns({**columns, "count": [0, 9]}))
    """
    need_columns_of(lengths, is_jump_lengths(lengths), "lengths of hops")
    figure = new_figure(4.8, 3.0)
    axes = place_axes(figure, 0.7, 0.55, 3.85, 2.15)
    style_axes(axes)
    low, high = lengths["length_low"].values, lengths["length_high"].values
    count = lengths["count"].values
    axes.bar(low, count, high - low, align="edge", color=_ALL, alpha=0.6, linewidth=0)
    there = count > 0
    if "count_low" in lengths and there.any():
        axes.errorbar(
            lengths["length"].values[there],
            count[there],
            np.abs(
                np.stack([lengths[f"count_{end}"].values[there] for end in ("low", "high")])
                - count[there]
            ),
            fmt="none",
            ecolor=INK,
            elinewidth=0.9,
        )
    unit = str(lengths["length"].attrs.get("units", ""))
    axes.set_xlim(0, float(high.max()))
    axes.set_xlabel(plain_text(f"length of a hop [{unit}]"), **text_style(size=8))
    axes.set_ylabel("hops", **text_style(size=8))
    axes.set_title(f"{int(count.sum())} hops", loc="left", pad=6, **text_style(size=8.5))
    return figure


def plot_waiting_times(waits: Table, /) -> Figure:
    """Plot which share of rests lasts longer, beside that of hops without memory.

    Parameters
    ----------
    waits : Table
        ``waits`` of `dynamics.count_hops`.

    Raises
    ------
    KindError
        If the table holds no waiting times.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"wait": [1.0, 3.0], "survival": [0.5, 0.2], "expected": [0.6, 0.2]}
    >>> figure = plot_waiting_times(table_from_columns(columns))
    """
    need_columns_of(waits, is_waits(waits), "waiting times")
    figure = new_figure(4.8, 3.0)
    axes = place_axes(figure, 0.75, 0.55, 3.8, 2.15)
    style_axes(axes)
    wait, survival, expected = (waits[name].values for name in ("wait", "survival", "expected"))
    seen = np.r_[1.0, survival]
    axes.step(np.r_[0.0, wait], np.where(seen > 0, seen, np.nan), where="post", color=_ALL,
              linewidth=1.4, label="rests")  # fmt: skip
    axes.plot(np.r_[0.0, wait], np.r_[1.0, expected], color=_FIT, linewidth=1.2,
              linestyle="--", label="no memory")  # fmt: skip
    axes.set_yscale("log")
    # Numbers between decades, as of shares near one, would run into the name of the axis.
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=min(0.1, 0.8 * float(np.nanmin(np.r_[1.0, seen[seen > 0], expected]))))
    unit = str(waits["wait"].attrs.get("units", ""))
    axes.set_xlabel(plain_text(f"time since the last hop [{unit}]"), **text_style(size=8))
    axes.set_ylabel("share that still rests", **text_style(size=8))
    axes.legend(frameon=False, prop={"family": FONT, "size": 7.5}, labelcolor=INK)
    return figure
