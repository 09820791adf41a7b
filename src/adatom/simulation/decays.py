"""Maps of decays as single photons are timed, with exactly known truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy.special import log_ndtr, ndtr

from adatom.errors import SettingError
from adatom.schema import SPECTRAL_MAP, Classes, SpectralMap, Table, add_note, table_from_columns
from adatom.simulation.regions import bands

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Decay:
    """How the emission of one class of pixels dies away.

    Attributes
    ----------
    lifetimes : tuple of float
        In ns.
    photon_fractions : tuple of float
        Share of the photons that each lifetime emits; their sum is 1.
    """

    lifetimes: tuple[float, ...] = (2.0,)
    photon_fractions: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.lifetimes or len(self.lifetimes) != len(self.photon_fractions):
            msg = f"{self.lifetimes=} and {self.photon_fractions=}: give as many of both"
            raise SettingError(msg)
        if min(self.lifetimes) <= 0 or min(self.photon_fractions) < 0:
            msg = f"{self.lifetimes=} must be above zero, {self.photon_fractions=} not below"
            raise SettingError(msg)
        if not math.isclose(sum(self.photon_fractions), 1, abs_tol=1e-9):
            msg = f"{self.photon_fractions=} must add up to 1"
            raise SettingError(msg)

    @property
    def amplitude_fractions(self) -> tuple[float, ...]:
        """Share of each lifetime in the emission at time zero: photons over lifetime."""
        pairs = zip(self.photon_fractions, self.lifetimes, strict=True)
        heights = [share / lifetime for share, lifetime in pairs]
        return tuple(height / sum(heights) for height in heights)


@dataclass(frozen=True)
class PhotonTimer:
    """What sorts photons into channels of time after the pulse of a laser.

    Attributes
    ----------
    period : float
        Between two pulses, in ns; what is emitted later counts for the next
        pulse. 12.5 ns is the 80 MHz of a titanium-sapphire laser.
    n_channels : int
        Equal channels over the window.
    window : float
        Time over which photons are sorted, in ns; 0: the whole period.
    response_center : float
        When the pulse is seen, in ns after the start of the window.
    response_width : float
        Standard deviation of the Gaussian instrument response, in ns.
    """

    period: float = 12.5
    n_channels: int = 256
    window: float = 0.0
    response_center: float = 1.5
    response_width: float = 0.1

    def __post_init__(self) -> None:
        if not self.period > 0 or not 0 <= self.window <= self.period or self.n_channels < 2:
            msg = (
                f"{self.period=} must be above 0, {self.window=} at most the period, "
                f"{self.n_channels=} 2 or more"
            )
            raise SettingError(msg)
        if not 0 < self.response_width < self.period / 12:
            msg = f"{self.response_width=} must be above 0 and below a twelfth of {self.period=}"
            raise SettingError(msg)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the channels, in ns."""
        return np.linspace(0.0, self.window or self.period, self.n_channels + 1)

    def shares(self, lifetimes: ArrayLike, /) -> NDArray[np.float64]:
        """Give the share of photons in every channel, (lifetime, channel).

        An exponential convolved with a Gaussian and wrapped at the period,
        integrated over each channel exactly. Within the period the shares
        add up to one.
        """
        tau = np.atleast_1d(np.asarray(lifetimes, float))[:, None]
        width = self.response_width
        shares = np.zeros((len(tau), self.n_channels))
        for pulse in (-1, 0, 1):
            since = self.edges + pulse * self.period - self.response_center
            shares += np.diff(ndtr(since / width) - _excited(since, tau, width), axis=1)
        # From the second pulse before on the response is over: a geometric series is left.
        since = self.edges + 2 * self.period - self.response_center
        left = _excited(since, tau, width) / -np.expm1(-self.period / tau)
        return shares - np.diff(left, axis=1)


