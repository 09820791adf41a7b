"""How many classes: every index against their number."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.schema import TABLE, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_LINE: Final = "#0072B2"
_CHOSEN: Final = "#D55E00"
# What is sought of each index, so that the curves can be read without a manual.
_TITLES: Final = {
    "bic": "BIC (min)",
    "n_modes": "separate modes",
    "gap": "gap (first max)",
    "inertia": "inertia",
    "silhouette": "silhouette (max)",
    "calinski_harabasz": "Calinski-Harabasz (max)",
    "stability": "stability (max)",
    "persistence": "persistence (over 0.5)",
}
# A column of spread belongs to the index whose name it carries.
_SPREADS: Final = ("_error", "_std", "_spread")


def plot_class_choice(table: Table, /) -> Figure:
    """Plot every index against the number of classes, the chosen number marked.

    Parameters
    ----------
    table : Table
        As `clustering.choose_n_classes` gives it: column ``n_classes``, a
        column an index, the choice in ``attrs["n_classes"]`` and why in
        ``attrs["reason"]``.

    Raises
    ------
    KindError
        If there is no column ``n_classes``.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> table = table_from_columns({"n_classes": [1, 2, 3], "bic": [9.0, 4.0, 5.0]})
    >>> len(plot_class_choice(table).axes)
    1
    """
    TABLE.check(table)
    if "n_classes" not in table:
        msg = f"the table has columns {', '.join(map(str, table))}; need n_classes and an index"
        raise KindError(msg)
    numbers = table["n_classes"].values
    names = [name for name in map(str, table) if is_index(table, name)]
    columns = min(4, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    chosen = table.attrs.get("n_classes")
    reason = plain_text(table.attrs.get("reason", ""), limit=400)
    figure_width = max(columns * 1.75 + 0.15, 4.0)
    told = textwrap.wrap(reason, int(figure_width * 13.5))
    head = 0.1 + 0.17 * len(told) + (0.25 if chosen is not None else 0.0)
    figure = new_figure(figure_width, rows * 1.6 + head)
    height = figure.get_size_inches()[1]
    if chosen is not None:
        figure.text(
            0.1 / figure_width,
            1 - 0.22 / height,
            f"chosen: {chosen}",
            **text_style(size=9.5, color=_CHOSEN, bold=True),
        )
    figure.text(
        0.1 / figure_width,
        1 - (head - 0.08) / height,
        "\n".join(told),
        va="bottom",
        linespacing=1.25,
        **text_style(size=8),
    )
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.5 + 1.75 * column, 0.42 + 1.6 * (rows - 1 - row), 1.2, 0.92)
        _draw_index(axes, numbers, table[name].values, _spread_of(table, name), chosen)
        title = _TITLES.get(name, name.replace("_", " "))
        axes.set_title(plain_text(title, limit=28), loc="left", pad=5, **text_style(size=8))
        axes.set_xlabel("number of classes", **text_style(size=7, color=FAINT))
    return figure


def is_index(table: Table, name: str, /) -> bool:
    """Tell whether a column is an index of the sweep: numbers, not the spread of another."""
    numeric = table[name].dtype.kind in "fiu" and name != "n_classes"
    return numeric and not any(
        name.endswith(spread) and name.removesuffix(spread) in table for spread in _SPREADS
    )


def _spread_of(table: Table, name: str) -> NDArray[np.floating] | None:
    found = [f"{name}{spread}" for spread in _SPREADS if f"{name}{spread}" in table]
    return table[found[0]].values if found else None


def _draw_index(
    axes: Axes,
    numbers: NDArray[np.integer],
    values: NDArray[np.floating],
    spread: NDArray[np.floating] | None,
    chosen: int | None,
) -> None:
    axes.plot(numbers, values, color=_LINE, linewidth=1.1, marker="o", markersize=3)
    if spread is not None:
        axes.errorbar(
            numbers, values, yerr=spread, fmt="none", ecolor=_LINE, elinewidth=0.7, capsize=1.5
        )
    if chosen is not None:
        axes.axvline(chosen, color=_CHOSEN, linewidth=0.9, linestyle="--", zorder=0)
        here = values[numbers == chosen]
        if here.size and np.isfinite(here[0]):
            axes.plot([chosen], here[:1], marker="o", markersize=6.5, color=_CHOSEN, zorder=3)
    style_axes(axes)
    axes.tick_params(labelsize=6.5)
    axes.locator_params(axis="y", nbins=4)
    axes.set_xlim(numbers.min() - 0.4, numbers.max() + 0.4)
    step = max(1, len(numbers) // 6)
    axes.set_xticks(numbers[::step])
    write_numbers_out(axes.yaxis)
