"""What a matrix says of lifetimes, passages and memory, against chains with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from simulated_chains import (
    FOUR,
    NEARLY_MEMORYLESS,
    ONE_WAY,
    confusion,
    simulated_states,
    simulated_tracks,
)

from adatom.dynamics import (
    Kinetics,
    count_transitions,
    estimate_kinetics,
    estimate_transitions,
    transitions_from_matrix,
)
from adatom.errors import KindError
from adatom.numerics.markov_chains import first_passages, first_passages_of_any
from adatom.numerics.metastable import metastable_groups
from adatom.schema import notes


def _kinetics(tracks: xr.Dataset, frame_time: str | None = None) -> Kinetics:
    counts = count_transitions(tracks)
    return estimate_kinetics(estimate_transitions(counts, frame_time=frame_time), counts)


def _of_matrix(matrix: np.ndarray) -> Kinetics:
    array = xr.DataArray(matrix, dims=("state", "state_to"))
    return estimate_kinetics(transitions_from_matrix(array))


def _verdict(kinetics: Kinetics, test: str) -> str:
    row = kinetics.tests["test"].values.tolist().index(test)
    return str(kinetics.tests["verdict"].values[row])


def test_a_nearly_memoryless_matrix_is_reported_as_label_noise_with_its_eigenvalues() -> None:
    kinetics = _of_matrix(NEARLY_MEMORYLESS)
    text = _verdict(kinetics, "memory")
    assert "nearly memoryless, cannot be told from label noise" in text
    assert "1, 0.09, 0.09, 0.02" in text
    assert np.allclose(kinetics.spectrum["modulus"].values, [1, 0.09, 0.09, 0.02])


def test_counts_of_a_nearly_memoryless_chain_are_reported_alike() -> None:
    tracks = simulated_tracks(NEARLY_MEMORYLESS, n_tracks=80)
    assert "nearly memoryless, cannot be told" in _verdict(_kinetics(tracks), "memory")


def test_states_that_were_never_met_are_no_memory() -> None:
    tracks = simulated_tracks(np.full((2, 2), 0.5))
    tracks["label"].attrs["names"] = ["a", "b", "never"]
    kinetics = _kinetics(tracks)
    assert _verdict(kinetics, "memory").startswith("memoryless")
    assert kinetics.states["state"].values.tolist() == ["a", "b", "never"]
    assert "never: no row in the matrix" in " ".join(notes(kinetics.states))


def test_one_state_has_nothing_to_be_told_apart() -> None:
    kinetics = _kinetics(simulated_tracks(np.ones((1, 1)), n_tracks=5, n_frames=9))
    assert "one state only" in _verdict(kinetics, "memory")
    assert np.isinf(kinetics.states["lifetime"].values).all()


def test_states_drawn_anew_are_memoryless_and_lasting_ones_are_not() -> None:
    anew = _kinetics(simulated_tracks(np.full((3, 3), 1 / 3)))
    assert _verdict(anew, "memory").startswith("memoryless")
    assert _verdict(_kinetics(simulated_tracks(FOUR)), "memory").startswith("states last")


def test_a_ring_passed_one_way_is_irreversible() -> None:
    text = _verdict(_kinetics(simulated_tracks(ONE_WAY)), "reversibility")
    assert text.startswith("irreversible (p = 0.005)")
    assert "0 -> 1 -> 2 -> 0 is met, never its reverse" in text


def test_states_without_a_way_back_are_irreversible_one_way() -> None:
    down = np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]])
    text = _verdict(_kinetics(simulated_tracks(down)), "one way")
    assert text.startswith("irreversible, one way: 0 -> 1")
    assert "too few" in _verdict(_kinetics(simulated_tracks(down, n_tracks=3)), "one way")


def test_wrong_labels_are_seen_by_the_tests_of_the_chain() -> None:
    clean = _kinetics(simulated_tracks(FOUR, n_tracks=100, seed=2))
    wrong = _kinetics(simulated_tracks(FOUR, n_tracks=100, seed=2, labels=confusion(4, 0.1)))
    for test in ("first order", "Chapman-Kolmogorov"):
        assert "fit_hidden_states" not in _verdict(clean, test)
        assert "fit_hidden_states" in _verdict(wrong, test)


def test_p_values_are_even_where_there_is_nothing_to_find() -> None:
    balanced = np.array([[0.8, 0.15, 0.05], [0.15, 0.7, 0.15], [0.05, 0.15, 0.8]])
    small = []
    for seed in range(40):
        tracks = simulated_tracks(balanced, n_tracks=10, n_frames=40, lost=0.3, seed=seed)
        counts = count_transitions(tracks)
        found = estimate_transitions(counts, n_samples=20)
        small.append(estimate_kinetics(found, counts, n_simulated=39).tests["p_value"].values[1:4])
    # Of 40 p-values 4 are below 0.1 on average, 10 or more once in two hundred times.
    assert ((np.array(small) < 0.1).sum(axis=0) < 10).all()


def test_passages_are_those_of_a_simulation() -> None:
    expected = first_passages(FOUR)
    rng = np.random.default_rng(0)
    states = simulated_states(FOUR, n_tracks=4000, n_frames=200, rng=rng)
    begin = states[states[:, 0] == 0]
    met = (begin[:, 1:] == 2).argmax(axis=1) + 1
    # Spread of some 10 frames over 1,000 tracks.
    assert met.mean() == pytest.approx(expected[0, 2], rel=0.1)
    assert np.allclose(first_passages_of_any(FOUR), expected)


def test_what_may_never_be_met_takes_forever() -> None:
    kinetics = _of_matrix(np.array([[0.9, 0.05, 0.05], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert np.isinf(kinetics.passages["passage"].values[0, 1:]).all()
    assert np.isnan(kinetics.states["stationary"].values).all()
    assert "More than one set of states is never left (1; 2)" in notes(kinetics.states)[0]


def test_intervals_of_lifetimes_and_shares_hold_the_truth() -> None:
    kinetics = _kinetics(simulated_tracks(FOUR, n_tracks=200), frame_time="0.5 s")
    lifetime = 0.5 / (1 - np.diagonal(FOUR))
    states = kinetics.states
    assert (states["lifetime_low"].values < lifetime).all()
    assert (lifetime < states["lifetime_high"].values).all()
    assert states["lifetime"].units == "s"
    assert float(states["stationary"].sum()) == pytest.approx(1)


def test_the_rate_of_deaths_is_found_with_an_exact_interval() -> None:
    held = 0
    for seed in range(40):
        tracks = simulated_tracks(
            FOUR[:2, :2] / FOUR[:2, :2].sum(axis=1, keepdims=True),
            n_tracks=40,
            turnover=0.02,
            lost=0.1,
            seed=seed,
        )
        counts = count_transitions(tracks)
        death, exposure = float(counts["death"].sum()), float(counts["death_exposure"].sum())
        held += abs(death - 0.02 * exposure) < 2 * np.sqrt(0.02 * exposure)
    assert held >= 34


def test_timescales_of_a_chain_are_the_same_at_all_lags() -> None:
    scales = _kinetics(simulated_tracks(FOUR, n_tracks=300)).timescales
    slowest = scales["process"].values == 1
    expected = -1 / np.log(np.sort(np.abs(np.linalg.eigvals(FOUR)))[-2])
    assert (scales["timescale_low"].values[slowest] < expected).all()
    assert (expected < scales["timescale_high"].values[slowest]).all()


def test_groups_are_made_only_where_the_spectrum_has_a_gap() -> None:
    assert metastable_groups(FOUR) is None
    blocks = np.kron(np.eye(2), np.full((2, 2), 0.5)) * 0.98 + 0.005
    groups = metastable_groups(blocks)
    assert groups is not None
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_counts_of_something_else_are_refused() -> None:
    found = transitions_from_matrix(xr.DataArray(FOUR, dims=("state", "state_to")))
    with pytest.raises(KindError, match="the counts lack count, pair_count, visit_state"):
        estimate_kinetics(found, found)
