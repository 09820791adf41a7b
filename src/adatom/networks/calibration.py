"""Scores that mean what they say: the share of such sites that are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Knots = tuple[tuple[float, float], ...]

# Sites a knot: fewer would follow the noise of counting, 7 % for a share of one half.
_SITES_PER_KNOT: Final = 50
_MOST_KNOTS: Final = 16
_FEWEST_SITES: Final = 100


def calibration_of_scores(score: NDArray[np.float64], is_right: NDArray[np.bool_], /) -> Knots:
    """Fit a rising curve from scores to the share of sites that are right.

    Sites are sorted by their score and cut into bins of equal numbers, the
    shares of the bins made to rise by pooling neighbors that do not
    (isotonic regression [1]_), and joined by straight lines.

    Parameters
    ----------
    score : ndarray, shape (site,)
        Between 0 and 1.
    is_right : ndarray of bool, shape (site,)
        Whether a true site is there.

    Returns
    -------
    tuple of (float, float)
        Knots (score, share), both rising; none of fewer than 100 sites, which
        leaves scores as they are.

    References
    ----------
    .. [1] B. Zadrozny and C. Elkan, KDD 2002, 694, section 3.

    Examples
    --------
    >>> score = np.linspace(0, 1, 4001)
    >>> is_right = np.random.default_rng(0).random(4001) < score**2
    >>> knots = np.array(calibration_of_scores(score, is_right))
    >>> bool(abs(np.interp(0.5, *knots.T) - 0.25) < 0.05)
    True
    """
    if len(score) < _FEWEST_SITES:
        return ()
    order = np.argsort(score, kind="stable")
    n_bins = int(np.clip(len(score) // _SITES_PER_KNOT, 2, _MOST_KNOTS))
    bins = _bins_of_equals(score[order], order, n_bins)
    x = np.array([score[members].mean() for members in bins])
    # Half a right and half a wrong site more: certainty is never learned from counting.
    y = np.array([(is_right[members].sum() + 0.5) / (len(members) + 1) for members in bins])
    risen = _risen(y, np.array([len(members) for members in bins], dtype=float))
    # Equal scores would make a step, which no line between knots can follow.
    last = np.concatenate([np.diff(np.round(x, 6)) > 0, [True]])
    return tuple((round(float(a), 6), round(float(b), 6)) for a, b in zip(x[last], risen[last]))


def _bins_of_equals(
    rising: NDArray[np.float64], order: NDArray[np.intp], n_bins: int
) -> list[NDArray[np.intp]]:
    """Cut sites into bins of about equal numbers, those of one score into one bin."""
    edges = np.arange(1, n_bins) * len(rising) // n_bins
    edges = np.unique(np.searchsorted(rising, rising[edges], side="left"))
    return np.split(order, edges[edges > 0])


def _risen(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the nearest values that never fall, by pooling those that do."""
    pools: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [[(a * wa + b * wb) / (wa + wb), wa + wb, na + nb]]
    return np.repeat(np.array([p[0] for p in pools]), [int(p[2]) for p in pools])


def calibrated(score: NDArray[np.float64], knots: Knots, /) -> NDArray[np.float64]:
    """Turn scores into shares of sites that are right."""
    if not knots:
        return score
    x, y = np.array(knots).T
    return np.asarray(np.interp(score, x, y))


def calibration_error(
    score: NDArray[np.float64], is_right: NDArray[np.bool_], /, *, n_bins: int = 10
) -> float:
    """Give the mean distance of scores from shares, over bins of equal numbers of sites.

    Examples
    --------
    >>> calibration_error(np.full(100, 0.5), np.arange(100) % 2 == 0)
    0.0
    """
    if not len(score):
        return float("nan")
    bins = np.array_split(np.argsort(score, kind="stable"), n_bins)
    gaps = [abs(score[b].mean() - is_right[b].mean()) * len(b) for b in bins if len(b)]
    return float(np.sum(gaps) / len(score))
