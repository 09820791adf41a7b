"""Images, movies and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from adatom.errors import SettingError
from adatom.plotting._canvas import new_figure, place_axes
from adatom.plotting._colors import LEFT_OUT
from adatom.plotting._display import pixel_edges, shown_edges, shown_pixels
from adatom.plotting._panels import (
    PERCENTILES,
    draw_small,
    frame_axes,
    image_panel,
    legend_mark,
    map_panel,
)
from adatom.schema import IMAGE, MASK, MOVIE, Image, Mask, Movie, space_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS: Final = {"gray": "gray", "viridis": "viridis", "cividis": "cividis", "signed": "RdBu_r"}
Colors = Literal["gray", "viridis", "cividis", "signed"]


def plot_image(
    image: Image,
    /,
    *,
    colors: Colors = "gray",
    percentiles: tuple[float, float] = PERCENTILES,
) -> Figure:
    """Plot an image with scale bar and color bar.

    Parameters
    ----------
    image : Image
        In memory or lazy; of a large one block means are shown, and the
        picture says so.
    colors : {"gray", "viridis", "cividis", "signed"}
        Gray as at the microscope; "signed" is symmetric about zero.
    percentiles : tuple of float
        Between which the contrast runs: by default half a percent of dead
        or hot pixels at either end do not decide it. Pointed ends of the
        color bar tell that values lie beyond.

    Returns
    -------
    Figure

    Raises
    ------
    SettingError
        If `colors` is not one of the names above.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> figure = plot_image(image_from_array([[0.0, 1.0], [2.0, 3.0]], pixel_size="0.5 nm"))
    """
    IMAGE.check(image)
    if colors not in COLORS:
        msg = f"{colors=} is unknown: use one of {', '.join(COLORS)}"
        raise SettingError(msg)
    return image_panel(image, percentiles=percentiles, colors=COLORS[colors]).figure


def plot_movie(movie: Movie, /, *, n_frames: int = 6) -> Figure:
    """Plot frames of a movie, evenly spread from the first to the last.

    Parameters
    ----------
    movie : Movie
        Only the frames shown are loaded.
    n_frames : int
        How many to show at most; six fit a page.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> pixels = {"y": ("y", [0.0, 1.0], {"units": "px"}), "x": ("x", [0.0, 1.0], {"units": "px"})}
    >>> movie = xr.DataArray(np.zeros((9, 2, 2)), dims=("frame", "y", "x"), coords=pixels)
    >>> len(plot_movie(movie).axes)
    6
    """
    MOVIE.check(movie)
    total = movie.sizes["frame"]
    numbers = np.unique(np.linspace(0, total - 1, min(n_frames, total)).round().astype(int))
    columns = min(3, len(numbers))
    rows = -(-len(numbers) // columns)
    left, right, bottom, top = pixel_edges(movie.isel(frame=0))
    size = 2.3
    height = size * min(2.0, abs(bottom - top) / abs(right - left))
    figure = new_figure(columns * (size + 0.1) + 0.1, rows * (height + 0.3) + 0.1)
    for place, number in enumerate(numbers):
        row, column = divmod(place, columns)
        axes = place_axes(
            figure,
            0.1 + column * (size + 0.1),
            0.1 + (rows - 1 - row) * (height + 0.3),
            size,
            height,
        )
        shown = movie.isel(frame=int(number))
        name = f"{int(shown['frame'])}" if "frame" in movie.coords else f"{number} of {total}"
        draw_small(axes, shown, f"frame {name}")
    return figure


def plot_regions(mask: Mask, image: Image | None = None, /) -> Figure:
    """Plot which part of an image was analyzed: what was left out is tinted.

    Parameters
    ----------
    mask : Mask
        True where the image is analyzed; of several frames the first is shown.
    image : Image, optional
        Drawn below.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> image = image_from_array([[0.0, 1.0], [2.0, 3.0]])
    >>> figure = plot_regions(image > 0.5, image)
    """
    MASK.check(mask)
    first = mask.isel(frame=0) if "frame" in mask.dims else mask
    share = float(first.mean())
    legend = [
        legend_mark(f"left out: {100 * (1 - share):.1f} % of the area", color=LEFT_OUT, marker="s"),
        legend_mark(f"analyzed: {100 * share:.1f} %", color="#b8bcc2", marker="s"),
    ]
    if image is None:
        panel = map_panel(pixel_edges(first), unit=space_unit(first), legend=legend)
        panel.axes.set_facecolor("#b8bcc2")
    else:
        IMAGE.check(image)
        panel = image_panel(image, legend=legend)
    shown = shown_pixels(first.astype(np.float32))
    left_out = 1.0 - shown.values
    tint = np.zeros((*left_out.shape, 4))
    tint[..., :3] = [int(LEFT_OUT[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    tint[..., 3] = 0.45 * left_out
    edges = shown_edges(first, shown)
    panel.axes.imshow(tint, extent=edges, origin="upper", aspect="auto", interpolation="nearest")
    if 0 < share < 1 and min(left_out.shape) > 1:
        panel.axes.contour(
            left_out, levels=[0.5], colors=[LEFT_OUT], linewidths=1.2, origin="upper", extent=edges
        )
    frame_axes(panel.axes, first if image is None else image)
    return panel.figure
