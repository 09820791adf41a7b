"""Smoothing and derivatives by polynomials fitted in a window around every channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows


@dataclass(frozen=True, eq=False)
class LocalPolynomial:
    """Weights that give a derivative at every channel of a row.

    Attributes
    ----------
    channels : array of int, shape (channel, tap)
        Which channels are in the window of each; padded by itself.
    weights : array, shape (channel, tap)
        Of these channels; zero where padded.
    """

    channels: NDArray[np.intp]
    weights: NDArray[np.float64]

    def apply(self, rows: NDArray[Any], /) -> NDArray[np.float64]:
        """Apply to rows (row, channel); NaN spreads over the windows that hold it."""
        made = np.zeros((len(rows), len(self.channels)))
        # Tap by tap: a product of matrices rounds by how many rows there are.
        for channel, weight in zip(self.channels.T, self.weights.T, strict=True):
            used = weight != 0
            made[:, used] += weight[used] * rows[:, channel[used]]
        return made

    @property
    def gain(self) -> NDArray[np.float64]:
        """Noise of the result at every channel over white noise of one channel."""
        return np.asarray(np.sqrt((self.weights**2).sum(axis=1)))


def local_polynomial(
    axis: NDArray[np.float64], /, *, window: float, order: int, derivative: int
) -> LocalPolynomial:
    """Fit a polynomial in a window around every channel, for a derivative there.

    On an axis of equal steps these are the filters of Savitzky and Golay.
    At the ends the window stays as wide and lies to one side: a window that
    is cut would have several times the noise.

    Parameters
    ----------
    axis : array, shape (channel,)
        Rising or falling throughout.
    window : float
        Full width; widened where it holds fewer channels than `order` + 1.
    order : int
        Of the polynomial.
    derivative : int
        0 smooths.
    """
    # Half a thousandth of a step more, since steps are rounded.
    reach = window / 2 + 5e-4 * float(np.abs(np.diff(axis)).min())
    half = min(window / 2, float(np.ptp(axis)) / 2)
    centers = np.clip(axis, axis.min() + half, axis.max() - half)
    distance = np.abs(centers[:, None] - axis[None, :])
    nearest = np.argsort(distance, axis=1, kind="stable")[:, : order + 1]
    is_in = distance <= reach
    np.put_along_axis(is_in, nearest, True, axis=1)
    n_taps = int(is_in.sum(axis=1).max())
    channels = np.repeat(np.arange(len(axis))[:, None], n_taps, axis=1)
    weights = np.zeros((len(axis), n_taps))
    for number, row in enumerate(is_in):
        taps = np.flatnonzero(row)
        offsets = axis[taps] - axis[number]
        scale = float(np.abs(offsets).max())
        powers = (offsets[:, None] / scale) ** np.arange(order + 1)
        factor = float(np.prod(np.arange(1, derivative + 1))) / scale**derivative
        channels[number, : taps.size] = taps
        weights[number, : taps.size] = np.linalg.pinv(powers)[derivative] * factor
    return LocalPolynomial(channels, weights)


def noise_of_rows(rows: NDArray[Any], /) -> NDArray[np.float64]:
    """Estimate white noise of every row from its third differences, whatever its slope.

    The median of their magnitudes is not swayed by steps and spikes; a
    smooth curve of some hundred channels adds nearly nothing to them.
    """
    steps = np.diff(rows.astype(np.float64), n=3, axis=1)
    # Weights 1, -3, 3, -1 raise the noise by the root of 20.
    middle = medians_of_rows(np.abs(steps)) if steps.shape[1] else np.zeros(len(rows))
    return np.asarray(SIGMA_OF_MAD * middle / np.sqrt(20.0))
