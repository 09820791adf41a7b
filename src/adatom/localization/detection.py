"""Finding peaks on the pixel grid of one image, at the scale that the image itself shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree
from scipy.special import expit, ndtr

from adatom.errors import KindError, NoLatticeError
from adatom.numerics.blobs import joint_response, separate_responses
from adatom.numerics.filters import gaussian_filter
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.order import recurrence
from adatom.numerics.peaks import (
    blob_response,
    first_valley,
    local_maxima,
    parabolic_maxima,
    thin_out,
)
from adatom.numerics.spacing import nearest_distances, pooled_spacing
from adatom.numerics.spectrum import (
    RadialSpectrum,
    blob_response_noise,
    bragg_rings,
    radial_spectrum,
)
from adatom.numerics.windowed_fourier import repeating_part
from adatom.schema import MASK, Image, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[np.float32]
    Index = NDArray[np.intp]


class Scale(NamedTuple):
    """The length scale of an image, in pixels.

    Attributes
    ----------
    period : float
        Of the strongest ring of the spectrum.
    finest_period : float
        Of the outermost ring that stands above the noise.
    confidence : float
        Probability that noise alone would not show so strong a ring.
    spectrum : RadialSpectrum
        From which they come.
    """

    period: float
    finest_period: float
    confidence: float
    spectrum: RadialSpectrum


# Above what noise lets expect, once in some hundred images without a lattice.
FAINT_RING = 2.0
# First guesses of the blobs' width in periods: fine enough for a honeycomb,
# whose neighbors are 0.67 periods apart; coarser where scan noise tears atoms.
FIRST_SIGMAS = (0.1, 0.17, 0.25)
# After three rounds nothing is left but noise.
MOST_RESIDUALS = 3
# Mean recurrence beyond which the sites are taken for a lattice without trying further.
ORDERED = 0.75
# Mean recurrence of a sublattice, among itself, that chance does not make.
COMPLETE = 0.6
# Surroundings of fewer sites cannot be compared.
FEWEST_TO_JUDGE = 20
# What random points reach by chance, with a margin.
CHANCE = 0.3


class Detection(NamedTuple):
    """Peaks found in an image, in pixels.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column, to a fraction of a pixel.
    height : ndarray, shape (site,)
        Response over that of a typical strong site.
    score : ndarray, shape (site,)
        Probability that there is an atom and that its height is above the threshold.
    order : ndarray, shape (site,)
        Recurrence of its surroundings; NaN where it cannot be judged.
    spacing : float
        First mode of the distances between neighbors.
    width : float
        Sigma of the typical peak.
    noise : float
        Standard deviation of the noise in the heights.
    scale : Scale
        At which they were found.
    """

    position: NDArray[np.float64]
    height: NDArray[np.float64]
    score: NDArray[np.float64]
    order: NDArray[np.float64]
    spacing: float
    width: float
    noise: float
    scale: Scale

    @property
    def quality(self) -> float:
        """Number of sites whose surroundings repeat, beyond chance; too few to judge count none."""
        return float(np.nansum(self.order - CHANCE))

    @property
    def is_ordered(self) -> bool:
        """Whether most surroundings repeat; also where they are too few to judge."""
        judged = self.order[np.isfinite(self.order)]
        return not judged.size or float(judged.mean()) > ORDERED


class Evidence(NamedTuple):
    """What the lattice predicts and the pixels show, filtered for blobs of the atoms' width.

    Attributes
    ----------
    predicted, measured : ndarray, shape (y, x)
        Responses of the repeating part and of the image itself.
    weight : float
        Of the prediction, between 0 and 1.
    noise : float
        Standard deviation of the noise in `measured`.
    true_differences : float
        By how much the response of a true atom differs from the prediction.
    """

    predicted: Grid
    measured: Grid
    weight: float
    noise: float
    true_differences: float

    @property
    def blended_noise(self) -> float:
        """Standard deviation of the noise in the weighted response."""
        return (1 - self.weight) * self.noise

    def weighted(self) -> Grid:
        """Blend both by the inverse of their variances."""
        blend = self.weight * self.predicted
        blend += (1 - self.weight) * self.measured
        return blend

    def probability_of_atom(
        self, predicted: NDArray[np.float64], measured: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Weigh an atom as predicted against an empty place, by what the pixels show.

        Places of a lattice are empty in one case in a hundred, as far as is
        known beforehand. More than predicted speaks for an atom all the more.
        """
        noise = max(self.noise, 1e-6 * float(np.abs(predicted).max(initial=1.0)))
        spread = np.hypot(noise, self.true_differences)
        atom = -0.5 * (np.minimum(measured - predicted, 0) / spread) ** 2 - np.log(spread)
        empty = -0.5 * (np.maximum(measured, 0) / noise) ** 2 - np.log(noise)
        return np.asarray(expit(atom - empty + np.log(99)))


