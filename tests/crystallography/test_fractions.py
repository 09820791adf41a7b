"""Fractions of classes, against random patterns whose mean fraction is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from planted_domains import classes_of, lattice, random_field, sites_of
from scipy.ndimage import map_coordinates
from scipy.special import ndtr

from adatom.crystallography import estimate_fractions
from adatom.errors import SettingError
from adatom.schema import notes


def _map(labels: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> xr.Dataset:
    coords = {
        dim: (dim, np.arange(float(n)), {"units": "nm"})
        for dim, n in zip(("y", "x"), labels.shape, strict=True)
    }
    return xr.Dataset({"label": (("y", "x"), labels)}, coords=coords)


def _held(correlation: float, threshold: float, n: int) -> float:
    """Give the share of intervals that hold the true fraction."""
    held = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        # A piece of a larger field, which does not close on itself.
        field = (
            random_field(150, correlation, rng)[:60, :60]
            if correlation
            else rng.normal(size=(60, 60))
        )
        table = estimate_fractions(_map((field > threshold).astype(int))).isel(row=1)
        truth = 1 - float(ndtr(threshold))
        held.append(float(table["fraction_low"]) < truth < float(table["fraction_high"]))
    return float(np.mean(held))


@pytest.mark.parametrize(("correlation", "threshold"), [(0.0, 0.0), (2.0, 0.0), (4.0, 0.8)])
def test_intervals_hold_the_truth_in_95_of_100(correlation: float, threshold: float) -> None:
    # Three standard deviations of a share of 0.95 among 200 are 0.046.
    assert _held(correlation, threshold, 200) > 0.90


def test_domains_count_as_few_as_they_are() -> None:
    rng = np.random.default_rng(0)
    labels = (random_field(150, 4.0, rng)[:60, :60] > 0).astype(int)
    table = estimate_fractions(_map(labels))
    # 60 x 60 pixels hold 36 areas of 2 pi 4^2; those of sharp domains are somewhat smaller.
    assert 20 < float(table["n_effective"][0]) < 150
    assert "tell as much as" in notes(table)[0]


def test_independent_labels_count_all() -> None:
    labels = np.random.default_rng(1).integers(0, 2, (60, 60))
    number = float(estimate_fractions(_map(labels))["n_effective"][0])
    assert 1500 < number < 3700


def test_sites_tell_the_same_as_pixels() -> None:
    points = lattice("square", size=60, seed=3)
    field = random_field(150, 3.0, np.random.default_rng(3))
    on_sites = map_coordinates(field, points.T + 30, order=1) > 0
    on_pixels = (field[:60, :60] > 0).astype(int)
    one = estimate_fractions(classes_of(on_sites), sites_of(points))
    other = estimate_fractions(_map(on_pixels))
    assert abs(float(one["fraction"][1] - other["fraction"][1])) < 0.02
    assert 0.6 < float(one["n_effective"][1] / other["n_effective"][1]) < 1.6


def test_area_and_number_differ_where_phases_differ_in_density() -> None:
    dense = lattice("square", size=20, noise=0.0, angle=0.0, seed=5)
    sparse = 2 * lattice("square", size=20, noise=0.0, angle=0.0, seed=5)
    points = np.concatenate([dense[dense[:, 1] < 0], sparse[sparse[:, 1] > 0]])
    points = points[np.abs(points).max(axis=1) < 10]
    labels = classes_of(points[:, 1] > 0)
    area, number = (
        float(estimate_fractions(labels, sites_of(points), by=by)["fraction"][1])
        for by in ("area", "sites")
    )
    assert abs(area - 0.5) < 0.06
    assert abs(number - 0.2) < 0.05


def test_doubtful_labels_widen_the_interval() -> None:
    labels = np.random.default_rng(2).integers(0, 2, (40, 40))
    sure, doubtful = _map(labels), _map(labels)
    share = np.where(labels == 1, 0.7, 0.3)
    doubtful["probability"] = (("y", "x", "class"), np.stack([1 - share, share], axis=-1))
    narrow, wide = (estimate_fractions(one)["fraction_error"][1] for one in (sure, doubtful))
    assert float(wide) > 0.9 * float(narrow)
    assert abs(float(estimate_fractions(doubtful)["fraction"][1]) - share.mean()) < 1e-12


def test_one_class_alone_has_no_interval() -> None:
    table = estimate_fractions(_map(np.zeros((10, 10), dtype=int)))
    assert float(table["fraction"][0]) == 1.0
    assert np.isnan(table["fraction_low"][0])


def test_confidence_must_be_a_probability() -> None:
    with pytest.raises(SettingError, match="confidence=95"):
        estimate_fractions(_map(np.zeros((4, 4), dtype=int)), confidence=95)
