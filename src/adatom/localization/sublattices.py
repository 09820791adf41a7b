"""Bright and dim columns that alternate, told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

# Ashman's measure of two groups. Alternating groups made from noise alone
# reach 1.9: each site is put where its brightness fits.
CLEARLY_APART = 2.2
# Share of neighbors that must belong to the other group.
ALTERNATING = 0.9
STEPS = 10


def alternating_sublattices(
    points: NDArray[np.float64], height: NDArray[np.float64], /, *, spacing: float
) -> NDArray[np.int64] | None:
    """Give 0 to the sites of the brighter sublattice and 1 to the dimmer; nothing if all are alike.

    A site is brighter or dimmer than its nearest neighbors, and they in turn
    are of the other kind: this is passed on from neighbor to neighbor some ten
    times, so that one impurity or a change of brightness over the image (of
    thickness, of material) does not put a site on the wrong sublattice. The
    outcome stands if neighbors do alternate and if the two groups are apart
    in brightness by Ashman's D [1]_.

    References
    ----------
    .. [1] K. M. Ashman et al., Astron. J. 108, 2348 (1994), eq. 2.
    """
    if len(points) < 2 * STEPS:
        return None
    _, near = cKDTree(points).query(points, k=7, distance_upper_bound=1.25 * spacing)
    known = (near < len(points)) & (np.arange(7) > 0)
    near = np.where(known, near, 0)
    logs = np.log(np.maximum(height, 0.01 * np.abs(height).max()))
    brighter = logs - _of_neighbors(logs, near, known)
    kind = np.clip(brighter, -1, 1)
    for _ in range(STEPS):
        kind = 0.5 * (kind - _of_neighbors(kind, near, known))
        kind = np.clip(kind / max(float(kind.std()), np.finfo(float).tiny), -1.5, 1.5)
    bright = kind > 0
    if not 0 < bright.sum() < len(points) or not known.any():
        return None
    alternating = float((bright[near] != bright[:, None])[known].mean())
    social = known.any(axis=1)
    groups = [bright & social, ~bright & social]
    if not all(group.any() for group in groups):
        return None
    first, second = (brighter[group] for group in groups)
    apart = float(first.mean() - second.mean())
    spread = float(np.hypot(first.std(), second.std()))
    if alternating < ALTERNATING or np.sqrt(2) * apart < CLEARLY_APART * spread:
        return None
    # A site without neighbors, as where the dimmer ones are not seen, is told by its height alone.
    between = np.mean([np.median(logs[group]) for group in groups])
    bright = np.where(social, bright, logs > between)
    return np.where(bright, 0, 1).astype(np.int64)


def _of_neighbors(
    values: NDArray[np.float64], near: NDArray[np.intp], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    count = known.sum(axis=1)
    total = (values[near] * known).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), values))
