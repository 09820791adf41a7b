"""Figures drawn without pyplot: no global state, safe in threads and notebooks."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter

INK: Final = "#1a1a1a"
FAINT: Final = "#5f6368"
RULE: Final = "#c9ccd1"
# Shipped with matplotlib itself, so that pictures look alike on every machine.
FONT: Final = "DejaVu Sans"
DPI: Final = 160


class StillFigure(Figure):
    """A figure that a notebook shows although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        return png_from_figure(self)


def new_figure(width: float, height: float, /) -> StillFigure:
    """Make an empty white figure, sizes in inches."""
    figure = StillFigure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png_from_figure(figure: Figure, /, *, dpi: int = DPI) -> bytes:
    """Render a figure; the same figure gives the same bytes.

    Examples
    --------
    >>> png_from_figure(new_figure(1, 1))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=dpi,
        metadata={"Software": None},
        # Noise does not get smaller by pressing harder, it takes twice as long.
        pil_kwargs={"compress_level": 1},
    )
    return buffer.getvalue()


def place_axes(figure: Figure, left: float, bottom: float, width: float, height: float, /) -> Axes:
    """Add axes at a place given in inches from the lower left corner."""
    total_width, total_height = figure.get_size_inches()
    return figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, height / total_height)
    )


def text_style(*, size: float = 8.5, color: str = INK, bold: bool = False) -> dict[str, Any]:
    """Give the properties of every text: never mathtext, since names are not ours."""
    return {
        "fontfamily": FONT,
        "fontsize": size,
        "color": color,
        "fontweight": "bold" if bold else "normal",
        "parse_math": False,
        "usetex": False,
    }


def plain_text(text: object, /, *, limit: int = 48) -> str:
    """Give text that the font can draw on one line, cut where it is too long.

    Examples
    --------
    >>> plain_text("height   in nm", limit=7)
    'height…'
    """
    drawable = _drawable_characters()
    line = " ".join(str(text).split())
    shown = "".join(c if ord(c) in drawable else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


@cache
def _drawable_characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def style_axes(axes: Axes, /) -> None:
    """Give plain axes with ticks: thin lines, readable numbers, no box."""
    axes.set_facecolor("white")
    axes.tick_params(colors=FAINT, labelsize=7.5, labelfontfamily=FONT, width=0.6, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT)
        spine.set_linewidth(0.6)
    axes.grid(visible=False)


def write_numbers_out(axis: Axis, /) -> None:
    """Write every number of an axis whole: a common factor at its end would be overlooked."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("e+0", "e")))


def hide_axes(axes: Axes, /, *, frame: bool = False) -> None:
    """Take away ticks, and the box unless `frame`."""
    # Invisible, not empty: ticks are then never made, which are most of the cost of axes.
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    axes.set_facecolor("white")
    for spine in axes.spines.values():
        spine.set_visible(frame)
        spine.set_color(RULE)
        spine.set_linewidth(0.6)
