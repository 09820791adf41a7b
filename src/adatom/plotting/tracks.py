"""Tracks of sites over an image: the way of each, colored by the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize

from adatom.errors import KindError, SettingError
from adatom.plotting._display import contrast_limits, pixel_edges, shown_edges, shown_pixels
from adatom.plotting._marks import draw_marks, image_of_frame, site_edges
from adatom.plotting._panels import MapPanel, draw_colorbar, frame_axes, legend_mark, map_panel
from adatom.schema import SITES, Sites, positions, space_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

_COLORS: Final = "plasma"
_DARK: Final = "#202124"
_LAST: Final = "#FFFFFF"
# More lines than this fill a page with color, and take minutes to draw.
_MOST_LINES: Final = 100_000


def has_tracks(sites: Sites, /) -> bool:
    """Tell whether sites are linked to tracks of more than one site."""
    if "track" not in sites.variables or "frame" not in sites.coords:
        return False
    track = sites["track"].values
    track = track[track >= 0]
    return bool(track.size > np.unique(track).size)


def plot_tracks(
    sites: Sites, image: xr.DataArray | None = None, /, *, min_length: int = 2
) -> Figure:
    """Plot tracks over an image, colored by the frame.

    Links over frames in which a site was missed are dotted; where a track was
    last seen is a dot. Of tracks with more than 100,000 links together the
    longest are drawn.

    Parameters
    ----------
    sites : Sites
        With ``frame`` and ``track``, as `tracking.link_sites` gives them.
    image : Image or Movie, optional
        Drawn below; of a movie its first frame. Tracks without their drift lie over the first
        frame.
    min_length : int
        Tracks of fewer sites are left out.

    Raises
    ------
    KindError
        If the sites have no tracks.
    SettingError
        If `min_length` is less than 1.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], unit="nm", frame=[0, 1, 2])
    >>> sites["track"] = ("site", [0, 0, 0])
    >>> figure = plot_tracks(sites)
    """
    SITES.check(sites)
    if min_length < 1:
        msg = f"{min_length=} must be 1 or more"
        raise SettingError(msg)
    if "track" not in sites.variables or "frame" not in sites.coords:
        msg = "the sites have no 'track' and 'frame': run tracking.link_sites first"
        raise KindError(msg)
    order, n_left_out = _chosen(sites, min_length)
    track, frame = (sites[name].values[order] for name in ("track", "frame"))
    place = positions(sites)[order]
    same = np.flatnonzero(track[1:] == track[:-1])
    gap = frame[same + 1] - frame[same]
    ends = np.flatnonzero(np.append(track[1:] != track[:-1], True)) if len(track) else same
    frames = np.unique(sites.coords["frame"].values)
    usual = int(np.diff(frames).min()) if len(frames) > 1 else 1
    norm = Normalize(float(frames.min(initial=0)), float(frames.max(initial=1)))
    panel = _panel(sites, image, _legend(image, len(ends), n_left_out, bool((gap > usual).any())))
    segments = np.stack([place[same], place[same + 1]], axis=1)[..., ::-1]
    width = float(np.clip(40 / np.sqrt(max(len(segments), 1)), 0.5, 1.4))
    if image is not None:
        # A dark rim sets lines off from bright atoms.
        rim = LineCollection(
            list(segments), colors=_DARK, linewidths=width + 0.9, alpha=0.5, label="rim"
        )
        panel.axes.add_collection(rim, autolim=False)
    for keep, style, label in (
        (gap <= usual, "solid", "links"),
        (gap > usual, (0, (1.0, 1.2)), "links over missed frames"),
    ):  # fmt: skip
        lines = LineCollection(
            list(segments[keep]), cmap=_COLORS, norm=norm, linewidths=width, linestyles=style,
            label=label,
        )  # fmt: skip
        lines.set_array(frame[same + 1][keep].astype(float))
        panel.axes.add_collection(lines, autolim=False)
    if len(ends):
        # White is seen on images only.
        color = _DARK if image is None else _LAST
        diameter = max(4.0 if image is not None else 2.5, 2.2 * width)
        draw_marks(panel, place[ends], diameter=diameter, color=color, marker="o", label="last")
    picture = ScalarMappable(norm=norm, cmap=_COLORS)
    draw_colorbar(panel, picture, label="frame", values=frames.astype(float))
    return panel.figure


def _chosen(sites: Sites, min_length: int) -> tuple[NDArray[np.intp], int]:
    """Order the sites to draw by track and frame; tell how many tracks are left out."""
    track = sites["track"].values
    usable = np.flatnonzero((track >= 0) & np.isfinite(positions(sites)).all(axis=1))
    numbers, inverse, length = np.unique(track[usable], return_inverse=True, return_counts=True)
    drawn = length >= min_length
    longest = np.argsort(-length, kind="stable")
    within = np.cumsum(length[longest]) <= max(_MOST_LINES, int(length.max(initial=0)))
    drawn[longest[~within]] = False
    keep = usable[drawn[inverse]]
    order = keep[np.lexsort((sites.coords["frame"].values[keep], track[keep]))]
    return order, len(numbers) - int(drawn.sum())


def _legend(
    image: xr.DataArray | None, n_tracks: int, n_left_out: int, has_gaps: bool
) -> list[Line2D]:
    color = _DARK if image is None else _LAST
    last = legend_mark(f"last seen; tracks: {n_tracks}", color=color, marker="o")
    last.set_markeredgecolor(_DARK)
    legend = [last]
    if has_gaps:
        legend.append(legend_mark("dotted: over missed frames", color=_DARK, marker=" "))
    if n_left_out:
        legend.append(legend_mark(f"not drawn, shorter: {n_left_out}", color=_DARK, marker=" "))
    return legend


def _panel(sites: Sites, image: xr.DataArray | None, legend: list[Line2D]) -> MapPanel:
    if image is None:
        return map_panel(_edges(sites), unit=space_unit(sites), colorbar=True, legend=legend)
    if "frame" in image.dims:
        first = image.coords["frame"].values[0] if "frame" in image.coords else 0
        frame = image_of_frame(image, int(first))
        image = image.isel(frame=0) if frame is None else frame
    # The color bar is that of the frames, for gray says nothing of tracks.
    panel = map_panel(pixel_edges(image), unit=space_unit(image), colorbar=True, legend=legend)
    shown = shown_pixels(image)
    low, high = contrast_limits(shown.values, (0.5, 99.5))
    panel.axes.imshow(
        shown.values, extent=shown_edges(image, shown), origin="upper", cmap="gray",
        norm=Normalize(low, high), aspect="auto",
    )  # fmt: skip
    frame_axes(panel.axes, image)
    return panel


def _edges(sites: Sites) -> tuple[float, float, float, float]:
    """Give the edges of a field that holds all tracks, also where drift led out of the frame."""
    left, right, bottom, top = site_edges(sites)
    places = positions(sites)
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        return left, right, bottom, top
    (low_y, low_x), (high_y, high_x) = places.min(axis=0), places.max(axis=0)
    return min(left, low_x), max(right, high_x), max(bottom, high_y), min(top, low_y)
