"""Classes: where they are, what they look like, which members are typical."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from adatom.errors import KindError
from adatom.plotting._canvas import FAINT, new_figure, place_axes, text_style
from adatom.plotting._colors import ClassStyle, class_style
from adatom.plotting._curves import is_curve
from adatom.plotting._display import pixel_edges
from adatom.plotting._glyphs import Glyph, draw_glyph, glyph_limits, glyph_of
from adatom.plotting._marks import (
    draw_marks,
    draw_rings,
    frame_of,
    image_of_frame,
    mark_size,
    site_spacing,
    sites_panel,
)
from adatom.plotting._members import (
    ClassSummary,
    member_distances,
    pick_members,
    summarize_classes,
)
from adatom.plotting._panels import frame_axes, image_panel, legend_mark, length_text, map_panel
from adatom.plotting._rows import plot_class_rows
from adatom.plotting._samples import rows_numbered
from adatom.plotting.class_spectra import draw_class_spectra, plot_member_spectra
from adatom.schema import CLASSES, FEATURES, Classes, Features, Image, Sites, positions, space_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# A class with a smaller share of all members gets a ring around each mark: two silicon
# atoms among six hundred of carbon are what the picture is looked at for.
_SMALL_SHARE: Final = 0.05
# Points: larger dots would hide the atoms that they name.
_LARGEST_MARK: Final = 9.0
_MAX_CLASSES_SHOWN: Final = 24


def plot_classes(
    classes: Classes,
    image: Image | None = None,
    sites: Sites | None = None,
    /,
    *,
    frame: int | None = None,
) -> Figure:
    """Plot where each class is: marks on sites, or tinted windows and pixels.

    Small classes are drawn last and ringed, so that they are seen.

    Parameters
    ----------
    classes : Classes
        Of sites, windows or pixels.
    image : Image, optional
        Drawn below.
    sites : Sites, optional
        Where the rows of the classes are, if the classes do not say so.
    frame : int, optional
        Which frame to show, by default the first with sites.

    Raises
    ------
    KindError
        If the classes neither carry places nor fit the sites.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    >>> figure = plot_classes(xr.Dataset({"label": ("site", [0, 1])}), None, sites)
    """
    CLASSES.check(classes)
    label = classes["label"]
    if label.dims[-2:] == ("y", "x"):
        return _plot_area(classes, image, frame)
    if "y" not in label.coords and sites is None and label.ndim == 1:
        return plot_class_rows(classes)
    if "y" not in label.coords and (sites is None or label.shape != (sites.sizes["site"],)):
        found = "none were given" if sites is None else f"{sites.sizes['site']} were given"
        msg = (
            f"classes of shape {label.shape} do not say where their members are: "
            f"give as many sites, {found}"
        )
        raise KindError(msg)
    places = sites if sites is not None else xr.Dataset(coords=label.coords, attrs=classes.attrs)
    return _plot_on_sites(classes, places, image, frame)


def _plot_on_sites(
    classes: xr.Dataset, sites: xr.Dataset, image: xr.DataArray | None, frame: int | None
) -> Figure:
    labels = classes["label"].values
    labelled = xr.Dataset({"label": ("site", labels)}, coords=sites.coords, attrs=sites.attrs)
    here, number = frame_of(labelled, frame)
    shown = here["label"].values
    panel = sites_panel(here, image_of_frame(image, number), legend=class_legend(classes))
    places = positions(here)
    diameter = min(mark_size(panel, site_spacing(sites), share=0.55), _LARGEST_MARK)
    counts = {int(k): int((labels == k).sum()) for k in np.unique(labels)}
    # Largest first, so that nothing hides the rare ones; what has no class lies lowest.
    for k in sorted(counts, key=lambda k: (k >= 0, -counts[k])):
        keep, style = shown == k, class_style(k, classes)
        small = k >= 0 and counts[k] < _SMALL_SHARE * len(labels)
        draw_marks(
            panel,
            places[keep],
            diameter=max(diameter, 4.5) if small else 0.8 * diameter,
            color=style.color,
            marker=style.marker,
            label=style.name,
        )
        if small:
            ring = max(2.1 * diameter, 12.0)
            for width, color in ((3.4, "#202124"), (1.8, style.color)):
                draw_rings(
                    panel,
                    places[keep],
                    diameter=ring,
                    color=color,
                    width=width,
                    label=f"{style.name} ring",
                )
    return panel.figure


def _plot_area(classes: xr.Dataset, image: xr.DataArray | None, frame: int | None) -> Figure:
    label = classes["label"]
    if "frame" in label.dims:
        label = label.isel(frame=frame or 0)
    legend = class_legend(classes)
    if image is not None and "frame" in image.dims:
        image = image.isel(frame=frame or 0)
    if image is None:
        unit = space_unit(label) if "y" in label.coords else "px"
        panel = map_panel(_area_edges(label), unit=unit, legend=legend)
    else:
        panel = image_panel(image, legend=legend)
    values = label.values
    tint = np.zeros((*values.shape, 4))
    for k in np.unique(values):
        color = class_style(int(k), classes).color.lstrip("#")
        tint[values == k, :3] = [int(color[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    tint[..., 3] = np.where(values < 0, 0.15, 1.0 if image is None else 0.5)
    panel.axes.imshow(
        tint, extent=_area_edges(label), origin="upper", aspect="auto", interpolation="nearest"
    )
    if image is not None:
        frame_axes(panel.axes, image)
    return panel.figure


def _area_edges(label: xr.DataArray) -> tuple[float, float, float, float]:
    if "y" in label.coords and "x" in label.coords:
        return pixel_edges(label)
    rows, columns = label.shape
    return -0.5, columns - 0.5, rows - 0.5, -0.5


def class_legend(classes: Classes, /) -> list[Line2D]:
    """Make the legend of classes: mark, name, members and their share."""
    labels = classes["label"].values
    entries = []
    numbers, counts = np.unique(labels, return_counts=True)
    for k, count in sorted(zip(numbers.tolist(), counts.tolist(), strict=True), key=_last_if_none):
        style = class_style(k, classes)
        text = f"{style.name}: {count} ({100 * count / labels.size:.3g} %)"
        entries.append(legend_mark(text, color=style.color, marker=style.marker))
    return entries[:_MAX_CLASSES_SHOWN]


def _last_if_none(item: tuple[int, int]) -> tuple[bool, int]:
    return item[0] < 0, item[0]


def plot_class_means(features: Features, classes: Classes | None = None, /) -> Figure:
    """Plot the mean of every class, with the number of its members.

    Parameters
    ----------
    features : Features
        What was clustered; or the means themselves, dims (class, feature).
    classes : Classes, optional
        Of these features; of means, those that were averaged over, which
        tell the outliers.

    Raises
    ------
    KindError
        If the classes are missing or are of other features.

    Examples
    --------
    >>> import xarray as xr
    >>> features = xr.DataArray([[0.0, 1.0], [1.0, 0.0]], dims=("site", "feature"))
    >>> figure = plot_class_means(features, xr.Dataset({"label": ("site", [0, 1])}))
    """
    FEATURES.check(features)
    if features.dims[0] == "class":
        summary = _summary_of_means(features)
    elif classes is None:
        msg = f"features of dims {features.dims} are not class means: give their classes too"
        raise KindError(msg)
    else:
        CLASSES.check(classes)
        summary = summarize_classes(features, classes)
    glyph = glyph_of(features)
    if glyph.form == "curve":
        return draw_class_spectra(features, classes, summary)
    # A class without members, as of outliers where there are none, has no mean to show.
    shown = np.flatnonzero(summary.counts != 0)[:_MAX_CLASSES_SHOWN]
    summary = summary.of(shown)
    means = summary.means
    limits = glyph_limits(glyph, means)
    columns = min(6, max(1, len(means)))
    rows = max(1, -(-len(means) // columns))
    cell = 1.35
    figure = new_figure(columns * (cell + 0.12) + 0.1, rows * (cell + 0.5) + 0.28)
    for place, (k, mean) in enumerate(zip(summary.labels.tolist(), means, strict=False)):
        row, column = divmod(place, columns)
        bottom = 0.25 + (rows - 1 - row) * (cell + 0.5)
        axes = place_axes(figure, 0.1 + column * (cell + 0.12), bottom, cell, cell)
        style = class_style(k, classes)
        draw_glyph(axes, glyph, mean, limits=limits, color=style.ink)
        _name_class(axes, style, int(summary.counts[k]))
    _tell_size(figure, glyph)
    return figure


def _summary_of_means(means: xr.DataArray) -> ClassSummary:
    labels = np.arange(means.sizes["class"])
    counts = np.full(len(labels), -1)
    for name in ("count", "n_members", "members"):
        if name in means.coords:
            counts = means.coords[name].values
    values = means.values.astype(float)
    return ClassSummary(labels, counts, values, np.full(values.shape, np.nan))


def _name_class(axes: Axes, style: ClassStyle, count: int) -> None:
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(style.ink)
        spine.set_linewidth(2.2)
    axes.set_title(style.name, loc="left", pad=15, **text_style(size=8.5, bold=True))
    if count >= 0:
        axes.text(
            0,
            1.03,
            f"{count} members" if count != 1 else "1 member",
            transform=axes.transAxes,
            va="bottom",
            **text_style(size=7.5, color=FAINT),
        )


def _tell_size(figure: Figure, glyph: Glyph) -> None:
    if glyph.form == "picture" and glyph.width > 0 and glyph.unit in {"nm", "mm", "px"}:
        text = f"each picture is {length_text(glyph.width, glyph.unit)} wide; one gray scale"
        width = figure.get_size_inches()[0]
        figure.text(
            0.1 / width,
            0.06 / figure.get_size_inches()[1],
            text,
            va="bottom",
            **text_style(size=7, color=FAINT),
        )


def plot_members(features: Features, classes: Classes, /, *, n: int = 6) -> Figure:
    """Plot typical and doubtful members of every class, a row a class.

    Typical are the members nearest to the mean of their class (by
    ``distance`` where the classes carry it). Doubtful are those nearest to
    the boundary to another class (by ``margin``), else those of the lowest
    ``probability``, else those farthest from the mean.

    Parameters
    ----------
    features : Features
        What was clustered.
    classes : Classes
        Of these features.
    n : int
        How many of each to show: six are seen at one glance.

    Examples
    --------
    >>> import xarray as xr
    >>> features = xr.DataArray([[0.0, 1.0], [1.0, 0.0]], dims=("site", "feature"))
    >>> figure = plot_members(features, xr.Dataset({"label": ("site", [0, 1])}))
    """
    FEATURES.check(features)
    CLASSES.check(classes)
    if is_curve(features):
        return plot_member_spectra(features, classes)
    glyph = glyph_of(features)
    summary = summarize_classes(features, classes)
    distances = member_distances(features, classes, summary)
    labels = summary.labels[summary.counts > 0][:_MAX_CLASSES_SHOWN].tolist()
    picked = {k: pick_members(classes, distances, k, n=n) for k in labels}
    chosen = np.concatenate(
        [np.concatenate(members) for members in picked.values()] or [np.zeros(0, int)]
    )
    rows = rows_numbered(features, chosen)
    limits = glyph_limits(glyph, np.stack(list(rows.values()))) if rows else (0.0, 1.0)
    figure = new_figure(1.0 + 2 * n * (0.62 + 0.05) + 0.35, len(labels) * 0.78 + 0.45)
    height = figure.get_size_inches()[1]
    halves = (1.0, 1.0 + n * 0.67 + 0.3)
    for left, text in zip(halves, ("typical", "doubtful"), strict=True):
        figure.text(
            left / figure.get_size_inches()[0],
            1 - 0.26 / height,
            text,
            va="bottom",
            **text_style(bold=True),
        )
    for order, k in enumerate(labels):
        style = class_style(k, classes)
        bottom = height - 0.32 - (order + 1) * 0.78 + 0.12
        figure.text(
            0.08 / figure.get_size_inches()[0],
            (bottom + 0.31) / height,
            f"{style.name.replace(' (', chr(10) + '(')}\n{summary.counts[k]}",
            va="center",
            **text_style(size=8),
        )
        for left, members in zip(halves, picked[k], strict=True):
            for place, member in enumerate(members.tolist()):
                axes = place_axes(figure, left + place * 0.67, bottom, 0.62, 0.62)
                draw_glyph(
                    axes,
                    glyph,
                    rows[member],
                    limits=limits,
                    color=style.ink,
                    reference=summary.means[k],
                )
                for spine in axes.spines.values():
                    spine.set_color(style.ink)
                    spine.set_linewidth(1.2)
    return figure
