"""The three waves of a honeycomb whose bond length is known, however faint it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import fft, ndimage

from adatom.numerics.filters import wide_gaussian_filter
from adatom.numerics.pixel_bins import average_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Of the bond: how far an image is smoothed, and over what its level is taken off.
_SMOOTH: Final = 0.2
_LEVEL: Final = 2.0
# The brightest fiftieth of the pixels, impurities, would outweigh the lattice.
_CLIP: Final = 0.98
# Pixels per bond that show the waves; finer ones are averaged.
_ENOUGH: Final = 8.0
# Over this many bonds waves are followed: some sixty atoms tell a phase, and strain bends it.
_FOLLOWED: Final = 2.5
_SCALES: Final = np.arange(0.9, 1.101, 0.01)
_ANGLES: Final = np.radians(np.arange(60.0))
_SIZE: Final = 1024
# Of three: between 1.5 over atoms and 0 between them.
_LEAST_MAXIMUM: Final = 0.75


class Honeycomb(NamedTuple):
    """Places (place, 2) in pixels, the image smoothed, and how far the waves stand above noise."""

    place: Floats
    smooth: Floats
    power: float


def fit_honeycomb(image: Floats, bond: float, /) -> Honeycomb:
    """Find the places of a honeycomb in an image by its three waves.

    The six reflections nearest to the center are sought together, within a
    tenth of the distance that the bond tells; `power` is the geometric mean of
    three over the median of that ring of the spectrum. Their phases are
    followed over the image; those of a honeycomb of like atoms add up to pi.
    """
    flat = image - wide_gaussian_filter(image, _LEVEL * bond)
    smooth = ndimage.gaussian_filter(flat, _SMOOTH * bond)
    signal = np.minimum(smooth, np.quantile(smooth, _CLIP))
    factor = max(1, int(bond / _ENOUGH))
    signal, _ = average_pixels(signal, np.ones(signal.shape, dtype=bool), (factor, factor))
    bond /= factor
    waves, power = _reflections(signal, bond)
    density = _density(signal, waves, _FOLLOWED * bond)
    window = max(3, int(0.6 * bond) | 1)
    tops = (density == ndimage.maximum_filter(density, size=window)) & (density > _LEAST_MAXIMUM)
    places = np.argwhere(tops) * factor + 0.5 * (factor - 1)
    return Honeycomb(np.minimum(places, np.array(image.shape) - 1.0), smooth, power)


def _reflections(signal: Floats, bond: float) -> tuple[Floats, float]:
    """Give three reciprocal vectors (wave, 2) in 1/px, 60 deg apart, and their power."""
    size = max(_SIZE, fft.next_fast_len(max(signal.shape)))
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in signal.shape))
    spectrum = np.abs(fft.fft2((signal - signal.mean()) * taper, s=(size, size))) ** 2
    frequency = fft.fftfreq(size)
    radius = np.hypot(*np.meshgrid(frequency, frequency, indexing="ij"))
    spectrum *= np.exp((2 * np.pi * np.minimum(radius, 1.2 / bond) * _SMOOTH * bond) ** 2)
    first = 1 / (1.5 * bond)
    ring = (radius > 0.8 * first) & (radius < 1.25 * first)
    power = spectrum / np.median(spectrum[ring])
    near = ndimage.maximum_filter(power, size=int(0.03 * first * size) | 1, mode="wrap")
    angle, scale = np.meshgrid(_ANGLES, _SCALES, indexing="ij")
    at = [
        np.rint(first * size * scale * part(angle + k * np.pi / 3)).astype(int) % size
        for k in range(3)
        for part in (np.sin, np.cos)
    ]
    total = sum(np.log1p(near[at[2 * k], at[2 * k + 1]]) for k in range(3))
    best = np.unravel_index(int(np.argmax(total)), angle.shape)
    waves, heights = np.zeros((3, 2)), np.zeros(3)
    reach = int(np.ceil(0.06 * first * size))
    steps = np.arange(-reach, reach + 1)
    weight = np.exp(-np.add.outer(steps**2, steps**2) / (0.5 * reach**2))
    for k in range(3):
        row, column = at[2 * k][best], at[2 * k + 1][best]
        part = power[np.ix_((row + steps) % size, (column + steps) % size)]
        top = np.unravel_index(int(np.argmax(part * weight)), part.shape)
        heights[k] = part[top]
        whole = np.array([row + steps[top[0]], column + steps[top[1]]], dtype=float)
        waves[k] = ((whole + size / 2) % size - size / 2) / size
    # The second is the sum of the others.
    excess = waves[1] - waves[0] - waves[2]
    share = (1 / heights) / (1 / heights).sum()
    waves += np.outer([share[0], -share[1], share[2]], excess)
    return waves, float(np.exp(np.log(heights).mean()))


def _density(signal: Floats, waves: Floats, reach: float) -> Floats:
    """Sum the waves with unit amplitudes and the phases that they have around each pixel."""
    # One carrier at a time: of a large image all of them would be most of the memory.
    local = []
    for wave in waves:
        moved = signal * np.conj(_carrier(wave, signal.shape))
        local.append(
            wide_gaussian_filter(moved.real, reach) + 1j * wide_gaussian_filter(moved.imag, reach)
        )
    excess = np.angle(-local[0] * local[2] * np.conj(local[1]))
    weight = [1 / np.maximum(np.abs(part) ** 2, 1e-300) for part in local]
    excess /= sum(weight)
    density = np.zeros(signal.shape)
    for wave, part, own, sign in zip(waves, local, weight, (1, -1, 1), strict=True):
        turned = np.exp(1j * (np.angle(part) - sign * own * excess))
        turned *= _carrier(wave, signal.shape)
        density += turned.real
    return density


def _carrier(wave: Floats, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    along = [np.exp(2j * np.pi * k * np.arange(n)) for k, n in zip(wave, shape, strict=True)]
    return np.outer(*along)
