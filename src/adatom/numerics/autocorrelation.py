"""Where an image is like itself: its autocorrelation, and the lattice of its peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage

from adatom.numerics.peaks import parabolic_maxima

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float64]

# What varies more slowly than this share of the shorter side is background.
BACKGROUND = 1 / 16
# Farther than this share of the image two parts overlap too little to be compared.
REACH = 0.4
# Shifts of the lattice repeat about alike, others less: where heights, sorted, drop by more
# than this share of the last, and many times as much as they usually do, the others begin.
# Without such a drop all are of the lattice down to the last share.
DROP = 0.04
TIMES_USUAL = 8
ALIKE = 2 / 3
# Peaks near the center are looked at for that: far ones are lower by distortion.
NEAREST_PEAKS = 30
# Of the distance from the center to the first minimum: fine noise of the peaks is below it.
SMOOTHING = 0.2
# Vectors that make a smaller angle than this (its sine) span no cell.
SLIMMEST = 0.3
# Peaks that take part in the fit, the nearest ones first: far ones are many and uncertain.
MOST_PEAKS = 40


class Lattice(NamedTuple):
    """The lattice of the shifts under which an image repeats, in pixels.

    Attributes
    ----------
    vectors : ndarray, shape (2, 2)
        Shortest vectors, row by row as y, x.
    covariance : ndarray, shape (2, 2)
        Of the number of rows: scales to the covariance of each component.
    repeat : float
        Correlation at the weaker of both vectors.
    n_peaks : int
        How many shifts took part in the fit.
    """

    vectors: Grid
    covariance: Grid
    repeat: float
    n_peaks: int


def without_background(image: NDArray[np.floating], /) -> Grid:
    """Take off what varies slowly."""
    values = np.asarray(image, dtype=float)
    width = BACKGROUND * min(values.shape)
    return np.asarray(values - scipy.ndimage.gaussian_filter(values, width, mode="nearest"))


def autocorrelation(image: Grid, /) -> Grid:
    """Correlate an image with itself, shifted by up to some tenths of its size.

    Every shift is averaged over the pixels that overlap, so that a perfect
    lattice gives one at each of its vectors, however far; one at the center.
    """
    values = image - image.mean()
    padded = [
        scipy.fft.next_fast_len(size + int(REACH * size) + 1, real=True) for size in values.shape
    ]
    products = _self_products(values, padded)
    overlap = _self_products(np.ones_like(values), padded)
    reach = [int(REACH * size) for size in values.shape]
    rows, columns = (np.arange(-far, far + 1) for far in reach)
    inside = np.ix_(rows, columns)
    mean = products[inside] / overlap[inside]
    center = mean[reach[0], reach[1]]
    return np.asarray(mean / center if center > 0 else np.zeros_like(mean))


def _self_products(values: Grid, padded: list[int]) -> Grid:
    spectrum = scipy.fft.rfft2(values, padded)
    return np.asarray(scipy.fft.irfft2(np.abs(spectrum) ** 2, padded))


def find_lattice_of_shifts(correlation: Grid, /) -> Lattice | None:
    """Find the lattice of the shifts at which an autocorrelation is high; None without one."""
    shifts, heights = correlation_peaks(correlation)
    if len(shifts) < 2:
        return None
    near = np.argsort(np.hypot(*shifts.T), kind="stable")[:NEAREST_PEAKS]
    for level in _levels(heights[near], noise=_noise(correlation)):
        for among in (near, np.arange(len(shifts))):
            basis = _shortest_pair(shifts[among][heights[among] > level])
            if basis is not None:
                return _fitted(basis, shifts, heights)
    return None


def _noise(correlation: Grid) -> float:
    """Give the error of a correlation: of independent spots, each as large as the central peak."""
    core = _first_minimum(correlation, np.array(correlation.shape) // 2)
    return core * float(np.sqrt(np.pi * (2 * REACH) ** 2 / correlation.size))


def _levels(heights: NDArray[np.float64], *, noise: float) -> list[float]:
    """List levels between heights that belong together and others, from the highest downward."""
    order = np.sort(heights)[::-1]
    fall = order[:-1] - order[1:]
    high = fall[order[1:] > 0.5 * ALIKE * order[0]]
    usual = float(np.median(high)) if high.size else 0.0
    least_fall = max(noise, TIMES_USUAL * usual)
    below = np.flatnonzero((fall > DROP * order[:-1]) & (fall > least_fall))
    middle = np.sqrt(order[below] * order[below + 1])
    least = ALIKE * float(order[0])
    # Where lines are torn by noise, the shifts across them count though they are lower.
    return [*middle[middle > least].tolist(), least, ALIKE * least]


def correlation_peaks(correlation: Grid, /) -> tuple[Grid, NDArray[np.float64]]:
    """Give the shifts at which an autocorrelation peaks, one of each pair, and how high."""
    center = np.array(correlation.shape) // 2
    core = _first_minimum(correlation, center)
    smooth = scipy.ndimage.gaussian_filter(correlation, SMOOTHING * core)
    size = 2 * max(1, round(0.5 * core)) + 1
    points = np.argwhere(
        (smooth == scipy.ndimage.maximum_filter(smooth, size, mode="nearest")) & (smooth > 0)
    )
    shift = points - center
    half = (shift[:, 0] > 0) | ((shift[:, 0] == 0) & (shift[:, 1] > 0))
    edge = (np.abs(shift) >= center - 1).any(axis=1)
    keep = half & ~edge & (np.hypot(*shift.T) > core)
    points = points[keep].astype(np.intp)
    if not len(points):
        return np.empty((0, 2)), np.empty(0)
    top = parabolic_maxima(smooth, points)
    return top - center, np.asarray(smooth[tuple(points.T)])


def _first_minimum(correlation: Grid, center: NDArray[np.intp]) -> float:
    """Give the distance at which the ring mean stops falling for the first time."""
    y, x = np.ogrid[: correlation.shape[0], : correlation.shape[1]]
    ring = np.rint(np.hypot(y - center[0], x - center[1])).astype(int)
    mean = np.bincount(ring.ravel(), correlation.ravel()) / np.bincount(ring.ravel())
    rising = np.flatnonzero(np.diff(mean[: min(center)]) > 0)
    return float(max(2, rising[0] if rising.size else min(center) - 1))


def _shortest_pair(shifts: Grid) -> Grid | None:
    if len(shifts) < 2:
        return None
    order = np.argsort(np.hypot(*shifts.T), kind="stable")
    shifts = shifts[order]
    for second in shifts[1:]:
        first = shifts[0]
        area = abs(first[0] * second[1] - first[1] * second[0])
        if area > SLIMMEST * np.hypot(*first) * np.hypot(*second):
            return np.stack([first, second])
    return None


def _fitted(basis: Grid, shifts: Grid, heights: NDArray[np.float64]) -> Lattice:
    """Fit the vectors to all peaks near a lattice point, from the inside outward."""
    reach = 2.2 * np.hypot(*basis.T).max()
    length = np.hypot(*shifts.T)
    vectors, index, chosen = basis, np.empty((0, 2)), shifts[:0]
    for _ in range(12):
        near = np.argsort(length, kind="stable")[: int((length < reach).sum())][:MOST_PEAKS]
        index = np.rint(shifts[near] @ np.linalg.inv(vectors))
        apart = np.hypot(*(shifts[near] - index @ vectors).T)
        on = (apart < 0.15 * np.hypot(*vectors.T).min()) & (index != 0).any(axis=1)
        index, chosen = index[on], shifts[near][on]
        if len(chosen) < 3 or np.linalg.matrix_rank(index) < 2:
            break
        vectors = np.linalg.lstsq(index, chosen, rcond=None)[0]
        reach *= 1.3
    reduced, change = _reduced(vectors)
    return Lattice(
        reduced, _covariance(index @ np.linalg.inv(change), chosen, reduced),
        _weaker(reduced, shifts, heights), len(chosen),
    )  # fmt: skip


def _covariance(index: Grid, shifts: Grid, vectors: Grid) -> Grid:
    n_free = 2 * len(index) - 4
    if n_free <= 0 or np.linalg.matrix_rank(index) < 2:
        return np.full((2, 2), np.nan)
    variance = float(((shifts - index @ vectors) ** 2).sum()) / n_free
    return np.asarray(variance * np.linalg.inv(index.T @ index))


def _reduced(vectors: Grid) -> tuple[Grid, Grid]:
    """Give the two shortest vectors of a lattice (Gauss), and the change of basis.

    Of both signs those are taken that make an angle of 60 to 120 deg, as a
    right-handed pair seen on the screen, the first pointing right.
    """
    change = np.eye(2)
    while True:
        lengths = np.hypot(*(change @ vectors).T)
        if lengths[1] < lengths[0]:
            change = change[::-1]
        first, second = change @ vectors
        steps = np.rint(first @ second / (first @ first))
        if steps == 0:
            break
        change[1] = change[1] - steps * change[0]
    first = change[0] @ vectors
    if first[1] < 0:
        change[0] = -change[0]
    first, second = change @ vectors
    if first[1] * second[0] - first[0] * second[1] < 0:
        change[1] = -change[1]
    return change @ vectors, change


def _weaker(vectors: Grid, shifts: Grid, heights: NDArray[np.float64]) -> float:
    """Give the lower of the correlations at both vectors."""
    found = [
        heights[int(np.argmin(np.minimum(*(np.hypot(*(shifts - s * v).T) for s in (1, -1)))))]
        for v in vectors
    ]
    return float(min(found))
