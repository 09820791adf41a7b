"""Tracks whose states follow a known Markov chain: births, deaths, lost frames, wrong labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from adatom.dynamics import count_transitions, estimate_transitions, fit_hidden_states
from adatom.schema import sites_from_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOUR: Floats = np.array(
    [
        [0.80, 0.10, 0.06, 0.04],
        [0.15, 0.70, 0.05, 0.10],
        [0.05, 0.15, 0.75, 0.05],
        [0.02, 0.08, 0.20, 0.70],
    ]
)
"""Four states without detailed balance, left after three to five frames."""

ONE_WAY: Floats = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.1, 0.0, 0.9]])
"""Three states in a ring, passed in one direction only."""

# Eigenvalues 1, -0.09, 0.09, 0.02, as those published for WS2 under the beam: the matrix itself
# is not among the shared data, so this one is built from them.
_BASIS: Floats = np.array(
    [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
)
NEARLY_MEMORYLESS: Floats = _BASIS @ np.diag([1.0, -0.09, 0.09, 0.02]) @ _BASIS.T / 4
"""Four states that are all but drawn anew in every frame."""


def confusion(n_states: int, share: float) -> Floats:
    """Give labels that are wrong with probability `share`, all wrong ones alike."""
    wrong = share / (n_states - 1)
    return np.full((n_states, n_states), wrong) + np.eye(n_states) * (1 - share - wrong)


def simulated_states(
    matrix: Floats, *, n_tracks: int, n_frames: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw states (track, frame), the first ones from all states alike."""
    heap = matrix.cumsum(axis=1)
    heap[:, -1] = 1.0
    states = np.empty((n_tracks, n_frames), dtype=np.int64)
    states[:, 0] = rng.integers(0, len(matrix), n_tracks)
    for frame in range(1, n_frames):
        level = rng.random((n_tracks, 1))
        states[:, frame] = (heap[states[:, frame - 1]] < level).sum(axis=1)
    return states


def simulated_tracks(
    matrix: Floats,
    *,
    n_tracks: int = 40,
    n_frames: int = 100,
    seed: int = 0,
    lost: float = 0.0,
    turnover: float = 0.0,
    labels: Floats | None = None,
) -> xr.Dataset:
    """Draw tracks as Sites with ``frame``, ``track``, ``label`` and the true ``state``.

    Of every track each frame is lost with probability `lost`. With `turnover` tracks begin
    anywhere in the movie and end with that probability per frame.
    `labels` (state, label) are the chances of each label.
    """
    rng = np.random.default_rng(seed)
    states = simulated_states(matrix, n_tracks=n_tracks, n_frames=n_frames, rng=rng)
    frame = np.arange(n_frames)
    seen = rng.random(states.shape) >= lost
    if turnover:
        born = np.where(rng.random(n_tracks) < 0.5, 0, rng.integers(0, n_frames, n_tracks))
        age = rng.geometric(turnover, n_tracks)
        seen &= (frame >= born[:, None]) & (frame < (born + age)[:, None])
    track, when = np.nonzero(seen)
    state = states[seen]
    label = state
    if labels is not None:
        level = rng.random((len(state), 1))
        label = (labels.cumsum(axis=1)[state][:, :-1] < level).sum(axis=1)
    zero: Any = np.zeros(len(track))
    sites = sites_from_positions(zero, zero, unit="nm", frame=when)
    return sites.assign(track=("site", track), label=("site", label), state=("site", state))


class Covered(NamedTuple):
    """Entries of 20 counts or more, how many intervals hold the truth, and the mean error."""

    entries: int
    held: int
    error: Floats

    @property
    def share(self) -> float:
        """Of the entries whose interval holds the truth."""
        return self.held / self.entries


LOST, TURNOVER, WRONG = 0.3, 0.01, 0.1
"""Frames that are lost, tracks that end per frame, labels that are wrong."""


def coverage(
    kind: Literal["whole", "gaps", "plain", "hidden"], seeds: Iterable[int], truth: Floats = FOUR
) -> Covered:
    """Estimate matrices of simulated tracks and look whether intervals of 95 % hold the truth.

    "whole" tracks have no gaps, births or deaths, all others do. Labels are wrong
    in "plain", where counts are taken as they are, and in "hidden", where
    a hidden Markov model is told the confusion.
    """
    entries, held, n, error = 0, 0, 0, np.zeros_like(truth)
    labels = confusion(len(truth), WRONG) if kind in {"plain", "hidden"} else None
    for seed in seeds:
        lost, turnover = (0.0, 0.0) if kind == "whole" else (LOST, TURNOVER)
        tracks = simulated_tracks(truth, seed=seed, labels=labels, lost=lost, turnover=turnover)
        if kind == "hidden":
            told = xr.DataArray(labels, dims=("state", "label"))
            found = fit_hidden_states(tracks, None, told).transitions
        else:
            found = estimate_transitions(count_transitions(tracks))
        true = found
        if labels is not None:
            # What counts is how often it happened, not how often it is thought to have.
            true = estimate_transitions(count_transitions(tracks, of="state"), n_samples=20)
        low, high = found["probability_low"].values, found["probability_high"].values
        used = true["expected_count"].values >= 20
        entries += int(used.sum())
        held += int(((low <= truth) & (truth <= high) & used).sum())
        error += found["probability"].values - truth
        n += 1
    return Covered(entries, held, error / n)
