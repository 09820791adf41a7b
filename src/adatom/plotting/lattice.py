"""Rings, grains and dislocations over their image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.collections import PolyCollection

from adatom.errors import KindError
from adatom.plotting._colors import UNCLASSIFIED, class_style
from adatom.plotting._marks import (
    draw_marks,
    draw_rings,
    frame_of,
    image_of_frame,
    mark_size,
    site_edges,
    site_spacing,
    sites_panel,
)
from adatom.plotting._panels import MapPanel, legend_mark
from adatom.schema import SITES, Image, Sites, positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

# By the number of members. Six, of most rings, is calm; five is warm and seven cold, as most
# pictures of graphene show them.
_RING_COLORS: Final = {
    3: "#CC79A7",
    4: "#F0E442",
    5: "#D55E00",
    6: "#56B4E9",
    7: "#0072B2",
    8: "#009E73",
}
_OTHER_RINGS: Final = "#CC79A7"
_USUAL: Final = 0.15
_SPECIAL: Final = 0.65
# Grains beyond these have colors of their own, and no line in the legend.
_MOST_GRAINS: Final = 9
# Of the width of the picture: arrows are to be seen, not measured.
_ARROW: Final = 0.06
_DARK: Final = "#202124"
_BURGERS: Final = "#F0E442"


def has_rings(sites: Sites, /) -> bool:
    """Tell whether sites are the centers of rings."""
    return {"n_members", "corner"} <= set(sites)


def has_dislocations(sites: Sites, /) -> bool:
    """Tell whether sites are the cores of dislocations."""
    return "burgers_vector" in sites


def has_grains(sites: Sites, /) -> bool:
    """Tell whether sites are numbered by the lattice and its grains."""
    return {"lattice_index", "grain", "sublattice"} <= set(sites) and (
        "lattice_vectors" in sites.attrs
    )


def plot_rings(rings: Sites, image: Image | None = None, /, *, frame: int | None = None) -> Figure:
    """Plot rings, colored by the number of their members.

    The most frequent number is drawn faintly, so that others stand out.

    Parameters
    ----------
    rings : Sites
        From `crystallography.find_rings`.
    image : Image, optional
        Drawn below.
    frame : int, optional
        Which frame to show, by default the first with rings.

    Raises
    ------
    KindError
        If the sites are no rings.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import find_rings
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:4, :4]
    >>> figure = plot_rings(find_rings(sites_from_positions(y.ravel(), x.ravel(), unit="nm")))
    """
    SITES.check(rings, name="rings")
    if not has_rings(rings):
        msg = "sites have no rings: make them by crystallography.find_rings(sites)"
        raise KindError(msg)
    here, number = frame_of(rings, frame)
    size = here["n_members"].values
    kinds, counts = np.unique(size, return_counts=True)
    usual = int(kinds[counts.argmax()]) if len(kinds) else 0
    legend = [
        legend_mark(f"{count} of {kind}", color=_ring_color(kind), marker="h")
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]
    panel = sites_panel(here, image_of_frame(image, number), legend=legend)
    corners = here["corner"].values
    for kind in kinds.tolist():
        polygons = corners[size == kind][:, :kind, ::-1]
        panel.axes.add_collection(
            PolyCollection(
                list(polygons),
                facecolors=_ring_color(kind),
                edgecolors=_ring_color(kind),
                alpha=_USUAL if kind == usual else _SPECIAL,
                linewidths=0.6,
                label=f"rings of {kind}",
            ),
            autolim=False,
        )
    return panel.figure


def _ring_color(n_members: int) -> str:
    return _RING_COLORS.get(n_members, _OTHER_RINGS)


def plot_grains(sites: Sites, image: Image | None = None, /, *, frame: int | None = None) -> Figure:
    """Plot sites colored by their grain, with the lattice vectors of each.

    Parameters
    ----------
    sites : Sites
        From `crystallography.assign_lattice_indices`.
    image : Image, optional
        Drawn below.
    frame : int, optional
        Which frame to show, by default the first with sites.

    Raises
    ------
    KindError
        If the sites have no grains.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import assign_lattice_indices
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:5, :5]
    >>> square = neighbor_vectors(sites_from_positions(y.ravel(), x.ravel(), unit="nm"))
    >>> figure = plot_grains(assign_lattice_indices(square))
    """
    SITES.check(sites, name="sites")
    if not has_grains(sites):
        msg = "sites have no grains: run crystallography.assign_lattice_indices(sites) first"
        raise KindError(msg)
    here, number = frame_of(sites, frame)
    grain = here["grain"].values
    grains = np.unique(grain[grain >= 0]).tolist()
    panel = sites_panel(here, image_of_frame(image, number), legend=_grain_legend(grain, grains))
    places = positions(here)
    diameter = min(mark_size(panel, site_spacing(sites), share=0.5), 9.0)
    for k in [-1, *grains]:
        style = class_style(k)
        draw_marks(
            panel,
            places[grain == k],
            diameter=diameter,
            color=style.color,
            marker="x" if k < 0 else "o",
            label=f"grain {k}",
        )
    vectors = np.array(sites.attrs["lattice_vectors"], dtype=float)
    longest = _ARROW * _width(here) * 2
    for k in grains[:_MOST_GRAINS]:
        scale = longest / max(float(np.linalg.norm(vectors[k], axis=1).max()), 1e-12)
        start = places[grain == k].mean(axis=0)
        for vector in vectors[k]:
            _arrow(panel.axes, start, start + scale * vector, "#FFFFFF")
    return panel.figure


def _grain_legend(grain: NDArray[np.int64], grains: list[int]) -> list[Line2D]:
    legend = [
        legend_mark(f"grain {k}: {int((grain == k).sum())} sites", color=class_style(k).color)
        for k in grains[:_MOST_GRAINS]
    ]
    if n := len(grains) - len(legend):
        legend.append(legend_mark(f"and {n} smaller ones", color=UNCLASSIFIED))
    if (grain < 0).any():
        text = f"not indexed: {int((grain < 0).sum())}"
        legend.append(legend_mark(text, color=UNCLASSIFIED, marker="x"))
    return legend


def plot_dislocations(
    dislocations: Sites,
    image: Image | None = None,
    sites: Sites | None = None,
    /,
    *,
    frame: int | None = None,
) -> Figure:
    """Plot the cores of dislocations with arrows along their Burgers vectors.

    Parameters
    ----------
    dislocations : Sites
        From `crystallography.find_dislocations`.
    image : Image, optional
        Drawn below.
    sites : Sites, optional
        Atoms, drawn as dots.
    frame : int, optional
        Which frame to show, by default the first with dislocations.

    Raises
    ------
    KindError
        If the sites are no dislocations.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import find_dislocations
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[-4.5:5, -4.5:5]
    >>> slip = np.arctan2(y, x) / (2 * np.pi)
    >>> atoms = neighbor_vectors(sites_from_positions(y.ravel(), (x + slip).ravel(), unit="nm"))
    >>> figure = plot_dislocations(find_dislocations(atoms), None, atoms)
    """
    SITES.check(dislocations, name="dislocations")
    if not has_dislocations(dislocations):
        msg = "sites have no burgers_vector: make them by crystallography.find_dislocations(sites)"
        raise KindError(msg)
    here, number = frame_of(dislocations, frame)
    atoms = frame_of(sites, number)[0] if sites is not None else here
    legend = [legend_mark(f"{here.sizes['site']} dislocations", color=_BURGERS, filled=False)]
    panel = sites_panel(atoms, image_of_frame(image, number), legend=legend)
    if sites is not None:
        _draw_atoms(panel, atoms)
    places, vectors = positions(here), here["burgers_vector"].values.astype(float)
    draw_rings(panel, places, diameter=14.0, color=_DARK, width=3.4, label="core edge")
    draw_rings(panel, places, diameter=14.0, color=_BURGERS, width=1.8, label="core")
    longest = float(np.linalg.norm(vectors, axis=1).max(initial=0.0))
    scale = _ARROW * _width(atoms) / longest if longest > 0 else 0.0
    for place, vector in zip(places, vectors, strict=True):
        _arrow(panel.axes, place, place + scale * vector, _BURGERS)
    return panel.figure


def _draw_atoms(panel: MapPanel, atoms: Sites) -> None:
    diameter = min(mark_size(panel, site_spacing(atoms), share=0.35), 5.0)
    style = class_style(0)
    draw_marks(
        panel, positions(atoms), diameter=diameter, color=style.color, marker="o", label="sites"
    )


def _width(sites: Sites) -> float:
    left, right, bottom, top = site_edges(sites)
    return max(abs(right - left), abs(bottom - top))


def _arrow(axes: Axes, start: NDArray[np.float64], end: NDArray[np.float64], color: str) -> None:
    """Draw an arrow (y, x) with a dark edge that sets it off from any ground."""
    for width, of in ((4.2, _DARK), (2.0, color)):
        axes.annotate(
            "",
            xy=(float(end[1]), float(end[0])),
            xytext=(float(start[1]), float(start[0])),
            arrowprops={
                "arrowstyle": "->",
                "color": of,
                "linewidth": width,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 14,
            },
        )
