"""Expectation-maximization of mixtures of spectral shapes under the statistics of counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.special

from adatom.clustering.mixtures import log_sum
from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

# A class is drawn towards the mean shape by a single count: a channel in which none of its rows
# has a count is unlikely in the class, not impossible.
_PRIOR_COUNTS: Final = 1.0
# As of mixtures of Gaussians: less than this per row decides nothing.
_AT_REST: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Shapes:
    """Parameters of a mixture of shapes."""

    weights: NDArray[np.float64]
    shapes: NDArray[np.float64]
    """(class, channel), each adds up to one."""
    pooled: NDArray[np.float64]
    """Shape of all rows together, to which likelihoods are referred."""
    dispersion: float
    """Variance of the values over their mean: 1 for counts."""


class ShapesFit(NamedTuple):
    """A mixture of shapes that was fitted."""

    mixture: Shapes
    log_likelihood: float
    """Above that of a single class."""
    n_rows: int
    n_passes: int
    converged: bool


class Survey(NamedTuple):
    """What one pass tells of counts before anything is fitted."""

    sums: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    """Measured rows that have counts."""
    n_negative: NDArray[np.int64]


class _Sums(NamedTuple):
    members: NDArray[np.float64]
    counts: NDArray[np.float64]
    """(class, channel)"""
    log_likelihood: NDArray[np.float64]


class _Squares(NamedTuple):
    squares: NDArray[np.float64]
    """(class, channel), of the values over the total of their row."""
    totals: NDArray[np.float64]
    n_rows: NDArray[np.float64]


def survey_counts(blocks: Blocks, /) -> Survey:
    """Sum the channels, and count the rows that have counts and those with a negative value."""

    def step(block: Block) -> Survey:
        return Survey(
            block.values.sum(axis=0, dtype=np.float64),
            np.asarray(np.count_nonzero(totals_of(block.values) > 0)),
            np.asarray(np.count_nonzero((block.values < 0).any(axis=1))),
        )

    return fold(blocks, step, add_states)


def totals_of(rows: NDArray[Any], /) -> NDArray[np.float64]:
    """Give the sum of every row."""
    totals: NDArray[np.float64] = rows.sum(axis=1, dtype=np.float64)
    return totals


def fit_shapes(blocks: Blocks, start: Shapes, /, *, n_passes: int = 200) -> ShapesFit:
    """Raise the likelihood of a mixture of shapes until it rests [1]_.

    Rows are Poisson about their own intensity times the shape of their
    class; given its total, a row then is multinomial [2]_, and its intensity
    falls out. Each pass is one matrix product to find what every class
    explains, and one to sum what it holds.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977).
    .. [2] P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed., Chapman and Hall
       (1989), sec. 6.4 (Poisson given the total); sec. 9.2 (likelihood with a dispersion).
    """
    mixture, before = start, -np.inf
    for number in range(1, n_passes + 1):
        sums = fold(blocks, _expectation(mixture, blocks.dtype), add_states)
        log_likelihood = float(sums.log_likelihood)
        n_rows = round(float(sums.members.sum()))
        if abs(log_likelihood - before) <= _AT_REST * n_rows:
            return ShapesFit(mixture, log_likelihood, n_rows, number, converged=True)
        before, latest = log_likelihood, mixture
        mixture = replace(
            mixture,
            weights=sums.members / sums.members.sum(),
            shapes=smoothed_shapes(sums.counts, mixture.pooled, mixture.dispersion),
        )
    return ShapesFit(latest, before, n_rows, n_passes, converged=False)


def smoothed_shapes(
    sums: NDArray[np.float64], pooled: NDArray[np.float64], dispersion: float, /
) -> NDArray[np.float64]:
    """Give the shapes of summed rows, drawn towards the pooled shape by one count."""
    # A value of `dispersion` says as much as one count.
    prior = _PRIOR_COUNTS * dispersion
    shapes: NDArray[np.float64] = (sums + prior * pooled) / (
        sums.sum(axis=1, keepdims=True) + prior
    )
    return shapes


def log_likelihoods_of(
    mixture: Shapes, dtype: np.dtype[Any], /
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Prepare the log of weight times likelihood of every class, (class, row).

    Likelihoods are relative to that of the pooled shape: their logs are
    small numbers, which keep their digits in float32.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(mixture.pooled > 0, np.log(mixture.shapes / mixture.pooled), 0.0)
        offsets = np.log(mixture.weights)[:, None]
    factors = ratios.astype(dtype)

    def evaluate(rows: NDArray[Any]) -> NDArray[np.float64]:
        logs: NDArray[np.float64] = (factors @ rows.T).astype(np.float64)
        return logs / mixture.dispersion + offsets

    return evaluate


def dispersion_of(blocks: Blocks, mixture: Shapes, /) -> float:
    """Estimate the variance of the values over their mean, by Pearson's chi squared [1]_.

    References
    ----------
    .. [1] P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. (1989), sec. 4.5.2.
    """
    evaluate = log_likelihoods_of(mixture, blocks.dtype)

    def step(block: Block) -> _Squares:
        totals = totals_of(block.values)
        rows, totals = block.values[totals > 0], totals[totals > 0]
        logs = evaluate(rows)
        shares = np.exp(logs - log_sum(logs)).astype(rows.dtype)
        squares = (shares / totals.astype(rows.dtype)) @ rows**2
        return _Squares(
            squares.astype(np.float64), np.asarray(totals.sum()), np.asarray(float(len(rows)))
        )

    sums = fold(blocks, step, add_states)
    used = mixture.pooled > 0
    freedom = (float(sums.n_rows) - len(mixture.weights)) * (np.count_nonzero(used) - 1)
    squares = float((sums.squares[:, used] / mixture.shapes[:, used]).sum() - sums.totals)
    mean_total = float(sums.totals) / max(float(sums.n_rows), 1.0)
    # Rows that are all alike have no dispersion; rounding sets the least that means anything.
    return max(squares / max(freedom, 1.0), mean_total * float(np.finfo(np.float32).eps))


def deviances(
    rows: NDArray[Any], shapes: NDArray[np.float64], labels: NDArray[Any], /
) -> NDArray[np.float64]:
    """Give twice the log-likelihood that each row lacks of its best, in the shape of its class."""
    wide = rows.astype(np.float64)
    expected = shapes[labels] * wide.sum(axis=1, keepdims=True)
    terms = scipy.special.kl_div(wide, expected)
    total: NDArray[np.float64] = 2 * np.where(np.isfinite(terms), terms, 0.0).sum(axis=1)
    return total


def _expectation(mixture: Shapes, dtype: np.dtype[Any]) -> Callable[[Block], _Sums]:
    evaluate = log_likelihoods_of(mixture, dtype)

    def step(block: Block) -> _Sums:
        # Rows without a single count tell nothing of shapes.
        rows = block.values[totals_of(block.values) > 0]
        logs = evaluate(rows)
        totals = log_sum(logs)
        shares = np.exp(logs - totals)
        counts = shares.astype(rows.dtype) @ rows
        return _Sums(shares.sum(axis=1), counts.astype(np.float64), np.asarray(totals.sum()))

    return step
