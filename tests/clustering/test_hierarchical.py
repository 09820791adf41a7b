"""Ward's hierarchy against the libraries that compute it in full, and on maps of known regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.cluster.hierarchy
import xarray as xr
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.image import grid_to_graph

from adatom.clustering import cluster_hierarchical
from adatom.clustering.ward import Tree, connected_tree, merged_neighbors, ward_tree
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import TABLE, notes

Array = np.ndarray[Any, Any]


def features(rows: Array) -> xr.DataArray:
    return xr.DataArray(rows, dims=("site", "feature"))


def quarters(shape: tuple[int, int], *, noise: float, seed: int = 0) -> tuple[Array, xr.DataArray]:
    """Give four regions of three features, and their noisy map."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    truth = (x > 0.4 * shape[1]).astype(int) + 2 * (y > 0.6 * shape[0])
    rng = np.random.default_rng(seed)
    values = truth[..., None] * np.array([1.0, 0.5, -1.0]) + noise * rng.normal(size=(*shape, 3))
    return truth, xr.DataArray(values, dims=("y", "x", "energy"))


def test_the_tree_of_few_rows_is_that_of_scipy() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 5))
    tree = ward_tree(rows, np.ones(300, dtype=int))
    expected = scipy.cluster.hierarchy.linkage(rows, "ward")
    np.testing.assert_allclose(tree.height, expected[:, 2], atol=1e-12)
    merges = np.stack([tree.first, tree.second, tree.n_rows], axis=1)
    np.testing.assert_array_equal(merges, expected[:, [0, 1, 3]])


def test_points_that_stand_for_rows_merge_as_these_rows_do() -> None:
    rng = np.random.default_rng(1)
    points, counts = rng.normal(size=(40, 3)), rng.integers(1, 6, 40)
    whole = ward_tree(np.repeat(points, counts, axis=0), np.ones(counts.sum(), dtype=int))
    by_counts = ward_tree(points, counts)
    # The same points merge first, at no height.
    np.testing.assert_allclose(by_counts.height, whole.height[-39:], atol=1e-9)
    np.testing.assert_array_equal(by_counts.n_rows, whole.n_rows[-39:])


def test_classes_are_those_of_the_tree_cut_by_scipy() -> None:
    rows = np.random.default_rng(2).normal(size=(200, 4))
    found = cluster_hierarchical(features(rows), n_classes=7)
    tree = scipy.cluster.hierarchy.linkage(rows, "ward")
    expected = scipy.cluster.hierarchy.fcluster(tree, 7, "maxclust")
    assert adjusted_rand_index(found.classes["label"].values, expected) == 1.0
    count = found.classes["count"].values
    assert (np.diff(count) <= 0).all()
    members = [rows[found.classes["label"].values == number].mean(axis=0) for number in range(7)]
    np.testing.assert_allclose(found.means.values, members)


def test_the_top_of_the_tree_is_a_linkage_matrix() -> None:
    rows = np.random.default_rng(3).normal(size=(600, 2))
    table = cluster_hierarchical(features(rows), n_classes=2).tree
    TABLE.check(table)
    assert table.attrs["n_leaves"] == 256
    expected = scipy.cluster.hierarchy.linkage(rows, "ward")[-255:]
    np.testing.assert_allclose(table["height"].values, expected[:, 2])
    np.testing.assert_array_equal(table["count"].values, expected[:, 3])
    np.testing.assert_array_equal(table["n_classes"].values, np.arange(255, 0, -1))
    columns = [table[name].values for name in ("first", "second", "height", "n_leaves")]
    assert scipy.cluster.hierarchy.is_valid_linkage(np.stack(columns, axis=1).astype(float))


def test_connected_classes_are_those_of_scikit_learn() -> None:
    truth, spectra = quarters((30, 40), noise=0.8)
    found = cluster_hierarchical(spectra, n_classes=4, connected=True)
    label = found.classes["label"].values.ravel()
    peer = AgglomerativeClustering(4, connectivity=grid_to_graph(30, 40)).fit(
        spectra.values.reshape(-1, 3)
    )
    assert adjusted_rand_index(label, peer.labels_) == 1.0
    alone = cluster_hierarchical(spectra, n_classes=4).classes["label"].values.ravel()
    # What neighbors know is worth much here: 0.4 without, 0.9 with it.
    assert adjusted_rand_index(label, truth.ravel()) > 0.85
    assert adjusted_rand_index(alone, truth.ravel()) < 0.6


