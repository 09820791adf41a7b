"""How well the surroundings of points repeat from point to point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Vectors to 12 neighbors hold a lattice translation for every common lattice:
# the second shell of a honeycomb ends at 9.
N_VECTORS = 12
N_AROUND = 12
# Among so many nearest points lies everything that a vector leads to.
N_LOCAL = 40
BLOCK = 2048


def recurrence(
    points: NDArray[np.float64], /, *, tolerance: float, extent: Sequence[float]
) -> NDArray[np.float64]:
    """Give for each point how surely its surroundings repeat around its neighbors.

    A vector from a point to one of its 12 nearest is carried to 12 points
    around it; its recurrence is the share of them from which it leads to a
    point again, within the tolerance. The mean of the four best vectors is
    near 1 on a lattice, whatever its cell, its orientation and slow strain,
    since some of the vectors are translations of the lattice; for points
    without order it is what chance allows, about 0.2.

    Parameters
    ----------
    points : ndarray, shape (point, 2)
    tolerance : float
        A fifth of the spacing is what noise and strain need.
    extent : sequence of four floats
        ``y_min, y_max, x_min, x_max``; what leads beyond counts neither way.

    Returns
    -------
    ndarray, shape (point,)
        NaN where fewer than four vectors can be judged.
    """
    count = len(points)
    if count <= N_VECTORS:
        return np.full(count, np.nan)
    _, near = cKDTree(points).query(points, k=min(N_LOCAL, count))
    order = np.full(count, np.nan)
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        order[block] = _block_recurrence(points, near[block], tolerance, extent)
    return order


def _block_recurrence(
    points: NDArray[np.float64],
    near: NDArray[np.intp],
    tolerance: float,
    extent: Sequence[float],
) -> NDArray[np.float64]:
    center = points[near[:, :1]]
    # Positions relative to the point keep float32 exact enough.
    local = (points[near] - center).astype(np.float32)
    vectors = local[:, 1 : N_VECTORS + 1]
    ends = local[:, 1 : N_AROUND + 1, None, :] + vectors[:, None, :, :]
    absolute = ends + center[:, :, None, :]
    known = (absolute[..., 0] >= extent[0]) & (absolute[..., 0] <= extent[1])
    known &= (absolute[..., 1] >= extent[2]) & (absolute[..., 1] <= extent[3])
    hit = np.zeros(known.shape, dtype=bool)
    for k in range(local.shape[1]):
        apart = ends - local[:, None, None, k]
        hit |= (apart**2).sum(axis=-1) <= tolerance**2
    judged = known.sum(axis=1)
    share = np.where(judged >= N_AROUND // 3, (hit & known).sum(axis=1) / np.maximum(judged, 1), -1)
    best = np.sort(share, axis=1)[:, -4:]
    return np.where((best >= 0).all(axis=1), best.mean(axis=1), np.nan)
