"""Class maps and class spectra of every number of classes, side by side."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    RULE,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.plotting._curves import CurveAxis, curve_axis, draw_curve, finish_curves
from adatom.plotting._display import pixel_edges
from adatom.plotting._panels import length_text, scale_bar_length
from adatom.schema import CLASSES, FEATURES, TABLE, Classes, Features, Table, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_CHOSEN: Final = "#D55E00"
_COLUMNS: Final = 3
# Inches: a cell holds its title, the map, the spectra and the difference of the two that parted.
_CELL_WIDTH: Final = 2.75
_MAP: Final = 2.15
_SPECTRA: Final = 1.15
_DIFFERENCE: Final = 0.6
_GAP: Final = 0.25
_TITLE: Final = 0.55
_BELOW: Final = 0.55
_LEFT: Final = 0.5
_CELL_HEIGHT: Final = _TITLE + _MAP + 0.15 + _SPECTRA + _GAP + _DIFFERENCE + _BELOW
# Spectra that span more than this factor, such as those of a falling background, are drawn on a
# log scale.
_LOG_RANGE: Final = 30.0
# Indices told of every number; the figure of the choice has them all.
_TOLD: Final = {"silhouette": "silhouette", "stability": "stability"}


@dataclass(frozen=True)
class _Cell:
    """One number of classes."""

    number: int
    label: xr.DataArray
    means: NDArray[np.float64]
    split: int
    """The class of the number below that was parted; -1 where that is not known."""
    new: int
    """The class that came of it."""
    told: str
    chosen: bool


def plot_class_sweep(table: Table, classes: Classes, means: Features, /) -> Figure:
    """Plot the map and the spectra of the classes for every number of classes.

    A class keeps its color from number to number. In every cell the two
    classes that the number below took for one are drawn bold, and their
    difference below: what one class more separates, where it lies, and by
    what its spectrum differs.

    Parameters
    ----------
    table : Table
        Of `clustering.compare_n_classes`.
    classes : Classes
        Of the same: ``label`` (n_classes, ...).
    means : Features
        Of the same: (n_classes, class, ...).

    Raises
    ------
    KindError
        If these are not the results of `clustering.compare_n_classes`.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import table_from_columns
    >>> table = table_from_columns({"n_classes": [1, 2]}).assign_attrs(n_classes=2)
    >>> label = (("n_classes", "y", "x"), np.array([[[0, 0]], [[0, 1]]]))
    >>> classes = xr.Dataset({"label": label}, coords={"n_classes": [1, 2]})
    >>> rows = np.array([[[1.0, 3.0], [np.nan, np.nan]], [[1.0, 2.0], [1.0, 4.0]]])
    >>> means = xr.DataArray(rows, dims=("n_classes", "class", "energy"))
    >>> len(plot_class_sweep(table, classes, means).axes)
    2
    """
    _check(table, classes, means)
    cells = _cells(table, classes, means)
    told = textwrap.wrap(plain_text(table.attrs.get("reason", ""), limit=500), 118)
    head = 0.45 + 0.17 * len(told)
    columns = min(_COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    width = max(columns * _CELL_WIDTH + 0.15, 4.0)
    figure = new_figure(width, head + rows * _CELL_HEIGHT)
    _draw_head(figure, table, told)
    axis = curve_axis(means)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        _draw_cell(
            figure, cell, axis, left=column * _CELL_WIDTH, bottom=(rows - 1 - row) * _CELL_HEIGHT
        )
    return figure


def _check(table: xr.Dataset, classes: xr.Dataset, means: xr.DataArray) -> None:
    TABLE.check(table)
    CLASSES.check(classes)
    FEATURES.check(means)
    found = (classes["label"].dims[:1], means.dims[:2])
    if "n_classes" not in table or found != (("n_classes",), ("n_classes", "class")):
        msg = (
            f"labels are on {classes['label'].dims}, means on {means.dims}; need "
            "('n_classes', ...) and ('n_classes', 'class', ...), as of compare_n_classes"
        )
        raise KindError(msg)


def _cells(table: xr.Dataset, classes: xr.Dataset, means: xr.DataArray) -> list[_Cell]:
    numbers = table["n_classes"].values.astype(int).tolist()
    # A single class has nothing to show, unless there is no other.
    shown = [place for place, number in enumerate(numbers) if number > 1] or [0]
    parted = "new_class" in classes and "split_class" in classes
    cells = []
    for place in shown:
        new, split = (
            (int(classes[name].values[place]) for name in ("new_class", "split_class"))
            if parted
            else (-1, -1)
        )
        told = [
            f"{word} {table[name].values[place]:.2f}"
            for name, word in _TOLD.items()
            if name in table and np.isfinite(table[name].values[place])
        ]
        cells.append(
            _Cell(
                number=numbers[place],
                label=classes["label"].isel(n_classes=place),
                means=means.values[place].astype(float),
                split=split,
                new=new,
                told=", ".join(told),
                chosen=numbers[place] == table.attrs.get("n_classes"),
            )
        )
    return cells


def _draw_head(figure: Figure, table: xr.Dataset, told: list[str]) -> None:
    width, height = figure.get_size_inches()
    chosen = table.attrs.get("n_classes")
    if chosen is not None:
        words = f"recommended: {chosen} class{'' if chosen == 1 else 'es'}"
        style = text_style(size=10, color=_CHOSEN, bold=True)
        figure.text(0.1 / width, 1 - 0.22 / height, words, **style)
    figure.text(
        0.1 / width,
        1 - 0.32 / height,
        "\n".join(told),
        va="top",
        linespacing=1.25,
        **text_style(size=8),
    )


def _draw_cell(figure: Figure, cell: _Cell, axis: CurveAxis, *, left: float, bottom: float) -> None:
    width, height = figure.get_size_inches()
    inside = _CELL_WIDTH - _LEFT - 0.1
    top = bottom + _CELL_HEIGHT
    for line, (words, style) in enumerate(_titles(cell)):
        x, y = (left + _LEFT) / width, (top - 0.17 - 0.16 * line) / height
        figure.text(x, y, words, **style)
    floor = top - _TITLE - _MAP
    _draw_map(place_axes(figure, left + _LEFT, floor, inside, _MAP), cell)
    floor -= 0.15 + _SPECTRA
    spectra = place_axes(figure, left + _LEFT, floor, inside, _SPECTRA)
    _draw_spectra(spectra, cell, axis)
    if cell.new >= 0:
        floor -= _GAP + _DIFFERENCE
        below = place_axes(figure, left + _LEFT, floor, inside, _DIFFERENCE)
        _draw_difference(below, cell, axis)
        # The axis is that of the difference below.
        spectra.set_xlabel("")
        spectra.tick_params(labelbottom=False)


def _titles(cell: _Cell) -> list[tuple[str, dict[str, Any]]]:
    words = f"{cell.number} class{'' if cell.number == 1 else 'es'}"
    if cell.chosen:
        words += " (recommended)"
    color = _CHOSEN if cell.chosen else INK
    titles = [(words, text_style(size=9, color=color, bold=True))]
    if cell.new >= 0:
        titles.append((f"class {cell.new} parts from class {cell.split}", text_style(size=7.5)))
    titles.append((cell.told, text_style(size=7, color=FAINT)))
    return titles


def _draw_map(axes: Axes, cell: _Cell) -> None:
    label = cell.label
    if label.dims == ("y", "x"):
        _draw_area(axes, label)
    elif "y" in label.coords and "x" in label.coords and label.ndim == 1:
        _draw_places(axes, label)
    else:
        _draw_counts(axes, label)


def _draw_area(axes: Axes, label: xr.DataArray) -> None:
    values = label.values
    paint = np.ones((*values.shape, 3))
    for k in np.unique(values).tolist():
        color = class_style(k).color.lstrip("#")
        paint[values == k] = [int(color[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    known = "y" in label.coords and "x" in label.coords
    rows, columns = values.shape
    edges = pixel_edges(label) if known else (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(paint, extent=edges, origin="upper", aspect="equal", interpolation="nearest")
    hide_axes(axes, frame=True)
    if known:
        _draw_scale_bar(axes, label)


def _draw_scale_bar(axes: Axes, label: xr.DataArray) -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    unit = space_unit(label)
    length, _ = scale_bar_length(abs(right - left), unit)
    y = bottom + 0.05 * (top - bottom)
    x = left + 0.05 * (right - left)
    # White below black: seen on any class.
    for line, color in ((4.2, "white"), (1.8, INK)):
        axes.plot([x, x + length], [y, y], color=color, linewidth=line, solid_capstyle="butt")
    words = axes.text(
        x,
        y + 0.03 * (top - bottom),
        length_text(length, unit),
        va="bottom",
        **text_style(size=7),
    )
    words.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8})


def _draw_places(axes: Axes, label: xr.DataArray) -> None:
    y, x = (label.coords[name].values.astype(float) for name in ("y", "x"))
    size = float(np.clip(3000 / max(len(x), 1), 1.0, 20.0))
    for k in np.unique(label.values).tolist():
        here = label.values == k
        axes.scatter(x[here], y[here], s=size, color=class_style(k).color, linewidths=0)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    hide_axes(axes, frame=True)


def _draw_counts(axes: Axes, label: xr.DataArray) -> None:
    names, counts = np.unique(label.values, return_counts=True)
    colors = [class_style(k).color for k in names.tolist()]
    axes.barh(np.arange(len(names)), counts, color=colors)
    axes.set_yticks(np.arange(len(names)), [str(k) for k in names.tolist()])
    axes.invert_yaxis()
    style_axes(axes)
    axes.set_title("rows of each class", loc="left", pad=3, **text_style(size=7, color=FAINT))


def _draw_spectra(axes: Axes, cell: _Cell, axis: CurveAxis) -> None:
    bold = {cell.new, cell.split}
    for k, mean in enumerate(cell.means):
        if not np.isfinite(mean).any():
            continue
        # The two that parted lie on top.
        weight, layer = (1.3, 3) if k in bold or cell.new < 0 else (0.7, 2)
        draw_curve(axes, axis, mean, color=class_style(k).ink, linewidth=weight, zorder=layer)
    known = cell.means[np.isfinite(cell.means)]
    finish_curves(axes, axis, small=True)
    if known.size and known.min() > 0 and known.max() > _LOG_RANGE * known.min():
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.tick_params(labelsize=6.5)
    axes.set_ylabel("mean", **text_style(size=7, color=FAINT))


def _draw_difference(axes: Axes, cell: _Cell, axis: CurveAxis) -> None:
    difference = cell.means[cell.new] - cell.means[cell.split]
    axes.axhline(0, color=RULE, linewidth=0.8, zorder=0)
    draw_curve(axes, axis, difference, color=class_style(cell.new).ink, linewidth=0.9)
    finish_curves(axes, axis, small=True)
    axes.tick_params(labelsize=6.5)
    axes.locator_params(axis="y", nbins=3)
    title = f"class {cell.new} less class {cell.split}"
    axes.set_title(title, loc="left", pad=2, **text_style(size=7, color=FAINT))
