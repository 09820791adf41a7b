"""Drift between crystals: the affine part by which their classes lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

from adatom.crystallography.components import find_components, squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer rows tell neither of classes nor of drift.
LEAST_ROWS: Final = 40
# Of the rows of a class, so many lie nearer to its mean than those that say nothing of drift.
_NEAR: Final = 0.99


def without_shifts(
    means: NDArray[np.float64],
    crystal: NDArray[np.int64],
    whitening: NDArray[np.float64],
    affine: NDArray[np.float64],
    /,
    *,
    max_classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """Bring the affine parts of all crystals to that of the largest."""
    counts = np.bincount(crystal)
    if (counts > 0).sum() < 2 or not len(affine):
        return means
    main = int(counts.argmax())
    back = np.linalg.inv(whitening).T
    white = means @ whitening.T
    classes = find_components(white[crystal == main], max_classes=max_classes, seed=seed) @ back
    out = means.copy()
    for number in np.flatnonzero(counts):
        mine = crystal == number
        if number != main and mine.sum() >= LEAST_ROWS:
            out[mine] -= shift_between(
                means[mine], classes, whitening, affine, max_classes=max_classes, seed=seed
            )
    return out


def shift_between(
    means: NDArray[np.float64],
    classes: NDArray[np.float64],
    whitening: NDArray[np.float64],
    affine: NDArray[np.float64],
    /,
    *,
    max_classes: int,
    seed: int,
    expected: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Find the affine part by which the classes of a crystal lie off known ones.

    Each class of the crystal is tried as each of the known; what brings most
    rows near to a class is taken, the least of those that are as good.
    """
    zero = np.zeros(means.shape[1])
    expected = zero if expected is None else expected
    own = find_components(means @ whitening.T, max_classes=max_classes, seed=seed)
    own = own @ np.linalg.inv(whitening).T
    # Rows of the crystal are many; a few thousand tell which shift is right.
    few = means[:: -(-len(means) // 4000)]
    tried = [expected]
    tried += [affine.T @ (affine @ (mine - known)) for mine in own for known in classes]
    best, least = expected, np.inf
    for shift in tried:
        for _ in range(3):
            white = (few - shift) @ whitening.T
            squared = squared_distances(white, classes @ whitening.T)
            near = squared.min(axis=1) < float(chi2.ppf(_NEAR, means.shape[1]))
            if not near.any():
                break
            off = few[near] - classes[squared.argmin(axis=1)[near]]
            shift = affine.T @ (affine @ off.mean(axis=0))  # noqa: PLW2901 -- moved to the best place
        white = (few - shift) @ whitening.T
        cost = np.minimum(
            squared_distances(white, classes @ whitening.T).min(axis=1),
            float(chi2.ppf(0.9999, means.shape[1])),
        ).mean()
        cost += 1e-3 * float(np.linalg.norm(whitening @ (shift - expected)))
        if cost < least:
            best, least = shift, cost
    return best
