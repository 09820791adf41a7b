"""Mixtures of Gaussians each of which comes with its mirror image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_PASSES: Final = 200
_START_PASSES: Final = 12
_LLOYD_PASSES: Final = 20
_AT_REST: Final = 1e-6
_FLOOR: Final = 1e-4
_OUTLIERS: Final = 0.02
# One normal distribution, folded about its middle, looks like two that are 2.7 standard deviations
# apart.
_TWO_FORMS: Final = 4.0
_LEAST_WEIGHT: Final = 1e-300


class MirrorMixture(NamedTuple):
    """A mixture of classes, each with a mirror image, and of outliers.

    A mirror is the change of sign of some columns.

    Attributes
    ----------
    weights : ndarray, shape (class,)
        What is missing to 1 is that of outliers.
    mirrored : ndarray, shape (class,)
        Share of each class that is mirrored; a half for those that are their own image.
    means, covariances : ndarray, shape (class, column) and (class, column, column)
        Of members that are not mirrored.
    own_image : ndarray of bool, shape (class,)
        The class is its own mirror image.
    outlier_log_density : float
    signs : ndarray, shape (column,)
        1, and -1 for columns that change sign under the mirror.
    """

    weights: Floats
    mirrored: Floats
    means: Floats
    covariances: Floats
    own_image: Bools
    outlier_log_density: float
    signs: Floats

    @property
    def n_parameters(self) -> int:
        """Count the free parameters; a class that is its own image has fewer."""
        d, odd = len(self.signs), int((self.signs < 0).sum())
        even = d - odd
        chiral = d + d * (d + 1) // 2 + 1
        own = even + even * (even + 1) // 2 + odd * (odd + 1) // 2
        return int(np.where(self.own_image, own, chiral).sum()) + len(self.weights)

    def posteriors(self, rows: Floats, /) -> tuple[Floats, Floats]:
        """Give posteriors (class, side, row), mirrored second, and log densities (row,)."""
        logs = self._log_densities(rows)
        with np.errstate(divide="ignore"):
            outlier = np.log(max(1 - self.weights.sum(), _LEAST_WEIGHT)) + self.outlier_log_density
        top = np.maximum(logs.max(axis=(0, 1)), outlier)
        total = np.exp(logs - top).sum(axis=(0, 1)) + np.exp(outlier - top)
        return np.exp(logs - top) / total, np.asarray(top + np.log(total))

    def _log_densities(self, rows: Floats) -> Floats:
        d = rows.shape[1]
        logs = np.empty((len(self.weights), 2, len(rows)))
        for k, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            factor = np.linalg.cholesky(covariance)
            whitening = np.linalg.inv(factor).T
            constant = -0.5 * d * np.log(2 * np.pi) - np.log(np.diagonal(factor)).sum()
            shares = (1 - self.mirrored[k], self.mirrored[k])
            for side, share in enumerate(shares):
                seen = rows * self.signs if side else rows
                whitened = (seen - mean) @ whitening
                weight = max(self.weights[k] * share, _LEAST_WEIGHT)
                logs[k, side] = constant + np.log(weight) - 0.5 * (whitened**2).sum(axis=1)
        return logs


class MirrorFit(NamedTuple):
    """A mixture that was fitted, and how well."""

    mixture: MirrorMixture
    log_likelihood: float
    n_rows: int
    converged: bool

    @property
    def bic(self) -> float:
        """Bayesian information criterion, the smaller the better."""
        penalty = self.mixture.n_parameters * float(np.log(self.n_rows))
        return -2 * self.log_likelihood + penalty


def fit_mirror_mixture(
    rows: Floats, signs: Floats, /, *, n_classes: int, n_starts: int, rng: np.random.Generator
) -> MirrorFit:
    """Fit a mixture of classes with mirror images by expectation-maximization.

    A row and its mirror image are the same evidence: in each pass every row counts for
    every class as it is and mirrored, by their posteriors. Of the classes that
    this gives, those are taken for their own mirror image that are better off so by the Bayesian
    information criterion, or less than four standard deviations from it.

    Parameters
    ----------
    rows : ndarray, shape (row, column)
        About a center that is its own mirror image.
    signs : ndarray, shape (column,)
        -1 for columns that change sign under the mirror.
    n_classes, n_starts : int
        Classes, and starts of which the best is taken.
    rng : numpy.random.Generator
        Of the starts.
    """
    free = np.zeros(n_classes, dtype=bool)
    starts = (_start(rows, signs, n_classes, rng) for _ in range(n_starts))
    tried = (_rested(rows, start, free, n_passes=_START_PASSES) for start in starts)
    best = _rested(rows, max(tried, key=lambda fit: fit.log_likelihood).mixture, free)
    for k in range(n_classes):
        own = best.mixture.own_image.copy()
        own[k] = True
        other = _rested(rows, _constrained(best.mixture, own), own)
        if other.bic <= best.bic or _apart(best.mixture, k) < _TWO_FORMS:
            best = other
    return best


def _apart(mixture: MirrorMixture, k: int) -> float:
    """Give how far a class is from its mirror image, in standard deviations."""
    between = mixture.means[k] * (1 - mixture.signs)
    return float(np.sqrt(between @ np.linalg.solve(mixture.covariances[k], between)))


def _start(rows: Floats, signs: Floats, n_classes: int, rng: np.random.Generator) -> MirrorMixture:
    """Begin with k-means under the mirror, from far apart rows."""
    mirrored = rows * signs
    means = rows[[rng.integers(len(rows))]]
    while len(means) < n_classes:
        near = _distances(rows, mirrored, means).min(axis=(0, 1))
        total = near.sum()
        chance = near / total if total > 0 else None
        means = np.concatenate([means, rows[[rng.choice(len(rows), p=chance)]]])
    for _ in range(_LLOYD_PASSES):
        squared = _distances(rows, mirrored, means)
        label, side = np.divmod(squared.reshape(2 * n_classes, -1).argmin(axis=0), 2)
        folded = np.where(side[:, None] == 1, mirrored, rows)
        moved = np.array(
            [
                folded[label == k].mean(axis=0) if (label == k).any() else means[k]
                for k in range(n_classes)
            ]
        )
        if np.allclose(moved, means):
            break
        means = moved
    apart = folded - means[label]
    common = apart.T @ apart / len(rows) + _floor(rows)
    outliers = -float(
        np.log(np.maximum(np.ptp(np.concatenate([rows, mirrored]), axis=0), 1e-12)).sum()
    )
    share = np.bincount(label, minlength=n_classes) + 1.0
    return MirrorMixture(
        (1 - _OUTLIERS) * share / share.sum(),
        np.full(n_classes, 0.5),
        means,
        np.repeat(common[None], n_classes, axis=0),
        np.zeros(n_classes, dtype=bool),
        outliers,
        signs,
    )


def _distances(rows: Floats, mirrored: Floats, means: Floats) -> Floats:
    """Give squared distances (mean, side, row)."""
    sides = np.stack([rows, mirrored])
    return np.asarray(((sides[None] - means[:, None, None]) ** 2).sum(axis=3))


def _floor(rows: Floats) -> Floats:
    return np.diag(_FLOOR * np.maximum(rows.var(axis=0), 1e-12))


def _constrained(mixture: MirrorMixture, own: Bools) -> MirrorMixture:
    """Make the classes that are to be their own image so."""
    means = np.where(own[:, None], 0.5 * mixture.means * (1 + mixture.signs), mixture.means)
    blocks = 0.5 * (1 + np.outer(mixture.signs, mixture.signs))
    covariances = np.where(own[:, None, None], mixture.covariances * blocks, mixture.covariances)
    shares = np.where(own, 0.5, mixture.mirrored)
    return mixture._replace(means=means, covariances=covariances, mirrored=shares, own_image=own)


def _rested(rows: Floats, start: MirrorMixture, own: Bools, n_passes: int = _PASSES) -> MirrorFit:
    mixture, before = start._replace(own_image=own), -np.inf
    for _ in range(n_passes):
        share, logs = mixture.posteriors(rows)
        total = float(logs.sum())
        if abs(total - before) <= _AT_REST * len(rows):
            return MirrorFit(mixture, total, len(rows), converged=True)
        before, latest = total, mixture
        mixture = _maximized(rows, mixture, share)
    return MirrorFit(latest, before, len(rows), converged=False)


def _maximized(rows: Floats, mixture: MirrorMixture, share: Floats) -> MirrorMixture:
    own = mixture.own_image
    share = np.where(own[:, None, None], share.mean(axis=1, keepdims=True), share)
    members = np.maximum(share.sum(axis=(1, 2)), 1e-9)
    both = np.concatenate([rows, rows * mixture.signs])
    weight = share.reshape(len(own), -1)
    means = weight @ both / members[:, None]
    d = rows.shape[1]
    scatters = np.empty((len(own), d, d))
    for k, mean in enumerate(means):
        apart = both - mean
        scatters[k] = (apart * weight[k][:, None]).T @ apart
    # Drawn to the common covariance with the weight of as many rows as there are columns and
    # two: classes of few rows stay sound (C. Fraley and A. E. Raftery, J. Classif. 24, 155).
    common = scatters.sum(axis=0) / members.sum()
    pulled = ((d + 2) * common + scatters) / (d + 2 + members)[:, None, None] + _floor(rows)
    new = mixture._replace(
        weights=members / len(rows),
        mirrored=share[:, 1].sum(axis=1) / members,
        means=means,
        covariances=pulled,
    )
    return _constrained(new, own)