def pixels_of_image(
    image: Image, regions: Mask | None, /, *, contrast: Literal["bright", "dark"]
) -> Grid:
    """Give the values about zero, in units of their spread, with bright peaks; zero if unusable."""
    values = np.asarray(image.values)
    usable = np.isfinite(values)
    if regions is not None:
        MASK.check(regions, name="regions")
        if regions.shape != image.shape:
            msg = f"regions of shape {regions.shape} do not cover an image of shape {image.shape}"
            raise KindError(msg)
        usable &= np.asarray(regions.values)
    if not usable.any():
        msg = "no pixel of the image is finite and within regions: nothing can be found"
        raise NoLatticeError(msg)
    # In units of their spread, since squares of 1e-30 and 1e30 leave the range of float32.
    centered = values - values[usable].mean(dtype=float)
    spread = float(centered[usable].std(dtype=float)) or 1.0
    scaled = np.where(usable, centered / spread, 0.0).astype(np.float32)
    return scaled if contrast == "bright" else -scaled


def check_not_constant(image: Image, /) -> None:
    """Refuse an image that is the same everywhere, which is mostly the wrong part of a file."""
    values = np.asarray(image.values)
    known = values[np.isfinite(values)]
    if known.size and known.min() == known.max():
        msg = (
            f"all pixels of the image have the value {known[0]:g}: nothing can be found; is it the "
            "right data set, channel or frame of the file?"
        )
        raise NoLatticeError(msg)


def find_peaks(
    image: Grid, /, *, spacing: float | None = None, ignored: NDArray[np.bool_] | None = None
) -> Detection:
    """Estimate the scale and find the peaks.

    Parameters
    ----------
    image : ndarray of float32
        Peaks are bright.
    spacing : float, optional
        Between neighbors, in pixels, where it is known.
    ignored : ndarray of bool, optional
        Pixels that say nothing about scale and lattice, such as contamination.

    Raises
    ------
    NoLatticeError
        If the spectrum shows no ring above the noise, or the peaks no order.
    """
    kept = image if ignored is None else _filled(image, ignored)
    calm = without_outliers(kept)
    scale = estimate_scale(calm, spacing=spacing)
    if scale is None:
        # In a small image one impurity takes more than the tail.
        calm = without_outliers(kept, tail=0.25, factor=6.0)
        scale = estimate_scale(calm, spacing=spacing)
    if scale is None:
        msg = f"the power spectrum of the image shows no ring above its noise, {_NO_LATTICE}"
        raise NoLatticeError(msg)
    found = detect_peaks(image, calm, scale)
    if found.quality <= 0:
        msg = (
            f"{len(found.position)} peaks were found, but their surroundings do not repeat, "
            f"{_NO_LATTICE}"
        )
        raise NoLatticeError(msg)
    return found


_NO_LATTICE = (
    "so that there is no lattice to find atoms by: if atoms can be seen, give their distance as "
    'spacing=, leave contamination out by regions, average frames, or try contrast="dark"'
)


def _filled(image: Grid, ignored: NDArray[np.bool_]) -> Grid:
    """Replace ignored pixels by the mean of what lies around them."""
    kept = (~ignored).astype(np.float32)
    filled, total = image * kept, kept
    result = np.where(ignored, 0, image)
    # Wide holes need wide surroundings: each scale fills what the finer left empty.
    empty = ignored.copy()
    for sigma in (4.0, 16.0, 64.0):
        weight = gaussian_filter(total, sigma)
        blurred = gaussian_filter(filled, sigma)
        ready = empty & (weight > 0.02)
        result[ready] = blurred[ready] / weight[ready]
        empty &= ~ready
    return result


