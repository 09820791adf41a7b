"""The mean of the frames of a movie, place by place, with its error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError
from adatom.numerics.readers import reader_of
from adatom.schema import MOVIE, Image, Movie, add_note


class FrameMean(NamedTuple):
    """The mean of frames.

    Attributes
    ----------
    image : Image
        The mean, NaN where no frame shows anything.
    error : Image
        Its standard error, from how frames scatter; NaN of fewer than two.
    n_frames : Image
        How many frames show each place.
    """

    image: Image
    error: Image
    n_frames: Image


def mean_from_frames(movie: Movie, /) -> FrameMean:
    """Average the frames of a movie, each place over the frames that show it.

    Noise falls with the root of the number of frames; what moved is smeared, so
    register frames first.

    Parameters
    ----------
    movie : Movie
        Read frame by frame; NaN: not seen, as at the borders of registered frames.

    Returns
    -------
    FrameMean
        ``image``, ``error`` and ``n_frames`` on the grid of the movie, in memory.

    Raises
    ------
    KindError
        If the movie has no frame.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> frame = image_from_array([[1.0, 2.0], [3.0, np.nan]])
    >>> movie = xr.concat([frame, frame + 2], dim="frame")
    >>> mean = mean_from_frames(movie)
    >>> mean.image.values.tolist(), mean.n_frames.values.tolist()
    ([[2.0, 3.0], [4.0, nan]], [[2, 2], [2, 0]])
    """
    MOVIE.check(movie)
    if not movie.sizes["frame"]:
        msg = "the movie has no frame to average"
        raise KindError(msg)
    read = reader_of(movie.data)
    count = np.zeros(movie.shape[1:], dtype=np.int64)
    mean, spread = np.zeros(movie.shape[1:]), np.zeros(movie.shape[1:])
    for k in range(movie.sizes["frame"]):
        box = (slice(k, k + 1), slice(0, movie.shape[1]))
        values = np.asarray(read(box))[0].astype(float)
        known = np.isfinite(values)
        count += known
        # Sums of squares about the mean so far do not cancel as those about zero do.
        away = np.where(known, values - mean, 0.0)
        mean += away / np.maximum(count, 1)
        spread += away * np.where(known, values - mean, 0.0)
    error = np.sqrt(spread / np.maximum(count - 1, 1) / np.maximum(count, 1))
    dtype = np.result_type(movie.dtype, np.float32)
    image = _like(movie, np.where(count > 0, mean, np.nan).astype(dtype), "intensity")
    add_note(image, _told(count, movie.sizes["frame"]))
    return FrameMean(
        image,
        _like(movie, np.where(count > 1, error, np.nan).astype(dtype), "error"),
        _like(movie, count, "n_frames"),
    )


def _told(count: np.ndarray[tuple[int, ...], np.dtype[np.int64]], n_frames: int) -> str:
    shown = count[count > 0]
    if not shown.size:
        return f"None of {n_frames} frames shows anything: the mean is NaN everywhere."
    text = f"Mean of {n_frames} frames"
    if int(shown.min()) < n_frames:
        text += f", at every place of those that show it, {shown.min()} to {shown.max()}"
    n_none = int((count == 0).sum())
    return text + (f"; {n_none} pixels that no frame shows are NaN." if n_none else ".")


def _like(movie: Movie, values: np.ndarray, name: str) -> Image:
    unit = movie.attrs.get("units", "1") if name != "n_frames" else "1"
    image: Image = xr.DataArray(
        values,
        dims=("y", "x"),
        coords={dim: movie.coords[dim] for dim in ("y", "x")},
        name=name,
        attrs={**movie.attrs, "units": unit},
    )
    return image
