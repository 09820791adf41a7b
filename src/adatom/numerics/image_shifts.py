"""The shift between two images: where they may match, which match is best, and how exactly."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter, maximum_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Images overlap by this share of their area, or their correlation is that of a few features.
LEAST_OVERLAP: Final = 0.3
# Maxima of the correlation that are compared: the strongest, and those of the smallest shifts.
STRONGEST: Final = 4
NEAREST: Final = 4
# A match that leads another by fewer standard deviations is not known to be the true one.
SURE: Final = 3.0
# Of the best correlation; others are no rivals.
LEAST_OF_BEST: Final = 0.5
# Nor is a match whose correlation, weighted by the root of the overlap, is this much less.
ALIKE: Final = 0.9
# Among the many places of a map chance alone reaches some four standard deviations; of few
# places it reaches less far, and what counts is as far beyond.
CLEAR: Final = 6.0
FAR: Final = 1.0


class Prepared(NamedTuple):
    """An image between two length scales, with what the correlation needs of it.

    Attributes
    ----------
    values : ndarray, shape (y, x)
        Zero where not measured.
    measured : ndarray of bool, shape (y, x)
    planes : tuple of three ndarray
        Transforms of values, squares and mask, padded.
    size : tuple of int
        Of the padded image.
    """

    values: Floats
    measured: Bools
    planes: tuple[NDArray[np.complex128], ...]
    size: tuple[int, int]


class Candidates(NamedTuple):
    """Displacements of a second image that may bring it onto a first, the best one first.

    Attributes
    ----------
    shift : ndarray, shape (candidate, 2)
        What is at r in the first image is at r + shift in the second.
    score : ndarray, shape (candidate,)
        Correlation coefficient of what overlaps.
    behind : ndarray, shape (candidate,)
        By how many standard deviations the best one fits better; three at least where the
        correlation is clearly less.
    exact : float
        How exact shifts are, in pixels.
    """

    shift: Floats
    score: Floats
    behind: Floats
    exact: float = 1.0

    @property
    def equal(self) -> NDArray[np.intp]:
        """Give the candidates that are not known to be worse than the best."""
        return np.flatnonzero(self.behind < SURE)


class Fine(NamedTuple):
    """A shift to a fraction of a pixel.

    Attributes
    ----------
    step : ndarray, shape (2,)
        To be added to the shift.
    covariance : ndarray, shape (2, 2)
    score : float
        Correlation coefficient of the image and the reference.
    """

    step: Floats
    covariance: Floats
    score: float


def between_scales(image: NDArray[np.floating], /, *, fine: float, coarse: float) -> Floats:
    """Keep of an image what is larger than noise and smaller than its shading.

    Gaussians of two widths, each normalized by what was measured; NaN where the image
    was not measured.
    """
    measured = np.isfinite(image)
    if not measured.any():
        return np.full(image.shape, np.nan)
    values = np.where(measured, image - image[measured].mean(), np.nan)
    return np.where(measured, smoothed(values, fine) - smoothed(values, coarse), np.nan)


def smoothed(image: NDArray[np.floating], sigma: float, /) -> Floats:
    """Smooth by a Gaussian, normalized by what was measured."""
    return smoothed_with_share(image, sigma)[0]


def smoothed_with_share(image: NDArray[np.floating], sigma: float, /) -> tuple[Floats, Floats]:
    """Smooth by a Gaussian, normalized by what was measured, and tell what share of it was.

    A wide Gaussian hardly sees pixels: it is taken of blocks of them.
    """
    measured = np.isfinite(image)
    values = np.where(measured, image, 0.0)
    weight = measured.astype(float)
    if sigma <= 0:
        return values, weight
    factor = max(1, int(sigma / 8))
    if factor > 1:
        room = [(0, -size % factor) for size in image.shape]
        values, weight = (_blocks(np.pad(part, room), factor) for part in (values, weight))
    total, share = (
        gaussian_filter(part, sigma / factor, mode="constant", truncate=3.0)
        for part in (values, weight)
    )
    smooth = total / np.maximum(share, 1e-9)
    if factor == 1:
        return np.asarray(smooth), np.asarray(share)
    return _unblocked(smooth, factor, image.shape), _unblocked(share, factor, image.shape)


def _unblocked(blocks: Floats, factor: int, shape: tuple[int, ...]) -> Floats:
    """Interpolate linearly between the middles of blocks."""
    for axis in (0, 1):
        at = (np.arange(shape[axis]) - (factor - 1) / 2) / factor
        at = np.clip(at, 0, blocks.shape[axis] - 1)
        left = np.minimum(at.astype(int), max(blocks.shape[axis] - 2, 0))
        right = np.minimum(left + 1, blocks.shape[axis] - 1)
        share = np.expand_dims(at - left, 1 - axis)
        blocks = blocks.take(left, axis) * (1 - share) + blocks.take(right, axis) * share
    return np.asarray(blocks)


def _blocks(image: Floats, factor: int) -> Floats:
    rows, columns = (size // factor for size in image.shape)
    return np.asarray(image.reshape(rows, factor, columns, factor).mean(axis=(1, 3)))


def without_trend(image: NDArray[np.floating], /, *, fine: float) -> Floats:
    """Smooth an image and take off the paraboloid through it, NaN where not measured."""
    measured = np.isfinite(image)
    if measured.sum() < 16:
        return np.full(image.shape, np.nan)
    smooth = smoothed(np.where(measured, image - image[measured].mean(), np.nan), fine)
    trend = _trend_columns(image.shape)
    # A paraboloid is known by far fewer pixels than there are.
    part = trend[:, measured][:, :: max(1, int(measured.sum()) // 20_000)]
    given = smooth[measured][:: max(1, int(measured.sum()) // 20_000)]
    factors = np.linalg.lstsq(part.T, given, rcond=None)[0]
    return np.where(measured, smooth - np.tensordot(factors, trend, axes=1), np.nan)


@lru_cache(maxsize=4)
def _trend_columns(shape: tuple[int, ...]) -> Floats:
    """Give 1, y, x, y^2, yx, x^2 over an image, (column, y, x)."""
    y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, size) for size in shape), indexing="ij")
    return np.stack([np.ones(shape), y, x, y * y, y * x, x * x])


def binned(image: NDArray[np.floating], factor: int, /) -> Floats:
    """Average blocks of pixels, without those that were not measured; what is left over is cut."""
    if factor == 1:
        return np.asarray(image, dtype=float)
    rows, columns = (size // factor for size in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    known = np.isfinite(blocks)
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3), dtype=float)
    count = known.sum(axis=(1, 3))
    return np.where(count * 2 >= factor**2, total / np.maximum(count, 1), np.nan)


def prepared(image: Floats, /) -> Prepared:
    """Transform an image, NaN where not measured, for correlation with others of its shape."""
    measured = np.isfinite(image)
    values = np.where(measured, image, 0.0)
    spread = values[measured].std() if measured.any() else 0.0
    values = (
        np.where(measured, (values - values[measured].mean()) / spread, 0.0)
        if spread
        else (np.zeros(image.shape))
    )
    size = tuple(scipy.fft.next_fast_len(2 * n, real=True) for n in image.shape)
    planes = tuple(
        scipy.fft.rfft2(part, size) for part in (values, values**2, measured.astype(float))
    )
    return Prepared(values, measured, planes, (size[0], size[1]))


def correlation_map(one: Prepared, two: Prepared, /) -> tuple[Floats, Floats]:
    """Give the correlation coefficient of what overlaps at every shift [1]_, and the overlap.

    Shifts run from zero and, from the middle on, from below zero, as those of an FFT.

    References
    ----------
    .. [1] D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012), eq. 3.
    """
    a, a2, ma = (np.conj(plane) for plane in one.planes)
    b, b2, mb = two.planes
    count, joint, mean_a, mean_b, square_a, square_b = (
        scipy.fft.irfft2(product, one.size)
        for product in (ma * mb, a * b, a * mb, ma * b, a2 * mb, ma * b2)
    )
    count = np.rint(np.maximum(count, 0.0))
    n = np.maximum(count, 1.0)
    spread_a = np.maximum(square_a - mean_a**2 / n, 0.0)
    spread_b = np.maximum(square_b - mean_b**2 / n, 0.0)
    usual = max(float(count.max()), 1.0)
    # Where hardly anything varies a coefficient is one rounding error over another.
    floor = 1e-3 * n * max(float(spread_a.max()) * float(spread_b.max()), 1e-300) ** 0.5 / usual
    coefficient = (joint - mean_a * mean_b / n) / np.maximum(np.sqrt(spread_a * spread_b), floor)
    return np.clip(coefficient, -1.0, 1.0), count


def find_candidates(
    one: Prepared, two: Prepared, /, *, reach: float, sigma: float
) -> Candidates | None:
    """Find shifts within a reach at which two images match; None if no match is beyond chance.

    Parameters
    ----------
    one, two : Prepared
        Of one shape.
    reach : float
        In pixels of these images.
    sigma : float
        To which the images were smoothed, in their pixels, for chance.
    """
    score, count = correlation_map(one, two)
    size = score.shape
    y, x = (np.fft.fftfreq(n, 1 / n) for n in size)
    within = np.hypot(y[:, None], x[None, :]) <= reach
    within &= count >= LEAST_OVERLAP * one.values.size
    inside = np.where(within, score, -1.0)
    peak = within & (inside == maximum_filter(inside, 3, mode="wrap")) & (inside > 0)
    at = np.argwhere(peak)
    if not len(at):
        return None
    height, overlap = inside[peak], count[peak]
    # A lattice has as many equal maxima as cells: of these a large overlap tells more.
    weighty = height * np.sqrt(overlap / overlap.max())
    order = np.argsort(-weighty, kind="stable")
    independent = overlap[order[0]] / (4 * np.pi * sigma**2)
    best = float(np.arctanh(min(height[order[0]], 0.999999)))
    # Fisher's z is normal; of few independent places chance reaches less far.
    if best * np.sqrt(max(independent - 3, 0.0)) < min(
        CLEAR, FAR + np.sqrt(2 * np.log(inside.size / (4 * np.pi * sigma**2)))
    ):
        return None
    whole = np.column_stack([y[at[:, 0]], x[at[:, 1]]]).astype(int)
    able = order[height[order] >= LEAST_OF_BEST * height[order[0]]]
    near = able[np.argsort((whole[able] ** 2).sum(axis=1), kind="stable")[:NEAREST]]
    chosen = np.array(list(dict.fromkeys([*able[:STRONGEST].tolist(), *near.tolist()])))
    at, height, whole = at[chosen], height[chosen], whole[chosen]
    first_of = 0
    behind = np.array([lead(one, two, whole[0], other) for other in whole])
    if behind.min() < -SURE:
        first_of = int(behind.argmin())
        behind = np.array([lead(one, two, whole[first_of], other) for other in whole])
    # Noise says little of one large feature; a much weaker match is no rival all the same.
    weighty = weighty[chosen]
    weak = weighty < ALIKE * weighty[first_of]
    behind[weak] = np.maximum(behind[weak], SURE)
    behind[first_of] = 0.0
    first = np.argsort(np.arange(len(chosen)) != first_of, kind="stable")
    places = whole + _summit(score, at)
    return Candidates(places[first], height[first], behind[first], max(sigma, 1.0))


def resolved(fine: Candidates | None, rough: Candidates | None, /) -> Candidates | None:
    """Choose between equal matches by what is larger than a lattice, if that says where.

    Parameters
    ----------
    fine, rough : Candidates or None
        Of the same two images, the second of them smoothed far more.
    """
    if fine is not None and len(fine.equal) == 1:
        return fine
    if rough is None or len(rough.equal) > 1:
        return fine
    if fine is not None:
        away = np.linalg.norm(fine.shift - rough.shift[0], axis=1)
        near = np.flatnonzero((away <= 2 * rough.exact) & (fine.behind < SURE))
        if len(near):
            near = near[[int(away[near].argmin())]]
            return Candidates(fine.shift[near], fine.score[near], np.zeros(1), rough.exact)
    return rough._replace(shift=rough.shift[:1], score=rough.score[:1], behind=rough.behind[:1])


def lead(one: Prepared, two: Prepared, best: NDArray[np.intp], other: NDArray[np.intp], /) -> float:
    """Tell by how many standard deviations one whole shift fits better than another."""
    first, second = (np.asarray(shift, dtype=int) for shift in (best, other))
    low = np.maximum(0, np.maximum(-first, -second))
    high = np.minimum(one.values.shape, np.array(one.values.shape) - np.maximum(first, second))
    if (high - low < 4).any():
        return float("inf")

    def window(shift: NDArray[np.intp]) -> tuple[slice, slice]:
        (y0, x0), (y1, x1) = (low + shift).tolist(), (high + shift).tolist()
        return slice(y0, y1), slice(x0, x1)

    here, there, elsewhere = window(np.zeros(2, dtype=int)), window(first), window(second)
    known = one.measured[here] & two.measured[there] & two.measured[elsewhere]
    return lead_of(one.values[here], two.values[there], two.values[elsewhere], known)


def lead_of(target: Floats, best: Floats, other: Floats, known: Bools, /) -> float:
    """Tell by how many standard deviations one image is nearer to a target than another is.

    The difference of the sums of squares, over its standard deviation as
    the correlation of both factors has it over all displacements: what has
    nothing to do with one another.
    """
    n = int(known.sum())
    if n < 16:
        return float("inf")
    a, b, c = (np.where(known, part - part[known].mean(), 0.0) for part in (target, best, other))
    # Each at the height at which it fits best, or noise in an image would pull it down.
    b, c = (part * ((a * part).sum() / max((part**2).sum(), 1e-300)) for part in (b, c))
    apart, rest = b - c, a - 0.5 * (b + c)
    gain = float((apart * rest).sum())
    return gain / max(_chance(apart, rest), 1e-300)


def _chance(one: Floats, two: Floats) -> float:
    """Give the root mean square of the correlation of two images over all displacements."""
    size = tuple(scipy.fft.next_fast_len(n, real=True) for n in one.shape)
    product = np.conj(scipy.fft.rfft2(one, size)) * scipy.fft.rfft2(two, size)
    everywhere = scipy.fft.irfft2(product, size)
    return float(np.sqrt((everywhere**2).sum() / one.size))


def _summit(score: Floats, at: NDArray[np.intp]) -> Floats:
    """Find maxima between pixels by parabolas along both axes."""
    places = np.zeros((len(at), 2))
    for axis in (0, 1):
        step = np.zeros(2, dtype=int)
        step[axis] = 1
        size = score.shape
        before, here, after = (score[tuple(((at + k * step) % size).T)] for k in (-1, 0, 1))
        bend = before - 2 * here + after
        ratio = np.divide(before - after, 2 * bend, out=np.zeros(len(at)), where=bend < 0)
        places[:, axis] = np.clip(ratio, -0.5, 0.5)
    return places


def fine_step(moved: Floats, reference: Floats, /, *, with_errors: bool = True) -> Fine | None:
    """Find what is left of a shift by least squares: moved = a reference + b + slopes times step.

    Parameters
    ----------
    moved, reference : ndarray, shape (y, x)
        NaN where not measured; the moved image is sampled at places plus the
        shift so far.

    Returns
    -------
    Fine or None
        None where next to nothing overlaps or varies. The covariance is that of the
        scores of least squares as the residual, shifted over the slopes
        in all ways, makes them: right for noise of any spectrum.
    """
    slopes = np.gradient(reference)
    known = np.isfinite(moved) & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    known &= np.isfinite(reference)
    if known.sum() < 64:
        return None
    columns = np.stack([slopes[0][known], slopes[1][known], reference[known], moved[known]])
    # A frame keeps a trend of its own where the reference has that of several.
    trend = _trend_columns(reference.shape)[:, known]
    columns -= np.linalg.solve(trend @ trend.T, trend @ columns.T).T @ trend
    design, target = columns[:3], columns[3]
    normal = design @ design.T
    if not np.linalg.cond(normal) < 1e12:
        return None
    coefficients = np.linalg.solve(normal, design @ target)
    gain = coefficients[2]
    spread = float(normal[2, 2] * (target @ target)) ** 0.5
    score = float(design[2] @ target) / max(spread, 1e-300)
    if not gain > 0 or score <= 0:
        return None
    # What is sampled too far along the shift shows the reference farther along.
    step = -coefficients[:2] / gain
    if not with_errors:
        return Fine(step, np.full((2, 2), np.nan), score)
    rest = np.zeros(reference.shape)
    rest[known] = target - coefficients @ design
    planes = []
    for row in design[:2]:
        image = np.zeros(reference.shape)
        image[known] = row
        planes.append(image)
    covariance = _sandwich(planes, rest, normal[:2, :2]) / gain**2
    return Fine(step, covariance, score)


def _sandwich(planes: list[Floats], rest: Floats, normal: Floats) -> Floats:
    size = tuple(scipy.fft.next_fast_len(n, real=True) for n in rest.shape)
    left = np.conj(scipy.fft.rfft2(rest, size))
    everywhere = [scipy.fft.irfft2(left * scipy.fft.rfft2(plane, size), size) for plane in planes]
    meat = np.array([[float((a * b).sum()) for b in everywhere] for a in everywhere]) / rest.size
    bread = np.linalg.inv(normal)
    return np.asarray(bread @ meat @ bread)
