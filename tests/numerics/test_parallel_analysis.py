"""Noise of any level in any column is told from signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adatom.numerics.parallel_analysis import components_of

Array = np.ndarray[Any, Any]


def n_found(rows: Array) -> int:
    return components_of(np.cov(rows.T), len(rows))[0].n_components


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "contrast"),
    [(2000, 50, 1.0), (2000, 50, 30.0), (300, 300, 3.0), (100, 200, 3.0)],
)
def test_noise_of_any_level_has_no_component(n_rows: int, n_columns: int, contrast: float) -> None:
    levels = np.geomspace(1, contrast, n_columns)
    rng = np.random.default_rng(0)
    found = [n_found(rng.normal(size=(n_rows, n_columns)) * levels) for _ in range(20)]
    # One in a hundred by the quantile: two of twenty have a probability of 2 %.
    assert np.count_nonzero(found) <= 1


@pytest.mark.parametrize("n_sources", [1, 2, 4])
def test_every_source_is_found_in_noise_of_uneven_level(n_sources: int) -> None:
    rng = np.random.default_rng(n_sources)
    levels = np.geomspace(1, 5, 60)
    for _ in range(5):
        signal = rng.normal(size=(2000, n_sources)) @ rng.normal(size=(n_sources, 60))
        assert n_found(signal + rng.normal(size=(2000, 60)) * levels) == n_sources


def test_a_strong_component_does_not_hide_a_weak_one() -> None:
    rng = np.random.default_rng(0)
    shapes = np.linalg.qr(rng.normal(size=(40, 2)))[0].T
    rows = rng.normal(size=(4000, 2)) * [100.0, 1.0] @ shapes + rng.normal(size=(4000, 40))
    # Among so many rows the edge of noise is (1 + sqrt(40 / 4000))^2 = 1.21, the weak one has 2.
    assert n_found(rows) == 2


def test_the_null_is_that_of_columns_permuted_by_themselves() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 60)) * np.geomspace(1, 1.5, 60)
    null = components_of(np.cov(rows.T), len(rows))[0].null[0]
    largest = [np.linalg.eigvalsh(np.cov(rng.permuted(rows, axis=0).T))[-1] for _ in range(200)]
    # With no more than 60 columns the law of Tracy and Widom is off by some per cent, upward.
    assert 0.99 < null / np.quantile(largest, 0.99) < 1.06


def test_columns_without_variance_and_data_without_any_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 20))
    rows[:, 3] = 7.0
    assert n_found(rows) == 0
    assert n_found(np.ones((50, 5))) == 0
