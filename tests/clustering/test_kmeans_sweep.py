"""k-means of every number of classes at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from adatom.clustering import assign_classes, fit_kmeans, fit_kmeans_sweep
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import TABLE

Array = np.ndarray[Any, Any]


def spectra(rows: Array) -> xr.DataArray:
    return xr.DataArray(rows, dims=("y", "x", "energy")[-rows.ndim :])


def mixed(
    n_rows: int, n_channels: int, *, seed: int = 0, noise: float = 1.0
) -> tuple[Array, Array]:
    """Give rows of five classes of unequal size, and their classes."""
    rng = np.random.default_rng(seed)
    shapes = rng.normal(0, 1, (5, n_channels))
    label = rng.choice(5, size=n_rows, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    rows = shapes[label] + noise * rng.normal(size=(n_rows, n_channels))
    return rows.astype(np.float32), label


def inertia_of(rows: Array, means: Array) -> float:
    squares = ((rows[:, None].astype(float) - means) ** 2).sum(axis=-1)
    return float(squares.min(axis=1).sum())


def test_every_number_is_at_or_below_the_inertia_of_scikit_learn() -> None:
    rows, _ = mixed(3000, 40)
    sweep = fit_kmeans_sweep(spectra(rows), max_classes=8)
    TABLE.check(sweep.summary)
    assert [model.n_classes for model in sweep.models] == list(range(2, 9))
    for model in sweep.models:
        peer = KMeans(model.n_classes, n_init=1, random_state=0).fit(rows).inertia_
        assert model.inertia == pytest.approx(inertia_of(rows, model.means), rel=1e-5)
        assert model.inertia <= peer * (1 + 1e-5)
    assert (np.diff(sweep.summary["inertia"].values) < 0).all()
    assert sweep.summary["converged"].values.all()


def test_classes_of_many_rows_and_channels_are_the_true_ones() -> None:
    # More rows than the samples in which starts compete.
    rows, label = mixed(140_000, 24, noise=0.7)
    found = spectra(rows.reshape(350, 400, 24))
    model = fit_kmeans_sweep(found, min_classes=5, max_classes=6).models[0]
    classes = assign_classes(found, model)["label"].values.ravel()
    assert adjusted_rand_index(classes, label) > 0.98
    assert model.inertia == pytest.approx(inertia_of(rows, model.means), rel=1e-5)


def test_one_number_alone_is_found_as_in_the_sweep() -> None:
    rows, _ = mixed(2000, 30)
    one = fit_kmeans(spectra(rows), n_classes=5)
    among = fit_kmeans_sweep(spectra(rows)).models[3]
    np.testing.assert_allclose(one.means, among.means, atol=1e-5)


def test_executors_give_the_same_bits() -> None:
    rows, _ = mixed(40_000, 20)
    with use_executor(SerialExecutor()):
        one = fit_kmeans_sweep(spectra(rows), max_classes=4)
    with use_executor(ThreadExecutor(3)):
        other = fit_kmeans_sweep(spectra(rows), max_classes=4)
    for first, second in zip(one.models, other.models, strict=True):
        xr.testing.assert_identical(first.to_dataset(), second.to_dataset())


@given(chunk=st.tuples(*[st.integers(1, 150)] * 2, st.integers(1, 16)), wide=st.booleans())
@settings(max_examples=8, deadline=None)
def test_chunks_do_not_change_a_bit(chunk: tuple[int, int, int], wide: bool) -> None:
    rows, _ = mixed(140 * 130, 16)
    whole = spectra(rows.reshape(140, 130, 16).astype(np.float64 if wide else np.float32))
    one = fit_kmeans_sweep(whole, max_classes=3, n_starts=2)
    chunked = whole.chunk(dict(zip(whole.dims, np.maximum(chunk, [40, 40, 5]).tolist())))
    other = fit_kmeans_sweep(chunked, max_classes=3, n_starts=2)
    for first, second in zip(one.models, other.models, strict=True):
        xr.testing.assert_identical(first.to_dataset(), second.to_dataset())


def test_rows_with_gaps_and_channels_without_signal_take_no_part() -> None:
    rows, _ = mixed(1500, 30)
    whole = fit_kmeans_sweep(spectra(rows[10:]), max_classes=4)
    rows = np.concatenate([rows, np.full((1500, 2), 3.0, np.float32)], axis=1)
    rows[:10, 4] = np.nan
    found = fit_kmeans_sweep(spectra(rows), max_classes=4)
    for model, truth in zip(found.models, whole.models, strict=True):
        assert model.counts.sum() == 1490
        np.testing.assert_allclose(model.means[:, :30], truth.means, atol=2e-2)
        np.testing.assert_allclose(model.means[:, 30:], 3.0, rtol=1e-6)


def test_pixels_of_zero_counts_are_a_class_like_any_other() -> None:
    rng = np.random.default_rng(0)
    rows = rng.poisson(20.0, (400, 12)).astype(np.float32)
    rows[:100] = 0
    model = fit_kmeans_sweep(spectra(rows), max_classes=3).models[0]
    assert model.counts.tolist() == [300, 100]
    # Sums of float32 about the mean of all rows, 15 counts.
    np.testing.assert_allclose(model.means[1], 0.0, atol=1e-4)


def test_too_few_rows_and_too_few_distinct_rows_are_told() -> None:
    with pytest.raises(TooFewSitesError, match="1 measured rows cannot form n_classes=10"):
        fit_kmeans_sweep(spectra(np.ones((1, 1, 8))))
    two = np.repeat([[0.0, 1.0], [5.0, 5.0]], 10, axis=0)
    with pytest.raises(SettingError, match="only 2 classes got rows, n_classes=3: ask for fewer"):
        fit_kmeans_sweep(spectra(two), max_classes=3)
    with pytest.raises(SettingError, match=r"min_classes=3 must be .* no more than max_classes=2"):
        fit_kmeans_sweep(spectra(two), min_classes=3, max_classes=2)
    with pytest.raises(SettingError, match="n_starts=0 must be 1 or more"):
        fit_kmeans_sweep(spectra(two), n_starts=0)
