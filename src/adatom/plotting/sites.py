"""Sites over their image, their statistics and their neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.plotting._canvas import (
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
from adatom.plotting._colors import FALSE, SITE, class_style
from adatom.plotting._marks import (
    draw_marks,
    draw_rings,
    frame_of,
    image_of_frame,
    mark_size,
    site_spacing,
    sites_panel,
)
from adatom.plotting._panels import legend_mark
from adatom.schema import CLASSES, SITES, Classes, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Points of one class drawn in a plot of neighbors: more only fill the blots.
_MAX_POINTS: Final = 4000


def plot_sites(sites: Sites, image: Image | None = None, /, *, frame: int | None = None) -> Figure:
    """Plot sites as rings over their image; fits that failed are crossed out.

    Parameters
    ----------
    sites : Sites
        Colored by ``sublattice`` where they have one; sites whose
        ``fit_ok`` is False are marked apart.
    image : Image, optional
        Drawn below; of a movie the frame of the sites is taken.
    frame : int, optional
        Which frame to show, by default the first with sites.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> figure = plot_sites(sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm"))
    """
    SITES.check(sites)
    here, number = frame_of(sites, frame)
    groups = _site_groups(here)
    legend = [
        legend_mark(f"{text}: {keep.sum()}", color=color, marker=mark, filled=mark == "x")
        for text, color, mark, keep in groups
    ]
    panel = sites_panel(here, image_of_frame(image, number), legend=legend)
    places = positions(here)
    diameter = mark_size(panel, site_spacing(sites), share=0.62)
    for text, color, mark, keep in groups:
        if mark == "x":
            draw_marks(
                panel, places[keep], diameter=max(diameter, 5), color=color, marker="x", label=text
            )
        elif diameter < 4:
            draw_marks(panel, places[keep], diameter=2.2, color=color, marker="o", label=text)
        else:
            draw_rings(panel, places[keep], diameter=diameter, color=color, label=text)
    return panel.figure


def _site_groups(sites: xr.Dataset) -> list[tuple[str, str, str, NDArray[np.bool_]]]:
    good = np.ones(sites.sizes["site"], dtype=bool)
    groups: list[tuple[str, str, str, NDArray[np.bool_]]] = []
    if "fit_ok" in sites:
        good = sites["fit_ok"].values.astype(bool)
    if "sublattice" in sites and len(np.unique(sites["sublattice"].values)) > 1:
        numbers = sites["sublattice"].values
        groups += [
            (f"sublattice {number}", class_style(1 + order).color, "o", good & (numbers == number))
            for order, number in enumerate(np.unique(numbers))
        ]
    else:
        groups.append(("sites", SITE, "o", good))
    if not good.all():
        bad = str(sites["fit_ok"].attrs.get("false_means", "sites whose fit failed"))
        groups.append((bad, FALSE, "x", ~good))
    return groups


def plot_site_statistics(sites: Sites, /) -> Figure:
    """Plot how the sites' neighbor distances, widths, amplitudes and errors spread.

    The distance of each site is that to its nearest neighbor alone, which
    noise makes look nearer than neighbors are: most lie below
    ``attrs["spacing"]``, the most frequent distance among all neighbors.

    Parameters
    ----------
    sites : Sites
        Sites whose ``fit_ok`` is False do not count, but for the distances.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 3.0], [0.0, 1.0, 0.0], unit="nm")
    >>> len(plot_site_statistics(sites).axes)
    1
    """
    SITES.check(sites)
    quantities = [("to the nearest neighbor", space_unit(sites), nearest_distances(sites))]
    good = sites["fit_ok"].values.astype(bool) if "fit_ok" in sites else slice(None)
    for name, text in (
        ("width", "width (sigma)"),
        ("amplitude", "amplitude"),
        ("relative_intensity", "relative intensity"),
    ):
        if name in sites and sites[name].dims == ("site",):
            unit = str(sites[name].attrs.get("units", "1"))
            quantities.append((text, unit, sites[name].values[good]))
    if "covariance" in sites:
        variance = np.trace(sites["covariance"].values[good], axis1=1, axis2=2) / 2
        error = np.sqrt(np.where(variance >= 0, variance, np.nan))
        quantities.append(("position error (1 sigma)", space_unit(sites), error))
    return draw_histograms(quantities)


def nearest_distances(sites: Sites, /) -> NDArray[np.float64]:
    """Measure the distance from each site to the nearest other one of its frame."""
    places = positions(sites)
    distances = np.full(len(places), np.nan)
    frames = sites.coords["frame"].values if "frame" in sites.coords else np.zeros(len(places))
    for frame in np.unique(frames):
        here = np.flatnonzero((frames == frame) & np.isfinite(places).all(axis=1))
        if len(here) > 1:
            distances[here] = KDTree(places[here]).query(places[here], k=2)[0][:, 1]
    return distances


def draw_histograms(quantities: Sequence[tuple[str, str, NDArray[np.floating]]]) -> Figure:
    """Draw a small histogram of each quantity, given as name, unit and values."""
    quantities = [q for q in quantities if np.isfinite(q[2]).sum() > 1]
    columns = min(4, max(1, len(quantities)))
    rows = max(1, -(-len(quantities) // columns))
    figure = new_figure(columns * 1.95 + 0.1, rows * 1.75 + 0.12)
    for place, (text, unit, values) in enumerate(quantities):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.15 + 1.95 * column, 0.62 + 1.75 * (rows - 1 - row), 1.7, 1.05)
        _draw_histogram(axes, values[np.isfinite(values)])
        label = text if unit in {"1", ""} else f"{text} [{unit}]"
        axes.set_xlabel(plain_text(label), **text_style(size=7.5))
    return figure


def _draw_histogram(axes: Axes, values: NDArray[np.floating]) -> None:
    # Runaways would squeeze all others into one bar; how many lie beyond is written.
    low, high = np.percentile(values, (0.5, 99.5))
    beyond = int(((values < low) | (values > high)).sum())
    shown = values[(values >= low) & (values <= high)]
    span = high - low
    bins = int(np.clip(np.sqrt(len(shown)) * 1.5, 5, 60))
    edges = (low, high) if span > 1e-9 * max(abs(low), abs(high)) else (low - 0.5, low + 0.5)
    # One outline, not a patch a bar: a report has dozens of these.
    axes.stairs(*np.histogram(shown, bins=bins, range=edges), fill=True, color="#8ab6d6")
    axes.set_ylim(bottom=0)
    style_axes(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    median = float(np.median(values))
    axes.axvline(median, color=INK, linewidth=0.9)
    told = f"median {median:.4g}" + (f"; {beyond} beyond" if beyond else "")
    axes.set_title(told, loc="right", pad=2, **text_style(size=7, color=FAINT))
    write_numbers_out(axes.xaxis)
    axes.locator_params(axis="x", nbins=3)


def plot_neighbor_vectors(sites: Sites, classes: Classes | None = None, /) -> Figure:
    """Plot the vectors from sites to their neighbors, a panel a class.

    Every dot is one neighbor seen from its site; arrows are the means of
    the slots of each reference star.

    Parameters
    ----------
    sites : Sites
        With ``neighbor_vector``.
    classes : Classes, optional
        Of the same sites.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or the classes are of others.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 0.0], unit="nm")
    >>> vectors = np.array([[[1.0, 0.0]], [[-1.0, 0.0]]])
    >>> sites = sites.assign(neighbor_vector=(("site", "neighbor", "axis"), vectors))
    >>> figure = plot_neighbor_vectors(sites)
    """
    SITES.check(sites)
    check_neighbors(sites, classes)
    labels = (
        np.zeros(sites.sizes["site"], dtype=int) if classes is None else classes["label"].values
    )
    vectors = sites["neighbor_vector"].values
    stars = (
        sites["star_index"].values if "star_index" in sites else np.zeros(len(labels), dtype=int)
    )
    lengths = np.linalg.norm(vectors, axis=-1)
    reach = 1.15 * float(np.nanmax(lengths)) if np.isfinite(lengths).any() else 1.0
    numbers = sorted(np.unique(labels).tolist(), key=lambda number: (number < 0, number))
    columns = min(4, len(numbers)) or 1
    rows = max(1, -(-len(numbers) // columns))
    figure = new_figure(1.75 * columns + 0.1, 2.0 * rows + 0.1)
    for place, number in enumerate(numbers):
        row, column = divmod(place, columns)
        axes = place_axes(figure, 0.1 + 1.75 * column, 0.1 + 2.0 * (rows - 1 - row), 1.65, 1.65)
        keep = labels == number
        _draw_neighbors(axes, vectors[keep], stars[keep], class_style(number, classes).ink, reach)
        style = class_style(number, classes)
        title = f"{keep.sum()} sites" if classes is None else f"{style.name}: {keep.sum()}"
        axes.set_title(title, loc="left", pad=3, **text_style(size=8.5, bold=True))
    return figure


def check_neighbors(sites: xr.Dataset, classes: xr.Dataset | None, /) -> None:
    """Raise `KindError` if the sites have no neighbors or the classes are not theirs."""
    from adatom.errors import KindError

    if "neighbor_vector" not in sites:
        msg = "these sites carry no neighbor_vector: run descriptors.neighbor_vectors first"
        raise KindError(msg)
    if classes is not None:
        CLASSES.check(classes)
        if classes["label"].shape != (sites.sizes["site"],):
            msg = (
                f"{sites.sizes['site']} sites, but labels of shape {classes['label'].shape}: "
                "give the classes of these sites"
            )
            raise KindError(msg)


def _draw_neighbors(
    axes: Axes,
    vectors: NDArray[np.floating],
    stars: NDArray[np.integer],
    color: str,
    reach: float,
) -> None:
    hide_axes(axes, frame=True)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    step = max(1, len(vectors) // _MAX_POINTS)
    dots = vectors[::step].reshape(-1, 2)
    axes.scatter(dots[:, 1], dots[:, 0], s=4, c=color, alpha=0.5, linewidths=0)
    for star in np.unique(stars):
        mean = slot_means(vectors[stars == star])
        for y, x in mean[np.isfinite(mean).all(axis=-1)]:
            axes.annotate(
                "",
                xy=(x, y),
                xytext=(0, 0),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": INK,
                    "linewidth": 1.1,
                    "linestyle": "-" if star == 0 else (0, (3, 2)),
                    "shrinkA": 0,
                    "shrinkB": 0,
                    "mutation_scale": 7,
                },
            )
    axes.plot([0], [0], marker="o", markersize=3.5, color=INK)


def slot_means(vectors: NDArray[np.floating], /) -> NDArray[np.float64]:
    """Average (site, neighbor, axis) over the sites whose slot is filled; NaN where none is."""
    filled = np.isfinite(vectors)
    count = filled.sum(axis=0)
    total = np.where(filled, vectors, 0.0).sum(axis=0, dtype=np.float64)
    means: NDArray[np.float64] = np.divide(
        total, count, out=np.full(total.shape, np.nan), where=count > 0
    )
    return means
