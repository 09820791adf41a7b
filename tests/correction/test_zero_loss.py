"""Zero losses come to zero as sharply as counts allow, and core losses with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from electron_spectra import rows, spectral_map

from adatom.correction import correct_shifts, correct_zero_loss, estimate_zero_loss
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import notes

Array = np.ndarray[Any, Any]
ENERGY = np.arange(-15.0, 45.0, 0.25)


def _peak(energy: Array) -> Array:
    """A zero loss with the tail of a cold field emitter, its maximum at zero."""
    tail = np.exp(-np.clip(energy, 0, None) / 0.8) / (1 + np.exp(-energy / 0.2))
    return np.asarray(np.exp(-0.5 * ((energy + 0.02) / 0.45) ** 2) + 0.15 * tail)


def _spectrum(energy: Array) -> Array:
    return np.asarray(_peak(energy) + 0.03 * np.exp(-0.5 * ((energy - 15) / 3) ** 2))


def _shifts(spread: float) -> Array:
    return np.random.default_rng(1).uniform(-spread, spread, (30, 30, 1)) + 0.1


@pytest.mark.parametrize("electrons", [100, 10_000])
def test_the_zero_loss_is_found_to_the_least_error_that_counts_allow(electrons: int) -> None:
    shifts = _shifts(2.0)
    mean = electrons * _spectrum(ENERGY - shifts)
    counts = np.random.default_rng(2).poisson(mean).astype(np.float32)
    error = estimate_zero_loss(spectral_map(counts, ENERGY)).values - shifts
    fine = 1e-4
    slope = electrons * (_peak(ENERGY - fine) - _peak(ENERGY + fine)) / (2 * fine)
    near = np.abs(ENERGY) < 1.5
    least = 1 / np.sqrt((slope[near] ** 2 / (electrons * _peak(ENERGY[near]))).sum())
    # 900 rows tell a standard deviation to 2.4 %; the height is fitted too.
    assert error.std() < 1.15 * least
    # What the maximum of an asymmetric peak in channels is, is a matter of interpolation.
    assert abs(error.mean()) < 0.05 * 0.25 + 4 * least / 30


def test_shifts_of_whole_channels_come_back_exactly() -> None:
    whole = np.random.default_rng(3).integers(-6, 7, (6, 5, 1))
    spectrum = _spectrum(ENERGY)
    values = np.stack([np.roll(spectrum, int(k)) for k in whole.ravel()]).reshape(6, 5, -1)
    offsets = xr.DataArray(whole * 0.25, dims=("y", "x", "measure"), attrs={"units": "eV"})
    moved = correct_shifts(spectral_map(values, ENERGY), offsets, ends="common")
    first, after = -int(whole.min()), ENERGY.size - int(whole.max())
    assert moved.energy.values[0] == pytest.approx(ENERGY[first])
    # Rolled round the ends nothing is lost, so the common part is the spectrum itself.
    common = np.broadcast_to(spectrum[first:after], moved.shape)
    np.testing.assert_allclose(moved, common, atol=1e-12)


def test_nothing_is_lost_where_the_axis_grows_and_all_is_told_where_not() -> None:
    shifts = _shifts(3.0)
    given_map = spectral_map(1000 * _spectrum(ENERGY - shifts), ENERGY)
    grown = correct_zero_loss(given_map).low_loss
    np.testing.assert_allclose(grown.sum("energy"), given_map.sum("energy"), rtol=1e-3)
    assert grown.sizes["energy"] > ENERGY.size
    assert "elsewhere some are NaN" in notes(grown)[0]
    kept = correct_zero_loss(given_map, ends="keep").low_loss
    assert kept.sizes["energy"] == ENERGY.size
    assert "channels at an end of a row are left out" in notes(kept)[0]
    common = correct_zero_loss(given_map, ends="common").low_loss
    assert np.isfinite(common).all()
    assert "NaN" not in notes(common)[0]


def test_aligned_spectra_are_those_that_were_never_shifted() -> None:
    shifts = _shifts(1.0)
    moved = correct_zero_loss(spectral_map(_spectrum(ENERGY - shifts), ENERGY), ends="common")
    truth = _spectrum(moved.low_loss.energy.values)
    # The maximum is known to a few hundredths of a channel, where the flank is steep.
    assert float(abs(moved.low_loss - truth).max()) < 0.05


def test_core_losses_of_other_channels_move_by_the_same_energy() -> None:
    shifts = _shifts(2.0)
    low = spectral_map(1000 * _spectrum(ENERGY - shifts), ENERGY)
    energy = np.arange(500.0, 560.0, 0.5)
    edge = 100 * np.exp(-(((energy - 532 - shifts) / 3) ** 2))
    core = spectral_map(edge, energy)
    found = correct_zero_loss(low, core)
    assert found.core_loss is not None
    peaks = found.core_loss.energy.values[found.core_loss.fillna(0).argmax("energy")]
    assert np.abs(peaks - 532).max() <= 0.5
    with pytest.raises(KindError, match="need one number for each row"):
        correct_zero_loss(low, core[:-1])


def test_rows_without_a_peak_are_told() -> None:
    values = 1000 * _spectrum(ENERGY - _shifts(1.0))
    values[0, 0] = 0.0
    values[1, 1] = np.nan
    found = correct_zero_loss(spectral_map(values, ENERGY))
    assert np.isnan(found.positions.values[[0, 1], [0, 1]]).all()
    assert notes(found.positions) == ["2 of 900 rows have no zero-loss peak: NaN."]
    assert np.isnan(found.low_loss[0, 0]).all()
    with pytest.raises(SettingError, match="no row has a zero-loss peak"):
        estimate_zero_loss(rows(np.zeros((3, 50)), np.arange(50.0)))


def test_lazy_maps_stay_lazy_and_give_the_same() -> None:
    counts = np.random.default_rng(4).poisson(500 * _spectrum(ENERGY - _shifts(1.0)))
    given_map = spectral_map(counts.astype(np.float32), ENERGY)
    whole = correct_zero_loss(given_map)
    lazy = correct_zero_loss(given_map.chunk(y=7, x=11, energy=50))
    assert hasattr(lazy.low_loss.data, "dask")
    xr.testing.assert_identical(lazy.low_loss.compute(), whole.low_loss)


def test_offsets_that_do_not_fit_are_refused() -> None:
    given_rows = rows(np.ones((2, 8)), np.arange(8.0))
    offsets = xr.DataArray([[0.0], [9.0]], dims=("site", "measure"), attrs={"units": "eV"})
    with pytest.raises(SettingError, match="leave 0 channels that all rows have"):
        correct_shifts(given_rows, offsets, ends="common")
    with pytest.raises(UnitError, match="offsets are in 'nm'"):
        correct_shifts(given_rows, offsets.assign_attrs(units="nm"))
    with pytest.raises(SettingError, match="use correct_sampling"):
        correct_shifts(rows(np.ones((2, 4)), np.array([0.0, 1.0, 3.0, 4.0])), offsets)