def test_every_connected_class_is_one_region() -> None:
    import scipy.ndimage

    _, spectra = quarters((25, 31), noise=1.5)
    label = cluster_hierarchical(spectra, n_classes=6, connected=True).classes["label"].values
    for number in range(6):
        assert scipy.ndimage.label(label == number)[1] == 1


def test_masked_pixels_have_no_class_and_part_what_they_lie_between() -> None:
    values = np.zeros((9, 9, 2))
    values[:, 5:] = 4.0
    values[:, 4] = np.nan
    values[4:, 5:] += 3.0
    found = cluster_hierarchical(
        xr.DataArray(values, dims=("y", "x", "energy")), n_classes=3, connected=True
    )
    label = found.classes["label"].values
    assert (label[:, 4] == -1).all()
    assert sorted(np.unique(label[:, :4]).tolist() + np.unique(label[:, 5:]).tolist()) == [0, 1, 2]
    # A single class must reach over the gap, and says so.
    whole = cluster_hierarchical(
        xr.DataArray(values, dims=("y", "x", "energy")), n_classes=1, connected=True
    )
    assert any("2 parts that do not touch" in note for note in notes(whole.classes))


def test_sites_touch_where_their_cells_do() -> None:
    rng = np.random.default_rng(5)
    places = rng.uniform(0, 20, (400, 2))
    truth = (places[:, 1] > 9).astype(int)
    rows = xr.DataArray(
        3.0 * truth[:, None] + 1.5 * rng.normal(size=(400, 2)),
        dims=("site", "feature"),
        coords={
            "y": ("site", places[:, 0], {"units": "nm"}),
            "x": ("site", places[:, 1], {"units": "nm"}),
        },
    )
    found = cluster_hierarchical(rows, n_classes=2, connected=True)
    assert adjusted_rand_index(found.classes["label"].values, truth) > 0.85
    with pytest.raises(KindError, match=r"on \('site',\) have no neighbors"):
        cluster_hierarchical(features(rows.values), n_classes=2, connected=True)


def test_many_rows_are_gathered_first_and_lose_little() -> None:
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 3, 20_000)
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 7.0]])
    rows = (centers[truth] + rng.normal(size=(20_000, 2))).astype(np.float32)
    found = cluster_hierarchical(features(rows), n_classes=3)
    assert any("20000 rows were first gathered in" in note for note in notes(found.classes))
    # The nearest true center gives 0.996; Ward's greedy merges lose some at any size.
    assert adjusted_rand_index(found.classes["label"].values, truth) > 0.97
    assert found.tree["count"].values[-1] == 20_000


def test_a_large_map_is_merged_in_rounds_first() -> None:
    truth, spectra = quarters((150, 140), noise=0.8)
    found = cluster_hierarchical(spectra.astype(np.float32), n_classes=4, connected=True)
    assert any("21000 rows were first merged" in note for note in notes(found.classes))
    assert adjusted_rand_index(found.classes["label"].values.ravel(), truth.ravel()) > 0.97


def test_rounds_of_nearest_neighbors_merge_only_what_touches() -> None:
    points = np.array([[0.0], [0.1], [5.0], [0.0], [5.1]])
    pairs = np.array([[0, 1], [1, 2], [3, 4]])
    region = merged_neighbors(points, pairs, n_left=4)
    assert region[0] == region[1]
    assert region[3] != region[0]


def test_counts_below_the_merges_of_parts_add_up() -> None:
    points = np.array([[0.0], [1.0], [5.0], [6.0]])
    tree, n_parts = connected_tree(points, np.array([1, 2, 3, 4]), np.array([[0, 1], [2, 3]]))
    assert isinstance(tree, Tree)
    assert n_parts == 2
    assert tree.n_rows.tolist() == [3, 7, 10]


def test_what_cannot_be_cut_says_why() -> None:
    rows = features(np.arange(6.0)[:, None])
    with pytest.raises(SettingError, match="give n_classes= or"):
        cluster_hierarchical(rows)
    with pytest.raises(TooFewSitesError, match="6 measured rows cannot form 7 classes"):
        cluster_hierarchical(rows, n_classes=7)
