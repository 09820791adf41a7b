"""Panels that show a map to scale, with scale bar, color bar and legend outside of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from adatom.plotting._canvas import (
    DPI,
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
from adatom.plotting._colors import on_paper
from adatom.plotting._display import contrast_limits, pixel_edges, shown_edges, shown_pixels
from adatom.units import shown_length_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from adatom.plotting._canvas import StillFigure

MAP_SIZE: Final = 6.4
# Whole dots at 160 an inch: pixels of an image of 512 or 1024 then fill whole dots.
_MARGIN: Final = 10 / DPI
_STRIP: Final = 56 / DPI
_BAR_ROOM: Final = 136 / DPI
_LEGEND_ROW: Final = 36 / DPI

SCALE_BAR: Final = "scale bar"
"""Label of the line that is the scale bar, by which it is found again."""

# Dots of a small image: 2.3 inches wide at 160 an inch.
_MOST_SMALL: Final = 368

# Half a percent of dead or hot pixels on either side do not decide the contrast.
PERCENTILES: Final = (0.5, 99.5)


@dataclass(frozen=True)
class MapPanel:
    """A map drawn to scale.

    Attributes
    ----------
    points_per_unit : float
        Points (1/72 inch) that one unit of length takes on paper.
    """

    figure: StillFigure
    axes: Axes
    points_per_unit: float


def map_panel(
    edges: tuple[float, float, float, float],
    /,
    *,
    unit: str,
    colorbar: bool = False,
    legend: Sequence[Line2D] = (),
    remark: str = "",
) -> MapPanel:
    """Lay out a map with its scale bar below it.

    Parameters
    ----------
    edges : tuple of float
        Left, right, bottom, top in the unit of the data.
    unit : {"nm", "mm", "px"}
        For the scale bar.
    colorbar : bool
        Whether to leave room for one at the right.
    legend : sequence of artists
        Entries below the scale bar.
    remark : str
        A few words at the right of the scale bar.
    """
    left, right, bottom, top = edges
    width_data, height_data = abs(right - left) or 1.0, abs(bottom - top) or 1.0
    scale = MAP_SIZE / max(width_data, height_data)
    # A line scan still gets a strip that can be seen; its aspect is given up for that.
    width, height = max(width_data * scale, 0.6), max(height_data * scale, 0.6)
    room = max(width, 3.2)
    columns, rows = _legend_grid(legend, room)
    below = _STRIP + rows * _LEGEND_ROW
    figure = new_figure(
        room + 2 * _MARGIN + (_BAR_ROOM if colorbar else 0.0), height + below + 2 * _MARGIN
    )
    axes = place_axes(figure, _MARGIN, below + _MARGIN, width, height)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    hide_axes(axes)
    _draw_scale_bar(figure, axes, unit=unit, below=below, room=room, remark=remark)
    if legend:
        _draw_legend(figure, legend, columns=columns, height=rows * _LEGEND_ROW)
    return MapPanel(figure, axes, 72 * width / width_data)


def image_panel(
    image: xr.DataArray,
    /,
    *,
    percentiles: tuple[float, float] = PERCENTILES,
    colors: str = "gray",
    legend: Sequence[Line2D] = (),
) -> MapPanel:
    """Draw an image (y, x) with color bar and scale bar."""
    shown = shown_pixels(image)
    remark = f"each dot shown is the mean of {shown.factor} x {shown.factor} pixels"
    panel = map_panel(
        pixel_edges(image),
        unit=str(image.coords["y"].attrs["units"]),
        colorbar=True,
        legend=legend,
        remark=remark if shown.factor > 1 else "",
    )
    low, high = contrast_limits(shown.values, percentiles)
    if colors == "RdBu_r":
        high = max(abs(low), abs(high))
        low = -high
    picture = panel.axes.imshow(
        shown.values,
        extent=shown_edges(image, shown),
        origin="upper",
        cmap=colors,
        norm=Normalize(low, high),
        interpolation="nearest" if max(shown.values.shape) < 512 else "antialiased",
        aspect="auto",
    )
    frame_axes(panel.axes, image)
    draw_colorbar(panel, picture, label=value_label(image), values=shown.values)
    return panel


def draw_small(axes: Axes, image: xr.DataArray | None, title: str, /) -> None:
    """Draw one of several small images side by side, with a title instead of bars."""
    if image is not None:
        shown = shown_pixels(image, max_pixels=_MOST_SMALL)
        low, high = contrast_limits(shown.values, PERCENTILES)
        axes.imshow(
            shown.values,
            cmap="gray",
            vmin=low,
            vmax=high,
            origin="upper",
            aspect="auto",
            extent=shown_edges(image, shown),
        )
        frame_axes(axes, image)
    hide_axes(axes)
    axes.set_title(title, loc="left", pad=3, **text_style(size=8))


def frame_axes(axes: Axes, image: xr.DataArray, /) -> None:
    """Show an image whole and nothing beyond it."""
    left, right, bottom, top = pixel_edges(image)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def value_label(data: xr.DataArray, /) -> str:
    """Name what the values of an array are, with their unit."""
    name = "value" if data.name is None else str(data.name).replace("_", " ")
    unit = str(data.attrs.get("units", "1"))
    return plain_text(name if unit in {"1", ""} else f"{name} [{unit}]")


def scale_bar_length(width: float, unit: str, /) -> tuple[float, str]:
    """Choose a round length of about a quarter of the width, and its text.

    Examples
    --------
    >>> scale_bar_length(4.1, "nm")
    (1.0, '1 nm')
    >>> scale_bar_length(0.3, "nm")
    (0.1, '0.1 nm')
    """
    most = width / 3
    power = 10.0 ** math.floor(math.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))
    length = float(f"{length:.6g}")
    return length, length_text(length, unit)


def length_text(length: float, unit: str, /, *, digits: int = 3) -> str:
    """Write a length in the unit that needs no zeros: from pm to km, or px.

    Examples
    --------
    >>> length_text(2500.0, "nm")
    '2.5 µm'
    >>> length_text(1e10, "nm")
    '10 m'
    """
    factor, shown = shown_length_unit(length, unit)
    size = length / factor
    return f"{size:.{max(digits, len(str(int(abs(size)))))}g} {shown}"


def _draw_scale_bar(
    figure: StillFigure, axes: Axes, *, unit: str, below: float, room: float, remark: str
) -> None:
    width = axes.get_position().width * figure.get_size_inches()[0]
    strip = place_axes(figure, _MARGIN, below - _STRIP + _MARGIN, width, _STRIP)
    hide_axes(strip)
    left, right = axes.get_xlim()
    strip.set_xlim(left, right)
    strip.set_ylim(0, 1)
    length, text = scale_bar_length(abs(right - left), unit)
    start = left + 0.004 * (right - left)
    strip.plot(
        [start, start + length],
        [0.55, 0.55],
        color=INK,
        linewidth=3.2,
        solid_capstyle="butt",
        label=SCALE_BAR,
    )
    gap = 0.08 * (right - left) / width
    strip.text(start + length + gap, 0.55, text, va="center", **text_style(bold=True))
    if remark:
        strip.text(
            left + (right - left) * room / width,
            0.5,
            remark,
            ha="right",
            va="center",
            **text_style(size=6.5, color=FAINT),
        )


def draw_colorbar(
    panel: MapPanel,
    picture: ScalarMappable,
    /,
    *,
    label: str,
    values: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
) -> None:
    """Draw the color bar of a picture at the right of its panel, pointed where values go on."""
    low, high = picture.get_clim()
    box, (width, _) = panel.axes.get_position(), panel.figure.get_size_inches()
    bar_axes = panel.figure.add_axes((box.x1 + 0.1 / width, box.y0, 0.12 / width, box.height))
    measured = values[np.isfinite(values)]
    below, above = bool((measured < low).any()), bool((measured > high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(
        (below, above), "both"
    )
    bar = panel.figure.colorbar(picture, cax=bar_axes, extend=extend, extendfrac=0.02)
    style_axes(bar_axes)
    bar.outline.set_linewidth(0.4)
    write_numbers_out(bar_axes.yaxis)
    bar_axes.set_ylabel(label, **text_style(size=8, color=FAINT))


def _legend_grid(legend: Sequence[Line2D], room: float) -> tuple[int, int]:
    if not legend:
        return 0, 0
    longest = max(len(str(entry.get_label())) for entry in legend)
    columns = min(len(legend), max(1, int(room / (0.42 + 0.078 * longest))))
    return columns, -(-len(legend) // columns)


def _draw_legend(
    figure: StillFigure, legend: Sequence[Line2D], *, columns: int, height: float
) -> None:
    _, total = figure.get_size_inches()
    drawn = figure.legend(
        handles=list(legend),
        loc="upper left",
        bbox_to_anchor=(0.0, (height + _MARGIN) / total),
        ncols=columns,
        frameon=False,
        prop={"family": "DejaVu Sans", "size": 8.5},
        labelcolor=INK,
        borderpad=0.1,
        handletextpad=0.3,
        columnspacing=1.3,
        labelspacing=0.45,
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)


def legend_mark(label: str, /, *, color: str, marker: str = "o", filled: bool = True) -> Line2D:
    """Make the entry of a legend for a kind of mark."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        markersize=7,
        markeredgewidth=1.0 if filled else 1.6,
        markerfacecolor=color if filled else "none",
        markeredgecolor=INK if filled and marker != "x" else on_paper(color),
        label=plain_text(label, limit=60),
    )
