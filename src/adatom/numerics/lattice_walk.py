"""Numbering the sites of one lattice, from neighbor to neighbor."""

from __future__ import annotations

import heapq
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from adatom.numerics.peaks import parabolic_maxima

# Two columns of unequal brightness look like one another, shifted, to at most half of the full
# correlation; a lattice vector gives all of it but for distortion.
_LEAST_CORRELATION: Final = 0.7
# A second vector along the first would span no cell.
_LEAST_ANGLE: Final = 0.4
# Of the shortest lattice vector: a third of the way to the next column of a honeycomb.
_CAPTURE: Final = 0.22
# How strongly the common vectors hold where few sites around are known, in sites.
_PRIOR: Final = 1.0
_REACH: Final = 2


class Walk(NamedTuple):
    """Places of a lattice in its own numbering, (i, j, 2) as y, x; NaN where none was set.

    `measured` (i, j) says where a site stands; other places are predicted
    from their neighbors.
    """

    place: NDArray[np.float64]
    measured: NDArray[np.bool_]


def lattice_vectors(
    image: NDArray[np.float64], usable: NDArray[np.bool_], /, *, spacing: float
) -> NDArray[np.float64] | None:
    """Find the two shortest vectors, in pixels, by which an image repeats itself.

    The autocorrelation of the image has its full height at lattice vectors
    only, whatever stands in the cell.
    """
    smooth = ndimage.gaussian_filter(image, 0.15 * spacing)
    level = ndimage.gaussian_filter(image, 1.5 * spacing)
    clipped = smooth - level
    # A few grains of dirt, squared, would outweigh the lattice.
    bound = np.quantile(np.abs(clipped[usable]), 0.99)
    signal = np.where(usable, np.clip(clipped, -bound, bound), 0.0)
    reach = int(6 * spacing)
    shape = [fft.next_fast_len(n + reach + 1) for n in image.shape]
    power = np.abs(fft.rfft2(signal, shape)) ** 2
    overlap = np.abs(fft.rfft2(usable.astype(float), shape)) ** 2
    around = np.arange(-reach, reach + 1)
    window = np.ix_(around, around)
    pairs = fft.irfft2(overlap, shape)[window]
    correlation = fft.irfft2(power, shape)[window] / np.maximum(pairs, 1.0)
    high = correlation == ndimage.maximum_filter(correlation, size=max(3, int(0.4 * spacing)))
    high[reach, reach] = False
    points = np.argwhere(high & (correlation > 0))
    points = points[((points > 0) & (points < 2 * reach)).all(axis=1)]
    if not len(points):
        return None
    exact = parabolic_maxima(correlation, points) - reach
    value = correlation[tuple(points.T)]
    like = value > _LEAST_CORRELATION * np.sort(value)[-min(6, len(value)) :].mean()
    return _shortest_pair(exact[like])


