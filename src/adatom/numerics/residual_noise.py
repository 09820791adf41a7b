"""A model of the noise in what is left of an image when its periodic part is taken off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.optimize

from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Bools = NDArray[np.bool_]

# Shares of the pixels where one group of like brightness ends and the next begins: atoms may
# fill a small part of an image. Within each, groups of like slope along either axis.
BRIGHTNESS: Final = (0.15, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95, 0.98)
SLOPES: Final = (1 / 3, 2 / 3)
# A group of fewer pixels does not tell its own spread.
SMALLEST_GROUP: Final = 200
# Relative standard error of a spread from the median of so many values, times its root.
ERROR_OF_MEDIAN: Final = 1.17
# Of the median variance; a pixel of less would be sure of the faintest shade.
LEAST_VARIANCE: Final = 0.25
# Share of the pixels, and the standard deviations within which a normal distribution holds it:
# a second look at the spread, farther out than the median's.
OUTER: Final = (0.9, 1.6449)


class NoiseModel(NamedTuple):
    """Variance of the residual: a constant, and parts that grow with brightness and slopes.

    Dose noise grows with brightness, what makes like atoms unequal with its
    square; where lines of a scan are displaced, the residual grows with the
    slope across or along them.

    Attributes
    ----------
    constant : float
    factors : tuple of four float
        Nonnegative, of brightness, its square, and the squares of the slopes
        along y and x.
    darkest : float
        Of the periodic part, from which brightness counts.
    """

    constant: float
    factors: tuple[float, float, float, float]
    darkest: float

    def sigma(self, periodic: Floats, /) -> NDArray[np.float32]:
        """Give the standard deviation of the residual at every pixel."""
        variance = np.full(periodic.shape, self.constant)
        for factor, term in zip(self.factors, _terms(periodic, self.darkest), strict=True):
            variance += factor * term
        # What a straight line says of the darkest pixels may be next to nothing.
        least = LEAST_VARIANCE * float(np.median(variance))
        return np.asarray(np.sqrt(np.maximum(variance, least)), dtype=np.float32)


def fit_noise_model(residual: Floats, periodic: Floats, counts: Bools, /) -> NoiseModel:
    """Fit the model to robust variances of groups of pixels of like brightness and slope."""
    # One in a thousand pixels may be darker: a hole in the periodic part sets no level.
    darkest = float(np.quantile(periodic[counts], 0.001))
    terms = [term[counts] for term in _terms(periodic, darkest)]
    groups = np.zeros(int(counts.sum()), dtype=np.int64)
    for number, shares in ((0, BRIGHTNESS), (2, SLOPES), (3, SLOPES)):
        edges = np.quantile(terms[number], shares)
        groups = groups * (len(shares) + 1) + np.searchsorted(edges, terms[number], side="right")
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    values = residual[counts][order]
    rows, variances, weights = [], [], []
    for members in np.split(np.arange(len(order)), ends[:-1]):
        if len(members) < SMALLEST_GROUP:
            continue
        variances.append(robust_sigma(values[members]) ** 2)
        rows.append([1.0, *(float(term[order[members]].mean()) for term in terms)])
        weights.append(math.sqrt(len(members)))
    if not rows:
        return NoiseModel(robust_sigma(values) ** 2, (0.0, 0.0, 0.0, 0.0), darkest)
    matrix, target = np.array(rows), np.array(variances)
    # Relative errors of variances are alike: large ones must not outweigh the others.
    scale = np.array(weights) / np.maximum(target, 1e-6 * target.max())
    size = np.maximum(matrix.max(axis=0), np.finfo(float).tiny)
    found, _ = scipy.optimize.nnls(matrix / size * scale[:, None], target * scale)
    constant, one, two, three, four = (found / size).tolist()
    return NoiseModel(constant, (one, two, three, four), darkest)


def robust_sigma(values: Floats, /) -> float:
    """Give the larger of two standard deviations: of the inner half, and of nine in ten.

    Tails that are longer than those of a normal distribution show in the second.
    """
    away = np.abs(values - np.median(values))
    share, reach = OUTER
    inner, outer = np.quantile(away, [0.5, share])
    return max(SIGMA_OF_MAD * float(inner), float(outer) / reach)


def excess_of_lines(
    values: Floats, counts: Bools, /, *, axis: int, width: float
) -> NDArray[np.float64]:
    """Give by how much whole rows or columns spread wider than chance has it, at least one.

    A scan is distorted where its lines begin, and noisy where the tip or the
    beam was for some lines; a defect is too small to widen a line's median.
    The median of a line is uncertain itself: twice that is allowed.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        In units of their usual standard deviation.
    counts : ndarray of bool, shape (y, x)
    axis : int
        Along which a line is taken together: 0 gives one number per column.
    width : float
        Standard deviation of the window over neighboring lines, in pixels:
        twice that to which the values are smoothed.
    """
    away = np.where(counts, np.abs(values), np.nan).astype(np.float64)
    spread = SIGMA_OF_MAD * medians_of_rows(away.T if axis == 0 else away)
    spread = np.where(np.isfinite(spread), spread, 1.0)
    smooth = scipy.ndimage.gaussian_filter1d(spread, width, mode="nearest")
    # Values smoothed to a sigma are independent after 2 sqrt(pi) sigma; the window holds two lines.
    independent = 2 * np.maximum(counts.sum(axis=axis), 1) / (math.sqrt(math.pi) * width)
    return np.asarray(np.maximum(smooth / (1 + 2 * ERROR_OF_MEDIAN / np.sqrt(independent)), 1.0))


def roughness(values: Floats, counts: Bools, /) -> float:
    """Give the mean squared slope along an axis of a smooth field of unit variance, per pixel^2.

    By medians, so that a few blobs that are no noise do not count.
    """
    level = robust_sigma(values[counts])
    slopes = [robust_sigma(np.diff(values, axis=axis)[_both(counts, axis)]) for axis in (0, 1)]
    return slopes[0] * slopes[1] / max(level, np.finfo(float).tiny) ** 2


def expected_false(
    height: Floats | float, n_pixels: float, roughness: float, /
) -> NDArray[np.float64]:
    """Give how many maxima above and minima below a height a normal random field has by chance.

    Of maxima the expected number is that of the Euler characteristic,
    A R (2 pi)^(-3/2) z exp(-z^2 / 2) [1]_, of minima as many.

    References
    ----------
    .. [1] K. J. Worsley et al., Hum. Brain Mapp. 4, 58 (1996), table II (2D).
    """
    z = np.asarray(height, dtype=float)
    number: NDArray[np.float64] = (
        2 * n_pixels * roughness * (2 * math.pi) ** -1.5 * z * np.exp(-0.5 * z * z)
    )
    return number


def height_of_false(n_pixels: float, roughness: float, /, *, false: float) -> float:
    """Give the height that so many maxima and minima pass by chance."""

    def excess(z: float) -> float:
        return float(expected_false(z, n_pixels, roughness)) - false

    # The number falls with the height from one standard deviation on.
    if excess(1.0) <= 0:
        return 1.0
    return float(scipy.optimize.brentq(excess, 1.0, 40.0))


def _terms(periodic: Floats, darkest: float) -> list[NDArray[np.floating]]:
    slope_y, slope_x = np.gradient(periodic)
    brightness = np.maximum(periodic - darkest, 0)
    return [brightness, brightness**2, slope_y**2, slope_x**2]


def _both(counts: Bools, axis: int) -> Bools:
    first, second = (
        counts.take(range(start, counts.shape[axis] - 1 + start), axis) for start in (0, 1)
    )
    return np.asarray(first & second)
