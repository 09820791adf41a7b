"""The columns found, and those of a structure, in one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import map_coordinates

from adatom.errors import KindError
from adatom.plotting._canvas import FAINT, INK, hide_axes, new_figure, place_axes, text_style
from adatom.plotting._colors import SITE, class_style
from adatom.plotting._display import contrast_limits
from adatom.schema import IMAGE, TABLE, Image, Table, pixel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_COLUMNS: Final = ("state", "content", "orbit", "along_a", "along_b", "found_a", "found_b")
_MATCHED: Final = "matched"
_MISSING: Final = "not found"
_STRUCTURE: Final = "#D55E00"
# Inches: the longer side of the picture, and room for the legend beside it.
_SIDE: Final = 4.2
_LEGEND: Final = 3.6
_ROW: Final = 0.2
# Columns beyond the cell are drawn up to this share of it, so that a tunnel is seen whole.
_BEYOND: Final = 0.12
_PIXELS: Final = 400
# Two or three steps to a mark of a column, so that the mean cell is laid under it closely.
_STEPS: Final = 60


def has_column_comparison(table: Table, /) -> bool:
    """Tell whether a table lays columns over those of a structure."""
    return set(_COLUMNS) <= set(map(str, table)) and {"a", "b"} <= set(table.attrs)


def plot_column_comparison(table: Table, over: Image | None = None, /) -> Figure:
    """Plot the columns of a structure as rings, and those found as dots, in one cell.

    Parameters
    ----------
    table : Table
        ``columns`` of `crystallography.compare_columns`. Letters are the sets of equivalent
        columns of the structure; rings are dashed where nothing was found, and a cross is
        a column that is not in the structure.
    over : Image, optional
        The mean cell to draw below, as `localization.estimate_motif` gives it. It is
        shifted so that it is brightest where columns were found.

    Raises
    ------
    KindError
        If the table holds no such comparison.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> one = {"along_a": [0.0], "along_b": [0.0], "found_a": [0.02], "found_b": [0.0]}
    >>> known = {"state": ["matched"], "content": ["Sr"], "orbit": [0], "distance": [0.003]}
    >>> table = table_from_columns({**one, **known}).assign_attrs(a=[0.0, 1.0], b=[1.0, 0.0])
    >>> len(plot_column_comparison(table).axes)
    1
    """
    TABLE.check(table, name="table")
    if not has_column_comparison(table):
        msg = f"the table has columns {', '.join(map(str, table))}; need {', '.join(_COLUMNS)}"
        raise KindError(msg)
    vectors = np.array([table.attrs["a"], table.attrs["b"]], dtype=float)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) @ vectors
    margin = 1.2 * _BEYOND * float(np.linalg.norm(vectors, axis=1).min())
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    height, width = (high - low) * _SIDE / float((high - low).max())
    total = max(height, _ROW * (table.sizes["row"] + 1.5))
    figure = new_figure(width + _LEGEND + 0.2, total + 0.2)
    axes = place_axes(figure, 0.1, 0.1 + (total - height) / 2, width, height)
    axes.set_xlim(low[1], high[1])
    axes.set_ylim(high[0], low[0])
    hide_axes(axes, frame=True)
    if over is not None:
        IMAGE.check(over, name="over")
        _draw_mean_cell(axes, table, over, vectors, (low, high))
    axes.plot(corners[:, 1], corners[:, 0], color=FAINT, linewidth=0.9)
    for row in range(table.sizes["row"]):
        _draw_column(axes, table, row, vectors)
        bottom = 0.1 + total - _ROW * (row + 1.2)
        where = (width + 0.35) / (width + _LEGEND + 0.2), bottom / (total + 0.2)
        figure.text(*where, _words(table, row), **text_style(size=8))
    return figure


def _draw_mean_cell(
    axes: Axes, table: Table, mean: Image, vectors: Floats, window: tuple[Floats, Floats]
) -> None:
    """Draw the mean cell over the window, again and again with its periods."""
    low, high = window
    step = float((high - low).max()) / _PIXELS
    y, x = (np.arange(one, other, step) for one, other in zip(low, high, strict=True))
    place = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    fraction = place @ np.linalg.inv(vectors)
    values = _sampled(mean, fraction - _shift(table, mean, vectors), vectors)
    bottom, top = contrast_limits(values, (1.0, 99.8))
    axes.imshow(
        values,
        extent=(x[0] - step / 2, x[-1] + step / 2, y[-1] + step / 2, y[0] - step / 2),
        cmap="gray",
        vmin=bottom,
        vmax=top,
        aspect="auto",
        interpolation="bilinear",
    )


def _sampled(mean: Image, fraction: Floats, vectors: Floats) -> Floats:
    """Read the mean cell at fractions from its middle, all brought to the cell round that."""
    around = (fraction + 0.5) % 1.0 - 0.5
    origin = np.array([mean.coords["y"].values[0], mean.coords["x"].values[0]], dtype=float)
    pixel = (around @ vectors - origin) / np.array(pixel_size(mean))
    values = np.nan_to_num(mean.values.astype(float), nan=float(np.nanmean(mean.values)))
    read: Floats = map_coordinates(values, np.moveaxis(pixel, -1, 0), order=1, mode="nearest")
    return read


def _shift(table: Table, mean: Image, vectors: Floats) -> Floats:
    """Find where the middle of the mean cell lies, in fractions from the origin of the columns."""
    steps = np.arange(_STEPS) / _STEPS
    shift = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1)
    found = np.stack([table["found_a"].values, table["found_b"].values], axis=1)
    found = found[np.isfinite(found).all(axis=1)]
    bright = sum(_sampled(mean, one - shift, vectors) for one in found)
    best: Floats = shift.reshape(-1, 2)[int(np.argmax(bright))]
    return best


def _draw_column(axes: Axes, table: Table, row: int, vectors: Floats) -> None:
    state = str(table["state"].values[row])
    by_structure = np.array([table["along_a"].values[row], table["along_b"].values[row]])
    as_found = np.array([table["found_a"].values[row], table["found_b"].values[row]])
    if np.isfinite(by_structure).all():
        ring: dict[str, Any] = {"s": 260, "facecolors": "none", "edgecolors": _STRUCTURE}
        dashes = "--" if state == _MISSING else "-"
        place = _in_and_around(by_structure) @ vectors
        axes.scatter(place[:, 1], place[:, 0], linewidths=1.4, linestyles=dashes, **ring)
        for y, x in place:
            style = text_style(size=7, color=_STRUCTURE, bold=True)
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
            text = _letter(int(table["orbit"].values[row]))
            axes.annotate(text, (x, y), (9, 8), textcoords="offset points", bbox=box, **style)
    if np.isfinite(as_found).all():
        place = _in_and_around(as_found) @ vectors
        color = class_style(_label(table, row)).color if _label(table, row) >= 0 else SITE
        marker = "o" if state == _MATCHED else "X"
        mark: dict[str, Any] = {"s": 34, "linewidths": 0.7, "edgecolors": INK, "marker": marker}
        axes.scatter(place[:, 1], place[:, 0], c=color, zorder=3, **mark)


def _label(table: Table, row: int) -> int:
    return int(table["class"].values[row]) if "class" in table else -1


def _letter(orbit: int) -> str:
    """Name a set of equivalent columns: a to z, then a2 ..."""
    turn, place = divmod(orbit, 26)
    return chr(ord("a") + place) + (str(turn + 1) if turn else "")


def _words(table: Table, row: int) -> str:
    state = str(table["state"].values[row])
    label = _label(table, row)
    told = f", class {label}" if label >= 0 else ""
    if state not in {_MATCHED, _MISSING}:
        return f"x: {state}{told}"
    name = f"{_letter(int(table['orbit'].values[row]))}: {table['content'].values[row]}"
    if state == _MISSING:
        return f"{name}, {state}"
    distance = f", {1000 * float(table['distance'].values[row]):.1f}"
    if "distance_error" in table:
        distance += f" ± {1000 * float(table['distance_error'].values[row]):.1f}"
    return f"{name}{distance} pm{told}"


def _in_and_around(share: Floats) -> Floats:
    """Give a column and its copies in the next cells, as far as they are drawn."""
    steps = np.stack(np.meshgrid([0, -1, 1], [0, -1, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    copies = share + steps
    return np.asarray(copies[((copies > -_BEYOND) & (copies < 1 + _BEYOND)).all(axis=1)])
