"""Principal components against the singular value decomposition of numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom.decomposition import apply_pca, decompose_pca, fit_pca
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import notes

Array = np.ndarray[Any, Any]


def spectra(values: Array) -> xr.DataArray:
    dims = ("y", "x", "energy")[-values.ndim :]
    coords = {"energy": ("energy", 2.0 * np.arange(values.shape[-1]), {"units": "eV"})}
    for name in dims[:-1]:
        size = values.shape[dims.index(name)]
        coords[name] = (name, 0.5 * np.arange(size), {"units": "nm"})
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"units": "1"})


@pytest.fixture
def mixed() -> Array:
    rng = np.random.default_rng(1)
    pure = rng.gamma(1.0, 1.0, (3, 40))
    return rng.dirichlet(np.ones(3), (20, 15)) @ pure * 50


def test_components_variances_and_scores_are_those_of_the_singular_values(mixed: Array) -> None:
    found = decompose_pca(spectra(mixed), n_components=2)
    rows = mixed.reshape(-1, 40)
    centered = rows - rows.mean(axis=0)
    left, singular, right = np.linalg.svd(centered, full_matrices=False)
    signs = np.sign((found.components.values * right[:2]).sum(axis=1))
    np.testing.assert_allclose(found.components.values, signs[:, None] * right[:2], atol=1e-9)
    np.testing.assert_allclose(found.model.variances[:2], singular[:2] ** 2 / 299, rtol=1e-9)
    expected = signs * (left * singular)[:, :2]
    np.testing.assert_allclose(found.scores.values.reshape(-1, 2), expected, atol=1e-8)
    share = singular**2 / (singular**2).sum()
    np.testing.assert_allclose(found.summary["share"].values, share[:2], atol=1e-12)


def test_scores_lie_where_their_spectra_were(mixed: Array) -> None:
    found = decompose_pca(spectra(mixed), n_components=2)
    assert found.scores.dims == ("y", "x", "component")
    assert found.scores.x.values[1] == 0.5
    assert found.scores.x.units == "nm"
    assert found.components.energy.units == "eV"


@pytest.mark.parametrize("n_sources", [1, 2, 4])
def test_as_many_components_rise_above_noise_as_there_are(n_sources: int) -> None:
    rng = np.random.default_rng(n_sources)
    sources = rng.normal(size=(n_sources, 60))
    for _ in range(10):
        clean = 0.8 * rng.normal(size=(2000, n_sources)) @ sources
        found = fit_pca(spectra(clean + rng.normal(size=clean.shape)))
        assert found.n_above_noise == found.n_components == n_sources


def test_counts_of_bright_and_dark_features_are_noise_alone_weighted_or_not() -> None:
    rng = np.random.default_rng(4)
    mean = np.geomspace(1.0, 1000.0, 50) * np.ones((3000, 1))
    counts = spectra(rng.poisson(mean).astype(np.float32))
    assert fit_pca(counts).n_above_noise == 0
    weighted = decompose_pca(counts, weighting="poisson")
    assert weighted.model.n_above_noise == 1
    modeled = weighted.scores.values @ weighted.components.values
    np.testing.assert_allclose(modeled.mean(axis=0), mean[0], rtol=0.06)


def test_rows_that_are_not_measured_have_no_scores_and_do_not_count(mixed: Array) -> None:
    whole = fit_pca(spectra(mixed[1:]), n_components=2)
    mixed[0, :, 7] = np.nan
    found = decompose_pca(spectra(mixed), n_components=2)
    np.testing.assert_allclose(found.model.basis, whole.basis, atol=1e-12)
    assert np.isnan(found.scores.values[0]).all()
    assert np.isfinite(found.scores.values[1:]).all()
    assert notes(found.scores) == ["15 rows are not measured throughout and have no scores"]


@given(chunk=st.tuples(*[st.integers(1, 40)] * 3), wide=st.booleans())
@settings(max_examples=20, deadline=None)
def test_chunks_do_not_change_a_bit(chunk: tuple[int, int, int], wide: bool) -> None:
    values = np.random.default_rng(5).normal(size=(9, 8, 12))
    whole = spectra(values if wide else values.astype(np.float32))
    one = decompose_pca(whole, n_components=3)
    other = decompose_pca(whole.chunk(dict(zip(whole.dims, chunk))), n_components=3)
    np.testing.assert_array_equal(one.scores.values, other.scores.values)
    np.testing.assert_array_equal(one.components.values, other.components.values)


def test_other_spectra_go_on_fitted_components(mixed: Array) -> None:
    model = fit_pca(spectra(mixed), n_components=2)
    scores = apply_pca(spectra(mixed[:3]), model)
    np.testing.assert_allclose(
        scores.values, decompose_pca(spectra(mixed)).scores.values[:3, :, :2]
    )
    with pytest.raises(KindError, match="have 39 values along 'energy', the components 40"):
        apply_pca(spectra(mixed[..., 1:]), model)


def test_what_cannot_be_decomposed_says_why(mixed: Array) -> None:
    with pytest.raises(SettingError, match="n_components=41 must lie between 1 and the 40"):
        fit_pca(spectra(mixed), n_components=41)
    with pytest.raises(SettingError, match=r'the mean of feature \d+ is -.*weighting="none"'):
        fit_pca(spectra(mixed - 1000), weighting="poisson")
    with pytest.raises(TooFewSitesError, match="1 of 1 rows are measured"):
        fit_pca(spectra(mixed[0, :1]))
    flat = decompose_pca(spectra(np.ones((5, 4, 6))))
    assert flat.model.n_above_noise == 0
    assert np.abs(flat.scores.values).max() < 1e-12


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_spectra_that_are_all_the_same_have_no_component(level: float) -> None:
    found = decompose_pca(spectra(np.full((6, 5, 8), level)))
    assert found.model.n_above_noise == 0
    np.testing.assert_allclose(found.scores.values, 0.0, atol=1e-12)


def test_a_channel_that_never_changes_has_no_part_in_any_component(mixed: Array) -> None:
    mixed[..., 3] = 5.0
    found = decompose_pca(spectra(mixed), n_components=2)
    np.testing.assert_allclose(found.components.values[:, 3], 0.0, atol=1e-9)


def test_a_map_of_one_pixel_is_refused() -> None:
    with pytest.raises(TooFewSitesError, match="1 of 1 rows are measured throughout"):
        fit_pca(spectra(np.ones((1, 1, 8))))


def test_channels_that_no_pixel_has_are_told_with_a_remedy(mixed: Array) -> None:
    mixed[..., 3:5] = np.nan
    with pytest.raises(TooFewSitesError, match=r"2 of .* NaN everywhere; leave them out"):
        fit_pca(spectra(mixed))
    with pytest.raises(TooFewSitesError, match="all rows are NaN"):
        fit_pca(spectra(np.full_like(mixed, np.nan)))


def test_pixels_without_counts_have_no_scores_to_speak_of_with_weights() -> None:
    counts = np.random.default_rng(0).poisson(30.0, (20, 20, 12)).astype(np.float32)
    counts[:2] = 0
    found = decompose_pca(spectra(counts), weighting="poisson", n_components=1)
    np.testing.assert_array_equal(found.scores.values[:2], 0.0)
    modeled = found.scores.values[2:] @ found.components.values
    assert modeled.mean() == pytest.approx(30.0, rel=0.02)


def test_features_whose_products_would_fill_the_memory_are_refused_with_a_remedy() -> None:
    wide = xr.DataArray(np.zeros((3, 9000), np.float32), dims=("site", "mass_to_charge"))
    with pytest.raises(SettingError, match=r"9000 features .* 0\.6 GB.*bins_from_channels"):
        fit_pca(wide)
