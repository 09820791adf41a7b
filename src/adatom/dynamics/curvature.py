"""The exponent of anomalous diffusion, and the radius of confinement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import jnp_zeros

from adatom.dynamics.resampling import (
    FEWEST_TRACKS,
    NOT_KNOWN,
    Interval,
    joined_units,
    resampled_weights,
)
from adatom.numerics.intervals import student_widening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.displacements import SquaredDisplacements

FEWEST_LAGS: Final = 5
"""Of fewer lags offset, size and curvature cannot be told apart."""
_MOST_LAGS: Final = 16
_EXPONENTS: Final = np.linspace(0.04, 2.0, 99)
# D t over r^2, times the longest lag: a slower one is not told from free motion, a
# faster one than the shortest lag leaves no D.
_SLOWEST: Final = 0.15
_FASTEST: Final = 1.0
_N_TERMS: Final = 12
_N_RATES: Final = 80
_N_RESAMPLES: Final = 400


class _Curves(NamedTuple):
    """Shapes (candidate, lag), and what fits size and offset of each."""

    parameter: NDArray[np.float64]
    shapes: NDArray[np.float64]


class Confinement(NamedTuple):
    """Radius of a disc in which tracks stay, and D within."""

    radius: Interval
    diffusion: Interval


def lags_of_curvature(n_lags: int, /) -> NDArray[np.int64]:
    """Choose lags 1, 2, 3, ... that grow evenly on a logarithmic scale."""
    chosen = np.unique(np.rint(np.geomspace(1, n_lags, _MOST_LAGS)).astype(np.int64))
    return np.asarray(chosen if len(chosen) >= FEWEST_LAGS else np.arange(1, n_lags + 1))


def estimate_exponent(sums: SquaredDisplacements, rng: np.random.Generator, /) -> Interval:
    """Fit A n^alpha + c to mean squared displacements.

    With c free the localization error, which bends a curve without it as
    subdiffusion does, is not taken for that.
    """
    lags = lags_of_curvature(sums.pairs.shape[1])
    if len(lags) < FEWEST_LAGS:
        return NOT_KNOWN
    curves = _Curves(_EXPONENTS, lags[None, :] ** _EXPONENTS[:, None])
    n_units = int((sums.pairs[:, 0] > 0).sum())
    best, _ = _fitted(sums, lags, curves, rng)
    return _percentiles(best, n_units)


def estimate_confinement(
    sums: SquaredDisplacements, step_time: float, rng: np.random.Generator, /
) -> Confinement:
    """Fit r^2 f(D t n / r^2) + c, the mean squared displacement in a disc with a hard wall.

    f(u) = 1 - 8 sum_k exp(-a_k^2 u) / (a_k^2 (a_k^2 - 1)), with J1'(a_k) = 0 [1]_: two
    places of the disc are r apart in the root of the mean square.

    References
    ----------
    .. [1] T. Bickel, Physica A 377, 24 (2007), eq. 19.
    """
    lags = lags_of_curvature(sums.pairs.shape[1])
    if len(lags) < FEWEST_LAGS:
        return Confinement(NOT_KNOWN, NOT_KNOWN)
    rates = np.geomspace(_SLOWEST / lags[-1], _FASTEST, _N_RATES)
    curves = _Curves(rates, _in_disc(rates[:, None] * lags))
    n_units = int((sums.pairs[:, 0] > 0).sum())
    rate, size = _fitted(sums, lags, curves, rng)
    # At the slow end of the rates no plateau is seen.
    size = np.where(rate <= rates[0] * 1.01, np.nan, size)
    with np.errstate(invalid="ignore"):
        radius = np.sqrt(np.maximum(size, 0.0))
    return Confinement(
        _percentiles(radius, n_units), _percentiles(size * rate / step_time, n_units)
    )


def _in_disc(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give f(u) of `estimate_confinement`."""
    squares = jnp_zeros(1, _N_TERMS) ** 2
    terms = np.exp(-np.multiply.outer(times, squares)) / (squares * (squares - 1))
    return np.asarray(1 - 8 * terms.sum(axis=-1))


def _fitted(
    sums: SquaredDisplacements,
    lags: NDArray[np.int64],
    curves: _Curves,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give parameter and size of the best curve for all tracks, then for each resample."""
    squares = sums.squares[:, lags - 1].sum(axis=2)
    pairs = sums.pairs[:, lags - 1]
    units = joined_units(np.column_stack([squares, pairs]), rng)
    totals = units.sum(axis=0)[None]
    if len(units) >= FEWEST_TRACKS:
        weights = resampled_weights(len(units), rng, n_resamples=_N_RESAMPLES)
        totals = np.concatenate([totals, weights @ units])
    n = len(lags)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = totals[:, :n] / totals[:, n:]
        number = pairs.sum(axis=0) ** 2 / sums.overlap[:, lags - 1].sum(axis=0)
    known = np.isfinite(mean).all(axis=1)
    # Relative errors of a mean square are as one over the root of the number.
    weight = number / mean[0] ** 2
    best = np.full(len(mean), np.nan)
    size = np.full(len(mean), np.nan)
    if known[0] and np.isfinite(weight).all():
        best[known], size[known] = _best(mean[known], weight, curves)
    return best, size


def _best(
    mean: NDArray[np.float64], weight: NDArray[np.float64], curves: _Curves
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find by weighted least squares the curve with size and offset of their own."""
    weight = weight / weight.sum()
    shapes = curves.shapes - (curves.shapes @ weight)[:, None]
    values = mean - (mean @ weight)[:, None]
    spread = (shapes**2) @ weight
    together = (values * weight) @ shapes.T
    left = (values**2) @ weight
    rest = left[:, None] - together**2 / spread
    rest = np.where(together > 0, rest, left[:, None])
    at = rest.argmin(axis=1)
    rows = np.arange(len(mean))
    inner = np.clip(at, 1, len(curves.parameter) - 2)
    before, here, after = (rest[rows, inner + k] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(bend > 0, (before - after) / 2 / bend, 0.0)
    place = np.where(at == inner, inner + np.clip(shift, -1, 1), at)
    parameter = np.interp(place, np.arange(len(curves.parameter)), curves.parameter)
    sizes = together / spread
    low = np.clip(np.floor(place).astype(int), 0, len(curves.parameter) - 2)
    share = place - low
    return parameter, (1 - share) * sizes[rows, low] + share * sizes[rows, low + 1]


def _percentiles(values: NDArray[np.float64], n_units: int) -> Interval:
    value, resampled = float(values[0]), values[1:]
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or len(known) < len(resampled) / 2 or len(known) < 2 or n_units < 2:
        return Interval(value, np.nan, np.nan, np.nan)
    low, high = np.quantile(known, [0.025, 0.975]).tolist()
    # Percentiles of few tracks are too near one another.
    wider = student_widening(n_units - 1) * np.sqrt(n_units / (n_units - 1))
    low, high = value - (value - low) * wider, value + (high - value) * wider
    return Interval(value, float(known.std()), low, high)
