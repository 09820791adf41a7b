"""Wrong labels bias counts; a hidden Markov model that knows of them does not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from simulated_chains import FOUR, confusion, coverage, simulated_tracks

from adatom.dynamics import count_transitions, estimate_transitions, fit_hidden_states
from adatom.errors import KindError
from adatom.numerics.hidden_chains import Emission, Sequences, drawn_states, smoothed
from adatom.schema import notes

WRONG = confusion(4, 0.1)
TOLD = xr.DataArray(WRONG, dims=("state", "label"))


def test_smoothing_is_the_sum_over_all_states_with_a_gap() -> None:
    frame, label = np.array([0, 1, 3]), np.array([0, 2, 1])
    sequences = Sequences.of(np.zeros(3, dtype=np.int64), frame)
    first = np.array([0.1, 0.2, 0.3, 0.4])
    emission = Emission(WRONG.T[:, None], label)
    found = smoothed(sequences, FOUR, first, emission)
    joint = np.einsum(
        "a,a,ab,b,bc,c->abc", first, WRONG[:, 0], FOUR, WRONG[:, 2], FOUR @ FOUR, WRONG[:, 1]
    )
    assert found.log_likelihood == pytest.approx(np.log(joint.sum()))
    assert np.allclose(found.states[1], joint.sum(axis=(0, 2)) / joint.sum())
    assert np.allclose(found.pairs[1], joint.sum(axis=0) / joint.sum())
    rng = np.random.default_rng(0)
    walks = np.broadcast_to(FOUR, (4000, 4, 4))
    table = np.broadcast_to(WRONG.T[:, None], (4, 4000, 4))
    drawn = drawn_states(
        sequences, walks, np.broadcast_to(first, (4000, 4)), Emission(table, label), rng
    )
    share = np.stack([(drawn == k).mean(axis=1) for k in range(4)], axis=1)
    assert np.abs(share - found.states).max() < 0.03


def test_wrong_labels_bias_counts_and_the_hidden_model_finds_the_truth() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=120, lost=0.3, labels=WRONG, seed=4)
    plain = estimate_transitions(count_transitions(tracks), n_samples=20)
    fitted = fit_hidden_states(tracks, None, TOLD, n_samples=20)
    assert np.diagonal(plain["probability"].values - FOUR).max() < -0.07
    assert np.abs(fitted.transitions["probability"].values - FOUR).max() < 0.06
    right = fitted.tracks["hidden_state"].values == tracks["state"].values
    assert right.mean() > (tracks["label"].values == tracks["state"].values).mean()


def test_intervals_hold_the_truth_where_labels_are_wrong() -> None:
    found = coverage("hidden", range(4))
    # Of some 55 entries: of intervals of 95 % more than 9 miss once in a thousand times.
    assert found.entries - found.held <= 9
    assert coverage("plain", range(4)).share < 0.6


def test_confusion_is_estimated_where_states_last() -> None:
    slow = np.array([[0.97, 0.03], [0.02, 0.98]])
    wrong = np.array([[0.85, 0.15], [0.05, 0.95]])
    tracks = simulated_tracks(slow, n_tracks=100, labels=wrong)
    found = fit_hidden_states(tracks, n_samples=20).transitions
    assert np.abs(found["confusion"].values - wrong).max() < 0.03
    assert np.abs(found["probability"].values - slow).max() < 0.02


def test_posteriors_of_a_classifier_stand_in_for_a_confusion() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=80, labels=WRONG)
    share = np.bincount(tracks["label"].values, minlength=4) / tracks.sizes["site"]
    chance = WRONG[:, tracks["label"].values].T * share
    chance /= chance.sum(axis=1, keepdims=True)
    classes = xr.Dataset(
        {
            "label": ("site", tracks["label"].values),
            "probability": (("site", "class"), chance),
        }
    )
    found = fit_hidden_states(tracks, classes, n_samples=20).transitions
    assert np.abs(np.diagonal(found["probability"].values - FOUR)).max() < 0.06


def test_a_confusion_that_does_not_fit_is_refused() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=4, n_frames=9)
    small = xr.DataArray(np.eye(2), dims=("state", "label"))
    with pytest.raises(KindError, match=r"shape \(2, 2\), labels run over 4"):
        fit_hidden_states(tracks, None, small)


def test_the_share_of_wrong_labels_is_told() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=100, labels=WRONG)
    told = notes(fit_hidden_states(tracks, None, TOLD, n_samples=20).transitions)
    assert any("Labels are thought wrong in" in text for text in told)
