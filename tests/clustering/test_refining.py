"""Classes weighed with their neighbors, and images of doubt, on maps of known classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from adatom.clustering import (
    cluster_gaussian_mixture,
    cluster_kmeans,
    image_from_classes,
    refine_classes,
)
from adatom.errors import KindError, SettingError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import IMAGE, notes

Array = np.ndarray[Any, Any]
SHAPE = (64, 64)
CENTERS = 3.0 * np.eye(3)


def domains(seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    fields = [scipy.ndimage.gaussian_filter(rng.normal(size=SHAPE), 6) for _ in CENTERS]
    return np.asarray(np.argmax(fields, axis=0))


def soft(truth: Array, *, noise: float, seed: int = 2) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    place = {name: (name, np.arange(64.0), {"units": "nm"}) for name in ("y", "x")}
    rows = xr.DataArray(
        CENTERS[truth] + noise * rng.normal(size=(*truth.shape, 3)),
        dims=("y", "x", "energy"),
        coords=place,
    )
    return cluster_gaussian_mixture(rows, n_classes=3, outliers=False).classes


def score(classes: xr.Dataset, truth: Array) -> float:
    return adjusted_rand_index(classes["label"].values.ravel(), truth.ravel())


@pytest.mark.parametrize(("noise", "gain"), [(1.0, 0.05), (1.5, 0.25)])
def test_neighbors_make_a_noisy_map_better(noise: float, gain: float) -> None:
    truth = domains()
    before = soft(truth, noise=noise)
    after = refine_classes(before)
    assert score(after, truth) > score(before, truth) + gain
    assert after.attrs["coupling"] > 1.0


def test_a_clean_map_stays_as_it_is() -> None:
    before = soft(domains(), noise=0.3)
    after = refine_classes(before)
    np.testing.assert_array_equal(after["label"], before["label"])
    assert any("0 of 4096 places changed" in note for note in notes(after))


def test_a_line_one_pixel_wide_stays_where_the_data_insist() -> None:
    truth = domains()
    truth[10] = 2 - truth[10].max() + truth[10] * 0
    truth[20:40, 30] = (truth[20:40, 29] + 1) % 3
    points = [(50, 8), (55, 50)]
    for row, column in points:
        truth[row, column] = (truth[row, column] + 1) % 3
    before = soft(truth, noise=0.4)
    after = refine_classes(before)
    # Odds are far above 3000 to one at this noise, though the coupling is the strongest.
    assert after.attrs["coupling"] == 2.0
    np.testing.assert_array_equal(after["label"].values[10], before["label"].values[10])
    np.testing.assert_array_equal(
        after["label"].values[20:40, 30], before["label"].values[20:40, 30]
    )
    for place in points:
        assert after["label"].values[place] == before["label"].values[place]


def test_a_map_without_order_is_not_coupled() -> None:
    truth = np.random.default_rng(3).integers(0, 3, SHAPE)
    before = soft(truth, noise=0.8)
    after = refine_classes(before)
    assert after.attrs["coupling"] < 0.1
    assert score(after, truth) > score(before, truth) - 0.01


def test_the_coupling_of_a_potts_model_is_found() -> None:
    """Draw maps of two classes at a coupling below the order by Gibbs' sampler."""
    rng = np.random.default_rng(4)
    field = rng.integers(0, 2, SHAPE)
    board = np.add.outer(np.arange(64), np.arange(64)) % 2
    for sweep in range(300):
        ones = sum(np.roll(field, shift, axis) for shift in (1, -1) for axis in (0, 1))
        odds = np.exp(0.6 * (2 * ones - 4))
        drawn = rng.random(SHAPE) < odds / (1 + odds)
        field = np.where(board == sweep % 2, drawn, field)
    sure = np.where(field, 1 - 1e-9, 1e-9)
    classes = xr.Dataset(
        {
            "label": (("y", "x"), field),
            "probability": (("y", "x", "class"), np.stack([1 - sure, sure], axis=-1)),
        }
    )
    # Some 0.02 is the scatter of the estimate over maps of this size.
    assert refine_classes(classes).attrs["coupling"] == pytest.approx(0.6, abs=0.08)


