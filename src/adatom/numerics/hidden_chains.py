"""States behind labels: filtering, smoothing and drawing, over all tracks at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.numerics.markov_chains import powers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Observations of tracks side by side, the longest track first.

    Attributes
    ----------
    place : array of int, shape (step, track)
        Row of the observation, -1 beyond the end of a track.
    lag : array of int, shape (step, track)
        Frames since the observation before; 0 for the first.
    alive : array of int, shape (step,)
        So many tracks, the first ones, are as long as this.
    """

    place: Integers
    lag: Integers
    alive: Integers

    @classmethod
    def of(cls, track: Integers, frame: Integers) -> Sequences:
        """Arrange observations that are sorted by track, then frame."""
        starts = np.flatnonzero(np.diff(track, prepend=track[:1] - 1))
        lengths = np.diff(starts, append=len(track))
        order = np.argsort(-lengths, kind="stable")
        starts, lengths = starts[order], lengths[order]
        step = np.arange(int(lengths.max(initial=0)))[:, None]
        place = np.where(step < lengths, starts + step, -1)
        lag = np.zeros_like(place)
        inside = place[1:] >= 0
        lag[1:][inside] = (frame[place[1:]] - frame[place[:-1]])[inside]
        return cls(place, lag, (place >= 0).sum(axis=1))

    @property
    def longest_lag(self) -> int:
        """The longest gap, 1 if there is none."""
        return max(1, int(self.lag.max(initial=1)))


class Filtered(NamedTuple):
    """Chances of states given all up to each step, (step, walk, track, state), log likelihood."""

    chances: Floats
    log_likelihood: Floats


def filtered(
    sequences: Sequences, matrix: Floats, first: Floats, likelihood: Floats, /
) -> Filtered:
    """Filter all tracks, for several models (walk) at once.

    Parameters
    ----------
    sequences : Sequences
    matrix : array, shape (walk, i, j)
    first : array, shape (walk, i)
        Chances of states where tracks begin.
    likelihood : array, shape (walk, observation, i)
        Of each observation in each state.
    """
    every = powers(matrix, longest=sequences.longest_lag)
    n_steps, n_tracks = sequences.place.shape
    n_walks, n_states = first.shape
    chances = np.zeros((n_steps, n_walks, n_tracks, n_states))
    total = np.zeros(n_walks)
    before = np.broadcast_to(first[:, None], (n_walks, n_tracks, n_states))
    walk = np.arange(n_walks)[:, None]
    for step in range(n_steps):
        n = int(sequences.alive[step])
        if step:
            onward = every[sequences.lag[step, :n][None], walk]
            before = np.einsum("wti,wtij->wtj", chances[step - 1, :, :n], onward)
        joint = before * likelihood[:, sequences.place[step, :n]]
        scale = joint.sum(axis=-1, keepdims=True)
        chances[step, :, :n] = joint / scale
        total += np.log(scale[..., 0]).sum(axis=-1)
    return Filtered(chances, total)


class Smoothed(NamedTuple):
    """What is expected given all: states (observation, i), pairs (lag, i, j), log likelihood."""

    states: Floats
    pairs: Floats
    log_likelihood: float


def smoothed(
    sequences: Sequences, matrix: Floats, first: Floats, likelihood: Floats, /
) -> Smoothed:
    """Smooth all tracks under one model: the exact forward-backward sums, gaps included."""
    forward = filtered(sequences, matrix[None], first[None], likelihood[None])
    chances = forward.chances[:, 0]
    every = powers(matrix, longest=sequences.longest_lag)
    n_steps = len(chances)
    states = np.zeros_like(likelihood)
    pairs = np.zeros((sequences.longest_lag, *matrix.shape))
    after = chances[-1]
    states[sequences.place[-1, : sequences.alive[-1]]] = after[: sequences.alive[-1]]
    for step in range(n_steps - 2, -1, -1):
        n, n_next = int(sequences.alive[step]), int(sequences.alive[step + 1])
        lag = sequences.lag[step + 1, :n_next]
        joint = chances[step, :n_next, :, None] * every[lag]
        expected = joint.sum(axis=1, keepdims=True)
        ratio = np.divide(
            after[:n_next, None], expected, out=np.zeros_like(expected), where=expected > 0
        )
        joint *= ratio
        np.add.at(pairs, lag - 1, joint)
        after = chances[step].copy()
        after[:n_next] = joint.sum(axis=2)
        states[sequences.place[step, :n]] = after[:n]
    return Smoothed(states, pairs, float(forward.log_likelihood[0]))


def drawn_states(
    sequences: Sequences,
    matrix: Floats,
    first: Floats,
    likelihood: Floats,
    rng: np.random.Generator,
    /,
) -> Integers:
    """Draw states (walk, observation) given all observations, for several models at once."""
    chances = filtered(sequences, matrix, first, likelihood).chances
    every = np.swapaxes(powers(matrix, longest=sequences.longest_lag), -1, -2)
    n_steps, n_walks, n_tracks, _ = chances.shape
    states = np.zeros((n_walks, likelihood.shape[1]), dtype=np.int64)
    level = rng.random((n_steps, n_walks, n_tracks, 1))
    walk = np.arange(n_walks)[:, None]
    after = np.zeros((n_walks, n_tracks), dtype=np.int64)
    for step in range(n_steps - 1, -1, -1):
        n = int(sequences.alive[step])
        weight = chances[step, :, :n]
        n_next = int(sequences.alive[step + 1]) if step + 1 < n_steps else 0
        if n_next:
            weight = weight.copy()
            weight[:, :n_next] *= every[
                sequences.lag[step + 1, :n_next][None], walk, after[:, :n_next]
            ]
        heap = weight.cumsum(axis=-1)
        after[:, :n] = (heap < level[step, :, :n] * heap[..., -1:]).sum(axis=-1)
        states[:, sequences.place[step, :n]] = after[:, :n]
    return states


def drawn_chains(
    sequences: Sequences,
    matrix: Floats,
    first: Floats,
    rng: np.random.Generator,
    /,
    *,
    n_walks: int,
    n_observations: int,
) -> Integers:
    """Draw chains (walk, observation) of one matrix, seen when the tracks were seen."""
    heap = powers(matrix, longest=sequences.longest_lag).cumsum(axis=-1)
    heap[..., -1] = 1.0
    start = first.cumsum()
    start[-1] = 1.0
    n_steps, n_tracks = sequences.place.shape
    states = np.zeros((n_walks, n_observations), dtype=np.int64)
    level = rng.random((n_walks, n_tracks, 1))
    now = (start < level).sum(axis=-1)
    for step in range(n_steps):
        n = int(sequences.alive[step])
        if step:
            level = rng.random((n_walks, n, 1))
            now = (heap[sequences.lag[step, :n][None], now[:, :n]] < level).sum(axis=-1)
        states[:, sequences.place[step, :n]] = now[:, :n]
    return states
