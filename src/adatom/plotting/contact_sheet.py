"""Many small images side by side, each with its name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    INK,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    text_style,
)
from adatom.plotting._display import shown_pixels
from adatom.schema import Image, Sites, positions, space_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_TILE: Final = 1.25
_GAP: Final = 0.08
_LINE: Final = 0.2
_MOST_COLUMNS: Final = 8
# What is drawn on a tile of 1.25 inches.
_PIXELS: Final = 256
# From the palette for people who see colors otherwise (Okabe and Ito 2008); the host stays white.
_COLORS: Final = ("#e69f00", "#56b4e9", "#cc79a7", "#009e73", "#d55e00", "#f0e442")


def plot_contact_sheet(
    patches: Sequence[Image | None],
    titles: Sequence[str],
    /,
    *,
    members: Sequence[Sites] | None = None,
) -> Figure:
    """Draw small images side by side.

    Parameters
    ----------
    patches : sequence of Image or None
        Each in its own gray scale, from its 1st to its 99.5th percentile;
        where there is none, the atoms are drawn alone.
    titles : sequence of str
        One a patch.
    members : sequence of Sites, optional
        Atoms of each, with ``species``, around their center as patches are
        around theirs: the commonest element as small white rings, others
        in color, missing atoms (X) as crosses.
    """
    if len(patches) != len(titles) or (members is not None and len(members) != len(patches)):
        msg = f"{len(patches)} patches need as many titles ({len(titles)}) and members"
        raise KindError(msg)
    n = max(1, len(patches))
    columns = min(_MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.6 * n))))
    rows = math.ceil(n / columns)
    kinds = _kinds(members or [])
    foot = 0.3
    width = columns * (_TILE + _GAP) + _GAP
    height = rows * (_TILE + _LINE + _GAP) + _GAP + foot
    figure = new_figure(width, height)
    for number, (patch, title) in enumerate(zip(patches, titles, strict=True)):
        left = _GAP + (number % columns) * (_TILE + _GAP)
        bottom = height - (number // columns + 1) * (_TILE + _LINE + _GAP)
        axes = place_axes(figure, left, bottom, _TILE, _TILE)
        hide_axes(axes)
        half = _draw_patch(axes, patch)
        if members is not None:
            _draw_members(axes, members[number], half, kinds, on_dark=patch is not None)
        axes.set_title(plain_text(title, limit=22), loc="left", pad=2, **text_style(size=7))
    _write_legend(figure, kinds, _side(patches), width)
    return figure


def _kinds(members: Sequence[Sites]) -> dict[str, str]:
    """Give a color to every element, the commonest none."""
    names = [str(name) for sites in members for name in sites["species"].values]
    found = sorted({name for name in names if name != "X"}, key=lambda name: -names.count(name))
    colors = {name: _COLORS[k % len(_COLORS)] for k, name in enumerate(found[1:])}
    return {**({found[0]: "white"} if found else {}), **colors}


def _draw_patch(axes: Axes, patch: Image | None) -> float | None:
    """Draw a patch around its center and give half of its side."""
    # Beyond the edge of an image is not dark: it was not measured.
    axes.set_facecolor("#f1f3f4" if patch is None else "#b8c4ce")
    if patch is None:
        return None
    half = float(patch.x.values[-1] - patch.x.values[0]) / 2
    values = shown_pixels(patch, max_pixels=_PIXELS).values
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [1, 99.5]) if known.size else (0.0, 1.0)
    axes.imshow(
        values, cmap="gray", vmin=low, vmax=max(high, low + 1e-12),
        extent=(-half, half, half, -half), interpolation="nearest",
    )  # fmt: skip
    return half


def _draw_members(
    axes: Axes, members: Sites, half: float | None, kinds: dict[str, str], *, on_dark: bool
) -> None:
    places = positions(members)
    role = members["role"].values.astype(str) if "role" in members else np.array([""])
    own = np.isin(role, ("core", "missing"))
    # A patch is cut around the middle of the core, as the place of the defect is.
    middle = places[own].mean(axis=0) if own.any() else places.mean(axis=0)
    places = places - middle
    reach = half or 1.5 * float(np.abs(places).max(initial=0.1))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    axes.set_aspect("equal")
    species = members["species"].values.astype(str)
    for name in np.unique(species):
        here = places[species == name]
        if name == "X":
            axes.scatter(here[:, 1], here[:, 0], s=18, marker="x", c="#d55e00", linewidths=0.9)
            continue
        color = kinds.get(name, "white")
        color = FAINT if color == "white" and not on_dark else color
        axes.scatter(
            here[:, 1], here[:, 0], s=16, facecolors="none", edgecolors=color, linewidths=0.9
        )


def _side(patches: Sequence[Image | None]) -> str:
    """Tell how wide the patches are, if they are alike."""
    sides = [
        (float(patch.x.values[-1] - patch.x.values[0]), space_unit(patch))
        for patch in patches
        if patch is not None
    ]
    if not sides or max(sides)[0] > 1.05 * min(sides)[0]:
        return ""
    return f"each {max(sides)[0]:.2g} {sides[0][1]} wide"


def _write_legend(figure: Figure, kinds: dict[str, str], side: str, width: float) -> None:
    if not kinds and not side:
        return
    axes = place_axes(figure, _GAP, 0.04, width - 2 * _GAP, 0.24)
    hide_axes(axes)
    axes.set_xlim(0, width)
    axes.set_ylim(0, 1)
    for k, (name, color) in enumerate(kinds.items()):
        left = 0.1 + 0.55 * k
        edge = FAINT if color == "white" else color
        axes.scatter([left], [0.5], s=16, facecolors="none", edgecolors=edge, linewidths=0.9)
        axes.text(left + 0.1, 0.5, plain_text(name), va="center", **text_style(size=7, color=INK))
    left = 0.1 + 0.55 * len(kinds)
    axes.text(left, 0.5, plain_text(side), va="center", **text_style(size=7, color=FAINT))
