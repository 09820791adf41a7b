"""Features that tell classes apart, against those that were made different."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import class_means, class_sums, find_markers
from adatom.errors import KindError
from adatom.schema import notes


def _two(n: int = 400) -> tuple[xr.DataArray, xr.Dataset]:
    """Make ten features, of which the third is higher by two deviations in class 1."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    rows = rng.normal(10, 1, (n, 10))
    rows[label == 1, 3] += 2.0
    axis = ("mass_to_charge", 700.0 + np.arange(10), {"units": "Da"})
    features = xr.DataArray(rows, dims=("site", axis[0]), coords={axis[0]: axis})
    return features, xr.Dataset({"label": ("site", label)})


def test_the_feature_that_differs_comes_first_with_its_effect_size() -> None:
    table = find_markers(*_two(), n_markers=3)
    first = table.isel(row=(table["class"].values == 1) & (table["rank"].values == 1))
    assert first["mass_to_charge"].item() == 703.0
    assert first["mass_to_charge"].attrs["units"] == "Da"
    # The error of an effect size of 2 from 200 rows each is 0.12.
    assert first["effect_size"].item() == pytest.approx(2.0, abs=0.4)
    assert first["ratio"].item() == pytest.approx(1.2, abs=0.03)
    others = table["effect_size"].values[table["rank"].values > 1]
    assert others.max() < 0.5


def test_outliers_and_rows_without_class_take_no_part() -> None:
    features, classes = _two()
    expected = find_markers(features, classes)
    more = xr.concat([features, features[:4] * 1e6], "site")
    labels = np.concatenate([classes["label"].values, [2, 2, -1, -1]])
    told = xr.Dataset({"label": ("site", labels)}, attrs={"outlier_class": 2})
    assert np.allclose(find_markers(more, told)["effect_size"], expected["effect_size"])


def test_a_class_of_one_row_is_told_and_left_out() -> None:
    features, classes = _two()
    labels = classes["label"].values.copy()
    labels[0] = 2
    table = find_markers(features, xr.Dataset({"label": ("site", labels)}))
    assert set(table["class"].values.tolist()) == {0, 1}
    assert any("too few rows" in note for note in notes(table))


def test_one_class_has_no_markers() -> None:
    features, classes = _two()
    table = find_markers(features, xr.zeros_like(classes))
    assert table.sizes["row"] == 0
    assert "so there are none" in notes(table)[0]


def test_classes_of_other_places_are_refused() -> None:
    features, classes = _two()
    with pytest.raises(KindError, match="classes are on"):
        find_markers(features[:10], classes)


def test_sums_are_means_times_counts() -> None:
    features, classes = _two()
    features[5, 2] = np.nan
    sums, means = class_sums(features, classes), class_means(features, classes)
    assert sums["count"].values.tolist() == [200, 199]
    assert np.allclose(sums, means * means["count"])
