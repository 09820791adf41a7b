"""Increments between successive sites of tracks, and what the covariance estimator sums of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.resampling import Statistic
    from adatom.dynamics.trajectories import Trajectories

# Increments over longer gaps say little more of the motion, and scatter by their length.
_LONGEST: Final = 3


class Increments(NamedTuple):
    """Displacements over one step, or over a short gap, and which two follow one another.

    ``step`` (increment, axis), ``frames`` (increment,) that each takes,
    ``start`` (increment,) the site where each begins, ``first``
    (product,) the increment of each whose next increment starts where it ends.
    """

    step: NDArray[np.float64]
    frames: NDArray[np.int64]
    start: NDArray[np.int64]
    first: NDArray[np.int64]


def increments_of(trajectories: Trajectories, /) -> Increments:
    """Give the increments of all segments, no longer than three of the most common steps."""
    frames = np.diff(trajectories.frame)
    inside = np.diff(trajectories.segment) == 0
    if not inside.any():
        nothing = np.zeros(0, dtype=np.int64)
        return Increments(np.zeros((0, 2)), nothing, nothing, nothing)
    common = int(np.bincount(frames[inside]).argmax())
    start = np.flatnonzero(inside & (frames <= _LONGEST * common))
    step = trajectories.position[start + 1] - trajectories.position[start]
    return Increments(step, frames[start], start, np.flatnonzero(np.diff(start) == 1))


class CovarianceSums(NamedTuple):
    """Sums by track (track, ...) of the increments.

    ``squares`` and ``products`` (track, 3), of axes yy, xx, yx, of each
    increment with itself and with the next; their numbers ``increments``
    and ``pairs``; ``frames``, what the increments take together.
    """

    squares: NDArray[np.float64]
    products: NDArray[np.float64]
    increments: NDArray[np.float64]
    pairs: NDArray[np.float64]
    frames: NDArray[np.float64]

    def table(self, axes: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Give (track, 5) sums for an axis, or a sum of axes by weights of yy, xx, yx."""
        return np.column_stack(
            [self.squares @ axes, self.increments, self.products @ axes, self.pairs, self.frames]
        )


BOTH_AXES: Final = np.array([1.0, 1.0, 0.0])


def covariance_sums(trajectories: Trajectories, increments: Increments, /) -> CovarianceSums:
    """Sum by track what the covariance estimator takes."""
    of_track = trajectories.track[trajectories.segment[increments.start]]
    n = len(trajectories.names)
    step, follows = increments.step, increments.step[increments.first + 1]
    before = increments.step[increments.first]
    cross = (before[:, 0] * follows[:, 1] + before[:, 1] * follows[:, 0]) / 2
    of_pair = of_track[increments.first]
    squares = np.column_stack([step**2, step[:, 0] * step[:, 1]])
    products = np.column_stack([before * follows, cross])
    return CovarianceSums(
        squares=sums_by_group(squares, of_track, n_groups=n),
        products=sums_by_group(products, of_pair, n_groups=n),
        increments=np.bincount(of_track, minlength=n).astype(np.float64),
        pairs=np.bincount(of_pair, minlength=n).astype(np.float64),
        frames=sums_by_group(increments.frames, of_track, n_groups=n),
    )


def diffusion_from_covariance(step_time: float, /, *, n_axes: int) -> Statistic:
    """Make the covariance estimator of D from totals, with its derivatives.

    Increments over k frames have the mean square 2 D t (k - 2 R) + 2 s^2 an
    axis, and the product with the next 2 D t R - s^2 whatever the gaps, so
    that blur R and error s fall out of the mean square plus twice the product
    [1]_, eq. 14, here with gaps.

    References
    ----------
    .. [1] C. L. Vestergaard et al., Phys. Rev. E 89, 022726 (2014).
    """

    def statistic(
        totals: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        squares, increments, products, pairs, frames = np.moveaxis(totals, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = 1 / (2 * n_axes * step_time * frames)
            each = products / pairs
            value = scale * (squares + 2 * increments * each)
            slopes = [
                scale,
                scale * 2 * each,
                scale * 2 * increments / pairs,
                -scale * 2 * increments * each / pairs,
                -value / frames,
            ]
        return value, np.stack(slopes, axis=-1)

    return statistic


def error_from_covariance(step_time: float, blur: float, /, *, n_axes: int) -> Statistic:
    """Make the estimator of the squared localization error s^2 of one axis.

    Parameters
    ----------
    blur : float
        R of [1]_: a sixth of the exposure over the time between frames.

    References
    ----------
    .. [1] C. L. Vestergaard et al., Phys. Rev. E 89, 022726 (2014), eq. 15.
    """
    diffusion = diffusion_from_covariance(step_time, n_axes=n_axes)

    def statistic(
        totals: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        value, slopes = diffusion(totals)
        factor = 2 * step_time * blur
        products, pairs = totals[..., 2], totals[..., 3]
        with np.errstate(invalid="ignore", divide="ignore"):
            each = products / pairs
            slopes = factor * slopes
            slopes[..., 2] -= 1 / (n_axes * pairs)
            slopes[..., 3] += each / (n_axes * pairs)
        return factor * value - each / n_axes, slopes

    return statistic


def interval_from_theory(
    diffusion: NDArray[np.float64],
    mean_square: NDArray[np.float64],
    number: NDArray[np.float64],
    /,
    *,
    deviations: float = 1.96,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give standard error and interval of D of single tracks, where no scatter tells them.

    The variance D^2 ((6 + 4 e + 2 e^2) / N + 4 (1 + e)^2 / N^2) of [1]_, eq. 17,
    is (4 D^2 + 2 M^2) / N + 4 M^2 / N^2 with M = D (1 + e), the mean square over
    twice the time. The interval is of all D from which the estimate is no
    farther than so many of the errors that D would have.

    Parameters
    ----------
    diffusion, mean_square, number : array
        D, M, and N: the increments of all axes together.

    References
    ----------
    .. [1] C. L. Vestergaard et al., Phys. Rev. E 89, 022726 (2014).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.maximum(diffusion, 0.0)
        error = np.sqrt(
            (4 * own**2 + 2 * mean_square**2) / number + (2 * mean_square / number) ** 2
        )
        curve = 1 - 4 * deviations**2 / number
        rest = deviations**2 * mean_square**2 * (2 / number + 4 / number**2)
        root = np.sqrt(np.maximum(diffusion**2 - curve * (diffusion**2 - rest), 0.0))
        low = np.where(curve > 0, (diffusion - root) / curve, 0.0)
        # Of too few increments nothing bounds D from above.
        high = np.where(curve > 0, (diffusion + root) / curve, np.inf)
    unknown = ~np.isfinite(diffusion)
    error, low, high = (np.where(unknown, np.nan, one) for one in (error, low, high))
    return error, np.maximum(low, 0.0), high
