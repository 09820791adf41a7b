"""Impurities of a movie: frames side by side, with what was found and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.plotting._canvas import new_figure, place_axes
from adatom.plotting._colors import class_style
from adatom.plotting._display import pixel_edges
from adatom.plotting._marks import image_of_frame
from adatom.plotting._panels import draw_small, legend_mark
from adatom.schema import MOVIE, SITES, Movie, Sites, positions

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SIZE: Final = 1.75
_GAP: Final = 0.08
_TITLE: Final = 0.26
_LEGEND: Final = 0.32
_COLUMNS: Final = 4
_MARKS: Final = {"contamination": "x", "border": "s", "no lattice": "D"}


def plot_impurities(
    seen: Sites, movie: Movie, left_out: Sites | None = None, /, *, n_frames: int = 12
) -> Figure:
    """Plot frames of a movie with a ring around each impurity, and marks on what was left out.

    Frames are spread over the movie; in the place of those nearest to them,
    some are shown in which spots were left out.

    Parameters
    ----------
    seen : Sites
        With ``frame``, in the unit of the movie, as `localization.find_impurities_in_movie`
        gives them.
    movie : Movie
        Only the frames shown are loaded.
    left_out : Sites, optional
        With ``frame`` and the reason ``why``.
    n_frames : int
        How many to show at most.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> movie = image_from_array(np.eye(16)).expand_dims(frame=2)
    >>> sites = sites_from_positions([3.0, 4.0], [3.0, 4.0], unit="px", frame=[0, 1])
    >>> len(plot_impurities(sites, movie).axes)
    2
    """
    SITES.check(seen, name="seen")
    MOVIE.check(movie)
    numbers = _shown(movie, left_out, n_frames)
    columns = min(_COLUMNS, len(numbers))
    rows = -(-len(numbers) // columns)
    left, right, bottom, top = pixel_edges(movie.isel(frame=0))
    height = _SIZE * min(2.0, abs(bottom - top) / (abs(right - left) or 1.0))
    width = max(columns, 3) * (_SIZE + _GAP) + _GAP
    figure = new_figure(width, rows * (height + _TITLE) + _LEGEND + _GAP)
    for place, number in enumerate(numbers.tolist()):
        row, column = divmod(place, columns)
        axes = place_axes(
            figure,
            _GAP + column * (_SIZE + _GAP),
            _LEGEND + (rows - 1 - row) * (height + _TITLE),
            _SIZE,
            height,
        )
        draw_small(axes, image_of_frame(movie, number), f"frame {number}")
        here = positions(seen)[seen.coords["frame"].values == number]
        axes.scatter(
            here[:, 1],
            here[:, 0],
            s=110,
            facecolors="none",
            edgecolors=class_style(0).color,
            linewidths=1.3,
        )
        for order, why in enumerate(_reasons(left_out)):
            there = _of_reason(left_out, why, number)
            axes.scatter(
                there[:, 1],
                there[:, 0],
                s=55,
                marker=_MARKS.get(why, "x"),
                facecolors="none" if why == "border" else class_style(order + 1).color,
                edgecolors=class_style(order + 1).color if why == "border" else None,
                linewidths=1.3,
            )
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
    marks = [legend_mark("impurity", color=class_style(0).ink, marker="o", filled=False)]
    marks += [
        legend_mark(f"left out: {why}", color=class_style(k + 1).ink, marker=_MARKS.get(why, "x"))
        for k, why in enumerate(_reasons(left_out))
    ]
    figure.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(0.01, 0.0),
        ncols=len(marks),
        frameon=False,
        fontsize=7.5,
        handletextpad=0.3,
    )
    return figure


def _shown(movie: Movie, left_out: Sites | None, most: int) -> NDArray[np.int64]:
    """Choose frames over the whole movie, and some in which spots were left out."""
    n = movie.sizes["frame"]
    every = movie.coords["frame"].values if "frame" in movie.coords else np.arange(n)
    numbers = every[np.unique(np.linspace(0, n - 1, min(most, n)).round().astype(int))]
    if left_out is None or len(numbers) == n:
        return np.asarray(numbers, dtype=np.int64)
    rejected = np.unique(left_out.coords["frame"].values)
    rejected = np.setdiff1d(rejected, numbers)
    some = rejected[np.unique(np.linspace(0, len(rejected) - 1, most // 4).round().astype(int))]
    for number in some if len(rejected) else ():
        # The first and the last frame stay.
        inner = np.arange(1, len(numbers) - 1)
        taken = inner[~np.isin(numbers[inner], some)]
        if len(taken):
            numbers[taken[np.argmin(np.abs(numbers[taken] - number))]] = number
    return np.sort(np.asarray(numbers, dtype=np.int64))


def _reasons(left_out: Sites | None) -> list[str]:
    if left_out is None or "why" not in left_out:
        return []
    return [str(why) for why in np.unique(left_out["why"].values.astype(str))]


def _of_reason(left_out: Sites | None, why: str, number: int) -> NDArray[np.float64]:
    if left_out is None:
        return np.zeros((0, 2))
    mine = (left_out.coords["frame"].values == number) & (left_out["why"].values.astype(str) == why)
    return np.asarray(positions(left_out)[mine])
