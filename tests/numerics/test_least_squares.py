"""Batched damped least squares against problems with known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.least_squares import (
    NormalEquations,
    covariance_from_curvature,
    damped_step,
    evaluate_from_model,
    fit_least_squares,
    normal_equations,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def test_a_linear_model_is_solved_in_one_undamped_step() -> None:
    rng = np.random.default_rng(0)
    design = rng.normal(size=(7, 30, 4))
    truth = rng.normal(size=(7, 4))
    residuals = np.einsum("ndp,np->nd", design, truth)
    step = damped_step(normal_equations(residuals, design), np.zeros(7))
    np.testing.assert_allclose(step, truth, atol=1e-9)


def test_every_fit_of_a_batch_finds_its_own_minimum() -> None:
    x = np.linspace(0, 2, 40)
    truth = np.stack([np.linspace(0.5, 3, 25), np.linspace(2, 0.3, 25)], axis=1)
    data = truth[:, :1] * np.exp(-truth[:, 1:] * x)

    def model(parameters: Floats, numbers: Ints) -> tuple[Floats, Floats]:
        decay = np.exp(-parameters[:, 1:] * x)
        jacobian = np.stack([decay, -parameters[:, :1] * x * decay], axis=-1)
        return data[numbers] - parameters[:, :1] * decay, jacobian

    fit = fit_least_squares(evaluate_from_model(model), np.full((25, 2), 1.0))
    assert fit.converged.all()
    np.testing.assert_allclose(fit.parameters, truth, rtol=1e-6)


def test_the_curved_valley_of_rosenbrock_is_followed_to_its_end() -> None:
    def model(parameters: Floats, numbers: Ints) -> tuple[Floats, Floats]:
        a, b = parameters[:, 0], parameters[:, 1]
        zero, one = np.zeros_like(a), np.ones_like(a)
        residuals = np.stack([10 * (b - a * a), 1 - a], axis=1)
        rows = [np.stack([20 * a, -10 * one], axis=1), np.stack([one, zero], axis=1)]
        return residuals, np.stack(rows, axis=1)

    starts = np.array([[-1.2, 1.0], [3.0, -2.0], [0.0, 5.0]])
    fit = fit_least_squares(evaluate_from_model(model), starts, max_steps=200)
    np.testing.assert_allclose(fit.parameters, 1.0, atol=1e-6)


def test_a_bad_start_of_one_fit_does_not_disturb_the_others() -> None:
    x = np.linspace(-3, 3, 50)

    def model(parameters: Floats, numbers: Ints) -> tuple[Floats, Floats]:
        curve = np.exp(-0.5 * (x - parameters) ** 2)
        return np.exp(-0.5 * x**2) - curve, ((x - parameters) * curve)[..., None]

    alone = fit_least_squares(evaluate_from_model(model), np.array([[0.5]]))
    together = fit_least_squares(evaluate_from_model(model), np.array([[0.5], [40.0]]))
    np.testing.assert_array_equal(together.parameters[0], alone.parameters[0])
    assert together.cost[1] > 1


def test_the_cost_never_rises() -> None:
    costs: list[float] = []

    def model(parameters: Floats, numbers: Ints) -> tuple[Floats, Floats]:
        return 1 - np.tanh(parameters), (1 - np.tanh(parameters) ** 2)[..., None]

    def evaluate(parameters: Floats, numbers: Ints) -> NormalEquations:
        return evaluate_from_model(model)(parameters, numbers)

    for n_steps in range(1, 8):
        fit = fit_least_squares(evaluate, np.array([[-2.0]]), max_steps=n_steps)
        costs.append(float(fit.cost[0]))
    assert all(later <= earlier for earlier, later in itertools.pairwise(costs))


def test_a_parameter_without_effect_stays_where_it_is() -> None:
    residuals = np.ones((1, 5))
    jacobian = np.zeros((1, 5, 2))
    jacobian[..., 0] = 1
    step = damped_step(normal_equations(residuals, jacobian), np.zeros(1))
    np.testing.assert_allclose(step, [[1.0, 0.0]])


def test_parameters_of_any_magnitude_are_solved_alike() -> None:
    rng = np.random.default_rng(1)
    design = rng.normal(size=(1, 20, 2))
    units = np.array([1e-9, 1e9])
    residuals = design.sum(axis=-1)
    step = damped_step(normal_equations(residuals, design * units), np.zeros(1))
    np.testing.assert_allclose(step * units, [[1.0, 1.0]], rtol=1e-6)


def test_the_covariance_is_the_inverse_or_nan() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 3, 3)) * np.array([1e-4, 1.0, 1e4])
    curvature = np.swapaxes(root, 1, 2) @ root
    covariance = covariance_from_curvature(curvature)
    identity = np.einsum("nij,njk->nik", covariance, curvature)
    # The scale of the parameters is 1e-4 to 1e4: products of these cancel to 1e-8 of their size.
    scale = np.sqrt(np.diagonal(curvature, axis1=1, axis2=2))
    scaled = identity * scale[:, :, None] / scale[:, None, :]
    np.testing.assert_allclose(scaled, np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-8)
    broken = np.array([[[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[np.nan] * 2] * 2])
    assert np.isnan(covariance_from_curvature(broken)).all()


@pytest.mark.parametrize("n_fits", [0, 1])
def test_empty_and_single_batches_work(n_fits: int) -> None:
    def model(parameters: Floats, numbers: Ints) -> tuple[Floats, Floats]:
        return 2 - np.repeat(parameters, 3, axis=1), np.ones((len(parameters), 3, 1))

    fit = fit_least_squares(evaluate_from_model(model), np.zeros((n_fits, 1)))
    np.testing.assert_allclose(fit.parameters, 2.0)
