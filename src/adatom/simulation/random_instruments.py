"""Random instruments: errors of the scan, noise of the detector, what programs do to a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from adatom.simulation.atom_images import LineOffsets, Probe, blurred
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Counts above which a Poisson distribution is drawn as a normal one.
_MANY: Final = 60.0


def draw_probe(
    rng: np.random.Generator, drawn: dict[str, Any], *, width: float, tunneling: bool
) -> Probe:
    """Draw the shape of an atom of a given width."""
    ellipticity = float(rng.choice([1.0, rng.uniform(1.0, 1.3)], p=[0.4, 0.6]))
    direction = float(rng.uniform(0.0, math.pi))
    tails = not tunneling and rng.random() < 0.7
    tail_width = float(rng.uniform(1.8, 4.0)) * width
    # Share of intensity, not of height: tails are low and wide.
    fraction = float(rng.uniform(0.05, 0.5)) if tails else 0.0
    drawn["probe"] = {
        "width_px": round(width, 3), "ellipticity": round(ellipticity, 3),
        "direction_deg": round(math.degrees(direction), 1),
        "tail_width_px": round(tail_width, 2), "tail_fraction": round(fraction, 3),
    }  # fmt: skip
    return Probe(width, ellipticity, direction, tail_width, fraction)


def draw_lines(
    rng: np.random.Generator, drawn: dict[str, Any], *, n_rows: int, spacing: float
) -> LineOffsets:
    """Draw by how much each line misses its place: jitter, slow waver and hum along the frame."""
    jitter = spacing * float(rng.choice([0.0, 0.08 * rng.beta(1.0, 2.5)], p=[0.25, 0.75]))
    waver = spacing * float(rng.choice([0.0, rng.uniform(0.0, 0.5)], p=[0.5, 0.5]))
    hum = spacing * float(rng.choice([0.0, rng.uniform(0.0, 0.1)], p=[0.8, 0.2]))
    drawn["scan"] = {
        "jitter_px": round(jitter, 3), "waver_px": round(waver, 3), "hum_px": round(hum, 3)
    }  # fmt: skip
    fast = rng.standard_normal((2, n_rows)) * jitter
    # Scanning is exact along y but for what the sample moves.
    fast[0] *= 0.4
    slow = gaussian_filter1d(rng.standard_normal((2, n_rows)), n_rows / 6, axis=1, mode="reflect")
    slow *= waver / max(float(slow.std()), 1e-9)
    phase = 2 * math.pi * (np.arange(n_rows) * rng.uniform(0.02, 0.5) + rng.random())
    return LineOffsets(fast[0] + slow[0], fast[1] + slow[1] + hum * np.sin(phase))


def draw_background(
    rng: np.random.Generator, drawn: dict[str, Any], *, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw what is added to and what multiplies the sample: a level, slopes, wedges of thickness."""
    level = float(np.exp(rng.uniform(math.log(0.02), math.log(3.0))))
    slope = float(rng.choice([0.0, rng.uniform(0.0, 1.5)], p=[0.3, 0.7]))
    wedge = float(rng.choice([0.0, rng.uniform(0.0, 0.5)], p=[0.5, 0.5]))
    drawn["background"] = {
        "level": round(level, 3), "slope": round(slope, 3), "wedge": round(wedge, 3)
    }  # fmt: skip
    added = np.full(shape, level, dtype=np.float32)
    if slope:
        detail = float(rng.uniform(0.3, 2.0))
        added += slope * 0.5 * draw_smooth_field(rng, shape, detail=detail, steepness=4.0).pixels()
        added -= min(0.0, float(added.min()))
    factor = np.ones(shape, dtype=np.float32)
    if wedge:
        field = draw_smooth_field(rng, shape, detail=0.5, steepness=4.0).pixels()
        factor = np.exp(np.float32(wedge) * field.clip(-2.5, 2.5))
    return added, factor


def noisy(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    expected: NDArray[np.float32],
    *,
    sigma: float,
    level: float,
    width: float,
    tunneling: bool,
) -> NDArray[np.float32]:
    """Add noise whose standard deviation is `sigma` where the expected value is `level`.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    drawn : dict
        What was drawn is noted here.
    expected : ndarray, shape (y, x)
        Not below 0.
    sigma, level : float
        In units of the image.
    width : float
        Standard deviation of an atom in px: correlated noise stays finer.
    tunneling : bool
        Whether the instrument counts nothing.
    """
    counted = 0.0 if tunneling else float(rng.choice([1.0, rng.uniform(0.0, 1.0)]))
    drawn["noise"] = {"sigma": round(sigma, 5), "counted": round(counted, 3)}
    image = expected
    if counted > 0:
        # Variance of counts is their number: dose per unit from what is asked for.
        dose = level / (counted * sigma**2)
        counts = np.float32(dose) * expected
        if dose * level > _MANY:
            normal = rng.standard_normal(expected.shape, dtype=np.float32)
            image = expected + np.sqrt(counts) / np.float32(dose) * normal
        else:
            image = rng.poisson(counts).astype(np.float32) / np.float32(dose)
    rest = sigma * math.sqrt(1 - counted)
    if rest > 0:
        image = image + np.float32(rest) * rng.standard_normal(expected.shape, dtype=np.float32)
    if rng.random() < (0.5 if tunneling else 0.3):
        image = expected + _correlated(rng, drawn, image - expected, width)
    return image


