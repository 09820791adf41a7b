"""Corrections of counted photons, against what was done to them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.correction import (
    correct_dead_channels,
    correct_decay_background,
    correct_pile_up,
    correct_time_zero,
)
from adatom.errors import SettingError
from adatom.schema import notes
from adatom.simulation import PhotonTimer, simulate_flim_map


def _decays(rows: object) -> xr.DataArray:
    counts = np.atleast_2d(np.asarray(rows, float))
    time = ("time", 0.05 * (np.arange(counts.shape[1]) + 0.5), {"units": "ns"})
    return xr.DataArray(counts, dims=("site", "time"), coords={"time": time})


def test_the_background_is_that_before_the_pulse_row_by_row() -> None:
    shares = PhotonTimer(period=50.0, window=12.8, response_center=3.0).shares([1.0])
    levels = np.array([[5.0], [20.0]])
    found = correct_decay_background(_decays(1e5 * shares + levels))
    assert found.levels.values == pytest.approx(levels, abs=1e-3)
    assert found.decays.values == pytest.approx(1e5 * np.repeat(shares, 2, 0), abs=1e-3)
    assert any("channels from" in note for note in notes(found.decays))


def test_without_channels_before_the_pulse_there_is_no_background_to_take() -> None:
    with pytest.raises(SettingError, match="0 channels lie before the pulse"):
        correct_decay_background(_decays(1e4 * np.exp(-np.arange(100) / 20)))


def test_dead_channels_are_found_alone_and_in_runs_and_filled() -> None:
    rng = np.random.default_rng(1)
    smooth = 400 * np.exp(-np.arange(200) / 60)
    rows = rng.poisson(smooth, (50, 200)).astype(float)
    dead = [20, 77, 78, 79]
    rows[:, dead] = 0
    found = correct_dead_channels(_decays(rows))
    changed = (found.values != rows).any(axis=0)
    assert np.flatnonzero(changed).tolist() == dead
    assert found.values[:, dead].mean(axis=0) == pytest.approx(smooth[dead], rel=0.05)
    assert np.isnan(correct_dead_channels(_decays(rows), fill=False).values[:, dead]).all()
    assert any("4 dead channels" in note for note in notes(found))


def test_a_sharp_rise_and_few_photons_have_no_dead_channels() -> None:
    made = simulate_flim_map(size=6, photons=50.0, seed=2).decays
    found = correct_dead_channels(made)
    assert np.array_equal(found.values, made.values)
    assert "No channel is dead." in notes(found)


def test_pile_up_gives_back_what_second_photons_would_have_counted() -> None:
    # Every pulse has Poisson-many photons; only the first of them is seen.
    expected = 0.9 * np.exp(-np.arange(60) / 12) * (1 - np.exp(-1 / 12))
    before = np.concatenate([[0.0], np.cumsum(expected)[:-1]])
    seen = 1e6 * np.exp(-before) * (1 - np.exp(-expected))
    found = correct_pile_up(_decays(seen), n_pulses=1_000_000)
    assert found.values[0] == pytest.approx(1e6 * expected, rel=1e-9)


def test_more_photons_than_pulses_are_refused() -> None:
    with pytest.raises(SettingError, match="one photon a pulse"):
        correct_pile_up(_decays(np.full(60, 10.0)), n_pulses=500)


def test_a_row_with_a_photon_in_every_pulse_is_not_known() -> None:
    found = correct_pile_up(_decays(np.full(60, 10.0)), n_pulses=600)
    assert np.isnan(found.values).all()


def test_time_counts_from_the_rise_and_the_counts_stay() -> None:
    shares = PhotonTimer(window=12.5, n_channels=250, response_center=2.0).shares([1.0])
    before = _decays(1e5 * shares)
    found = correct_time_zero(before)
    # Half of the peak is reached where about half of the pulse is over.
    assert float(before.time[0] - found.time[0]) == pytest.approx(2.0, abs=0.05)
    assert np.array_equal(found.values, before.values)
    assert found.time.attrs["units"] == "ns"
