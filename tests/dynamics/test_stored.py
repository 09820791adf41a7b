"""Results of dynamics come back from the store as they went in."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from contract_transitions import EXAMPLES
from simulated_chains import FOUR, simulated_tracks

from adatom.dynamics import (
    Kinetics,
    count_transitions,
    estimate_kinetics,
    estimate_transitions,
    fit_hidden_states,
)
from adatom.io.store import read_result, write_result


def test_counts_matrix_and_kinetics_come_back_from_the_store(tmp_path: Path) -> None:
    counts = count_transitions(simulated_tracks(FOUR, n_tracks=6, n_frames=20, lost=0.2))
    matrix = estimate_transitions(counts, n_samples=40)
    kinetics = estimate_kinetics(matrix, counts, n_simulated=19)
    for name, value in (("counts", counts), ("matrix", matrix)):
        write_result(value, tmp_path / name)
        xr.testing.assert_identical(read_result(tmp_path / name), value)
    write_result(kinetics, tmp_path / "kinetics")
    back = read_result(tmp_path / "kinetics")
    assert isinstance(back, Kinetics)
    for one, other in zip(back, kinetics):
        xr.testing.assert_identical(one, other)


def test_hidden_states_come_back_from_the_store(tmp_path: Path) -> None:
    example = EXAMPLES["dynamics.fit_hidden_states"]()
    found = fit_hidden_states(*example.data, n_samples=20)
    write_result(found, tmp_path / "found")
    for one, other in zip(read_result(tmp_path / "found"), found):
        xr.testing.assert_identical(one, other)
