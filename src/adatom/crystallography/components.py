"""Classes of equal and known scatter, as many as stand apart from one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Two Gaussians nearer than this overlap into one mode; their sites cannot be told apart.
LEAST_SEPARATION: Final = 4.0
_SAMPLE: Final = 1_500
_LEAST_SHARE: Final = 0.01
_LEAST_SITES: Final = 12
# One Gaussian site in ten thousand lies farther from its own mean.
_UNEXPLAINED: Final = 0.9999
_MOST_TRIES: Final = 8
_MOST_PASSES: Final = 30


def whitening_of(covariance: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the symmetric matrix that makes a covariance the identity.

    Directions with less than a hundredth of the mean variance are not
    trusted to be that precise: noise that cancels in means over cells, and
    walls do not.
    """
    variance, directions = np.linalg.eigh(covariance)
    variance = np.maximum(variance, 0.01 * variance.mean())
    whitening: NDArray[np.float64] = (directions / np.sqrt(variance)) @ directions.T
    return whitening


def squared_distances(
    rows: NDArray[np.float64], means: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Give the squared distance (row, class) of whitened rows to means."""
    # Classes first in memory: minima over the few classes are then taken ten times as fast.
    squared = (-2 * means) @ rows.T
    squared += np.einsum("ij,ij->i", rows, rows)
    squared += np.einsum("ij,ij->i", means, means)[:, None]
    return np.maximum(squared, 0.0, out=squared).T


def separation(means: NDArray[np.float64], /) -> float:
    """Give the least distance between two means, infinite if there is one only."""
    if len(means) < 2:
        return np.inf
    squared = squared_distances(means, means)
    return float(np.sqrt(squared[~np.eye(len(means), dtype=bool)].min()))


def find_components(
    rows: NDArray[np.float64], /, *, max_classes: int, seed: int
) -> NDArray[np.float64]:
    """Find the means (class, feature) of whitened rows, the largest class first.

    The densest place is the first class; as long as more rows than chance
    allows lie far from all classes, the densest place among these is another,
    if it stands apart and holds a hundredth of the rows.
    """
    n_features = rows.shape[1]
    near = float(chi2.ppf(0.95, n_features))
    far = float(chi2.ppf(_UNEXPLAINED, n_features))
    rng = np.random.default_rng(seed)
    needed = max(_LEAST_SITES, _LEAST_SHARE * len(rows))
    means = _moved_to_mode(rows, _densest(rows, rng), near)[None]
    open_rows = squared_distances(rows, means)[:, 0] > far
    for _ in range(_MOST_TRIES + max_classes):
        if open_rows.sum() < needed or len(means) >= max_classes:
            break
        start = _densest(rows[open_rows], rng)
        mode = _moved_to_mode(rows, start, near)
        around = squared_distances(rows, np.stack([start, mode])).min(axis=1) < far
        tried = _settled(rows, np.concatenate([means, mode[None]]), near)
        holds = (squared_distances(rows, tried).argmin(axis=1) == len(means)) & (
            squared_distances(rows, tried[-1:])[:, 0] < far
        )
        if separation(tried) >= LEAST_SEPARATION and holds.sum() >= needed:
            means = tried
            open_rows &= squared_distances(rows, means).min(axis=1) > far
        open_rows &= ~around
    counts = np.bincount(squared_distances(rows, means).argmin(axis=1), minlength=len(means))
    ordered: NDArray[np.float64] = means[np.argsort(-counts, kind="stable")]
    return ordered


def _densest(rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the row with most others within the distance of half of the pairs of one class."""
    sample = rows
    if len(rows) > _SAMPLE:
        sample = rows[np.sort(rng.choice(len(rows), _SAMPLE, replace=False))]
    radius = 2 * float(chi2.ppf(0.3, rows.shape[1]))
    count = (squared_distances(sample, sample) < radius).sum(axis=1)
    return np.asarray(sample[count.argmax()])


def _moved_to_mode(
    rows: NDArray[np.float64], place: NDArray[np.float64], near: float
) -> NDArray[np.float64]:
    for _ in range(30):
        held = squared_distances(rows, place[None])[:, 0] < near
        moved = rows[held].mean(axis=0) if held.any() else place
        if np.allclose(moved, place, atol=1e-6):
            break
        place = moved
    return place


def _settled(
    rows: NDArray[np.float64], means: NDArray[np.float64], near: float
) -> NDArray[np.float64]:
    """Move means to those of the rows that are nearest to each and within its scatter."""
    for _ in range(10):
        squared = squared_distances(rows, means)
        label, least = squared.argmin(axis=1), squared.min(axis=1)
        moved = means.copy()
        for k in range(len(means)):
            mine = (label == k) & (least < near)
            if mine.any():
                moved[k] = rows[mine].mean(axis=0)
        if np.allclose(moved, means, atol=1e-4):
            break
        means = moved
    return means


def gain_of_classes(rows: NDArray[np.float64], /, *, n_classes: int) -> float:
    """Give by how much several classes of unit scatter describe whitened rows better than one.

    Twice the difference of the log likelihoods of mixtures, started from the
    direction of the largest variance.
    """
    centered = rows - rows.mean(axis=0)
    values, directions = np.linalg.eigh(centered.T @ centered / len(rows))
    means = np.zeros((n_classes, rows.shape[1]))
    # Starts are spread along the largest axes, two on each.
    for k in range(n_classes):
        axis = directions[:, -1 - k // 2] if k // 2 < len(values) else directions[:, 0]
        means[k] = (
            (1 if k % 2 else -1) * axis * np.sqrt(max(values[-1 - (k // 2) % len(values)], 1))
        )
    weights = np.full(n_classes, 1 / n_classes)
    gain = 0.0
    for _ in range(_MOST_PASSES):
        # Relative to the one class, whose mean is zero: the squares of the rows cancel.
        log = means @ centered.T
        log += (np.log(weights) - 0.5 * (means**2).sum(axis=1))[:, None]
        top = log.max(axis=0)
        share = np.exp(log - top)
        total = share.sum(axis=0)
        before, gain = gain, 2 * float((top + np.log(total)).sum())
        share /= total
        weights = np.maximum(share.mean(axis=1), 1e-6)
        means = share @ centered / (len(rows) * weights)[:, None]
        if abs(gain - before) < 1e-2 * max(1.0, abs(gain)):
            break
    return max(gain, 0.0)
