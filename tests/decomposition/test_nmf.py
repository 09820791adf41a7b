"""Non-negative factors of mixtures whose factors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import xarray as xr

from adatom.decomposition import decompose_nmf
from adatom.errors import SettingError, TooFewSitesError

Array = np.ndarray[Any, Any]


def features(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims=("site", "energy"), attrs={"units": "1"})


@pytest.fixture
def pure() -> Array:
    """Give spectra of which each has channels of its own, so that factors are unique."""
    axis = np.arange(60)
    peaks = [np.exp(-(((axis - center) / 4.0) ** 2) / 2) for center in (8, 28, 48)]
    return np.array(peaks) + 0.0


def _matched(found: Array, truth: Array) -> Array:
    cost = -(found / np.linalg.norm(found, axis=1)[:, None]) @ truth.T
    return np.asarray(scipy.optimize.linear_sum_assignment(cost)[1])


@pytest.mark.parametrize("loss", ["frobenius", "poisson"])
def test_factors_of_counts_are_found(pure: Array, loss: Any) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 0.3), 2000)
    counts = rng.poisson(400 * shares @ pure).astype(np.float32)
    found = decompose_nmf(features(counts), n_components=3, loss=loss)
    order = _matched(found.components.values, pure)
    np.testing.assert_allclose(found.components.values.sum(axis=1), 1.0, rtol=1e-5)
    expected = pure[order] / pure[order].sum(axis=1, keepdims=True)
    assert np.abs(found.components.values - expected).max() < 0.003
    total = 400 * shares[:, order] * pure[order].sum(axis=1)
    error = found.scores.values - total
    # The total of a component is a sum of counts, so its variance is the total itself.
    assert np.sqrt(np.mean(error**2)) < 1.3 * np.sqrt(total.mean())


def test_the_loss_is_that_of_the_factors_and_falls_below_the_truth(pure: Array) -> None:
    rng = np.random.default_rng(1)
    clean = rng.dirichlet(np.full(3, 0.5), 500) @ pure
    noisy = np.maximum(clean + 0.02 * rng.normal(size=clean.shape), 0)
    found = decompose_nmf(features(noisy), n_components=3)
    left = noisy - found.scores.values @ found.components.values
    assert found.summary.attrs["final_loss"] == pytest.approx((left**2).sum(), rel=2e-3)
    assert (left**2).sum() < ((noisy - clean) ** 2).sum()
    assert found.summary.attrs["converged"]


def test_chunks_do_not_change_a_bit(pure: Array) -> None:
    rng = np.random.default_rng(2)
    whole = features(rng.poisson(50 * rng.dirichlet(np.ones(3), 300) @ pure).astype(np.float32))
    for loss in ("frobenius", "poisson"):
        one = decompose_nmf(whole, n_components=3, loss=loss)
        other = decompose_nmf(whole.chunk(site=37, energy=7), n_components=3, loss=loss)
        np.testing.assert_array_equal(one.scores.values, other.scores.values)
        np.testing.assert_array_equal(one.components.values, other.components.values)


def test_what_cannot_be_factorized_says_why(pure: Array) -> None:
    with pytest.raises(SettingError, match="the least value is -1, non-negative components need"):
        decompose_nmf(features(pure - 1), n_components=2)
    with pytest.raises(SettingError, match="how many components"):
        decompose_nmf(features(pure))
    with pytest.raises(TooFewSitesError, match="3 measured rows cannot hold 4 components"):
        decompose_nmf(features(pure), n_components=4)
