"""What the surroundings of each class look like: displaced neighbors, and mean images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._arrows import arrows_in_words, draw_arrows, round_factor
from adatom.plotting._canvas import FAINT, INK, hide_axes, new_figure, place_axes, text_style
from adatom.plotting._colors import class_style
from adatom.plotting._display import contrast_limits
from adatom.plotting._marks import site_spacing
from adatom.plotting._panels import PERCENTILES, length_text
from adatom.plotting.sites import check_neighbors, slot_means
from adatom.schema import IMAGE, SITES, Classes, Image, Sites, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# The longest arrows of most, in spacings of a star.
_STAR_REACH: Final = 0.35
_MOST_MEMBERS: Final = 2000
_MOST_CLASSES: Final = 24


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
    every = np.concatenate([*means, np.zeros((0, 2))])
    factor = exaggeration or round_factor(every, _STAR_REACH * reach)
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
        draw_arrows(axes, star[known], factor * mean[known], width=0.05 * reach, color=style.ink)
        count = int((first & (labels == k)).sum())
        axes.set_title(f"{style.name}: {count}", loc="left", pad=3, **text_style(bold=True))
    width, height = figure.get_size_inches()
    told = arrows_in_words(factor, every, space_unit(sites))
    figure.text(0.1 / width, 0.08 / height, told, **text_style(size=7, color=FAINT))
    return figure


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
