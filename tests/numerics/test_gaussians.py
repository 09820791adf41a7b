"""Gaussians in windows against sums written out and against differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adatom.numerics.coloring import color_graph
from adatom.numerics.gaussians import (
    gaussian_curvature,
    gaussian_gradient,
    gaussian_jacobian,
    gaussian_overlaps,
    gaussian_overlaps_in_windows,
    gaussian_profiles,
    gaussian_windows,
)

Floats = NDArray[np.float64]
ROWS = np.arange(31.0)[None]
COLUMNS = np.arange(35.0)[None]
PARAMETERS = np.array([[1.7, 14.2, 17.9, np.log(2.3), 0.4]])


def model(parameters: Floats) -> Floats:
    profiles = gaussian_profiles(parameters, ROWS, COLUMNS)
    image: Floats = gaussian_windows(parameters[:, 0], profiles) + parameters[:, 4, None, None]
    return image


def jacobian_of(parameters: Floats) -> Floats:
    return gaussian_jacobian(parameters, gaussian_profiles(parameters, ROWS, COLUMNS))


def test_the_model_is_the_gaussian_written_out() -> None:
    height, y, x, log_width, background = PARAMETERS[0]
    square = (ROWS.T - y) ** 2 + (COLUMNS - x) ** 2
    expected = height * np.exp(-square / (2 * np.exp(2 * log_width))) + background
    np.testing.assert_allclose(model(PARAMETERS)[0], expected, rtol=1e-12)


def test_the_jacobian_is_the_limit_of_differences() -> None:
    jacobian = jacobian_of(PARAMETERS)[0]
    for column in range(5):
        change = np.zeros(5)
        change[column] = 1e-6
        difference = (model(PARAMETERS + change) - model(PARAMETERS - change))[0] / 2e-6
        np.testing.assert_allclose(jacobian[..., column], difference, atol=1e-8)


def test_normal_equations_by_moments_are_those_by_the_jacobian() -> None:
    rng = np.random.default_rng(0)
    residual = rng.normal(size=(1, 31, 35))
    weight = rng.uniform(0, 2, size=(1, 31, 35)) * (rng.uniform(size=(1, 31, 35)) > 0.2)
    profiles = gaussian_profiles(PARAMETERS, ROWS, COLUMNS)
    flat = jacobian_of(PARAMETERS).reshape(-1, 5)
    curvature = gaussian_curvature(PARAMETERS, profiles, weight)[0]
    np.testing.assert_allclose(curvature, flat.T @ (weight.reshape(-1, 1) * flat), rtol=1e-10)
    gradient = gaussian_gradient(PARAMETERS, profiles, weight * residual)[0]
    np.testing.assert_allclose(gradient, flat.T @ (weight * residual).ravel(), rtol=1e-10)


def test_overlaps_in_closed_form_are_sums_over_pixels() -> None:
    other = np.array([[0.6, 18.9, 14.1, np.log(3.1), 0.0]])
    # 31 rows hold the pair to within 1e-4 of its height; pixels half as wide as a Gaussian sum
    # like its integral.
    first, second = (jacobian_of(p)[0, ..., :4].reshape(-1, 4) for p in (PARAMETERS, other))
    np.testing.assert_allclose(gaussian_overlaps(PARAMETERS, other)[0], first.T @ second, atol=2e-3)


def test_overlaps_in_windows_are_sums_over_the_pixels_that_count() -> None:
    other = np.array([[0.6, 18.9, 14.1, np.log(3.1), 0.0]])
    weight = np.random.default_rng(0).uniform(0, 2, size=(1, 31, 35))
    weight[:, :14] = 0
    profiles = [gaussian_profiles(p, ROWS, COLUMNS) for p in (PARAMETERS, other)]
    first, second = (jacobian_of(p)[0, ..., :4].reshape(-1, 4) for p in (PARAMETERS, other))
    np.testing.assert_allclose(
        gaussian_overlaps_in_windows(PARAMETERS, other, profiles[0], profiles[1], weight)[0],
        first.T @ (weight.reshape(-1, 1) * second),
        rtol=1e-10,
    )


def test_overlaps_turn_around_with_the_pair() -> None:
    other = np.array([[0.6, 18.9, 14.1, np.log(3.1), 0.0]])
    forth, back = gaussian_overlaps(PARAMETERS, other), gaussian_overlaps(other, PARAMETERS)
    np.testing.assert_allclose(forth, np.swapaxes(back, 1, 2), rtol=1e-10)


def test_no_edge_joins_one_color() -> None:
    rng = np.random.default_rng(3)
    edges = np.unique(np.sort(rng.integers(0, 300, size=(2000, 2)), axis=1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    color = color_graph(edges, 300)
    assert (color[edges[:, 0]] != color[edges[:, 1]]).all()
    degree = np.bincount(edges.ravel(), minlength=300)
    assert (color <= degree).all()


def test_a_complete_graph_needs_as_many_colors_as_members() -> None:
    n = 80
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    assert sorted(color_graph(edges, n)) == list(range(n))


def test_a_graph_without_edges_has_one_color() -> None:
    assert (color_graph(np.empty((0, 2), dtype=np.intp), 4) == 0).all()
