"""Hops of tracks from place to place: their number, lengths, waiting times, and D of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from adatom.dynamics.change_points import Dwells, find_dwells, resting_variance
from adatom.dynamics.msd import ALL_CLASSES, tell_frame_time
from adatom.dynamics.trajectories import Trajectories, trajectories_of
from adatom.errors import KindError, TooFewSitesError
from adatom.schema import SITES, Sites, Table, add_note, positions, space_unit, table_from_columns
from adatom.units import Length, Time, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Within a third of the spacing a site is at a point of the lattice; farther out it stays where
# it was, so that noise halfway between two points makes no hops.
_CORE: Final = 1 / 3
# Above so many hops a frame some go to and fro unseen.
_MANY: Final = 0.2
_N_BINS: Final = 24
# Of the spacing: between it and the next distance of any plane lattice, 1.41 or more.
_NEAREST: Final = 1.2
_FEWEST_DIRECTED: Final = 5
_DIRECTED: Final = 0.01


class Hops(NamedTuple):
    """Rates and D of all and of each class, every hop, and how lengths and waits spread."""

    classes: Table
    hops: Table
    lengths: Table
    waits: Table


def count_hops(
    tracks: Sites,
    lattice: Sites | None = None,
    /,
    *,
    by: str | None = None,
    frame_time: Time | None = None,
    min_length: Length | None = None,
) -> Hops:
    """Count the hops of tracks that rest and jump, and estimate D from them.

    With a lattice a site is at the nearest point if it is within a third of
    the spacing, and otherwise still where it was. Without, each track is
    parted into rests by penalized least squares [1]_: jumps longer than some three to
    four localization errors are found, rests of one frame are not. Then
    D = (sum of squared lengths) / (4 T), which is a^2 k / 4 of hops between
    neighbors a apart at a rate k.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track`` along ``site``, drift taken off.
    lattice : Sites, optional
        Points between which tracks hop, of one frame, in the unit of the tracks.
    by : str, optional
        Variable along ``site`` that holds the class of each; tracks are cut
        where it changes.
    frame_time : time, optional
        As for `estimate_diffusion`.
    min_length : length, optional
        Shorter jumps are taken for none.

    Returns
    -------
    classes : Table
        A row a class, ``class`` -1 first for all: ``n_tracks``, ``n_hops``, ``time``
        watched, ``rate`` and ``diffusion`` with ``_low`` and ``_high``, the exact
        interval of 95 % of Poisson counts [2]_ (of hops of unlike lengths, of as many
        equal ones as would scatter as much), and ``mean_length``.
    hops : Table
        A row a hop: ``track``, ``frame`` of the last site before, ``frame_after``,
        ``y``, ``x``, ``y_after``, ``x_after``, ``length``, ``class``, and
        ``wait`` since the hop before, NaN for the first of a track.
    lengths : Table
        Histogram: ``length``, its bin ``length_low`` to ``length_high``, ``count``
        with its interval.
    waits : Table
        ``wait``, ``count`` that ended by a hop, ``at_risk``, ``survival`` (Kaplan
        and Meier: rests cut short by the end of a track count as long as they
        lasted) and ``expected`` of hops without memory at the same rate.

    Raises
    ------
    KindError
        If tracks or lattice are none, or differ in unit.
    TooFewSitesError
        If the lattice has fewer than two points.

    References
    ----------
    .. [1] B. Jackson et al., IEEE Signal Process. Lett. 12, 105 (2005).
    .. [2] F. Garwood, Biometrika 28, 437 (1936).

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> places = [0.0, 0.0, 0.1, 1.0, 1.1, 0.9]
    >>> tracks = sites_from_positions([0.0] * 6, places, unit="nm", frame=range(6))
    >>> tracks["track"] = ("site", [0] * 6)
    >>> lattice = sites_from_positions([0.0] * 3, [0.0, 1.0, 2.0], unit="nm")
    >>> found = count_hops(tracks, lattice, frame_time="2 s").classes
    >>> found["n_hops"].values, found["rate"].values, found["diffusion"].values
    (array([1]), array([0.1]), array([0.025]))
    """
    whole = trajectories_of(tracks, frame_time=frame_time)
    shortest = 0.0
    if min_length is not None:
        spacing = tracks.attrs.get("spacing")
        shortest = length_from_setting(
            min_length, unit=whole.unit, spacing=spacing, name="min_length"
        )
    points = None if lattice is None else _points(lattice, whole)
    variance = float("nan")
    if points is None:
        variance = resting_variance(whole)
    counted = [_counted(whole, ALL_CLASSES, points, variance, shortest)]
    names: list[str] = []
    if by is not None:
        parted = trajectories_of(tracks, by=by, frame_time=frame_time)
        names = [str(name) for name in parted.classes]
        for number in range(len(names)):
            part = parted.of_class(number)
            counted.append(_counted(part, number, points, variance, shortest))
    own = counted[0] if by is None else _joined(counted[1:])
    classes = _classes(counted, whole, None if points is None else _spacing(points))
    classes.attrs["class_names"] = names
    tell_frame_time(classes, whole)
    _tell(classes, counted[0], whole, variance, points is not None)
    if points is not None:
        _tell_lengths(classes, counted[0], _spacing(points))
    _tell_direction(classes, counted[0], whole)
    return Hops(classes, _hops(own, whole), _lengths(own, whole), _waits(counted[0], whole))


class _Counted(NamedTuple):
    """Hops of a class, and the rests that began with one."""

    number: NDArray[np.int64]
    n_tracks: int
    frames: float
    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    after: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    squared: NDArray[np.float64]
    wait: NDArray[np.float64]
    censored: NDArray[np.float64]


def _points(lattice: Sites, trajectories: Trajectories) -> NDArray[np.float64]:
    SITES.check(lattice, name="lattice")
    if space_unit(lattice) != trajectories.unit:
        msg = f"the lattice is in {space_unit(lattice)}, the tracks are in {trajectories.unit}"
        raise KindError(msg)
    if "frame" in lattice.coords and len(np.unique(lattice["frame"].values)) > 1:
        msg = "the lattice has several frames: take one, as by isel(site=lattice.frame == 0)"
        raise KindError(msg)
    points = positions(lattice)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        msg = f"the lattice has {len(points)} points, need 2 or more"
        raise TooFewSitesError(msg)
    return points


def _spacing(points: NDArray[np.float64]) -> float:
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))


def _dwells_on_lattice(trajectories: Trajectories, points: NDArray[np.float64]) -> Dwells:
    from scipy.spatial import cKDTree

    distance, point = cKDTree(points).query(trajectories.position)
    sure = np.flatnonzero(distance <= _CORE * _spacing(points))
    segment, frame, point = trajectories.segment[sure], trajectories.frame[sure], point[sure]
    if not len(sure):
        none = np.zeros(0, dtype=np.int64)
        return Dwells(none, none, none, np.zeros((0, 2)), np.zeros(0))
    begins = np.flatnonzero(np.r_[True, (np.diff(segment) > 0) | (np.diff(point) != 0)])
    ends = np.r_[begins[1:], len(sure)] - 1
    number = np.full(len(begins), np.inf)
    return Dwells(segment[begins], frame[begins], frame[ends], points[point[begins]], number)


def _counted(
    trajectories: Trajectories,
    number: int,
    points: NDArray[np.float64] | None,
    variance: float,
    shortest: float,
) -> _Counted:
    if points is not None:
        dwells = _dwells_on_lattice(trajectories, points)
        variance = 0.0
    else:
        dwells = find_dwells(trajectories, max(variance, 1e-300))
    is_first = np.r_[True, np.diff(dwells.segment) > 0][: len(dwells.first)]
    is_last = np.r_[is_first[1:], True][: len(dwells.first)]
    frames = float(dwells.last[is_last].sum() - dwells.first[is_first].sum())
    hop = np.flatnonzero(np.diff(dwells.segment) == 0)
    step = dwells.position[hop + 1] - dwells.position[hop]
    length = np.hypot(*step.T)
    hop = hop[length >= shortest]
    squared = length[length >= shortest] ** 2
    # Means of few sites are not where the rest was.
    squared -= 2 * variance * (1 / dwells.number[hop] + 1 / dwells.number[hop + 1])
    segment = dwells.segment[hop]
    arrived = dwells.first[hop + 1].astype(np.float64)
    same = np.r_[False, np.diff(segment) == 0]
    wait = np.where(same, arrived - np.r_[np.nan, arrived[:-1]], np.nan)
    # Rests that began with a hop and were cut short by the end of the track.
    cut = np.flatnonzero(is_last & ~is_first)
    if shortest > 0:
        cut = cut[np.isin(cut, hop + 1)]
    return _Counted(
        number=np.full(len(hop), number),
        n_tracks=len(np.unique(trajectories.track[np.unique(trajectories.segment)])),
        frames=frames,
        track=trajectories.names[trajectories.track[segment]],
        frame=dwells.last[hop],
        after=dwells.first[hop + 1],
        start=dwells.position[hop],
        end=dwells.position[hop + 1],
        squared=squared,
        wait=wait,
        censored=(dwells.last[cut] - dwells.first[cut]).astype(np.float64),
    )


def _joined(parts: list[_Counted]) -> _Counted:
    values = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in _Counted._fields
        if name not in {"n_tracks", "frames"}
    }
    total = sum(part.frames for part in parts)
    return _Counted(n_tracks=sum(part.n_tracks for part in parts), frames=total, **values)


def poisson_interval(number: float, /) -> tuple[float, float]:
    """Give the exact interval of 95 % of the mean of a Poisson count.

    Examples
    --------
    >>> [round(end, 3) for end in poisson_interval(10)]
    [4.795, 18.39]
    """
    low = float(gammaincinv(number, 0.025)) if number > 0 else 0.0
    return low, float(gammaincinv(number + 1, 0.975))


def _classes(counted: list[_Counted], trajectories: Trajectories, spacing: float | None) -> Table:
    columns: dict[str, list[float]] = {}
    for row, part in enumerate(counted):
        n = len(part.squared)
        time = part.frames * trajectories.step
        low, high = poisson_interval(n)
        squares = float(part.squared.sum())
        diffusion = squares / (4 * time) if time else np.nan
        if n:
            alike = squares**2 / float((part.squared**2).sum())
            ends = [end / alike * diffusion for end in poisson_interval(alike)]
        elif spacing is not None and time:
            ends = [0.0, high * spacing**2 / (4 * time)]
        else:
            ends = [0.0, np.nan]
        values = {
            "class": ALL_CLASSES if row == 0 else row - 1,
            "n_tracks": part.n_tracks,
            "n_hops": n,
            "time": time,
            "rate": n / time if time else np.nan,
            "rate_low": low / time if time else np.nan,
            "rate_high": high / time if time else np.nan,
            "diffusion": diffusion,
            "diffusion_low": ends[0],
            "diffusion_high": ends[1],
            "mean_length": float(np.sqrt(max(squares / n, 0.0))) if n else np.nan,
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    unit, time_unit = trajectories.unit, trajectories.time_unit
    units = {name: f"{unit}^2/{time_unit}" for name in columns if "diffusion" in name}
    units |= {name: f"1/{time_unit}" for name in columns if "rate" in name}
    return table_from_columns(columns, units=units | {"time": time_unit, "mean_length": unit})


def _hops(part: _Counted, trajectories: Trajectories) -> Table:
    columns = {
        "track": part.track,
        "class": part.number,
        "frame": part.frame,
        "frame_after": part.after,
        "y": part.start[:, 0],
        "x": part.start[:, 1],
        "y_after": part.end[:, 0],
        "x_after": part.end[:, 1],
        "length": np.hypot(*(part.end - part.start).T),
        "wait": part.wait * trajectories.step,
    }
    places = ("y", "x", "y_after", "x_after", "length")
    units = dict.fromkeys(places, trajectories.unit) | {"wait": trajectories.time_unit}
    return table_from_columns(columns, units=units)


def _lengths(part: _Counted, trajectories: Trajectories) -> Table:
    length = np.hypot(*(part.end - part.start).T)
    edges = np.linspace(0, float(length.max(initial=0.0)) * 1.02 or 1.0, _N_BINS + 1)
    count = np.histogram(length, edges)[0]
    ends = np.array([poisson_interval(float(number)) for number in count])
    columns = {
        "length": (edges[1:] + edges[:-1]) / 2,
        "length_low": edges[:-1],
        "length_high": edges[1:],
        "count": count,
        "count_low": ends[:, 0],
        "count_high": ends[:, 1],
    }
    return table_from_columns(
        columns, units=dict.fromkeys(("length", "length_low", "length_high"), trajectories.unit)
    )


def _waits(part: _Counted, trajectories: Trajectories) -> Table:
    ended = part.wait[np.isfinite(part.wait)]
    wait, count = np.unique(ended, return_counts=True)
    everything = np.sort(np.concatenate([ended, part.censored]))
    risk = len(everything) - np.searchsorted(everything, wait)
    rate = len(part.squared) / part.frames if part.frames else np.nan
    columns = {
        "wait": wait * trajectories.step,
        "count": count,
        "at_risk": risk,
        "survival": np.cumprod(1 - count / np.maximum(risk, 1)),
        "expected": np.exp(-rate * wait),
    }
    return table_from_columns(columns, units={"wait": trajectories.time_unit})


def _tell(
    classes: Table,
    part: _Counted,
    trajectories: Trajectories,
    variance: float,
    on_lattice: bool,
) -> None:
    if on_lattice:
        add_note(classes, "Hops are changes of the nearest point of the lattice.")
    else:
        error = float(np.sqrt(variance))
        add_note(
            classes,
            "Hops are jumps between rests, found with a localization error of "
            f"{error:.3g} {trajectories.unit}; rests of a single frame are not seen.",
        )
    n = len(part.squared)
    if part.frames and n / part.frames > _MANY:
        add_note(
            classes,
            f"Hops come {n / part.frames:.2g} times a frame: some go to and fro within a frame, "
            "and the rate is too small. D does not suffer on a lattice; faster frames would show "
            "them.",
        )


def _tell_lengths(classes: Table, part: _Counted, spacing: float) -> None:
    """Say how many hops lead farther than to the nearest points."""
    n = len(part.squared)
    if not n:
        return
    far = int((np.sqrt(part.squared) > _NEAREST * spacing).sum())
    if far:
        add_note(
            classes,
            f"{n - far} of {n} hops lead to a nearest point, {far} farther: several hops within "
            "the time between two sights count as one.",
        )
    else:
        add_note(classes, f"All of the {n} hops lead to a nearest point.")


def _tell_direction(classes: Table, part: _Counted, trajectories: Trajectories) -> None:
    """Say whether hops go one way, so that D of their lengths is no diffusion."""
    n = len(part.squared)
    if n < _FEWEST_DIRECTED:
        return
    net = float(np.hypot(*(part.end - part.start).sum(axis=0)))
    squares = float((np.hypot(*(part.end - part.start).T) ** 2).sum())
    # Rayleigh: the sum of many steps without direction is normal along both axes.
    chance = float(np.exp(-(net**2) / squares)) if squares else 1.0
    if chance < _DIRECTED:
        add_note(
            classes,
            f"Hops have a direction: together they lead {net:.3g} {trajectories.unit}, as far as "
            f"hops without one do with a probability of {chance:.1g}. D is of their lengths alone: "
            "motion that is driven is no diffusion.",
        )