def _excited(
    since: NDArray[np.float64], tau: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Give the share still excited at times since the middle of a Gaussian pulse."""
    # One exponential of sums: its parts overflow where the lifetime is far below the width.
    logs = width**2 / (2 * tau**2) - since / tau + log_ndtr(since / width - width / tau)
    return np.asarray(np.exp(logs))


class FlimSimulation(NamedTuple):
    """Counted decays, and what they were made of."""

    decays: SpectralMap
    """(y, x, time), counts."""
    classes: Classes
    """Which decay each pixel has."""
    truth: Table
    """A row for each lifetime of each class: ``class``, ``lifetime``,
    ``photon_fraction`` and ``amplitude_fraction``."""


_DECAYS: Final = (
    Decay((0.8,), (1.0,)),
    Decay((2.0,), (1.0,)),
    Decay((0.8, 2.0), (0.6, 0.4)),
)


def simulate_flim_map(
    *,
    decays: tuple[Decay, ...] = _DECAYS,
    size: int = 64,
    photons: float = 1000.0,
    background: float = 20.0,
    timer: PhotonTimer = PhotonTimer(),
    seed: int = 0,
) -> FlimSimulation:
    """Simulate a map of fluorescence lifetimes, photon by photon.

    Classes are bands between the levels of one smooth random field, with as
    many pixels each.

    Parameters
    ----------
    decays : tuple of Decay
        One for each class; by default 0.8 ns, 2.0 ns, and a mixture that
        emits 60 % of its photons with 0.8 ns and 40 % with 2.0 ns.
    size : int
        Pixels along y and along x.
    photons : float
        Expected in a pixel; 1000 is what a good image of cells has.
    background : float
        Expected counts of a pixel that no pulse causes, evenly over time.
    timer : PhotonTimer
        Period, channels and response of the instrument.
    seed : int
        Of the field and the counts.

    Returns
    -------
    FlimSimulation
        Decays as uint16 counts over time in ns, pixels of 100 nm; classes;
        and the truth. *Photon fractions* are shares of the photons,
        *amplitude fractions* shares of the emission at time zero.

    Raises
    ------
    SettingError
        If there is no decay, no pixel, or a number below zero.

    Examples
    --------
    >>> made = simulate_flim_map(size=8, seed=1)
    >>> made.decays.sizes["time"], made.truth["amplitude_fraction"].values.round(2).tolist()
    (256, [1.0, 1.0, 0.79, 0.21])
    """
    if not decays or size < 1 or not photons >= 0 or not background >= 0:
        msg = f"{len(decays)=} and {size=} must be 1 or more, {photons=}, {background=} 0 or more"
        raise SettingError(msg)
    places, counting = np.random.default_rng(seed).spawn(2)
    label = bands(size, len(decays), places)
    even = np.full(timer.n_channels, 1 / timer.n_channels)
    expected = np.stack(
        [
            photons * np.asarray(decay.photon_fractions) @ timer.shares(decay.lifetimes)
            + background * even
            for decay in decays
        ]
    )
    counts = counting.poisson(expected[label])
    edges = timer.edges
    space = {dim: (dim, 100.0 * np.arange(size), {"units": "nm"}) for dim in ("y", "x")}
    made = xr.DataArray(
        counts.astype(np.uint16 if counts.max(initial=0) < 2**16 else np.uint32),
        dims=("y", "x", "time"),
        coords={**space, "time": ("time", (edges[1:] + edges[:-1]) / 2, {"units": "ns"})},
        name="intensity",
        attrs={"units": "1"},
    )
    add_note(made, f"Simulated: laser period {timer.period:g} ns, seed {seed}.")
    SPECTRAL_MAP.check(made)
    classes = xr.Dataset(
        {"label": (("y", "x"), label.astype(np.int32))}, coords={k: space[k] for k in ("y", "x")}
    )
    return FlimSimulation(made, classes, _truth(decays))


def _truth(decays: tuple[Decay, ...]) -> Table:
    rows = [
        (number, *row)
        for number, decay in enumerate(decays)
        for row in zip(
            decay.lifetimes, decay.photon_fractions, decay.amplitude_fractions, strict=True
        )
    ]
    names = ("class", "lifetime", "photon_fraction", "amplitude_fraction")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    return table_from_columns(columns, units={"lifetime": "ns"})
