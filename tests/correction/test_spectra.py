"""Corrections of spectra against spectra whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.correction import (
    correct_intensity,
    correct_power_law,
    correct_spikes,
    image_from_window,
)
from adatom.decomposition import decompose_pca
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import notes

Array = np.ndarray[Any, Any]
ENERGY = np.arange(400.0, 1000.0, 4.0)


def spectra(values: Array) -> xr.DataArray:
    place = {name: (name, np.arange(n), {"units": "nm"}) for name, n in zip("yx", values.shape)}
    axis = {"energy": ("energy", ENERGY, {"units": "eV"})}
    dims = ("y", "x", "energy")
    return xr.DataArray(values, dims=dims, coords={**place, **axis}, attrs={"units": "1"})


def edge(height: float) -> Array:
    return np.where(ENERGY >= 700, height * np.exp(-(ENERGY - 700) / 200), 0.0)


def test_a_power_law_without_noise_is_taken_off_exactly() -> None:
    power = np.linspace(1.0, 5.0, 12).reshape(3, 4, 1)
    background = 500 * (ENERGY / 600) ** -power
    left = correct_power_law(spectra(background + edge(80)), fit_range=("450 eV", "690 eV"))
    above = ENERGY >= 450
    np.testing.assert_allclose(
        left.values[..., above], np.tile(edge(80)[above], (3, 4, 1)), atol=1e-6
    )
    assert (left.values[..., ~above] == 0).all()
    (note,) = notes(left)
    assert note.startswith("A power law fitted from 452 to 688 eV was taken off every spectrum")


def test_the_fit_to_counts_is_unbiased_down_to_a_few_counts_a_channel() -> None:
    rng = np.random.default_rng(3)
    mean = 4 * (ENERGY / 600) ** -3.0 + edge(2)
    counts = spectra(rng.poisson(mean, (80, 80, ENERGY.size)).astype(np.float32))
    left = correct_power_law(counts, fit_range=("450 eV", "690 eV"))
    window = image_from_window(left, window=("700 eV", "800 eV"))
    expected = edge(2)[(ENERGY >= 700) & (ENERGY <= 800)].sum()
    # 6400 spectra, whose maps scatter by some ten counts.
    assert window.values.mean() == pytest.approx(expected, abs=float(4 * window.values.std() / 80))
    assert window.dtype == np.float32


def test_rows_without_counts_are_left_as_they_are() -> None:
    values = np.zeros((2, 2, ENERGY.size))
    values[1, 1] = np.nan
    left = correct_power_law(spectra(values), fit_range=("450 eV", "690 eV"))
    assert (left.values[0] == 0).all()
    assert np.isnan(left.values[1, 1, ENERGY >= 450]).all()


def test_spikes_are_found_and_lines_are_kept() -> None:
    rng = np.random.default_rng(5)
    line = 200 * np.exp(-(((ENERGY - 600) / 6) ** 2))
    counts = rng.poisson(20 + line, (30, 30, ENERGY.size)).astype(np.float64)
    struck = [(3, 4, 17), (10, 20, 80), (25, 1, 149), (0, 0, 0)]
    clean = counts.copy()
    for place in struck:
        counts[place] += 150
    mended, n_spikes = correct_spikes(spectra(counts))
    changed = {tuple(map(int, place)) for place in np.argwhere(mended.values != counts)}
    assert changed == set(struck)
    for place in struck:
        assert abs(mended.values[place] - clean[place]) < 25
    assert n_spikes.dims == ("y", "x", "measure")
    assert {tuple(map(int, place[:2])) for place in np.argwhere(n_spikes.values)} == {
        place[:2] for place in struck
    }


def test_a_sharp_line_of_every_spectrum_is_no_spike() -> None:
    rng = np.random.default_rng(6)
    strength = rng.uniform(50, 300, (20, 20, 1))
    counts = rng.poisson(10 + strength * (ENERGY == 600)).astype(np.float64)
    assert not correct_spikes(spectra(counts)).n_spikes.any()


@pytest.mark.parametrize(("to", "order"), [("norm", 2), ("sum", 1), ("max", np.inf)])
def test_rows_of_one_shape_become_equal(to: Any, order: float) -> None:
    shape = edge(3) + 1
    brightness = np.linspace(0.1, 9, 12).reshape(3, 4, 1)
    found = correct_intensity(spectra(shape * brightness), to=to)
    size = np.linalg.norm(found.values.reshape(12, -1), order, axis=1)
    np.testing.assert_allclose(size, 1)
    np.testing.assert_allclose(found.values, np.tile(found.values[0, 0], (3, 4, 1)))
    dark = correct_intensity(spectra(np.zeros((1, 1, ENERGY.size))), to=to)
    assert np.isnan(dark.values).all()


def test_lazy_spectra_stay_lazy_and_give_the_same() -> None:
    counts = spectra(np.random.default_rng(7).poisson(30.0, (9, 8, ENERGY.size)).astype(np.float32))
    lazy = counts.chunk(y=4, x=3, energy=50)
    for correct in (
        lambda s: correct_spikes(s).spectra,
        correct_intensity,
        lambda s: correct_power_law(s, fit_range=("450 eV", "690 eV")),
        lambda s: image_from_window(s, window=("500 eV", "600 eV")),
    ):
        found = correct(lazy)
        assert hasattr(found.data, "dask")
        np.testing.assert_array_equal(found.values, correct(counts).values)


def test_a_wrong_range_says_what_the_axis_is() -> None:
    given = spectra(np.ones((2, 2, ENERGY.size)))
    with pytest.raises(SettingError, match=r"holds 0 channels, 1 or more .* from 400 to 996 eV"):
        image_from_window(given, window=("1 keV", "2 keV"))
    with pytest.raises(UnitError, match="window: '5 nm' is in nm, the measured axis is in eV"):
        image_from_window(given, window=("5 nm", "6 nm"))
    with pytest.raises(UnitError, match="'red' is no number with a unit"):
        image_from_window(given, window=("red", "600 eV"))
    with pytest.raises(KindError):
        image_from_window(given[..., 0], window=("500 eV", "600 eV"))


def test_scores_over_the_counts_of_their_spectra_know_no_thickness() -> None:
    rng = np.random.default_rng(0)
    thickness = np.linspace(0.5, 2.0, 30 * 40).reshape(30, 40, 1)
    shape = np.linspace(60.0, 5.0, 80)
    axes = {"energy": ("energy", np.arange(80.0), {"units": "eV"})}
    counts = xr.DataArray(
        rng.poisson(thickness * shape).astype(float), dims=("y", "x", "energy"), coords=axes
    )
    counts[3, 4] = 0.0
    # Divided, counts no longer tell their noise, and noise passes for components.
    assert decompose_pca(counts, weighting="poisson").model.n_above_noise == 1
    scores = decompose_pca(counts, weighting="poisson").scores
    shapes = correct_intensity(scores, counts, to="sum")
    assert shapes.dims == scores.dims
    assert shapes[3, 4].isnull().all()
    measured = shapes.values[np.isfinite(shapes.values)]
    assert measured.std() / abs(measured.mean()) < 0.05
    lazy = correct_intensity(scores, counts.chunk(y=7, x=40, energy=80), to="sum")
    np.testing.assert_array_equal(lazy, shapes)
    with pytest.raises(KindError, match="must be of the same places"):
        correct_intensity(scores, counts[:-1])
