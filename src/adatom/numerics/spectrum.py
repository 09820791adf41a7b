"""Where the power of an image lies: rings of the spectrum, and the noise beneath them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Bragg peaks of a lattice finer than this cannot be told from the pixels themselves.
FINEST_PERIOD = 10 / 3
# Below so many periods across the window a ring is no more than background.
FEWEST_PERIODS = 2.5


class RadialSpectrum(NamedTuple):
    """What each ring of a power spectrum holds.

    Attributes
    ----------
    frequency : ndarray
        In cycles per pixel, equal steps from zero.
    median : ndarray
        Power per pixel of a typical coefficient on the ring, as a mean (the
        median of an exponential distribution divided by log 2).
    peak : ndarray
        Power per pixel of the strongest coefficient on the ring.
    noise : ndarray
        Power per pixel of what is no lattice: a smooth curve below the rings.
    n_coefficients : ndarray of int
        How many coefficients a ring holds.
    """

    frequency: NDArray[np.float64]
    median: NDArray[np.float64]
    peak: NDArray[np.float64]
    noise: NDArray[np.float64]
    n_coefficients: NDArray[np.int64]

    @property
    def significance(self) -> NDArray[np.float64]:
        """Strongest coefficient over what the noise lets expect of the strongest: about 1."""
        expected = self.noise * (np.log(np.maximum(self.n_coefficients, 2)) + 1)
        return np.asarray(self.peak / np.maximum(expected, _floor(self.peak)))

    @property
    def prominence(self) -> NDArray[np.float64]:
        """Strongest coefficient over what its own ring lets expect of the strongest."""
        expected = self.median * (np.log(np.maximum(self.n_coefficients, 2)) + 1)
        return np.asarray(self.peak / np.maximum(expected, _floor(self.peak)))


def _floor(peak: NDArray[np.float64]) -> float:
    # Images without noise have rings of nothing but rounding errors.
    return float(1e-9 * peak[2:].max(initial=0.0) + np.finfo(float).tiny)


def radial_spectrum(image: NDArray[np.floating], /, *, window: int = 512) -> RadialSpectrum:
    """Average the power spectra of Hann windows over the image, ring by ring.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        Finite values.
    window : int
        Side of the windows in pixels; they overlap by half. An image that is
        not much larger is one window, since few periods need all of it.
    """
    side = window if min(image.shape) > 1.4 * window else max(image.shape)
    power = mean_power(image, side)
    rows, columns = (min(side, size) for size in image.shape)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    n_rings = min(rows, columns) // 2
    ring = np.rint(frequency * min(rows, columns)).astype(np.int64).ravel()
    order = np.argsort(ring, kind="stable")
    edges = np.searchsorted(ring[order], np.arange(n_rings + 1))
    members = np.split(power.ravel()[order], edges[1:])[:n_rings]
    median = np.array([np.median(member) for member in members]) / np.log(2)
    peak = np.array([member.max() for member in members])
    return RadialSpectrum(
        np.arange(n_rings) / min(rows, columns), median, peak, _below_rings(median), np.diff(edges)
    )


def mean_power(image: NDArray[np.floating], side: int, /) -> NDArray[np.float64]:
    """Average the power spectra of Hann windows of a side: half plane, per pixel."""
    rows, columns = (min(side, size) for size in image.shape)
    taper = np.outer(hann(rows), hann(columns)).astype(image.dtype)
    starts = [
        np.unique(np.linspace(0, size - part, int(np.ceil(2 * size / part)) - 1).astype(int))
        for size, part in zip(image.shape, (rows, columns), strict=True)
    ]
    total = np.zeros((rows, columns // 2 + 1))
    for y in starts[0]:
        for x in starts[1]:
            part = image[y : y + rows, x : x + columns]
            total += np.abs(scipy.fft.rfft2((part - part.mean()) * taper)) ** 2
    windows = len(starts[0]) * len(starts[1])
    return total / (windows * float((taper.astype(float) ** 2).sum()))


def _below_rings(median: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a smooth curve beneath rings whose spots are too many for a median.

    Looks outward, to 1.6 times the frequency, since noise falls with it and
    the innermost rings hold too few coefficients to judge by themselves.
    """
    logs = np.log(np.maximum(median, np.finfo(float).tiny))
    below = np.empty_like(logs)
    for ring in range(logs.size):
        inner = min(max(2, int(0.8 * ring)), logs.size - 1)
        outer = max(inner + 6, int(1.6 * ring) + 1)
        below[ring] = np.quantile(logs[inner:outer], 0.3)
    return np.exp(below)


def bragg_rings(spectrum: RadialSpectrum, /, *, least: float = 3.0) -> NDArray[np.intp]:
    """Find rings with coefficients that noise does not explain, the strongest first.

    Parameters
    ----------
    spectrum : RadialSpectrum
    least : float
        How far a coefficient must stand above what noise lets expect of the
        strongest on its ring; for noise alone 3 times happens less than once
        in 10,000 rings. It must stand above its own ring too, which a steep
        but smooth spectrum does not; near zero frequency, where a ring is all
        lattice, strength alone decides.
    """
    significance, prominence = spectrum.significance, spectrum.prominence
    ring = np.arange(significance.size)
    fine = (spectrum.frequency < 1 / FINEST_PERIOD) & (ring >= FEWEST_PERIODS)
    own = (prominence > 1.5) | ((significance > 10) & (ring < 8))
    power = np.where(fine & own & (significance > least), spectrum.peak - spectrum.noise, 0.0)
    around = np.array([power[max(0, i - 2) : i + 3].max() for i in ring])
    peaks = np.flatnonzero((power > 0) & (power >= around))
    return peaks[np.argsort(-power[peaks], kind="stable")]


def hann(size: int, /) -> NDArray[np.float64]:
    """Give a Hann window whose square root overlaps to one at half its length."""
    return np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2


def blob_response_noise(spectrum: RadialSpectrum, sigma: float, /) -> float:
    """Give the standard deviation of the noise in `numerics.peaks.blob_response`."""
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None, :])
    squared = (2 * np.pi * sigma * frequency) ** 2
    transfer = squared * np.exp(-squared / 2)
    noise = np.interp(frequency, spectrum.frequency, spectrum.noise)
    return float(np.sqrt(np.mean(transfer**2 * noise)))
