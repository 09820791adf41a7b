"""Non-negative factors of mixtures whose factors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import xarray as xr
from sklearn.decomposition import NMF

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


def deviance(counts: Array, model: Array) -> float:
    return 2 * float(scipy.special.kl_div(counts, np.maximum(model, 1e-12)).sum())


def test_the_loss_is_at_or_below_that_of_scikit_learn(pure: Array) -> None:
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(3, 0.5), 3000)
    counts = rng.poisson(60 * shares @ (pure + 0.05)).astype(np.float32)
    found = decompose_nmf(features(counts), n_components=3)
    peer = NMF(3, init="nndsvda", random_state=0, max_iter=400)
    model = peer.fit_transform(counts) @ peer.components_
    ours = ((counts - found.scores.values @ found.components.values) ** 2).sum(dtype=float)
    assert ours <= ((counts - model) ** 2).sum(dtype=float) * (1 + 1e-4)

    found = decompose_nmf(features(counts), n_components=3, loss="poisson")
    peer = NMF(3, init="nndsvda", solver="mu", beta_loss="kullback-leibler", random_state=0)
    model = peer.fit_transform(counts) @ peer.components_
    ours = deviance(counts, found.scores.values @ found.components.values)
    assert found.summary.attrs["final_loss"] == pytest.approx(ours, rel=1e-4)
    assert ours <= deviance(counts, model) * (1 + 1e-4)


@pytest.mark.parametrize("loss", ["frobenius", "poisson"])
def test_gaps_zeros_and_dead_channels_leave_the_rest_as_it_is(pure: Array, loss: Any) -> None:
    rng = np.random.default_rng(4)
    shares = rng.dirichlet(np.full(3, 0.5), 600)
    counts = rng.poisson(200 * shares @ pure).astype(np.float32)
    counts[5, 7] = np.nan
    counts[9] = 0
    counts[:, 20] = 0
    found = decompose_nmf(features(counts), n_components=3, loss=loss)
    assert np.isnan(found.scores.values[5]).all()
    np.testing.assert_allclose(found.scores.values[9], 0.0, atol=1e-3)
    np.testing.assert_allclose(found.components.values[:, 20], 0.0, atol=1e-4)
    model = found.scores.values @ found.components.values
    measured = np.isfinite(counts).all(axis=1)
    assert np.abs((model - counts)[measured].mean()) < 0.05


@pytest.mark.parametrize("loss", ["frobenius", "poisson"])
def test_a_map_of_one_pixel_has_one_component(loss: Any) -> None:
    one = xr.DataArray(np.array([[[2.0, 0.0, 6.0]]]), dims=("y", "x", "energy"))
    found = decompose_nmf(one, n_components=1, loss=loss)
    np.testing.assert_allclose(found.components.values, [[0.25, 0.0, 0.75]], atol=2e-3)
    assert found.scores.values.item() == pytest.approx(8.0, rel=2e-3)


@pytest.mark.parametrize("loss", ["frobenius", "poisson"])
def test_negative_counts_are_refused_whatever_the_loss(pure: Array, loss: Any) -> None:
    with pytest.raises(SettingError, match="the least value is -1, non-negative components need"):
        decompose_nmf(features(pure - 1), n_components=2, loss=loss)


def test_many_columns_give_what_few_columns_would(
    pure: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    mixed = rng.dirichlet(np.full(3, 0.3), 200) @ pure + rng.uniform(0, 0.02, (200, 60))
    few = decompose_nmf(features(mixed), n_components=3)
    # From the products of rows instead of those of columns.
    monkeypatch.setattr("adatom.decomposition.nmf.MOST_COLUMNS", 50)
    many = decompose_nmf(features(mixed), n_components=3)
    np.testing.assert_allclose(many.components, few.components, atol=2e-4)
    np.testing.assert_allclose(many.scores, few.scores, atol=0.02)
