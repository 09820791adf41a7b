"""Fits of counts by likelihood, against what can be written down."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.decays import rise_of
from adatom.numerics.poisson_fits import PoissonFit, fit_poisson

Floats = NDArray[np.float64]

TIME = np.linspace(0, 5, 60)
SHAPES = np.stack([np.exp(-TIME), np.ones(60)], axis=1)


def _fit(counts: Floats, start: float = 1.0) -> PoissonFit:
    """Fit two heights, neither below zero."""

    def model(parameters: Floats, numbers: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return parameters @ SHAPES.T, np.repeat(SHAPES[None], len(numbers), axis=0)

    box = np.ones((len(counts), 2))
    return fit_poisson(model, counts, start * box, 0 * box, np.inf * box)


def test_heights_without_chance_are_found_from_far_away() -> None:
    truth = np.array([[50.0, 3.0], [2000.0, 0.5]])
    fit = _fit(truth @ SHAPES.T, start=1e4)
    assert fit.converged.all()
    assert fit.parameters == pytest.approx(truth, rel=1e-4)
    assert fit.deviance == pytest.approx([0, 0], abs=1e-6)


def test_standard_errors_are_the_spread_over_many_fits() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(np.repeat(np.array([[40.0, 5.0]]) @ SHAPES.T, 3000, axis=0))
    fit = _fit(counts.astype(float))
    spread = fit.parameters.std(axis=0)
    assert spread == pytest.approx(fit.errors.mean(axis=0), rel=0.05)
    assert fit.parameters.mean(axis=0) == pytest.approx([40, 5], abs=0.1)


def test_a_height_at_zero_is_held_there_and_has_no_error() -> None:
    # Steeper than the shape: the constant would have to be below zero.
    fit = _fit(100 * np.exp(-2 * TIME)[None])
    assert fit.parameters[0, 1] == 0
    assert np.isnan(fit.errors[0, 1])
    assert fit.converged.all()
    total = 100 * np.exp(-2 * TIME).sum() / SHAPES[:, 0].sum()
    assert fit.parameters[0, 0] == pytest.approx(total, rel=1e-6)


def test_no_counts_give_no_heights() -> None:
    fit = _fit(np.zeros((1, 60)))
    assert fit.parameters == pytest.approx(np.zeros((1, 2)), abs=1e-6)


def test_noise_that_is_no_decay_has_no_rise() -> None:
    noise = np.random.default_rng(0).uniform(0, 6500, 5000)
    with pytest.raises(SettingError, match="no pulse shows"):
        rise_of(noise)


def test_a_decay_longer_than_its_window_still_has_its_rise() -> None:
    counts = np.where(np.arange(400) < 50, 0.0, 1e4 * np.exp(-(np.arange(400) - 50) / 2000))
    rise = rise_of(np.random.default_rng(1).poisson(counts).astype(float))
    assert rise.foot == pytest.approx(49.1, abs=0.2)
