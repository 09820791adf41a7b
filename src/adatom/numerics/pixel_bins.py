"""Pixels averaged in small rectangles, where they are finer than what is seen."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MOSTLY: Final = 0.75
"""Of a rectangle: with fewer pixels its mean is not that in its middle, where models take it."""


def average_pixels(
    values: NDArray[np.generic], usable: NDArray[np.bool_], factors: tuple[int, int], /
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average usable pixels in rectangles of `factors` pixels along y and x.

    Rectangles that reach beyond the last row or column have fewer pixels.

    Parameters
    ----------
    values, usable : arrays, shape (y, x)
    factors : tuple of int

    Returns
    -------
    means, share : arrays, shape (rectangle along y, rectangle along x)
        The mean, 0 where no pixel is usable, and which part of the pixels of
        a whole rectangle it is of.
    """
    over = [-n % factor for n, factor in zip(values.shape, factors, strict=True)]
    pad = [(0, n) for n in over]
    known = np.where(usable, np.asarray(values, dtype=np.float64), 0.0)
    blocks = [
        size
        for n, extra, factor in zip(values.shape, over, factors, strict=True)
        for size in ((n + extra) // factor, factor)
    ]
    total = np.pad(known, pad).reshape(blocks).sum(axis=(1, 3))
    count = np.pad(usable, pad).reshape(blocks).sum(axis=(1, 3))
    return total / np.maximum(count, 1), count / (factors[0] * factors[1])
