"""Bright and dim columns that alternate, told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.numerics.alternation import ROUNDS, alternate, logarithms


def alternating_sublattices(
    points: NDArray[np.float64], height: NDArray[np.float64], /, *, spacing: float
) -> NDArray[np.int64] | None:
    """Give 0 to the sites of the brighter sublattice and 1 to the dimmer; nothing if all are alike.

    The outcome of `alternate` stands if neighbors do alternate and if the two
    groups are apart in brightness by Ashman's D.
    """
    if len(points) < 2 * ROUNDS:
        return None
    _, near = cKDTree(points).query(points, k=7, distance_upper_bound=1.25 * spacing)
    known = (near < len(points)) & (np.arange(7) > 0)
    near = np.where(known, near, 0)
    logs = logarithms(height)
    found = alternate(logs, near, known)
    if not found.is_clear:
        return None
    # A site without neighbors, as where the dimmer ones are not seen, is told by its height alone.
    social = known.any(axis=1)
    between = np.mean([np.median(logs[group & social]) for group in (found.bright, ~found.bright)])
    bright = np.where(social, found.bright, logs > between)
    return np.where(bright, 0, 1).astype(np.int64)
