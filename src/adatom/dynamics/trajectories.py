"""Tracks as arrays sorted by track and frame, cut where their class changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError, TooFewSitesError, UnitError
from adatom.schema import SITES, Sites, positions, space_unit
from adatom.units import TIME, Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Times of frames may jitter by this share of a step and still be taken for equal steps.
_EVEN: Final = 0.05


@dataclass(frozen=True)
class Trajectories:
    """Sites of tracks in the order of track and frame.

    Attributes
    ----------
    position : array, shape (site, axis)
        Axis y, x.
    frame : array of int, shape (site,)
    segment : array of int, shape (site,)
        Runs of one track in one class: 0, 1, ...
    track : array of int, shape (segment,)
        Index in `names` of the track that each segment is of.
    label : array of int, shape (segment,)
        Index in `classes`; zeros where no class was asked for.
    variance : array, shape (site,), or None
        Expected variance of a position, mean of both axes, where the sites tell it.
    order : array of int, shape (site,)
        Which row of the sites each is.
    names : array of int, shape (track,)
        As the sites number their tracks.
    classes : array
        Names of the classes.
    unit : str
        Of length.
    frame_time : float or None
        Seconds from frame to frame; None where nothing tells it.
    n_phases : int
        Frames of the movie in one step of `frame`: segments then come in as
        many phases, which hold the same motion over again.
    """

    position: NDArray[np.float64]
    frame: NDArray[np.int64]
    segment: NDArray[np.int64]
    track: NDArray[np.int64]
    label: NDArray[np.int64]
    variance: NDArray[np.float64] | None
    order: NDArray[np.int64]
    names: NDArray[np.int64]
    classes: NDArray[np.int64] | NDArray[np.str_]
    unit: str
    frame_time: float | None
    n_phases: int = 1

    @property
    def step(self) -> float:
        """Time of a step of `frame`, in seconds, or in frames where no time is known."""
        return self.n_phases * (1.0 if self.frame_time is None else self.frame_time)

    @property
    def time_unit(self) -> str:
        """Unit of `step`: seconds or frames."""
        return "frame" if self.frame_time is None else "s"

    def of_class(self, number: int, /) -> Trajectories:
        """Keep the segments of one class; numbers of tracks stay."""
        return self._of(self.label == number)

    def of_phase(self, number: int, /) -> Trajectories:
        """Keep one phase of every track."""
        starts = np.flatnonzero(np.r_[True, np.diff(self.segment) > 0])
        before = np.r_[-1, self.track[:-1]]
        first = np.maximum.accumulate(np.where(before != self.track, np.arange(len(starts)), 0))
        return self._of(np.arange(len(starts)) - first == number)

    def _of(self, keep: NDArray[np.bool_]) -> Trajectories:
        rows = keep[self.segment]
        return replace(
            self,
            position=self.position[rows],
            frame=self.frame[rows],
            segment=(np.cumsum(keep) - 1)[self.segment[rows]],
            track=self.track[keep],
            label=self.label[keep],
            variance=None if self.variance is None else self.variance[rows],
            order=self.order[rows],
        )

    def with_steps_of(self, n_frames: int, /) -> Trajectories:
        """Take every so many frames for one, from each first frame that there is."""
        if n_frames == 1:
            return self
        phase = self.frame % n_frames
        order = np.lexsort((self.frame, phase, self.segment))
        number = (self.segment * n_frames + phase)[order]
        begins = np.r_[True, np.diff(number) > 0]
        of_segment = self.segment[order][begins]
        return replace(
            self,
            position=self.position[order],
            frame=(self.frame // n_frames)[order],
            segment=np.cumsum(begins) - 1,
            track=self.track[of_segment],
            label=self.label[of_segment],
            variance=None if self.variance is None else self.variance[order],
            order=self.order[order],
            n_phases=n_frames,
        )


def trajectories_of(
    tracks: Sites, /, *, by: str | None = None, frame_time: Time | None = None
) -> Trajectories:
    """Sort the sites of tracks, check them, and find the time between frames.

    Raises
    ------
    KindError
        If the sites have no frame or track, or a track is twice in one frame.
    SettingError
        If `by` names no labels along the sites.
    TooFewSitesError
        If no track has two sites.
    UnitError
        If times of frames are no times, or not in equal steps.
    """
    SITES.check(tracks, name="tracks")
    frame, track = (_numbers(tracks, name) for name in ("frame", "track"))
    place = positions(tracks)
    linked = np.flatnonzero((track >= 0) & np.isfinite(place).all(axis=1))
    order = linked[_order(track[linked], frame[linked])]
    frame, track, place = frame[order], track[order], place[order]
    same = track[1:] == track[:-1]
    if (twice := np.flatnonzero(same & (frame[1:] == frame[:-1]))).size:
        first = twice[0]
        msg = (
            f"track {track[first]} has two sites in frame {frame[first]}: "
            "a track is at one place at a time; link anew, or drop one of them"
        )
        raise KindError(msg)
    if not same.any():
        msg = f"none of {len(np.unique(track))} tracks has two sites: link the sites over frames"
        raise TooFewSitesError(msg)
    classes, label = _labels(tracks, by, order)
    begins = np.r_[True, ~same | (label[1:] != label[:-1])]
    first = np.r_[True, ~same]
    return Trajectories(
        position=place,
        frame=frame,
        segment=np.cumsum(begins) - 1,
        track=(np.cumsum(first) - 1)[begins],
        label=label[begins],
        variance=_variance(tracks, order),
        order=order,
        names=track[first],
        classes=classes,
        unit=space_unit(tracks),
        frame_time=time_of_frame(tracks, frame_time),
    )


def _order(track: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort by track, then by frame."""
    if not len(track):
        return np.zeros(0, dtype=np.int64)
    low, span = int(frame.min()), int(np.ptp(frame)) + 1
    # One number a site is sorted several times faster than two.
    if int(track.max()) < np.iinfo(np.int64).max // span:
        return np.asarray(np.argsort(track * span + (frame - low), kind="stable"))
    return np.asarray(np.lexsort((frame, track)))


