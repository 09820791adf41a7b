"""States of tracks, read from sites: sorted, checked, what is missing told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, SITES, Classes, Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

# After so many frames a state says next to nothing of the one before; powers of a matrix
# for every frame of a gap would cost more than it tells.
_LONGEST_GAP: Final = 1000
# Times of frames that differ by more are no even clock.
_EVEN: Final = 0.01


@dataclass(frozen=True)
class TrackedStates:
    """Observations sorted by track, then frame.

    Attributes
    ----------
    site : array of int, shape (observation,)
        Where each stands among the sites.
    track, frame, state : array of int, shape (observation,)
    names : list of str
        Of the states.
    frames : tuple of int
        First and last frame of the movie, as far as the sites tell.
    frame_time : float or None
        Seconds from frame to frame, where sites carry times.
    notes : list of str
        What was left out, for the reader.
    """

    site: NDArray[np.int64]
    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    state: NDArray[np.int64]
    names: list[str]
    frames: tuple[int, int]
    frame_time: float | None
    notes: list[str]


def tracked_states(tracks: Sites, classes: Classes | None, of: str) -> TrackedStates:
    """Read the states of tracks.

    Raises
    ------
    KindError
        If sites carry no tracks, frames or states, or a track is twice in a frame.
    """
    SITES.check(tracks, name="the tracks")
    frame, track = (_integers(tracks, name) for name in ("frame", "track"))
    state, names = _states(tracks, classes, of)
    if not len(frame):
        msg = "there are no sites: link a movie in which something was found"
        raise KindError(msg)
    notes = []
    for lost, why in ((track < 0, "on no track"), (state < 0, "of no known state")):
        if lost.any():
            notes.append(f"{int(lost.sum())} of {len(lost)} sites are {why} and count as not seen.")
    order = np.lexsort((frame, track))
    order = order[(track[order] >= 0) & (state[order] >= 0)]
    twice = (np.diff(track[order]) == 0) & (np.diff(frame[order]) == 0)
    if twice.any():
        at = order[int(twice.argmax())]
        msg = (
            f"track {track[at]} is twice in frame {frame[at]}: a track is one object, so that "
            "`frame` and `track` together must not repeat"
        )
        raise KindError(msg)
    number = _cut(track[order], frame[order], notes)
    if not len(order):
        msg = "no site is on a track and of a known state: nothing can be counted"
        raise KindError(msg)
    return TrackedStates(
        site=order,
        track=number,
        frame=frame[order],
        state=state[order],
        names=names,
        frames=(int(frame.min()), int(frame.max())),
        frame_time=_frame_time(tracks, frame, notes),
        notes=notes,
    )


def _cut(track: NDArray[np.int64], frame: NDArray[np.int64], notes: list[str]) -> NDArray[np.int64]:
    """Give tracks new numbers after gaps that are too long to tell anything."""
    same = np.diff(track) == 0
    long = same & (np.diff(frame) > _LONGEST_GAP)
    if not long.any():
        return track
    notes.append(f"Tracks are cut at {int(long.sum())} gaps of more than {_LONGEST_GAP} frames.")
    parted = np.concatenate([[False], ~same | long])
    return np.cumsum(parted).astype(np.int64)


def _integers(tracks: Sites, name: str) -> NDArray[np.int64]:
    if name not in tracks.variables or tracks[name].dims != ("site",):
        msg = f"the sites have no {name!r} along 'site': link them first, tracks carry both"
        raise KindError(msg)
    values = tracks[name].values
    if values.dtype.kind not in "iu":
        msg = f"{name!r} of the tracks is {values.dtype}, need integers"
        raise KindError(msg)
    return values.astype(np.int64)


def _states(tracks: Sites, classes: Classes | None, of: str) -> tuple[NDArray[np.int64], list[str]]:
    if classes is not None:
        CLASSES.check(classes, name="the classes")
        label = classes["label"]
        if label.dims != ("site",) or label.size != tracks.sizes["site"]:
            msg = (
                f"classes have {dict(label.sizes)}, tracks {tracks.sizes['site']} sites: "
                "give the classes of these very sites, in their order"
            )
            raise KindError(msg)
        return _numbered(label.values, classes.attrs.get("class_names"), of="label")
    if of not in tracks.variables or tracks[of].dims != ("site",):
        known = [str(n) for n, v in tracks.variables.items() if v.dims == ("site",)]
        msg = f"{of=} is no variable along 'site': the tracks have {', '.join(sorted(known))}"
        raise SettingError(msg)
    column = tracks[of]
    names = column.attrs.get("names", tracks.attrs.get("class_names"))
    return _numbered(column.values, names, of=of)


def _numbered(
    values: NDArray[np.generic], names: list[str] | None, *, of: str
) -> tuple[NDArray[np.int64], list[str]]:
    if values.dtype.kind in "UOT":
        text = values.astype(str)
        told = sorted(set(text.tolist()) - {""})
        place = {name: k for k, name in enumerate(told)} | {"": -1}
        return np.array([place[name] for name in text.tolist()], dtype=np.int64), told
    if values.dtype.kind not in "iu":
        msg = f"{of!r} is {values.dtype}, need integers (-1: not known) or names"
        raise KindError(msg)
    state = values.astype(np.int64)
    n = int(state.max(initial=-1)) + 1
    told = [str(name) for name in names] if names is not None else []
    # Names of classes that were never seen are kept; numbers stand in for names not given.
    return state, told + [str(k) for k in range(len(told), n)]


def _frame_time(tracks: Sites, frame: NDArray[np.int64], notes: list[str]) -> float | None:
    if "time" not in tracks.variables or tracks["time"].dims != ("site",):
        return None
    if tracks["time"].attrs.get("units") != "s":
        notes.append("Times of the sites are not in s and are left out: rates are per frame.")
        return None
    numbers, first = np.unique(frame, return_index=True)
    times = tracks["time"].values[first].astype(float)
    if len(numbers) < 2 or not np.isfinite(times).all():
        return None
    steps = np.diff(times) / np.diff(numbers)
    middle = float(np.median(steps))
    if middle <= 0 or np.abs(steps - middle).max() > _EVEN * middle:
        notes.append("Frames are not evenly spaced in time: rates are per frame, not per second.")
        return None
    return middle
