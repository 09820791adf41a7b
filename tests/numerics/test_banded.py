"""Batched banded solves against dense algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from adatom.numerics.banded import Bands, banded_product, roughness_penalty, solve_banded

Array = np.ndarray[Any, Any]


def _dense(bands: Bands) -> Array:
    upper = [np.diag(band, number) for number, band in enumerate(bands)]
    return np.asarray(upper[0] + sum(part + part.T for part in upper[1:]))


def _unequal() -> Array:
    return np.cumsum(np.random.default_rng(0).uniform(0.5, 2.0, 40))


def test_every_column_is_the_solution_of_its_own_equations() -> None:
    rng = np.random.default_rng(1)
    penalty = roughness_penalty(_unequal(), order=3)
    weights, right = rng.uniform(0, 1, (40, 6)), rng.standard_normal((40, 6))
    found = solve_banded(penalty, weights, right)
    for column in range(6):
        equations = _dense(penalty) + np.diag(weights[:, column])
        np.testing.assert_allclose(found[:, column], np.linalg.solve(equations, right[:, column]))


def test_products_are_those_of_the_dense_matrix() -> None:
    columns = np.random.default_rng(2).standard_normal((40, 3))
    penalty = roughness_penalty(_unequal(), order=3)
    np.testing.assert_allclose(banded_product(penalty, columns), _dense(penalty) @ columns)


def test_parabolas_are_not_rough_whatever_the_steps_and_the_direction() -> None:
    for axis in (_unequal(), _unequal()[::-1]):
        curve = 2 - 3 * axis + 0.7 * axis**2
        np.testing.assert_allclose(_dense(roughness_penalty(axis, order=3)) @ curve, 0, atol=1e-9)


def test_the_second_derivative_leaves_lines_free_and_no_more() -> None:
    axis = np.linspace(0.0, 10.0, 101)
    penalty = _dense(roughness_penalty(axis, order=2))
    np.testing.assert_allclose(penalty @ (2 - 3 * axis), 0, atol=1e-9)
    # 3 squared over the axis, less half a step at each end.
    assert np.isclose(1.5 * axis**2 @ penalty @ (1.5 * axis**2), 9.0 * 9.9)


def test_the_penalty_of_a_cubic_is_the_integral_of_its_third_derivative() -> None:
    axis = np.linspace(0.0, 10.0, 101)
    curve = 0.5 * axis**3
    # 3 squared over the axis, less a step and a half at each end.
    assert np.isclose(
        curve @ _dense(roughness_penalty(axis, order=3)) @ curve, 9.0 * 9.8, rtol=1e-4
    )
