"""Expectation-maximization of mixtures of Gaussian or Student distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special

from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.clustering.models import Covariance, MixtureModel
    from adatom.numerics.blocks import Block, Blocks

    Densities = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]

# Variance that every class has at least, as a share of the variance of all rows along the same
# axis: classes a thousand times narrower than the data are still told apart, and identical rows
# do not make the likelihood infinite.
_VARIANCE_FLOOR: Final = 1e-6
# Log-likelihood per row; a thousandth of what one parameter is worth in a thousand rows.
_AT_REST: Final = 1e-6
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


class _Sums(NamedTuple):
    members: NDArray[np.float64]
    weighted: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    tails: NDArray[np.float64]


def fit_mixture(
    blocks: Blocks, start: Mixture, /, *, spread: NDArray[np.float64], n_passes: int = 200
) -> Fit:
    """Raise the likelihood of a mixture by expectation-maximization until it rests [1]_.

    Covariances of the classes are drawn towards their common one with the
    weight of as many rows as there are columns and two, as by a conjugate
    prior [2]_: classes of few rows stay sound.

    Parameters
    ----------
    blocks : Blocks
        Rows in few columns, about their mean.
    start : Mixture
        Where to begin; it also says what form the mixture has.
    spread : array, shape (column,)
        Variance of all rows along each column.
    n_passes : int
        At most; classes that overlap need some fifty.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977);
       with Student's distribution: D. Peel and G. J. McLachlan, Stat. Comput. 10, 339 (2000).
    .. [2] C. Fraley and A. E. Raftery, J. Classif. 24, 155 (2007).
    """
    mixture, before = start, -np.inf
    pairs = np.triu_indices(start.means.shape[1])
    for number in range(1, n_passes + 1):
        sums = fold(blocks, _expectation(mixture, pairs), add_states)
        log_likelihood = float(sums.log_likelihood)
        n_rows = round(float(sums.members.sum()))
        if abs(log_likelihood - before) <= _AT_REST * n_rows:
            return Fit(mixture, log_likelihood, n_rows, number, converged=True)
        before = log_likelihood
        latest = mixture
        mixture = _maximization(mixture, sums, spread, pairs)
    return Fit(latest, before, n_rows, n_passes, converged=False)


def log_densities_of(mixture: Mixture, /) -> Densities:
    """Prepare the log of weight times density of every class, outliers last.

    Returns
    -------
    callable
        Of rows (row, column): log densities (row, class) and squared
        Mahalanobis distances (row, Gaussian class).
    """
    n, d = mixture.means.shape
    factors = np.linalg.cholesky(mixture.covariances)
    inverse = np.stack([scipy.linalg.solve_triangular(f, np.eye(d), lower=True).T for f in factors])
    projection = inverse.transpose(1, 0, 2).reshape(d, n * d)
    offset = np.einsum("kd,kde->ke", mixture.means, inverse).reshape(n * d)
    half_log_determinant = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
        outlier = np.log(max(0.0, 1 - mixture.weights.sum())) + mixture.outlier_log_density
    freedom = mixture.freedom
    if np.isfinite(freedom):
        constant = (
            scipy.special.gammaln((freedom + d) / 2)
            - scipy.special.gammaln(freedom / 2)
            - d / 2 * np.log(freedom * np.pi)
        )
    else:
        constant = -d / 2 * np.log(2 * np.pi)

    def densities(
        rows: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        whitened = (rows @ projection - offset).reshape(len(rows), n, d)
        squares = np.einsum("nkd,nkd->nk", whitened, whitened)
        if np.isfinite(freedom):
            kernel = -(freedom + d) / 2 * np.log1p(squares / freedom)
        else:
            kernel = -squares / 2
        logs = kernel + (constant - half_log_determinant + log_weights)
        if np.isfinite(mixture.outlier_log_density):
            logs = np.concatenate([logs, np.full((len(rows), 1), outlier)], axis=1)
        return logs, squares

    return densities


def class_log_densities(model: MixtureModel, /) -> Densities:
    """Prepare the log densities of a fitted model; see `log_densities_of`."""
    return log_densities_of(
        Mixture(model.weights, model.means, model.covariances, model.outlier_log_density)
    )


def log_sum(logs: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the log of the sum of exponentials along the last axis."""
    top = logs.max(axis=-1)
    total: NDArray[np.float64] = top + np.log(np.exp(logs - top[..., None]).sum(axis=-1))
    return total


def _expectation(mixture: Mixture, pairs: tuple[Any, ...]) -> Callable[[Block], _Sums]:
    densities = log_densities_of(mixture)
    n, d = mixture.means.shape
    freedom = mixture.freedom

    def step(block: Block) -> _Sums:
        rows = block.values.astype(np.float64, copy=False)
        logs, squares = densities(rows)
        totals = log_sum(logs)
        shares = np.exp(logs - totals[:, None])
        pulls = shares[:, :n]
        tails = 0.0
        if np.isfinite(freedom):
            # Rows far out pull less on the mean of their class.
            damping = (freedom + d) / (freedom + squares)
            tails = float((pulls * (np.log(damping) - damping)).sum())
            pulls = pulls * damping
        products = rows[:, pairs[0]] * rows[:, pairs[1]]
        return _Sums(
            shares.sum(axis=0),
            pulls.sum(axis=0),
            pulls.T @ rows,
            pulls.T @ products,
            np.asarray(totals.sum()),
            np.asarray(tails),
        )

    return step


def _maximization(
    mixture: Mixture, sums: _Sums, spread: NDArray[np.float64], pairs: tuple[Any, ...]
) -> Mixture:
    n, d = mixture.means.shape
    members = np.maximum(sums.members[:n], 1e-12)
    weighted = np.maximum(sums.weighted, 1e-12)
    means = sums.first / weighted[:, None]
    scatters = np.empty((n, d, d))
    scatters[:, pairs[0], pairs[1]] = sums.second
    scatters[:, pairs[1], pairs[0]] = sums.second
    scatters -= weighted[:, None, None] * np.einsum("ki,kj->kij", means, means)
    return replace(
        mixture,
        weights=sums.members[:n] / sums.members.sum(),
        means=means,
        covariances=_covariances(mixture.covariance, scatters, members, spread),
        freedom=_freedom(mixture.freedom, d, float(sums.tails) / float(members.sum())),
    )


def _covariances(
    form: Covariance,
    scatters: NDArray[np.float64],
    members: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    n, d, _ = scatters.shape
    common = scatters.sum(axis=0) / members.sum()
    if form == "tied":
        covariances = np.repeat(common[None], n, axis=0)
    else:
        prior = d + 2
        covariances = (prior * common + scatters) / (prior + members)[:, None, None]
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
