"""Intervals of shares and of means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson_interval(
    shares: ArrayLike, numbers: ArrayLike, /, *, deviations: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give Wilson's interval of shares among `numbers` of independent places.

    Parameters
    ----------
    shares, numbers : array_like
    deviations : array_like
        Half width in standard deviations: 1.96 for 95 %.

    Examples
    --------
    >>> low, high = wilson_interval(0.25, 100, deviations=1.96)
    >>> round(float(low), 3), round(float(high), 3)
    (0.175, 0.343)
    """
    share, number, z = (np.asarray(part, dtype=float) for part in (shares, numbers, deviations))
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    root = np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    half = z * root / (1 + z**2 / number)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
