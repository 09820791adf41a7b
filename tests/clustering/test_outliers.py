"""The few that differ from the many."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.clustering import find_outliers
from adatom.errors import SettingError, TooFewSitesError


def _features(values: NDArray[np.float64]) -> xr.DataArray:
    return xr.DataArray(values.reshape(len(values), -1), dims=("site", "feature"))


def test_dark_and_bright_ones_are_told_apart() -> None:
    usual = np.random.default_rng(1).normal(1.0, 0.1, 500)
    found = find_outliers(_features(np.concatenate([usual, [0.3, 0.35], [1.8]])))
    assert found["label"].values[-3:].tolist() == [1, 1, 2]
    assert found.attrs["class_names"] == ["usual", "low", "high"]
    assert found["count"].values.sum() == 503


def test_data_without_outliers_seldom_show_any() -> None:
    rng = np.random.default_rng(2)
    shown = sum(
        bool((find_outliers(_features(rng.normal(size=400)))["label"] > 0).any())
        for _ in range(200)
    )
    # Expected are 10 of 200; spreads that are themselves measured add some.
    assert shown <= 30


def test_the_share_of_false_ones_is_as_stated() -> None:
    rng = np.random.default_rng(3)
    false = called = 0
    for _ in range(50):
        values = np.concatenate([rng.normal(size=950), rng.normal(-4.5, 0.5, 50)])
        label = find_outliers(_features(values), false_discovery=0.1)["label"].values
        false += int((label[:950] > 0).sum())
        called += int((label > 0).sum())
    assert 0.03 < false / called < 0.15


def test_a_skew_of_the_many_does_not_make_outliers_of_their_longer_side() -> None:
    rng = np.random.default_rng(4)
    values = np.abs(rng.normal(size=600)) * np.where(rng.random(600) < 0.5, -1.0, 3.0)
    label = find_outliers(_features(values))["label"].values
    assert (label > 0).sum() <= 3


def test_rows_that_were_not_measured_have_no_class() -> None:
    values = np.append(np.random.default_rng(5).normal(size=40), np.nan)
    found = find_outliers(_features(values))
    assert found["label"].values[-1] == -1
    assert np.isnan(found["p_value"].values[-1])


def test_several_features_are_refused() -> None:
    with pytest.raises(SettingError, match="features have 2 columns"):
        find_outliers(_features(np.zeros((30, 2))))


def test_few_rows_are_refused() -> None:
    with pytest.raises(TooFewSitesError, match="5 measured rows, 20 are needed"):
        find_outliers(_features(np.arange(5.0)))
