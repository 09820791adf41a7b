"""Vectors of sites: fields over the map, what neighbors of each class do, cells of each class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.plotting._canvas import FAINT, INK, hide_axes, new_figure, place_axes, text_style
from adatom.plotting._colors import SITE, class_style
from adatom.plotting._display import contrast_limits
from adatom.plotting._marks import frame_of, image_of_frame, site_spacing, sites_panel
from adatom.plotting._panels import PERCENTILES, legend_mark, length_text
from adatom.plotting.sites import check_neighbors, slot_means
from adatom.schema import IMAGE, SITES, Classes, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Arrows along the longer side of a map: more overlap.
_MOST_ARROWS: Final = 32
# The longest arrows of most, in steps between them, and in spacings of a star.
_REACH: Final = 0.9
_STAR_REACH: Final = 0.35
_MOST_MEMBERS: Final = 2000
_MOST_CLASSES: Final = 24


def plot_vector_field(
    sites: Sites,
    image: Image | None = None,
    classes: Classes | None = None,
    /,
    *,
    quantity: str,
    exaggeration: float | None = None,
) -> Figure:
    """Plot a vector of every site, such as a displacement, as an arrow.

    Where sites are many, arrows are means over blocks (of one class each, if classes
    are given), which the legend tells.

    Parameters
    ----------
    sites : Sites
        With the vector (site, axis), axis y, x.
    image : Image, optional
        Drawn below.
    classes : Classes, optional
        Of these sites: color the arrows.
    quantity : str
        Name of the vector.
    exaggeration : float, optional
        How many times longer than the vectors arrows are; by default a round
        number that lets most reach almost to the next. It is told in the legend.

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
    >>> figure = plot_vector_field(sites, quantity="displacement")
    """
    SITES.check(sites)
    if quantity not in sites or sites[quantity].dims != ("site", "axis"):
        names = [str(name) for name, one in sites.items() if one.dims == ("site", "axis")]
        msg = f"{quantity=} is no vector (site, axis): there are {', '.join(names) or 'none'}"
        raise KindError(msg)
    if exaggeration is not None and not exaggeration > 0:
        msg = f"{exaggeration=} must be positive"
        raise SettingError(msg)
    labels = np.zeros(sites.sizes["site"], int) if classes is None else classes["label"].values
    marked = sites[[quantity]].assign(label=("site", labels))
    here, number = frame_of(marked, None)
    places, vectors, label, n_averaged, step = _blocks(here, quantity)
    factor = exaggeration or _round_factor(vectors, _REACH * step)
    unit = str(sites[quantity].attrs.get("units", space_unit(sites)))
    numbers = np.unique(label).tolist()
    legend = [
        legend_mark(
            quantity if classes is None else class_style(k, classes).name,
            color=SITE if classes is None else class_style(k, classes).color,
            marker=">",
        )
        for k in numbers[:_MOST_CLASSES]
    ]
    legend.append(legend_mark(_told(factor, n_averaged, vectors, unit), color=FAINT, marker=" "))
    panel = sites_panel(here, image_of_frame(image, number), legend=legend)
    limits = panel.axes.get_xlim(), panel.axes.get_ylim()
    for k in numbers:
        keep = label == k
        color = SITE if classes is None else class_style(k, classes).color
        _draw_arrows(panel.axes, places[keep], factor * vectors[keep], color, step)
    panel.axes.set_xlim(limits[0])
    panel.axes.set_ylim(limits[1])
    return panel.figure


def _blocks(
    sites: xr.Dataset, quantity: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], float, float]:
    """Average places and vectors over blocks, class by class, if there are too many."""
    places, vectors = positions(sites), sites[quantity].values.astype(float)
    label = sites["label"].values.astype(np.int64)
    known = np.isfinite(places).all(axis=1) & np.isfinite(vectors).all(axis=1)
    places, vectors, label = places[known], vectors[known], label[known]
    spacing = site_spacing(sites)
    if not len(places):
        return places, vectors, label, 1.0, spacing
    step = float(np.ptp(places, axis=0).max()) / _MOST_ARROWS
    if step < spacing:
        return places, vectors, label, 1.0, spacing
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
    return means[0], means[1], found[:, 2], float(count.mean()), step


def _round_factor(vectors: NDArray[np.float64], reach: float) -> float:
    length = np.hypot(*vectors.T)
    length = length[np.isfinite(length)]
    usual = float(np.percentile(length, 95)) if len(length) else 0.0
    if not (usual > 0 and reach > 0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(reach / usual))
    return max(step * power for step in (1, 2, 5) if step * power <= reach / usual * (1 + 1e-9))


def _told(factor: float, n_averaged: float, vectors: NDArray[np.float64], unit: str) -> str:
    length = np.hypot(*vectors.T)
    longest = float(np.nanmax(length)) if len(length) else 0.0
    text = f"arrows {factor:g} x, longest {length_text(longest, unit)}"
    return text + (f"; means of {n_averaged:.0f} sites" if n_averaged > 1 else "")


def _draw_arrows(
    axes: Axes,
    places: NDArray[np.float64],
    vectors: NDArray[np.float64],
    color: str,
    step: float,
) -> None:
    # A dark rim below sets arrows off from bright and dark atoms alike.
    for shade, thickness in ((INK, 0.14), (color, 0.08)):
        axes.quiver(
            places[:, 1],
            places[:, 0],
            vectors[:, 1],
            vectors[:, 0],
            angles="xy",
            scale_units="xy",
            scale=1.0,
            units="xy",
            width=thickness * step,
            headwidth=3.2,
            headlength=3.5,
            headaxislength=3.2,
            color=shade,
            pivot="middle",
            zorder=3,
        )


def plot_class_displacements(
    sites: Sites, classes: Classes, /, *, exaggeration: float | None = None
) -> Figure:
    """Plot how the neighbors of each class are displaced from the mean of all classes.

    Open circles are the mean places of the neighbors over all sites; arrows lead
    from there to the mean place within the class, exaggerated alike in all
    panels. They belong to the first reference star.

    Parameters
    ----------
    sites : Sites
        With ``neighbor_vector``.
    classes : Classes
        Of the same sites.
    exaggeration : float, optional
        By default a round number that makes most arrows a third of a spacing long.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or the classes are of others.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 0.0], unit="nm")
    >>> vectors = np.array([[[1.0, 0.0]], [[-1.0, 0.0]]])
    >>> sites = sites.assign(neighbor_vector=(("site", "neighbor", "axis"), vectors))
    >>> figure = plot_class_displacements(sites, xr.Dataset({"label": ("site", [0, 1])}))
    """
    SITES.check(sites)
    check_neighbors(sites, classes)
    labels, vectors = classes["label"].values, sites["neighbor_vector"].values
    first = sites["star_index"].values == 0 if "star_index" in sites else np.ones(len(labels), bool)
    star = slot_means(vectors[first])
    numbers = [k for k in np.unique(labels).tolist() if k >= 0 and (first & (labels == k)).any()]
    numbers = numbers[:_MOST_CLASSES]
    means = [slot_means(vectors[first & (labels == k)]) - star for k in numbers]
    reach = float(np.nanmedian(np.hypot(*star.T))) if np.isfinite(star).any() else 0.0
    # A mean over sublattices that look the other way is at their middle.
    reach = reach or site_spacing(sites)
    factor = exaggeration or _round_factor(
        np.concatenate([*means, np.zeros((0, 2))]), _STAR_REACH * reach
    )
    columns = min(4, len(numbers)) or 1
    rows = max(1, -(-len(numbers) // columns))
    figure = new_figure(1.75 * columns + 0.1, 2.0 * rows + 0.35)
    for place, (k, mean) in enumerate(zip(numbers, means, strict=True)):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.1 + 1.75 * column, 0.3 + 2.0 * (rows - 1 - row), 1.65, 1.65)
        hide_axes(axes, frame=True)
        axes.set_xlim(-1.6 * reach, 1.6 * reach)
        axes.set_ylim(1.6 * reach, -1.6 * reach)
        style = class_style(k, classes)
        axes.plot([0], [0], "o", color=INK, markersize=4)
        axes.plot(star[:, 1], star[:, 0], "o", markerfacecolor="none", color=FAINT, markersize=7)
        known = np.isfinite(mean).all(axis=1)
        _draw_arrows_from(axes, star[known], factor * mean[known], style.ink, reach)
        count = int((first & (labels == k)).sum())
        axes.set_title(f"{style.name}: {count}", loc="left", pad=3, **text_style(bold=True))
    width, height = figure.get_size_inches()
    lengths = np.concatenate([np.zeros(1), *(np.hypot(*mean.T) for mean in means)])
    longest = float(lengths[np.isfinite(lengths)].max())
    told = f"arrows {factor:g} x; longest {length_text(longest, space_unit(sites))}"
    figure.text(0.1 / width, 0.08 / height, told, **text_style(size=7, color=FAINT))
    return figure


def _draw_arrows_from(
    axes: Axes,
    places: NDArray[np.float64],
    vectors: NDArray[np.float64],
    color: str,
    reach: float,
) -> None:
    axes.quiver(
        places[:, 1],
        places[:, 0],
        vectors[:, 1],
        vectors[:, 0],
        angles="xy",
        scale_units="xy",
        scale=1.0,
        units="xy",
        width=0.05 * reach,
        headwidth=3.4,
        headlength=3.6,
        headaxislength=3.2,
        color=color,
        zorder=3,
    )


def plot_class_cells(image: Image, sites: Sites, classes: Classes, /) -> Figure:
    """Plot the mean image around the sites of each class, with the mean places of their neighbors.

    All panels have one gray scale, and are three spacings wide. Of a large
    class 2000 sites, evenly taken, are averaged.

    Parameters
    ----------
    image : Image
    sites : Sites
        Of the image; with ``neighbor_vector`` their neighbors are marked.
    classes : Classes
        Of the sites.

    Raises
    ------
    KindError
        If the classes are of other sites.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> image = image_from_array(np.arange(400.0).reshape(20, 20))
    >>> sites = sites_from_positions([9.0, 9.0], [7.0, 12.0], unit="px", spacing=5.0)
    >>> figure = plot_class_cells(image, sites, xr.Dataset({"label": ("site", [0, 1])}))
    """
    IMAGE.check(image)
    SITES.check(sites)
    labels = classes["label"].values
    if labels.shape != (sites.sizes["site"],):
        msg = (
            f"{sites.sizes['site']} sites, labels of shape {labels.shape}: give those of the sites"
        )
        raise KindError(msg)
    spacing = site_spacing(sites)
    numbers = [k for k in np.unique(labels).tolist() if k >= 0][:_MOST_CLASSES]
    found = {
        k: _mean_patch(image, sites, np.flatnonzero(labels == k), 3 * spacing) for k in numbers
    }
    means = {k: mean for k, mean in found.items() if mean is not None}
    values = np.concatenate([mean.ravel() for mean in means.values()] or [np.zeros(1)])
    low, high = contrast_limits(values, PERCENTILES)
    columns = min(4, len(means)) or 1
    rows = max(1, -(-len(means) // columns))
    figure = new_figure(1.75 * columns + 0.1, 2.0 * rows + 0.35)
    half = 1.5 * spacing
    for place, (k, mean) in enumerate(means.items()):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.1 + 1.75 * column, 0.3 + 2.0 * (rows - 1 - row), 1.65, 1.65)
        hide_axes(axes, frame=True)
        axes.imshow(mean, cmap="gray", vmin=low, vmax=high, extent=(-half, half, half, -half))
        style = class_style(k, classes)
        if "neighbor_vector" in sites:
            around = slot_means(sites["neighbor_vector"].values[labels == k])
            axes.plot(around[:, 1], around[:, 0], "o", markerfacecolor="none",
                      color=style.color, markersize=6, markeredgewidth=1.3)  # fmt: skip
        axes.plot([0], [0], "+", color=style.color, markersize=7, markeredgewidth=1.4)
        axes.set_xlim(-half, half)
        axes.set_ylim(half, -half)
        count = int((labels == k).sum())
        axes.set_title(f"{style.name}: {count}", loc="left", pad=3, **text_style(bold=True))
    width, height = figure.get_size_inches()
    told = f"each picture is {length_text(2 * half, space_unit(sites))} wide; one gray scale"
    figure.text(0.1 / width, 0.08 / height, told, **text_style(size=7, color=FAINT))
    return figure


def _mean_patch(
    image: xr.DataArray, sites: xr.Dataset, members: NDArray[np.int64], size: float
) -> NDArray[np.float64] | None:
    from adatom.descriptors import site_patches

    chosen = members[:: max(1, len(members) // _MOST_MEMBERS)]
    unit = space_unit(sites)
    patches = site_patches(image, sites.isel(site=chosen), size=f"{size:.9g} {unit}")
    values = patches.values.astype(float)
    known = np.isfinite(values)
    if not known.any(axis=0).all():
        return None
    mean = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
    shape: list[int] = patches.attrs["patch_shape"]
    return np.asarray(mean.reshape(shape))