def without_outliers(image: Grid, /, *, tail: float = 0.05, factor: float = 4.0) -> Grid:
    """Replace what is far brighter or darker than the rest by its surroundings.

    A few heavy impurities or dark scars carry more power than a whole lattice
    and would set the scale; this copy serves the spectrum only. Far is
    `factor` times the distance from the median to the `tail` quantiles; what
    takes more of the image than that tail is not the exception.
    """
    sigma = max(1.0, min(image.shape) / 150)
    # What is that smooth is as well known on every second sigma.
    step = max(1, int(sigma / 2))
    smooth = gaussian_filter(image, sigma)[::step, ::step]
    low, middle, high = np.quantile(smooth, [tail, 0.5, 1 - tail])
    odd = (smooth > middle + factor * (high - middle)) | (smooth < middle - factor * (middle - low))
    if not 0 < odd.mean() < tail:
        return image
    odd = scipy.ndimage.binary_dilation(odd, iterations=int(np.ceil(3 * sigma / step)))
    weight = gaussian_filter((~odd).astype(np.float32), 8 * sigma / step)
    filled = gaussian_filter(np.where(odd, 0, smooth), 8 * sigma / step)
    filled /= np.maximum(weight, 1e-3)
    whole = np.ix_(*(np.arange(size) // step for size in image.shape))
    return np.where(odd[whole], filled[whole], image)


def estimate_scale(image: Grid, /, *, spacing: float | None = None) -> Scale | None:
    """Take the length scale from the spectrum, or nothing where there is no ring.

    A given spacing between neighbors (in pixels) narrows the choice of the
    ring: its period is 1.5 (honeycomb), 1 (square) or 0.87 (hexagonal)
    times the spacing, up to 2.2 with two sublattices.
    """
    spectrum = radial_spectrum(image)
    rings = bragg_rings(spectrum)
    if not rings.size:
        # Few periods make weak rings: whether they mean a lattice is then for
        # the order of the sites to say.
        rings = bragg_rings(spectrum, least=FAINT_RING)
    if spacing is not None and rings.size:
        period = 1 / spectrum.frequency[rings]
        rings = rings[(period > 0.75 * spacing) & (period < 2.3 * spacing)]
    if not rings.size:
        return None
    strongest = rings[0]
    excess = spectrum.peak[strongest] / spectrum.noise[strongest]
    chance = np.exp(-min(excess, 700.0)) * spectrum.n_coefficients.sum()
    return Scale(
        float(1 / spectrum.frequency[strongest]),
        float(1 / spectrum.frequency[rings].max()),
        float(np.exp(-chance)),
        spectrum,
    )


def detect_peaks(image: Grid, calm: Grid, scale: Scale, /) -> Detection:
    """Find peaks where the lattice and the pixels together say that there is one.

    What repeats itself within windows of a few periods (``repeating_part``)
    predicts where atoms are; the pixels themselves tell whether they are
    there. Both are filtered for blobs of the width of the atoms and added
    with the weights of their uncertainties: of the noise, and of how much
    true atoms differ from what the lattice predicts. A clean image is thus
    judged by its pixels, so that vacancies stay empty and impurities bright,
    and one drowned in noise by its lattice.

    Parameters
    ----------
    image : ndarray of float32
        Peaks are bright.
    calm : ndarray of float32
        The same `without_outliers`.
    scale : Scale
        Of the calm image.
    """
    lattice = repeating_part(
        calm, scale.spectrum, period=scale.period, finest_period=scale.finest_period
    )
    tries = []
    for fineness in FIRST_SIGMAS:
        points, spacing = _first_pass(lattice, scale.period, fineness * scale.period)
        width = _typical_width(calm, points, spacing)
        evidence = _evidence(lattice, image, points, width, scale)
        tries.append(_second_pass(evidence, spacing, width, scale))
        if tries[-1].is_ordered:
            break
    return max(tries, key=lambda found: found.quality)


def _evidence(lattice: Grid, image: Grid, points: Index, width: float, scale: Scale) -> Evidence:
    predicted, measured = blob_response(lattice, width), blob_response(image, width)
    noise = blob_response_noise(scale.spectrum, width)
    at = tuple(points.T)
    true_differences = _true_differences(predicted[at], measured[at], noise)
    weight = noise**2 / (noise**2 + true_differences**2) if noise > 0 else 0.0
    return Evidence(predicted, measured, weight, noise, true_differences)


def _first_pass(lattice: Grid, period: float, sigma: float) -> tuple[Index, float]:
    response = blob_response(lattice, max(0.7, sigma))
    points = local_maxima(response, above=0.0)
    height = response[tuple(points.T)]
    strong = float(np.quantile(height, 0.9))
    true = height > first_valley(height, lowest=0.1 * strong, highest=0.5 * strong)
    points, height = points[true], height[true]
    points = points[thin_out(points, height, distance=0.3 * period)]
    return points, float(np.median(nearest_distances(points.astype(float))))


def _typical_width(image: Grid, points: Index, spacing: float) -> float:
    """Fit a Gaussian to the mean patch, out to half the way to the next site."""
    reach = max(2, int(np.ceil(0.5 * spacing)))
    offset = np.arange(-reach, reach + 1)
    inside = ((points >= reach) & (points < np.array(image.shape) - reach)).all(axis=1)
    chosen = points[inside][:: max(1, int(inside.sum()) // 4000)]
    limits = max(0.7, 0.15 * spacing), 0.35 * spacing
    if not len(chosen):
        return float(np.clip(0.25 * spacing, *limits))
    patch = np.mean([image[np.ix_(offset + y, offset + x)] for y, x in chosen], axis=0)
    radius = np.hypot(offset[:, None], offset[None, :])
    near = radius <= max(1.5, 0.5 * spacing)
    profile, radius = patch[near].astype(float), radius[near]
    sigmas = np.geomspace(*limits, 40) if limits[1] > limits[0] else np.array([limits[0]])
    misfit = []
    for sigma in sigmas:
        model = np.stack([np.exp(-(radius**2) / (2 * sigma**2)), np.ones_like(radius)], axis=1)
        fitted = np.linalg.lstsq(model, profile)[0]
        misfit.append(((model @ fitted - profile) ** 2).sum())
    return float(sigmas[int(np.argmin(misfit))])


def _true_differences(predicted: Grid, measured: Grid, noise: float) -> float:
    """Give by how much true atoms differ from what the lattice predicts, robustly.

    At least a tenth of the height: no crystal is perfect.
    """
    difference = measured - predicted
    spread = SIGMA_OF_MAD * float(np.median(np.abs(difference - np.median(difference))))
    return float(max(np.sqrt(max(spread**2 - noise**2, 0.0)), 0.1 * float(np.median(measured))))


def _second_pass(evidence: Evidence, spacing: float, width: float, scale: Scale) -> Detection:
    response = evidence.weighted()
    points, strong, threshold = _true_maxima(response, 0.4 * spacing, evidence.blended_noise)
    found = _judged(evidence, points, strong, threshold, width, scale)
    for _ in range(MOST_RESIDUALS):
        alone = separate_responses(points, response[tuple(points.T)], width)
        rest = response - joint_response(response.shape, points, alone, width)
        more = _missed_maxima(rest, points, alone, 0.4 * spacing, threshold, strong)
        if evidence.weight > 0.5:
            faint = _faint_sublattice(rest, points, alone, 0.4 * spacing, threshold, strong)
            more = max(more, faint, key=len)
        if not len(more):
            break
        points = np.concatenate([points, more])
        fuller = _judged(evidence, points, strong, threshold, width, scale)
        if fuller.quality <= found.quality:
            break
        found = fuller
    return found


def _true_maxima(response: Grid, distance: float, noise: float) -> tuple[Index, float, float]:
    """Give the maxima that are true, the height of strong ones, and the least height."""
    points = local_maxima(response, above=0.0)
    height = response[tuple(points.T)]
    kept = thin_out(points, height, distance=distance)
    points, height = points[kept], height[kept]
    strong = float(np.median(height[height > 0.5 * np.quantile(height, 0.9)]))
    # Three standard deviations of noise, and no less than 8 % of a strong
    # site: the tails of a probe make false peaks of some percent.
    lowest = max(0.08 * strong, min(3 * noise, 0.4 * strong))
    threshold = first_valley(height, lowest=lowest, highest=0.55 * strong)
    return points[height > threshold], strong, threshold


def _missed_maxima(
    rest: Grid,
    points: Index,
    alone: NDArray[np.float64],
    distance: float,
    threshold: float,
    strong: float,
) -> Index:
    """Find maxima of what the sites so far leave unexplained, away from them.

    What the same search finds upside down is chance, and the ring that the
    model leaves around a bright site is not to be taken for neighbors.
    """
    tree = cKDTree(points)
    upside_down = local_maxima(-rest, above=threshold)
    if len(upside_down):
        apart, _ = tree.query(upside_down)
        chance = -rest[tuple(upside_down[apart > distance].T)]
        threshold = max(threshold, float(np.quantile(chance, 0.98))) if chance.size else threshold
    more: Index = local_maxima(rest, above=threshold)
    if not len(more):
        return more
    more = more[_stands_apart(more, rest, tree, alone, distance)]
    height = rest[tuple(more.T)]
    more = more[height > first_valley(height, lowest=threshold, highest=0.55 * strong)]
    return more[thin_out(more, rest[tuple(more.T)], distance=distance)] if len(more) else more


def _stands_apart(
    more: Index, rest: Grid, tree: cKDTree, alone: NDArray[np.float64], distance: float
) -> NDArray[np.bool_]:
    """Tell which maxima are no remains of a site of the tree, nor of the ring around it."""
    apart, nearest = tree.query(more, k=min(3, tree.n))
    apart, nearest = np.reshape(apart, (len(more), -1)), np.reshape(nearest, (len(more), -1))
    return np.asarray(
        (apart[:, 0] > distance) & (rest[tuple(more.T)] > 0.15 * alone[nearest].max(axis=1))
    )


def _faint_sublattice(
    rest: Grid,
    points: Index,
    alone: NDArray[np.float64],
    distance: float,
    threshold: float,
    strong: float,
) -> Index:
    """Find what completes the weak sites to a sublattice of their own; nothing if it does not.

    In strong noise single weak atoms cannot be told from chance, but chance
    fills places here and there, an atomic sublattice all of them.
    """
    more: Index = local_maxima(rest, above=threshold)
    if not len(more):
        return more
    more = more[_stands_apart(more, rest, cKDTree(points), alone, distance)]
    more = more[thin_out(more, rest[tuple(more.T)], distance=distance)] if len(more) else more
    extent = [0.0, rest.shape[0] - 1.0, 0.0, rest.shape[1] - 1.0]
    best, best_order = more[:0], COMPLETE
    weak = points[alone < 0.6 * strong]
    for cut in threshold * np.array([1.0, 1.25, 1.6, 2.0]):
        higher = more[rest[tuple(more.T)] > cut]
        together = np.concatenate([weak, higher]).astype(float)
        if len(together) <= FEWEST_TO_JUDGE:
            break
        # Half the least distance is a fifth of the spacing of all sites.
        order = float(
            np.nanmean(recurrence(together, tolerance=0.5 * distance, extent=extent, most=400))
        )
        if order > best_order:
            best, best_order = higher, order
    return best


def _judged(
    evidence: Evidence,
    points: Index,
    strong: float,
    threshold: float,
    width: float,
    scale: Scale,
) -> Detection:
    response = evidence.weighted()
    at = tuple(points.T)
    measured = separate_responses(points, evidence.measured[at], width)
    predicted = separate_responses(points, evidence.predicted[at], width)
    filled = evidence.probability_of_atom(predicted, measured)
    height = evidence.weight * predicted + (1 - evidence.weight) * measured
    true = (filled > 0.5) & (height > threshold)
    points, height = points[true], height[true]
    position = parabolic_maxima(response, points)
    uncertain = max(evidence.blended_noise, 0.05 * strong)
    spacing = pooled_spacing(position)
    extent = [0.0, response.shape[0] - 1.0, 0.0, response.shape[1] - 1.0]
    return Detection(
        position,
        height / strong,
        filled[true] * ndtr((height - threshold) / uncertain),
        recurrence(position, tolerance=0.2 * spacing, extent=extent),
        spacing,
        width,
        evidence.blended_noise / strong,
        scale,
    )
