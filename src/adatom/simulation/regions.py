"""Regions of a map for classes that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels over which the field is smooth: regions are some three times as wide.
_SMOOTH: Final = 8.0


def bands(size: int, n_classes: int, rng: np.random.Generator, /) -> NDArray[np.int64]:
    """Cut a square into classes of as many pixels each: bands between levels of a smooth field.

    Returns
    -------
    array of int, shape (y, x)
        Labels from 0.
    """
    field = scipy.ndimage.gaussian_filter(rng.normal(size=(size, size)), _SMOOTH, mode="wrap")
    rank = np.empty(size * size, dtype=np.int64)
    rank[np.argsort(field, axis=None, kind="stable")] = np.arange(size * size)
    return (rank * n_classes // (size * size)).reshape(size, size)
