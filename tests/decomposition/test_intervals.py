"""Intervals of abundances hold the truth as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.decomposition import estimate_abundance_intervals, estimate_abundances
from adatom.errors import SettingError

Array = np.ndarray[Any, Any]

PURE = np.random.default_rng(0).gamma(0.5, 1.0, (4, 30))
N = 4000


def components(values: Array = PURE) -> xr.DataArray:
    return xr.DataArray(values, dims=("component", "energy"), attrs={"units": "1"})


def rows(truth: Array, *, noise: float = 0.3, n: int = N) -> xr.DataArray:
    rng = np.random.default_rng(1)
    values = truth @ PURE + noise * rng.normal(size=(n, 30))
    return xr.DataArray(values, dims=("site", "energy"), attrs={"units": "1"})


@pytest.mark.parametrize("constraint", ["nonnegative", "sum_to_one", "none"])
@pytest.mark.parametrize(
    "truth",
    [(0.4, 0.3, 0.2, 0.1), (0.6, 0.4, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.97, 0.01, 0.01, 0.01)],
)
def test_the_truth_lies_within_as_often_as_is_said(constraint: Any, truth: Any) -> None:
    expected = np.array(truth)
    found = estimate_abundance_intervals(rows(expected), components(), constraint=constraint)
    inside = (found.lower.values <= expected + 1e-9) & (expected <= found.upper.values + 1e-9)
    # 0.0034 is the standard error of a share of 0.95 of 4,000 rows.
    assert inside.mean(axis=0).min() > 0.95 - 3 * 0.0034
    # Intervals at a bound leave out the other side only: 0.975, and some more of both fits.
    assert inside.mean(axis=0).max() < 0.99


def test_standard_errors_alone_miss_small_abundances() -> None:
    truth = np.array([0.97, 0.01, 0.01, 0.01])
    found = estimate_abundances(rows(truth), components())
    away = np.abs(found.abundances.values - truth) <= 1.96 * found.errors.values
    assert away[:, 1:].mean() < 0.6


@pytest.mark.parametrize("constraint", ["nonnegative", "sum_to_one"])
def test_intervals_hold_the_estimate_and_keep_the_bounds(constraint: Any) -> None:
    truth = np.random.default_rng(2).dirichlet(np.full(4, 0.5), 500)
    found = estimate_abundance_intervals(rows(truth, n=500), components(), constraint=constraint)
    best, low, high = (part.values for part in found)
    assert (low <= best).all()
    assert (best <= high).all()
    assert low.min() >= 0
    if constraint == "sum_to_one":
        assert high.max() <= 1
    expected = estimate_abundances(rows(truth, n=500), components(), constraint=constraint)
    np.testing.assert_allclose(best, expected.abundances.values, atol=1e-12)


def test_far_from_bounds_the_interval_is_that_of_student() -> None:
    import scipy.stats

    truth = np.array([5.0, 6.0, 7.0, 8.0])
    found = estimate_abundance_intervals(rows(truth, n=50), components(), confidence=0.9)
    usual = estimate_abundances(rows(truth, n=50), components())
    half = scipy.stats.t.ppf(0.95, 26) * usual.errors.values
    np.testing.assert_allclose(found.upper - found.abundances, half, rtol=2e-3)
    np.testing.assert_allclose(found.abundances - found.lower, half, rtol=2e-3)


def test_ends_are_where_the_profile_crosses() -> None:
    """Against a slow sure solver: fit the others with one held just at the end."""
    import scipy.optimize
    import scipy.stats

    truth = np.array([0.05, 0.9, 0.0, 0.4])
    given = rows(truth, n=6)
    found = estimate_abundance_intervals(given, components())
    for row, upper in zip(given.values, found.upper.values, strict=True):
        least = scipy.optimize.nnls(PURE.T, row)
        free = int((least[0] > 0).sum())
        allowed = scipy.stats.t.ppf(0.975, 30 - free) ** 2 * least[1] ** 2 / (30 - free)
        for number, end in enumerate(upper):
            others = np.delete(PURE, number, axis=0)
            left = scipy.optimize.nnls(others.T, row - end * PURE[number])[1] ** 2
            # The end is that of the profile or, farther out, that of the fit without bounds.
            assert left - least[1] ** 2 >= allowed * (1 - 5e-3)


def test_rows_with_gaps_have_no_interval() -> None:
    given = rows(np.array([0.4, 0.3, 0.2, 0.1]), n=5)
    given[2, 4] = np.nan
    found = estimate_abundance_intervals(given, components())
    for part in found:
        assert np.isnan(part.values[2]).all()
        assert np.isfinite(part.values[[0, 1, 3, 4]]).all()


def test_a_single_component_that_is_all_is_certain() -> None:
    found = estimate_abundance_intervals(
        rows(np.array([1.0, 0.0, 0.0, 0.0]), n=3), components(PURE[:1]), constraint="sum_to_one"
    )
    np.testing.assert_allclose(found.lower, 1.0)
    np.testing.assert_allclose(found.upper, 1.0)


def test_what_leaves_no_noise_says_why() -> None:
    given = xr.DataArray(np.eye(3), dims=("site", "energy"))
    with pytest.raises(SettingError, match="3 components of 3 features leave nothing"):
        estimate_abundance_intervals(given, xr.DataArray(np.eye(3), dims=("component", "energy")))
    with pytest.raises(SettingError, match=r"confidence=1\.5 must lie between"):
        estimate_abundance_intervals(given, components(np.eye(3)[:2]), confidence=1.5)
