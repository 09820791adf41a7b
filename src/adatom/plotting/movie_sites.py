"""Sites of several frames: a strip of the movie, and how many there are over the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError
from adatom.plotting._canvas import (
    FAINT,
    new_figure,
    place_axes,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)
from adatom.plotting._colors import class_style
from adatom.plotting._display import pixel_edges
from adatom.plotting._marks import image_of_frame, site_edges
from adatom.plotting._panels import draw_small, legend_mark
from adatom.schema import SITES, Movie, Sites, positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SIZE: Final = 2.3
_GAP: Final = 0.1
_TITLE: Final = 0.3
_COUNTS: Final = 1.5
_LEGEND: Final = 0.28
# Rows of a legend hold so many names.
_NAMES_IN_ROW: Final = 5


def has_frames(sites: Sites, /) -> bool:
    """Tell whether sites lie in more than one frame."""
    return "frame" in sites.coords and np.unique(sites.coords["frame"].values).size > 1


def plot_movie_sites(sites: Sites, movie: Movie | None = None, /, *, n_frames: int = 6) -> Figure:
    """Plot the sites of some frames over the movie, and their number over all frames.

    Parameters
    ----------
    sites : Sites
        With ``frame``; colored by ``class`` where they have one.
    movie : Movie, optional
        Only the frames shown are loaded.
    n_frames : int
        How many to show at most; six fit a page.

    Raises
    ------
    KindError
        If the sites have no frames.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], unit="nm", spacing=1.0)
    >>> sites = sites.assign_coords(frame=("site", [0, 0, 3]))
    >>> len(plot_movie_sites(sites).axes)
    5
    """
    SITES.check(sites)
    if "frame" not in sites.coords:
        msg = "the sites have no 'frame': use plot_sites for those of one image"
        raise KindError(msg)
    frames = _frames(sites, movie)
    numbers = frames[np.unique(np.linspace(0, len(frames) - 1, n_frames).round().astype(int))]
    columns = min(3, len(numbers))
    rows = -(-len(numbers) // columns)
    left, right, bottom, top = site_edges(sites) if movie is None else _edges(movie)
    height = _SIZE * min(2.0, abs(bottom - top) / (abs(right - left) or 1.0))
    names = _names(sites)
    legend = _LEGEND * (-(-len(names) // _NAMES_IN_ROW) if len(names) > 1 else 0)
    below = legend + (_COUNTS if len(frames) > 1 else 0.0)
    width = max(columns, 2) * (_SIZE + _GAP) + _GAP
    figure = new_figure(width, rows * (height + _TITLE) + below + _GAP)
    for place, number in enumerate(numbers.tolist()):
        row, column = divmod(place, columns)
        axes = place_axes(
            figure,
            _GAP + column * (_SIZE + _GAP),
            _GAP + below + (rows - 1 - row) * (height + _TITLE),
            _SIZE,
            height,
        )
        _draw_frame(axes, sites, movie, number, names)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
    if len(frames) > 1:
        axes = place_axes(figure, 0.6, legend + 0.5, width - 0.8, _COUNTS - 0.7)
        _draw_counts(axes, sites, frames, names)
    if legend:
        marks = [
            legend_mark(name, color=class_style(order).ink, marker="o", filled=True)
            for order, name in enumerate(names)
        ]
        figure.legend(
            handles=marks,
            loc="lower left",
            bbox_to_anchor=(0.02, 0.0),
            ncols=min(_NAMES_IN_ROW, len(marks)),
            frameon=False,
            fontsize=7.5,
            handletextpad=0.3,
        )
    return figure


def _frames(sites: Sites, movie: Movie | None) -> NDArray[np.int64]:
    """List all frames: those of the movie, or those from the first with sites to the last."""
    if movie is not None:
        if "frame" in movie.coords:
            return np.asarray(movie.coords["frame"].values, dtype=np.int64)
        return np.arange(movie.sizes["frame"])
    numbers = sites.coords["frame"].values
    if not numbers.size:
        return np.zeros(1, dtype=np.int64)
    return np.arange(int(numbers.min()), int(numbers.max()) + 1)


def _edges(movie: Movie) -> tuple[float, float, float, float]:
    return pixel_edges(movie.isel(frame=0))


def _names(sites: Sites) -> list[str]:
    """Name the classes, the most frequent first; one without a name if there are none."""
    if "class" not in sites:
        return [""]
    names, counts = np.unique(sites["class"].values.astype(str), return_counts=True)
    return [str(name) for name in names[np.argsort(-counts, kind="stable")]] or [""]


def _of_name(sites: Sites, name: str) -> NDArray[np.bool_]:
    if "class" not in sites:
        return np.ones(sites.sizes["site"], dtype=bool)
    return np.asarray(sites["class"].values.astype(str) == name)


def _draw_frame(
    axes: Axes, sites: Sites, movie: Movie | None, number: int, names: list[str]
) -> None:
    here = sites.coords["frame"].values == number
    draw_small(axes, image_of_frame(movie, number), f"frame {number}: {int(here.sum())}")
    for order, name in enumerate(names):
        places = positions(sites)[here & _of_name(sites, name)]
        axes.scatter(
            places[:, 1],
            places[:, 0],
            s=14,
            facecolors="none",
            edgecolors=class_style(order).color,
            linewidths=0.8,
        )


def _draw_counts(axes: Axes, sites: Sites, frames: NDArray[np.int64], names: list[str]) -> None:
    number = sites.coords["frame"].values
    for order, name in enumerate(names):
        mine = number[_of_name(sites, name)]
        counts = [int((mine == frame).sum()) for frame in frames.tolist()]
        axes.plot(
            frames, counts, color=class_style(order).ink, linewidth=1.1, label=plain_text(name)
        )
    style_axes(axes)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.locator_params(axis="x", integer=True)
    write_numbers_out(axes.yaxis)
    axes.set_xlabel("frame", **text_style(size=7.5, color=FAINT))
    axes.set_ylabel("sites", **text_style(size=7.5, color=FAINT))
