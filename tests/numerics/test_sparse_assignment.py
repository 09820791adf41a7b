"""Exclusive assignment by gain, against trying all and against forbidding each candidate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from adatom.numerics import sparse_assignment
from adatom.numerics.sparse_assignment import assign_by_gain, runner_up_losses


def candidates(
    seed: int, n: int, m: int, share: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(rng.random((n, m)) < share)
    return row, column, rng.normal(1.0, 2.0, len(row))


def best_total(
    row: NDArray[np.intp], column: NDArray[np.intp], gain: NDArray[np.float64], n: int, m: int
) -> float:
    """Solve densely: what is no candidate gains nothing, as staying alone does."""
    dense = np.zeros((n, m))
    dense[row, column] = np.maximum(gain, 0.0)
    i, j = linear_sum_assignment(dense, maximize=True)
    return float(dense[i, j].sum())


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_the_total_gain_is_that_of_a_dense_solver(seed: int, share: float) -> None:
    n, m = 40, 30
    row, column, gain = candidates(seed, n, m, share)
    chosen = assign_by_gain(row, column, gain, n_rows=n, n_columns=m)
    assert gain[chosen].sum() == pytest.approx(best_total(row, column, gain, n, m))
    assert (gain[chosen] > 0).all()
    assert len(set(row[chosen])) == len(set(column[chosen])) == chosen.sum()


def test_many_small_components_solved_together_are_as_good_as_one_by_one() -> None:
    # 1,500 components of two rows and two columns: several parts.
    n = 3000
    rng = np.random.default_rng(1)
    row = np.repeat(np.arange(n), 2)
    column = (row // 2) * 2 + np.tile([0, 1], n)
    gain = rng.uniform(0, 1, 2 * n)
    chosen = assign_by_gain(row, column, gain, n_rows=n, n_columns=n)
    four = gain.reshape(-1, 4)
    best = np.maximum(four[:, 0] + four[:, 3], four[:, 1] + four[:, 2])
    assert gain[chosen].sum() == pytest.approx(best.sum())


def test_no_candidates_no_choice() -> None:
    none = np.zeros(0, dtype=np.intp)
    assert not assign_by_gain(none, none, np.zeros(0), n_rows=3, n_columns=0).size
    gain = np.array([-1.0])
    assert not assign_by_gain(none[:0] + 0, none, gain[:0], n_rows=1, n_columns=1).any()
    zero = np.zeros(1, dtype=np.intp)
    assert not assign_by_gain(zero, zero, gain, n_rows=1, n_columns=1).any()


@pytest.mark.parametrize("most_rows", [0, 48])
@pytest.mark.parametrize("share", [0.05, 0.15, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_forbidding_the_candidate(
    seed: int, share: float, most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse_assignment, "_MOST_ROWS", most_rows)
    n, m = 20, 18
    row, column, gain = candidates(seed, n, m, share)
    chosen = assign_by_gain(row, column, gain, n_rows=n, n_columns=m)
    loss = runner_up_losses(row, column, gain, chosen, limit=1.5)
    total = best_total(row, column, gain, n, m)
    assert np.isnan(loss[~chosen]).all()
    for k in np.flatnonzero(chosen).tolist():
        rest = np.arange(len(row)) != k
        without = best_total(row[rest], column[rest], gain[rest], n, m)
        assert loss[k] == pytest.approx(min(total - without, 1.5), abs=1e-9)
