"""Lines of a scan brought to one level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from adatom.errors import KindError
from adatom.schema import IMAGE, MOVIE, Image, Movie, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray


def correct_lines(picture: Image | Movie, /) -> Image | Movie:
    """Level the lines of a scan, and take off its tilt along them.

    Between two lines of a scanning probe the height drifts and jumps. Each
    line loses its median, and each frame the slope along the lines (the line
    through the medians of its columns, by the median of slopes). What is
    equally high all along a line, such as a step parallel to it, is lost too.

    Parameters
    ----------
    picture : Image or Movie
        Lines run along x. Numpy gives numpy; dask gives dask, frame by frame.
        NaN: not measured.

    Returns
    -------
    Image or Movie
        Of the same kind, about zero; float32 if it was of few bits.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> correct_lines(image_from_array([[0.0, 1.0, 2.0], [7.0, 8.0, 9.0]])).values
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    if not (MOVIE.fits(picture) or IMAGE.fits(picture)):
        msg = f"found {type(picture).__name__}, need an Image or a Movie"
        raise KindError(msg)
    dtype = np.result_type(picture.dtype, np.float32)
    values: Any = picture.data
    if isinstance(values, da.Array):
        frame_chunks = dict.fromkeys(range(values.ndim - 2), 1)
        rechunk: Any = values.rechunk
        whole = rechunk({**frame_chunks, values.ndim - 2: -1, values.ndim - 1: -1})
        leveled: Any = whole.map_blocks(_leveled, dtype, dtype=dtype)
    else:
        leveled = _leveled(np.asarray(values), dtype)
    result = picture.copy(data=leveled)
    add_note(result, "Every line lost its median, every frame its slope along the lines.")
    return result


def _leveled(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    # Empty stacks are given by dask to learn the type.
    if block.size == 0:
        return np.empty(block.shape, dtype=dtype)
    frames = block.reshape(-1, *block.shape[-2:])
    out = np.empty(frames.shape, dtype=dtype)
    for number, frame in enumerate(frames):
        out[number] = _leveled_frame(frame.astype(float))
    return out.reshape(block.shape)


def _leveled_frame(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = frame - _medians(frame, axis=1)[:, None]
    flat = flat - _slope(_medians(flat, axis=0)) * np.arange(frame.shape[1])
    # Without the tilt, which of the pixels of a line is in the middle is another one.
    return np.asarray(flat - _medians(flat, axis=1)[:, None])


def _medians(frame: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    """Give medians of what was measured; 0 where nothing was."""
    medians = np.zeros(frame.shape[1 - axis])
    measured = np.isfinite(frame).any(axis=axis)
    some = np.compress(measured, frame, axis=1 - axis)
    medians[measured] = np.nanmedian(some, axis=axis)
    return medians


def _slope(medians: NDArray[np.float64]) -> float:
    """Give the median of the slopes between points half a frame apart."""
    half = medians.size // 2
    if half == 0:
        return 0.0
    apart = medians.size - half
    return float(np.median(medians[apart:] - medians[:half]) / apart)
