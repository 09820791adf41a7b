"""Domains and the boundaries between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from matplotlib.collections import LineCollection

from adatom.errors import KindError
from adatom.plotting._canvas import INK, text_style
from adatom.plotting._domain_colors import domain_colors, domain_name, region_colors
from adatom.plotting._label_fields import draw_labels, label_field
from adatom.plotting._marks import frame_of, image_of_frame, sites_panel
from adatom.plotting._panels import image_panel, legend_mark, map_panel
from adatom.schema import CLASSES, SITES, Classes, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from adatom.plotting._panels import MapPanel

_MOST_NAMED: Final = 12
_CASING: Final = "#FFFFFF"


def is_boundary(sites: xr.Dataset, /) -> bool:
    """Tell whether sites are the vertices of boundaries."""
    return {"boundary", "class_first", "class_second"} <= set(sites)


def plot_domains(
    classes: Classes,
    image: Image | None = None,
    sites: Sites | None = None,
    boundaries: Sites | None = None,
    /,
) -> Figure:
    """Plot where domains are, with their boundaries as lines.

    Every site tints its cell, every window or pixel itself. Variants of one
    phase have one hue in shades, where ``attrs["phase"]`` of the classes names
    the phase of each.

    Parameters
    ----------
    classes : Classes
        Of the sites of one frame, or of pixels or windows.
    image : Image, optional
        Drawn below.
    sites : Sites, optional
        Where the classes are, if they do not say so themselves.
    boundaries : Sites, optional
        Vertices as of `crystallography.find_boundaries`.

    Raises
    ------
    KindError
        If the classes do not say where they are.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:6, :6]
    >>> sites = sites_from_positions(y.ravel(), x.ravel(), unit="nm")
    >>> classes = xr.Dataset({"label": ("site", (x.ravel() > 2).astype(int))})
    >>> figure = plot_domains(classes, None, sites)
    """
    CLASSES.check(classes)
    labelled = _first_frame(classes, sites)
    field, edges = label_field(labelled)
    labels = [k for k in np.unique(field).tolist() if k >= -1]
    is_region = classes.attrs.get("of") == "region"
    colors = region_colors(field) if is_region else domain_colors(classes, labels)
    legend = _legend(classes, labels, colors)
    if image is not None:
        panel = image_panel(image_of_frame(image, None), legend=legend)  # type: ignore[arg-type]
        limits = panel.axes.get_xlim(), panel.axes.get_ylim()
    else:
        panel = map_panel(edges, unit=space_unit(labelled), legend=legend)
        limits = edges[:2], edges[2:]
    draw_labels(panel.axes, field, edges, colors.__getitem__, alpha=0.5 if image is not None else 1)
    if boundaries is not None:
        draw_boundaries(panel, boundaries)
    if is_region:
        _number_regions(panel, field, edges, labels)
    panel.axes.set_xlim(limits[0])
    panel.axes.set_ylim(limits[1])
    return panel.figure


def _first_frame(classes: xr.Dataset, sites: xr.Dataset | None) -> xr.Dataset:
    label = classes["label"]
    if label.dims[-2:] == ("y", "x"):
        while label.ndim > 2:
            label = label[0]
        return xr.Dataset({"label": label}, attrs=classes.attrs)
    if sites is None:
        if not {"y", "x"} <= set(label.coords):
            msg = "classes do not say where their members are: give the sites too"
            raise KindError(msg)
        sites = xr.Dataset(coords=label.coords, attrs=classes.attrs)
    SITES.check(sites)
    if label.size != sites.sizes["site"]:
        msg = f"{label.size} labels, but {sites.sizes['site']} sites: give those of the classes"
        raise KindError(msg)
    coords = {name: sites.coords[name] for name in ("y", "x", "frame") if name in sites.coords}
    both = xr.Dataset({"label": ("site", label.values)}, coords, sites.attrs)
    here, _ = frame_of(both, None)
    return here


def _legend(classes: xr.Dataset, labels: list[int], colors: dict[int, str]) -> list[Line2D]:
    if classes.attrs.get("of") == "region":
        return []
    counts = {k: int((classes["label"].values == k).sum()) for k in labels}
    return [
        legend_mark(f"{domain_name(k, classes)}: {counts[k]}", color=colors[k], marker="s")
        for k in sorted(labels, key=lambda k: (k < 0, k))[: 2 * _MOST_NAMED]
    ]


def draw_boundaries(panel: MapPanel, boundaries: Sites, /, *, width: float = 1.6) -> None:
    """Draw boundaries as dark lines with a light rim, seen on any ground."""
    lines = boundary_lines(boundaries)
    for color, thickness in ((_CASING, 2.4 * width), (INK, width)):
        panel.axes.add_collection(
            LineCollection(
                lines,
                colors=color,
                linewidths=thickness,
                capstyle="round",
                joinstyle="round",
                zorder=3,
            ),
            autolim=False,
        )


def boundary_lines(boundaries: Sites, /) -> list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Give the vertices (vertex, 2) of each boundary, axis x, y as matplotlib has them."""
    SITES.check(boundaries)
    if not is_boundary(boundaries):
        msg = "these sites are no vertices of boundaries: find_boundaries gives such"
        raise KindError(msg)
    places, number = positions(boundaries)[:, ::-1], boundaries["boundary"].values
    cuts = np.flatnonzero(np.diff(number)) + 1
    return [part for part in np.split(places, cuts) if len(part) > 1]


def _number_regions(
    panel: MapPanel,
    field: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    edges: tuple[float, float, float, float],
    labels: list[int],
) -> None:
    left, right, bottom, top = edges
    rows, columns = field.shape
    for k in [k for k in labels if k >= 0][:_MOST_NAMED]:
        inside = np.argwhere(field == k)
        # The point of the region nearest to its middle: the middle itself may lie outside.
        row, column = inside[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        panel.axes.text(
            left + (column + 0.5) / columns * (right - left),
            top + (row + 0.5) / rows * (bottom - top),
            str(k),
            ha="center",
            va="center",
            zorder=4,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
            **text_style(size=8, bold=True),
        )


def plot_boundaries(
    boundaries: Sites, image: Image | None = None, classes: Classes | None = None, /
) -> Figure:
    """Plot boundaries over the image or the domains that they part.

    Parameters
    ----------
    boundaries : Sites
        Vertices as of `crystallography.find_boundaries`.
    image : Image, optional
        Drawn below.
    classes : Classes, optional
        Domains, if they say where they are.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> line = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    >>> zero = ("site", [0, 0])
    >>> line = line.assign(boundary=zero, class_first=zero, class_second=("site", [1, 1]))
    >>> figure = plot_boundaries(line)
    """
    SITES.check(boundaries)
    if classes is not None:
        return plot_domains(classes, image, None, boundaries)
    panel = sites_panel(boundaries, image, legend=())
    draw_boundaries(panel, boundaries)
    return panel.figure
