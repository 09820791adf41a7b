from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom.clustering import (
    KMeansModel,
    assign_classes,
    class_means,
    cluster_kmeans,
    fit_kmeans,
)
from adatom.clustering.models import model_from_dataset
from adatom.errors import KindError, SettingError, StoreError, TooFewSitesError
from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import CLASSES, FEATURES, notes, sites_from_positions, table_from_columns

Array = np.ndarray[Any, Any]


def blobs(sizes: list[int], n_features: int, *, distance: float, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    centers = np.eye(n_features)[np.arange(len(sizes)) % n_features] * distance
    centers[n_features:] *= -1
    rows = [rng.normal(center, 1, (n, n_features)) for n, center in zip(sizes, centers)]
    return np.concatenate(rows).astype(np.float32)


def features(rows: Array) -> xr.DataArray:
    return xr.DataArray(rows, dims=("site", "feature"))


TRUTH = np.repeat([0, 1, 2], [500, 300, 2])


def test_separate_blobs_are_found_and_ordered_by_size() -> None:
    found = cluster_kmeans(features(blobs([500, 300, 2], 6, distance=20)), n_classes=3)
    CLASSES.check(found.classes)
    assert np.array_equal(found.classes["label"], TRUTH)
    assert found.classes["count"].values.tolist() == [500, 300, 2]
    assert isinstance(found.model, KMeansModel)
    assert found.model.counts.tolist() == [500, 300, 2]


def test_labels_do_not_depend_on_which_blob_comes_first() -> None:
    rows = blobs([30, 500, 200], 4, distance=15)
    found = cluster_kmeans(features(rows), n_classes=3)
    assert np.array_equal(found.classes["label"], np.repeat([2, 0, 1], [30, 500, 200]))


def test_means_and_inertia_are_those_of_the_members() -> None:
    rows = blobs([200, 100], 3, distance=12)
    model = fit_kmeans(features(rows), n_classes=2)
    parts = [rows[:200].astype(float), rows[200:].astype(float)]
    assert model.means == pytest.approx(np.stack([p.mean(axis=0) for p in parts]), abs=1e-5)
    inertia = sum(((p - p.mean(axis=0)) ** 2).sum() for p in parts)
    assert model.inertia == pytest.approx(inertia, rel=1e-5)
    assert model.converged


def test_one_class_is_the_mean_of_all() -> None:
    rows = blobs([50], 3, distance=0)
    found = cluster_kmeans(features(rows), n_classes=1)
    assert isinstance(found.model, KMeansModel)
    assert found.model.means[0] == pytest.approx(rows.mean(axis=0), abs=1e-5)
    assert set(found.classes["margin"].values.tolist()) == {1.0}


def test_evenly_spread_rows_on_a_line_are_cut_in_the_middle() -> None:
    # The optimum of two classes on 0 .. 99 is known: means 24.5 and 74.5.
    rows = np.arange(100, dtype=np.float64)[:, None]
    model = fit_kmeans(features(rows), n_classes=2)
    assert sorted(model.means[:, 0]) == [24.5, 74.5]
    # 2 * sum of (i - 24.5)^2 over 0 .. 49.
    assert model.inertia == pytest.approx(2 * 50 * (50**2 - 1) / 12)


@given(st.data())
@settings(max_examples=8, deadline=None)
def test_results_are_bit_identical_over_chunkings_and_executors(data: st.DataObject) -> None:
    rows = blobs([9000, 6000, 3000], 5, distance=6).reshape(150, 120, 5)
    rng = np.random.default_rng(0)
    rows = rng.permutation(rows.reshape(-1, 5)).reshape(rows.shape)
    eager = xr.DataArray(rows, dims=("y", "x", "energy"))
    chunks = tuple(data.draw(st.integers(-(-size // 6), size)) for size in rows.shape)
    lazy = eager.copy(data=da.from_array(rows, chunks=chunks))  # type: ignore[no-untyped-call]
    with use_executor(SerialExecutor()):
        truth = cluster_kmeans(eager, n_classes=3, n_starts=3)
    with use_executor(ThreadExecutor(3)):
        found = cluster_kmeans(lazy, n_classes=3, n_starts=3)
    xr.testing.assert_identical(found.model.to_dataset(), truth.model.to_dataset())
    xr.testing.assert_identical(found.classes, truth.classes)


def test_more_rows_than_the_sample_are_fitted_exactly() -> None:
    rows = np.random.default_rng(1).permutation(blobs([30_000, 9_000, 1_000], 4, distance=14))
    found = cluster_kmeans(features(rows), n_classes=3)
    assert isinstance(found.model, KMeansModel)
    assert found.model.counts.tolist() == [30_000, 9_000, 1_000]
    for number in range(3):
        members = rows[found.classes["label"].values == number].astype(float)
        assert found.model.means[number] == pytest.approx(members.mean(axis=0), abs=1e-5)


def test_the_same_seed_gives_the_same_bits_and_starts_reach_the_same_classes() -> None:
    rows = features(blobs([200, 150, 100, 50], 5, distance=8))
    first, again = (fit_kmeans(rows, n_classes=4, seed=5) for _ in range(2))
    assert np.array_equal(first.means, again.means)
    for seed in range(6):
        label = cluster_kmeans(rows, n_classes=4, seed=seed).classes["label"].values
        assert adjusted_rand_index(label, np.repeat(range(4), [200, 150, 100, 50])) > 0.99


def test_a_large_offset_in_float32_costs_no_class() -> None:
    rows = blobs([400, 300], 4, distance=10) + np.float32(100_000)
    found = cluster_kmeans(features(rows), n_classes=2)
    assert np.array_equal(found.classes["label"], np.repeat([0, 1], [400, 300]))


def test_rows_with_nan_take_no_part_in_the_fit() -> None:
    rows = blobs([60, 40], 3, distance=20)
    whole = fit_kmeans(features(np.delete(rows, 7, axis=0)), n_classes=2)
    rows[7, :2] = np.nan
    found = cluster_kmeans(features(rows), n_classes=2)
    assert found.classes["label"].values[7] == -1
    assert np.isnan(found.classes["distance"].values[7])
    assert found.model.counts.tolist() == [59, 40] == whole.counts.tolist()
    assert notes(found.classes) == [
        "1 of 100 rows lack features that would be needed: label -1, no class"
    ]


def test_a_row_that_lacks_features_has_the_class_of_those_it_has() -> None:
    rows = blobs([60, 40], 4, distance=20)
    truth = np.repeat([0, 1], [60, 40])
    model = fit_kmeans(features(rows), n_classes=2)
    rng = np.random.default_rng(0)
    for row in rows:
        # Features 0 and 1 tell the classes apart: one of them stays.
        row[rng.permutation([0, 2, 3] if rng.random() < 0.5 else [1, 2, 3])[:2]] = np.nan
    classes = assign_classes(features(rows), model)
    assert np.array_equal(classes["label"], truth)
    assert np.isnan(classes["distance"]).all()
    assert (classes["margin"] > 0.2).all()
    (note,) = notes(classes)
    assert note.startswith("100 of 100 rows lack up to half of the features: they have the class")


def test_classes_keep_the_place_of_their_rows() -> None:
    sites = sites_from_positions([0.0, 1.0, 2.0], [5.0, 6.0, 7.0], unit="nm", spacing=0.14)
    rows = xr.DataArray(
        [[0.0], [0.1], [9.0]],
        dims=("site", "feature"),
        coords={**sites.coords, "axis": ("feature", ["y"])},
        attrs=sites.attrs,
    )
    classes = cluster_kmeans(rows, n_classes=2).classes
    assert classes["y"].attrs == {"units": "nm"}
    assert classes["x"].values.tolist() == [5, 6, 7]
    assert "axis" not in classes.coords
    assert classes.attrs["spacing"] == 0.14
    assert classes.attrs["n_classes"] == 2


def test_distance_and_margin_are_those_of_the_definition() -> None:
    rows = features(np.array([[0.0], [0.0], [4.0], [10.0], [10.0]]))
    classes = cluster_kmeans(rows, n_classes=2).classes
    # Classes {0, 0, 4} with mean 4/3 and {10, 10}.
    assert classes["label"].values.tolist() == [0, 0, 0, 1, 1]
    assert classes["distance"].values[2] == pytest.approx(8 / 3)
    assert classes["margin"].values[2] == pytest.approx(1 - (8 / 3) / 6)
    assert classes["margin"].values[3] == 1


def test_input_is_not_changed() -> None:
    rows = features(blobs([40, 30], 3, distance=9))
    before = rows.copy(deep=True)
    cluster_kmeans(rows, n_classes=2)
    xr.testing.assert_identical(rows, before)


def test_a_choice_stands_for_the_number_of_classes() -> None:
    choice = table_from_columns({"n_classes": [1, 2]})
    choice.attrs["n_classes"] = 2
    rows = features(blobs([40, 30], 3, distance=9))
    assert cluster_kmeans(rows, choice).model.n_classes == 2
    # Who knows better than the choice says so.
    assert cluster_kmeans(rows, choice, n_classes=3).model.n_classes == 3
    with pytest.raises(SettingError, match="found neither"):
        cluster_kmeans(rows)
    with pytest.raises(SettingError, match="take the one of choose_n_classes"):
        cluster_kmeans(rows, table_from_columns({"a": [1]}))


def test_impossible_settings_are_named() -> None:
    rows = features(np.zeros((4, 2)))
    with pytest.raises(SettingError, match="n_classes=0 and n_starts=10 must be 1 or more"):
        fit_kmeans(rows, n_classes=0)
    with pytest.raises(TooFewSitesError, match="4 measured rows cannot form n_classes=5"):
        fit_kmeans(rows, n_classes=5)
    with pytest.raises(SettingError, match=r"only 1 classes got rows, n_classes=2: ask for fewer"):
        fit_kmeans(rows, n_classes=2)
    with pytest.raises(KindError, match="says where, not what is measured"):
        fit_kmeans(xr.DataArray(np.zeros((4, 2)), dims=("site", "axis")), n_classes=2)


def test_a_model_refuses_other_features() -> None:
    model = fit_kmeans(features(blobs([20, 10], 3, distance=9)), n_classes=2)
    with pytest.raises(KindError, match=r"fitted to 3 features along 'feature', these have 2"):
        assign_classes(features(np.zeros((5, 2))), model)


def test_a_model_comes_back_from_its_dataset() -> None:
    model = fit_kmeans(features(blobs([20, 10], 3, distance=9)), n_classes=2)
    again = model_from_dataset(model.to_dataset())
    assert isinstance(again, KMeansModel)
    xr.testing.assert_identical(again.to_dataset(), model.to_dataset())
    with pytest.raises(StoreError, match="need KMeansModel, MixtureModel or PoissonMixtureModel"):
        model_from_dataset(xr.Dataset())
    damaged = model.to_dataset()
    del damaged.attrs["inertia"]
    with pytest.raises(StoreError, match="lacks 'inertia'"):
        model_from_dataset(damaged)


def test_class_means_are_means_of_members_and_keep_what_was_measured() -> None:
    rows = features(blobs([40, 30], 4, distance=12)).assign_coords(
        patch_y=("feature", [0.0, 0.0, 1.0, 1.0])
    )
    rows.attrs["patch_shape"] = [2, 2]
    rows[3, 0] = np.nan
    classes = cluster_kmeans(rows, n_classes=2).classes
    means = class_means(rows, classes)
    FEATURES.check(means)
    assert means.dims == ("class", "feature")
    assert means.dtype == np.float32
    assert means["count"].values.tolist() == [39, 30]
    assert means["patch_y"].values.tolist() == [0, 0, 1, 1]
    assert means.attrs["patch_shape"] == [2, 2]
    told = "1 of 70 rows with a class have NaN in a feature and took no part"
    assert notes(means) == [told]
    assert class_means(rows * np.nan, classes).isnull().all()
    named = classes.assign_attrs(outlier_class=1, class_names=["tin", "lead"])
    assert class_means(rows, named).attrs["outlier_class"] == 1
    assert class_means(rows, named).attrs["class_names"] == ["tin", "lead"]
    assert means.values[1] == pytest.approx(rows.values[40:].mean(axis=0), abs=1e-5)


def test_class_means_refuse_classes_of_other_places() -> None:
    classes = xr.Dataset({"label": ("site", np.zeros(3, dtype=int))})
    with pytest.raises(KindError, match="they must be of the same places"):
        class_means(features(np.zeros((4, 2))), classes)
