"""D by least squares of mean squared displacements, with their covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.resampling import Statistic
    from adatom.dynamics.trajectories import Trajectories

# With right weights more lags never make D worse, and after a few not better.
_MOST_LAGS: Final = 12
_GAIN: Final = 0.01
_MOST_LENGTHS: Final = 64


class LagFit(NamedTuple):
    """D as a sum of weights times mean squared displacements of lags 1, 2, ... ."""

    weights: NDArray[np.float64]
    diffusion: float
    error: float
    offset: float


def lengths_of(trajectories: Trajectories, /) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the lengths of segments in frames, and how many have each."""
    starts = np.flatnonzero(np.r_[True, np.diff(trajectories.segment) > 0])
    ends = np.r_[starts[1:], len(trajectories.segment)] - 1
    span = trajectories.frame[ends] - trajectories.frame[starts] + 1
    lengths, counts = np.unique(span[span > 1], return_counts=True)
    if len(lengths) > _MOST_LENGTHS:
        parts = np.array_split(np.sort(span[span > 1]), _MOST_LENGTHS)
        lengths = np.array([int(np.rint(part.mean())) for part in parts])
        counts = np.array([len(part) for part in parts])
    return lengths, counts.astype(np.float64)


def typical_length(trajectories: Trajectories, /) -> int:
    """Give the length in frames of the segment of the middle site, by length."""
    lengths, counts = lengths_of(trajectories)
    if not len(lengths):
        return 1
    frames = np.cumsum(lengths * counts)
    return int(lengths[min(int(np.searchsorted(frames, frames[-1] / 2)), len(lengths) - 1)])


def fit_lags(
    squares: NDArray[np.float64],
    pairs: NDArray[np.float64],
    lengths: tuple[NDArray[np.int64], NDArray[np.float64]],
    start: tuple[float, float],
    step_time: float,
    /,
) -> LagFit:
    """Fit 4 D t n + c to mean squared displacements, weighted by their covariance.

    Lags are correlated, since they share increments; with the covariance of
    free motion [1]_ as many are taken as still better D by a hundredth.

    Parameters
    ----------
    squares, pairs : array, shape (lag,)
        Of all tracks together.
    lengths : tuple of arrays
        As `lengths_of` gives them.
    start : tuple of float
        D and offset c for the covariance, which the fit then betters.
    step_time : float
        From frame to frame.

    References
    ----------
    .. [1] X. Michalet, A. J. Berglund, Phys. Rev. E 85, 061916 (2012); J. T. Bullerjahn
       et al., J. Chem. Phys. 153, 234103 (2020).
    """
    most = min(_MOST_LAGS, len(pairs), max(2, int(np.median(np.repeat(*_whole(lengths)))) // 2))
    most = min(most, int((pairs > 0).argmin()) if (pairs == 0).any() else len(pairs))
    if most < 2:
        return LagFit(np.zeros(0), np.nan, np.nan, np.nan)
    mean = squares[:most] / pairs[:most]
    design = np.column_stack([4 * step_time * np.arange(1, most + 1), np.ones(most)])
    diffusion, offset = start
    fitted = LagFit(np.zeros(0), np.nan, np.nan, np.nan)
    for _ in range(3):
        slope = max(4 * diffusion * step_time, 1e-3 * mean[0])
        offset = max(offset, -0.9 * slope)
        covariance = covariance_of_lags(slope, offset, lengths, most)
        variance, rows = [], []
        for n in range(2, most + 1):
            inverse = np.linalg.pinv(covariance[:n, :n], hermitian=True)
            part = design[:n]
            solved = np.linalg.inv(part.T @ inverse @ part)
            rows.append(solved @ part.T @ inverse)
            variance.append(solved[0, 0])
        enough = np.flatnonzero(np.array(variance) <= (1 + _GAIN) * min(variance))[0]
        diffusion, offset = (rows[enough] @ mean[: enough + 2]).tolist()
        error = float(np.sqrt(variance[enough]))
        fitted = LagFit(rows[enough][0], diffusion, error, offset)
    return fitted


def _whole(
    lengths: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return lengths[0], lengths[1].astype(np.int64)


def covariance_of_lags(
    slope: float,
    offset: float,
    lengths: tuple[NDArray[np.int64], NDArray[np.float64]],
    n_lags: int,
    /,
) -> NDArray[np.float64]:
    """Give the covariance (lag, lag) of mean squared displacements of free motion.

    Displacements are normal, so that squares have twice the squared
    covariance of displacements, summed over all pairs of places that two
    displacements of a track can have. Missing frames are not counted.

    Parameters
    ----------
    slope, offset : float
        Mean squared displacement slope n + offset, of both axes together.
    """
    lag = np.arange(1, n_lags + 1)
    first, second = lag[:, None, None], lag[None, :, None]
    shift = np.arange(-n_lags - 1, n_lags + 2)

    def structure(frames: NDArray[np.int64]) -> NDArray[np.float64]:
        # Of one axis.
        return np.where(frames == 0, 0.0, (slope * np.abs(frames) + offset) / 2)

    correlated = (
        structure(first - shift)
        + structure(-shift - second)
        - structure(first - shift - second)
        - structure(-shift)
    ) / 2
    total = np.zeros((n_lags, n_lags))
    number = np.zeros(n_lags)
    for length, count in zip(*lengths, strict=True):
        rooms = np.maximum(int(length) - lag, 0)
        room, other = rooms[:, None, None], rooms[None, :, None]
        places = np.minimum(room, other - shift) - np.maximum(0, -shift)
        total += count * (np.maximum(places, 0) * correlated**2).sum(axis=2)
        number += count * rooms
    # Two axes, each with twice the squared covariance.
    return np.asarray(4 * total / np.maximum(number[:, None] * number[None], 1.0))


def diffusion_from_lags(weights: NDArray[np.float64], /) -> Statistic:
    """Make the weighted sum of mean squared displacements from totals of squares and pairs."""
    n = len(weights)

    def statistic(
        totals: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        squares, pairs = totals[..., :n], totals[..., n:]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = squares / pairs
            slopes = np.concatenate([weights / pairs, -weights * mean / pairs], axis=-1)
        return mean @ weights, slopes

    return statistic
