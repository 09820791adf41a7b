"""Bragg reflections of an image: where its spectrum has spots, to a fraction of a bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.ndimage

from adatom.numerics.peaks import thin_out
from adatom.numerics.spectrum import (
    FEWEST_PERIODS,
    FINEST_PERIOD,
    hann,
    mean_power,
    radial_spectrum,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Windows of the search: fine enough to part lattice from noise, coarse enough that the
# spots of a distorted scan stay whole.
WINDOW = 512
# Above the strongest that noise lets expect on the ring.
LEAST = 3.0
MOST_SPOTS = 16
# Half the main lobe of a Hann window in bins, within which a spot is measured.
REACH = 2.0
# Standard error of a frequency, in bins, of a spot as strong as the noise: for a Hann window
# some three times the variance of the Cramer-Rao bound, 3 / (2 pi^2).
ERROR_AT_NOISE = 0.6


class Spots(NamedTuple):
    """Spots of a spectrum, one of each pair of opposite ones, the strongest first.

    Attributes
    ----------
    frequency : ndarray, shape (spot, 2)
        In cycles per pixel, axis y, x.
    power : ndarray, shape (spot,)
        Beyond the noise, per pixel.
    noise : ndarray, shape (spot,)
        Power of the noise there.
    """

    frequency: Floats
    power: Floats
    noise: Floats


def find_spots(image: NDArray[np.floating], /) -> Spots:
    """Find the strongest spots that noise and scan lines do not explain."""
    side = WINDOW if min(image.shape) > 1.4 * WINDOW else max(image.shape)
    power = mean_power(image, side)
    rows, columns = (min(side, size) for size in image.shape)
    spectrum = radial_spectrum(image, window=WINDOW)
    # Rows from -1/2 to 1/2, columns from 0.
    power = np.fft.fftshift(power, axes=0)
    y = np.arange(-(rows // 2), rows - rows // 2) / rows
    x = np.arange(columns // 2 + 1) / columns
    radius = np.hypot(y[:, None], x[None, :])
    noise = np.interp(radius, spectrum.frequency, spectrum.noise)
    around = 2 * np.pi * radius * min(rows, columns)
    expected = noise * (np.log(np.maximum(around, 2)) + 1)
    expected = np.maximum(expected, 1e-9 * float(power.max()))
    seen = (power > LEAST * expected) & (power == scipy.ndimage.maximum_filter(power, 5))
    seen &= (radius < 1 / FINEST_PERIOD) & (radius * min(rows, columns) >= FEWEST_PERIODS)
    seen &= (x[None, :] > 0) | (y[:, None] > 0)
    seen &= ~_streaks(power, y, x)
    place = np.argwhere(seen)
    place = place[thin_out(place, power[seen], distance=4.0)][:MOST_SPOTS]
    at = tuple(place.T)
    frequency = np.column_stack([y[at[0]], x[at[1]]])
    return Spots(frequency, power[at] - noise[at], noise[at])


def _streaks(power: Floats, y: Floats, x: Floats) -> NDArray[np.bool_]:
    """Tell what on the axes is no higher than the axis about it: offsets of scan lines."""
    streak = np.zeros(power.shape, dtype=bool)
    middle = int(np.argmin(np.abs(y)))
    for axis, line in ((0, np.s_[:, :2]), (1, np.s_[max(middle - 1, 0) : middle + 2, :])):
        part = power[line]
        size = (13, 1) if axis == 0 else (1, 13)
        streak[line] |= part < 6.0 * scipy.ndimage.median_filter(part, size=size)
    streak &= (np.abs(y)[:, None] <= 1.5 / y.size) | (x[None, :] <= 1.5 / (2 * x.size))
    return streak


def measure_spots(image: NDArray[np.floating], frequency: Floats, /) -> tuple[Floats, Floats]:
    """Measure spots by the center of their power in a Hann window over the image.

    The center is that of the squared power within two bins of the highest
    place: that of the main lobe for a perfect lattice, and the mean over the
    image for one that is strained or distorted.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        About zero.
    frequency : ndarray, shape (spot, 2)
        To within a bin or two, or half a bin of `WINDOW` if that is more.

    Returns
    -------
    frequency : ndarray, shape (spot, 2)
    power : ndarray, shape (spot,)
        Of the highest place, per pixel.
    """
    taper = np.outer(hann(image.shape[0]), hann(image.shape[1])).astype(image.dtype)
    tapered = image * taper
    total = float((taper**2).sum(dtype=float))
    size = np.array(image.shape)
    search = max(1.5 * REACH, 0.75 * max(image.shape) / WINDOW)
    places, powers = [], []
    for start in frequency:
        center = np.asarray(start, dtype=float)
        # First the highest place nearby, then its surroundings, twice for a fair center.
        for reach, step in ((search, 0.25), (REACH, 0.125), (REACH, 0.125)):
            offset = np.arange(-reach, reach + step / 2, step)
            power = _zoomed(tapered, center, offset) / total
            top = np.unravel_index(int(power.argmax()), power.shape)
            if reach > REACH:
                center = center + offset[list(top)] / size
                continue
            # The square of the share, since powers may be beyond what floats can square.
            weight = (power / max(float(power.max()), np.finfo(float).tiny)) ** 2
            if not weight.any():
                break
            shift = [(weight.sum(axis=1 - axis) * offset).sum() / weight.sum() for axis in (0, 1)]
            center = center + np.array(shift) / size
        places.append(center)
        powers.append(float(power.max()))
    return np.reshape(places, (-1, 2)), np.array(powers)


def _zoomed(tapered: NDArray[np.floating], center: Floats, offset: Floats) -> Floats:
    """Give the power on a fine grid about a frequency, offsets in bins."""
    phases = [
        -2 * np.pi * np.outer(center[axis] + offset / size, np.arange(size))
        for axis, size in enumerate(tapered.shape)
    ]
    # Real products take half the time, and never make the image complex.
    rows = [np.asarray(part(phases[0]), tapered.dtype) @ tapered for part in (np.cos, np.sin)]
    return np.asarray(np.abs((rows[0] + 1j * rows[1]) @ np.exp(1j * phases[1].T)) ** 2)
