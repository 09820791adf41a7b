from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import (
    PoissonMixtureModel,
    assign_classes,
    cluster_kmeans,
    cluster_poisson_mixture,
    fit_poisson_mixture,
)
from adatom.clustering.models import model_from_dataset
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import notes

Array = np.ndarray[Any, Any]


def spectra(labels: Array, *, counts: float, seed: int = 0, n_channels: int = 60) -> xr.DataArray:
    """Counts of classes that differ by one peak each, of an intensity that varies ninefold."""
    rng = np.random.default_rng(seed)
    axis = np.arange(n_channels)
    shapes = np.stack(
        [
            30 / (5 + axis) + 3 * np.exp(-0.5 * ((axis - 10 - 12 * k) / 2) ** 2)
            for k in range(labels.max() + 1)
        ]
    )
    shapes /= shapes.mean(axis=1, keepdims=True)
    intensity = counts * np.exp(rng.uniform(-1.1, 1.1, (len(labels), 1)))
    values = rng.poisson(intensity * shapes[labels]).astype(np.float32)
    return xr.DataArray(values, dims=("site", "energy"), attrs={"units": "1"})


@pytest.fixture(scope="module")
def labels() -> Array:
    return np.random.default_rng(1).permutation(np.repeat([0, 1, 2, 3], [700, 500, 300, 100]))


