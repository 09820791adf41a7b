"""Phasors of decays, against the analytic phasor of an exponential."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import class_sums
from adatom.correction import correct_decay_background
from adatom.curves import (
    estimate_response,
    fractions_from_phasors,
    lifetimes_from_phasors,
    phasors_from_decays,
)
from adatom.errors import KindError, SettingError
from adatom.schema import notes
from adatom.simulation import Decay, PhotonTimer, simulate_flim_map

PERIOD = "12.5 ns"
TIMER = PhotonTimer()


def _decays(rows: np.ndarray, timer: PhotonTimer = TIMER) -> xr.DataArray:
    edges = timer.edges
    time = ("time", (edges[1:] + edges[:-1]) / 2, {"units": "ns"})
    return xr.DataArray(np.atleast_2d(rows), dims=("site", "time"), coords={"time": time})


def _pulse() -> xr.DataArray:
    return _decays(TIMER.shares([1e-5]))


@pytest.mark.parametrize("harmonic", [1, 2, 3])
def test_single_lifetimes_lie_on_the_half_circle_where_theory_puts_them(harmonic: int) -> None:
    lifetimes = np.array([0.3, 1.0, 2.5, 6.0])
    found = phasors_from_decays(
        _decays(TIMER.shares(lifetimes)), _pulse(), period=PERIOD, harmonic=harmonic
    )
    expected = 1 / (1 - 1j * 2 * np.pi * harmonic / 12.5 * lifetimes)
    assert np.abs(found.values @ [1, 1j] - expected).max() < 1e-3 * harmonic
    told = lifetimes_from_phasors(found)
    assert np.allclose(told.values, lifetimes[:, None], rtol=5e-3, atol=2e-3)
    assert told.component.values.tolist() == ["phase", "modulation"]


def test_a_dye_of_known_lifetime_calibrates_as_well_as_the_pulse() -> None:
    decays = _decays(TIMER.shares([1.7]))
    dye = _decays(TIMER.shares([4.0]))
    by_dye = phasors_from_decays(decays, dye, period=PERIOD, reference_lifetime="4 ns")
    assert np.allclose(by_dye, phasors_from_decays(decays, _pulse(), period=PERIOD), atol=2e-3)


def test_a_mixture_lies_at_its_photon_fractions() -> None:
    mixed = 0.6 * TIMER.shares([0.8]) + 0.4 * TIMER.shares([2.0])
    phasors = phasors_from_decays(_decays(mixed), _pulse(), period=PERIOD)
    found = fractions_from_phasors(phasors, lifetimes=("0.8 ns", "2.0 ns"))
    assert found.fractions.values[0] == pytest.approx([0.6, 0.4], abs=3e-3)
    truth = Decay((0.8, 2.0), (0.6, 0.4)).amplitude_fractions
    assert found.amplitude_fractions.values[0] == pytest.approx(truth, abs=3e-3)
    assert float(found.distances[0, 0]) == pytest.approx(0, abs=1e-3)


def test_a_third_lifetime_shows_as_a_distance_from_the_line() -> None:
    mixed = TIMER.shares([0.3, 1.5, 6.0]).mean(axis=0)
    phasors = phasors_from_decays(_decays(mixed), _pulse(), period=PERIOD)
    found = fractions_from_phasors(phasors, lifetimes=("0.3 ns", "1.5 ns"))
    assert float(found.distances[0, 0]) > 0.05


def test_noise_leaves_means_over_pixels_right() -> None:
    made = simulate_flim_map(decays=(Decay((0.8, 2.0), (0.6, 0.4)),), size=48, seed=5)
    clean = correct_decay_background(made.decays, before=("0 ns", "1 ns")).decays
    response = estimate_response(made.decays, period=PERIOD)
    phasors = phasors_from_decays(clean, response, period=PERIOD)
    found = fractions_from_phasors(phasors, lifetimes=("0.8 ns", "2.0 ns")).fractions
    # What the pulse before left is taken for background: it slightly favors the faster.
    assert float(found[..., 0].mean()) == pytest.approx(0.6, abs=0.02)
    assert float(found[..., 0].max()) > 0.7, "clipped"


def test_the_phasor_of_a_sum_is_the_photon_weighted_center() -> None:
    made = simulate_flim_map(size=10, seed=1)
    whole = xr.zeros_like(made.classes)
    phasors = phasors_from_decays(made.decays, period=PERIOD)
    photons = made.decays.sum("time")
    center = (phasors * photons).sum(["y", "x"]) / photons.sum()
    summed = phasors_from_decays(class_sums(made.decays, whole), period=PERIOD)
    assert np.allclose(summed.values[0], center.values, atol=1e-6)


def test_pixels_without_photons_are_nan() -> None:
    found = phasors_from_decays(_decays(np.zeros((2, 256))), period=PERIOD)
    assert np.isnan(found.values).all()


def test_noise_beyond_all_lifetimes_has_none() -> None:
    phasors = xr.DataArray(
        [[-0.1, 0.2], [0.9, 0.9], [0.5, -0.1]],
        dims=("site", "phasor"),
        attrs={"angular_frequency": 0.5},
    )
    found = np.isnan(lifetimes_from_phasors(phasors).values)
    assert found.tolist() == [[True, False], [False, True], [True, False]]


def test_a_window_shorter_than_the_period_is_told() -> None:
    timer = PhotonTimer(window=8.0)
    found = phasors_from_decays(_decays(timer.shares([1.0]), timer), period=PERIOD)
    assert any("shorter than the period" in note for note in notes(found))


def test_a_reference_on_another_axis_is_refused() -> None:
    other = PhotonTimer(n_channels=128)
    with pytest.raises(KindError, match="128 channels"):
        phasors_from_decays(_decays(TIMER.shares([1.0])), _decays(other.shares([1.0]), other))


def test_what_is_no_phasor_is_refused() -> None:
    with pytest.raises(KindError, match="phasors_from_decays"):
        lifetimes_from_phasors(_decays(TIMER.shares([1.0])))


def test_equal_lifetimes_span_no_line() -> None:
    phasors = phasors_from_decays(_decays(TIMER.shares([1.0])))
    with pytest.raises(SettingError, match="two different times"):
        fractions_from_phasors(phasors, lifetimes=("1 ns", "1 ns"))
