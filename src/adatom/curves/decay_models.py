"""What a counter of single photons expects of decays, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.channels import channel_axis_of
from adatom.units import TIME

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from adatom.units import Time

    Floats = NDArray[np.float64]

_PER_UNIT: Final = {"ns": 1.0, "s": 1e-9}
# Axes come from files as float32 or rounded text.
_SAME_AXIS: Final = 1e-3
# Lifetimes that a window can tell from "at once" and from "never", in channels and in windows.
_SHORTEST: Final = 0.1
_LONGEST: Final = 50.0


class Timing(NamedTuple):
    """The time axis of decays, in ns."""

    edges: Floats
    """Of the channels: half-way between their centers."""
    period: float | None
    """Between two pulses; None where nothing is left of the pulses before."""

    @property
    def centers(self) -> Floats:
        """Give the middle of every channel."""
        return np.asarray((self.edges[1:] + self.edges[:-1]) / 2)

    @property
    def widths(self) -> Floats:
        """Give the duration of every channel."""
        return np.diff(self.edges)

    @property
    def window(self) -> float:
        """Give the time from the first edge to the last."""
        return float(self.edges[-1] - self.edges[0])

    @property
    def lifetime_range(self) -> tuple[float, float]:
        """Give the shortest and the longest lifetime that can be told."""
        return _SHORTEST * float(self.widths.min()), _LONGEST * self.window


def timing_of(decays: xr.DataArray, period: Time | None, /) -> Timing:
    """Read the time axis of decays.

    Raises
    ------
    KindError
        If the last axis is no time that increases.
    SettingError
        If the period is shorter than the axis.
    """
    times, unit = channel_axis_of(decays)
    dim = decays.dims[-1]
    if unit not in {"ns", "s"}:
        msg = f"the measured axis {dim!r} is in {unit}, decays need a time in ns or s"
        raise KindError(msg)
    times = times / _PER_UNIT[unit]
    if len(times) < 4 or not (np.diff(times) > 0).all():
        msg = f"the axis {dim!r} has {len(times)} channels, decays need 4 or more, in rising order"
        raise KindError(msg)
    middles = (times[1:] + times[:-1]) / 2
    first, last = 2 * times[0] - middles[0], 2 * times[-1] - middles[-1]
    edges = np.concatenate([[first], middles, [last]])
    return Timing(edges, None if period is None else _period(period, float(last - first)))


def _period(period: Time, window: float) -> float:
    value = nanoseconds(period, name="period")
    # Windows are often told as long as the period, up to rounding.
    if not value > 0 or value < window * (1 - _SAME_AXIS):
        msg = (
            f"{period=} must be at least the {window:.6g} ns over which the channels run: "
            "a laser of 80 MHz has a period of 12.5 ns"
        )
        raise SettingError(msg)
    return max(value, window)


def nanoseconds(text: Time, /, *, name: str) -> float:
    """Give a time in ns."""
    value, unit = TIME.check(text, name=name)
    if unit not in _PER_UNIT:
        msg = f"{name}={text!r} is no time"
        raise UnitError(msg)
    return value / _PER_UNIT[unit]


def check_same_channels(timing: Timing, other: xr.DataArray, /, *, name: str) -> None:
    """Check that what else was recorded has the channels of the decays.

    Raises
    ------
    KindError
        If it has another time axis.
    """
    there = timing_of(other, None)
    if len(there.edges) != len(timing.edges) or not np.allclose(
        there.centers, timing.centers, rtol=0, atol=_SAME_AXIS * float(timing.widths.min())
    ):
        msg = (
            f"the {name} has {len(there.centers)} channels from {there.centers[0]:.6g} ns, the "
            f"decays {len(timing.centers)} from {timing.centers[0]:.6g} ns: record both with the "
            "same settings, or use curves.estimate_response(decays)"
        )
        raise KindError(msg)


def response_shares(response: xr.DataArray, timing: Timing, /) -> Floats:
    """Give the share of the response in every channel: what all its rows sum up to.

    Raises
    ------
    KindError
        If it is not on the time axis of the decays, or holds no counts.
    """
    check_same_channels(timing, response, name="response")
    total = np.nansum(response.values.reshape(-1, response.shape[-1]).astype(float), axis=0)
    # Dark counts that were taken off leave negative channels, which no photon came through.
    shares = np.maximum(total, 0.0)
    if not shares.sum() > 0:
        msg = "the response holds no counts: give the recorded pulse"
        raise KindError(msg)
    return np.asarray(shares / shares.sum())


@dataclass(frozen=True)
class Excitation:
    """How emitters come to be excited over the window.

    Attributes
    ----------
    timing : Timing
        Channels and period.
    response : array, shape (channel,)
        Share of the excitations in every channel; within it they rise or
        fall linearly, as the channels beside it tell.
    at_start : float
        Share that is excited at the first edge: 1 for a tail.
    """

    timing: Timing
    response: Floats
    at_start: float = 0.0

    def shares(self, lifetimes: Floats, /) -> tuple[Floats, Floats]:
        """Give the share of photons in every channel, and its slope with the log of the lifetime.

        The number that is excited is followed from edge to edge: what is
        excited within a channel or before decays exponentially, and what is
        no longer excited has become photons. That is the convolution of the
        response with the decay, exact for a response that is linear within
        each channel, on channels of any widths.

        Parameters
        ----------
        lifetimes : array, shape (row,)
            In ns.

        Returns
        -------
        shares, slopes : array, shape (row, channel)
        """
        steps = _decays_over(self.timing.widths, lifetimes)
        start, start_slope = self._excited_at_start(lifetimes, steps)
        excited, slope = _follow(self.response, steps, start, start_slope)
        shares = excited[:-1] - excited[1:] + self.response[:, None]
        return np.ascontiguousarray(shares.T), np.ascontiguousarray((slope[:-1] - slope[1:]).T)

    def _excited_at_start(self, tau: Floats, steps: _Steps) -> tuple[Floats, Floats]:
        """Give what is left of the pulses before, a geometric series over periods."""
        first = np.full_like(tau, self.at_start)
        if self.timing.period is None or self.at_start:
            return first, np.zeros_like(tau)
        excited, slope = _follow(self.response, steps, first, np.zeros_like(tau))
        until = self.timing.period - self.timing.window
        left = np.exp(-self.timing.period / tau)
        factor = np.exp(-until / tau) / (1 - left)
        factor_slope = factor * (until / tau + left / (1 - left) * self.timing.period / tau)
        return excited[-1] * factor, slope[-1] * factor + excited[-1] * factor_slope


class _Steps(NamedTuple):
    """From edge to edge, each (channel or 1, row), with slopes with the log of the lifetime."""

    kept: Floats
    """Share of the excited that still are at the next edge."""
    kept_slope: Floats
    added: Floats
    """The same of what is excited evenly within the channel."""
    added_slope: Floats
    tilted: Floats
    """What is more if the rate rises from zero to twice its mean within the channel."""
    tilted_slope: Floats


def _decays_over(widths: Floats, tau: Floats) -> _Steps:
    if np.ptp(widths) <= 1e-9 * widths[0]:
        widths = widths[:1]
    ratio = widths[:, None] / tau
    kept = np.exp(-ratio)
    added = -np.expm1(-ratio) / ratio
    # Twice the mean time since the excitation of those that were still excited.
    late = 2 * (added - kept) / ratio
    return _Steps(
        kept,
        kept * ratio,
        added,
        added - kept,
        added - late,
        added - kept - 2 * late + 2 * kept,
    )


def _tilts(response: Floats) -> Floats:
    """Give how unevenly each share falls into its channel: from minus to plus the share."""
    beside = np.pad(response, 1)
    tilts: Floats = np.clip((beside[2:] - beside[:-2]) / 4, -response, response)
    return tilts


def _follow(
    response: Floats, steps: _Steps, start: Floats, start_slope: Floats
) -> tuple[Floats, Floats]:
    """Give the share that is excited at every edge, (edge, row), and its slope."""
    excited = np.empty((len(response) + 1, len(start)))
    slope = np.empty_like(excited)
    excited[0], slope[0] = start, start_slope
    n_steps = len(steps.kept)
    for channel, (share, tilt) in enumerate(zip(response, _tilts(response), strict=True)):
        kept, kept_slope, added, added_slope, tilted, tilted_slope = (
            step[channel % n_steps] for step in steps
        )
        excited[channel + 1] = excited[channel] * kept
        slope[channel + 1] = slope[channel] * kept + excited[channel] * kept_slope
        if share:
            excited[channel + 1] += share * added + tilt * tilted
            slope[channel + 1] += share * added_slope + tilt * tilted_slope
    return excited, slope