def _numbers(tracks: Sites, name: str) -> NDArray[np.int64]:
    if name not in tracks.variables or tracks[name].dims != ("site",):
        remedy = "link them with tracking" if name == "track" else "find them in a movie"
        msg = f"these sites have no {name!r} along 'site', which tracks need: {remedy}"
        raise KindError(msg)
    values = tracks[name].values
    if values.dtype.kind not in "iu":
        msg = f"{name!r} is {values.dtype}, need integers"
        raise KindError(msg)
    return np.asarray(values, dtype=np.int64)


def _labels(
    tracks: Sites, by: str | None, order: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | NDArray[np.str_], NDArray[np.int64]]:
    if by is None:
        return np.zeros(1, dtype=np.int64), np.zeros(len(order), dtype=np.int64)
    if by not in tracks.variables or tracks[by].dims != ("site",):
        known = ", ".join(str(n) for n in tracks.variables if tracks[n].dims == ("site",))
        msg = f"{by=} is no variable along 'site': these tracks have {known}"
        raise SettingError(msg)
    values = tracks[by].values[order]
    if values.dtype.kind not in "iuUb":
        msg = f"{by=} is {values.dtype}, need labels: integers or names"
        raise SettingError(msg)
    classes, label = np.unique(values, return_inverse=True)
    return classes, label.astype(np.int64)


def _variance(tracks: Sites, order: NDArray[np.int64]) -> NDArray[np.float64] | None:
    if "covariance" not in tracks or tracks["covariance"].ndim != 3:
        return None
    covariance = tracks["covariance"].transpose("site", ...).values[order]
    return np.asarray(np.trace(covariance, axis1=1, axis2=2) / 2, dtype=np.float64)


def time_of_frame(tracks: Sites, told: Time | None, /) -> float | None:
    """Find the seconds between frames: told, or from the sites' ``time``, or ``frame_time``.

    Raises
    ------
    UnitError
        If it is not positive, or the frames are not in equal steps of time.
    """
    if told is not None:
        value, unit = TIME.check(told, name="frame_time")
        seconds = value * (1e-9 if unit == "ns" else 1.0)
    elif "time" in tracks.variables and tracks["time"].dims == ("site",):
        return _time_of_sites(tracks)
    elif "frame_time" in tracks.attrs:
        given = tracks.attrs["frame_time"]
        if isinstance(given, str):
            return time_of_frame(tracks, given)
        seconds = float(given)
    else:
        return None
    if not (np.isfinite(seconds) and seconds > 0):
        msg = f"a frame time of {seconds:g} s is not positive: give it as frame_time='0.5 s'"
        raise UnitError(msg)
    return seconds


def _time_of_sites(tracks: Sites) -> float | None:
    unit = tracks["time"].attrs.get("units")
    if unit not in {"s", "ns"}:
        msg = f"'time' of the tracks has the unit {unit!r}, need s or ns"
        raise UnitError(msg)
    frame, first = np.unique(tracks["frame"].values, return_index=True)
    time = tracks["time"].values[first] * (1e-9 if unit == "ns" else 1.0)
    if len(frame) < 2:
        return None
    step = np.diff(time) / np.diff(frame)
    seconds = float((time[-1] - time[0]) / (frame[-1] - frame[0]))
    if not seconds > 0 or not np.allclose(step, seconds, rtol=_EVEN, atol=0):
        msg = (
            f"frames are {step.min():.3g} to {step.max():.3g} s apart, diffusion needs equal "
            "steps: give frame_time= if the times are wrong, or drop 'time' for results per frame"
        )
        raise UnitError(msg)
    return seconds
