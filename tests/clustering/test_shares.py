"""Shares of classes with intervals that know of overlap."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.clustering import cluster_gaussian_mixture, estimate_shares
from adatom.errors import KindError, SettingError


def _mixture(seed: int, apart: float, n: int = 400, share: float = 0.3) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    second = rng.random(n) < share
    return xr.DataArray((rng.normal(size=n) + apart * second)[:, None], dims=("site", "feature"))


def _true_posteriors(values: NDArray[np.float64], apart: float) -> xr.Dataset:
    density = np.stack([0.7 * np.exp(-0.5 * values**2), 0.3 * np.exp(-0.5 * (values - apart) ** 2)])
    probability = (density / density.sum(axis=0)).T
    return xr.Dataset(
        {
            "label": ("site", probability.argmax(axis=1)),
            "probability": (("site", "class"), probability),
        }
    )


@pytest.mark.parametrize("apart", [1.5, 3.0, 8.0])
def test_intervals_hold_the_true_share_as_often_as_they_say(apart: float) -> None:
    held = 0
    for seed in range(300):
        # One step of the fit from the truth; the interval is of the share alone.
        rows = _mixture(seed, apart).values[:, 0]
        share = 0.3
        for _ in range(60):
            second = share * np.exp(-0.5 * (rows - apart) ** 2)
            probability = second / (second + (1 - share) * np.exp(-0.5 * rows**2))
            share = float(probability.mean())
        both = np.stack([1 - probability, probability], axis=1)
        classes = xr.Dataset(
            {"label": ("site", both.argmax(axis=1)), "probability": (("site", "class"), both)}
        )
        table = estimate_shares(classes)
        held += bool(table["share_low"][1] <= 0.3 <= table["share_high"][1])
    assert held / 300 == pytest.approx(0.95, abs=0.035)


def test_overlap_widens_the_interval() -> None:
    widths = []
    for apart in (1.5, 8.0):
        classes = _true_posteriors(_mixture(0, apart).values[:, 0], apart)
        table = estimate_shares(classes)
        widths.append(float(table["share_high"][1] - table["share_low"][1]))
    assert widths[0] > 1.5 * widths[1]


def test_classes_that_are_certain_have_the_interval_of_counting() -> None:
    table = estimate_shares(xr.Dataset({"label": ("site", [0] * 90 + [1] * 10)}))
    # Wilson's interval for 10 of 100.
    assert table["share_low"].values[1] == pytest.approx(0.0552, abs=1e-3)
    assert table["share_high"].values[1] == pytest.approx(0.1744, abs=1e-3)


def test_a_class_without_members_may_still_be_there() -> None:
    classes = xr.Dataset({"label": ("site", [0] * 100)}, attrs={"n_classes": 2})
    table = estimate_shares(classes)
    assert table["share"].values.tolist() == [1.0, 0.0]
    assert table["share_high"].values[1] == pytest.approx(0.037, abs=2e-3)


def test_means_of_classes_come_with_their_features() -> None:
    features = _mixture(1, 8.0)
    found = cluster_gaussian_mixture(features, n_classes=2, outliers=False)
    table = estimate_shares(found.classes, features)
    assert table["mean"].values == pytest.approx([0.0, 8.0], abs=0.3)
    assert table["spread"].values == pytest.approx([1.0, 1.0], abs=0.2)


def test_places_without_a_class_do_not_count() -> None:
    table = estimate_shares(xr.Dataset({"label": ("site", [0, 0, 1, -1])}))
    assert table["share"].values == pytest.approx([2 / 3, 1 / 3])


def test_features_of_other_places_are_refused() -> None:
    with pytest.raises(KindError, match="one column on the places of the classes"):
        estimate_shares(xr.Dataset({"label": ("site", [0, 1])}), _mixture(0, 1.0))


def test_a_confidence_beyond_one_is_refused() -> None:
    with pytest.raises(SettingError, match="confidence=95"):
        estimate_shares(xr.Dataset({"label": ("site", [0, 1])}), confidence=95)
