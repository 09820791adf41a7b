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


class Emission(NamedTuple):
    """Likelihoods of what may be seen: ``table`` (what, walk, state), ``what`` (observation,).

    Walks are several models side by side; rows of the table are labels, or
    observations where each has likelihoods of its own.
    """

    table: Floats
    what: Integers


class Filtered(NamedTuple):
    """Weights of states given all up to each step, (step, track, walk, state), log likelihoods.

    Weights of one track and walk sum to one.
    """

    weights: Floats
    log_likelihood: Floats


def filtered(
    sequences: Sequences, matrix: Floats, first: Floats, emission: Emission, /
) -> Filtered:
    """Filter all tracks, for several models at once.

    Parameters
    ----------
    sequences : Sequences
    matrix : array, shape (walk, i, j)
    first : array, shape (walk, i)
        Chances of states where tracks begin.
    emission : Emission
    """
    every = powers(matrix, longest=sequences.longest_lag)
    n_steps, n_tracks = sequences.place.shape
    weights = np.zeros((n_steps, n_tracks, *first.shape))
    total = np.zeros(len(first))
    before = np.broadcast_to(first, (n_tracks, *first.shape))
    for step in range(n_steps):
        n = int(sequences.alive[step])
        if step:
            # Tracks first: blocks of all walks lie together and are taken as they are.
            onward = every.take(sequences.lag[step, :n], axis=0)
            before = np.einsum("twi,twij->twj", weights[step - 1, :n], onward)
        joint = before * emission.table.take(emission.what[sequences.place[step, :n]], axis=0)
        scale = joint.sum(axis=-1)
        np.divide(joint, scale[..., None], out=weights[step, :n])
        total += np.log(scale).sum(axis=0)
    return Filtered(weights, total)


class Smoothed(NamedTuple):
    """What is expected given all: states (observation, i), pairs (lag, i, j), log likelihood."""

    states: Floats
    pairs: Floats
    log_likelihood: float


def smoothed(
    sequences: Sequences, matrix: Floats, first: Floats, emission: Emission, /
) -> Smoothed:
    """Smooth all tracks under one model: the exact forward-backward sums, gaps included."""
    forward = filtered(sequences, matrix[None], first[None], emission)
    weights = forward.weights[:, :, 0]
    every = powers(matrix, longest=sequences.longest_lag)
    n_steps = len(weights)
    states = np.zeros((len(emission.what), len(first)))
    pairs = np.zeros((sequences.longest_lag, *matrix.shape))
    after = weights[-1]
    states[sequences.place[-1, : sequences.alive[-1]]] = after[: sequences.alive[-1]]
    for step in range(n_steps - 2, -1, -1):
        n, n_next = int(sequences.alive[step]), int(sequences.alive[step + 1])
        lag = sequences.lag[step + 1, :n_next]
        joint = weights[step, :n_next, :, None] * every[lag]
        expected = joint.sum(axis=1, keepdims=True)
        joint *= np.divide(
            after[:n_next, None], expected, out=np.zeros_like(expected), where=expected > 0
        )
        np.add.at(pairs, lag - 1, joint)
        after = weights[step].copy()
        after[:n_next] = joint.sum(axis=2)
        states[sequences.place[step, :n]] = after[:n]
    return Smoothed(states, pairs, float(forward.log_likelihood[0]))


def drawn_states(
    sequences: Sequences,
    matrix: Floats,
    first: Floats,
    emission: Emission,
    rng: np.random.Generator,
    /,
) -> Integers:
    """Draw states (observation, walk) given all observations, for several models at once."""
    weights = filtered(sequences, matrix, first, emission).weights
    # (lag, walk, to, from): the column of the state that follows is one row.
    back = np.swapaxes(powers(matrix, longest=sequences.longest_lag), -1, -2)
    n_walks, n_states = first.shape
    back = np.ascontiguousarray(back).reshape(-1, n_states)
    n_steps, n_tracks = sequences.place.shape
    states = np.zeros((len(emission.what), n_walks), dtype=np.int64)
    level = rng.random((n_steps, n_tracks, n_walks, 1))
    walk = np.arange(n_walks) * n_states
    after = np.zeros((n_tracks, n_walks), dtype=np.int64)
    for step in range(n_steps - 1, -1, -1):
        n = int(sequences.alive[step])
        weight = weights[step, :n]
        n_next = int(sequences.alive[step + 1]) if step + 1 < n_steps else 0
        if n_next:
            row = sequences.lag[step + 1, :n_next, None] * (n_walks * n_states) + walk
            weight[:n_next] *= back.take(row + after[:n_next], axis=0)
        heap = weight.cumsum(axis=-1)
        after[:n] = (heap < level[step, :n] * heap[..., -1:]).sum(axis=-1)
        states[sequences.place[step, :n]] = after[:n]
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
