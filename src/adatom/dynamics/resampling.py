"""Intervals by bootstrap over tracks, of what follows from sums over tracks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_RESAMPLES: Final = 1000
# Sums of more tracks than these are first joined at random into so many groups: the
# groups are independent as tracks are, and tell the interval to a few per cent.
_MOST_UNITS: Final = 1000
FEWEST_TRACKS: Final = 10
"""Below this many tracks the scatter between them tells no interval."""

Statistic = Callable[["NDArray[np.float64]"], "tuple[NDArray[np.float64], NDArray[np.float64]]"]
"""Of totals (..., sum) the value (...) and its derivatives (..., sum), of degree zero in them."""


class Interval(NamedTuple):
    """A value, its standard error and the ends of its interval of 95 %."""

    value: float
    error: float
    low: float
    high: float


NOT_KNOWN: Final = Interval(np.nan, np.nan, np.nan, np.nan)


def joined_units(sums: NDArray[np.float64], rng: np.random.Generator, /) -> NDArray[np.float64]:
    """Join rows at random to no more than a thousand, by their sums."""
    sums = sums[np.any(sums != 0, axis=1)]
    if len(sums) <= _MOST_UNITS:
        return sums
    groups = np.arange(len(sums)) % _MOST_UNITS
    return sums_by_group(sums, rng.permutation(groups), n_groups=_MOST_UNITS)


def resampled_weights(
    n_units: int, rng: np.random.Generator, /, *, n_resamples: int = N_RESAMPLES
) -> NDArray[np.float64]:
    """Draw how often each unit is in each resample: (resample, unit)."""
    drawn = rng.integers(n_units, size=(n_resamples, n_units))
    drawn += np.arange(n_resamples)[:, None] * n_units
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_units)
    return counts.reshape(n_resamples, n_units).astype(np.float64)


def studentized_interval(
    sums: NDArray[np.float64], statistic: Statistic, rng: np.random.Generator, /
) -> Interval:
    """Give the interval of 95 % of a statistic of totals, by the studentized bootstrap.

    Each resample is compared with its own standard error, from the scatter
    of the derivative times the sums, which holds what percentiles leave
    out: that errors grow with the value, and that tracks are few.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 12.5.
    """
    units = joined_units(sums, rng)
    value, slope = statistic(units.sum(axis=0))
    if not (np.isfinite(value) and np.isfinite(slope).all()):
        return NOT_KNOWN
    n = len(units)
    correction = n / max(n - 1, 1)
    error = float(np.sqrt(correction * ((units @ slope) ** 2).sum()))
    if n < FEWEST_TRACKS or error == 0:
        return Interval(float(value), error if n > 1 else np.nan, np.nan, np.nan)
    weights = resampled_weights(n, rng)
    values, slopes = statistic(weights @ units)
    products = (units[:, :, None] * units[:, None, :]).reshape(n, -1)
    moments = (weights @ products).reshape(len(weights), units.shape[1], units.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.einsum("bi,bij,bj->b", slopes, moments, slopes) * correction
        ratio = (values - value) / np.sqrt(variance)
    ratio = ratio[np.isfinite(ratio)]
    low, high = np.quantile(ratio, [0.975, 0.025])
    return Interval(float(value), error, float(value - low * error), float(value - high * error))
