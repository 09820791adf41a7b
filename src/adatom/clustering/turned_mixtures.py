"""Expectation-maximization of mixtures whose rows were turned by hidden operations of a group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import scipy.linalg

from adatom.clustering.mixtures import AT_REST, Designs, Mixture, Sums, expectation
from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Form = Literal["tied", "full"]

# No class is three times wider or narrower along any direction than classes are on average, so
# that dirt and blends of classes do not become a class of their own.
_WIDEST: Final = 9.0
# Variance that every class has at least, as a share of the variance of all rows.
_VARIANCE_FLOOR: Final = 1e-6
# The background is as wide as all rows together, and half as wide again.
_BACKGROUND: Final = 2.25
_FIRST_BACKGROUND: Final = 0.02
_LEAST_BACKGROUND: Final = 1e-6
# Classes of fewer rows are outliers that happen to be alike.
LEAST_MEMBERS: Final = 4.5


@dataclass(frozen=True, eq=False)
class TurnedMixture:
    """Classes of rows, each of which was turned by one of the operations, all as likely.

    Attributes
    ----------
    weights : ndarray, shape (class,)
        With that of the background, missing to 1.
    means, covariances : ndarray
        Of rows that were turned back: (class, component), and squared.
    operations : ndarray, shape (operation, component, component)
        Orthogonal.
    symmetry : tuple of tuple of int
        For every class the operations that leave it as it is: 0 alone where it has none.
    spread : ndarray, shape (component,)
        Variance of all rows in all orientations.
    background : bool
        Whether there are rows that belong to no class: they lie about the mean of all.
    form : {"tied", "full"}
        Whether all classes have one covariance, which then has the symmetry of the group.
    """

    weights: Floats
    means: Floats
    covariances: Floats
    operations: Floats
    symmetry: tuple[tuple[int, ...], ...]
    spread: Floats
    background: bool
    form: Form

    @property
    def n_parameters(self) -> int:
        """Count the free parameters, by the characters of the representation."""
        number = len(self.weights) - 1 + int(self.background)
        for kept in self.symmetry:
            number += _n_invariant(self.operations[list(kept)])
            if self.form == "full":
                number += _n_invariant_products(self.operations[list(kept)])
        if self.form == "tied":
            number += _n_invariant_products(self.operations)
        return number

    def expanded(self) -> Mixture:
        """Write every class in every orientation as a Gaussian, the background last."""
        n_operations, d = self.operations.shape[:2]
        turned = turned_means(self.means, self.operations)
        covariances = _conjugated(self.covariances[:, None], self.operations).reshape(-1, d, d)
        weights = np.repeat(self.weights / n_operations, n_operations)
        if self.background:
            weights = np.append(weights, max(1 - self.weights.sum(), _LEAST_BACKGROUND))
            turned = np.concatenate([turned, np.zeros((1, d))])
            wide = np.diag(_BACKGROUND * self.spread)
            covariances = np.concatenate([covariances, wide[None]])
        # Rounding must not take them off their symmetry.
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        return Mixture(weights, turned, covariances)


class TurnedFit(NamedTuple):
    """A mixture that was fitted."""

    mixture: TurnedMixture
    log_likelihood: float
    n_rows: int
    n_passes: int
    converged: bool

    @property
    def bic(self) -> float:
        """Bayesian information criterion, the smaller the better."""
        return -2 * self.log_likelihood + self.mixture.n_parameters * float(np.log(self.n_rows))


def _n_invariant(operations: Floats) -> int:
    """Count the numbers of a vector that all operations leave as it is."""
    return round(float(np.trace(operations, axis1=1, axis2=2).mean()))


def _n_invariant_products(operations: Floats) -> int:
    """Count the numbers of a symmetric matrix that all operations leave as it is."""
    first = np.trace(operations, axis1=1, axis2=2)
    second = np.trace(operations @ operations, axis1=1, axis2=2)
    return round(float(((first**2 + second) / 2).mean()))


def fit_turned_mixture(
    designs: Designs,
    start: TurnedMixture,
    /,
    *,
    n_passes: int = 200,
    at_rest: float = AT_REST,
) -> TurnedFit:
    """Raise the likelihood of a mixture with hidden operations until it rests.

    Parameters
    ----------
    designs : Designs
        Of rows about the mean of all orientations.
    start : TurnedMixture
        Where to begin; it also says what form the mixture has.
    n_passes : int
        At most.
    at_rest : float
        As of `mixtures.fit_mixture`.
    """
    mixture, before, latest = start, -np.inf, start
    for number in range(1, n_passes + 1):
        sums = fold(designs.blocks, expectation(mixture.expanded(), designs), add_states)
        log_likelihood = float(sums.log_likelihood)
        n_rows = round(float(sums.members.sum()))
        if abs(log_likelihood - before) <= at_rest * n_rows:
            return TurnedFit(mixture, log_likelihood, n_rows, number, converged=True)
        before, latest = log_likelihood, mixture
        mixture = _maximized(mixture, sums, designs.pairs)
    return TurnedFit(latest, before, n_rows, n_passes, converged=False)


def _maximized(
    mixture: TurnedMixture, sums: Sums, pairs: tuple[NDArray[np.intp], ...]
) -> TurnedMixture:
    n, d = mixture.means.shape
    operations = mixture.operations
    n_turned = n * len(operations)
    members = np.maximum(sums.members[:n_turned].reshape(n, -1).sum(axis=1), 1e-12)
    moments = sums.moments[:n_turned].reshape(n, len(operations), -1)
    seconds = np.empty((n, len(operations), d, d))
    seconds[..., pairs[0], pairs[1]] = moments[..., 1 + d :]
    seconds[..., pairs[1], pairs[0]] = moments[..., 1 + d :]
    # Turned back: x = R y, so y = R^T x.
    first = (moments[..., None, 1 : 1 + d] @ operations).sum(axis=(1, 2))
    second = _conjugated(seconds, operations.transpose(0, 2, 1)).sum(axis=1)
    return _with_moments(mixture, members, first, second, float(sums.members.sum()))


def _with_moments(
    mixture: TurnedMixture, members: Floats, first: Floats, second: Floats, n_rows: float
) -> TurnedMixture:
    """Make the means and covariances of classes from their sums."""
    first, second = first.copy(), second.copy()
    for k, kept in enumerate(mixture.symmetry):
        first[k], second[k] = _averaged(mixture.operations[list(kept)], first[k], second[k])
    means = first / members[:, None]
    scatters = second - members[:, None, None] * np.einsum("ki,kj->kij", means, means)
    pooled = scatters.sum(axis=0) / members.sum()
    _, common = _averaged(mixture.operations, means[0], pooled)
    floor = np.diag(np.maximum(_VARIANCE_FLOOR * mixture.spread, np.finfo(float).tiny ** 0.5))
    common = common + floor
    if mixture.form == "tied":
        covariances = np.repeat(common[None], len(members), axis=0)
    else:
        covariances = _own_covariances(scatters, members, common)
    return replace(mixture, weights=members / n_rows, means=means, covariances=covariances)


def _averaged(operations: Floats, vector: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    return (
        np.asarray((operations @ vector).mean(axis=0)),
        np.asarray(_conjugated(matrix, operations).mean(axis=0)),
    )


def _conjugated(matrices: Floats, operations: Floats) -> Floats:
    """Give R S R^T for every operation."""
    return np.asarray(operations @ matrices @ operations.transpose(0, 2, 1))


def turned_means(means: Floats, operations: Floats, /) -> Floats:
    """Give every mean after every operation, (class and operation, component)."""
    turned = means @ operations.transpose(0, 2, 1)
    return np.ascontiguousarray(turned.transpose(1, 0, 2)).reshape(-1, means.shape[1])


def _own_covariances(scatters: Floats, members: Floats, common: Floats) -> Floats:
    """Draw covariances towards the common one, and keep them from becoming much wider [1]_.

    .. [1] L. A. Garcia-Escudero et al., Ann. Stat. 36, 1324 (2008), with the common covariance
       in the place of a sphere.
    """
    d = len(common)
    prior = (d + 2.0) / (1 + members / (d + 2) ** 2)
    drawn = (prior[:, None, None] * common + scatters) / (prior + members)[:, None, None]
    factor = np.linalg.cholesky(common)
    covariances = np.empty_like(drawn)
    for k, covariance in enumerate(drawn):
        whitened = scipy.linalg.solve_triangular(
            factor, scipy.linalg.solve_triangular(factor, covariance, lower=True).T, lower=True
        )
        values, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
        shape = (vectors * np.clip(values, 1 / _WIDEST, _WIDEST)) @ vectors.T
        covariances[k] = factor @ shape @ factor.T
    return covariances


def mixture_from_turned(
    rows: Floats,
    labels: NDArray[np.int64],
    turns: NDArray[np.int64],
    /,
    *,
    n_classes: int,
    operations: Floats,
    spread: Floats,
    background: bool,
) -> TurnedMixture:
    """Begin a tied mixture with the class and the operation of every row."""
    d = rows.shape[1]
    back = turned_back(rows, turns, operations)
    members, first = np.zeros(n_classes), np.zeros((n_classes, d))
    second = np.zeros((n_classes, d, d))
    for k in range(n_classes):
        part = back[labels == k]
        members[k], first[k], second[k] = len(part), part.sum(axis=0), part.T @ part
    empty = TurnedMixture(
        np.full(n_classes, 1 / n_classes),
        np.zeros((n_classes, d)),
        np.zeros((n_classes, d, d)),
        operations,
        ((0,),) * n_classes,
        spread,
        background,
        "tied",
    )
    members = np.maximum(members, 0.5)
    n_rows = members.sum() / (1 - _FIRST_BACKGROUND * background)
    return _with_moments(empty, members, first, second, float(n_rows))


def turned_kmeans(
    rows: Floats,
    n_classes: int,
    operations: Floats,
    /,
    *,
    rng: np.random.Generator,
    known: Floats | None = None,
    n_passes: int = 12,
) -> tuple[float, NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows into classes by their nearest mean in any orientation.

    Starts are drawn as by k-means++, far rows no likelier than the farthest
    tenth, so that single outliers do not become means.

    Parameters
    ----------
    rows : ndarray, shape (row, component)
        About the mean of all orientations.
    n_classes : int
        Classes.
    operations : ndarray
        Orthogonal in the metric of `rows`.
    rng : Generator
        Of the starts.
    known : ndarray, shape (class, component), optional
        Means to begin with; only what is missing is drawn.

    Returns
    -------
    inertia : float
        Sum of squared distances, the farthest tenth cut off.
    labels, turns : ndarray of int, shape (row,)
        Class, and the operation that was done to its mean.
    """
    lengths = (rows**2).sum(axis=1)
    means = [] if known is None else list(known)
    nearest = np.full(len(rows), np.inf)
    for mean in means:
        nearest = np.minimum(nearest, _distances(rows, lengths, mean[None], operations)[0])
    while len(means) < n_classes:
        chance = np.ones(len(rows))
        if means:
            chance = np.minimum(nearest, np.quantile(nearest, 0.9))
        total = np.cumsum(chance)
        drawn = int(np.searchsorted(total, rng.uniform() * total[-1])) if total[-1] > 0 else 0
        means.append(rows[min(drawn, len(rows) - 1)])
        nearest = np.minimum(nearest, _distances(rows, lengths, means[-1][None], operations)[0])
    centers = np.array(means)
    for _ in range(n_passes):
        distances, labels, turns = _distances(rows, lengths, centers, operations)
        back = turned_back(rows, turns, operations)
        moved = centers.copy()
        for k in np.unique(labels):
            moved[k] = back[labels == k].mean(axis=0)
        if np.array_equal(moved, centers):
            break
        centers = moved
    distances, labels, turns = _distances(rows, lengths, centers, operations)
    return float(np.minimum(distances, np.quantile(distances, 0.9)).sum()), labels, turns


def turned_back(rows: Floats, turns: NDArray[np.int64], operations: Floats, /) -> Floats:
    """Undo the operation of every row."""
    back = np.empty_like(rows)
    for g, operation in enumerate(operations):
        here = turns == g
        # x = R y, so y = R^T x; of rows, y = x R.
        back[here] = rows[here] @ operation
    return back


def _distances(
    rows: Floats, lengths: Floats, means: Floats, operations: Floats
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Give the squared distance to the nearest mean in any orientation, its class and turn."""
    turned = turned_means(means, operations)
    gain = rows @ turned.T - (turned**2).sum(axis=1) / 2
    best = gain.argmax(axis=1)
    distances = np.maximum(lengths - 2 * gain[np.arange(len(rows)), best], 0)
    return distances, best // len(operations), best % len(operations)
