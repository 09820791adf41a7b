"""Random detectors: noise, errors of whole lines, and what programs do to a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from adatom.simulation.atom_images import blurred
from adatom.simulation.chances import Chance

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Counts above which a Poisson distribution is drawn as a normal one.
_MANY: Final = 60.0


@dataclass(frozen=True)
class Noise:
    """Noise of a detector.

    Attributes
    ----------
    counted : float
        Share of the variance that comes from counting electrons.
    length : float
        Standard deviation in px of the Gaussian over which noise is smoothed; 0: not at all.
    along : bool
        Whether it is smoothed along the lines only.
    """

    counted: float
    length: float
    along: bool

    def lowest_snr(self, width: float, told: float) -> float:
        """Amplitude over noise at which an atom still stands out `told`-fold by its own shape.

        The best filter for a Gaussian of standard deviation `width` px in
        white noise gains its root of pi times `width`; smoothing takes as
        much as it averages pixels.
        """
        correlated = 2 * math.sqrt(math.pi) * self.length
        pixels = max(math.sqrt(correlated) if self.along else correlated, 1.0)
        return told * pixels / (math.sqrt(math.pi) * width)


def draw_noise(chance: Chance, *, width: float, tunneling: bool) -> Noise:
    """Draw what the noise is like; correlated noise stays finer than atoms of a `width`."""
    mixed = chance.between(0.0, 1.0) if chance.rng.random() < 0.5 else 1.0
    counted = 0.0 if tunneling else mixed
    correlated = chance.happens(0.6 if tunneling else 0.35)
    length = chance.between(0.4, 1.4) * min(1.0, width / 2) if correlated else 0.0
    along = bool(correlated and chance.rng.random() < 0.4)
    chance.note(noise={"counted": counted, "correlation_px": length, "along_lines": along})
    return Noise(counted, 2 * length if along else length, along)


def noisy(
    rng: np.random.Generator,
    expected: NDArray[np.float32],
    noise: Noise,
    *,
    sigma: float,
    level: float,
) -> NDArray[np.float32]:
    """Add noise whose standard deviation is `sigma` where the expected value is `level`."""
    added = np.zeros_like(expected)
    if noise.counted > 0:
        # Variance of counts is their number: dose per unit from what is asked for.
        dose = level / (noise.counted * sigma**2)
        counts = np.float32(dose) * expected
        if dose * level > _MANY:
            added = np.sqrt(counts) * rng.standard_normal(expected.shape, dtype=np.float32)
        else:
            added = rng.poisson(counts).astype(np.float32) - counts
        added /= np.float32(dose)
    rest = sigma * math.sqrt(1 - noise.counted)
    if rest > 0:
        added += np.float32(rest) * rng.standard_normal(expected.shape, dtype=np.float32)
    if noise.length > 0:
        strength = added.std()
        if noise.along:
            added = gaussian_filter1d(added, noise.length, axis=1)
        else:
            added = blurred(added, noise.length)
        added *= np.float32(strength / max(float(added.std()), 1e-9))
    return expected + added


def disturbed(
    chance: Chance, image: NDArray[np.float32], *, typical: float, tunneling: bool
) -> NDArray[np.float32]:
    """Add stripes of a hum, shift whole lines in brightness, scratch some, change the tip."""
    image = image.copy()
    if chance.happens(0.06):
        image += stripes(chance, image.shape, typical)
    if chance.happens(0.7 if tunneling else 0.15):
        image += _line_steps(chance, len(image), typical)
    if chance.happens(0.4 if tunneling else 0.08):
        _scratch(chance, image, typical)
    if tunneling and chance.happens(0.15):
        row, height = int(chance.rng.integers(0, len(image))), chance.rng.normal(0.0, 1.5)
        image[row:] += np.float32(typical * height)
        chance.note(tip_change_row=row)
    return image


def stripes(chance: Chance, shape: tuple[int, ...], typical: float) -> NDArray[np.float32]:
    """Draw the stripes of a hum: rows as of a lattice, but no atoms."""
    period, angle = chance.between(3.0, 40.0), float(chance.rng.normal(0.0, 0.5))
    height = typical * float(chance.rng.beta(1.0, 2.0))
    chance.note(stripes={"period_px": period, "height": height})
    y, x = (np.arange(size, dtype=np.float32) for size in shape)
    turn = np.float32(2 * math.pi / period)
    phase = turn * (math.cos(angle) * y[:, None] + math.sin(angle) * x[None, :])
    found: NDArray[np.float32] = np.sin(phase + np.float32(chance.between(0, 2 * math.pi)))
    found *= np.float32(height)
    return found


def _line_steps(chance: Chance, n_rows: int, typical: float) -> NDArray[np.float32]:
    steps = typical * float(chance.rng.beta(1.0, 3.0))
    chance.note(line_steps=steps)
    walk: NDArray[np.float32] = chance.rng.standard_normal((n_rows, 1), dtype=np.float32)
    if chance.rng.random() < 0.4:
        # Some lines long, as strong as before.
        walk = gaussian_filter1d(walk, 3.0, axis=0) * 3
    found: NDArray[np.float32] = np.float32(steps) * walk
    return found


def _scratch(chance: Chance, image: NDArray[np.float32], typical: float) -> None:
    """Lay bright and dark scars along lines, in place."""
    n_rows, n_columns = image.shape
    number = int(chance.rng.integers(1, 12))
    chance.note(scars=number)
    for _ in range(number):
        row, start = int(chance.rng.integers(0, n_rows)), int(chance.rng.integers(0, n_columns))
        length = int(chance.rng.integers(n_columns // 20 + 1, n_columns + 1))
        height = typical * float(chance.rng.choice([-1, 1])) * chance.between(0.5, 4.0)
        thick = int(chance.rng.integers(1, 3))
        image[row : row + thick, start : start + length] += np.float32(height)


def developed(
    chance: Chance, image: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Do what programs do to an image: flatten, gamma, clip, 8 bits, any gain and offset.

    Also tells which pixels were clipped.
    """
    clipped = np.zeros(image.shape, dtype=bool)
    if chance.happens(0.12):
        # High-pass filters leave a dark rim round all that is bright.
        width = chance.log_between(8.0, 60.0)
        image = image - np.float32(chance.between(0.6, 1.0)) * _local_mean(image, width)
        chance.note(flattened_px=width)
    if chance.happens(0.2):
        gamma = chance.log_between(0.6, 1.6)
        image = _with_gamma(image, gamma)
        chance.note(gamma=gamma)
    if chance.happens(0.3):
        dark, bright = (0.3 * chance.rng.beta(1.0, 15.0, 2)).tolist()
        if chance.happens(0.1):
            dark = chance.between(0.05, 0.4)
        low, high = np.quantile(image[::2, ::2], [dark, 1 - bright])
        clipped = (image <= low) | (image >= high)
        image = image.clip(low, high)
        chance.note(clipped_shares=[dark, bright])
    if chance.rng.random() < 0.35:
        low, high = float(image.min()), float(image.max())
        image = np.round((image - low) * np.float32(255 / max(high - low, 1e-9)))
        chance.note(bits=8)
    gain, offset = chance.log_between(1e-3, 1e4), chance.rng.normal(0.0, 2.0)
    return np.float32(gain) * (image + np.float32(offset * image.std())), clipped


def _with_gamma(image: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    low, high = np.quantile(image[::2, ::2], [0.001, 0.999])
    span = np.float32(max(high - low, 1e-9))
    found: NDArray[np.float32] = ((image - low) / span).clip(0, None) ** np.float32(gamma)
    return found


def _local_mean(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    pad = min(math.ceil(2 * width), min(image.shape) - 1)
    wide = blurred(np.pad(image, pad, mode="reflect"), width)
    return wide[pad : pad + image.shape[0], pad : pad + image.shape[1]]
