"""Curves below the lines of many spectra at once, each independent of the rows beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import scipy.special
from numpy.typing import NDArray

from adatom.numerics.banded import banded_product, roughness_penalty, solve_banded
from adatom.numerics.channels import bridged_rows
from adatom.numerics.medians import SIGMA_OF_MAD

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

BaselineOf: TypeAlias = Callable[[Floats, Flags], Floats]
"""Called with columns (channel, row) without NaN and what of them was measured."""
Weigh: TypeAlias = Callable[[Floats, Flags, Floats], Floats]
"""Gives weights for residuals, what of them was measured, and the least scale of each column."""

# A few MB each for the arrays of a tile; enough rows that the interpreter does not count.
_VALUES_PER_TILE: Final = 1 << 19
# Weights of rows that have found their baseline change by less than this share.
_TOLERANCE: Final = 1e-2
_MOST_ROUNDS: Final = 50
# Knots a wavelength: straight between them a wave is off by a part in three thousand, and the
# equations keep seven digits.
_KNOTS_PER_WAVE: Final = 128
# Below a curve through the middle of noise the residuals spread by 0.6 of it: half of it is the
# least that is believed, and of rows without noise a thousandth of their range. A curve that
# comes off below its data has ever fewer residuals below it, and else might not come back.
_LEAST_OF_NOISE: Final = 0.5
_LEAST_OF_RANGE: Final = 1e-3
_MOST_CLIPS: Final = 200
_CLIPS_DONE: Final = 1e-3


def baselines_of_rows(rows: NDArray[Any], baseline_of: BaselineOf, /) -> Floats:
    """Give the baseline of every row (row, channel), a few hundred rows at a time.

    Gaps (NaN) are bridged; rows without any value have a baseline of NaN.
    """
    made = np.empty(rows.shape, dtype=np.float64)
    # Two at least: sums along columns of one single row would be taken in another order.
    n_together = max(2, _VALUES_PER_TILE // rows.shape[1])
    for start in range(0, len(rows), n_together):
        tile = rows[start : start + n_together].astype(np.float64)
        measured = np.isfinite(tile)
        found = baseline_of(*(_columns(part) for part in (bridged_rows(tile, measured), measured)))
        made[start : start + n_together] = found.T[: len(tile)]
        made[start : start + n_together][~measured.any(axis=1)] = np.nan
    return made


def _columns(tile: NDArray[Any]) -> NDArray[Any]:
    if len(tile) == 1:
        tile = np.repeat(tile, 2, axis=0)
    return np.ascontiguousarray(tile.T)


class _Knots(NamedTuple):
    """Places between which a smooth curve is straight, fewer than channels where it is stiff."""

    place: Floats
    first: NDArray[np.intp]
    """Channel at which the share of each knot begins."""
    left: NDArray[np.intp]
    """Knot before each channel."""
    share: Floats
    """(channel, 1), of the knot after it."""

    def sums(self, columns: Floats) -> Floats:
        """Sum channels (channel, row) knot by knot."""
        if len(self.place) == len(columns):
            return columns
        return np.add.reduceat(columns, self.first, axis=0)

    def curve(self, values: Floats) -> Floats:
        """Interpolate values (knot, row) at the channels."""
        if len(self.place) == len(self.left):
            return values
        before = values.take(self.left, axis=0)
        return before + (values.take(self.left + 1, axis=0) - before) * self.share


def _knots(axis: Floats, wavelength: float) -> _Knots:
    n = len(axis)
    step = abs(axis[-1] - axis[0]) / (n - 1)
    together = max(1, int(wavelength / step / _KNOTS_PER_WAVE))
    first = np.arange(0, n, together)
    counts = np.diff(np.append(first, n))
    place = np.add.reduceat(axis, first) / counts
    rising = 1.0 if axis[-1] > axis[0] else -1.0
    left = np.searchsorted(rising * place, rising * axis, side="right") - 1
    left = np.clip(left, 0, len(place) - 2)
    share = (axis - place[left]) / (place[left + 1] - place[left])
    return _Knots(place, first, left, share[:, None])


def stiff_baseline(axis: Floats, wavelength: float, weigh: Weigh, /) -> BaselineOf:
    """Make the smoother whose curves follow what is longer than a wavelength.

    The integral of squared third derivatives is weighed by
    ``(wavelength / 2 pi)^6`` against that of squared residuals: a wave of
    this length keeps half of its height where all weights are one. Second
    derivatives would ask the curve to be straight at both ends, which
    backgrounds are not. They are taken, to the power of four, where the
    wavelength is longer than the axis: then nothing but a straight line is
    wanted, and a parabola would follow what rises in the middle.

    Parameters
    ----------
    axis : array, shape (channel,)
        Strictly monotonic; its steps may differ.
    wavelength : float
        In the unit of the axis.
    weigh : callable
        `arpls_weights` or what `asymmetric_weights` makes.
    """
    knots = _knots(axis, wavelength)
    order = 3 if wavelength < abs(axis[-1] - axis[0]) else 2
    stiffness = (wavelength / (2 * np.pi)) ** (2 * order)
    penalty = tuple(stiffness * band for band in roughness_penalty(knots.place, order=order))
    step = np.abs(np.gradient(axis))[:, None]

    def baseline_of(columns: Floats, measured: Flags) -> Floats:
        # A column without values is solved with all weights one, and told apart by the caller.
        known = measured | ~measured.any(axis=0)
        curve = np.empty_like(columns)
        active = np.arange(columns.shape[1])
        weights = known.astype(np.float64)
        least = _least_scale(columns)
        values = np.zeros((len(knots.place), columns.shape[1]))
        here, found = columns, np.zeros_like(columns)
        for _ in range(_MOST_ROUNDS):
            heavy = weights * step
            # Solved for what is left, so that the digits lost by stiffness are those of changes.
            right = knots.sums(heavy * (here - found)) - banded_product(penalty, values)
            values = values + solve_banded(penalty, knots.sums(heavy), right)
            found = knots.curve(values)
            curve[:, active] = found
            changed = weigh(here - found, known.take(active, axis=1), least[active])
            moved = ((changed - weights) ** 2).sum(axis=0)
            moving = np.flatnonzero(moved > _TOLERANCE**2 * (weights**2).sum(axis=0))
            if not moving.size:
                break
            if moving.size == 1:
                moving = np.repeat(moving, 2)
            active, weights = active[moving], changed.take(moving, axis=1)
            here, found, values = (part.take(moving, axis=1) for part in (here, found, values))
        return curve

    return baseline_of


def _least_scale(columns: Floats) -> Floats:
    # Second differences see the noise, not the slopes of lines; sqrt(6) noises make one of them.
    second = np.abs(columns[2:] - 2 * columns[1:-1] + columns[:-2])
    noise = SIGMA_OF_MAD * np.median(second, axis=0) / np.sqrt(6)
    least = np.maximum(_LEAST_OF_NOISE * noise, _LEAST_OF_RANGE * np.ptp(columns, axis=0))
    # Of a constant row only the rounding of its equations is left.
    rounding = np.finfo(np.float32).eps * np.abs(columns).max(axis=0)
    return np.asarray(np.maximum(np.maximum(least, rounding), np.finfo(float).tiny))


def arpls_weights(residuals: Floats, measured: Flags, least: Floats, /) -> Floats:
    """Weigh residuals by how likely each is noise about the baseline [1]_.

    The noise is taken from the residuals below the baseline, where no lines
    are, so that the curve runs through the middle of the noise.

    References
    ----------
    .. [1] S.-J. Baek et al., Analyst 140, 250 (2015), eqs. 9 and 11.
    """
    below = measured & (residuals < 0)
    count = np.maximum(below.sum(axis=0), 2)
    mean = np.where(below, residuals, 0.0).sum(axis=0) / count
    square = np.where(below, (residuals - mean) ** 2, 0.0).sum(axis=0)
    spread = np.maximum(np.sqrt(square / (count - 1)), least)
    with np.errstate(over="ignore"):
        likely = scipy.special.expit(-2 * (residuals - (2 * spread - mean)) / spread)
    return np.asarray(np.where(measured, likely, 0.0))


def asymmetric_weights(asymmetry: float, /) -> Weigh:
    """Weigh what is above the curve by `asymmetry`, what is below by the rest of one [1]_.

    References
    ----------
    .. [1] P. H. C. Eilers, Anal. Chem. 76, 404 (2004), eq. 3.
    """

    def weigh(residuals: Floats, measured: Flags, _: Floats) -> Floats:
        return np.where(measured, np.where(residuals > 0, asymmetry, 1 - asymmetry), 0.0)

    return weigh


def polynomial_baseline(axis: Floats, order: int, /) -> BaselineOf:
    """Make the fit of polynomials to spectra whose lines are clipped round by round [1]_.

    What is above the fit by more than the spread of the residuals is lowered
    to there, until that spread rests.

    References
    ----------
    .. [1] J. Zhao et al., Appl. Spectrosc. 61, 1225 (2007), fig. 1.
    """
    middle, half = (axis[0] + axis[-1]) / 2, abs(axis[-1] - axis[0]) / 2
    powers = np.polynomial.legendre.legvander((axis - middle) / half, order)
    basis, _ = np.linalg.qr(powers)

    def fit(columns: Floats) -> Floats:
        curve = np.zeros_like(columns)
        # Not a product of matrices, whose last bits depend on the number of rows.
        for wave in basis.T[:, :, None]:
            curve += wave * (wave * columns).sum(axis=0)
        return curve

    def baseline_of(columns: Floats, _: Flags) -> Floats:
        curve = np.empty_like(columns)
        active, here = np.arange(columns.shape[1]), columns
        spread = np.full(columns.shape[1], np.inf)
        for _round in range(_MOST_CLIPS):
            found = fit(here)
            curve[:, active] = found
            now = np.sqrt(((here - found) ** 2).mean(axis=0))
            moving = np.flatnonzero(np.abs(spread - now) > _CLIPS_DONE * now)
            if not moving.size:
                break
            if moving.size == 1:
                moving = np.repeat(moving, 2)
            clipped = np.minimum(here, found + now).take(moving, axis=1)
            active, spread, here = active[moving], now[moving], clipped
        return curve

    return baseline_of


def snip_baseline(axis: Floats, half_window: float, /) -> BaselineOf:
    """Make the clipping of lines by the means of values at growing distance around them [1]_.

    Rows are smoothed by a tenth of the window first, since the clipping
    follows the lowest values of the noise, and clipped from the largest
    distance to the smallest, on the scale ``log(log(sqrt(y + 1) + 1) + 1)``,
    where weak and strong lines are more alike [2]_.

    Parameters
    ----------
    axis : array, shape (channel,)
        Strictly monotonic; its steps may differ.
    half_window : float
        The largest distance, in the unit of the axis.

    References
    ----------
    .. [1] C. G. Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988), sec. 2.
    .. [2] M. Morhac and V. Matousek, Appl. Spectrosc. 62, 91 (2008), eqs. 7 and 8.
    """
    clips = _clips(axis, half_window)
    smoothing = _running_mean(axis, half_window / 5)

    def baseline_of(columns: Floats, _: Flags) -> Floats:
        lowest = columns.min(axis=0)
        smooth = np.maximum(smoothing(columns) - lowest, 0.0)
        scaled = np.log(np.log(np.sqrt(smooth + 1) + 1) + 1)
        for far, near, ahead in clips:
            means = _means(scaled, far)
            # What is bent like a parabola over the whole window is no line.
            bent = means + ahead * (_means(scaled, near) - means)
            scaled = np.minimum(scaled, np.maximum(means, bent))
        return np.asarray((np.exp(np.exp(scaled) - 1) - 1) ** 2 - 1 + lowest)

    return baseline_of


class _Sides(NamedTuple):
    """Channels on both sides of each, and the share of the right in their mean."""

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    share: Floats


def _means(columns: Floats, sides: _Sides) -> Floats:
    means = columns.take(sides.left, axis=0)
    means += (columns.take(sides.right, axis=0) - means) * sides.share
    return means


def _clips(axis: Floats, half_window: float) -> list[tuple[_Sides, _Sides, Floats]]:
    """Give channels at each distance and half of it, and how means go on from there to none."""
    place = np.abs(axis - axis[0])
    step = place[-1] / (len(axis) - 1)
    made = []
    for half in step * np.arange(max(1, round(half_window / step / 2)), 0, -1):
        far, near = _sides(place, 2 * half), _sides(place, half)
        # The mean of values at a and b on both sides is off by the curvature times a b / 2.
        wide, narrow = (
            (place - place[sides.left]) * (place[sides.right] - place) for sides in (far, near)
        )
        apart = wide - narrow
        ahead = np.where(apart > 0, wide / np.where(apart > 0, apart, 1), 0.0)
        made.append((far, near, ahead[:, None]))
    return made


def _sides(place: Floats, reach: float) -> _Sides:
    # Near the ends the window shrinks, so that it stays even on both sides.
    inside = np.minimum(reach, np.minimum(place, place[-1] - place))
    left, right = _nearest(place, place - inside), _nearest(place, place + inside)
    apart = place[right] - place[left]
    share = np.where(apart > 0, (place - place[left]) / np.where(apart > 0, apart, 1), 0.0)
    return _Sides(left, right, share[:, None])


def _nearest(place: Floats, wanted: Floats) -> NDArray[np.intp]:
    middles = (place[1:] + place[:-1]) / 2
    return np.searchsorted(middles, wanted)


def _running_mean(axis: Floats, width: float) -> Callable[[Floats], Floats]:
    """Make the mean of all channels within half a width on both sides, fewer near the ends."""
    place = np.abs(axis - axis[0])
    room = np.minimum(np.minimum(place, place[-1] - place), width / 2)
    tiny = 1e-9 * place[-1]
    first = np.searchsorted(place, place - room - tiny)
    last = np.searchsorted(place, place + room + tiny)
    count = (last - first)[:, None]

    def mean(columns: Floats) -> Floats:
        sums = np.zeros((len(columns) + 1, columns.shape[1]))
        np.cumsum(columns, axis=0, out=sums[1:])
        return np.asarray((sums[last] - sums[first]) / count)

    return mean