def test_shapes_are_found_whatever_the_intensity(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    found = cluster_poisson_mixture(rows, n_classes=4)
    # With the true shapes 98.7 % are told apart at these counts; k-means finds brightness.
    assert adjusted_rand_index(found.classes["label"].values, labels) > 0.95
    by_brightness = cluster_kmeans(rows, n_classes=4).classes["label"].values
    assert adjusted_rand_index(by_brightness, labels) < 0.3
    assert found.model.counts.tolist() == sorted(found.model.counts.tolist(), reverse=True)


def test_probabilities_are_as_sure_as_they_are_right(labels: Array) -> None:
    found = cluster_poisson_mixture(spectra(labels, counts=1.5), n_classes=4).classes
    truth_of = [np.bincount(labels[found["label"].values == k]).argmax() for k in range(4)]
    right = np.array(truth_of)[found["label"].values] == labels
    sure = found["probability"].values.max(axis=1)
    # 1600 rows: the share that is right is known to about 0.01.
    assert right.mean() == pytest.approx(sure.mean(), abs=0.03)
    assert right[sure < 0.8].mean() == pytest.approx(sure[sure < 0.8].mean(), abs=0.12)


@pytest.mark.parametrize("gain", [0.001, 1.0, 7.0])
def test_a_gain_of_the_detector_changes_neither_classes_nor_probabilities(
    labels: Array, gain: float
) -> None:
    rows = spectra(labels, counts=2.0)
    plain = cluster_poisson_mixture(rows, n_classes=4)
    scaled = cluster_poisson_mixture(rows * np.float32(gain), n_classes=4)
    assert isinstance(plain.model, PoissonMixtureModel)
    assert isinstance(scaled.model, PoissonMixtureModel)
    assert plain.model.dispersion == pytest.approx(1.0, abs=0.03)
    assert scaled.model.dispersion == pytest.approx(gain, rel=0.03)
    np.testing.assert_allclose(
        scaled.classes["probability"], plain.classes["probability"], atol=0.02
    )


def test_a_row_that_lacks_channels_is_judged_by_the_others(labels: Array) -> None:
    rows = spectra(labels, counts=20.0)
    model = fit_poisson_mixture(rows, n_classes=4)
    holed = rows.copy(deep=True)
    holed[:, 50:] = np.nan
    whole, part = (assign_classes(data, model) for data in (rows, holed))
    # All four peaks lie below channel 50.
    assert (whole["label"].values == part["label"].values).mean() > 0.99
    assert np.isnan(part["distance"].values).all()


def test_rows_without_counts_have_no_class(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    rows[7] = 0.0
    rows[8] = np.nan
    found = cluster_poisson_mixture(rows, n_classes=4)
    assert found.classes["label"].values[[7, 8]].tolist() == [-1, -1]
    assert np.isnan(found.classes["probability"].values[7]).all()
    assert int(found.model.counts.sum()) == len(labels) - 2
    assert notes(found.classes) == [
        "1 of 1600 rows lack features that would be needed: label -1, no class",
        "1 of 1600 rows have no counts: label -1, no class",
    ]


def test_channels_without_counts_do_no_harm(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    dead = xr.concat([rows, rows.isel(energy=[0]) * 0], dim="energy")
    ones, others = (cluster_poisson_mixture(data, n_classes=4).classes for data in (rows, dead))
    np.testing.assert_array_equal(ones["label"], others["label"])


def test_one_class_holds_all(labels: Array) -> None:
    model = fit_poisson_mixture(spectra(labels, counts=4.0), n_classes=1)
    assert model.counts.tolist() == [len(labels)]
    # Likelihoods are relative to a single class; only what it costs is left.
    assert model.log_likelihood == pytest.approx(0, abs=1e-3)


def test_the_bic_is_least_for_the_true_number(labels: Array) -> None:
    rows = spectra(labels, counts=6.0)
    bics = [fit_poisson_mixture(rows, n_classes=k).bic for k in range(1, 7)]
    assert int(np.argmin(bics)) + 1 == 4


def test_distances_of_counts_are_roots_of_their_deviance() -> None:
    model = fit_poisson_mixture(
        xr.DataArray(np.full((20, 2), 8.0), dims=("site", "energy")), n_classes=1
    )
    model = PoissonMixtureModel(**{**vars(model), "dispersion": 1.0})
    row = xr.DataArray([[3.0, 1.0]], dims=("site", "energy"))
    deviance = 2 * (3 * np.log(3 / 2) + 1 * np.log(1 / 2))
    found = float(assign_classes(row, model)["distance"].values[0])
    assert found == pytest.approx(np.sqrt(deviance), rel=1e-6)


def test_identical_rows_are_one_class_and_no_more() -> None:
    rows = xr.DataArray(np.tile([[4.0, 2.0, 1.0]], (30, 1)), dims=("site", "energy"))
    assert fit_poisson_mixture(rows, n_classes=1).counts.tolist() == [30]
    with pytest.raises(SettingError, match=r"only 1 classes are the likeliest .* ask for fewer"):
        fit_poisson_mixture(rows, n_classes=2)


def test_the_mask_decides_what_is_learnt_not_what_is_assigned() -> None:
    rng = np.random.default_rng(0)
    rates = np.repeat([[30.0, 10.0], [10.0, 30.0], [20.0, 20.0]], [10, 10, 20], axis=0)
    values = rng.poisson(rates[None] * np.ones((10, 1, 1))).astype(float)
    place = {
        name: (name, np.arange(float(n)), {"units": "nm"}) for name, n in (("y", 10), ("x", 40))
    }
    energy = {"energy": ("energy", [0.0, 1.0], {"units": "eV"})}
    counts = xr.DataArray(values, dims=("y", "x", "energy"), coords={**place, **energy})
    inside = xr.DataArray(
        np.broadcast_to(np.arange(40) < 20, (10, 40)), dims=("y", "x"), coords=place
    )
    found = cluster_poisson_mixture(counts, None, inside, n_classes=2)
    assert (found.classes["label"].values >= 0).all()
    assert isinstance(found.model, PoissonMixtureModel)
    np.testing.assert_allclose(np.sort(found.model.shapes[:, 0]), [0.25, 0.75], atol=0.02)
    assert "learnt on 200 of 400 rows" in notes(found.classes)[-1]
    with pytest.raises(KindError, match="must be of the same places"):
        fit_poisson_mixture(counts, inside[:, :30], n_classes=2)


def test_the_model_survives_a_file(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    model = fit_poisson_mixture(rows, n_classes=3)
    again = model_from_dataset(model.to_dataset())
    assert isinstance(again, PoissonMixtureModel)
    xr.testing.assert_identical(assign_classes(rows, model), assign_classes(rows, again))


def test_the_result_is_the_same_for_any_chunks(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    eager = cluster_poisson_mixture(rows, n_classes=4, seed=3).classes
    lazy = cluster_poisson_mixture(rows.chunk(site=333, energy=7), n_classes=4, seed=3).classes
    xr.testing.assert_identical(eager, lazy)


def test_values_that_are_no_counts_are_refused(labels: Array) -> None:
    rows = spectra(labels, counts=4.0)
    rows[3, 5] = -2.0
    with pytest.raises(SettingError, match="1 rows have negative values, counts have none"):
        fit_poisson_mixture(rows, n_classes=2)
    with pytest.raises(TooFewSitesError, match="0 measured rows have counts"):
        fit_poisson_mixture(rows * 0, n_classes=2)
    with pytest.raises(SettingError, match="n_classes=0"):
        fit_poisson_mixture(rows, n_classes=0)
