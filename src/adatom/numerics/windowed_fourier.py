"""The part of an image that repeats itself within windows of a few periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from adatom.numerics.filters import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.spectrum import RadialSpectrum

# Coefficients of a window kept by chance: exp(-7) of them, one or two of those
# between the zero frequency and the last ring of a window of 7 periods.
THRESHOLD = 7.0
# Wide enough to gather some fifty atoms' worth of evidence, narrow enough to
# follow strain, drift and grains.
WINDOW_PERIODS = 7.0


def repeating_part(
    image: NDArray[np.float32],
    spectrum: RadialSpectrum,
    /,
    *,
    period: float,
    finest_period: float,
) -> NDArray[np.float32]:
    """Keep what stands above the noise in windowed Fourier transforms [1]_.

    The image is cut into overlapping windows; in the spectrum of each, only
    coefficients of more than seven times the noise power survive, shrunk by
    the noise (power subtraction); the windows are blended back. Unlike a
    filter of the whole image this follows grains, strain and drift.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
    spectrum : RadialSpectrum
        Of this image: the noise in it.
    period : float
        Of the strongest ring, in pixels.
    finest_period : float
        Of the outermost ring that stands above the noise.

    References
    ----------
    .. [1] Q. Kemao, Appl. Opt. 43, 2695 (2004), sec. 2.
    """
    size = _window_size(image.shape, period)
    half = size // 2
    background = gaussian_filter(image, period, mode="nearest")
    counts = [-(-(length + half) // half) for length in image.shape]
    # Windows begin half a window before the image and end after it, so that
    # every pixel lies in two of them along each axis.
    beyond = [
        (half, (count + 1) * half - length - half)
        for count, length in zip(counts, image.shape, strict=True)
    ]
    padded = np.pad(image - background, beyond)
    inside = [
        np.pad(np.ones(length), room) for length, room in zip(image.shape, beyond, strict=True)
    ]
    taper = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    noise, passed = _window_noise(spectrum, size, period, finest_period)
    blended = np.zeros_like(padded)
    for row in range(counts[0]):
        y = slice(row * half, row * half + size)
        wy = taper * inside[0][y]
        for column in range(counts[1]):
            x = slice(column * half, column * half + size)
            weight = np.outer(wy, taper * inside[1][x]).astype(np.float32)
            coefficients = scipy.fft.rfft2(padded[y, x] * weight)
            power = np.abs(coefficients) ** 2
            beneath = noise * float((weight**2).sum())
            kept = passed & (power > THRESHOLD * beneath)
            shrink = np.zeros_like(power)
            np.divide(beneath, power, out=shrink, where=kept)
            coefficients *= np.where(kept, 1 - shrink, 0)
            blended[y, x] += scipy.fft.irfft2(coefficients, s=(size, size)) * weight
    # With sin^2 windows at half overlap the weights add up to one everywhere.
    return blended[half : half + image.shape[0], half : half + image.shape[1]]


def _window_size(shape: tuple[int, ...], period: float) -> int:
    wanted = int(max(24, min(WINDOW_PERIODS * period, 2 * max(shape))))
    size = scipy.fft.next_fast_len(wanted, real=True)
    while size % 2:
        size = scipy.fft.next_fast_len(size + 1, real=True)
    return int(size)


def _window_noise(
    spectrum: RadialSpectrum, size: int, period: float, finest_period: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    noise = np.interp(frequency, spectrum.frequency, spectrum.noise).astype(np.float32)
    lowest = max(0.45 / period, 1.4 / size)
    return noise, (frequency > lowest) & (frequency < 1.15 / finest_period + 1 / size)
