"""The path of a movie from the shifts between pairs of its frames, some of them wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.image_shifts import Candidates

    Floats = NDArray[np.float64]

# Frames on either side whose known steps tell how a frame is likely to have moved.
AROUND: Final = 5
# Sums of a few steps are as exact as this.
NEAR: Final = 2.5
# Rounds of weights that let go of pairs which the others contradict.
ROUNDS: Final = 20
# In pixels of the images that were compared: beyond this pairs contradict one another.
TOLERANCE: Final = 1.0


class Pair(NamedTuple):
    """Two frames, and how the second may be shifted against the first."""

    first: int
    second: int
    candidates: Candidates


class Path(NamedTuple):
    """Where every frame lies.

    Attributes
    ----------
    shift : ndarray, shape (frame, 2)
        Since the first frame of the largest connected part; NaN for frames that nothing joins
        to it.
    outlying : int
        Pairs that the others contradict.
    rivals : list of ndarray
        Per frame, displacements from `shift` that fit no worse in some pair, (rival, 2).
    """

    shift: Floats
    outlying: int
    rivals: list[Floats]


def path_of_pairs(pairs: list[Pair], n_frames: int, /) -> Path:
    """Find the path that most pairs agree with, by least squares with falling weights.

    Where several shifts match alike, as in a crystal every lattice
    vector does, the step between frames that follow one another is the one nearest to
    the known steps around it, or to none; of other pairs the shift is that nearest to
    the sum of the steps.
    """
    chosen = _chosen_steps([pair for pair in pairs if pair.second - pair.first == 1])
    rough = np.concatenate([np.zeros((1, 2)), np.cumsum(_filled(chosen, n_frames), axis=0)])
    n_missing = np.cumsum([0, *(frame not in chosen for frame in range(n_frames - 1))])
    kept, numbers = [], []
    for pair in pairs:
        if pair.second - pair.first == 1:
            k = chosen[pair.first][1]
        elif n_missing[pair.second] == n_missing[pair.first]:
            far = _far_choice(pair.candidates, rough[pair.second] - rough[pair.first])
            if far is None:
                continue
            k = far
        else:
            # Over a step that is not known no match is likelier than the best.
            k = 0
        kept.append(pair)
        numbers.append(k)
    pairs = kept
    i = np.array([pair.first for pair in pairs], dtype=int)
    j = np.array([pair.second for pair in pairs], dtype=int)
    shifts = np.array([pair.candidates.shift[k] for pair, k in zip(pairs, numbers, strict=True)])
    scores = np.array([pair.candidates.score[k] for pair, k in zip(pairs, numbers, strict=True)])
    exact = np.array([pair.candidates.exact for pair in pairs])
    place, outlying = _least_squares(i, j, shifts.reshape(-1, 2), scores, exact, n_frames)
    rivals: list[list[Floats]] = [[] for _ in range(n_frames)]
    for pair, k in zip(pairs, numbers, strict=True):
        away = pair.candidates.shift[pair.candidates.equal] - pair.candidates.shift[k]
        for one in away[np.abs(away).max(axis=1) > 0]:
            rivals[pair.second].append(one)
            rivals[pair.first].append(-one)
    return Path(place, outlying, [_distinct(one) for one in rivals])


def _nearest(candidates: Candidates, to: Floats) -> int:
    equal = candidates.equal
    away = ((candidates.shift[equal] - to) ** 2).sum(axis=1)
    return int(equal[int(away.argmin())])


def _far_choice(candidates: Candidates, likely: Floats) -> int | None:
    """Choose the match of frames that do not follow one another; None if it may be any."""
    k = _nearest(candidates, likely)
    if (
        np.linalg.norm(candidates.shift[k] - likely) <= NEAR * candidates.exact
        or len(candidates.equal) == 1
    ):
        return k
    return None


def _chosen_steps(pairs: list[Pair]) -> dict[int, tuple[Floats, int]]:
    """Choose the step after each frame, with the number of its candidate."""
    known = {
        pair.first: pair.candidates.shift[0] for pair in pairs if len(pair.candidates.equal) == 1
    }
    chosen = {}
    for pair in pairs:
        around = [
            known[k]
            for k in range(pair.first - AROUND, pair.first + AROUND + 1)
            if k in known and k != pair.first
        ]
        likely = np.median(around, axis=0) if around else np.zeros(2)
        k = _nearest(pair.candidates, likely)
        chosen[pair.first] = (pair.candidates.shift[k], k)
    return chosen


def _filled(chosen: dict[int, tuple[Floats, int]], n_frames: int) -> Floats:
    steps = np.zeros((max(n_frames - 1, 0), 2))
    for frame, (step, _) in chosen.items():
        steps[frame] = step
    return steps


def _least_squares(
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    shifts: Floats,
    scores: Floats,
    exact: Floats,
    n_frames: int,
) -> tuple[Floats, int]:
    place = np.full((n_frames, 2), np.nan)
    graph = scipy.sparse.coo_array((np.ones(len(i)), (i, j)), shape=(n_frames, n_frames))
    _, part = connected_components(graph, directed=False)
    largest = int(np.bincount(part).argmax())
    members = np.flatnonzero(part == largest)
    if len(members) < 2:
        place[members] = 0.0
        return place, 0
    number = np.full(n_frames, -1)
    number[members] = np.arange(len(members))
    keep = part[i] == largest
    a, b, shifts, scale = number[i[keep]], number[j[keep]], shifts[keep], exact[keep] * TOLERANCE
    base = (scores[keep] / scale) ** 2
    weight = base.copy()
    apart = np.zeros(len(a))
    for _ in range(ROUNDS):
        found = _solved(a, b, shifts, weight, len(members))
        apart = np.linalg.norm(found[b] - found[a] - shifts, axis=1)
        weight = base / (1 + (apart / scale) ** 2)
    place[members] = found - found[0]
    return place, int((apart > 3 * scale).sum())


def _solved(
    a: NDArray[np.intp], b: NDArray[np.intp], shifts: Floats, weight: Floats, n: int
) -> Floats:
    """Solve for all places but the first, which is zero."""
    rows = np.arange(len(a))
    pairs = scipy.sparse.csr_array(
        (np.concatenate([np.ones(len(a)), -np.ones(len(a))]), (np.tile(rows, 2), np.append(b, a))),
        shape=(len(a), n),
    )[:, 1:]
    normal = (pairs.T @ (pairs * weight[:, None])).tocsc()
    right = pairs.T @ (shifts * weight[:, None])
    found = np.asarray(spsolve(normal, right)).reshape(n - 1, 2)
    return np.concatenate([np.zeros((1, 2)), found])


def _distinct(vectors: list[Floats]) -> Floats:
    """Join vectors that are nearly one, the most frequent first, six at most."""
    groups: list[list[Floats]] = []
    for vector in vectors:
        for group in groups:
            if np.linalg.norm(vector - group[0]) < 2 * TOLERANCE:
                group.append(vector)
                break
        else:
            groups.append([vector])
    groups.sort(key=len, reverse=True)
    return np.array([np.mean(group, axis=0) for group in groups[:6]]).reshape(-1, 2)
