from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from adatom.clustering import (
    MixtureModel,
    assign_classes,
    cluster_gaussian_mixture,
    fit_gaussian_mixture,
)
from adatom.clustering.models import Covariance, model_from_dataset
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.noise_rank import n_components_above_noise
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import CLASSES, notes

Array = np.ndarray[Any, Any]


def features(rows: Array) -> xr.DataArray:
    return xr.DataArray(rows, dims=("site", "feature"))


def long_and_round(seed: int = 0) -> Array:
    """Two long parallel classes, which k-means cuts across, and one small round one."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.normal(0, 1, (600, 2)) * [8, 1],
            rng.normal(0, 1, (400, 2)) * [8, 1] + [0, 8],
            rng.normal([0, 20], 1, (100, 2)),
        ]
    )


TRUTH = np.repeat([0, 1, 2], [600, 400, 100])


def test_long_classes_are_told_apart() -> None:
    found = cluster_gaussian_mixture(features(long_and_round()), n_classes=3)
    CLASSES.check(found.classes)
    assert adjusted_rand_index(found.classes["label"], TRUTH) > 0.98


def test_weights_means_and_covariances_are_the_true_ones() -> None:
    model = fit_gaussian_mixture(features(long_and_round()), n_classes=3, outliers=False)
    assert model.weights == pytest.approx([6 / 11, 4 / 11, 1 / 11], abs=0.02)
    means = model.center + model.means @ model.basis
    # Four standard errors of the mean of 600, 400 and 100 members along either axis.
    assert means[0] == pytest.approx([0, 0], abs=4 * 8 / np.sqrt(600))
    assert means[2] == pytest.approx([0, 20], abs=4 / np.sqrt(100))
    turned = model.basis.T @ model.covariances[0] @ model.basis
    assert np.diag(turned) == pytest.approx([64, 1], rel=4 * np.sqrt(2 / 600))


def test_likelihood_and_probability_are_those_of_the_density() -> None:
    rows = long_and_round()
    model = fit_gaussian_mixture(features(rows), n_classes=3, outliers=False)
    scores = (rows - model.center) @ model.basis.T
    density = np.stack(
        [
            weight * multivariate_normal(mean, covariance).pdf(scores)
            for weight, mean, covariance in zip(model.weights, model.means, model.covariances)
        ],
        axis=1,
    )
    assert model.log_likelihood == pytest.approx(np.log(density.sum(axis=1)).sum(), rel=1e-6)
    # 3 means of 2, 3 covariances of 3, 2 free weights.
    assert model.bic == pytest.approx(-2 * model.log_likelihood + 17 * np.log(1100))
    classes = assign_classes(features(rows), model)
    expected = density / density.sum(axis=1, keepdims=True)
    assert classes["probability"].values == pytest.approx(expected, abs=1e-5)


def test_scattered_outliers_are_a_class_of_their_own_at_the_end() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(0, 1, (500, 4)), rng.uniform(-40, 40, (12, 4))])
    found = cluster_gaussian_mixture(features(rows), n_classes=1)
    assert isinstance(found.model, MixtureModel)
    outlier = found.classes.attrs["outlier_class"]
    assert outlier == 1 == found.model.outlier_class
    label = found.classes["label"].values
    assert (label[500:] == outlier).all()
    # A row in a thousand of the class itself may look like an outlier.
    assert np.count_nonzero(label[:500] == outlier) <= 2
    assert found.classes["probability"].sizes["class"] == 2
    assert np.isnan(found.classes["distance"].values[500:]).all()
    # Outliers do not widen the class: its true variances are 1.
    assert np.linalg.eigvalsh(found.model.covariances[0]) == pytest.approx(np.ones(4), abs=0.25)


def test_without_outliers_there_is_no_such_class() -> None:
    found = cluster_gaussian_mixture(features(long_and_round()), n_classes=3, outliers=False)
    assert "outlier_class" not in found.classes.attrs
    assert found.classes["probability"].sizes["class"] == 3


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal", "spherical"])
def test_every_form_of_covariance_has_its_form(covariance: Covariance) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 1, (200, 3)), rng.normal(12, 2, (100, 3))])
    model = fit_gaussian_mixture(
        features(rows),
        n_classes=2,
        covariance=covariance,
        outliers=False,
    )
    assert model.counts.tolist() == [200, 100]
    first, second = model.covariances
    if covariance == "tied":
        assert np.array_equal(first, second)
    if covariance in ("diagonal", "spherical"):
        assert np.count_nonzero(first - np.diag(np.diag(first))) == 0
    if covariance != "tied":
        assert np.trace(second) / np.trace(first) == pytest.approx(4, rel=0.25)


def test_patches_are_fitted_in_few_components_and_the_note_says_so() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(0, 1, (3, 900))
    rows = (np.repeat(pictures, [300, 200, 100], axis=0) + rng.normal(0, 1, (600, 900))).astype(
        np.float32
    )
    found = cluster_gaussian_mixture(features(rows), n_classes=3)
    assert np.array_equal(found.classes["label"], np.repeat([0, 1, 2], [300, 200, 100]))
    # Three pictures differ along two directions.
    assert found.model.to_dataset().sizes["component"] == 2
    assert notes(found.classes) == [
        "the mixture was fitted in the 2 principal components of 900 features that were kept"
    ]


@pytest.mark.parametrize(("n_rows", "n_features"), [(2000, 50), (300, 900), (500, 500)])
def test_pure_noise_has_no_component_above_it(n_rows: int, n_features: int) -> None:
    for seed in range(2):
        rows = np.random.default_rng(seed).normal(size=(n_rows, n_features))
        variances = np.linalg.eigvalsh(np.cov(rows.T))[::-1].astype(np.float64)
        assert n_components_above_noise(variances, n_rows) == 0


def test_results_are_bit_identical_over_chunkings_and_executors() -> None:
    rng = np.random.default_rng(0)
    rows = rng.permutation(
        np.concatenate([rng.normal(0, 1, (15_000, 20)), rng.normal(4, 1, (3_000, 20))])
    )
    rows = rows.astype(np.float32).reshape(150, 120, 20)
    eager = xr.DataArray(rows, dims=("y", "x", "energy"))
    with use_executor(SerialExecutor()):
        truth = cluster_gaussian_mixture(eager, n_classes=2, n_starts=2)
    for chunks in ((150, 120, 20), (31, 17, 6)):
        cut = da.from_array(rows, chunks=chunks)  # type: ignore[no-untyped-call]
        lazy = eager.copy(data=cut)
        with use_executor(ThreadExecutor(3)):
            found = cluster_gaussian_mixture(lazy, n_classes=2, n_starts=2)
        xr.testing.assert_identical(found.model.to_dataset(), truth.model.to_dataset())
        xr.testing.assert_identical(found.classes, truth.classes)


def test_identical_rows_do_not_break_the_fit() -> None:
    rows = np.repeat([[0.0, 0.0], [1.0, 5.0]], [30, 20], axis=0)
    found = cluster_gaussian_mixture(features(rows), n_classes=2)
    assert np.array_equal(found.classes["label"], np.repeat([0, 1], [30, 20]))


def test_rows_with_nan_take_no_part_and_have_no_class() -> None:
    rows = long_and_round()
    rows[3] = np.nan
    found = cluster_gaussian_mixture(features(rows), n_classes=3)
    assert found.classes["label"].values[3] == -1
    assert np.isnan(found.classes["probability"].values[3]).all()
    assert found.model.counts.sum() == 1099


def test_a_row_that_lacks_features_has_the_probabilities_of_the_marginal() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.normal(0, [1, 2, 1], (200, 3)), rng.normal([3, 0, 4], [2, 1, 1], (100, 3))]
    )
    rows[200:, 1] += rows[200:, 0]
    model = fit_gaussian_mixture(features(rows), n_classes=2, outliers=False)
    means = model.center + model.means @ model.basis
    covariances = model.basis.T @ model.covariances @ model.basis
    density = np.stack(
        [
            weight * multivariate_normal(mean[:2], covariance[:2, :2]).pdf(rows[:, :2])
            for weight, mean, covariance in zip(model.weights, means, covariances)
        ],
        axis=1,
    )
    rows[:, 2] = np.nan
    classes = assign_classes(features(rows), model)
    expected = density / density.sum(axis=1, keepdims=True)
    assert classes["probability"].values == pytest.approx(expected, abs=1e-5)
    assert np.isnan(classes["distance"]).all()


def test_rows_with_gaps_have_no_class_where_few_components_were_kept() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], [300, 200])
    rows = rng.normal(0, 1, (2, 100))[truth] + rng.normal(0, 1, (500, 100))
    rows[7, 3] = np.nan
    classes = cluster_gaussian_mixture(features(rows), n_classes=2).classes
    assert classes["label"].values[7] == -1
    assert (
        notes(classes)[0] == "1 of 500 rows lack features that would be needed: label -1, no class"
    )


def test_a_mixture_comes_back_from_its_dataset() -> None:
    for outliers in (True, False):
        model = fit_gaussian_mixture(features(long_and_round()), n_classes=2, outliers=outliers)
        again = model_from_dataset(model.to_dataset())
        assert isinstance(again, MixtureModel)
        assert again.outlier_class == model.outlier_class
        xr.testing.assert_identical(again.to_dataset(), model.to_dataset())


def test_impossible_settings_are_named() -> None:
    rows = features(np.random.default_rng(0).normal(size=(9, 2)))
    with pytest.raises(TooFewSitesError, match="9 measured rows, n_classes=5 needs 10 or more"):
        fit_gaussian_mixture(rows, n_classes=5)
    with pytest.raises(SettingError, match="n_components=3 must be 1 to 2"):
        fit_gaussian_mixture(rows, n_classes=2, n_components=3)
    with pytest.raises(SettingError, match="covariance='round' must be"):
        fit_gaussian_mixture(rows, n_classes=2, covariance="round")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="n_classes=0"):
        fit_gaussian_mixture(rows, n_classes=0)


def test_more_columns_than_a_covariance_can_have_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(0, 1, (2, 5000))
    rows = np.repeat(pictures, [60, 40], axis=0) + rng.normal(0, 1, (100, 5000))
    model = fit_gaussian_mixture(features(rows.astype(np.float32)), n_classes=2, outliers=False)
    assert model.counts.tolist() == [60, 40]
    assert len(model.basis) == 1
    true = pictures[0] - pictures[1]
    # Noise of 100 rows in 5000 columns turns the axis by some ten degrees.
    assert abs(model.basis[0] @ true) / np.linalg.norm(true) > 0.9


def test_rows_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(SettingError, match="all 30 measured rows are the same: no Gaussian has"):
        fit_gaussian_mixture(features(np.full((30, 3), 2.0)), n_classes=2)


def test_the_likelihood_is_at_or_above_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.normal(0, [1, 2, 3], (6000, 3)), rng.normal([4, 0, 4], [2, 1, 1], (3000, 3))]
    )
    model = fit_gaussian_mixture(features(rows), n_classes=2, outliers=False)
    peer = GaussianMixture(2, random_state=0).fit(rows)
    # Both rest within a thousandth of a unit for a row.
    assert model.log_likelihood / len(rows) >= peer.score(rows) - 1e-5