def _shortest_pair(vectors: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if not len(vectors):
        return None
    length = np.linalg.norm(vectors, axis=1)
    first, *others = np.argsort(length, kind="stable")
    for k in others:
        area = abs(float(np.linalg.det(vectors[[first, k]])))
        if area > _LEAST_ANGLE * length[first] * length[k]:
            return vectors[[first, k]]
    return None


def walk_lattice(
    points: NDArray[np.float64],
    height: NDArray[np.float64],
    vectors: NDArray[np.float64],
    /,
    *,
    shape: tuple[int, int],
    capture: float = np.inf,
) -> Walk:
    """Walk along a lattice from point to point, number them, and set what is missing.

    Each place is predicted from the places around it that are known, so that
    the walk follows drift and scan distortion, and takes the nearest point
    within `capture`. Steps lead on from points only, never from a gap.
    """
    capture = min(capture, _CAPTURE * float(np.linalg.norm(vectors, axis=1).min()))
    tree = cKDTree(points)
    n = _half_width(vectors, shape)
    place = np.full((2 * n + 1, 2 * n + 1, 2), np.nan)
    measured = np.zeros(place.shape[:2], bool)
    free = np.ones(len(points), bool)
    seed = _best_start(points, height, vectors, tree, capture)
    place[n, n], measured[n, n], free[seed] = points[seed], True, False
    queue: list[tuple[int, int, int, int]] = []
    _queue_around(queue, measured, n, n)
    while queue:
        _, _, i, j = heapq.heappop(queue)
        if measured[i, j]:
            continue
        target = _predicted(place, measured, vectors, i, j)
        near = tree.query_ball_point(target, capture)
        near = [k for k in near if free[k]]
        if not near:
            continue
        best = min(near, key=lambda k: float(np.hypot(*(points[k] - target))))
        place[i, j], measured[i, j], free[best] = points[best], True, False
        _queue_around(queue, measured, i, j)
    return _filled(place, measured, vectors, shape)


def _half_width(vectors: NDArray[np.float64], shape: tuple[int, int]) -> int:
    area = abs(float(np.linalg.det(vectors)))
    longest = float(np.linalg.norm(vectors, axis=1).max())
    return int(1.3 * np.hypot(*shape) * longest / area) + 2 * _REACH + 2


def _best_start(
    points: NDArray[np.float64],
    height: NDArray[np.float64],
    vectors: NDArray[np.float64],
    tree: cKDTree,
    capture: float,
) -> int:
    """Pick the point with the brightest points one lattice vector away, all around."""
    known = np.nan_to_num(height)
    clipped = np.clip(known, 0, np.quantile(known, 0.9))
    total = clipped.copy()
    for i, j in ((1, 0), (0, 1), (1, 1), (1, -1)):
        for sign in (-1, 1):
            to = sign * (i * vectors[0] + j * vectors[1])
            distance, near = tree.query(points + to, distance_upper_bound=1.3 * capture)
            total += np.where(np.isfinite(distance), clipped[near % len(points)], 0)
    return int(total.argmax())


def _queue_around(
    queue: list[tuple[int, int, int, int]], measured: NDArray[np.bool_], i: int, j: int
) -> None:
    n = len(measured)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            k, m = i + di, j + dj
            if _REACH <= k < n - _REACH and _REACH <= m < n - _REACH and not measured[k, m]:
                support = int(measured[k - 1 : k + 2, m - 1 : m + 2].sum())
                heapq.heappush(queue, (-support, len(queue), k, m))


def _predicted(
    place: NDArray[np.float64],
    known: NDArray[np.bool_],
    vectors: NDArray[np.float64],
    i: int,
    j: int,
) -> NDArray[np.float64]:
    around = slice(i - _REACH, i + _REACH + 1), slice(j - _REACH, j + _REACH + 1)
    di, dj = np.nonzero(known[around])
    index = np.stack([np.ones(len(di)), di - float(_REACH), dj - float(_REACH)], axis=1)
    target: NDArray[np.float64] = _plane(place[around][di, dj], index.astype(float), vectors)[0]
    return target


def _plane(
    places: NDArray[np.float64], index: NDArray[np.float64], vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit place = origin + index . vectors; near sites count more, common vectors a little."""
    weight = 1 / (1 + (index[:, 1:] ** 2).sum(axis=1))
    expected = index[:, 1:] @ vectors
    normal = (index.T * weight) @ index
    normal[1, 1] += _PRIOR
    normal[2, 2] += _PRIOR
    change: NDArray[np.float64] = np.linalg.solve(normal, (index.T * weight) @ (places - expected))
    change[1:] += vectors
    return change


def _filled(
    place: NDArray[np.float64],
    measured: NDArray[np.bool_],
    vectors: NDArray[np.float64],
    shape: tuple[int, int],
) -> Walk:
    """Set places inside of the image where no point stands, from the measured side inwards."""
    known = measured.copy()
    # Cells that lie across the edges are whole as well.
    margin = 2 * np.linalg.norm(vectors, axis=1).max()
    low, high = -margin * np.ones(2), np.array(shape) - 1 + margin
    tried = np.zeros_like(known)
    while True:
        support = ndimage.convolve(known.astype(int), np.ones((3, 3), int), mode="constant")
        rim = np.argwhere(~known & ~tried & (support >= 2))
        rim = rim[((rim >= _REACH) & (rim < len(known) - _REACH)).all(axis=1)]
        if not len(rim):
            break
        targets = np.array([_predicted(place, known, vectors, i, j) for i, j in rim])
        inside = ((targets >= low) & (targets <= high)).all(axis=1)
        tried[tuple(rim[~inside].T)] = True
        place[tuple(rim[inside].T)] = targets[inside]
        known[tuple(rim[inside].T)] = True
    for i, j in np.argwhere(known & ~measured):
        around = measured[i - _REACH : i + _REACH + 1, j - _REACH : j + _REACH + 1]
        if around.sum() >= 6:
            place[i, j] = _predicted(place, measured, vectors, i, j)
    used = np.argwhere(known)
    lowest, highest = used.min(axis=0), used.max(axis=0) + 1
    crop = slice(lowest[0], highest[0]), slice(lowest[1], highest[1])
    return Walk(place[crop], measured[crop])
