"""Medians of rows that may have gaps, and what they tell of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMA_OF_MAD: Final = 1.4826
"""Of a normal distribution: standard deviation over the median of absolute deviations."""


def medians_of_rows(rows: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the median of what is finite of every row; NaN where nothing is.

    As `numpy.nanmedian`, but without its loop over long rows and its warning
    for rows that were not measured at all.

    Examples
    --------
    >>> medians_of_rows(np.array([[3.0, np.nan, 1.0], [np.nan, np.nan, np.nan]]))
    array([ 2., nan])
    """
    known = np.isfinite(rows)
    if not rows.shape[1]:
        return np.full(len(rows), np.nan)
    if known.all():
        return np.asarray(np.median(rows, axis=1))
    count = known.sum(axis=1)
    ranked = np.sort(np.where(known, rows, np.inf), axis=1)
    # Both are within what is finite, and alike where its number is odd.
    middles = np.stack([np.maximum(count - 1, 0) // 2, count // 2], axis=1)
    middles = np.minimum(middles, np.maximum(count - 1, 0)[:, None])
    medians = np.take_along_axis(ranked, middles, axis=1).mean(axis=1)
    return np.where(count > 0, medians, np.nan)


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64], /) -> float:
    """Give the median of values that stand for as many as their weights say; NaN of none.

    With whole numbers as weights it is the median of every value repeated as often.

    Examples
    --------
    >>> weighted_median(np.array([1.0, 5.0, 2.0]), np.array([1.0, 1.0, 3.0]))
    2.0
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    half = reached[-1] / 2
    low, high = (int(np.searchsorted(reached, half, side=side)) for side in ("left", "right"))
    last = len(values) - 1
    return float(values[order[[min(low, last), min(high, last)]]].mean())
