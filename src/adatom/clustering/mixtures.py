"""Expectation-maximization of mixtures of Gaussian or Student distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.optimize
import scipy.special

from adatom.numerics.blocks import blocks_from_array
from adatom.numerics.folds import add_states, fold, map_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.clustering.models import Covariance
    from adatom.numerics.blocks import Block, Blocks

    Densities = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]

# Variance that every class has at least, as a share of the variance of all rows along the same
# axis: classes a thousand times narrower than the data are still told apart, and identical rows
# do not make the likelihood infinite.
_VARIANCE_FLOOR: Final = 1e-6
AT_REST: Final = 1e-6
"""A fit has come to rest when a pass adds less than this to the log-likelihood per row.

A thousandth of what one parameter is worth in a thousand rows.
"""
_KEPT_VALUES: Final = 1 << 22
# More degrees of freedom are a Gaussian to the eye and to the likelihood.
_MOST_FREEDOM: Final = 200.0
_LEAST_FREEDOM: Final = 2.1


@dataclass(frozen=True, eq=False)
class Mixture:
    """Parameters of a mixture; outliers have the weight that is missing to 1."""

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    outlier_log_density: float = float("nan")
    freedom: float = float("inf")
    """Degrees of freedom of Student's distribution; infinity: Gaussian."""
    covariance: Covariance = "full"

    @property
    def n_parameters(self) -> int:
        """Count the free parameters."""
        n, d = self.means.shape
        shape = {
            "full": n * d * (d + 1) // 2,
            "tied": d * (d + 1) // 2,
            "diagonal": n * d,
            "spherical": n,
        }[self.covariance]
        outliers = int(np.isfinite(self.outlier_log_density))
        tails = int(np.isfinite(self.freedom))
        return int(shape + n * d + (n - 1) + outliers + tails)


class Fit(NamedTuple):
    """A mixture that was fitted."""

    mixture: Mixture
    log_likelihood: float
    n_rows: int
    n_passes: int
    converged: bool

    @property
    def bic(self) -> float:
        """Bayesian information criterion, the smaller the better."""
        return -2 * self.log_likelihood + self.mixture.n_parameters * float(np.log(self.n_rows))


class Sums(NamedTuple):
    """What a pass over the rows gives for the next parameters."""

    members: NDArray[np.float64]
    """Of each class, those of outliers last."""
    moments: NDArray[np.float64]
    """(Gaussian class, column of the design)"""
    log_likelihood: NDArray[np.float64]
    tails: NDArray[np.float64]


def fit_mixture(
    designs: Designs,
    start: Mixture,
    /,
    *,
    spread: NDArray[np.float64],
    n_passes: int = 200,
    at_rest: float = AT_REST,
    fading: bool = False,
) -> Fit:
    """Raise the likelihood of a mixture by expectation-maximization until it rests [1]_.

    Covariances of the classes are drawn towards their common one with the
    weight of as many rows as there are columns and two, as by a conjugate
    prior [2]_: classes of few rows stay sound.

    Parameters
    ----------
    designs : Designs
        Of rows in few columns, about their mean.
    start : Mixture
        Where to begin; it also says what form the mixture has.
    spread : array, shape (column,)
        Variance of all rows along each column.
    n_passes : int
        At most; classes that overlap need some fifty.
    at_rest : float
        See `AT_REST`.
    fading : bool
        Let the pull of the common covariance fade for classes of many rows,
        which then are those of highest likelihood.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977);
       with Student's distribution: D. Peel and G. J. McLachlan, Stat. Comput. 10, 339 (2000).
    .. [2] C. Fraley and A. E. Raftery, J. Classif. 24, 155 (2007).
    """
    mixture, before = start, -np.inf
    for number in range(1, n_passes + 1):
        sums = fold(designs.blocks, expectation(mixture, designs), add_states)
        log_likelihood = float(sums.log_likelihood)
        n_rows = round(float(sums.members.sum()))
        if abs(log_likelihood - before) <= at_rest * n_rows:
            return Fit(mixture, log_likelihood, n_rows, number, converged=True)
        before = log_likelihood
        latest = mixture
        mixture = _maximization(mixture, sums, spread, designs.pairs, fading)
    return Fit(latest, before, n_rows, n_passes, converged=False)


