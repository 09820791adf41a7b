from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import (
    assign_classes,
    choose_n_classes,
    class_means,
    cluster_kmeans,
    compare_n_classes,
    fit_kmeans,
)
from adatom.errors import KindError, SettingError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import CLASSES, FEATURES, TABLE, notes

Array = np.ndarray[Any, Any]


def features(sizes: list[int], distance: float = 9.0, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    # Nearer and nearer, so that it is plain which are parted first.
    centers = distance * np.diag(1.0 + np.arange(len(sizes))[::-1])
    rows = np.repeat(centers, sizes, axis=0) + rng.standard_normal((sum(sizes), len(sizes)))
    return xr.DataArray(rng.permutation(rows).astype(np.float32), dims=("site", "feature"))


def test_every_number_has_its_labels_means_and_indices() -> None:
    rows = features([200, 150, 100, 50])
    table, classes, means = compare_n_classes(rows, max_classes=6, n_references=2)
    TABLE.check(table)
    CLASSES.check(classes)
    FEATURES.check(means)
    assert table.identical(choose_n_classes(rows, max_classes=6, n_references=2))
    assert table.attrs["n_classes"] == 4
    for number in range(1, 7):
        labels = classes["label"].sel(n_classes=number)
        own = assign_classes(rows, fit_kmeans(rows, n_classes=number))["label"]
        assert adjusted_rand_index(labels.values, own.values) == 1
        known = classes.sel(n_classes=number)
        assert (known["count"].values > 0).sum() == number
        direct = class_means(rows, xr.Dataset({"label": labels.drop_vars("n_classes")}))
        found = means.sel(n_classes=number).values[: direct.sizes["class"]]
        np.testing.assert_allclose(found, direct.values, rtol=1e-5)


def test_classes_of_the_recommended_number_are_those_of_k_means() -> None:
    rows = features([200, 150, 100, 50])
    found = compare_n_classes(rows, max_classes=6, n_references=2)
    own = cluster_kmeans(rows, found.table).classes["label"]
    np.testing.assert_array_equal(found.classes["label"].sel(n_classes=4), own)


def test_labels_stay_where_one_class_is_parted() -> None:
    classes = compare_n_classes(features([200, 150, 100, 50]), max_classes=5).classes
    for number in range(2, 6):
        before, after = (classes["label"].sel(n_classes=n).values for n in (number - 1, number))
        new, split = (
            int(classes[name].sel(n_classes=number)) for name in ("new_class", "split_class")
        )
        assert new not in before
        # Well-parted blobs: rows keep their label, or come from the class that is parted.
        moved = before != after
        assert (after[moved] == new).all()
        assert (before[moved] == split).all()


def test_means_may_be_those_of_other_spectra() -> None:
    rows = features([60, 40])
    spectra = xr.DataArray(np.arange(300.0).reshape(100, 3), dims=("site", "energy"))
    _, classes, means = compare_n_classes(rows, spectra, max_classes=2, n_references=2)
    first = classes["label"].sel(n_classes=2).values == 0
    np.testing.assert_allclose(means.values[1, 0], spectra.values[first].mean(axis=0))
    with pytest.raises(KindError, match="must be of the same places"):
        compare_n_classes(rows, spectra[:50], max_classes=2)


def test_rows_that_are_not_measured_have_no_class_in_any_number() -> None:
    rows = features([60, 40])
    rows[3] = np.nan
    found = compare_n_classes(rows, max_classes=3, n_references=2)
    assert (found.classes["label"].values[:, 3] == -1).all()
    assert found.classes["count"].sum("class").values.tolist() == [99, 99, 99]
    assert "1 of 100 rows lack features: label -1, no class" in notes(found.classes)


def test_no_more_numbers_are_tried_than_rows_differ() -> None:
    rows = xr.DataArray(np.repeat([[0.0], [4.0]], 20, axis=0), dims=("site", "feature"))
    found = compare_n_classes(rows, max_classes=8, n_references=2)
    assert found.classes["n_classes"].values.tolist() == [1, 2]


def test_more_classes_than_labels_can_tell_are_refused() -> None:
    with pytest.raises(SettingError, match="max_classes=128 must be no more than 127"):
        compare_n_classes(features([60, 40]), max_classes=128)
