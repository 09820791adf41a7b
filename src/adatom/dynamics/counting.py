"""Counts of transitions between states, each at the lag at which it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from adatom.dynamics.tracked_states import TrackedStates, tracked_states
from adatom.errors import SettingError
from adatom.schema import TRANSITIONS, Classes, Sites, Transitions, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_LAGS: Final = 4096


def count_transitions(
    tracks: Sites,
    classes: Classes | None = None,
    /,
    *,
    of: str = "label",
    n_lags: int = 5,
) -> Transitions:
    """Count transitions between the states of tracks, at their true lags.

    Two observations of a track that follow one another n frames apart are one count at
    lag n: a gap is never taken for one step. The end of a track is
    censoring, its beginning a start; neither is a transition.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track`` (-1: on none) of every site; ``time`` in s, if
        there, gives the time from frame to frame.
    classes : Classes, optional
        Of the same sites, where the tracks do not carry their states.
    of : str
        The variable of the tracks that holds states: integers from 0, -1 where
        not known, with ``attrs["names"]``; or names, "" where not known.
    n_lags : int
        Up to which lag all pairs of observations are counted, for tests and
        timescales; the estimate uses consecutive ones, of any lag.

    Returns
    -------
    Transitions
        * ``count`` (lag, state, state_to): consecutive observations;
        * ``pair_count`` (lag, state, state_to): all pairs, up to `n_lags`;
        * ``triple_count`` (state_before, state, state_to): of three frames in a row;
        * ``first_count``, ``last_count`` (state): where tracks begin and end;
        * ``birth``, ``death`` (state): tracks that begin or end inside of the movie,
          ``birth_frames`` and ``death_exposure`` the frames and frames of tracks in
          which they could have been seen to;
        * ``visit_track``, ``visit_frame``, ``visit_state`` (visit): the observations
          themselves, compact, from which tests draw.

        ``attrs["gap_share"]`` is the share of frames within tracks that were not seen.

    Raises
    ------
    KindError
        If the sites are no tracks, or a track is twice in a frame.
    SettingError
        If `of` is not known or `n_lags` is no positive number.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> tracks = sites_from_positions([0.0] * 4, [0.0] * 4, unit="nm", frame=[0, 1, 3, 4])
    >>> tracks = tracks.assign(track=("site", [0] * 4), label=("site", [0, 0, 1, 1]))
    >>> counts = count_transitions(tracks)
    >>> counts["count"].sel(lag=2).values
    array([[0, 1],
           [0, 0]])
    """
    if not 1 <= n_lags <= _MOST_LAGS:
        msg = f"{n_lags=} must be from 1 to {_MOST_LAGS}"
        raise SettingError(msg)
    seen = tracked_states(tracks, classes, of)
    counts = _counted(seen, n_lags)
    counts.attrs["frames"] = list(seen.frames)
    if seen.frame_time is not None:
        counts.attrs["frame_time"] = seen.frame_time
    for text in seen.notes:
        add_note(counts, text)
    _tell(counts)
    TRANSITIONS.check(counts)
    return counts


def _counted(seen: TrackedStates, n_lags: int) -> xr.Dataset:
    n = len(seen.names)
    same = seen.track[1:] == seen.track[:-1]
    step = np.where(same, seen.frame[1:] - seen.frame[:-1], 0)
    longest = max(int(step.max(initial=1)), n_lags)
    consecutive = np.zeros((longest, n, n), dtype=np.int64)
    there = np.flatnonzero(same)
    np.add.at(consecutive, (step[there] - 1, seen.state[there], seen.state[there + 1]), 1)
    pairs = pair_counts(seen.track, seen.frame, seen.state, n_states=n, n_lags=n_lags)
    every = np.zeros_like(consecutive)
    every[:n_lags] = pairs
    counts = xr.Dataset(
        {
            "count": (("lag", "state", "state_to"), consecutive),
            "pair_count": (("lag", "state", "state_to"), every),
            "triple_count": (
                ("state_before", "state", "state_to"),
                triple_counts(seen.track, seen.frame, seen.state, n_states=n),
            ),
            "visit_track": ("visit", seen.track),
            "visit_frame": ("visit", seen.frame),
            "visit_state": ("visit", seen.state),
            **_ends(seen, longest_gap=int(step.max(initial=1))),
        },
        coords={
            "lag": ("lag", np.arange(1, longest + 1), {"units": "frame"}),
            "state": seen.names,
            "state_to": seen.names,
            "state_before": seen.names,
        },
        attrs={"n_lags": n_lags},
    )
    inside = int(step.sum())
    counts.attrs["gap_share"] = 1 - len(there) / inside if inside else 0.0
    return counts


def pair_counts(
    track: NDArray[np.int64],
    frame: NDArray[np.int64],
    state: NDArray[np.int64],
    *,
    n_states: int,
    n_lags: int,
) -> NDArray[np.int64]:
    """Count all pairs (..., lag, i, j) of sorted observations, states (..., observation)."""
    walks = np.atleast_2d(state)
    n_walks = len(walks)
    size = n_lags * n_states**2
    total = np.zeros(n_walks * size, dtype=np.int64)
    for apart in range(1, n_lags + 1):
        lag = frame[apart:] - frame[:-apart]
        rows = np.flatnonzero((track[apart:] == track[:-apart]) & (lag <= n_lags))
        if not len(rows):
            break
        cell = (lag[rows] - 1) * n_states**2 + walks[:, rows] * n_states + walks[:, rows + apart]
        cell += size * np.arange(n_walks)[:, None]
        total += np.bincount(cell.ravel(), minlength=len(total))
    return total.reshape(*state.shape[:-1], n_lags, n_states, n_states)


def triple_counts(
    track: NDArray[np.int64], frame: NDArray[np.int64], state: NDArray[np.int64], *, n_states: int
) -> NDArray[np.int64]:
    """Count observations (..., i, j, k) of three frames in a row."""
    walks = np.atleast_2d(state)
    size = n_states**3
    rows = np.flatnonzero((track[2:] == track[:-2]) & (frame[2:] - frame[:-2] == 2))
    cell = (walks[:, rows] * n_states + walks[:, rows + 1]) * n_states + walks[:, rows + 2]
    cell += size * np.arange(len(walks))[:, None]
    total = np.bincount(cell.ravel(), minlength=size * len(walks))
    return total.reshape(*state.shape[:-1], n_states, n_states, n_states).astype(np.int64)


def _ends(seen: TrackedStates, *, longest_gap: int) -> dict[str, object]:
    """Count births and deaths where they are sure.

    A track that is not seen in the last frames may be in a gap: only those count that
    are away for longer than any gap within a track, and only so much
    of the movie is taken for having been watched.
    """
    n = len(seen.names)
    begins = np.flatnonzero(np.diff(seen.track, prepend=seen.track[0] - 1))
    ends = np.append(begins[1:], len(seen.track)) - 1
    first, last = seen.frames
    open_from, open_to = first + longest_gap, last - longest_gap
    born = seen.frame[begins] >= open_from
    died = seen.frame[ends] <= open_to
    watched = np.minimum(np.append(seen.frame[1:], 0), open_to + 1) - seen.frame
    # Of the last observation the frame itself; of others all frames until the next.
    watched[ends] = 1
    watched = np.where(seen.frame <= open_to, np.maximum(watched, 0), 0)
    count = {
        "first_count": seen.state[begins],
        "last_count": seen.state[ends],
        "birth": seen.state[begins[born]],
        "death": seen.state[ends[died]],
    }
    out: dict[str, object] = {
        name: ("state", np.bincount(states, minlength=n)) for name, states in count.items()
    }
    exposure = np.bincount(seen.state, weights=watched, minlength=n)
    out["death_exposure"] = ("state", exposure, {"units": "frame"})
    out["birth_frames"] = ((), max(last - open_from + 1, 0), {"units": "frame"})
    return out


def _tell(counts: Transitions) -> None:
    n_all = int(counts["count"].sum())
    n_gaps = int(counts["count"][1:].sum())
    n_tracks = int(counts["first_count"].sum())
    text = f"{n_all} transitions of {n_tracks} tracks"
    if n_gaps:
        text += f", {n_gaps} of them over gaps, counted at their true lag"
    add_note(counts, f"{text}.")
    seen = (counts["count"].sum(("lag", "state")) + counts["first_count"].values).values
    never = [str(name) for name, number in zip(counts["state"].values, seen) if not number]
    if never:
        add_note(counts, f"Never seen: {', '.join(never)}.")
