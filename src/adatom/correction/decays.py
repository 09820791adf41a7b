"""Counts of single photons over time: dark counts, lost photons, dead channels, time zero."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows, channel_axis_of, channels_in
from adatom.numerics.decays import rise_of, total_of
from adatom.numerics.measures import measures_by_rows
from adatom.schema import FEATURES, Features, add_note

# The foot is a tenth of the height; three times its distance to half height before it, a
# Gaussian rise has fallen to one in a million.
_CLEAR: Final = 3.0
_LEAST_BEFORE: Final = 3
# A working channel with the counts of its neighbors has as few by chance once in 1e12.
_SIGMAS: Final = 7.0
_DEAD: Final = 0.2
# Channels on each side that are looked at: a run of dead ones is shorter.
_LONGEST_RUN: Final = 4


class DecayBackground(NamedTuple):
    """Decays without background, and what it was."""

    decays: Features
    levels: Features
    """(..., measure): counts a channel that were taken off."""


def correct_decay_background(
    decays: Features, /, *, before: tuple[str, str] | None = None
) -> DecayBackground:
    """Take off the counts that are there before the pulse: dark counts and stray light.

    Every row loses the mean of its own channels before the pulse. Where the
    laser repeats within a few lifetimes, these hold what the pulse before
    left, and too much is taken. For phasors and pictures; fits by likelihood
    need the counts as they were, and fit the background themselves.

    Parameters
    ----------
    decays : Features
        Counts (..., time). Numpy gives numpy; dask gives dask.
    before : tuple of two texts, optional
        Such as ("0 ns", "1.2 ns"). By default all channels before the rise of
        the sum of all decays: up to where it reaches a tenth of its height,
        less three times the way from there to a half.

    Returns
    -------
    DecayBackground
        Decays, below zero where noise is, and the level of every row.

    Raises
    ------
    SettingError
        If fewer than three channels lie before the pulse.

    Examples
    --------
    >>> time = ("time", np.arange(12.0), {"units": "ns"})
    >>> counts = np.array([[2.0, 2, 2, 2, 2, 2, 92, 72, 42, 22, 12, 7]])
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> found = correct_decay_background(decays)
    >>> found.levels.values, found.decays.values[0, 5:8]
    (array([[2.]]), array([ 0., 90., 70.]))
    """
    FEATURES.check(decays)
    used = _before_pulse(decays) if before is None else channels_in(decays, before, name="before")
    if used.sum() < _LEAST_BEFORE:
        msg = (
            f"{int(used.sum())} channels lie before the pulse, {_LEAST_BEFORE} are needed: "
            'name others that hold background only, before=("11 ns", "12 ns")'
        )
        raise SettingError(msg)

    def level(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(rows[:, used].astype(np.float64).mean(axis=1, keepdims=True))

    def left(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(rows - level(rows))

    units = {"background": str(decays.attrs.get("units", "1"))}
    levels = measures_by_rows(decays, level, units, name="background")
    result = by_rows(decays, left)
    axis, unit = channel_axis_of(decays)
    ends = f"{axis[used].min():.6g} to {axis[used].max():.6g} {unit}"
    add_note(result, f"Every decay lost the mean of its {int(used.sum())} channels from {ends}.")
    return DecayBackground(result, levels)


def _before_pulse(decays: xr.DataArray) -> NDArray[np.bool_]:
    rise = rise_of(total_of(blocks(decays)).counts)
    end = rise.foot - _CLEAR * max(rise.half - rise.foot, 0.5)
    return np.asarray(np.arange(decays.shape[-1]) <= end)


def correct_dead_channels(decays: Features, /, *, fill: bool = True) -> Features:
    """Find channels of a counter that count next to nothing while those on both sides do.

    Judged by the sum of all decays: less than a fifth of what is reached
    within four channels on either side, and no chance, seven standard
    deviations below that. Runs of up to three dead channels are found.

    Parameters
    ----------
    decays : Features
        Counts (..., time). Numpy gives numpy; dask gives dask.
    fill : bool
        Whether they take the mean of the working channels on both sides, row
        by row, as phasors and clustering need; otherwise they become NaN,
        not measured, which fits of decays leave out.

    Returns
    -------
    Features
        With the channels that were dead in the notes.

    Examples
    --------
    >>> time = ("time", np.arange(6.0), {"units": "ns"})
    >>> counts = np.array([[900.0, 800, 0, 600, 500, 400]])
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> correct_dead_channels(decays).values
    array([[900., 800., 700., 600., 500., 400.]])
    """
    FEATURES.check(decays)
    dead = _dead_channels(total_of(blocks(decays)).counts)
    working = np.flatnonzero(~dead)
    left = working[np.maximum(np.searchsorted(working, np.arange(len(dead))) - 1, 0)]
    right = working[np.minimum(np.searchsorted(working, np.arange(len(dead))), len(working) - 1)]

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        between = (wide[:, left] + wide[:, right]) / 2 if fill else np.nan
        return np.where(dead, between, wide)

    result = by_rows(decays, work)
    axis, unit = channel_axis_of(decays)
    which = ", ".join(f"{value:.5g}" for value in axis[dead][:20])
    now = "took the mean of those beside them" if fill else "are NaN"
    told = f"{int(dead.sum())} dead channels {now}: {which} {unit}."
    add_note(result, told if dead.any() else "No channel is dead.")
    return result


def _dead_channels(total: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Give channels far below what is reached on both sides within a run of dead ones and one."""
    known = np.maximum(np.nan_to_num(total), 0.0)
    padded = np.pad(known, _LONGEST_RUN)
    beside = np.lib.stride_tricks.sliding_window_view(padded, _LONGEST_RUN).max(axis=1)
    size = len(known)
    reached = np.minimum(beside[:size], beside[_LONGEST_RUN + 1 : _LONGEST_RUN + 1 + size])
    chance = _SIGMAS * np.sqrt(np.maximum(reached, 1.0))
    return np.asarray((known < _DEAD * reached) & (reached - known > chance))


