"""One measured number, spread by class."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

from adatom.errors import KindError
from adatom.plotting import plot, plot_feature_histogram


def _features(n: int = 200) -> xr.DataArray:
    values = np.random.default_rng(0).normal(1.0, 0.1, (n, 1))
    values[-1] = np.nan
    return xr.DataArray(
        values,
        dims=("site", "feature"),
        coords={"variable": ("feature", ["relative_intensity"])},
        attrs={"units": "1"},
    )


def test_bars_hold_every_measured_place() -> None:
    features = _features()
    classes = xr.Dataset({"label": ("site", np.arange(200) % 3 - 1)})
    axes = plot_feature_histogram(features, classes).axes[0]
    heights = [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert sum(heights) == 199
    assert axes.get_xlabel() == "relative intensity"


def test_members_of_a_small_class_are_marked_one_by_one() -> None:
    labels = np.zeros(200, dtype=int)
    labels[:4] = 1
    axes = plot_feature_histogram(_features(), xr.Dataset({"label": ("site", labels)})).axes[0]
    assert [np.size(line.get_xdata()) for line in axes.lines] == [4]


def test_features_of_one_number_are_plotted_so() -> None:
    assert plot(_features()).axes[0].get_ylabel() == "places"


def test_classes_of_other_places_are_refused() -> None:
    with pytest.raises(KindError, match="200 rows of features, 2 labels"):
        plot_feature_histogram(_features(), xr.Dataset({"label": ("site", [0, 1])}))
