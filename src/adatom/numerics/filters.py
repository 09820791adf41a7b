"""Filters of large images by several threads, the same to the last bit as by one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.fft
import scipy.ndimage

from adatom.numerics.executors import available_cores, each_in_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Pixels below which threads cost more than they save: some milliseconds of work.
_LARGE: Final = 2**18


def wide_gaussian_filter(image: NDArray[Any], sigma: float, /) -> NDArray[np.float64]:
    """Smooth an image by a Gaussian of any width in the same time, reflected at the border.

    By a discrete cosine transform, of which reflection is the natural border.
    """
    spectrum = scipy.fft.dctn(np.asarray(image, dtype=np.float64))
    for axis, n in enumerate(spectrum.shape):
        damped = np.exp(-0.5 * (sigma * np.pi * np.arange(n) / n) ** 2)
        spectrum *= damped.reshape([-1 if a == axis else 1 for a in range(spectrum.ndim)])
    smooth: NDArray[np.float64] = scipy.fft.idctn(spectrum, overwrite_x=True)
    return smooth


def gaussian_filter(
    image: NDArray[Any],
    sigma: float,
    /,
    *,
    order: tuple[int, int] = (0, 0),
    mode: str = "reflect",
    truncate: float = 4.0,
) -> NDArray[Any]:
    """Smooth an image, or take derivatives of the smooth one, as `scipy.ndimage.gaussian_filter`.

    Lines are filtered one by one, so that it does not matter which thread does.
    """

    def along(axis: int) -> Callable[[NDArray[Any], NDArray[Any]], None]:
        def work(lines: NDArray[Any], output: NDArray[Any]) -> None:
            scipy.ndimage.gaussian_filter1d(
                lines,
                sigma,
                axis=axis,
                order=order[axis],
                output=output,
                mode=mode,
                truncate=truncate,
            )

        return work

    return _both_axes(image, along)


def maximum_filter(image: NDArray[Any], size: int, /, *, mode: str = "reflect") -> NDArray[Any]:
    """Take the highest of a square around each pixel, as `scipy.ndimage.maximum_filter`."""

    def along(axis: int) -> Callable[[NDArray[Any], NDArray[Any]], None]:
        def work(lines: NDArray[Any], output: NDArray[Any]) -> None:
            scipy.ndimage.maximum_filter1d(lines, size, axis=axis, output=output, mode=mode)

        return work

    return _both_axes(image, along)


def minimum_filter(image: NDArray[Any], size: int, /, *, mode: str = "reflect") -> NDArray[Any]:
    """Take the lowest of a square around each pixel, as `scipy.ndimage.minimum_filter`."""

    def along(axis: int) -> Callable[[NDArray[Any], NDArray[Any]], None]:
        def work(lines: NDArray[Any], output: NDArray[Any]) -> None:
            scipy.ndimage.minimum_filter1d(lines, size, axis=axis, output=output, mode=mode)

        return work

    return _both_axes(image, along)


def _both_axes(
    image: NDArray[Any],
    along: Callable[[int], Callable[[NDArray[Any], NDArray[Any]], None]],
) -> NDArray[Any]:
    """Filter all columns, then all rows, strip by strip."""
    whole = np.asarray(image)
    for axis in (0, 1):
        work = along(axis)
        output = np.empty_like(whole)
        # Strips run along the axis that is filtered.
        pairs = [
            (whole[:, part], output[:, part]) if axis == 0 else (whole[part], output[part])
            for part in _strips(whole, 1 - axis)
        ]
        each_in_threads(lambda pair, work=work: work(*pair), pairs)  # type: ignore[misc]
        whole = output
    return whole


def _strips(image: NDArray[Any], axis: int) -> list[slice]:
    length = image.shape[axis]
    n = min(available_cores(), 8) if image.size >= _LARGE else 1
    edges = np.linspace(0, length, n + 1).astype(int).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]
