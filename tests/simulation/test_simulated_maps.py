"""Simulated decays and mass spectra have the statistics and the truth that they state."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.simulation import (
    Decay,
    MassSpectrometer,
    PhotonTimer,
    simulate_flim_map,
    simulate_mass_map,
)


def test_shares_of_a_whole_period_add_up_to_one_for_any_lifetime() -> None:
    shares = PhotonTimer().shares([1e-4, 0.05, 1.0, 12.5, 100.0])
    assert shares.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-9)
    assert shares.min() >= -1e-12


def test_shares_are_those_of_photons_drawn_one_by_one() -> None:
    timer = PhotonTimer(n_channels=64, response_center=2.0, response_width=0.2)
    rng = np.random.default_rng(1)
    n = 2_000_000
    times = 2.0 + 0.2 * rng.standard_normal(n) + rng.exponential(6.0, n)
    counts, _ = np.histogram(times % 12.5, timer.edges)
    expected = n * timer.shares([6.0])[0]
    # Chi squared of 64 channels: 64, give or take 11.
    assert ((counts - expected) ** 2 / expected).sum() < 64 + 4 * 11.3


def test_photons_and_background_are_as_expected() -> None:
    made = simulate_flim_map(size=40, photons=500.0, background=100.0, seed=4)
    total = made.decays.sum("time").values
    assert total.mean() == pytest.approx(600, abs=4 * np.sqrt(600 / 1600))
    assert total.var() == pytest.approx(600, rel=0.15)


def test_classes_have_as_many_pixels_each_and_the_truth_names_them() -> None:
    made = simulate_flim_map(size=30, seed=2)
    assert np.bincount(made.classes["label"].values.ravel()).tolist() == [300, 300, 300]
    assert made.truth["class"].values.tolist() == [0, 1, 2, 2]
    assert made.truth["photon_fraction"].values == pytest.approx([1, 1, 0.6, 0.4])
    # 0.6 / 0.8 against 0.4 / 2.0.
    assert made.truth["amplitude_fraction"].values[2] == pytest.approx(0.75 / 0.95)


def test_another_seed_is_another_map_and_the_same_the_same() -> None:
    one, same, other = (simulate_flim_map(size=8, seed=seed).decays for seed in (1, 1, 2))
    assert one.identical(same)
    assert not np.array_equal(one, other)


def test_fractions_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(SettingError, match="add up to 1"):
        Decay((1.0, 2.0), (0.5, 0.4))


def test_a_response_as_wide_as_the_period_is_refused() -> None:
    with pytest.raises(SettingError, match="twelfth"):
        PhotonTimer(period=2.0, response_width=0.5)


def test_masses_of_a_pixel_move_together_by_the_jitter() -> None:
    made = simulate_mass_map(
        size=30, spectrometer=MassSpectrometer(noise_peaks=0, jitter=3.0), seed=1
    )
    truth = made.truth["mass_to_charge"].values
    masses = made.peaks["mass_to_charge"].values
    nearest = truth[np.abs(masses[:, None] - truth).argmin(axis=1)]
    ppm = (masses / nearest - 1) * 1e6
    pixel = made.peaks["pixel_row"].values * 30 + made.peaks["pixel_column"].values
    means = np.bincount(pixel, ppm) / np.bincount(pixel)
    # 900 pixels tell a standard deviation to 2.4 %.
    assert means.std() == pytest.approx(3.0, rel=0.1)
    assert (ppm - means[pixel]).std() == pytest.approx(1.0, rel=0.05)


def test_particular_molecules_are_six_times_as_many_in_their_region() -> None:
    made = simulate_mass_map(size=24, spectrometer=MassSpectrometer(noise_peaks=0), seed=2)
    region = made.truth["region"].values
    assert np.bincount(region[region >= 0]).tolist() == [5, 5, 5]
    number = int(np.flatnonzero(region == 1)[0])
    row = [float(made.truth[f"intensity_{k}"][number]) for k in range(3)]
    assert row[1] == pytest.approx(6 * row[0])
    assert row[0] == row[2]


def test_more_molecules_than_the_range_holds_are_refused() -> None:
    with pytest.raises(SettingError, match=r"do not fit"):
        simulate_mass_map(n_molecules=100, spectrometer=MassSpectrometer(mass_range=(700.0, 701.0)))
