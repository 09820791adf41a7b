"""Transition matrices through gaps hold the truth in their intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import xarray as xr
from simulated_chains import FOUR, ONE_WAY, coverage, simulated_tracks

from adatom.dynamics import count_transitions, estimate_transitions, transitions_from_matrix
from adatom.errors import KindError, SettingError
from adatom.numerics.markov_chains import powers
from adatom.numerics.markov_estimates import drawn_steps, expected_steps, likely_matrix
from adatom.schema import notes


def _paths(counts: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Sum over all paths through two unseen frames, one by one."""
    n = len(matrix)
    steps = np.zeros((n, n))
    for i, j in np.ndindex(n, n):
        total = np.linalg.matrix_power(matrix, 3)[i, j]
        for a, b in np.ndindex(n, n):
            chance = matrix[i, a] * matrix[a, b] * matrix[b, j] / total
            for one, other in ((i, a), (a, b), (b, j)):
                steps[one, other] += counts[i, j] * chance
    return steps


def test_expected_steps_are_the_sum_over_all_paths() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros((3, 4, 4))
    counts[2] = rng.integers(0, 9, (4, 4))
    assert np.allclose(expected_steps(counts, FOUR), _paths(counts[2], FOUR))


def test_drawn_steps_are_the_expected_ones_on_average() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (3, 4, 4)).astype(float)
    walks = np.broadcast_to(FOUR, (4000, 4, 4))
    drawn = drawn_steps(counts, walks, rng)
    assert np.all(drawn.sum(axis=(1, 2)) == counts.sum(axis=(1, 2)) @ [1, 2, 3])
    # 4,000 draws of a spread of some four steps: means are known to 0.06.
    assert np.abs(drawn.mean(axis=0) - expected_steps(counts, FOUR)).max() < 0.4


def test_no_other_matrix_is_likelier_than_the_estimate() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=20, n_frames=50, lost=0.4)
    counts = count_transitions(tracks)["count"].values.astype(float)
    fit = likely_matrix(counts)
    rng = np.random.default_rng(1)
    for _ in range(50):
        other = fit.matrix * rng.uniform(0.9, 1.1, fit.matrix.shape)
        other /= other.sum(axis=1, keepdims=True)
        every = powers(other, longest=len(counts))[1:]
        assert (counts * np.log(every)).sum() <= fit.log_likelihood + 1e-6


def test_gaps_do_not_bias_the_matrix_as_taking_them_for_a_step_does() -> None:
    tracks = simulated_tracks(FOUR, n_tracks=400, n_frames=100, lost=0.3)
    counts = count_transitions(tracks)
    found = estimate_transitions(counts, n_samples=20)["probability"].values
    pooled = counts["count"].sum("lag").values
    naive = pooled / pooled.sum(axis=1, keepdims=True)
    assert np.abs(found - FOUR).max() < 0.02
    assert np.abs(naive - FOUR).max() > 0.06


@pytest.mark.parametrize("kind", ["whole", "gaps"])
def test_intervals_hold_the_truth_as_often_as_they_say(kind: Literal["whole", "gaps"]) -> None:
    found = coverage(kind, range(20))
    # Of some 280 entries that vary together: 95 % give or take three standard errors of 1.4 %.
    assert 0.91 < found.share < 0.99
    assert np.abs(found.error).max() < 0.03


def test_states_never_seen_and_never_left_stay_and_are_named() -> None:
    tracks = simulated_tracks(np.array([[0.9, 0.1], [0.0, 1.0]]), n_tracks=20, n_frames=50)
    tracks["label"].attrs["names"] = ["hollow", "filled", "other"]
    found = estimate_transitions(count_transitions(tracks))
    assert found.attrs["never_left"] == ["filled"]
    assert found.attrs["never_seen"] == ["other"]
    assert found["state"].values.tolist() == ["hollow", "filled", "other"]
    assert found["probability"].values[1].tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(found["probability"].values[2]).all()
    assert float(found["probability_low"][1, 0]) == 0.0
    assert float(found["probability_high"][1, 0]) > 0.0
    assert any("filled: never seen to be left" in text for text in notes(found))


def test_detailed_balance_holds_where_asked_for_and_not_else() -> None:
    counts = count_transitions(simulated_tracks(ONE_WAY))
    free = estimate_transitions(counts)["probability"].values
    bound = estimate_transitions(counts, reversible=True)["probability"].values
    assert np.abs(free - ONE_WAY).max() < 0.03
    on, back = bound[0, 1] * bound[1, 2] * bound[2, 0], bound[0, 2] * bound[2, 1] * bound[1, 0]
    assert on == pytest.approx(back, rel=1e-3)


def test_rates_are_per_second_only_with_a_time_of_a_frame() -> None:
    counts = count_transitions(simulated_tracks(FOUR))
    plain = estimate_transitions(counts, n_samples=20)
    assert plain["rate"].units == "1/frame"
    assert "No time of a frame is known: rates are per frame." in notes(plain)
    timed = estimate_transitions(counts, n_samples=20, frame_time="0.5 s")
    assert timed["rate"].units == "1/s"
    assert np.allclose(timed["rate"].values, 2 * plain["rate"].values, equal_nan=True)


def test_a_matrix_whose_rows_are_no_distributions_is_refused() -> None:
    matrix = xr.DataArray([[0.9, 0.3], [0.0, 1.0]], dims=("state", "state_to"))
    with pytest.raises(KindError, match=r"rows sum to \[1.2, 1.0\]"):
        transitions_from_matrix(matrix)


def test_impossible_settings_are_refused() -> None:
    counts = count_transitions(simulated_tracks(FOUR, n_tracks=3, n_frames=9))
    with pytest.raises(SettingError, match=r"confidence=1\.5"):
        estimate_transitions(counts, confidence=1.5)
