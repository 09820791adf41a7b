"""Endmembers and abundances against constructed mixtures and slow, sure solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import xarray as xr

from adatom.decomposition import estimate_abundances, find_endmembers
from adatom.errors import KindError, SettingError, TooFewSitesError

Array = np.ndarray[Any, Any]


def features(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims=("site", "energy"), attrs={"units": "1"})


def components(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims=("component", "energy"), attrs={"units": "1"})


@pytest.fixture
def pure() -> Array:
    return np.random.default_rng(2).gamma(0.5, 1.0, (4, 30))


@pytest.fixture
def mixtures(pure: Array) -> Array:
    shares = np.random.default_rng(3).dirichlet(np.full(4, 0.7), 500)
    shares[[17, 123, 250, 444]] = np.eye(4)
    return shares @ pure


@pytest.mark.parametrize("method", ["vca", "nfindr"])
@pytest.mark.parametrize("seed", range(5))
def test_the_pure_rows_of_a_mixture_are_found_whatever_the_seed(
    pure: Array, mixtures: Array, method: Any, seed: int
) -> None:
    found = find_endmembers(features(mixtures), n_endmembers=4, method=method, seed=seed)
    assert found.places["row_number"].values.tolist() == [17, 123, 250, 444]
    np.testing.assert_allclose(found.spectra.values, pure, atol=1e-9)


def test_endmembers_say_where_they_are_in_a_map(mixtures: Array) -> None:
    place = {
        name: (name, np.arange(n) * 0.5, {"units": "nm"}) for name, n in (("y", 20), ("x", 25))
    }
    found = find_endmembers(
        xr.DataArray(mixtures.reshape(20, 25, 30), dims=("y", "x", "energy"), coords=place),
        n_endmembers=4,
    )
    assert found.places["y"].values.tolist() == [0.0, 2.0, 5.0, 8.5]
    assert found.places["x"].values.tolist() == [8.5, 11.5, 0.0, 9.5]
    assert found.places["x"].units == "nm"


@pytest.mark.parametrize("n_pure", [2, 5, 8])
def test_nonnegative_abundances_are_those_of_lawson_and_hanson(n_pure: int) -> None:
    rng = np.random.default_rng(n_pure)
    spectra = rng.random((n_pure, 40))
    rows = rng.normal(size=(200, 40)) + rng.dirichlet(np.full(n_pure, 0.3), 200) @ spectra
    found = estimate_abundances(features(rows), components(spectra))
    expected = [scipy.optimize.nnls(spectra.T, row)[0] for row in rows]
    np.testing.assert_allclose(found.abundances.values, expected, atol=1e-10)


def test_abundances_that_add_up_to_one_are_optimal() -> None:
    rng = np.random.default_rng(7)
    spectra = rng.random((5, 40))
    rows = 0.3 * rng.normal(size=(300, 40)) + rng.dirichlet(np.full(5, 0.3), 300) @ spectra
    found = estimate_abundances(features(rows), components(spectra), constraint="sum_to_one")
    shares = found.abundances.values
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    assert shares.min() >= 0
    # Karush, Kuhn and Tucker: what is above zero has one slope, what is at zero a smaller one.
    slope = (rows - shares @ spectra) @ spectra.T
    above = shares > 1e-12
    level = np.where(above, slope, -np.inf).max(axis=1, keepdims=True)
    np.testing.assert_allclose(np.where(above, slope, level), np.tile(level, (1, 5)), atol=1e-9)
    assert (slope <= level + 1e-9).all()


def test_errors_are_the_scatter_of_repeated_measurements(pure: Array) -> None:
    rng = np.random.default_rng(8)
    truth = np.array([1.0, 2.0, 0.5, 3.0])
    rows = truth @ pure + 0.1 * rng.normal(size=(4000, 30))
    found = estimate_abundances(features(rows), components(pure))
    scatter = found.abundances.values.std(axis=0)
    np.testing.assert_allclose(found.errors.values.mean(axis=0), scatter, rtol=0.05)
    assert found.residual.values.mean() == pytest.approx(0.1 * np.sqrt(26 / 30), rel=0.02)


def test_rows_that_are_not_measured_have_no_abundances(pure: Array, mixtures: Array) -> None:
    mixtures[3, 5] = np.nan
    found = estimate_abundances(features(mixtures), components(pure), normalize=True)
    assert np.isnan(found.abundances.values[3]).all()
    np.testing.assert_allclose(np.delete(found.abundances.values, 3, 0).sum(axis=1), 1.0)


def test_what_cannot_be_unmixed_says_why(pure: Array, mixtures: Array) -> None:
    with pytest.raises(SettingError, match="not linearly independent"):
        estimate_abundances(features(mixtures), components(np.vstack([pure, pure[:1]])))
    with pytest.raises(KindError, match="have 29 values along 'energy', the features 30"):
        estimate_abundances(features(mixtures), components(pure[:, 1:]))
    with pytest.raises(SettingError, match="how many endmembers"):
        find_endmembers(features(mixtures))
    with pytest.raises(SettingError, match="n_endmembers=31 must lie between 2 and the 30"):
        find_endmembers(features(mixtures), n_endmembers=31)
    with pytest.raises(TooFewSitesError, match="3 measured rows cannot hold 4"):
        find_endmembers(features(mixtures[:3]), n_endmembers=4)


def test_a_given_sum_leaves_one_degree_of_freedom_more_for_the_noise() -> None:
    # Of few channels, where one more is a third of the variance.
    rng = np.random.default_rng(9)
    spectra = 5 * np.eye(3, 5) + rng.random((3, 5))
    noisy = np.array([0.3, 0.3, 0.4]) @ spectra + 0.1 * rng.normal(size=(4000, 5))
    found = estimate_abundances(features(noisy), components(spectra), constraint="sum_to_one")
    scatter = found.abundances.values.std(axis=0)
    quadratic = np.sqrt((found.errors.values**2).mean(axis=0))
    np.testing.assert_allclose(quadratic, scatter, rtol=0.05)


def test_a_number_out_of_range_is_refused_though_there_is_a_choice(mixtures: Array) -> None:
    choice = xr.Dataset({"k": ("row", [1])}, attrs={"n_classes": 3})
    with pytest.raises(SettingError, match="n_endmembers=0 must lie between 2"):
        find_endmembers(features(mixtures), choice, n_endmembers=0)
