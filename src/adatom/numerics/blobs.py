"""Responses of overlapping Gaussian blobs, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Points = NDArray[np.floating] | NDArray[np.integer]

# Beyond six sigma the response has fallen to 0.1 %.
REACH = 6.0


def response_at_distance(distance: Floats, sigma: float, /) -> Floats:
    """Give the response of `numerics.peaks.blob_response` near a Gaussian of the same sigma.

    Relative to that at its center: (1 - r^2 / 4 sigma^2) exp(-r^2 / 4 sigma^2).
    """
    squared = (distance / (2 * sigma)) ** 2
    return np.asarray((1 - squared) * np.exp(-squared))


def separate_responses(points: Points, response: Floats, sigma: float, /) -> NDArray[np.float64]:
    """Give what each blob alone would answer, given their joint response at each.

    Neighbors lie in each other's negative ring: a weak blob among strong ones
    answers with a fraction of what it would alone.
    """
    tree = cKDTree(points)
    pairs = tree.query_pairs(REACH * sigma, output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    value = response_at_distance(apart, sigma)
    count = len(points)
    upper = scipy.sparse.coo_array((value, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    matrix = (upper + upper.T + scipy.sparse.eye_array(count)).tocsc()
    return np.asarray(splu(matrix).solve(np.asarray(response, dtype=float)))


def joint_response(
    shape: tuple[int, ...], points: Points, alone: Floats, sigma: float, /
) -> NDArray[np.float32]:
    """Give the response image of blobs that alone would answer with `alone`."""
    reach = int(np.ceil(REACH * sigma))
    image = np.zeros((shape[0] + 2 * reach, shape[1] + 2 * reach), dtype=np.float32)
    nearest = np.rint(points).astype(np.intp)
    offset = nearest - points
    flat = image.reshape(-1)
    start = (nearest[:, 0] + reach) * image.shape[1] + nearest[:, 1] + reach
    # Site by site would be slow: all sites are moved through the patch together.
    # No two sites share a pixel at the same place of their patches unless they
    # share their nearest pixel, which bincount adds up.
    for dy in range(-reach, reach + 1):
        across = ((offset[:, 0] + dy) / (2 * sigma)) ** 2
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx > reach * reach:
                continue
            squared = across + ((offset[:, 1] + dx) / (2 * sigma)) ** 2
            value = alone * (1 - squared) * np.exp(-squared)
            np.add.at(flat, start + dy * image.shape[1] + dx, value.astype(np.float32))
    return image[reach : reach + shape[0], reach : reach + shape[1]]
