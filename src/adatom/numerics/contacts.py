"""Force curves one by one: the line of the free cantilever, and where contact begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adatom.numerics.medians import SIGMA_OF_MAD

Array = NDArray[np.float64]

LEAST_SAMPLES: Final = 20
"""Samples of a segment below which nothing is said of it."""

# The farthest fifth of a ramp is free of the surface in any useful curve.
_FAR_SHARE: Final = 0.2
_GROWTH: Final = 1.5
# A running mean this many of its own deviations off the line has left it.
_LEAVES: Final = 5.0
_CLIP: Final = 3.0
# Forces that are fitted for the contact: the foot of the rise, where one power law holds,
# but enough of it to rise out of the noise.
_FOOT_SHARE: Final = 0.1
_FOOT_NOISE: Final = 30.0
_POWERS: Final = tuple(float(power) for power in np.arange(10, 26) / 10)
_MOST_SAMPLES: Final = 300
_CANDIDATES: Final = (61, 31)
# Noise of a segment reaches four to five deviations once in its thousands of samples.
_LEAST_RISE: Final = 8.0
_LEAST_IN_CONTACT: Final = 5
# Drift and virtual deflection over a ramp are some times the noise; a line much steeper than
# that is contact throughout.
_STEEP: Final = 30.0
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class FreeLine:
    """Straight line of a cantilever free of the surface: ``offset + tilt * height``."""

    offset: float
    tilt: float
    noise: float
    """Standard deviation of single samples about the line."""
    correlation: float
    """Of neighboring samples about the line; zero for white noise."""
    end: float
    """Height down to which the line holds."""

    def at(self, height: Array, /) -> Array:
        """Give the line at heights."""
        return np.asarray(self.offset + self.tilt * height)


@dataclass(frozen=True)
class Contact:
    """Where a curve leaves the line of the free cantilever for good."""

    height: float
    error: float
    rise: float
    """Largest value above the line."""
    line: FreeLine
    fault: str = ""
    """Why there is no contact, empty if there is one."""


def ordered(height: Array, force: Array, /) -> tuple[Array, Array]:
    """Give the measured samples, the farthest from the surface first."""
    known = np.isfinite(height) & np.isfinite(force)
    height, force = height[known], force[known]
    order = np.argsort(-height, kind="stable")
    return height[order], force[order]


def free_line(height: Array, force: Array, /) -> FreeLine:
    """Fit the free part of a segment, as far as it reaches.

    The line of the farthest fifth is prolonged towards the surface as long
    as running means of the samples stay on it.

    Parameters
    ----------
    height, force : array, shape (sample,)
        Ordered by falling height, finite, `LEAST_SAMPLES` or more.
    """
    n = len(height)
    count = max(LEAST_SAMPLES // 2, int(_FAR_SHARE * n))
    width = max(3, n // 100)
    fit = _clipped_line(height[:count], force[:count])
    while count < n:
        reach = min(n, int(_GROWTH * count) + 1)
        left = _leaves_at(height[:reach], force[:reach], fit, count, width)
        if left < reach:
            # What was averaged over the place of departure is left out.
            count = max(count, left - width)
            break
        count = reach
        fit = _clipped_line(height[:count], force[:count])
    offset, tilt = _clipped_line(height[:count], force[:count])
    off = force[:count] - (offset + tilt * height[:count])
    noise = SIGMA_OF_MAD * float(np.median(np.abs(off - np.median(off))))
    varied = float(off @ off)
    correlation = float(off[1:] @ off[:-1]) / varied if varied > 0 else 0.0
    return FreeLine(offset, tilt, noise, min(max(correlation, 0.0), 0.99), float(height[count - 1]))


def _clipped_line(x: Array, y: Array) -> tuple[float, float]:
    """Fit a line by least squares, without samples farther off than three deviations."""
    used = np.ones(len(x), dtype=bool)
    offset = tilt = 0.0
    for _ in range(4):
        center = float(x[used].mean())
        spread = x[used] - center
        squares = float(spread @ spread)
        tilt = float(spread @ y[used]) / squares if squares > 0 else 0.0
        offset = float(y[used].mean()) - tilt * center
        off = np.abs(y - offset - tilt * x)
        limit = _CLIP * SIGMA_OF_MAD * float(np.median(off))
        kept = off <= limit if limit > 0 else np.ones(len(x), dtype=bool)
        if (kept == used).all():
            break
        used = kept
    return offset, tilt


def _leaves_at(
    height: Array, force: Array, line: tuple[float, float], count: int, width: int
) -> int:
    """Give the first sample from `count` on at which running means leave the line."""
    off = force - line[0] - line[1] * height
    means = _running_means(off, width)
    free = means[: max(1, count - width + 1)]
    # Running means of the free part itself tell their scatter, correlated noise included.
    scatter = max(
        SIGMA_OF_MAD * float(np.median(np.abs(free - np.median(free)))),
        float(off[:count].std()) / np.sqrt(width) / 2,
    )
    # What the line itself is uncertain by, as far as it is prolonged.
    x = height[:count] - height[:count].mean()
    beyond = height[len(free) + width // 2 :][: len(means) - len(free)] - height[:count].mean()
    spread = max(float(x @ x), 1e-300)
    line_error = scatter * np.sqrt(width) * np.sqrt(1 / count + beyond**2 / spread)
    outside = np.abs(means[len(free) :]) > _LEAVES * np.hypot(scatter, line_error)
    return len(free) + int(outside.argmax()) + width // 2 if outside.any() else len(force)


def _running_means(values: Array, width: int) -> Array:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return np.asarray((sums[width:] - sums[:-width]) / width)


def find_contact_of(height: Array, force: Array, /) -> Contact:
    """Find where a segment first leaves the free line towards repulsion.

    Above the contact the force is that of the free line; below it is
    ``-J + A (contact - height)^p``, with a jump J into contact that may be
    zero. Contact and p are those of least squares over a grid; J and A
    follow.

    Parameters
    ----------
    height, force : array, shape (sample,)
        Of one segment, in any order, NaN where not measured; the force may
        be a deflection in any unit.
    """
    height, force = ordered(height, force)
    nothing = FreeLine(*(float("nan"),) * 5)
    if len(height) < LEAST_SAMPLES:
        return Contact(np.nan, np.nan, np.nan, nothing, "too few samples")
    line = free_line(height, force)
    off = force - line.at(height)
    # A few samples together, since one in a thousand may be anything.
    rise = float(_running_means(off, max(5, len(off) // 200)).max())
    slope = abs(line.tilt) * float(np.ptp(height))
    # A curve without noise, as of a dead channel, still has that of rounding.
    noise = max(line.noise, _ROUNDING * float(np.abs(force).max()))
    if not rise > _LEAST_RISE * noise:
        is_steep = slope > _STEEP * noise
        return Contact(np.nan, np.nan, rise, line, "no baseline" if is_steep else "no contact")
    if slope > 2 * rise:
        return Contact(np.nan, np.nan, rise, line, "no baseline")
    x, y = _foot(height, off, line, rise)
    place, error = _best_contact(x, y, line)
    if np.count_nonzero(height < place) < _LEAST_IN_CONTACT:
        return Contact(np.nan, np.nan, rise, line, "no contact")
    return Contact(place, error, rise, line)


def _foot(height: Array, off: Array, line: FreeLine, rise: float) -> tuple[Array, Array]:
    """Give the samples around the beginning of the rise, averaged to a few hundred."""
    limit = min(max(_FOOT_NOISE * line.noise, _FOOT_SHARE * rise), rise)
    # Up to the last sample before the rise passes the limit for good.
    low = np.flatnonzero(off <= limit)
    stop = int(low[-1]) + 2
    free = int(np.count_nonzero(height >= line.end))
    start = max(0, free - max(stop - free, stop // 10, LEAST_SAMPLES))
    x, y = height[start:stop], off[start:stop]
    group = -(-len(x) // _MOST_SAMPLES)
    if group > 1:
        whole = len(x) // group * group
        x, y = (part[-whole:].reshape(-1, group).mean(axis=1) for part in (x, y))
    return x, y


def _best_contact(x: Array, y: Array, line: FreeLine) -> tuple[float, float]:
    """Scan contacts, coarse then fine; the error is where the misfit grows by one."""
    low, high = float(x[-1]), float(x[0])
    places = np.linspace(low, high, _CANDIDATES[0])
    misfits = _misfits(x, y, places)
    best = int(misfits.argmin())
    fine = np.linspace(places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)],
                       _CANDIDATES[1])  # fmt: skip
    both = np.concatenate([places, fine])
    costs = np.concatenate([misfits, _misfits(x, y, fine)])
    at = int(costs.argmin())
    # Correlated samples tell as much as fewer independent ones.
    share = (1 - line.correlation) / (1 + line.correlation)
    variance = max(float(costs[at]) / max(len(x) - 4, 1), 1e-300)
    # A quarter of the interval of two deviations: the misfit is flat in its middle, where
    # contact and power replace one another.
    near = both[(costs - costs[at]) * share <= 4 * variance]
    step = (high - low) / max(len(x) - 1, 1)
    return float(both[at]), max(float(np.ptp(near)) / 4, step / 2)


def _misfits(x: Array, y: Array, places: Array) -> Array:
    """Give the least sum of squares of every place of contact, over all powers."""
    depth = np.clip(places[:, None] - x[None, :], 0, None)
    inside = depth > 0
    outside = np.where(inside, 0.0, y**2).sum(axis=1)
    n = inside.sum(axis=1)
    sum_y, sum_yy = (np.where(inside, part, 0.0).sum(axis=1) for part in (y, y**2))
    best = np.full(len(places), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(inside, np.log(np.where(inside, depth, 1.0)), -np.inf)
        for power in _POWERS:
            shape = np.exp(power * logs)
            sum_s, sum_ss, sum_sy = shape.sum(axis=1), (shape**2).sum(axis=1), shape @ y
            pure = sum_yy - np.where(sum_ss > 0, np.clip(sum_sy, 0, None) ** 2 / sum_ss, 0.0)
            spread = sum_ss - sum_s**2 / n
            slope = (sum_sy - sum_s * sum_y / n) / spread
            jump = -(sum_y - slope * sum_s) / n
            with_jump = sum_yy - sum_y**2 / n - slope**2 * spread
            allowed = (jump > 0) & (slope > 0) & (n > 3)
            best = np.minimum(best, np.where(allowed, with_jump, pure))
    return np.asarray(best + outside)
