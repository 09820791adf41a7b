"""Edges of a sheet over its image, the impurities on them, and the states of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.patches import Circle

from adatom.errors import KindError
from adatom.plotting._arrows import draw_arrows
from adatom.plotting._canvas import (
    FAINT,
    INK,
    hide_axes,
    new_figure,
    place_axes,
    plain_text,
    text_style,
)
from adatom.plotting._colors import class_style
from adatom.plotting._display import pixel_edges
from adatom.plotting._marks import image_of_frame, site_edges, site_spacing
from adatom.plotting._panels import draw_small, legend_mark, length_text, scale_bar_length
from adatom.schema import CLASSES, FEATURES, SITES, Classes, Features, Sites, positions, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SIZE: Final = 3.3
_GAP: Final = 0.12
_TITLE: Final = 0.3
_LEGEND: Final = 0.42
_LINE: Final = "#56B4E9"
_PANEL: Final = 1.7
_IN_ROW: Final = 4


def is_edge_line(sites: Sites, /) -> bool:
    """Tell whether sites are points along edges."""
    return {"edge", "along", "normal"} <= set(sites.variables)


def plot_edges(
    lines: Sites,
    impurities: Sites | None = None,
    image: xr.DataArray | None = None,
    classes: Classes | None = None,
    /,
    *,
    n_frames: int = 4,
) -> Figure:
    """Plot edges over the image, with the impurities on them and their directions.

    Each impurity has an arrow outward and a bar along the edge; its color is that of its class.

    Parameters
    ----------
    lines : Sites
        As `crystallography.find_edges` gives them.
    impurities : Sites, optional
        As `crystallography.find_edge_impurities` gives them.
    image : Image or Movie, optional
        Drawn below; only the frames shown are loaded.
    classes : Classes, optional
        Of the impurities.
    n_frames : int
        How many frames to show at most.

    Raises
    ------
    KindError
        If the lines are none of edges, or the classes are of other sites.

    Examples
    --------
    >>> from adatom.crystallography import find_edges
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:10.0, :12.0])
    >>> sheet = sites_from_positions(y, x, unit="nm", spacing=1.0, extent=[0, 20, 0, 11])
    >>> figure = plot_edges(find_edges(sheet).lines)
    """
    SITES.check(lines, name="lines")
    if not is_edge_line(lines):
        msg = "these are no edges: give the lines of crystallography.find_edges"
        raise KindError(msg)
    label = _labels(impurities, classes)
    numbers = _frames(lines, impurities, n_frames)
    edges = _field(lines) if image is None else pixel_edges(_first(image))
    left, right, bottom, top = edges
    columns = min(2, len(numbers))
    size = _SIZE if columns > 1 else 1.6 * _SIZE
    height = size * min(2.0, abs(bottom - top) / (abs(right - left) or 1.0))
    rows = -(-len(numbers) // columns)
    width = columns * (size + _GAP) + _GAP
    figure = new_figure(width, rows * (height + _TITLE) + _LEGEND + _GAP)
    for place, number in enumerate(numbers):
        row, column = divmod(place, columns)
        axes = place_axes(
            figure,
            _GAP + column * (size + _GAP),
            _LEGEND + (rows - 1 - row) * (height + _TITLE),
            size,
            height,
        )
        title = "" if number is None else f"frame {number}"
        draw_small(axes, image_of_frame(image, number), title)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        if image is None:
            axes.set_facecolor("#3c4043")
        _draw_lines(axes, _of(lines, number))
        if impurities is not None:
            _draw_impurities(axes, impurities, label, number, classes)
        if place == 0:
            _draw_scale(axes, edges, space_unit(lines))
    _draw_legend(figure, label if impurities is not None else None, classes)
    return figure


def _labels(impurities: Sites | None, classes: Classes | None) -> NDArray[np.int64]:
    if impurities is None:
        return np.zeros(0, dtype=np.int64)
    if classes is None:
        return np.zeros(impurities.sizes["site"], dtype=np.int64)
    CLASSES.check(classes)
    label = np.asarray(classes["label"].values, dtype=np.int64)
    if label.shape != (impurities.sizes["site"],):
        msg = f"classes of shape {label.shape} are not those of {impurities.sizes['site']} sites"
        raise KindError(msg)
    return label


def _frames(lines: Sites, impurities: Sites | None, n_frames: int) -> list[int | None]:
    if "frame" not in lines.coords:
        return [None]
    # Frames with impurities show more.
    source = impurities if impurities is not None and impurities.sizes["site"] else lines
    numbers = np.unique(source["frame"].values)
    if not len(numbers):
        return [None]
    chosen = np.unique(np.linspace(0, len(numbers) - 1, n_frames).round().astype(int))
    return [int(number) for number in numbers[chosen]]


def _field(lines: Sites) -> tuple[float, float, float, float]:
    """Give left, right, bottom, top of a field that is no strip, though the lines be straight."""
    left, right, bottom, top = site_edges(lines)
    wide, tall = right - left, bottom - top
    more_x, more_y = (max(0.0, 0.5 * (max(wide, tall) / 2 - size)) for size in (wide, tall))
    return left - more_x, right + more_x, bottom + more_y, top - more_y


def _first(image: xr.DataArray) -> xr.DataArray:
    return image.isel(frame=0) if "frame" in image.dims else image


def _of(sites: Sites, number: int | None) -> Sites:
    if number is None or "frame" not in sites.coords:
        return sites
    return sites.isel(site=np.flatnonzero(sites["frame"].values == number))


def _draw_lines(axes: Axes, lines: Sites) -> None:
    edge = lines["edge"].values
    for number in np.unique(edge).tolist():
        here = np.flatnonzero(edge == number)
        points = positions(lines)[here]
        gap = np.linalg.norm(points[0] - points[-1])
        if gap < 2 * np.linalg.norm(points[1] - points[0]):
            points = np.concatenate([points, points[:1]])
        for color, width in (("#202124", 3.0), (_LINE, 1.6)):
            axes.plot(points[:, 1], points[:, 0], color=color, linewidth=width, zorder=2)


def _draw_impurities(
    axes: Axes,
    impurities: Sites,
    label: NDArray[np.int64],
    number: int | None,
    classes: Classes | None,
) -> None:
    rows = np.arange(impurities.sizes["site"])
    if number is not None and "frame" in impurities.coords:
        rows = rows[impurities["frame"].values == number]
    places = positions(impurities)[rows]
    tangent, normal = (impurities[f"edge_{name}"].values[rows] for name in ("tangent", "normal"))
    reach = 2.4 * site_spacing(impurities)
    bars = np.stack([places - 0.6 * reach * tangent, places + 0.6 * reach * tangent], axis=1)
    for color, width in (("#202124", 2.6), ("#FFFFFF", 1.2)):
        axes.add_collection(LineCollection(list(bars[..., ::-1]), colors=color, linewidths=width))
    for one in np.unique(label[rows]).tolist():
        mine = label[rows] == one
        color = class_style(one, classes).color
        draw_arrows(axes, places[mine], reach * normal[mine], width=0.08 * reach, color=color)
        axes.scatter(
            places[mine, 1], places[mine, 0], s=34, c=color, edgecolors="#202124",
            linewidths=0.7, zorder=4,
        )  # fmt: skip


def _draw_scale(axes: Axes, edges: tuple[float, float, float, float], unit: str) -> None:
    left, right, bottom, top = edges
    length, text = scale_bar_length(abs(right - left), unit)
    start, y = left + 0.04 * (right - left), top + 0.94 * (bottom - top)
    for color, width in (("#202124", 4.2), ("#FFFFFF", 2.4)):
        axes.plot([start, start + length], [y, y], color=color, linewidth=width, zorder=5)
    axes.text(
        start, y - 0.02 * (bottom - top), text, va="bottom",
        **text_style(size=8, color="#FFFFFF", bold=True),
        bbox={"facecolor": "#202124", "alpha": 0.6, "pad": 1.2, "linewidth": 0},
    )  # fmt: skip


def _draw_legend(figure: Figure, label: NDArray[np.int64] | None, classes: Classes | None) -> None:
    marks: list[Any] = [legend_mark("edge", color=_LINE, marker="_", filled=False)]
    if label is not None and classes is None and len(label):
        marks.append(legend_mark("impurity, outward and along", color=class_style(0).color))
    elif label is not None:
        for one in np.unique(label).tolist():
            style = class_style(one, classes)
            name = style.name.replace("class", "state") if one >= 0 else "no state"
            marks.append(legend_mark(name, color=style.color))
    figure.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=min(6, len(marks)),
        frameon=False, fontsize=8, handletextpad=0.3,
    )  # fmt: skip


def is_edge_state(features: Features, /) -> bool:
    """Tell whether features are means of states on an edge: patches or fillings of slots."""
    if features.dims[0] != "class":
        return False
    names = set(map(str, features.coords))
    return {"patch_along", "patch_outward"} <= names or {"slot_along", "slot_outward"} <= names


def plot_edge_states(means: Features, members: xr.Dataset | None = None, /) -> Figure:
    """Plot the mean configuration of every state, the vacuum above, the edge from left to right.

    Parameters
    ----------
    means : Features
        As `clustering.cluster_mirrored` gives them of `descriptors.edge_patches`, shown as mean
        images, or of `descriptors.edge_environments`, shown as places of neighbors, filled as
        often as they are.
    members : Table, optional
        Of the same clustering: how many members a state has, how many of them are mirrored.

    Raises
    ------
    KindError
        If these are no means of states on an edge.

    Examples
    --------
    >>> import xarray as xr
    >>> along, outward = (axis.ravel() for axis in np.meshgrid([-1.0, 0, 1], [-1.0, 0, 1]))
    >>> coords = {"patch_along": ("feature", along), "patch_outward": ("feature", outward)}
    >>> means = xr.DataArray(np.eye(2, 9), dims=("class", "feature"), coords=coords)
    >>> len(plot_edge_states(means).axes)
    2
    """
    FEATURES.check(means)
    if not is_edge_state(means):
        msg = (
            "these are no means of states on an edge: give those of clustering.cluster_mirrored "
            "of descriptors.edge_patches or edge_environments"
        )
        raise KindError(msg)
    n = means.sizes["class"]
    columns = min(_IN_ROW, n)
    rows = -(-n // columns)
    cell = _PANEL + 0.6
    figure = new_figure(columns * (_PANEL + _GAP) + _GAP, rows * cell + 0.3)
    images = "patch_along" in means.coords
    limits = (float(np.nanmin(means.values)), float(np.nanmax(means.values)))
    for k in range(n):
        row, column = divmod(k, columns)
        axes = place_axes(
            figure,
            _GAP + column * (_PANEL + _GAP),
            0.3 + (rows - 1 - row) * cell,
            _PANEL,
            _PANEL,
        )
        hide_axes(axes, frame=True)
        one = means.isel({"class": k})
        if images:
            _draw_patch(axes, one, limits)
        else:
            _draw_slots(axes, one, class_style(k).color)
        for line, text in enumerate(_titles(k, members)):
            axes.text(
                0.0, 1.14 - 0.11 * line, plain_text(text), transform=axes.transAxes,
                **text_style(size=8, bold=not line),
            )  # fmt: skip
    told = "edge from left to right, vacuum above"
    if images:
        along = means.coords["patch_along"]
        width = float(np.ptp(along.values))
        told = f"{told}; {length_text(width, str(along.attrs.get('units', 'px')))} wide"
    figure.text(0.02, 0.05 / (rows * cell + 0.3), told, **text_style(size=7.5, color=FAINT))
    return figure


def _titles(k: int, members: xr.Dataset | None) -> list[str]:
    if members is None or k >= members.sizes["row"]:
        return [f"state {k}"]
    first = f"state {k}: {int(members['count'].values[k])}"
    if bool(members["own_image"].values[k]):
        return [first, "its own mirror image"]
    return [first, f"{100 * float(members['mirrored_share'].values[k]):.0f} % mirrored"]


def _draw_patch(axes: Axes, mean: xr.DataArray, limits: tuple[float, float]) -> None:
    along, outward = (mean.coords[f"patch_{name}"].values for name in ("along", "outward"))
    side_along, side_outward = len(np.unique(along)), len(np.unique(outward))
    half = float(along.max()) * (1 + 1 / max(side_along - 1, 1))
    tall = float(outward.max()) * (1 + 1 / max(side_outward - 1, 1))
    axes.imshow(
        mean.values.reshape(side_outward, side_along), cmap="gray", origin="lower",
        # Carbon beside the far brighter foreign atom is to be seen.
        norm=PowerNorm(0.6, *limits), extent=(-half, half, -tall, tall), aspect="equal",
    )  # fmt: skip


def _draw_slots(axes: Axes, mean: xr.DataArray, color: str) -> None:
    slot, variable = mean.coords["slot"].values, mean.coords["variable"].values.astype(str)
    axes.set_xlim(-1.9, 1.9)
    axes.set_ylim(-1.9, 1.9)
    axes.set_aspect("equal")
    for k in range(int(slot.max()) + 1):
        mine = {name: float(mean.values[(slot == k) & (variable == name)][0])
                for name in ("filling", "along", "outward")}  # fmt: skip
        first = int(np.flatnonzero(slot == k)[0])
        place = np.array(
            [mean.coords[f"slot_{name}"].values[first] for name in ("along", "outward")]
        )
        filling = float(np.clip(mine["filling"], 0.0, 1.0))
        if filling > 0.15:
            place = place + np.array([mine["along"], mine["outward"]]) / mine["filling"]
            axes.plot(
                [0, place[0]], [0, place[1]], color=INK, linewidth=1.2, alpha=filling, zorder=1
            )
        axes.add_patch(
            Circle(tuple(place), 0.22, facecolor=INK, alpha=filling, linewidth=0, zorder=2)
        )
        axes.add_patch(
            Circle(tuple(place), 0.22, facecolor="none", edgecolor=FAINT, linewidth=0.8, zorder=3)
        )
    axes.add_patch(Circle((0, 0), 0.3, facecolor=color, edgecolor=INK, linewidth=0.8, zorder=4))