def log_densities_of(mixture: Mixture, /) -> Densities:
    """Prepare the log of weight times density of every class, outliers last.

    Returns
    -------
    callable
        Of rows (row, column): log densities (class, row) and squared
        Mahalanobis distances (Gaussian class, row).
    """
    evaluate = _log_densities_of_design(mixture)
    pairs = np.triu_indices(mixture.means.shape[1])
    return lambda rows: evaluate(_design(rows, pairs))


def _design(rows: NDArray[np.float64], pairs: tuple[Any, ...]) -> NDArray[np.float64]:
    """Put one, the columns and their products side by side.

    Squared distances to all classes are one matrix product with it, and so
    are the sums that the next means and covariances need.
    """
    n, d = rows.shape
    design = np.empty((n, 1 + d + len(pairs[0])))
    design[:, 0] = 1
    design[:, 1 : 1 + d] = rows
    np.multiply(rows[:, pairs[0]], rows[:, pairs[1]], out=design[:, 1 + d :])
    return design


def _log_densities_of_design(mixture: Mixture) -> Densities:
    d = mixture.means.shape[1]
    factors = np.linalg.cholesky(mixture.covariances)
    half_log_determinant = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    coefficients = _square_coefficients(mixture)
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
        outlier = np.log(max(0.0, 1 - mixture.weights.sum())) + mixture.outlier_log_density
    freedom = mixture.freedom
    constant = -d / 2 * np.log(2 * np.pi)
    if np.isfinite(freedom):
        constant = (
            scipy.special.gammaln((freedom + d) / 2)
            - scipy.special.gammaln(freedom / 2)
            - d / 2 * np.log(freedom * np.pi)
        )
    offsets = (constant - half_log_determinant + log_weights)[:, None]

    def densities(
        design: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        squares = np.maximum(coefficients @ design.T, 0)
        if np.isfinite(freedom):
            logs = -(freedom + d) / 2 * np.log1p(squares / freedom) + offsets
        else:
            logs = offsets - squares / 2
        if np.isfinite(mixture.outlier_log_density):
            logs = np.concatenate([logs, np.full((1, len(design)), outlier)])
        return logs, squares

    return densities


def _square_coefficients(mixture: Mixture) -> NDArray[np.float64]:
    """Write squared Mahalanobis distances as coefficients of the design, (class, column)."""
    n, d = mixture.means.shape
    pairs = np.triu_indices(d)
    inverses = np.linalg.inv(mixture.covariances)
    pulls = np.einsum("kij,kj->ki", inverses, mixture.means)
    coefficients = np.empty((n, 1 + d + len(pairs[0])))
    coefficients[:, 0] = np.einsum("ki,ki->k", pulls, mixture.means)
    coefficients[:, 1 : 1 + d] = -2 * pulls
    # Products of two columns stand for both orders.
    coefficients[:, 1 + d :] = inverses[:, *pairs] * np.where(pairs[0] == pairs[1], 1.0, 2.0)
    return coefficients


def log_sum(logs: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the log of the sum of exponentials along the first axis."""
    top = logs.max(axis=0)
    total: NDArray[np.float64] = top + np.log(np.exp(logs - top).sum(axis=0))
    return total


class Designs:
    """The design of every row: made once if the rows are few, on every pass otherwise.

    Attributes
    ----------
    blocks : Blocks
        Of rows, or of their designs.
    pairs : tuple of arrays
        Columns whose products stand in a design, in its order.
    design_of : callable
        Gives the designs (row, column) of a block.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.pairs = np.triu_indices(blocks.n_columns)
        width = 1 + blocks.n_columns + len(self.pairs[0])
        self.blocks = blocks
        self.design_of = _design_of_rows
        if blocks.n_rows * width <= _KEPT_VALUES:
            designs = np.full((blocks.n_rows, width), np.nan)
            map_to(blocks, lambda rows: [_design_from_rows(rows)], [designs])
            self.blocks = blocks_from_array(designs)
            self.design_of = _design_as_kept


def _design_of_rows(block: Block) -> NDArray[np.float64]:
    return _design_from_rows(block.values)


def _design_as_kept(block: Block) -> NDArray[np.float64]:
    return np.asarray(block.values)


def _design_from_rows(rows: NDArray[Any]) -> NDArray[np.float64]:
    return _design(rows.astype(np.float64, copy=False), np.triu_indices(rows.shape[1]))


def expectation(mixture: Mixture, designs: Designs, /) -> Callable[[Block], Sums]:
    """Prepare the sums of a block of rows, each weighted by what it belongs to."""
    densities = _log_densities_of_design(mixture)
    n, d = mixture.means.shape
    freedom = mixture.freedom
    # The step may run in another process: it takes the function alone, not the rows.
    design_of = designs.design_of

    def step(block: Block) -> Sums:
        design = design_of(block)
        logs, squares = densities(design)
        totals = log_sum(logs)
        shares = np.exp(logs - totals)
        pulls = shares[:n]
        tails = 0.0
        if np.isfinite(freedom):
            # Rows far out pull less on the mean of their class.
            damping = (freedom + d) / (freedom + squares)
            tails = float((pulls * (np.log(damping) - damping)).sum())
            pulls = pulls * damping
        return Sums(shares.sum(axis=1), pulls @ design, np.asarray(totals.sum()), np.asarray(tails))

    return step


def _maximization(
    mixture: Mixture,
    sums: Sums,
    spread: NDArray[np.float64],
    pairs: tuple[Any, ...],
    fading: bool,
) -> Mixture:
    n, d = mixture.means.shape
    members = np.maximum(sums.members[:n], 1e-12)
    weighted = np.maximum(sums.moments[:, 0], 1e-12)
    means = sums.moments[:, 1 : 1 + d] / weighted[:, None]
    scatters = np.empty((n, d, d))
    scatters[:, pairs[0], pairs[1]] = sums.moments[:, 1 + d :]
    scatters[:, pairs[1], pairs[0]] = sums.moments[:, 1 + d :]
    scatters -= weighted[:, None, None] * np.einsum("ki,kj->kij", means, means)
    return replace(
        mixture,
        weights=sums.members[:n] / sums.members.sum(),
        means=means,
        covariances=_covariances(mixture.covariance, scatters, members, spread, fading),
        freedom=_freedom(mixture.freedom, d, float(sums.tails) / float(members.sum())),
    )


def _covariances(
    form: Covariance,
    scatters: NDArray[np.float64],
    members: NDArray[np.float64],
    spread: NDArray[np.float64],
    fading: bool = False,
) -> NDArray[np.float64]:
    n, d, _ = scatters.shape
    common = scatters.sum(axis=0) / members.sum()
    if form == "tied":
        covariances = np.repeat(common[None], n, axis=0)
    else:
        prior = np.full(n, d + 2.0)
        if fading:
            # Halved where a class has about as many rows as two covariances have numbers.
            prior /= 1 + members / (d + 2) ** 2
        pulled = prior[:, None, None] * common + scatters
        covariances = pulled / (prior + members)[:, None, None]
    if form == "diagonal":
        covariances = covariances * np.eye(d)
    if form == "spherical":
        variances = np.trace(covariances, axis1=1, axis2=2) / d
        covariances = variances[:, None, None] * np.eye(d)
    floor = np.maximum(_VARIANCE_FLOOR * spread, np.finfo(float).tiny ** 0.5)
    floored: NDArray[np.float64] = covariances + np.diag(floor)
    return floored


def _freedom(before: float, d: int, tails: float) -> float:
    """Update the degrees of freedom (Peel and McLachlan 2000, eq. 35)."""
    if not np.isfinite(before):
        return before
    half = (before + d) / 2
    known = 1 + tails + scipy.special.digamma(half) - np.log(half)

    def slope(freedom: float) -> float:
        return float(np.log(freedom / 2) - scipy.special.digamma(freedom / 2) + known)

    if slope(_MOST_FREEDOM) >= 0:
        return _MOST_FREEDOM
    if slope(_LEAST_FREEDOM) <= 0:
        return _LEAST_FREEDOM
    return float(scipy.optimize.brentq(slope, _LEAST_FREEDOM, _MOST_FREEDOM, xtol=1e-3))


def mixture_from_labels(
    rows: NDArray[np.float64],
    labels: NDArray[Any],
    /,
    *,
    n_classes: int,
    spread: NDArray[np.float64],
    covariance: Covariance,
) -> Mixture:
    """Begin a mixture with the means and covariances of given classes."""
    d = rows.shape[1]
    members = np.bincount(labels, minlength=n_classes).astype(float)
    means, scatters = np.zeros((n_classes, d)), np.zeros((n_classes, d, d))
    for number in np.flatnonzero(members):
        part = rows[labels == number]
        means[number] = part.mean(axis=0)
        scatters[number] = (part - means[number]).T @ (part - means[number])
    return Mixture(
        weights=np.maximum(members, 0.5) / np.maximum(members, 0.5).sum(),
        means=means,
        covariances=_covariances(covariance, scatters, np.maximum(members, 0.5), spread),
        covariance=covariance,
    )
