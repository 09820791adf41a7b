"""Batched banded solves against dense algebra."""

from __future__ import annotations

import numpy as np

from adatom.numerics.banded import Pentadiagonal, curvature_penalty, solve_pentadiagonal


def _dense(matrix: Pentadiagonal) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    first, second = np.diag(matrix.first, 1), np.diag(matrix.second, 2)
    return np.diag(matrix.main) + first + first.T + second + second.T


def test_every_column_is_the_solution_of_its_own_equations() -> None:
    rng = np.random.default_rng(0)
    penalty = curvature_penalty(np.cumsum(rng.uniform(0.5, 2.0, 40)))
    weights, right = rng.uniform(0, 1, (40, 6)), rng.standard_normal((40, 6))
    found = solve_pentadiagonal(penalty, weights, right)
    for column in range(6):
        equations = _dense(penalty) + np.diag(weights[:, column])
        np.testing.assert_allclose(found[:, column], np.linalg.solve(equations, right[:, column]))


def test_straight_lines_have_no_curvature_whatever_the_steps() -> None:
    axis = np.cumsum(np.random.default_rng(1).uniform(0.1, 3.0, 30))
    np.testing.assert_allclose(_dense(curvature_penalty(axis)) @ (2 - 3 * axis), 0, atol=1e-9)


def test_the_penalty_of_a_parabola_is_the_integral_of_its_curvature() -> None:
    axis = np.linspace(0.0, 10.0, 101)
    curve = 1.5 * axis**2
    # 3 squared over the axis, less half a step at each end.
    assert np.isclose(curve @ _dense(curvature_penalty(axis)) @ curve, 9.0 * 9.9)