def _correlated(
    rng: np.random.Generator, drawn: dict[str, Any], noise: NDArray[np.float32], width: float
) -> NDArray[np.float32]:
    """Smooth the noise over some pixels, in all directions or along the lines; keep its strength."""
    length = float(rng.uniform(0.4, 1.4)) * min(1.0, width / 2)
    along = bool(rng.random() < 0.4)
    drawn["noise"] |= {"correlation_px": round(length, 2), "along_lines": along}
    strength = noise.std()
    smooth = gaussian_filter1d(noise, 2 * length, axis=1) if along else blurred(noise, length)
    return smooth * np.float32(strength / max(float(smooth.std()), 1e-9))


def scarred(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    image: NDArray[np.float32],
    *,
    typical: float,
    tunneling: bool,
) -> NDArray[np.float32]:
    """Shift whole lines in brightness, scratch some, change the tip on the way, now and then."""
    n_rows, n_columns = image.shape
    image = image.copy()
    if rng.random() < (0.6 if tunneling else 0.15):
        steps = float(rng.beta(1.0, 3.0)) * typical
        walk = rng.standard_normal(n_rows).astype(np.float32)
        if rng.random() < 0.4:
            walk = gaussian_filter1d(walk, 3.0) * 3
        image += np.float32(steps) * walk[:, None]
        drawn["line_steps"] = round(steps, 3)
    if rng.random() < (0.4 if tunneling else 0.08):
        number = int(rng.integers(1, 12))
        for _ in range(number):
            row, start = int(rng.integers(0, n_rows)), int(rng.integers(0, n_columns))
            length = int(rng.integers(n_columns // 20 + 1, n_columns + 1))
            rows = slice(row, row + int(rng.integers(1, 3)))
            height = typical * float(rng.choice([-1, 1])) * float(rng.uniform(0.5, 4.0))
            image[rows, start : start + length] += np.float32(height)
        drawn["scars"] = number
    if tunneling and rng.random() < 0.15:
        row = int(rng.integers(n_rows // 8, n_rows - n_rows // 8 + 1))
        image[row:] += np.float32(typical * rng.normal(0.0, 1.5))
        drawn["tip_change_row"] = row
    return image


def developed(
    rng: np.random.Generator, drawn: dict[str, Any], image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Do what programs do before an image is saved: gamma, clipping, 8 bits, any gain and offset."""
    if rng.random() < 0.15:
        low, high = np.quantile(image[::2, ::2], [0.001, 0.999])
        gamma = float(np.exp(rng.uniform(math.log(0.6), math.log(1.6))))
        span = np.float32(max(high - low, 1e-9))
        image = ((image - low) / span).clip(0, None) ** np.float32(gamma)
        drawn["gamma"] = round(gamma, 3)
    if rng.random() < 0.25:
        most = float(rng.uniform(0.0, 0.03))
        low, high = np.quantile(image[::2, ::2], [most * rng.random(), 1 - most])
        image = image.clip(low, high)
        drawn["clipped_share"] = round(most, 4)
    if rng.random() < 0.35:
        low, high = float(image.min()), float(image.max())
        image = np.round((image - low) * np.float32(255 / max(high - low, 1e-9)))
        drawn["bits"] = 8
    gain = np.float32(np.exp(rng.uniform(math.log(1e-3), math.log(1e4))))
    return image * gain + gain * np.float32(rng.normal(0.0, 2.0))


def draw_border(
    rng: np.random.Generator, drawn: dict[str, Any], *, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Draw which pixels hold no data: strips along the sides or cut corners, now and then."""
    blank = np.zeros(shape, dtype=bool)
    if rng.random() > 0.08:
        return blank
    if rng.random() < 0.6:
        widths = (rng.uniform(0.0, 0.15, 4) * (rng.random(4) < 0.5) * max(shape)).astype(int)
        top, bottom, left, right = widths
        blank[:top], blank[shape[0] - bottom :] = True, True
        blank[:, :left], blank[:, shape[1] - right :] = True, True
        drawn["border"] = widths.tolist()
    else:
        y, x = np.arange(shape[0])[:, None] / shape[0], np.arange(shape[1])[None, :] / shape[1]
        angle, cut = float(rng.uniform(0.1, 1.4)), float(rng.uniform(0.1, 0.6))
        if rng.random() < 0.5:
            x = 1 - x
        if rng.random() < 0.5:
            y = 1 - y
        blank = y * math.sin(angle) + x * math.cos(angle) < 0.5 * cut
        drawn["border"] = "corner"
    return blank
