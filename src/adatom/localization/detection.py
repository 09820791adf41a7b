"""Finding peaks on the pixel grid of one image, at the scale that the image itself shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.special import ndtr

from adatom.errors import KindError, NoLatticeError
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


class Detection(NamedTuple):
    """Peaks found in an image, in pixels.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column, to a fraction of a pixel.
    height : ndarray, shape (site,)
        Response over that of a typical strong site.
    score : ndarray, shape (site,)
        Probability that the height is above the threshold.
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
    spacing: float
    width: float
    noise: float
    scale: Scale


def pixels_of_image(
    image: Image, regions: Mask | None, /, *, contrast: Literal["bright", "dark"]
) -> Grid:
    """Give the values about zero with bright peaks; what is not to be used is put to zero."""
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
    values = np.where(usable, values - values[usable].mean(dtype=float), 0.0).astype(np.float32)
    return values if contrast == "bright" else -values


def find_peaks(image: Grid, /, *, spacing: float | None = None) -> Detection:
    """Estimate the scale and find the peaks.

    Raises
    ------
    NoLatticeError
        If the spectrum shows no ring above the noise.
    """
    calm = without_outliers(image)
    scale = estimate_scale(calm, spacing=spacing)
    if scale is None:
        msg = (
            "the power spectrum of the image shows no ring above its noise, so that there is no "
            "lattice to find atoms by: if atoms can be seen, give their distance as spacing=, "
            'average frames, or try contrast="dark"'
        )
        raise NoLatticeError(msg)
    return detect_peaks(image, calm, scale)


def without_outliers(image: Grid, /) -> Grid:
    """Replace what is far brighter or darker than the rest by its surroundings.

    A few heavy impurities or dark scars carry more power than a whole lattice
    and would set the scale; this copy serves the spectrum only.
    """
    sigma = max(1.0, min(image.shape) / 150)
    smooth = scipy.ndimage.gaussian_filter(image, sigma)
    low, middle, high = np.quantile(smooth, [0.05, 0.5, 0.95])
    odd = (smooth > middle + 4 * (high - middle)) | (smooth < middle - 4 * (middle - low))
    if not 0 < odd.mean() < 0.05:
        return image
    odd = scipy.ndimage.binary_dilation(odd, iterations=int(3 * sigma))
    weight = scipy.ndimage.gaussian_filter((~odd).astype(np.float32), 8 * sigma)
    filled = scipy.ndimage.gaussian_filter(np.where(odd, 0, image), 8 * sigma)
    return np.where(odd, filled / np.maximum(weight, 1e-3), image)


def estimate_scale(image: Grid, /, *, spacing: float | None = None) -> Scale | None:
    """Take the length scale from the spectrum, or nothing where there is no ring.

    A given spacing between neighbors (in pixels) narrows the choice of the
    ring: its period is 1.5 (honeycomb), 1 (square) or 0.87 (hexagonal)
    times the spacing, up to 2.2 with two sublattices.
    """
    spectrum = radial_spectrum(image)
    rings = bragg_rings(spectrum)
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
    points, spacing = _first_pass(lattice, scale.period)
    width = _typical_width(calm, points, spacing)
    predicted, measured = blob_response(lattice, width), blob_response(image, width)
    noise = blob_response_noise(scale.spectrum, width)
    weight = _weight_of_lattice(predicted[tuple(points.T)], measured[tuple(points.T)], noise)
    response = weight * predicted + (1 - weight) * measured
    return _second_pass(response, scale, spacing, width, (1 - weight) * noise)


def _first_pass(lattice: Grid, period: float) -> tuple[NDArray[np.intp], float]:
    response = blob_response(lattice, max(0.7, 0.1 * period))
    points = local_maxima(response, above=0.0)
    height = response[tuple(points.T)]
    strong = float(np.quantile(height, 0.9))
    true = height > first_valley(height, lowest=0.1 * strong, highest=0.5 * strong)
    points, height = points[true], height[true]
    points = points[thin_out(points, height, distance=0.3 * period)]
    return points, float(np.median(nearest_distances(points.astype(float))))


def _typical_width(image: Grid, points: NDArray[np.intp], spacing: float) -> float:
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


def _weight_of_lattice(predicted: Grid, measured: Grid, noise: float) -> float:
    """Weigh the lattice against the pixels by their variances, robustly.

    At least a tenth of the height is taken for true differences between
    atoms: no crystal is perfect.
    """
    difference = measured - predicted
    spread = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
    true_differences = max(spread**2 - noise**2, (0.1 * float(np.median(measured))) ** 2)
    return noise**2 / (noise**2 + true_differences) if noise > 0 else 0.0


def _second_pass(
    response: Grid, scale: Scale, spacing: float, width: float, noise: float
) -> Detection:
    points = local_maxima(response, above=0.0)
    height = response[tuple(points.T)]
    kept = thin_out(points, height, distance=0.4 * spacing)
    points, height = points[kept], height[kept]
    strong = float(np.median(height[height > 0.5 * np.quantile(height, 0.9)]))
    # Three standard deviations of noise, and no less than 8 % of a strong
    # site: the tails of a probe make false peaks of some percent.
    lowest = max(0.08 * strong, min(3 * noise, 0.4 * strong))
    threshold = first_valley(height, lowest=lowest, highest=0.55 * strong)
    true = height > threshold
    points, height = points[true], height[true]
    position = parabolic_maxima(response, points)
    uncertain = max(noise, 0.05 * strong)
    return Detection(
        position,
        height / strong,
        ndtr((height - threshold) / uncertain),
        pooled_spacing(position),
        width,
        noise / strong,
        scale,
    )
