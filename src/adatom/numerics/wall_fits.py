"""Profiles across a wall: a step or a peak, fitted by weighted least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From 10 to 90 % of a step of tanh(s / w), and full width at half maximum of sech^2(s / w), in w.
STEP_WIDTH: Final = float(np.log(9))
PEAK_WIDTH: Final = float(2 * np.arccosh(np.sqrt(2)))
_N_WIDTHS: Final = 41
_N_CENTERS: Final = 41
_ROUNDS: Final = 3


@dataclass(frozen=True)
class WallFit:
    """A step or a peak fitted to a profile.

    Attributes
    ----------
    center, width : float
        Scale w of the curve, in the unit of the distances.
    low, rise : float
        Value far on the negative side (of a peak: far away), and what the
        step or the peak adds.
    misfit : float
        Weighted sum of squares.
    """

    center: float
    width: float
    low: float
    rise: float
    misfit: float

    def at(self, distance: NDArray[np.float64], /, *, is_step: bool) -> NDArray[np.float64]:
        """Give the curve at distances."""
        return self.low + self.rise * wall_shape(
            (distance - self.center) / self.width, is_step=is_step
        )


def wall_shape(scaled: NDArray[np.float64], /, *, is_step: bool) -> NDArray[np.float64]:
    """Give the step (1 + tanh) / 2 from 0 to 1, or the peak sech^2 of height 1.

    A Ginzburg-Landau wall between two states of an order parameter is such a
    step, and what goes with the square of its slope such a peak.
    """
    steep = np.tanh(scaled)
    return np.asarray((1 + steep) / 2 if is_step else 1 - steep**2)


def fit_wall(
    distance: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    /,
    *,
    is_step: bool,
    finest: float,
) -> WallFit:
    """Fit a wall: over a grid of centers and widths, made finer around the best.

    Low and rise follow by linear least squares for each, so that no
    starting values are needed and no minimum is missed.

    Parameters
    ----------
    distance, values, weights : ndarray, shape (bin,)
        Weights are inverse variances; bins of weight zero do not count.
    is_step : bool
    finest : float
        Least width: that of a bin.
    """
    known = weights > 0
    distance, values, weights = distance[known], values[known], weights[known]
    span = float(np.ptp(distance))
    low_c, high_c = float(distance.min()) + span / 8, float(distance.max()) - span / 8
    low_w, high_w = finest / 4, max(span / 2, finest)
    best = WallFit(0.0, 1.0, 0.0, 0.0, np.inf)
    for _ in range(_ROUNDS):
        centers = np.linspace(low_c, high_c, _N_CENTERS)
        widths = np.geomspace(low_w, high_w, _N_WIDTHS)
        best = _best(distance, values, weights, centers, widths, is_step=is_step)
        step, ratio = centers[1] - centers[0], widths[1] / widths[0]
        low_c, high_c = best.center - 1.5 * step, best.center + 1.5 * step
        low_w, high_w = max(best.width / ratio**1.5, finest / 4), best.width * ratio**1.5
    return best


def _best(
    distance: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
    widths: NDArray[np.float64],
    *,
    is_step: bool,
) -> WallFit:
    shape = wall_shape((distance - centers[:, None, None]) / widths[None, :, None], is_step=is_step)
    total = weights.sum()
    mean, mean_shape = weights @ values / total, shape @ weights / total
    off = values - mean
    spread = (shape**2) @ weights / total - mean_shape**2
    together = shape @ (weights * off) / total
    rise = np.where(spread > 1e-12, together / np.where(spread > 1e-12, spread, 1.0), 0.0)
    misfit = total * (weights @ off**2 / total - rise * together)
    i, j = np.unravel_index(int(misfit.argmin()), misfit.shape)
    low = float(mean - rise[i, j] * mean_shape[i, j])
    return WallFit(float(centers[i]), float(widths[j]), low, float(rise[i, j]), float(misfit[i, j]))
