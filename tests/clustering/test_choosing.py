from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from adatom.clustering import choose_n_classes, cluster_kmeans, find_uniform_pixels
from adatom.clustering.indices import calinski_harabasz, simplified_silhouette
from adatom.clustering.modes import count_modes, sweep_mixtures
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.executors import SerialExecutor, use_executor
from adatom.schema import TABLE, notes

Array = np.ndarray[Any, Any]


def features(rows: Array) -> xr.DataArray:
    return xr.DataArray(rows.astype(np.float32), dims=("site", "feature"))


def neighbor_vectors_of_one_phase(n: int, n_neighbors: int, noise: float, seed: int) -> Array:
    """Deviations of neighbors less that of the center, which they share."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, noise, (n, 1, 2))
    return (rng.normal(0, noise, (n, n_neighbors, 2)) - shared).reshape(n, -1)


def blobs(sizes: list[int], n_features: int, distance: float, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    centers = np.eye(n_features)[np.arange(len(sizes))] * distance
    return np.concatenate(
        [rng.normal(center, 1, (n, n_features)) for n, center in zip(sizes, centers)]
    )


def answer(rows: Array, **settings: int) -> int:
    # References and resamples do not enter the answer: two are enough.
    with use_executor(SerialExecutor()):
        return int(choose_n_classes(features(rows), n_references=2, **settings).attrs["n_classes"])


@pytest.mark.parametrize(
    ("n_neighbors", "noise"), [(4, 0.03), (4, 0.05), (4, 0.10), (3, 0.03), (3, 0.05)]
)
def test_a_perfect_lattice_with_noise_is_one_class(n_neighbors: int, noise: float) -> None:
    assert answer(neighbor_vectors_of_one_phase(400, n_neighbors, noise, seed=0)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000, 10_000])
def test_a_perfect_lattice_is_one_class_at_any_size_and_seed(n: int) -> None:
    for n_neighbors in (3, 4):
        for seed in range(10):
            rows = neighbor_vectors_of_one_phase(n, n_neighbors, 0.05, seed)
            assert answer(rows, seed=seed) == 1


@pytest.mark.parametrize(
    ("sizes", "n_features", "distance"),
    [
        ([300, 200], 2, 6.0),
        ([200, 200, 100], 8, 8.0),
        ([100, 100, 100, 100, 100], 6, 9.0),
        ([598, 2], 8, 25.0),
        ([100, 100, 100, 50], 300, 30.0),
        ([40, 30, 30], 50, 20.0),
    ],
)
def test_separate_classes_are_counted(sizes: list[int], n_features: int, distance: float) -> None:
    assert answer(blobs(sizes, n_features, distance, seed=0)) == len(sizes)


@pytest.mark.parametrize("n_features", [1, 8, 400])
def test_one_gaussian_is_one_class(n_features: int) -> None:
    assert answer(np.random.default_rng(2).normal(size=(300, n_features))) == 1


def test_heavy_tails_are_no_further_classes() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_t(4, (500, 4)) + np.repeat([[0.0], [25.0]], [300, 200], axis=0)
    assert answer(rows) == 2


def test_long_classes_are_not_cut() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 2)) * [8, 1] + np.repeat([[0, 0], [0, 9]], 300, axis=0)
    assert answer(rows) == 2


def test_scattered_junk_is_no_class_and_joins_none() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([blobs([400, 200], 8, 12.0, seed=0), rng.uniform(-15, 15, (18, 8))])
    assert answer(rows) == 2


def disc(rng: np.random.Generator) -> Array:
    radius, angle = np.sqrt(rng.random(300)), rng.uniform(0, 2 * np.pi, 300)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


@pytest.mark.parametrize(
    ("draw", "seed"),
    [
        (lambda rng: rng.random((300, 1)), 7),
        (lambda rng: rng.random((300, 2)), 2),
        (disc, 3),
        (lambda rng: rng.exponential(1, (300, 1)), 3),
        (lambda rng: rng.lognormal(0, 0.5, (300, 1)), 6),
    ],
    ids=["line", "square", "disc", "exponential", "lognormal"],
)
def test_plateaus_and_long_tails_are_one_class(
    draw: Callable[[np.random.Generator], Array], seed: int
) -> None:
    # The best mixture of each has several modes, with valleys that are chance among the rows.
    rows = draw(np.random.default_rng(seed))
    rows -= rows.mean(axis=0)
    sweep = sweep_mixtures(rows, max_classes=4, seed=0)
    best = sweep.fits[int(np.argmin(sweep.bics))]
    assert len(best.mixture.weights) > 1
    assert count_modes(best.mixture, rows) == 1


def test_identical_rows_are_one_class() -> None:
    assert answer(np.ones((50, 3))) == 1


def test_rows_that_differ_by_rounding_are_one_class() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(9.0, (500, 40)).astype(np.float32)
    # Of shares that add up to one their sum is left, rounded.
    sums = (counts / counts.sum(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
    assert len(np.unique(sums)) > 1
    assert answer(sums) == 1


def test_mixed_borders_hide_no_class_when_the_inside_of_domains_decides() -> None:
    rng = np.random.default_rng(0)
    fields = gaussian_filter(rng.standard_normal((4, 48, 48)), (0, 5, 5), mode="wrap")
    shares = np.stack(
        [gaussian_filter((fields.argmax(axis=0) == k).astype(float), 1.2) for k in range(4)], -1
    )
    centers = 12 * np.eye(4)
    values = shares @ centers + rng.standard_normal((48, 48, 4))
    place = {name: (name, np.arange(48.0), {"units": "nm"}) for name in ("y", "x")}
    mixed = xr.DataArray(values, dims=("y", "x", "feature"), coords=place)
    table = choose_n_classes(mixed, find_uniform_pixels(mixed), n_references=2)
    assert table.attrs["n_classes"] == 4
    assert "rows, those inside of domains" in notes(table)[0]


def test_a_few_distinct_rows_are_as_many_classes() -> None:
    assert answer(np.repeat([[0.0, 0.0], [1.0, 0.0], [5.0, 3.0]], 20, axis=0)) == 3


def test_the_table_has_all_indices_and_says_why() -> None:
    rows = features(blobs([200, 100], 3, 9.0, seed=1))
    table = choose_n_classes(rows, max_classes=4)
    TABLE.check(table)
    assert table["n_classes"].values.tolist() == [1, 2, 3, 4]
    assert table.attrs["reason"].startswith("the BIC is least for 2 classes (")
    # All of them find two blobs so far apart; none but BIC and gap can say one.
    for index in ("silhouette", "calinski_harabasz"):
        assert np.isnan(table[index].values[0])
        assert np.nanargmax(table[index].values) == 1
    assert table["stability"].values[1] == 1
    assert np.argmin(table["bic"].values) == 1
    assert "the gap statistic alone says 2" in table.attrs["reason"]
    assert cluster_kmeans(rows, table).model.n_classes == 2


def test_indices_are_those_of_their_definition() -> None:
    rows = np.array([[0.0], [2.0], [10.0], [12.0]])
    means = np.array([[1.0], [11.0]])
    # Distances to the two means: 1 and 11 or 9.
    truth = np.mean([1 - 1 / 11, 1 - 1 / 9, 1 - 1 / 9, 1 - 1 / 11])
    assert simplified_silhouette(rows, means) == pytest.approx(truth)
    # Between: 4 * 25 over 1, within: 4 over 2.
    assert calinski_harabasz(rows, means, 4.0) == pytest.approx(50)


def test_the_choice_is_the_same_for_any_chunks_and_again() -> None:
    rows = blobs([6000, 3000, 1000], 6, 7.0, seed=0)
    rows = np.random.default_rng(0).permutation(rows).reshape(100, 100, 6)
    eager = xr.DataArray(rows.astype(np.float32), dims=("y", "x", "energy"))
    first = choose_n_classes(eager, max_classes=4, n_references=2, seed=4)
    cut = da.from_array(eager.values, chunks=(33, 70, 4))  # type: ignore[no-untyped-call]
    lazy = eager.copy(data=cut)
    xr.testing.assert_identical(
        first, choose_n_classes(lazy, max_classes=4, n_references=2, seed=4)
    )
    assert first.attrs["n_classes"] == 3
    assert notes(first) == ["decided on a stratified sample of 4096 of 10000 rows"]


def test_an_answer_at_the_end_of_the_range_is_noted() -> None:
    rows = features(blobs([100, 100, 100], 4, 12.0, seed=0))
    table = choose_n_classes(rows, max_classes=3, n_references=2)
    assert notes(table) == [
        "the answer is the largest number tried: raise max_classes=3 to see more"
    ]


def test_too_few_rows_to_show_a_valley_are_one_class() -> None:
    rows = np.repeat([[0.0, 0.0], [50.0, 0.0]], [5, 4], axis=0)
    rows += np.random.default_rng(0).normal(size=rows.shape)
    table = choose_n_classes(features(rows))
    assert table.attrs["n_classes"] == 1
    assert table.attrs["reason"].startswith("9 measured rows are too few")


def test_impossible_settings_are_named() -> None:
    rows = features(np.zeros((9, 2)))
    with pytest.raises(TooFewSitesError, match="1 measured rows, a number of classes needs 2"):
        choose_n_classes(rows[:1])
    with pytest.raises(SettingError, match="max_classes=0 must be 1 or more"):
        choose_n_classes(rows, max_classes=0)
