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
N_LOCAL = 36
# So many at once stay within the cache.
BLOCK = 256


def recurrence(
    points: NDArray[np.float64],
    /,
    *,
    tolerance: float,
    extent: Sequence[float],
    most: int | None = None,
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
    most : int, optional
        Judge about so many of the points only, spread evenly over their order.

    Returns
    -------
    ndarray, shape (point judged,)
        NaN where fewer than four vectors can be judged.
    """
    count = len(points)
    judged = points if most is None else points[:: max(1, count // most)]
    if count <= N_VECTORS:
        return np.full(len(judged), np.nan)
    _, near = cKDTree(points).query(judged, k=min(N_LOCAL, count))
    order = np.full(len(judged), np.nan)
    for start in range(0, len(judged), BLOCK):
        block = slice(start, start + BLOCK)
        order[block] = _block_recurrence(points, near[block], tolerance, extent)
    return order


def _block_recurrence(
    points: NDArray[np.float64],
    near: NDArray[np.intp],
    tolerance: float,
    extent: Sequence[float],
) -> NDArray[np.float64]:
    center = points[near[:, 0]]
    # Positions relative to the point keep float32 exact enough.
    local = (points[near] - center[:, None]).astype(np.float32)
    known: NDArray[np.bool_] = np.ones((len(near), N_AROUND, N_VECTORS), dtype=bool)
    ends = []
    for axis in (0, 1):
        along = local[:, :, axis]
        end = along[:, 1 : N_AROUND + 1, None] + along[:, None, 1 : N_VECTORS + 1]
        place = end + center[:, axis, None, None]
        known &= (place >= extent[2 * axis]) & (place <= extent[2 * axis + 1])
        ends.append(end)
    hit = np.zeros(known.shape, dtype=bool)
    apart, across = np.empty_like(ends[0]), np.empty_like(ends[0])
    for k in range(local.shape[1]):
        np.subtract(ends[0], local[:, k, 0, None, None], out=apart)
        np.subtract(ends[1], local[:, k, 1, None, None], out=across)
        np.multiply(apart, apart, out=apart)
        np.multiply(across, across, out=across)
        apart += across
        hit |= apart <= tolerance**2
    judged = known.sum(axis=1)
    share = np.where(judged >= N_AROUND // 3, (hit & known).sum(axis=1) / np.maximum(judged, 1), -1)
    best = np.sort(share, axis=1)[:, -4:]
    return np.where((best >= 0).all(axis=1), best.mean(axis=1), np.nan)
