"""Intervals of shares, of means and of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import gammaincinv, stdtrit

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


def poisson_interval(
    counts: ArrayLike, /, *, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the exact interval of the mean of which a Poisson count was drawn [1]_.

    References
    ----------
    .. [1] F. Garwood, Biometrika 28, 437 (1936).

    Examples
    --------
    >>> low, high = poisson_interval([0, 10], confidence=0.95)
    >>> low.round(2), high.round(2)
    (array([0. , 4.8]), array([ 3.69, 18.39]))
    """
    number = np.asarray(counts, dtype=float)
    outside = (1 - confidence) / 2
    low = gammaincinv(np.maximum(number, 1.0), outside)
    return np.where(number > 0, low, 0.0), gammaincinv(number + 1, 1 - outside)
