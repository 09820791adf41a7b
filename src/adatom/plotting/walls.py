"""What is measured of boundaries: profiles, directions, fractions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.plotting._canvas import (
    FAINT,
    FONT,
    INK,
    RULE,
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
    from matplotlib.figure import Figure

_BAND: Final = "#56B4E9"
_FIT: Final = "#D55E00"


def is_profile(table: Table, /) -> bool:
    """Tell whether a table is a profile across boundaries."""
    return has_columns_of(table, {"distance", "value", "value_low", "value_high"})


def is_directions(table: Table, /) -> bool:
    """Tell whether a table holds lengths of boundary by direction."""
    columns = {"class_first", "class_second", "direction", "length"}
    return has_columns_of(table, columns) and "boundary" not in table


def is_fractions(table: Table, /) -> bool:
    """Tell whether a table holds fractions with intervals."""
    return has_columns_of(table, {"class", "fraction", "fraction_low", "fraction_high"})


def plot_boundary_profile(profile: Table, wall: Table | None = None, /) -> Figure:
    """Plot a quantity across boundaries, with its interval of 95 % as a band.

    Parameters
    ----------
    profile : Table
        As `crystallography.estimate_profile` gives it.
    wall : Table, optional
        The step or peak fitted, told in the title.

    Raises
    ------
    KindError
        If the table is no profile.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"distance": [-1.0, 1.0], "value": [0.0, 1.0]}
    >>> columns |= {"value_low": [-0.1, 0.9], "value_high": [0.1, 1.1]}
    >>> figure = plot_boundary_profile(table_from_columns(columns))
    """
    need_columns_of(profile, is_profile(profile), "profile across boundaries")
    figure = new_figure(5.4, 3.2)
    axes = place_axes(figure, 0.75, 0.55, 4.4, 2.25)
    style_axes(axes)
    distance = profile["distance"].values
    axes.axvline(0, color=RULE, linewidth=0.8, zorder=0)
    axes.fill_between(
        distance,
        profile["value_low"].values,
        profile["value_high"].values,
        color=_BAND,
        alpha=0.4,
        linewidth=0,
        label="95 % interval",
    )
    axes.plot(distance, profile["value"].values, "o", color=INK, markersize=2.6, label="mean")
    if "fit" in profile:
        axes.plot(distance, profile["fit"].values, color=_FIT, linewidth=1.3, label="fit")
    name = str(profile.attrs.get("quantity", "value")).replace("_", " ")
    unit = str(profile["value"].attrs.get("units", "1"))
    space = str(profile["distance"].attrs.get("units", ""))
    axes.set_ylabel(plain_text(name if unit == "1" else f"{name} [{unit}]"), **text_style(size=8))
    axes.set_xlabel(
        plain_text(f"distance from the boundary [{space}]" if space else "distance"),
        **text_style(size=8),
    )
    axes.legend(frameon=False, prop={"family": FONT, "size": 7.5}, labelcolor=INK)
    if wall is not None and wall.sizes.get("row"):
        width, error = float(wall["width"][0]), float(wall["width_error"][0])
        what = "10-90 % width" if wall.attrs.get("shape") == "step" else "width at half height"
        told = f"{what} {width:.3g} ± {error:.1g} {space}"
        axes.set_title(plain_text(told), loc="left", pad=6, **text_style(size=8.5))
    return figure


def plot_boundary_directions(directions: Table, /) -> Figure:
    """Plot the rose of boundary directions: length in each, for every pair of classes.

    A boundary has no sense, so that opposite petals are the same. Angles run
    from +x towards +y, y down, as in the image.

    Parameters
    ----------
    directions : Table
        As `crystallography.find_boundaries` gives it.

    Raises
    ------
    KindError
        If the table holds no directions of boundaries.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"class_first": [0, 0], "class_second": [1, 1], "direction": [0.0, 90.0]}
    >>> figure = plot_boundary_directions(table_from_columns({**columns, "length": [1.0, 2.0]}))
    """
    need_columns_of(directions, is_directions(directions), "directions of boundaries")
    first, second = (directions[f"class_{side}"].values for side in ("first", "second"))
    pairs = np.unique(np.column_stack([first, second]), axis=0)
    length = directions["length"].values
    # The pairs with most boundary come first; twelve roses fill a page.
    totals = [length[(first == a) & (second == b)].sum() for a, b in pairs]
    pairs = pairs[np.argsort(totals, kind="stable")[::-1]][:12]
    columns = min(4, max(1, len(pairs)))
    rows = max(1, -(-len(pairs) // columns))
    figure = new_figure(2.0 * columns + 0.2, 2.35 * rows + 0.1)
    unit = str(directions["length"].attrs.get("units", ""))
    width, height = figure.get_size_inches()
    for place, (a, b) in enumerate(pairs.tolist()):
        row, column = divmod(place, columns)
        box = (
            (0.35 + 2.0 * column) / width,
            (0.3 + 2.35 * (rows - 1 - row)) / height,
            1.5 / width,
            1.5 / height,
        )
        axes = figure.add_axes(box, projection="polar")
        keep = (first == a) & (second == b)
        angle, size = np.radians(directions["direction"].values[keep]), length[keep]
        both = np.concatenate([angle, angle + np.pi])
        step = np.pi / max(len(angle), 1)
        axes.set_theta_direction(-1)  # type: ignore[attr-defined]
        axes.bar(
            both,
            np.concatenate([size, size]),
            width=step,
            color=class_style(a).color,
            edgecolor="white",
            linewidth=0.4,
        )
        axes.set_yticklabels([])
        axes.tick_params(labelsize=6.5, colors=FAINT, labelfontfamily=FONT, pad=-2)
        axes.grid(visible=True, color=RULE, linewidth=0.4)
        axes.spines["polar"].set_color(RULE)
        title = f"classes {a} and {b}: {size.sum():.3g} {unit}"
        axes.set_title(plain_text(title), pad=9, **text_style(size=8))
    return figure


def plot_fractions(fractions: Table, /) -> Figure:
    """Plot the fraction of every class with its interval.

    Parameters
    ----------
    fractions : Table
        As `crystallography.estimate_fractions` gives it.

    Raises
    ------
    KindError
        If the table holds no fractions.

    Examples
    --------
    >>> from adatom.schema import table_from_columns
    >>> columns = {"class": [0, 1], "fraction": [0.4, 0.6]}
    >>> columns |= {"fraction_low": [0.3, 0.5], "fraction_high": [0.5, 0.7]}
    >>> figure = plot_fractions(table_from_columns(columns))
    """
    need_columns_of(fractions, is_fractions(fractions), "fractions")
    n = fractions.sizes["row"]
    figure = new_figure(5.0, 0.3 * n + 0.75)
    axes = place_axes(figure, 0.9, 0.5, 3.9, 0.3 * n + 0.1)
    style_axes(axes)
    names = []
    for row, k in enumerate(fractions["class"].values.tolist()):
        style = class_style(int(k), fractions)
        names.append(style.name)
        low, mean, high = (
            float(fractions[name][row]) for name in ("fraction_low", "fraction", "fraction_high")
        )
        axes.plot([low, high], [row, row], color=style.ink, linewidth=3, solid_capstyle="butt")
        axes.plot([mean], [row], "o", color=INK, markersize=4)
    axes.set_xlim(0, 1)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_yticks(range(n), [plain_text(name, limit=18) for name in names])
    axes.set_xlabel("fraction", **text_style(size=8))
    return figure
