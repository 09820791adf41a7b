"""Kinetic Monte Carlo in continuous time: what happens to every defect, and when.

Changes of class, turns and deaths do not depend on where a defect is, and hops only
on whether the place is free. So all that may happen is drawn at once for all defects, and
only hops, births and deaths are gone through in the order of time: exact, and quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.kinetic_places import Places
    from adatom.simulation.kinetics import Kinetics

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

EVENTS: Final = ("start", "birth", "hop", "turn", "change", "death", "refused")
"""What happens: "start" for defects of the first moment, "refused" for hops to no free place."""
START, BIRTH, HOP, TURN, CHANGE, DEATH, REFUSED = range(len(EVENTS))
_TRIES: Final = 10_000


class History(NamedTuple):
    """All events, by defect and time, and what each defect is from then on.

    Attributes
    ----------
    time : ndarray, shape (event,)
        In s.
    track, kind, place, label, orientation : ndarray of int, shape (event,)
        Number of the defect; of the event in `EVENTS`; place (-1 after a death), class and
        orientation after it.
    duration : float
        Until when, in s.
    """

    time: Floats
    track: Counts
    kind: Counts
    place: Counts
    label: Counts
    orientation: Counts
    duration: float

    def ends(self) -> Floats:
        """Give when the next event of the same defect ends what each began; never: inf."""
        return _ends(self.track, self.time)


class Stays(NamedTuple):
    """In which frames each stay between two events is seen.

    Attributes
    ----------
    frame, event : ndarray of int, shape (row,)
        The event that began the stay.
    share : ndarray, shape (row,)
        Of the exposure of the frame that it took.
    """

    frame: Counts
    event: Counts
    share: Floats


class _Drawn(NamedTuple):
    """Events before it is known which hops find a free place; rows of equal length."""

    time: Floats
    track: Counts
    kind: Counts
    value: Counts


class _Lives(NamedTuple):
    """Times during which each defect is of one class, by defect and time."""

    track: Counts
    start: Floats
    end: Floats
    label: Counts
    dies: NDArray[np.bool_]


def draw_history(
    kinetics: Kinetics, places: Places, /, *, duration: float, rng: np.random.Generator
) -> History:
    """Let defects live on the places of a lattice for a time.

    Raises
    ------
    SettingError
        If there is no room for the defects.
    """
    life_rng, hop_rng, place_rng = rng.spawn(3)
    lives = _lives(kinetics, duration, life_rng)
    n_tracks = int(lives.track.max(initial=-1)) + 1
    turned = life_rng.integers(kinetics.orientations, size=n_tracks)
    drawn = _drawn(kinetics, places, lives, hop_rng)
    place = _walked(drawn, places, kinetics, place_rng)
    # All of one defect in the order of time, what began it first.
    order = np.lexsort((drawn.kind, drawn.time, drawn.track))
    time, track, place = drawn.time[order], drawn.track[order], place[order]
    kind, value = drawn.kind[order], drawn.value[order]
    kind = np.where((kind == HOP) & (place < 0), REFUSED, kind)
    begins = kind <= BIRTH
    known = begins | (kind == HOP) | (kind == DEATH)
    steps = np.where(kind == TURN, value, np.where(begins, turned[track], 0))
    total = np.cumsum(steps)
    before = (total - steps)[begins][np.cumsum(begins) - 1] if len(total) else total
    return History(
        time,
        track,
        kind,
        place[_last(known)],
        value[_last(begins | (kind == CHANGE))],
        (total - before) % kinetics.orientations,
        duration,
    )


def stays_in_frames(
    history: History, /, *, n_frames: int, frame_time: float, exposure: float = 0.0
) -> Stays:
    """Find the frames whose exposure, about the time of the frame, each stay overlaps.

    Without exposure the stay at the very time of the frame is found, with a share of 1.
    """
    lasting = (history.kind != DEATH) & (history.kind != REFUSED)
    kept = history.kind != REFUSED
    ends = _ends(history.track[kept], history.time[kept])
    event = np.flatnonzero(lasting)
    start = np.where(history.kind == START, -frame_time, history.time)[event]
    end = np.minimum(ends[lasting[kept]], (n_frames + 1) * frame_time)
    half = exposure / 2
    if exposure:
        first = np.floor((start - half) / frame_time).astype(np.int64) + 1
        stop = np.ceil((end + half) / frame_time).astype(np.int64)
    else:
        first, stop = (np.ceil(t / frame_time).astype(np.int64) for t in (start, end))
    first, stop = first.clip(0, n_frames), stop.clip(0, n_frames)
    count = np.maximum(stop - first, 0)
    row = np.repeat(np.arange(len(event)), count)
    frame = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[row]
    share = np.ones(len(row))
    if exposure:
        middle = frame * frame_time
        inside = np.minimum(end[row], middle + half) - np.maximum(start[row], middle - half)
        # Rounding must not make a part of a whole.
        whole = (end[row] >= middle + half) & (start[row] <= middle - half)
        share = np.where(whole, 1.0, inside / exposure)
    order = np.lexsort((event[row], frame))
    order = order[share[order] > 0]
    return Stays(frame[order], event[row][order], share[order])


def _ends(track: Counts, time: Floats) -> Floats:
    """Give the time of the next row of the same track; inf for its last."""
    last = np.append(track[1:] != track[:-1], True)[: len(track)]
    return np.where(last, np.inf, np.append(time[1:], np.inf)[: len(track)])


def _last(known: NDArray[np.bool_]) -> Counts:
    """Give, for each row, the last one up to it in which something is known."""
    return np.asarray(np.maximum.accumulate(np.where(known, np.arange(len(known)), 0)))


def _lives(kinetics: Kinetics, duration: float, rng: np.random.Generator) -> _Lives:
    """Draw births, changes of class and deaths of all defects at once, change by change."""
    births = kinetics.of_classes("births")
    born = np.sort(rng.uniform(0, duration, rng.poisson(births.sum() * duration)))
    first = _apportioned(kinetics.of_classes("shares"), kinetics.n_defects)
    later = _chosen(np.broadcast_to(births, (len(born), len(births))), rng)
    label = np.concatenate([rng.permutation(first), later])
    time = np.concatenate([np.zeros(kinetics.n_defects), born])
    track = np.arange(len(label))
    out = np.column_stack([kinetics.change_rates(), kinetics.of_classes("deaths")])
    parts = []
    while len(track):
        rate = out.sum(axis=1)[label]
        wait = np.full(len(track), np.inf)
        wait[rate > 0] = rng.exponential(size=int((rate > 0).sum())) / rate[rate > 0]
        end = time + wait
        goes_on = end < duration
        after = np.full(len(track), -1)
        after[goes_on] = _chosen(out[label[goes_on]], rng)
        dies = after == len(kinetics.classes)
        parts.append(_Lives(track, time, np.minimum(end, duration), label, dies))
        goes_on &= ~dies
        track, time, label = track[goes_on], end[goes_on], after[goes_on]
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return _Lives(nothing, np.zeros(0), np.zeros(0), nothing, np.zeros(0, dtype=bool))
    tracks = np.concatenate([part.track for part in parts])
    starts = np.concatenate([part.start for part in parts])
    order = np.lexsort((starts, tracks))
    return _Lives(
        tracks[order],
        starts[order],
        np.concatenate([part.end for part in parts])[order],
        np.concatenate([part.label for part in parts])[order],
        np.concatenate([part.dies for part in parts])[order],
    )


def _apportioned(shares: Floats, count: int) -> Counts:
    """Give so many labels in these shares, to the nearest whole numbers."""
    ends = np.rint(np.cumsum(shares) * count).astype(np.int64)
    return np.repeat(np.arange(len(shares)), np.diff(ends, prepend=0))


def _chosen(weights: Floats, rng: np.random.Generator) -> Counts:
    """Choose a column of each row in proportion to its weights."""
    total = np.cumsum(weights, axis=1)
    draw = rng.uniform(size=(len(weights), 1)) * total[:, -1:]
    return np.asarray((draw >= total).sum(axis=1), dtype=np.int64)


def _drawn(kinetics: Kinetics, places: Places, lives: _Lives, rng: np.random.Generator) -> _Drawn:
    """Draw all that may happen during the lives of all defects."""
    first = np.append(True, lives.track[1:] != lives.track[:-1])[: len(lives.track)]
    begin = np.where(lives.start[first] > 0, BIRTH, START)
    parts = [_Drawn(lives.start[first], lives.track[first], begin, lives.label[first])]
    changed = ~first
    parts.append(_of_kind(CHANGE, lives.start, lives.track, lives.label, changed))
    parts.append(_of_kind(DEATH, lives.end, lives.track, lives.label, lives.dies))
    for kind, name in ((HOP, "hops"), (TURN, "turns")):
        if kind == TURN and kinetics.orientations < 2:
            continue
        length = lives.end - lives.start
        row = np.repeat(
            np.arange(len(length)), rng.poisson(kinetics.of_classes(name)[lives.label] * length)
        )
        time = lives.start[row] + rng.uniform(size=len(row)) * length[row]
        if kind == HOP:
            total = np.cumsum(places.weight)
            value = np.searchsorted(total, rng.uniform(size=len(row)) * total[-1], side="right")
        else:
            value = rng.integers(1, kinetics.orientations, size=len(row))
        parts.append(_Drawn(time, lives.track[row], np.full(len(row), kind), value))
    return _Drawn(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _of_kind(
    kind: int, time: Floats, track: Counts, value: Counts, chosen: NDArray[np.bool_]
) -> _Drawn:
    return _Drawn(time[chosen], track[chosen], np.full(int(chosen.sum()), kind), value[chosen])


def _walked(drawn: _Drawn, places: Places, kinetics: Kinetics, rng: np.random.Generator) -> Counts:
    """Give the place after each start, birth and hop, in the order of `drawn`; else -1."""
    place = np.full(len(drawn.time), -1)
    moves = np.flatnonzero((drawn.kind <= HOP) | (drawn.kind == DEATH))
    moves = moves[np.lexsort((drawn.track[moves], drawn.time[moves]))]
    taken = bytearray(len(places.position))
    crowd, neighbor = places.crowd, places.neighbor.tolist()
    at = [-1] * (int(drawn.track.max(initial=-1)) + 1)
    starts = iter(_start_places(places, kinetics.n_defects, rng))
    after = []
    # Plain lists: an element of an array takes ten times as long.
    for kind, track, value in zip(
        drawn.kind[moves].tolist(), drawn.track[moves].tolist(), drawn.value[moves].tolist()
    ):
        here = at[track]
        if kind == HOP:
            there = neighbor[here][value]
            if there < 0 or taken[there]:
                after.append(-1)
                continue
            # Its own place is no obstacle to a defect.
            taken[here] = 0
            if crowd[there] and any(taken[other] for other in crowd[there]):
                taken[here] = 1
                after.append(-1)
                continue
        elif kind == DEATH:
            taken[here] = 0
            after.append(-1)
            continue
        else:
            there = next(starts) if kind == START else _free_place(places, taken, rng)
        taken[there] = 1
        at[track] = there
        after.append(there)
    place[moves] = after
    return place


def _start_places(places: Places, count: int, rng: np.random.Generator) -> list[int]:
    """Choose places at random, none too near another."""
    taken = bytearray(len(places.position))
    chosen: list[int] = []
    for place in rng.permutation(len(places.position)).tolist():
        if len(chosen) == count:
            break
        if not any(taken[other] for other in places.crowd[place]):
            taken[place] = 1
            chosen.append(place)
    if len(chosen) < count:
        msg = (
            f"n_defects={count}: only {len(chosen)} found room on {len(places.position)} places: "
            "take a larger field, fewer defects, or a smaller `closest`"
        )
        raise SettingError(msg)
    return chosen


def _free_place(places: Places, taken: bytearray, rng: np.random.Generator) -> int:
    for _ in range(_TRIES):
        place = int(rng.integers(len(taken)))
        if not taken[place] and not any(taken[other] for other in places.crowd[place]):
            return place
    msg = (
        f"a defect was to appear, but {_TRIES} tries found no free place among {len(taken)}: "
        "take a larger field, lower `births`, or higher `deaths`"
    )
    raise SettingError(msg)