def correct_pile_up(decays: Features, /, *, n_pulses: int) -> Features:
    """Give back the photons that were lost because another came first [1]_.

    A counter that times one photon a pulse misses those that follow it, so
    that decays look too fast. Above some 5 % of pulses with a photon that
    matters.

    Parameters
    ----------
    decays : Features
        Counts (..., time) of one detector, all channels after the pulse in
        order. Numpy gives numpy; dask gives dask.
    n_pulses : int
        Pulses during the dwell time of a pixel: repetition frequency times
        dwell time (and frames); 80 MHz for 0.1 ms are 8000.

    Returns
    -------
    Features
        Not counts any more in the sense of Poisson where much was lost.
        Rows with a photon in every pulse are NaN: what they missed is not known.

    Raises
    ------
    SettingError
        If there are fewer pulses than photons in a row.

    Examples
    --------
    >>> time = ("time", np.arange(4.0), {"units": "ns"})
    >>> decays = xr.DataArray([[50.0, 25.0, 0, 0]], dims=("site", "time"), coords={"time": time})
    >>> correct_pile_up(decays, n_pulses=100).values.round(1)
    array([[69.3, 69.3,  0. ,  0. ]])

    References
    ----------
    .. [1] P. B. Coates, J. Phys. E 1, 878 (1968).
    """
    FEATURES.check(decays)
    if n_pulses < 1:
        msg = f"{n_pulses=} must be 1 or more"
        raise SettingError(msg)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        until = np.cumsum(wide, axis=1)
        if (until[:, -1] > n_pulses).any():
            msg = (
                f"a decay has {np.nanmax(until[:, -1]):.6g} photons of {n_pulses=}: a counter of "
                "one photon a pulse cannot have more; count all frames and the whole dwell time"
            )
            raise SettingError(msg)
        free = n_pulses - (until - wide)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = -n_pulses * np.log1p(-wide / free)
        # Also where the last photon came in the last pulse that was free.
        return np.where((until[:, -1:] < n_pulses), found, np.nan)

    result = by_rows(decays, work)
    add_note(result, f"Pile-up of {n_pulses} pulses a pixel was corrected.")
    return result


def correct_time_zero(decays: Features, /) -> Features:
    """Count time from the pulse: where the sum of all decays reaches half of its height.

    Only the axis moves, by a part of a channel where that is needed; the
    counts stay.

    Parameters
    ----------
    decays : Features
        Counts (..., time). Numpy gives numpy; dask gives dask.

    Returns
    -------
    Features
        With the shift in the notes.

    Raises
    ------
    SettingError
        If no pulse shows.
    KindError
        If the last axis is no time.

    Examples
    --------
    >>> time = ("time", np.arange(12.0), {"units": "ns"})
    >>> counts = np.array([[0.0, 0, 0, 50, 100, 80, 60, 40, 20, 10, 5, 2]])
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> correct_time_zero(decays).time.values[:5]
    array([-3., -2., -1.,  0.,  1.])
    """
    FEATURES.check(decays)
    axis, unit = channel_axis_of(decays)
    if unit not in {"ns", "s"}:
        msg = f"the measured axis {decays.dims[-1]!r} is in {unit}, decays need a time in ns or s"
        raise KindError(msg)
    rise = rise_of(total_of(blocks(decays)).counts)
    zero = float(np.interp(rise.half, np.arange(len(axis)), axis))
    dim = str(decays.dims[-1])
    result = decays.assign_coords({dim: (dim, axis - zero, decays.coords[dim].attrs)})
    result.attrs = dict(decays.attrs)
    add_note(result, f"Time counts from {zero:.6g} {unit}, where the sum of all decays rises.")
    return result
