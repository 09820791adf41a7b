"""A mixture of known kinds of columns, whose brightness is known up to a factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.medians import SIGMA_OF_MAD, weighted_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# What atomic numbers say of the brightness of a column relative to another sublattice is scaled
# by one factor: vibration and tails of the probe differ, and a lattice hides part of its own light.
_FACTOR: Final = (np.log(1.15), 0.25)
_FACTORS: Final = np.exp(np.linspace(np.log(0.7), np.log(2.2), 31))
# Beside that, kinds differ from it by a twelfth: the exponent is 1.5 to 1.8 by detector.
_OFF: Final = 0.08
# Of the host's column: what is dark may shine by the tails of others.
_OFFSET: Final = 0.04
# As many places of prior knowledge stand behind the shares expected: a host may be converted whole.
_STRENGTH: Final = 1.0
# A twentieth of the members of a kind spread twice as far: neighbors differ, positions are off.
_FAR: Final = 0.05
# Share of what is none of the kinds, evenly over the brightness seen.
_NEITHER: Final = 0.002
# Kinds rarer than this beforehand keep their share where a common one is as bright within so many
# deviations: in MoS2 an S with Se looks like Mo on their place, and the one told of is believed.
_RARE: Final = 1e-3
_ALIKE: Final = 4.0
_ROUNDS: Final = 60
# Of more places than an image of one camera shows, the fit sees those that are alike as one:
# brightness within a tenth of the least spread, errors within a twentieth. A million places are
# some ten thousand groups.
_ALONE: Final = 20_000
_STEP: Final = 0.001
_ERROR_STEP: Final = (0.01, 0.05)


class _Groups(NamedTuple):
    """Places of like brightness: means of brightness and error, how many; median of all errors."""

    seen: Floats
    error: Floats
    n_places: Floats
    usual_error: float


class Mixture(NamedTuple):
    """Kinds fitted to brightness.

    Attributes
    ----------
    share : ndarray, shape (place, kind + 1)
        Probability of each kind, last that of none; NaN where nothing was measured.
    mean : ndarray, shape (kind,)
    spread : float
        Common standard deviation, beside the error of each place.
    weight : ndarray, shape (kind + 1,)
    factor : float
        By which kinds are brighter than their atomic numbers say.
    """

    share: Floats
    mean: Floats
    spread: float
    weight: Floats
    factor: float


def fit_mixture(
    brightness: Floats, error: Floats, expected: Floats, prior: Floats, /, *, factor: float | None
) -> Mixture:
    """Fit the kinds by expectation-maximization from every factor, and take the likeliest.

    Of more than 20,000 places the fit is of groups of those that are alike, so that its time
    hardly grows with their number; probabilities are told of every place. Means are drawn to
    what is expected times the factor, shares to those told beforehand: so a kind that is not
    there keeps its place and gets no members.

    Parameters
    ----------
    brightness, error : ndarray, shape (place,)
    expected, prior : ndarray, shape (kind,)
        Brightness by atomic numbers and shares; the first is the host's.
    factor : float, optional
        Where it is known; fitted otherwise.
    """
    known = np.isfinite(brightness)
    seen, its_error = brightness[known], np.nan_to_num(error[known])
    groups = _grouped(seen, its_error)
    wide = max(float(np.ptp(seen)), 1.0) if len(seen) else 1.0
    shares = np.append(prior, _NEITHER)
    shares /= shares.sum()
    starts = _FACTORS if factor is None else np.array([factor])
    fits = [_fitted(groups, wide, expected, shares, float(one), factor) for one in starts]
    _, best = max(fits, key=lambda fit: fit[0])
    share = np.full((len(brightness), len(shares)), np.nan)
    joint = _joint(seen, its_error, best, wide)
    share[known] = joint / (joint.sum(axis=1, keepdims=True) + 1e-300)
    return best._replace(share=share)


def _grouped(seen: Floats, error: Floats) -> _Groups:
    usual = float(np.median(error)) if len(error) else 0.0
    if len(seen) <= _ALONE:
        return _Groups(seen, error, np.ones(len(seen)), usual)
    near, ratio = _ERROR_STEP
    cells = np.stack([np.rint(seen / _STEP), np.rint(np.log1p(error / near) / ratio)], axis=1)
    _, group, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    # Older numpy gives the numbers with another axis.
    group = group.ravel()
    squared = np.bincount(group, weights=error**2, minlength=len(counts)) / counts
    mean = np.bincount(group, weights=seen, minlength=len(counts)) / counts
    return _Groups(mean, np.sqrt(squared), counts.astype(np.float64), usual)


def _joint(seen: Floats, error: Floats, mixture: Mixture, wide: float) -> Floats:
    """Give the probability density (place, kind + 1) of each kind times its share."""
    scale = np.sqrt(mixture.spread**2 + error[:, None] ** 2)
    likelihood = _likelihood((seen[:, None] - mixture.mean) / scale) / scale
    neither = np.full((len(seen), 1), 1 / wide)
    return np.asarray(mixture.weight * np.concatenate([likelihood, neither], axis=1))


def _fitted(
    groups: _Groups,
    wide: float,
    expected: Floats,
    prior: Floats,
    start: float,
    fixed: float | None,
) -> tuple[float, Mixture]:
    seen, error, count, usual = groups
    factor, mean, weight = start, start * expected, prior.copy()
    # Spread of the host's own, narrower than that of all kinds together.
    nearest = np.abs(seen[:, None] - mean).min(axis=1)
    spread = max(SIGMA_OF_MAD * float(np.nan_to_num(weighted_median(nearest, count))), 0.02)
    value, share = -np.inf, np.zeros((0, len(prior)))
    for _ in range(_ROUNDS):
        scale = np.sqrt(spread**2 + error[:, None] ** 2)
        joint = _joint(seen, error, Mixture(share, mean, spread, weight, factor), wide)
        total = joint.sum(axis=1, keepdims=True) + 1e-300
        # Members of a kind in every group.
        share = count[:, None] * joint / total
        now = float(count @ np.log(total[:, 0]))
        now += _log_prior(mean, weight, expected, prior, factor, fixed)
        if now - value < 1e-6 * max(1.0, abs(now)):
            value = now
            break
        value = now
        weight = share.sum(axis=0) + _STRENGTH * prior
        # Of all places: which kinds are held may turn on it.
        reach = _ALIKE * float(np.hypot(spread, usual))
        weight = _shares(weight / weight.sum(), prior, mean, reach)
        precision = share[:, :-1] / scale**2
        if fixed is None:
            factor = _factor(seen, precision, mean, expected)
        own = np.hypot(_OFF * factor * expected, _OFFSET * factor * expected[0])
        mean = (precision.T @ seen + factor * expected / own**2) / (
            precision.sum(axis=0) + 1 / own**2
        )
        spread = _spread(seen, error, mean, share[:, :-1])
    return value, Mixture(share, mean, spread, weight, factor)


def _shares(weight: Floats, prior: Floats, mean: Floats, reach: float) -> Floats:
    """Hold the shares of what is rare at those expected, where it looks like what is common."""
    rare = prior[:-1] < _RARE * prior[0]
    rare &= np.abs(mean[:, None] - mean[~rare]).min(axis=1) < reach
    held = weight.copy()
    held[:-1][rare] = np.minimum(weight[:-1][rare], prior[:-1][rare])
    return np.asarray(held / held.sum())


def _likelihood(away: Floats) -> Floats:
    near, far = (np.exp(-0.5 * (away / width) ** 2) / width for width in (1.0, 2.0))
    total: Floats = ((1 - _FAR) * near + _FAR * far) / np.sqrt(2 * np.pi)
    return total


def _factor(seen: Floats, precision: Floats, mean: Floats, expected: Floats) -> float:
    """Give the factor that brings what is expected to the means, weighted by how sure these are."""
    own = np.hypot(_OFF * expected, _OFFSET * expected[0])
    found = precision.sum(axis=0)
    average = np.divide(precision.T @ seen, found, out=mean.copy(), where=found > 0)
    weight = 1 / (own**2 + 1 / np.maximum(found, 1e-12))
    middle, width = np.exp(_FACTOR[0]), _FACTOR[1] * np.exp(_FACTOR[0])
    top = (weight * expected * average).sum() + middle / width**2
    return float(np.clip(top / ((weight * expected**2).sum() + 1 / width**2), 0.5, 3.0))


def _log_prior(
    mean: Floats,
    weight: Floats,
    expected: Floats,
    prior: Floats,
    factor: float,
    fixed: float | None,
) -> float:
    own = np.hypot(_OFF * factor * expected, _OFFSET * factor * expected[0])
    off = float(-0.5 * (((mean - factor * expected) / own) ** 2).sum())
    shares = float(_STRENGTH * (prior * np.log(weight)).sum())
    if fixed is not None:
        return off + shares
    return off + shares - 0.5 * float((np.log(factor) - _FACTOR[0]) / _FACTOR[1]) ** 2


def _spread(seen: Floats, error: Floats, mean: Floats, share: Floats) -> float:
    squared = share * ((seen[:, None] - mean) ** 2 - error[:, None] ** 2)
    variance = float(squared.sum() / max(float(share.sum()), 1e-12))
    return float(np.sqrt(max(variance, 1e-4)))
