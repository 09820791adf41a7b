"""How the sample moved: shifts of frames with their errors, and the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.collections import LineCollection

from adatom.plotting._canvas import (
    FONT,
    INK,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
)
from adatom.plotting._columns_of import has_columns_of, need_columns_of
from adatom.schema import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS: Final = {"y": "#0072B2", "x": "#D55E00"}
# A fit that leads the next best by less is not sure.
_SURE: Final = 3.0


def is_drift(table: object, /) -> bool:
    """Tell whether a table holds the shifts of frames."""
    return has_columns_of(table, {"frame", "shift_y", "shift_x", "error_y", "error_x", "margin"})


def plot_drift(shifts: Table, /) -> Figure:
    """Plot how far each frame is shifted, with standard errors, and the path of the sample.

    Rings mark frames in which another shift fits nearly alike, as by a lattice vector.

    Parameters
    ----------
    shifts : Table
        ``shifts`` of `correction.register_frames`.

    Raises
    ------
    KindError
        If the table holds no shifts of frames.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"frame": [0, 1], "shift_y": [0.0, 1.0], "shift_x": [0.0, 2.0]}
    >>> columns |= {"error_y": [0.1, 0.1], "error_x": [0.1, 0.1], "margin": [9.0, 9.0]}
    >>> figure = plot_drift(table_from_columns(columns))
    """
    need_columns_of(shifts, is_drift(shifts), "shifts of frames")
    figure = new_figure(7.0, 3.3)
    left = place_axes(figure, 0.75, 0.55, 3.1, 2.45)
    right = place_axes(figure, 4.75, 0.55, 2.05, 2.45)
    unit = plain_text(shifts["shift_y"].attrs.get("units", ""))
    _draw_shifts(left, shifts, unit)
    _draw_path(right, shifts, unit)
    return figure


def _draw_shifts(axes: Axes, shifts: Table, unit: str) -> None:
    style_axes(axes)
    along, label = shifts["frame"].values, "frame"
    if "time" in shifts:
        along, label = shifts["time"].values, f"time [{shifts['time'].attrs.get('units', 's')}]"
    unsure = shifts["margin"].values < _SURE
    style: Any = {"linewidth": 0.9, "markersize": 2.5, "elinewidth": 0.7, "capsize": 0}
    for dim, color in _COLORS.items():
        shift, error = shifts[f"shift_{dim}"].values, shifts[f"error_{dim}"].values
        axes.errorbar(along, shift, error, fmt="o-", color=color, label=f"{dim}", **style)
        axes.plot(
            along[unsure], shift[unsure], "o", markersize=6, markerfacecolor="none",
            markeredgecolor=color, markeredgewidth=0.7,
            label="another shift fits nearly alike" if dim == "x" and unsure.any() else None,
        )  # fmt: skip
    axes.set_xlabel(plain_text(label), **text_style(size=8))
    axes.set_ylabel(f"shift since the first frame [{unit}]", **text_style(size=8))
    axes.legend(
        frameon=False, prop={"family": FONT, "size": 7}, labelcolor=INK, ncols=3,
        loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2,
    )  # fmt: skip


def _draw_path(axes: Axes, shifts: Table, unit: str) -> None:
    style_axes(axes)
    y, x = shifts["shift_y"].values, shifts["shift_x"].values
    known = np.flatnonzero(np.isfinite(y) & np.isfinite(x))
    places = np.column_stack([x, y])[known]
    if len(places) > 1:
        lines = LineCollection(
            list(np.stack([places[:-1], places[1:]], axis=1)), cmap="plasma", linewidths=0.9
        )
        lines.set_array(known[1:].astype(float))
        axes.add_collection(lines)
    axes.errorbar(
        x[known], y[known], shifts["error_y"].values[known], shifts["error_x"].values[known],
        fmt="none", ecolor=INK, elinewidth=0.6,
    )  # fmt: skip
    axes.scatter(x[known], y[known], c=known, cmap="plasma", s=9, zorder=3, linewidths=0)
    for k, name in ((known[:1], "first"), (known[-1:], "last")):
        for number in k.tolist():
            axes.annotate(
                f"{name}: {int(shifts['frame'].values[number])}",
                (x[number], y[number]),
                xytext=(4, 4),
                textcoords="offset points",
                **text_style(size=7),
            )
    axes.set_aspect("equal", adjustable="datalim")
    # As in the image, y points down.
    axes.invert_yaxis()
    axes.set_xlabel(f"x [{unit}]", **text_style(size=8))
    axes.set_ylabel(f"y [{unit}]", **text_style(size=8))
