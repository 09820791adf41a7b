"""Peaks of an image: blobs of a width, local maxima, the valley beneath true peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from adatom.numerics.filters import gaussian_filter, maximum_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]


def blob_response(image: Floats, sigma: float, /) -> Floats:
    """Filter with the scale-normalized negative Laplacian of a Gaussian [1]_.

    It answers strongest to Gaussian blobs of about `sigma`, and not at all to
    a background with a constant slope.

    References
    ----------
    .. [1] T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), eq. 25.
    """
    response: Floats = gaussian_filter(image, sigma, order=(2, 0), mode="nearest")
    response += gaussian_filter(image, sigma, order=(0, 2), mode="nearest")
    response *= -(sigma**2)
    return response


def local_maxima(image: Floats, /, *, above: float) -> NDArray[np.intp]:
    """Give row and column of pixels above a level that no neighbor exceeds."""
    highest = maximum_filter(image, 3, mode="nearest")
    return np.argwhere((image == highest) & (image > above)).astype(np.intp)


def thin_out(
    points: NDArray[np.intp] | NDArray[np.float64], height: Floats, /, *, distance: float
) -> NDArray[np.intp]:
    """Give the indices of points of which no higher kept one is within a distance."""
    order = np.argsort(-height, kind="stable")
    pairs = cKDTree(points[order]).query_pairs(distance, output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    kept = np.ones(len(points), dtype=bool)
    for higher, lower in pairs.tolist():
        if kept[higher]:
            kept[lower] = False
    return order[kept]


def first_valley(height: Floats, /, *, lowest: float, highest: float) -> float:
    """Give the height at which the density of peak heights first stops falling.

    False peaks are many and low, so that from `lowest` on the density of
    heights falls until the true ones begin. Where it does not fall to start
    with there are no false ones left, and `lowest` is the answer. The density
    is that of the logarithm, smoothed by 12 %: noise in heights is relative
    to the blob, and sublattices differ by more than that.
    """
    logs = np.log(np.maximum(height, 1e-3 * lowest))
    grid = np.linspace(np.log(lowest), np.log(highest), 60)
    order = np.sort(logs)
    density = np.array(
        [np.exp(-0.5 * ((order[_near(order, g)] - g) / 0.12) ** 2).sum() for g in grid]
    )
    lowest_yet = np.minimum.accumulate(density)
    # A rise counts when so many peaks do not come together by chance.
    risen = np.flatnonzero(density > lowest_yet + 2 * np.sqrt(lowest_yet) + 2)
    end = risen[0] if risen.size else grid.size
    return float(np.exp(grid[int(np.argmin(density[:end]))]))


def _near(order: Floats, center: float) -> slice:
    return slice(*np.searchsorted(order, [center - 0.6, center + 0.6]))


def parabolic_maxima(image: Floats, points: NDArray[np.intp], /) -> NDArray[np.float64]:
    """Move maxima to the top of the parabola through their neighbors, within the frame."""
    padded = np.pad(np.asarray(image, dtype=float), 1, mode="edge")
    y, x = (points + 1).T
    center = padded[y, x]
    moved = points.astype(float)
    for axis, (before, after) in enumerate(
        [(padded[y - 1, x], padded[y + 1, x]), (padded[y, x - 1], padded[y, x + 1])]
    ):
        bend = 2 * center - before - after
        shift = np.divide(after - before, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
        moved[:, axis] += np.clip(shift, -0.5, 0.5)
    return np.asarray(np.clip(moved, 0, np.array(image.shape) - 1))
