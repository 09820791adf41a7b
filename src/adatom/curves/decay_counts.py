"""Expected counts of decays with a number of lifetimes, and where to start a fit of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.curves.decay_models import Excitation

    Floats = NDArray[np.float64]

# Lifetimes to start from, over the mean time of the photons.
_STARTS: Final = {
    1: ((1.0,),),
    2: ((0.45, 1.6), (0.2, 1.15)),
    3: ((0.2, 0.8, 2.5),),
    4: ((0.1, 0.4, 1.0, 3.0),),
}
_RESPONDING: Final = 1e-4


@dataclass(frozen=True)
class CountModel:
    """Counts by photons of each lifetime, logs of the lifetimes, and a background, in this order.

    Attributes
    ----------
    excitation : Excitation
        Response and channels.
    n_lifetimes : int
    background : bool
        Whether the last parameter is a constant.
    held : array, shape (component,), optional
        Lifetimes in ns that are no parameters.
    """

    excitation: Excitation
    n_lifetimes: int
    background: bool
    held: Floats | None = None

    @cached_property
    def held_shares(self) -> Floats:
        """The share of each held lifetime in every channel."""
        return self.excitation.shares(np.asarray(self.held))[0]

    @property
    def n_parameters(self) -> int:
        """Count what is fitted."""
        free = self.n_lifetimes if self.held is None else 0
        return self.n_lifetimes + free + self.background

    def expected(self, parameters: Floats, measured: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Give expected counts (row, channel) and their Jacobian (row, channel, parameter)."""
        timing, k = self.excitation.timing, self.n_lifetimes
        n_rows = len(parameters)
        jacobian = np.empty((n_rows, len(timing.widths), self.n_parameters))
        photons = parameters[:, :k]
        if self.held is None:
            flat = np.exp(parameters[:, k : 2 * k]).ravel()
            shares, slopes = self.excitation.shares(flat)
            shape = (n_rows, k, len(timing.widths))
            jacobian[:, :, :k] = np.swapaxes(shares.reshape(shape), 1, 2)
            slopes = np.swapaxes(slopes.reshape(shape), 1, 2)
            jacobian[:, :, k : 2 * k] = slopes * photons[:, None, :]
        else:
            jacobian[:, :, :k] = self.held_shares.T
        if self.background:
            jacobian[:, :, -1] = timing.widths / timing.window
        jacobian *= measured[:, :, None]
        counts = (jacobian[:, :, :k] * photons[:, None, :]).sum(axis=2)
        if self.background:
            counts += jacobian[:, :, -1] * parameters[:, [-1]]
        return counts, jacobian

    def bounds(self, n_rows: int) -> tuple[Floats, Floats]:
        """Give the least and the most of every parameter, lifetimes as far as they can be told."""
        lower = np.zeros((n_rows, self.n_parameters))
        upper = np.full((n_rows, self.n_parameters), np.inf)
        if self.held is None:
            free = slice(self.n_lifetimes, 2 * self.n_lifetimes)
            lower[:, free], upper[:, free] = np.log(self.excitation.timing.lifetime_range)
        return lower, upper

    def starts(self, counts: Floats) -> list[Floats]:
        """Give parameters to start from, from the sum and the mean time of the photons."""
        timing = self.excitation.timing
        total = counts.sum(axis=1)
        level = self._level(counts, total)
        signal = np.maximum(total - level, 0.1 * total)
        if self.held is not None:
            even = np.repeat(signal[:, None] / self.n_lifetimes, self.n_lifetimes, axis=1)
            return [np.column_stack([even, level]) if self.background else even]
        since, after = self._since_pulse()
        left = np.maximum(counts - (level / timing.window)[:, None] * timing.widths, 0.0) * after
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (left * since).sum(axis=1) / left.sum(axis=1)
        mean = np.clip(
            np.where(np.isfinite(mean), mean, 0.1 * timing.window), *timing.lifetime_range
        )
        found = []
        for factors in _STARTS[self.n_lifetimes]:
            photons = np.repeat(signal[:, None] / len(factors), len(factors), axis=1)
            parts = [photons, np.log(mean[:, None] * np.array(factors))]
            found.append(np.column_stack([*parts, level] if self.background else parts))
        return found

    def _since_pulse(self) -> tuple[Floats, NDArray[np.bool_]]:
        timing, response = self.excitation.timing, self.excitation.response
        pulse = timing.edges[0]
        if response.any():
            pulse = float((response * timing.centers).sum() / response.sum())
        since = timing.centers - pulse
        return since, since > 0

    def _level(self, counts: Floats, total: Floats) -> Floats:
        """Guess the background of every row from before the pulse, or as a tenth of it."""
        if not self.background:
            return np.zeros(len(counts))
        timing, response = self.excitation.timing, self.excitation.response
        before = np.cumsum(response) < _RESPONDING
        if response.any() and before.sum() >= 4:
            level = counts[:, before].sum(axis=1) / timing.widths[before].sum() * timing.window
            # Also there some is left of the pulse before.
            return np.asarray(np.minimum(0.7 * level, 0.9 * total))
        return 0.1 * total
