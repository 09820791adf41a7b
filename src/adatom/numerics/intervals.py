"""Intervals of shares and of means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NORMAL_95: Final = 1.96
"""Of a normal distribution 95 % lie within so many standard deviations."""


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


def student_widening(freedom: float, /) -> float:
    """Give by what errors are widened whose scatter so many degrees of freedom tell.

    1.96 of the widened errors are an interval of 95 %, that of Student's distribution.

    Examples
    --------
    >>> round(student_widening(7), 2), round(student_widening(1000), 2)
    (1.21, 1.0)
    """
    return float(stdtrit(freedom, 0.975)) / NORMAL_95
