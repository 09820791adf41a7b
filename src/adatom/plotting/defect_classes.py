"""A class of defects in one figure: mean image, atoms, bond lengths, states, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from adatom.defects.records import MISSING
from adatom.plotting._canvas import (
    FAINT,
    FONT,
    INK,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.plotting._colors import OKABE_ITO, element_color, on_paper
from adatom.plotting._display import contrast_limits, pixel_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from adatom.defects.class_cards import ClassCard, Computed, Drawing
    from adatom.schema import Image

_SIDE: Final = 1.9
_GAP: Final = 0.12
_THUMB: Final = 0.94
_MOST_EXAMPLES: Final = 8
_AXIS_ROOM: Final = 0.55
_ATOM: Final = 90.0
_NEIGHBOR: Final = 55.0


def plot_defect_class(card: ClassCard, /) -> Figure:
    """Plot one class of a library of defects.

    Parameters
    ----------
    card : ClassCard
        Parts that it lacks are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.defects import ClassCard, Estimate
    >>> card = ClassCard("Si1C3", "0" * 16, Estimate(3, 1, 8), Estimate(0.1, 0.03, 0.3), 2,
    ...                  bond_lengths={"C-Si": np.array([0.17, 0.172, 0.175])})
    >>> figure = plot_defect_class(card)
    """
    panels = _panels(card)
    examples = list(zip(card.examples, card.captions, strict=True))[:_MOST_EXAMPLES]
    below = _THUMB + 0.3 if examples else 0.0
    wide = _GAP + sum(panel.room + _SIDE + _GAP for panel in panels)
    figure = new_figure(
        max(wide, _GAP + len(examples) * (_THUMB + _GAP), 3.0), below + _SIDE + 0.75
    )
    left = _GAP
    for panel in panels:
        axes = place_axes(figure, left + panel.room, below + 0.45, _SIDE, _SIDE)
        panel.draw(axes)
        axes.set_title(panel.title, loc="left", pad=4, **text_style(size=7.5))
        left += panel.room + _SIDE + _GAP
    for number, (example, caption) in enumerate(examples):
        axes = place_axes(figure, _GAP + number * (_THUMB + _GAP), 0.24, _THUMB, _THUMB)
        _draw_image(axes, example)
        axes.text(
            0.5, -0.05, plain_text(caption, limit=22), transform=axes.transAxes,
            ha="center", va="top", **text_style(size=5, color=FAINT),
        )  # fmt: skip
    return figure


class _Panel(NamedTuple):
    title: str
    room: float
    """Left of it for numbers, in inches."""
    draw: Callable[[Axes], None]


def _panels(card: ClassCard) -> list[_Panel]:
    panels = []
    image, drawing = card.mean_image, card.drawing
    if image is not None:
        panels.append(
            _Panel("mean of all, turned alike", 0.0, lambda axes: _draw_mean(axes, image))
        )
    if drawing is not None:
        panels.append(
            _Panel("atoms of the middle one", 0.0, lambda axes: _draw_atoms(axes, drawing))
        )
    if card.bond_lengths:
        panels.append(_Panel("bonds, in projection", 0.35, lambda axes: _draw_bonds(axes, card)))
    states = [one for one in card.computed if len(one.energy)]
    if states:
        panels.append(
            _Panel("computed states", _AXIS_ROOM, lambda axes: _draw_states(axes, states))
        )
    return panels


def _draw_image(axes: Axes, image: Image) -> None:
    low, high = contrast_limits(image.values, (0.5, 99.5))
    axes.imshow(image.values, cmap="gray", vmin=low, vmax=high, extent=pixel_edges(image))
    hide_axes(axes)


def _draw_mean(axes: Axes, image: Image) -> None:
    _draw_image(axes, image)
    left, right, bottom, top = pixel_edges(image)
    height = bottom - top
    end = right - 0.05 * (right - left)
    # White on black, so that it is seen on any image.
    for width, color in ((4.0, "black"), (2.0, "white")):
        axes.plot([end - 0.1, end], [bottom - 0.06 * height] * 2, color=color, linewidth=width)
    label = axes.text(
        end - 0.05, bottom - 0.08 * height, "0.1 nm",
        ha="center", va="bottom", **text_style(size=6, color="white"),
    )  # fmt: skip
    label.set_path_effects([withStroke(linewidth=1.5, foreground="black")])


def _draw_atoms(axes: Axes, drawing: Drawing) -> None:
    places = drawing.places
    lines = [places[pair][:, ::-1] for pair in drawing.bonds]
    axes.add_collection(LineCollection(lines, colors=FAINT, linewidths=1.4, zorder=1))
    for name in sorted(set(drawing.species)):
        here = np.array([one == name for one in drawing.species])
        is_missing = name == MISSING
        sizes = [
            _NEIGHBOR if drawing.roles[k] == "neighbor" else _ATOM for k in np.flatnonzero(here)
        ]
        axes.scatter(
            places[here, 1], places[here, 0],
            s=sizes,
            facecolors="none" if is_missing else element_color(name),
            edgecolors=FAINT if is_missing else INK,
            linestyles="dotted" if is_missing else "solid",
            linewidths=0.8, zorder=2, label="missing" if is_missing else name,
        )  # fmt: skip
    reach = 1.35 * max(float(np.abs(places).max(initial=0.0)), 0.15)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    axes.set_aspect("equal")
    hide_axes(axes)
    _draw_scale(axes, reach)
    axes.legend(
        loc="upper left", frameon=False, handletextpad=0.2, borderpad=0.1, markerscale=0.6,
        prop=_small_font(),
    )  # fmt: skip


def _draw_scale(axes: Axes, reach: float) -> None:
    """Draw a bar of 0.1 nm, less than a bond of carbon."""
    axes.plot([0.9 * reach - 0.1, 0.9 * reach], [0.92 * reach] * 2, color=INK, linewidth=2)
    axes.text(
        0.9 * reach - 0.05, 0.88 * reach, "0.1 nm", ha="center", va="bottom", **text_style(size=6)
    )


def _draw_bonds(axes: Axes, card: ClassCard) -> None:
    """Draw how the lengths of every sort of bond spread, and ticks where they were computed."""
    every = np.concatenate([np.asarray(one, dtype=float) for one in card.bond_lengths.values()])
    every = every[np.isfinite(every)]
    low, high = (every.min() - 0.01, every.max() + 0.01) if len(every) else (0.1, 0.2)
    bins = np.linspace(low, high, int(np.clip(2 * np.sqrt(len(every)), 8, 40)) + 1)
    for number, (pair, lengths) in enumerate(sorted(card.bond_lengths.items())):
        color = on_paper(OKABE_ITO[number % len(OKABE_ITO)])
        axes.hist(lengths, bins=bins.tolist(), color=color, alpha=0.75, label=plain_text(pair))
        for computed in card.computed:
            for length in computed.bond_lengths.get(pair, ()):
                axes.plot(
                    [length] * 2, [0.93, 1.0], color=color, transform=axes.get_xaxis_transform()
                )
    style_axes(axes)
    write_numbers_out(axes.xaxis)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("length in nm", labelpad=1, **text_style(size=6.5))
    axes.legend(frameon=False, prop=_small_font(), handlelength=0.8, borderpad=0.1)


def _draw_states(axes: Axes, states: Sequence[Computed]) -> None:
    for number, one in enumerate(states):
        color = on_paper(OKABE_ITO[number % len(OKABE_ITO)])
        axes.plot(
            one.energy, one.density, color=color, linewidth=0.9, label=plain_text(one.calculator)
        )
    axes.axvline(0.0, color=FAINT, linewidth=0.6, linestyle="dashed")
    style_axes(axes)
    write_numbers_out(axes.xaxis)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("energy from the Fermi level in eV", labelpad=1, **text_style(size=6.5))
    axes.set_ylabel("states per eV", labelpad=1, **text_style(size=6.5))
    axes.legend(frameon=False, prop=_small_font(), handlelength=0.8, borderpad=0.1)


def _small_font() -> FontProperties:
    return FontProperties(family=FONT, size=6)