def test_a_given_coupling_is_taken_and_none_changes_nothing() -> None:
    before = soft(domains(), noise=1.2)
    after = refine_classes(before, coupling=0.0)
    np.testing.assert_allclose(after["probability"], before["probability"], atol=1e-6)
    assert refine_classes(before, coupling=0.7).attrs["coupling"] == 0.7
    with pytest.raises(SettingError, match="must be 0 or more"):
        refine_classes(before, coupling=-1.0)


def test_places_without_a_class_stay_so_and_stand_for_no_neighbor() -> None:
    before = soft(domains(), noise=1.0)
    gap = np.zeros(SHAPE, dtype=bool)
    gap[:, 20:23] = True
    before["label"] = before["label"].where(~gap, -1).astype(np.int32)
    before["probability"] = before["probability"].where(~xr.DataArray(gap, dims=("y", "x")))
    after = refine_classes(before)
    assert (after["label"].values[gap] == -1).all()
    assert np.isnan(after["probability"].values[gap]).all()
    left = refine_classes(before.isel(x=slice(0, 20)), coupling=after.attrs["coupling"])
    np.testing.assert_allclose(after["probability"][:, :20], left["probability"], atol=2e-3)


def test_classes_keep_their_kind_and_tell_what_changed() -> None:
    before = soft(domains(), noise=1.2)
    after = refine_classes(before)
    changed = (after["label"] != before["label"]).values
    np.testing.assert_array_equal(after["label_alone"], before["label"])
    assert np.isnan(after["distance"].values[changed]).all()
    assert np.isfinite(after["distance"].values[~changed]).all()
    assert after["count"].values.sum() == 64 * 64
    assert after["probability"].dtype == np.float32
    np.testing.assert_allclose(after["probability"].sum("class"), 1.0, atol=1e-5)


def test_one_pixel_has_no_neighbors_and_keeps_its_class() -> None:
    single = xr.Dataset(
        {
            "label": (("y", "x"), [[1]]),
            "probability": (("y", "x", "class"), [[[0.3, 0.7]]]),
        }
    )
    after = refine_classes(single)
    np.testing.assert_allclose(after["probability"].values, [[[0.3, 0.7]]])


def test_labels_alone_cannot_be_weighed() -> None:
    rows = xr.DataArray(np.arange(8.0).reshape(2, 4, 1), dims=("y", "x", "energy"))
    with pytest.raises(KindError, match="labels only"):
        refine_classes(cluster_kmeans(rows, n_classes=2).classes)


def test_entropy_is_high_where_classes_meet() -> None:
    truth = np.zeros(SHAPE, dtype=int)
    truth[:, 32:], truth[40:] = 1, 2
    classes = soft(truth, noise=1.0)
    image = image_from_classes(classes)
    IMAGE.check(image)
    assert 0 <= image.values.min() <= image.values.max() <= 1
    # By Shannon's formula, for one pixel.
    p = classes["probability"].values[3, 5].astype(float)
    expected = -(p[p > 0] * np.log(p[p > 0])).sum() / np.log(3)
    assert image.values[3, 5] == pytest.approx(expected, abs=1e-5)
    doubtful = np.sort(classes["probability"].values, axis=-1)[..., -1] < 0.7
    assert image.values[doubtful].min() > image.values[~doubtful].max() / 2


def test_images_of_other_doubts_are_those_variables() -> None:
    classes = soft(domains(), noise=1.0)
    np.testing.assert_array_equal(image_from_classes(classes, of="margin"), classes["margin"])
    with pytest.raises(SettingError, match="have no stability, only label, distance, margin"):
        image_from_classes(classes, of="stability")
    with pytest.raises(KindError, match="are no image"):
        image_from_classes(classes.isel(y=0))
