"""Single pixels of absurd values, as hot pixels and cosmic hits leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.schema import Image

# What takes no more than this share of the pixels does not tell the range of an image.
_FEW: Final = 1e-3
# No structure stands so many ranges away from all others. From some 1000 on such
# a pixel costs atoms, from 1e6 on beside it all others are flat.
_RANGES: Final = 100
# More pixels that touch one another show something, as atoms in a vacuum without noise do.
_MOST_TOUCHING: Final = 9


def without_absurd_pixels(image: Image, /) -> tuple[Image, int]:
    """Take single pixels of absurd values for not measured (NaN), and count them.

    A single value of 1e20 would set mean and spread of the whole image. The
    image itself is given back if there is none.
    """
    values = np.asarray(image.values)
    absurd = absurd_pixels(values)
    if not absurd.any():
        return image, 0
    kept = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    return image.copy(data=np.where(absurd, np.nan, kept)), int(absurd.sum())


def absurd_in_words(n_pixels: int, /) -> str:
    """Say what was done with so many pixels."""
    pixels = "1 pixel stands" if n_pixels == 1 else f"{n_pixels} pixels stand"
    return (
        f"{pixels} alone, more than {_RANGES} ranges of all other values away from them, as hot "
        "pixels do: taken for not measured."
    )


def absurd_pixels(values: NDArray[np.generic], /) -> NDArray[np.bool_]:
    """Tell which pixels are far beyond the range of all others, and alone or nearly so.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        NaN where nothing was measured.

    Examples
    --------
    >>> values = np.random.default_rng(1).normal(size=(64, 64))
    >>> values[3, 5] = 1e20
    >>> np.argwhere(absurd_pixels(values)).tolist()
    [[3, 5]]
    """
    wide = values.astype(np.float64, copy=False)
    known = np.isfinite(wide)
    if not known.any():
        return np.zeros(values.shape, dtype=bool)
    low, high = np.quantile(wide[known], [_FEW, 1 - _FEW])
    reach = _RANGES * (high - low)
    beyond = known & ((wide > high + reach) | (wide < low - reach))
    if reach == 0 or not beyond.any():
        return np.zeros_like(beyond)
    patches, _ = scipy.ndimage.label(beyond, structure=np.ones((3, 3)))
    sizes = np.bincount(patches.ravel())
    return np.asarray(beyond & (sizes <= _MOST_TOUCHING)[patches])
