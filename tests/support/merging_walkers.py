"""Walkers that merge and split at known frames, each with an intensity that adds up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.schema import Sites, Table, sites_from_positions


class Planted(NamedTuple):
    """Sites, and where they merge and split: ``kind``, ``frame``, ``y``, ``x`` of each."""

    sites: Sites
    kind: list[str]
    frame: NDArray[np.int64]
    place: NDArray[np.float64]


def merging_walkers(
    n_walkers: int,
    n_events: int,
    n_frames: int,
    *,
    side: float,
    error: float = 0.2,
    missed: float = 0.05,
    ends: float = 0.002,
    apart: float = 0.5,
    seed: int = 0,
) -> Planted:
    """Walk with steps of 1 px along each axis; so many pairs merge, and as many split.

    Two walkers that are to meet at a place walk from there back in time, as free motion looks
    the same both ways. Walkers end with the probability `ends` a frame, and others begin elsewhere.
    """
    rng = np.random.default_rng(seed)
    paths: list[tuple[NDArray[np.int64], NDArray[np.float64], float]] = []
    kinds, frames, places = [], [], []

    def walk(n: int) -> NDArray[np.float64]:
        return np.cumsum(rng.normal(size=(n, 2)), axis=0)

    for number in range(2 * n_events):
        kind = ("merge", "split")[number % 2]
        meeting = int(rng.integers(12, n_frames - 12))
        place = rng.uniform(0.1 * side, 0.9 * side, 2)
        one, two = rng.lognormal(0, 0.3, 2)
        angle = rng.uniform(0, 2 * np.pi)
        half = 0.5 * apart * np.array([np.sin(angle), np.cos(angle)])
        before = [place + sign * half + walk(meeting)[::1] for sign in (1, -1)]
        after = np.concatenate([place[None], place + walk(n_frames - meeting - 1)])
        times = np.arange(n_frames)
        first = meeting
        if kind == "split":
            # The same backward: the last frame in which the two are one is the mirrored meeting.
            times = times[::-1]
            first = n_frames - meeting
        for path, weight in zip(before, (one, two), strict=True):
            paths.append((times[meeting - 1 :: -1] if meeting else times[:0], path, weight))
        paths.append((times[meeting:], after, one + two))
        kinds.append(kind)
        frames.append(first)
        places.append(place)
    for _ in range(n_walkers):
        begin = 0
        while begin < n_frames:
            length = int(rng.geometric(ends)) if ends > 0 else n_frames
            stop = min(begin + length, n_frames)
            path = rng.uniform(0, side, 2) + walk(stop - begin)
            paths.append((np.arange(begin, stop), path, float(rng.lognormal(0, 0.3))))
            begin = stop
    frame = np.concatenate([one[0] for one in paths])
    place = np.concatenate([one[1] for one in paths])
    weight = np.concatenate([np.full(len(one[0]), one[2]) for one in paths])
    keep = np.flatnonzero(rng.random(len(frame)) >= missed)
    keep = rng.permutation(keep)
    seen = place[keep] + rng.normal(0, error, (len(keep), 2))
    sites = sites_from_positions(*seen.T, unit="px", frame=frame[keep])
    sites["intensity"] = ("site", weight[keep] * np.exp(rng.normal(0, 0.1, len(keep))))
    return Planted(sites, kinds, np.array(frames), np.array(places).reshape(-1, 2))


def right_events(planted: Planted, found: Table, /) -> int:
    """Count events within two frames and six steps of a planted one of their kind."""
    left = set(range(len(planted.kind)))
    for row in range(found.sizes["row"]):
        one = found.isel(row=row)
        away = np.hypot(*(planted.place - [float(one["y"]), float(one["x"])]).T)
        near = (away < 6) & (np.abs(planted.frame - int(one["frame"])) <= 2)
        kind = str(one["kind"].item())
        left -= set([k for k in np.flatnonzero(near).tolist() if planted.kind[k] == kind][:1])
    return len(planted.kind) - len(left)
