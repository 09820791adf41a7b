"""Consensus over resamplings, dense classes, and classes linked between runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import (
    class_means,
    cluster_consensus,
    cluster_density,
    cluster_gaussian_mixture,
    cluster_kmeans,
    link_classes,
    link_classes_by_means,
)
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import notes

Array = np.ndarray[Any, Any]

CENTERS = np.array([[0.0, 0.0], [7.0, 0.0], [0.0, 8.0]])
TRUTH = np.repeat([0, 1, 2], [300, 200, 100])


def blobs(seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    return xr.DataArray(CENTERS[TRUTH] + rng.normal(size=(600, 2)), dims=("site", "feature"))


def test_classes_that_are_there_are_stable() -> None:
    found = cluster_consensus(blobs(), n_classes=3, n_resamples=20)
    np.testing.assert_array_equal(found.classes["label"].values, TRUTH)
    assert found.classes["stability"].values.min() > 0.8
    assert (found.classes["class_stability"].values > 0.95).all()


def test_a_class_cut_in_two_is_not_stable() -> None:
    classes = cluster_consensus(blobs(), n_classes=4, n_resamples=20).classes
    stability = np.sort(classes["class_stability"].values)
    # Two of the four share one blob and change with every resampling.
    assert stability[0] < 0.75
    assert stability[-1] > 0.9
    unsure = classes["stability"].values < 0.9
    assert unsure.mean() > 0.1


def test_places_between_classes_are_the_unstable_ones() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(-3, 1, 300), rng.normal(3, 1, 300), [0.0]])[:, None]
    shares = cluster_consensus(
        xr.DataArray(rows, dims=("site", "feature")), n_classes=2, n_resamples=40
    ).classes
    assert shares["stability"].values[-1] < 1.0
    assert shares["stability"].values[:300][rows[:300, 0] < -2].min() == 1.0
    np.testing.assert_allclose(shares["probability"].sum("class"), 1.0, atol=1e-6)


def test_more_rows_than_the_sample_all_vote() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 30_000)
    rows = xr.DataArray(
        (CENTERS[truth] + rng.normal(size=(30_000, 2))).astype("f4"), dims=("site", "feature")
    )
    rows[7, 1] = np.nan
    found = cluster_consensus(rows, n_classes=3, n_resamples=5)
    assert adjusted_rand_index(found.classes["label"].values, truth) > 0.99
    assert any("a stratified sample of 16384 rows" in note for note in notes(found.classes))
    assert np.isnan(found.classes["stability"].values[7])


def test_resamplings_must_be_several() -> None:
    with pytest.raises(SettingError, match="n_resamples=1 must be 2 or more"):
        cluster_consensus(blobs(), n_classes=2, n_resamples=1)


def moons(n: int, *, noise: float, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi, n)
    truth = np.arange(n) % 2
    curve = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    curve[truth == 1] = [1.0, 0.4] - curve[truth == 1]
    return curve + noise * rng.normal(size=(n, 2)), truth


@pytest.mark.parametrize("n", [1000, 12_000])
def test_dense_classes_may_be_bent(n: int) -> None:
    rows, truth = moons(n, noise=0.05)
    found = cluster_density(xr.DataArray(rows, dims=("site", "feature")))
    label = found.classes["label"].values
    known = label >= 0
    assert found.classes.sizes["class"] == 2
    assert known.mean() > 0.95
    assert adjusted_rand_index(label[known], truth[known]) == 1.0
    by_means = cluster_kmeans(xr.DataArray(rows, dims=("site", "feature")), n_classes=2)
    assert adjusted_rand_index(by_means.classes["label"].values, truth) < 0.6


def test_rows_between_dense_classes_have_no_class() -> None:
    rng = np.random.default_rng(3)
    strewn = rng.uniform(-30, 30, (60, 2))
    rows = xr.DataArray(
        np.concatenate([CENTERS[TRUTH] * 2 + rng.normal(size=(600, 2)), strewn]),
        dims=("site", "feature"),
    )
    classes = cluster_density(rows, min_size=30).classes
    label = classes["label"].values
    assert adjusted_rand_index(label[:600][label[:600] >= 0], TRUTH[label[:600] >= 0]) > 0.99
    strength = classes["strength"].values
    # A third of the strewn rows lie within three sigma of a class or at the rim of one.
    assert (strength[600:] < 0.25).mean() > 0.7
    assert (strength[:600] > 0.25).mean() > 0.9
    assert (classes["strength"].values[label == -1] == 0).all()
    assert any(note.startswith("3 dense classes") for note in notes(classes))


def test_rows_without_dense_regions_may_all_be_noise() -> None:
    rows = xr.DataArray(np.random.default_rng(4).uniform(size=(300, 2)), dims=("site", "feature"))
    found = cluster_density(rows, min_size=100)
    assert found.classes.sizes["class"] == found.means.sizes["class"]
    assert (found.classes["label"].values >= -1).all()


def test_too_few_rows_are_not_dense() -> None:
    rows = blobs()
    with pytest.raises(TooFewSitesError, match="4 measured rows, 10 or more"):
        cluster_density(rows[:4])
    with pytest.raises(SettingError, match="min_size=1 must be 2 or more"):
        cluster_density(rows, min_size=1)


def test_runs_on_the_same_places_get_the_same_numbers() -> None:
    rows = blobs()
    reference = cluster_kmeans(rows, n_classes=3).classes
    mixture = cluster_gaussian_mixture(rows, n_classes=3, outliers=False).classes
    turned = mixture.assign(label=((mixture["label"] + 1) % 3).astype(np.int32)).roll(
        {"class": 1}, roll_coords=False
    )
    linked = link_classes(turned, reference)
    np.testing.assert_array_equal(linked.classes["label"], reference["label"])
    assert linked.matches["class"].values.tolist() == [2, 0, 1]
    assert linked.matches.attrs["agreement"] == 1.0
    # Probabilities go with the numbers.
    probability = linked.classes["probability"]
    np.testing.assert_array_equal(probability.argmax("class"), reference["label"])
    np.testing.assert_array_equal(linked.classes["count"].values, [300, 200, 100])


def test_unequal_numbers_of_classes_are_told() -> None:
    more = xr.Dataset({"label": ("site", [0, 0, 1, 2, 2, 2, -1])})
    less = xr.Dataset({"label": ("site", [1, 1, 1, 0, 0, 0, 0])})
    linked = link_classes(more, less)
    assert linked.classes["label"].values.tolist() == [1, 1, 2, 0, 0, 0, -1]
    assert linked.matches["reference"].values.tolist() == [1, -1, 0]
    assert any("2 of 3 classes matched, 1 have no partner" in n for n in notes(linked.classes))
    other_way = link_classes(less, more)
    assert other_way.classes["label"].values.tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert other_way.classes["count"].values.tolist() == [3, 0, 4]


def test_classes_that_share_no_place_are_no_match() -> None:
    one = xr.Dataset({"label": ("site", [0, 0, 1])})
    other = xr.Dataset({"label": ("site", [0, 0, 0])}).assign_coords({"class": [0, 1]})
    linked = link_classes(one, other)
    assert linked.matches["reference"].values.tolist() == [0, -1]
    assert linked.classes["label"].values.tolist() == [0, 0, 2]


def test_runs_on_other_places_are_linked_by_their_means() -> None:
    first, second = blobs(0), blobs(1)[100:]
    one = cluster_kmeans(first, n_classes=3)
    two = cluster_kmeans(second, n_classes=3)
    linked = link_classes_by_means(
        two.classes, class_means(second, two.classes), class_means(first, one.classes)
    )
    np.testing.assert_array_equal(linked.classes["label"].values, TRUTH[100:])
    assert (linked.matches["distance"].values < 0.5).all()


def test_what_cannot_be_linked_says_why() -> None:
    one = xr.Dataset({"label": ("site", [0, 1])})
    with pytest.raises(KindError, match="must be of the same places; link_classes_by_means"):
        link_classes(one, xr.Dataset({"label": ("site", [0, 1, 1])}))
    with pytest.raises(SettingError, match="none of 2 places has a class in both"):
        link_classes(one, xr.Dataset({"label": ("site", [-1, -1])}))
    means = xr.DataArray(np.eye(2), dims=("class", "feature"))
    with pytest.raises(KindError, match="need \\(class, feature\\) of the 2 classes"):
        link_classes_by_means(one, means[:1], means)
    with pytest.raises(KindError, match="the features must be the same"):
        link_classes_by_means(one, means, means[:, :1])
