"""Walkers at random with known tracks, and scores of the links between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adatom.schema import Sites, sites_from_positions

Ints = NDArray[np.int64]


def walkers(
    n_walkers: int,
    n_frames: int,
    *,
    side: float,
    step: float = 1.0,
    error: float = 0.0,
    missed: float = 0.0,
    frames: Ints | None = None,
    seed: int = 0,
) -> tuple[Sites, Ints]:
    """Walk at random in a square with reflecting walls; give sites, and the walker of each."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(n_frames) if frames is None else frames
    time = np.diff(numbers, prepend=numbers[0])
    steps = rng.normal(size=(n_frames, n_walkers, 2)) * step * np.sqrt(time)[:, None, None]
    path = rng.uniform(0, side, (n_walkers, 2)) + np.cumsum(steps, axis=0)
    path = side - np.abs(side - np.abs(path))
    place = path + rng.normal(0, error, path.shape)
    seen = np.flatnonzero(rng.random(n_frames * n_walkers) >= missed)
    frame, walker = np.divmod(seen, n_walkers)
    y, x = place.reshape(-1, 2)[seen].T
    return sites_from_positions(y, x, unit="px", frame=numbers[frame]), walker


def pairs(frame: Ints, track: Ints, *, longest: int = 10**9) -> set[tuple[int, int]]:
    order = np.lexsort((frame, track))
    one, two = order[:-1], order[1:]
    keep = (track[one] == track[two]) & (track[one] >= 0)
    keep &= frame[two] - frame[one] <= longest
    return set(zip(one[keep].tolist(), two[keep].tolist(), strict=True))


def scores(linked: Sites, walker: Ints, *, longest: int = 3) -> tuple[float, float]:
    """Give recall and precision of the links."""
    frame = linked["frame"].values
    true, found = pairs(frame, walker, longest=longest), pairs(frame, linked["track"].values)
    return len(true & found) / len(true), len(true & found) / max(len(found), 1)
