"""Independent components of mixtures whose sources are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.decomposition import decompose_ica, decompose_pca
from adatom.errors import SettingError
from adatom.schema import notes

Array = np.ndarray[Any, Any]

CHANNELS = np.arange(40.0)
LINES = np.stack(
    [
        np.exp(-0.5 * ((CHANNELS - 12) / 4) ** 2),
        np.exp(-0.5 * ((CHANNELS - 18) / 4) ** 2),
        np.linspace(-1, 1, 40),
    ]
)


def mixture(n: int = 3000, *, noise: float = 0.02, seed: int = 0) -> tuple[Array, xr.DataArray]:
    """Give independent scores of unit variance, and rows in volts made of them."""
    rng = np.random.default_rng(seed)
    sources = np.stack(
        [
            rng.exponential(1.0, n) - 1,
            2 * (rng.random(n) < 0.2) / 0.8 - 0.5,
            rng.uniform(-np.sqrt(3), np.sqrt(3), n),
        ],
        axis=1,
    )
    rows = 5.0 + sources @ (LINES * [[3.0], [1.5], [0.6]]) + noise * rng.normal(size=(n, 40))
    axis = {"energy": ("energy", CHANNELS, {"units": "eV"})}
    return sources, xr.DataArray(rows, dims=("site", "energy"), coords=axis, attrs={"units": "V"})


def test_overlapping_lines_come_apart_with_their_sign_and_size() -> None:
    sources, rows = mixture()
    found = decompose_ica(rows)
    # Two lines overlap by half: principal components mix them, independent ones do not.
    for k, scale in enumerate((3.0, 1.5, 0.6)):
        assert abs(np.corrcoef(found.scores.values[:, k], sources[:, k])[0, 1]) > 0.99
        spread = sources[:, k].std()
        component = found.components.values[k]
        sign = np.sign(component @ LINES[k]) if k == 2 else 1.0
        np.testing.assert_allclose(sign * component, scale * spread * LINES[k], atol=0.12)
    by_variance = decompose_pca(rows, n_components=3).scores.values
    assert abs(np.corrcoef(by_variance[:, 1], sources[:, 1])[0, 1]) < 0.95


def test_scores_times_components_give_the_rows_back() -> None:
    _, rows = mixture(noise=0.0)
    found = decompose_ica(rows, n_components=3)
    made = found.scores.values @ found.components.values + found.model.center
    np.testing.assert_allclose(made, rows.values, atol=1e-9)
    assert found.components.units == "V"
    assert found.scores.units == "1"
    np.testing.assert_allclose(found.scores.values.std(axis=0), 1.0, atol=0.01)


def test_the_summary_tells_how_far_from_normal_each_is() -> None:
    _, rows = mixture(20_000)
    summary = decompose_ica(rows).summary
    # An exponential has skewness 2 and excess kurtosis 6, a uniform 0 and -1.2.
    assert summary["skewness"].values[0] == pytest.approx(2.0, abs=0.15)
    assert summary["kurtosis"].values[0] == pytest.approx(6.0, abs=1.2)
    assert summary["kurtosis"].values[2] == pytest.approx(-1.2, abs=0.1)
    assert summary["share"].values.sum() == pytest.approx(1.0)
    assert (np.diff(summary["share"].values) < 0).all()


def test_seeds_find_the_same_components() -> None:
    _, rows = mixture()
    first = decompose_ica(rows, seed=0).components.values
    for seed in range(1, 6):
        np.testing.assert_allclose(decompose_ica(rows, seed=seed).components, first, atol=0.02)


def test_normal_scores_are_said_to_have_no_direction() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4000, 2)) @ LINES[:2] + 0.01 * rng.normal(size=(4000, 40))
    found = decompose_ica(xr.DataArray(rows, dims=("site", "energy")), n_components=2)
    assert any("2 components have scores like normal ones" in note for note in notes(found.scores))
    _, mixed = mixture()
    assert not any("like normal ones" in note for note in notes(decompose_ica(mixed).scores))


def test_rows_with_gaps_have_no_scores_and_large_maps_are_sampled() -> None:
    sources, rows = mixture(40_000)
    rows[17, 3] = np.nan
    found = decompose_ica(rows.astype(np.float32), n_components=3)
    assert np.isnan(found.scores.values[17]).all()
    assert any("32768 of 39999 rows" in note for note in notes(found.scores))
    kept = np.delete(np.arange(40_000), 17)
    r = np.corrcoef(found.scores.values[kept, 0], sources[kept, 0])[0, 1]
    assert abs(r) > 0.99


def test_more_components_than_there_are_directions_are_refused() -> None:
    rows = xr.DataArray(np.arange(12.0).reshape(6, 2) @ np.ones((2, 3)), dims=("site", "energy"))
    with pytest.raises(SettingError, match="vary along 1 directions, 2 components"):
        decompose_ica(rows, n_components=2)
