"""A vector of every site, such as a displacement, as a field of arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.plotting._arrows import arrows_in_words, color_of_direction, draw_arrows, round_factor
from adatom.plotting._canvas import FAINT
from adatom.plotting._colors import class_style
from adatom.plotting._marks import frame_of, image_of_frame, site_spacing, sites_panel
from adatom.plotting._panels import legend_mark
from adatom.schema import SITES, Classes, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

# Arrows along the longer side of a map: more overlap.
_MOST_ARROWS: Final = 32
# The longest arrows of most, in steps between them.
_REACH: Final = 0.9
# In steps: thin enough that atoms are seen between arrows.
_WIDTH: Final = 0.08
_MOST_CLASSES: Final = 24
_UNCLEAR: Final = "#9aa0a6"
_COMPASS: Final = ((0.0, "+x", ">"), (90.0, "+y", "v"), (180.0, "-x", "<"), (-90.0, "-y", "^"))


class _Arrows(NamedTuple):
    """Vectors at places, each of a site or the mean of a block of sites of one class."""

    places: NDArray[np.float64]
    vectors: NDArray[np.float64]
    label: NDArray[np.int64]
    clear: NDArray[np.bool_]
    n_averaged: float
    step: float


def plot_vector_field(
    sites: Sites,
    image: Image | None = None,
    classes: Classes | None = None,
    /,
    *,
    quantity: str = "displacement",
    exaggeration: float | None = None,
    frame: int | None = None,
) -> Figure:
    """Plot a vector of every site, such as a displacement, as an arrow.

    Where sites are many, arrows are means over blocks (of one class each, if classes
    are given), which the legend tells.

    Parameters
    ----------
    sites : Sites
        With the vector (site, axis), axis y, x, or with its components, named
        as ``displacement_y`` and ``displacement_x`` are. Single sites whose vector
        is within twice its ``displacement_magnitude_error`` are gray.
    image : Image, optional
        Drawn below.
    classes : Classes, optional
        Of these sites: color the arrows, which by default the direction does.
    quantity : str
        Name of the vector.
    exaggeration : float, optional
        How many times longer than the vectors arrows are; by default a round
        number that lets most reach almost to the next. It is told in the legend.
    frame : int, optional
        Of several frames; the first by default.

    Raises
    ------
    KindError
        If the sites have no such vector.
    SettingError
        If `exaggeration` is not positive.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm", spacing=1.0)
    >>> sites["displacement"] = (("site", "axis"), [[0.0, 0.1], [0.1, 0.0]])
    >>> figure = plot_vector_field(sites)
    """
    SITES.check(sites)
    if exaggeration is not None and not exaggeration > 0:
        msg = f"{exaggeration=} must be positive"
        raise SettingError(msg)
    vectors, unit = _vectors_of(sites, quantity)
    labels = np.zeros(sites.sizes["site"], int) if classes is None else classes["label"].values
    marked = sites.assign(
        vector=(("site", "axis"), vectors),
        label=("site", labels),
        clear=("site", _clear(sites, vectors, quantity)),
    )
    here, number = frame_of(marked[["vector", "label", "clear"]], frame)
    arrows = _arrows(here)
    factor = exaggeration or round_factor(arrows.vectors, _REACH * arrows.step)
    legend = _legend(arrows, classes)
    told = arrows_in_words(factor, arrows.vectors, unit)
    told += f"; means of {arrows.n_averaged:.0f} sites" if arrows.n_averaged > 1 else ""
    legend += [
        legend_mark(text, color=FAINT, marker=" ") for text in (quantity.replace("_", " "), told)
    ]
    panel = sites_panel(here, image_of_frame(image, number), legend=legend)
    limits = panel.axes.get_xlim(), panel.axes.get_ylim()
    for color, keep in _by_color(arrows, classes):
        draw_arrows(
            *(panel.axes, arrows.places[keep], factor * arrows.vectors[keep]),
            width=_WIDTH * arrows.step,
            color=color,
            rim=True,
            pivot="middle",
        )
    panel.axes.set_xlim(limits[0])
    panel.axes.set_ylim(limits[1])
    return panel.figure


def _vectors_of(sites: xr.Dataset, quantity: str) -> tuple[NDArray[np.float64], str]:
    """Give the vectors (site, axis) and their unit."""
    parts = [f"{quantity}_{axis}" for axis in ("y", "x")]
    if quantity in sites and sites[quantity].dims == ("site", "axis"):
        found = [sites[quantity]]
        vectors = sites[quantity].values.astype(np.float64)
    elif all(part in sites and sites[part].dims == ("site",) for part in parts):
        found = [sites[part] for part in parts]
        vectors = np.stack([part.values for part in found], axis=1).astype(np.float64)
    else:
        names = [str(name) for name, one in sites.items() if one.dims == ("site", "axis")]
        names += [
            str(name)[:-2]
            for name in sites
            if str(name).endswith("_y") and f"{str(name)[:-2]}_x" in sites
        ]
        msg = (
            f"{quantity=} is no vector of these sites, which carry {', '.join(names) or 'none'}: "
            "displacements are those of crystallography.estimate_polarization"
        )
        raise KindError(msg)
    return vectors, str(found[0].attrs.get("units", space_unit(sites)))


def _clear(sites: xr.Dataset, vectors: NDArray[np.float64], quantity: str) -> NDArray[np.bool_]:
    """Tell the vectors that are more than twice their error."""
    error = sites.get(f"{quantity}_magnitude_error")
    if error is None:
        return np.ones(len(vectors), dtype=bool)
    return np.asarray(np.linalg.norm(vectors, axis=1) > 2 * error.values)


def _arrows(sites: xr.Dataset) -> _Arrows:
    """Average places and vectors over blocks, class by class, if there are too many."""
    places, vectors = positions(sites), sites["vector"].values
    label, clear = sites["label"].values.astype(np.int64), sites["clear"].values
    known = np.isfinite(places).all(axis=1) & np.isfinite(vectors).all(axis=1)
    places, vectors, label, clear = (part[known] for part in (places, vectors, label, clear))
    spacing = site_spacing(sites)
    step = float(np.ptp(places, axis=0).max()) / _MOST_ARROWS if len(places) else 0.0
    if step < spacing:
        return _Arrows(places, vectors, label, clear, 1.0, spacing)
    # Blocks hardly larger than a cell would hold now one site and now two.
    step = max(step, 2 * spacing)
    block = ((places - places.min(axis=0)) / step).astype(np.int64)
    keys = np.column_stack([block, label])
    found, member, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    member = member.ravel()
    means = [
        np.column_stack([np.bincount(member, part[:, axis]) / count for axis in (0, 1)])
        for part in (places, vectors)
    ]
    # Sites share neighbors: what the error of a mean is they do not tell.
    every = np.ones(len(found), dtype=bool)
    return _Arrows(means[0], means[1], found[:, 2], every, float(count.mean()), step)


def _by_color(
    arrows: _Arrows, classes: xr.Dataset | None
) -> list[tuple[str | None, NDArray[np.bool_]]]:
    """Give the arrows of each color, none for that of the direction; those unclear first."""
    drawn: list[tuple[str | None, NDArray[np.bool_]]] = [(_UNCLEAR, ~arrows.clear)]
    if classes is None:
        drawn.append((None, arrows.clear))
    else:
        drawn += [
            (class_style(k, classes).color, arrows.clear & (arrows.label == k))
            for k in np.unique(arrows.label).tolist()
        ]
    return [(color, keep) for color, keep in drawn if keep.any()]


def _legend(arrows: _Arrows, classes: xr.Dataset | None) -> list[Line2D]:
    if classes is None:
        legend = [
            legend_mark(name, color=color_of_direction(angle), marker=marker)
            for angle, name, marker in _COMPASS
        ]
    else:
        styles = [class_style(k, classes) for k in np.unique(arrows.label)[:_MOST_CLASSES].tolist()]
        legend = [legend_mark(style.name, color=style.color, marker=">") for style in styles]
    if not arrows.clear.all():
        legend.append(legend_mark("within twice the error", color=_UNCLEAR, marker=">"))
    return legend
