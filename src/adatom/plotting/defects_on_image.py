"""Defects over their image: atoms by element, bonds, missing atoms, and what each is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from adatom.defects.records import MISSING, Defects, check_defects
from adatom.plotting._canvas import plain_text, text_style
from adatom.plotting._colors import MISSING_ATOM, element_color
from adatom.plotting._marks import draw_marks, draw_rings, mark_size, site_spacing, sites_panel
from adatom.plotting._panels import MapPanel, legend_mark
from adatom.schema import IMAGE, Image, positions

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DARK: Final = "#202124"
_GRAY: Final = "#B0B5BB"
_UNKNOWN: Final = "?"
_CORE: Final = 0.62
# Neighbors are smaller: what they surround is the defect.
_NEIGHBOR: Final = 0.42
_LABEL: Final = 8.0
DOUBTFUL: Final = 0.1
"""Confidence below which the name of a defect is gray, and a report calls it doubtful.

That of clusters is too low, as of independent atoms: one of three Si that is plainly seen has 0.4.
"""
# Of letters and of a line, in sizes of the font.
_LETTER: Final = 0.65
_LINE: Final = 1.3


def plot_defects(found: Defects, image: Image | None = None, /) -> Figure:
    """Plot defects over their image, each with its atoms, bonds and name.

    Atoms are rings in the color of their element, so that the image is seen in
    them; those of the ideal crystal around a defect are smaller. Missing
    atoms are crosses. A defect without a name has its kind; names of doubtful ones,
    of a confidence below 0.1, are gray. Of labels that would
    lie on one another that of the more confident defect is written.

    Parameters
    ----------
    found : Defects
        From `defects.find_defects` or `defects.find_lattice_defects`.
    image : Image, optional
        Drawn below.

    Raises
    ------
    KindError
        If these are no defects.

    Examples
    --------
    >>> from adatom.defects import find_defects
    >>> from adatom.simulation import Flake, build_graphene
    >>> flake = Flake(threefold=0.01, fourfold=0.0, vacancies=0.0, divacancies=0.0)
    >>> atoms = build_graphene(flake=flake, field=(2.0, 2.0)).atoms
    >>> figure = plot_defects(find_defects(atoms))
    """
    check_defects(*found)
    if image is not None:
        IMAGE.check(image, name="image")
    species = found.members["species"].values.astype(str)
    names = sorted(set(species), key=lambda name: (name == MISSING, name))
    panel = sites_panel(
        found.members, image, legend=[_legend(name, int((species == name).sum())) for name in names]
    )
    # The distance of neighbors; members alone fill no frame evenly.
    spacing = site_spacing(found.defects if "spacing" in found.defects.attrs else found.members)
    is_core = found.members["role"].values == "core"
    place = positions(found.members)
    core, neighbor = (mark_size(panel, spacing, share=share) for share in (_CORE, _NEIGHBOR))
    _draw_bonds(panel, found, np.where(is_core, core, neighbor))
    for name in names:
        here = species == name
        if name == MISSING:
            _draw_missing(panel, place[here], neighbor)
            continue
        for keep, diameter in ((here & is_core, core), (here & ~is_core, neighbor)):
            _draw_atoms(panel, place[keep], diameter, name)
    _write_names(panel, found, spacing)
    return panel.figure


def _legend(name: str, count: int) -> Line2D:
    if name == MISSING:
        return legend_mark(f"missing: {count}", color=MISSING_ATOM, marker="x")
    text = "unknown element" if name == _UNKNOWN else name
    return legend_mark(f"{text}: {count}", color=element_color(name, on_image=True), filled=False)


def _draw_bonds(panel: MapPanel, found: Defects, diameter: Floats) -> None:
    """Draw bonds from rim to rim (`diameter` in points), dotted to where an atom is missing."""
    place = positions(found.members)
    ends = np.stack([found.bonds[end].values for end in ("first", "second")], axis=1)
    rim = 0.5 * diameter[ends] / panel.points_per_unit
    step = place[ends[:, 1]] - place[ends[:, 0]]
    length = np.linalg.norm(step, axis=1)
    drawn = length > rim.sum(axis=1)
    along = step[drawn] / length[drawn, None]
    start = place[ends[drawn, 0]] + rim[drawn, :1] * along
    stop = place[ends[drawn, 1]] - rim[drawn, 1:] * along
    segments = np.stack([start, stop], axis=1)[..., ::-1]
    to_missing = (found.members["species"].values[ends[drawn]] == MISSING).any(axis=1)
    for width, color in ((2.6, _DARK), (1.1, "#FFFFFF")):
        for keep, style, label in (
            (~to_missing, "solid", "bonds"), (to_missing, "dotted", "bonds to missing atoms"),
        ):  # fmt: skip
            lines = LineCollection(
                list(segments[keep]), colors=color, linewidths=width, linestyles=style,
                label=label, zorder=1,
            )  # fmt: skip
            panel.axes.add_collection(lines, autolim=False)


def _draw_atoms(panel: MapPanel, place: Floats, diameter: float, name: str) -> None:
    color = element_color(name, on_image=True)
    width = float(np.clip(diameter / 6, 0.8, 1.8))
    # A dark rim sets the ring off from bright atoms.
    draw_rings(
        panel, place, diameter=diameter, color=_DARK, width=width + 1.4, label=f"{name} edge"
    )
    draw_rings(panel, place, diameter=diameter, color=color, width=width, label=name)


def _draw_missing(panel: MapPanel, place: Floats, diameter: float) -> None:
    draw_marks(
        panel,
        place,
        diameter=max(diameter, 5.0),
        color=MISSING_ATOM,
        marker="x",
        label="missing",
    )


def _write_names(panel: MapPanel, found: Defects, spacing: float) -> None:
    """Write the name of every defect above it, or below where the frame ends."""
    defects = found.defects
    names = [
        plain_text(name or kind, limit=24)
        for name, kind in zip(defects["name"].values, defects["kind"].values, strict=True)
    ]
    owner, y = found.members["defect"].values, positions(found.members)[:, 0]
    line = _LINE * _LABEL / panel.points_per_unit
    gap = 0.45 * spacing
    (left, right), (bottom, top) = panel.axes.get_xlim(), panel.axes.get_ylim()
    colors = np.where(defects["confidence"].values < DOUBTFUL, _GRAY, "#FFFFFF")
    written: list[tuple[float, float, float]] = []
    for k in np.argsort(-defects["confidence"].values, kind="stable"):
        own = y[owner == k]
        half = 0.5 * _LETTER * _LABEL * len(names[k]) / panel.points_per_unit
        middle = float(np.clip(defects["x"].values[k], left + half, max(right - half, left + half)))
        center = float(own.min() - gap - line / 2)
        if center - line / 2 < top:
            center = min(float(own.max() + gap + line / 2), bottom - line / 2)
        if any(
            abs(center - at) < line and abs(middle - x) < half + other for at, x, other in written
        ):
            continue
        written.append((center, middle, half))
        text = panel.axes.text(
            middle, center, names[k],
            ha="center", va="center", **text_style(size=_LABEL, color=colors[k], bold=True),
        )  # fmt: skip
        text.set_path_effects([withStroke(linewidth=2.2, foreground=_DARK)])
