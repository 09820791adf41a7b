"""Mean squared displacements at true lags, with effective numbers and bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.dynamics.displacements import SquaredDisplacements, squared_displacements
from adatom.dynamics.resampling import FEWEST_TRACKS, joined_units, resampled_weights
from adatom.dynamics.trajectories import Trajectories, trajectories_of
from adatom.errors import SettingError
from adatom.schema import Image, Sites, Table, add_note, table_from_columns
from adatom.units import Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL_CLASSES: Final = -1
"""Class of the rows that hold all tracks together."""
_N_RESAMPLES: Final = 400


def estimate_msd(
    tracks: Sites,
    /,
    *,
    max_lag: int | None = None,
    by: str | None = None,
    frame_time: Time | None = None,
    seed: int = 0,
) -> Table:
    """Estimate mean squared displacements of tracks, for all and for each class.

    Pairs of sites are taken at the number of frames that truly lies between
    them: a gap in a track is not one step. For free motion in a plane the
    mean squared displacement over n frames is 4 D n t + 4 s^2 - (4/3) D e,
    with the localization error s of an axis and the exposure e of a
    frame [1]_: it does not go to zero at short lags.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track`` along ``site``; sites with a negative track
        are not linked and left out.
    max_lag : int, optional
        Longest lag in frames; by default a quarter of the longest track, since
        pairs farther apart are few and overlap.
    by : str, optional
        Variable along ``site`` that holds the class of each: a pair
        counts where its track stayed in one class from the first to the last.
    frame_time : time, optional
        Time from frame to frame; by default that of ``time`` along the
        sites or of ``attrs["frame_time"]``, in seconds. Without any lags are in frames.
    seed : int
        Of the resampling.

    Returns
    -------
    Table
        A row a lag and class, ``class`` -1 first for all together: ``lag`` in
        frames, ``lag_time``, ``msd`` with ``msd_low`` and ``msd_high``, its
        band of 95 % by bootstrap over tracks (of ten tracks or more);
        ``msd_y`` and ``msd_x`` of single axes, ``n_tracks``, ``n_pairs`` and
        ``n_effective``, the number of independent pairs that would tell as
        much of a free motion.

    Raises
    ------
    KindError
        If the sites have no frame or track, or a track is twice in a frame.
    TooFewSitesError
        If no track has two sites.
    SettingError
        If `by` is no variable of labels, or `max_lag` below one.

    References
    ----------
    .. [1] A. J. Berglund, Phys. Rev. E 82, 011917 (2010); H. Qian et al.,
       Biophys. J. 60, 910 (1991), for the effective number.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> steps = np.random.default_rng(0).normal(size=(2, 50, 100))
    >>> y, x = np.cumsum(steps, axis=2).reshape(2, -1)
    >>> tracks = sites_from_positions(y, x, unit="nm", frame=np.tile(np.arange(100), 50))
    >>> tracks["track"] = ("site", np.repeat(np.arange(50), 100))
    >>> msd = estimate_msd(tracks, max_lag=3)
    >>> msd["msd"].values.round(1), msd["lag_time"].units
    (array([2., 4., 6.]), 'frame')
    """
    whole = trajectories_of(tracks, frame_time=frame_time)
    n_lags = checked_lags(max_lag, whole)
    rng = np.random.default_rng(seed)
    rows = [_rows(whole, n_lags, ALL_CLASSES, rng)]
    names: list[str] = []
    if by is not None:
        parted = trajectories_of(tracks, by=by, frame_time=frame_time)
        names = [str(name) for name in parted.classes]
        rows += [_rows(parted.of_class(k), n_lags, k, rng) for k in range(len(names))]
    columns = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    square = f"{whole.unit}^2"
    units = dict.fromkeys(("msd", "msd_low", "msd_high", "msd_y", "msd_x"), square)
    table = table_from_columns(columns, units=units | {"lag_time": whole.time_unit})
    table.attrs["class_names"] = names
    tell_frame_time(table, whole)
    return table


def checked_lags(max_lag: int | None, trajectories: Trajectories, /) -> int:
    """Give the longest lag: as told, or a quarter of the longest track, within its length."""
    if max_lag is not None and max_lag < 1:
        msg = f"{max_lag=} must be 1 frame or more"
        raise SettingError(msg)
    starts = np.flatnonzero(np.r_[True, np.diff(trajectories.segment) > 0])
    ends = np.r_[starts[1:], len(trajectories.segment)] - 1
    longest = int((trajectories.frame[ends] - trajectories.frame[starts]).max())
    return min(longest, max(1, (longest + 1) // 4) if max_lag is None else max_lag)


def tell_frame_time(table: Table | Image, trajectories: Trajectories, /) -> None:
    """Note in what time is counted."""
    if trajectories.frame_time is None:
        add_note(
            table,
            "The time between frames is not known: times are in frames, rates per frame. "
            'Give frame_time="... s" for seconds.',
        )
    else:
        table.attrs["frame_time"] = trajectories.frame_time
        add_note(table, f"A frame takes {trajectories.frame_time:.6g} s.")


def _rows(
    trajectories: Trajectories, n_lags: int, number: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    sums = squared_displacements(trajectories, n_lags=n_lags)
    pairs = sums.pairs.sum(axis=0)
    low, high = _band(sums, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = sums.squares.sum(axis=0) / pairs[:, None]
        effective = pairs**2 / sums.overlap.sum(axis=0)
    lag = np.arange(1, n_lags + 1)
    columns = {
        "class": np.full(n_lags, number),
        "lag": lag,
        "lag_time": lag * trajectories.step,
        "msd": each.sum(axis=1),
        "msd_low": low,
        "msd_high": high,
        "msd_y": each[:, 0],
        "msd_x": each[:, 1],
        "n_tracks": (sums.pairs > 0).sum(axis=0),
        "n_pairs": pairs.astype(np.int64),
        "n_effective": effective,
    }
    there = pairs > 0
    return {name: column[there] for name, column in columns.items()}


def _band(
    sums: SquaredDisplacements, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the percentiles of resampled tracks, of lags that enough of them reach."""
    low, high = (np.full(sums.pairs.shape[1], np.nan) for _ in range(2))
    enough = (sums.pairs > 0).sum(axis=0) >= FEWEST_TRACKS
    if not enough.any():
        return low, high
    squares, pairs = sums.squares.sum(axis=2)[:, enough], sums.pairs[:, enough]
    units = joined_units(np.column_stack([squares, pairs]), rng)
    totals = resampled_weights(len(units), rng, n_resamples=_N_RESAMPLES) @ units
    n = pairs.shape[1]
    # A resample that holds no such pair at all is left out.
    with np.errstate(invalid="ignore"):
        means = totals[:, :n] / totals[:, n:]
    low[enough], high[enough] = np.nanquantile(means, [0.025, 0.975], axis=0)
    return low, high
