"""What does not measure is set aside, and the noise of counts is made equal and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from electron_spectra import rows, spectral_map

from adatom.correction import (
    correct_dead_pixels,
    correct_intensity,
    correct_spikes,
    correct_stuck_channels,
    correct_thickness,
    counts_from_roots,
    counts_from_scaled,
    roots_from_counts,
    scaled_from_counts,
)
from adatom.errors import KindError, SettingError
from adatom.schema import notes

Array = np.ndarray[Any, Any]
ENERGY = np.arange(100.0, 160.0)


def _counts(mean: float = 40.0, seed: int = 0) -> xr.DataArray:
    counts = np.random.default_rng(seed).poisson(mean, (12, 10, ENERGY.size))
    return spectral_map(counts.astype(float), ENERGY)


def test_channels_of_one_value_are_found_at_any_place_and_named() -> None:
    spectra = _counts()
    spectra[..., [0, 17, 18, 59]] = [0.0, 3.0, 1000.0, 7.0]
    mended = correct_stuck_channels(spectra)
    assert notes(mended) == ["4 channels were interpolated: 100, 117, 118, 159 eV."]
    expected = spectra[..., 16] * (2 / 3) + spectra[..., 19] / 3
    np.testing.assert_allclose(mended[..., 17], expected)
    np.testing.assert_array_equal(mended[..., 0], spectra[..., 1])
    np.testing.assert_array_equal(mended[..., 59], spectra[..., 58])
    assert np.isnan(correct_stuck_channels(spectra, fill="nan")[..., 18]).all()


def test_channels_that_happen_to_have_no_count_are_not_stuck() -> None:
    sparse = _counts(mean=0.02)
    assert (sparse.max(("y", "x")) == 0).any()
    assert notes(correct_stuck_channels(sparse)) == ["None of 60 channels is stuck."]


def test_known_channels_are_taken_and_no_others_sought() -> None:
    spectra = _counts()
    spectra[..., 5] = 0.0
    mended = correct_stuck_channels(spectra, known=["120.2 eV"])
    assert notes(mended) == ["1 channels were interpolated: 120 eV."]
    assert (mended[..., 5] == 0).all()


def test_a_map_of_one_value_is_refused() -> None:
    everything = rows(np.ones((20, 4)), np.arange(4.0))
    with pytest.raises(SettingError, match="all 4 channels"):
        correct_stuck_channels(everything, known=["0 eV", "1 eV", "2 eV", "3 eV"])


def test_dead_pixels_are_found_and_vacuum_is_none() -> None:
    spectra = _counts()
    spectra[3, 4] = 0.0
    spectra[8, 8] = 255.0
    spectra[0, 0] = np.nan
    # A corner of vacuum: no counts, and none next to it to expect any by.
    spectra[9:, :3] = 0.0
    found = correct_dead_pixels(spectra)
    dead = {tuple(map(int, place)) for place in np.argwhere(~found.alive.values)}
    assert {(3, 4), (8, 8), (0, 0)} <= dead
    assert not {(11, 0), (10, 0), (10, 1)} & dead
    assert np.isnan(found.spectra[3, 4]).all()
    np.testing.assert_array_equal(found.spectra[5], spectra[5])


def test_pixels_that_were_never_measured_are_dead_however_many_lie_side_by_side() -> None:
    spectra = _counts()
    spectra[2:8, 3:9] = np.nan
    found = correct_dead_pixels(spectra)
    np.testing.assert_array_equal(~found.alive, spectra.isnull().all("energy"))
    assert "36 of" in notes(found.spectra)[-1]


def test_a_dead_pixel_takes_the_mean_of_its_living_neighbors() -> None:
    spectra = _counts()
    spectra[3, 4:6] = 0.0
    known = xr.ones_like(spectra[..., 0], dtype=bool).drop_vars("energy")
    known[3, 4:6] = False
    filled = correct_dead_pixels(spectra, known, fill="interpolate").spectra
    around = [(2, 3), (2, 4), (2, 5), (3, 3), (4, 3), (4, 4), (4, 5)]
    expected = np.mean([spectra.values[place] for place in around], axis=0)
    np.testing.assert_allclose(filled[3, 4], expected)
    lazy = spectra.chunk(y=2, x=3, energy=9)
    again = correct_dead_pixels(lazy, known, fill="interpolate").spectra
    assert hasattr(again.data, "dask")
    np.testing.assert_array_equal(again, filled)
    with pytest.raises(KindError, match="the mask is"):
        correct_dead_pixels(spectra[:-1], known)


def test_single_counts_of_sparse_spectra_are_no_spikes() -> None:
    sparse = _counts(mean=0.05)
    assert not correct_spikes(sparse).n_spikes.any()
    sparse[3, 3, 30] = 25.0
    assert int(correct_spikes(sparse).n_spikes.sum()) == 1


def test_a_spike_on_a_steep_background_is_found() -> None:
    background = 20_000 * (ENERGY / 100) ** -3.0
    counts = np.random.default_rng(3).poisson(background, (12, 10, ENERGY.size)).astype(float)
    # Twenty times the noise; the background falls by 17 times the noise across the window.
    counts[4, 4, 20] += 20 * np.sqrt(background[20])
    found = correct_spikes(spectral_map(counts, ENERGY))
    assert np.argwhere(found.n_spikes.values[..., 0]).tolist() == [[4, 4]]


def test_counts_are_judged_alike_in_all_chunks() -> None:
    counts = _counts(mean=3.0)
    # One chunk has whole numbers only, the map has not.
    counts[11, 9, 0] = 2.5
    counts[2, 2, 30] = 30.0
    whole = correct_spikes(counts).spectra.values
    lazy = correct_spikes(counts.chunk(y=3, x=5)).spectra.values
    np.testing.assert_array_equal(lazy, whole)


def test_scaled_counts_have_white_noise_and_come_back() -> None:
    rng = np.random.default_rng(5)
    mean = rng.uniform(20, 500, (4000, 1)) * rng.uniform(0.1, 2, (1, 40))
    counts = rows(rng.poisson(mean).astype(float), np.arange(40.0))
    scaled = scaled_from_counts(counts)
    expected = mean / scaled.rows.values / scaled.channels.values
    noise = (scaled.spectra.values - expected).std(axis=0)
    # 4000 rows tell a standard deviation to one per cent.
    np.testing.assert_allclose(noise, 1, rtol=0.06)
    np.testing.assert_allclose(counts_from_scaled(*scaled), counts, rtol=1e-12, atol=1e-9)


def test_rows_and_channels_without_counts_stay_zero() -> None:
    counts = rows(np.array([[0.0, 0, 0], [0.0, 4, 9]]), np.arange(3.0))
    scaled = scaled_from_counts(counts)
    assert np.isfinite(scaled.spectra).all()
    np.testing.assert_allclose(counts_from_scaled(*scaled), counts)
    with pytest.raises(SettingError, match="give counts as measured"):
        scaled_from_counts(counts - 1)
    with pytest.raises(KindError, match="give all that scaled_from_counts gave"):
        counts_from_scaled(counts, scaled.rows[:1], scaled.channels)


@pytest.mark.parametrize(("gain", "readout", "offset"), [(1.0, 0.0, 0.0), (4.0, 6.0, 100.0)])
@pytest.mark.parametrize("mean", [4.0, 10.0, 200.0])
def test_roots_of_counts_have_unit_noise_and_return_without_bias(
    gain: float, readout: float, offset: float, mean: float
) -> None:
    rng = np.random.default_rng(6)
    n = 200_000
    counts = offset + gain * rng.poisson(mean, n) + readout * rng.normal(size=n)
    detector = {"gain": gain, "readout": readout, "offset": offset}
    roots = roots_from_counts(rows(counts[None], np.arange(float(n))), **detector)
    # The transform is stable to a few per cent from four counts on.
    assert float(roots.std()) == pytest.approx(1, abs=0.03)
    back = counts_from_roots(roots.mean("energy", keepdims=True), **detector)
    error = gain * np.sqrt(mean + (readout / gain) ** 2) / np.sqrt(n)
    # The closed form is good to a few thousandths of a count.
    assert back.item() - offset == pytest.approx(gain * mean, abs=5 * error + 0.02 * gain)


def test_a_detector_without_gain_is_refused() -> None:
    with pytest.raises(SettingError, match="must be above zero"):
        roots_from_counts(_counts(), gain=0.0)


def test_division_by_thickness_leaves_composition() -> None:
    thickness = np.linspace(0.0, 2.0, 120).reshape(12, 10, 1)
    dims = ("y", "x", "measure")
    found = correct_thickness(
        spectral_map(thickness * ENERGY, ENERGY), xr.DataArray(thickness, dims=dims)
    )
    assert np.isnan(found[0, 0]).all()
    np.testing.assert_allclose(found.values.reshape(120, -1)[1:], np.tile(ENERGY, (119, 1)))
    with pytest.raises(KindError, match="need one number for each row"):
        correct_thickness(_counts(), xr.DataArray(thickness[:-1], dims=dims))


@pytest.mark.parametrize("gap", [slice(0, 1), slice(20, 21), slice(40, 60)])
def test_a_gap_makes_no_spikes_and_hides_none(gap: slice) -> None:
    spectra = spectral_map(np.random.default_rng(2).normal(0.5, 0.01, (8, 8, ENERGY.size)), ENERGY)
    spectra[3, 4, 30] = 5.0
    whole = correct_spikes(spectra)
    with_gaps = spectra.copy()
    with_gaps[:, :, gap] = np.nan
    found = correct_spikes(with_gaps)
    # Every row has a gap: what the values are is told by the channels that were measured.
    assert np.argwhere(found.n_spikes.values[..., 0]).tolist() == [[3, 4]]
    assert np.isnan(found.spectra[..., gap]).all()
    np.testing.assert_array_equal(np.isnan(found.spectra), np.isnan(with_gaps))
    assert found.spectra[3, 4, 30] == whole.spectra[3, 4, 30]


def test_places_that_differ_by_rounding_are_the_same_places() -> None:
    spectra = _counts()
    moved = spectra.assign_coords(x=spectra["x"] * (1 + 1e-12))
    thickness = spectra[..., :1].rename(energy="measure").drop_vars("measure")
    found = correct_thickness(moved, thickness)
    assert found.shape == spectra.shape
    np.testing.assert_allclose(found[..., 0], 1.0)
    scaled = scaled_from_counts(spectra)
    back = counts_from_scaled(scaled.spectra.assign_coords(x=moved["x"]), *scaled[1:])
    np.testing.assert_allclose(back, spectra)


@pytest.mark.parametrize("n_channels", [1, 2, 7, 8])
def test_the_median_above_zero_is_that_of_each_row_by_itself(n_channels: int) -> None:
    values = np.random.default_rng(5).normal(0, 1, (200, n_channels))
    values[3] = -1.0
    values[4, 0] = np.nan
    found = correct_intensity(rows(values, ENERGY[:n_channels]), to="median")
    for number, row in enumerate(values):
        above = row[row > 0]
        usual = np.median(above) if above.size and np.isfinite(row).all() else np.nan
        np.testing.assert_allclose(found[number], row / usual)
