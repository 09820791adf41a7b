"""Maps of features: scores, abundances, parameters of fits, a panel for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.plotting._display import contrast_limits, pixel_edges, shown_edges, shown_pixels
from adatom.plotting._panels import PERCENTILES, image_panel, scale_bar_length
from adatom.schema import FEATURES, Features, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

SETS: Final = frozenset({"component", "measure", "parameter", "element", "endmember", "line"})
"""Last dims whose members are things of their own, not channels of a curve."""

# More panels than this are not compared at a glance.
_MOST_PANELS: Final = 12
_COLUMNS: Final = 4
_ROOM: Final = 1.75
# Inches: beside a scale bar narrower figures have no room for words.
_WIDE: Final = 4.5
# Height of a line of small text.
_NOTE: Final = 0.16
_PANEL_PIXELS: Final = 280
# Noise about zero alone makes no map of two signs: negative values must reach so far.
_SIGNED: Final = 0.25


class _Layout(NamedTuple):
    width: float
    height: float
    columns: int
    rows: int


def plot_feature_maps(features: Features, /) -> Figure:
    """Plot a map of every feature, each with its own color bar.

    Parameters
    ----------
    features : Features
        On (y, x), or along site with places y and x. Numbers of both signs
        are drawn in red and blue about zero. What is the same everywhere, or
        nowhere measured, is named below the maps; at most twelve are shown.

    Raises
    ------
    KindError
        If the rows have no places.

    Examples
    --------
    >>> import xarray as xr
    >>> axes = {n: (n, np.arange(4.0), {"units": "nm"}) for n in ("y", "x")}
    >>> values = np.arange(32.0).reshape(4, 4, 2)
    >>> scores = xr.DataArray(values, dims=("y", "x", "component"), coords=axes)
    >>> len(plot_feature_maps(scores).axes)
    5
    """
    FEATURES.check(features)
    if not has_places(features):
        msg = f"features of dims {features.dims} have no places y and x: plot their histogram"
        raise KindError(msg)
    total = features.shape[-1]
    if total == 1 and features.dims[0] == "y":
        return _one_map(features)
    shown = [k for k in range(total) if varies(features, k)][:_MOST_PANELS] or [0]
    number = len(shown)
    layout = _layout(features, number)
    note = _note(number, total)
    width = layout.columns * (layout.width + 0.75) + 0.15
    foot = 0.42 if width >= _WIDE or not note else 0.42 + _NOTE
    figure = new_figure(width, layout.rows * (layout.height + 0.34) + foot)
    height = figure.get_size_inches()[1]
    for place, index in enumerate(shown):
        row, column = divmod(place, layout.columns)
        left = 0.1 + column * (layout.width + 0.75)
        bottom = height - 0.02 - (row + 1) * (layout.height + 0.34) + 0.06
        axes = place_axes(figure, left, bottom, layout.width, layout.height)
        # Counts of elements have one sign: what lies below zero is noise.
        is_signed = features.dims[-1] != "element"
        picture = _draw_one(axes, _one(features, index), is_signed=is_signed)
        _color_bar(figure, axes, picture)
        title = feature_name(features, index)
        axes.set_title(plain_text(title, limit=26), loc="left", pad=3, **text_style(size=8))
    _tell_scale(figure, features, layout.width, note)
    return figure


def varies(features: xr.DataArray, number: int, /) -> bool:
    """Tell whether one of the features has more than one value."""
    values = shown_pixels(_one(features, number)).values if features.ndim == 3 else (
        _one(features, number).values
    )  # fmt: skip
    known = values[np.isfinite(values)]
    return bool(known.size) and bool(known.min() < known.max())


def _one(features: xr.DataArray, number: int) -> xr.DataArray:
    return features.isel({features.dims[-1]: number})


def _one_map(features: xr.DataArray) -> Figure:
    image = _one(features, 0)
    unit = unit_of_feature(features, 0)
    image = image.assign_attrs(units=unit)
    image.name = feature_name(features, 0).removesuffix(f" [{unit}]")
    _, colors = _norm(shown_pixels(image).values, is_signed=features.dims[-1] != "element")
    return image_panel(image, colors=colors).figure


def has_places(features: xr.DataArray, /) -> bool:
    """Tell whether the rows of features are pixels, or sites with places."""
    if features.dims[:-1] == ("y", "x"):
        return {"y", "x"} <= set(features.coords)
    if features.dims[:-1] != ("site",) or not {"y", "x"} <= set(features.coords):
        return False
    places = np.stack([features.coords[name].values.astype(float) for name in ("y", "x")])
    return bool(np.isfinite(places).all()) and bool((np.ptp(places, axis=1) > 0).any())


def feature_name(features: xr.DataArray, number: int, /) -> str:
    """Name one of the features, with its unit."""
    dim = str(features.dims[-1])
    axis = features.coords.get(dim)
    if features.shape[-1] == 1 and features.name is not None and not _has_names(axis):
        name = str(features.name).replace("_", " ")
    elif axis is None:
        name = f"{dim} {number}"
    elif _has_names(axis):
        name = str(axis.values[number]).replace("_", " ")
    elif dim in {"component", "endmember", "class", "feature"}:
        name = f"{dim} {axis.values[number]}"
    else:
        name = f"{axis.values[number]:.6g} {axis.attrs.get('units', '')}".strip()
    unit = unit_of_feature(features, number)
    return name if unit in {"1", ""} else f"{name} [{unit}]"


def _has_names(axis: xr.DataArray | None) -> bool:
    return axis is not None and (axis.dtype.kind in "US" or axis.dtype == object)


def unit_of_feature(features: xr.DataArray, number: int, /) -> str:
    """Give the unit of one of the features: its own, or that of all."""
    along = features.coords.get("unit")
    if along is not None and along.dims == (features.dims[-1],):
        return str(along.values[number])
    return str(features.attrs.get("units", "1"))


def _layout(features: xr.DataArray, number: int) -> _Layout:
    columns = min(_COLUMNS, number)
    left, right, bottom, top = _edges(features)
    aspect = (abs(bottom - top) or 1.0) / (abs(right - left) or 1.0)
    # Strips of very few lines or columns still get panels that can be seen.
    aspect = min(max(aspect, 0.2), 3.0)
    width = min(_ROOM, 2.6 / aspect)
    return _Layout(width, width * aspect, columns, -(-number // columns))


def _edges(features: xr.DataArray) -> tuple[float, float, float, float]:
    if features.dims[0] == "y":
        return pixel_edges(features)
    y, x = (features.coords[name].values.astype(float) for name in ("y", "x"))
    margin = 0.06 * max(np.ptp(y), np.ptp(x), 1e-9)
    return x.min() - margin, x.max() + margin, y.max() + margin, y.min() - margin


def _draw_one(axes: Axes, values: xr.DataArray, *, is_signed: bool) -> ScalarMappable:
    hide_axes(axes, frame=True)
    left, right, bottom, top = _edges(values.expand_dims("feature", -1))
    drawn: ScalarMappable
    if values.dims == ("y", "x"):
        shown = shown_pixels(values, max_pixels=_PANEL_PIXELS)
        norm, colors = _norm(shown.values, is_signed=is_signed)
        drawn = axes.imshow(
            shown.values,
            extent=shown_edges(values, shown),
            origin="upper",
            cmap=colors,
            norm=norm,
            interpolation="nearest",
            aspect="auto",
        )
    else:
        norm, colors = _norm(values.values, is_signed=is_signed)
        drawn = axes.scatter(
            values.coords["x"].values,
            values.coords["y"].values,
            c=values.values,
            s=max(3.0, min(60.0, 4000.0 / max(values.size, 1))),
            cmap=colors,
            norm=norm,
            linewidths=0,
        )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    return drawn


def _norm(
    values: np.ndarray[tuple[int, ...], np.dtype[np.floating]], *, is_signed: bool = True
) -> tuple[Normalize, str]:
    low, high = contrast_limits(values.astype(float), PERCENTILES)
    known = values[np.isfinite(values)]
    if is_signed and known.size and known.min() < 0 < known.max() and low < -_SIGNED * high:
        reach = max(abs(low), abs(high))
        return Normalize(-reach, reach), "RdBu_r"
    return Normalize(low, high), "viridis"


def _color_bar(figure: Figure, axes: Axes, picture: ScalarMappable) -> None:
    box, (width, _) = axes.get_position(), figure.get_size_inches()
    bar_axes = figure.add_axes((box.x1 + 0.05 / width, box.y0, 0.08 / width, box.height))
    bar = figure.colorbar(picture, cax=bar_axes)
    style_axes(bar_axes)
    bar.outline.set_linewidth(0.4)
    bar_axes.yaxis.set_major_locator(MaxNLocator(4))
    write_numbers_out(bar_axes.yaxis)
    bar_axes.tick_params(labelsize=6.5)


def _note(n_shown: int, n_features: int) -> str:
    """Say what of the features is shown, and that colors do not compare between maps."""
    scales = ["each map has a scale of its own"] if n_shown > 1 else []
    shown = [f"{n_shown} of {n_features} vary and are shown"] if n_features > n_shown else []
    return "; ".join(scales + shown)


def _tell_scale(figure: Figure, features: xr.DataArray, width: float, note: str) -> None:
    left, right, _, _ = _edges(features)
    length, text = scale_bar_length(abs(right - left) or 1.0, space_unit(features))
    total_width = figure.get_size_inches()[0]
    inches = width * length / (abs(right - left) or 1.0)
    # The note stands beside the bar where there is room, else below it.
    bottom = 0.05 if total_width >= _WIDE or not note else 0.05 + _NOTE
    strip = place_axes(figure, 0.1, bottom, total_width - 0.2, 0.25)
    hide_axes(strip)
    strip.set_xlim(0, total_width - 0.2)
    strip.set_ylim(0, 1)
    strip.plot([0.02, 0.02 + inches], [0.5, 0.5], color=INK, linewidth=3, solid_capstyle="butt")
    strip.text(0.1 + inches, 0.5, text, va="center", **text_style(bold=True))
    style = text_style(size=6.5, color=FAINT)
    if total_width >= _WIDE:
        strip.text(total_width - 0.25, 0.5, note, ha="right", va="center", **style)
    elif note:
        strip.text(0.02, -_NOTE / 2 / 0.25, note, ha="left", va="center", **style)
