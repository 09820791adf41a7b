"""Atoms of one shape, fitted together to pixels that are computed from known places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.tied_gaussians import (
    Patch,
    Shape,
    Springs,
    fit_tied,
    patch_of_pixels,
    profiles,
)

SHAPE = Shape(0.32, 0.1, 0.85)
PLACE = np.array([[0.0, 0.0], [1.2, 0.0], [-0.6, 1.04], [-0.6, -1.04], [2.3, 0.9], [2.3, -0.9]])
HEAVY = np.array([True, False, False, False, False, False])
FREE = np.full(6, 0.6)
NONE = Springs(np.zeros((0, 2), dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))


def _patch(height: NDArray[np.float64], weight: float) -> Patch:
    index = np.argwhere(np.ones((40, 40), dtype=bool))
    patch = patch_of_pixels(index, np.zeros(len(index)), np.array([-2.5, -2.5]), np.full(2, 0.14))
    value = profiles(SHAPE, patch, PLACE) @ height + 3.0 + 0.2 * patch.place[:, 1]
    return patch._replace(value=value, weight=weight)


def test_places_and_heights_are_found_beside_an_atom_four_times_as_high() -> None:
    height = np.where(HEAVY, 8.0, 2.0)
    start = PLACE + np.random.default_rng(0).normal(0, 0.1, PLACE.shape)
    fitted = fit_tied(_patch(height, 1e4), SHAPE, start, HEAVY, (1.8, 0.5), NONE, FREE)
    # Anchors of 0.6 and a weight of 1e4 draw places by a thousandth at most.
    assert np.abs(fitted.place - PLACE).max() < 2e-3
    assert fitted.height == pytest.approx(height, rel=5e-3)


def test_a_slope_along_the_image_is_no_height() -> None:
    patch = _patch(np.where(HEAVY, 8.0, 2.0), 1e4)
    tilted = patch._replace(value=patch.value + 5.0 * patch.place[:, 0])
    fitted = fit_tied(tilted, SHAPE, PLACE, HEAVY, (2.0, 0.5), NONE, FREE)
    assert fitted.height == pytest.approx(np.where(HEAVY, 8.0, 2.0), rel=5e-3)


def test_an_atom_of_the_host_that_is_not_there_costs_what_its_pixels_say() -> None:
    height = np.where(HEAVY, 8.0, 2.0)
    height[3] = 0.0
    weight = 50.0
    patch = _patch(height, weight)
    keep = np.arange(6) != 3
    right = fit_tied(patch, SHAPE, PLACE[keep], HEAVY[keep], (2.0, 0.02), NONE, FREE[keep])
    wrong = fit_tied(patch, SHAPE, PLACE, HEAVY, (2.0, 0.02), NONE, np.full(6, 0.01))
    # Half of chi squared of an atom too many: 0.5 weight height^2 sum(shape^2), less what the
    # heights of others and the plane take up.
    whole = 0.5 * weight * 4.0 * float((profiles(SHAPE, patch, PLACE[3:4]) ** 2).sum())
    assert 0.5 * whole < wrong.cost - right.cost < whole


def test_springs_hold_where_pixels_tell_nothing() -> None:
    patch = _patch(np.where(HEAVY, 8.0, 2.0), 1e-9)
    pairs = np.array([[0, 1]])
    springs = Springs(pairs, np.array([1.4]), np.array([0.02]), np.array([False]))
    fitted = fit_tied(patch, SHAPE, PLACE, HEAVY, (2.0, 0.5), springs, FREE)
    assert np.linalg.norm(fitted.place[0] - fitted.place[1]) == pytest.approx(1.4, abs=2e-3)


def test_a_stop_only_pushes() -> None:
    patch = _patch(np.where(HEAVY, 8.0, 2.0), 1e-9)
    pairs = np.array([[0, 1], [0, 2]])
    springs = Springs(pairs, np.array([1.0, 1.5]), np.full(2, 0.02), np.array([True, True]))
    fitted = fit_tied(patch, SHAPE, PLACE, HEAVY, (2.0, 0.5), springs, FREE)
    apart = np.linalg.norm(fitted.place[0] - fitted.place[[1, 2]], axis=1)
    # The first, 1.2, is beyond its stop; the other is pushed from 1.2 to 1.5.
    assert apart[1] == pytest.approx(1.5, abs=5e-3)
    assert apart[0] >= 1.0


def test_atoms_without_an_anchor_stay() -> None:
    start = PLACE + 0.05
    anchor = np.where(np.arange(6) < 2, 0.6, 0.0)
    fitted = fit_tied(
        _patch(np.where(HEAVY, 8.0, 2.0), 1e4), SHAPE, start, HEAVY, (2.0, 0.5), NONE, anchor
    )
    assert np.array_equal(fitted.place[2:], start[2:])
    assert np.abs(fitted.place[:2] - PLACE[:2]).max() < 0.03
