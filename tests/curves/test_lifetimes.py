"""Lifetimes of simulated decays, against the truth and the bound that photons set."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from decay_figures import (
    LIFETIMES,
    MIXED,
    PERIOD,
    lifetime_bound,
    pixel_errors,
    simulated,
    sum_errors,
)

from adatom.clustering import class_sums
from adatom.curves import (
    decays_from_fit,
    estimate_response,
    fit_decay_tails,
    fit_decays,
    image_from_parameters,
)
from adatom.errors import KindError, SettingError
from adatom.schema import notes
from adatom.simulation import Decay, PhotonTimer, simulate_flim_map

TIMER = PhotonTimer(n_channels=128)


def _decays(rows: object, step: float = 0.05) -> xr.DataArray:
    counts = np.atleast_2d(np.asarray(rows, float))
    time = ("time", step * (np.arange(counts.shape[1]) + 0.5), {"units": "ns"})
    return xr.DataArray(counts, dims=("site", "time"), coords={"time": time})


def _exact(lifetimes: tuple[float, ...], photons: float = 1e6, level: float = 0.0) -> xr.DataArray:
    """Give expected counts, without chance, in the channels of `TIMER`."""
    counts = photons * TIMER.shares(lifetimes) + level
    return _decays(counts, step=TIMER.period / TIMER.n_channels)


def _response() -> xr.DataArray:
    pulse = PhotonTimer(n_channels=128).shares([1e-4])[0]
    return _decays(pulse, step=TIMER.period / TIMER.n_channels)


@pytest.mark.parametrize("seed", range(3))
def test_lifetimes_and_fractions_of_class_sums_are_within_three_percent(seed: int) -> None:
    errors = sum_errors(simulated(seed))
    assert np.abs(errors.own).max() < 0.03
    assert np.abs(errors.shared).max() < 0.03
    assert abs(errors.fraction) < 0.03
    assert abs(errors.amplitude_fraction) < 0.03


@pytest.mark.parametrize("seed", range(3))
def test_lifetimes_of_pixels_spread_as_little_as_their_photons_allow(seed: int) -> None:
    errors = pixel_errors(simulated(seed))
    # 4107 pixels tell a spread to 1.1 %. The bound holds for estimates without bias.
    assert np.abs(errors.over_bound - 1).max() < 0.1
    assert np.abs(errors.bias).max() < 0.01
    assert np.abs(errors.told - 1).max() < 0.1


def test_the_bound_of_an_ideal_timer_is_the_lifetime_over_the_root_of_the_photons() -> None:
    ideal = PhotonTimer(period=200.0, n_channels=4000, response_center=5.0, response_width=0.01)
    found = lifetime_bound(2.0, photons=1000.0, background=1e-9, timer=ideal)
    assert found == pytest.approx(2.0 / np.sqrt(1000), rel=0.01)


def test_a_lifetime_near_the_period_is_told_from_what_the_pulses_before_left() -> None:
    fit = fit_decays(_exact((8.0,)), _response(), period=PERIOD)
    assert float(fit.lifetimes[0, 0]) == pytest.approx(8.0, rel=2e-3)
    ignored = fit_decays(_exact((8.0,)), _response())
    assert abs(float(ignored.lifetimes[0, 0]) / 8.0 - 1) > 0.05


def test_a_lifetime_shorter_than_the_response_is_found() -> None:
    fit = fit_decays(_exact((0.06,)), _response(), period=PERIOD)
    assert float(fit.lifetimes[0, 0]) == pytest.approx(0.06, rel=0.05)


def test_background_is_part_of_the_fit_and_given_in_counts_of_all_channels() -> None:
    fit = fit_decays(_exact((1.5,), level=300.0), _response(), period=PERIOD)
    assert float(fit.lifetimes[0, 0]) == pytest.approx(1.5, rel=1e-3)
    background = float(fit.parameters.sel(parameter="background")[0])
    assert background == pytest.approx(300.0 * 128, rel=0.01)


def test_a_tail_is_fitted_beyond_the_window_and_through_widths_of_any_size() -> None:
    edges = np.concatenate([np.arange(0, 1, 0.02), np.arange(1, 3.01, 0.25)])
    counts = -1e6 * np.diff(np.exp(-edges / 5.0))
    time = ("time", (edges[1:] + edges[:-1]) / 2, {"units": "ns"})
    decays = xr.DataArray(counts[None], dims=("site", "time"), coords={"time": time})
    # Midpoints of centers are the edges but where the width changes.
    fit = fit_decay_tails(decays, start="0 ns", background=False)
    assert float(fit.lifetimes[0, 0]) == pytest.approx(5.0, rel=0.02)


def test_two_lifetimes_of_a_tail_are_those_of_its_sum() -> None:
    made = simulate_flim_map(decays=(Decay(LIFETIMES, (MIXED, 1 - MIXED)),), size=64, seed=4)
    fit = fit_decay_tails(class_sums(made.decays, made.classes), n_lifetimes=2)
    error = fit.errors.sel(parameter=["lifetime_1", "lifetime_2"]).values[0]
    # A period before leaves a little, which a tail takes for background and slow light.
    assert np.all(np.abs(fit.lifetimes.values[0] - LIFETIMES) < 4 * error)
    assert np.all(error / LIFETIMES < 0.05)


def test_the_tail_starts_where_the_response_is_over() -> None:
    found = fit_decay_tails(_exact((2.0,), level=20.0))
    assert 1.5 + 2 * 0.1 < found.parameters.attrs["fitted_from"] < 1.5 + 8 * 0.1
    assert any("Fitted from" in note for note in notes(found.parameters))


def test_held_lifetimes_give_the_fractions_of_every_pixel_without_bias_between_the_ends() -> None:
    made = simulate_flim_map(decays=(Decay(LIFETIMES, (0.5, 0.5)),), size=40, seed=1)
    response = estimate_response(made.decays, period=PERIOD)
    held = xr.DataArray([LIFETIMES], dims=("class", "component"))
    fit = fit_decays(made.decays, response, held, period=PERIOD)
    error = float(np.sqrt((fit.errors.sel(parameter="photon_fraction_1") ** 2).mean()))
    found = fit.fractions.values[..., 0]
    assert abs(found.mean() - 0.5) < 4 * error / 40
    assert found.std() == pytest.approx(error, rel=0.1)
    assert np.allclose(fit.fractions.sum("component"), 1, atol=1e-6)


def test_amplitude_and_photon_fractions_are_those_of_their_definitions() -> None:
    fit = fit_decays(_exact((1.0,)) + 3 * _exact((3.0,)), _response(), n_lifetimes=2, period=PERIOD)
    # 1 to 3 in photons, three times as long: alike at time zero.
    assert fit.fractions.values[0] == pytest.approx([0.25, 0.75], abs=3e-3)
    alike = fit.parameters.sel(parameter=["amplitude_fraction_1", "amplitude_fraction_2"])
    assert alike.values[0] == pytest.approx([0.5, 0.5], abs=5e-3)
    means = fit.parameters.sel(parameter=["mean_lifetime", "amplitude_mean_lifetime"]).values[0]
    assert means == pytest.approx([0.25 * 1 + 0.75 * 3, 0.5 * 1 + 0.5 * 3], rel=3e-3)


def test_dead_channels_that_are_not_measured_do_not_move_a_lifetime() -> None:
    decays = _exact((2.0,))
    decays[:, 25:28] = np.nan
    fit = fit_decays(decays, _response(), period=PERIOD)
    assert float(fit.lifetimes[0, 0]) == pytest.approx(2.0, rel=1e-3)


def test_empty_pixels_are_nan_and_counted() -> None:
    rows = np.concatenate([_exact((2.0,)).values, np.zeros((2, 128)), np.full((1, 128), np.nan)])
    fit = fit_decays(_decays(rows, step=12.5 / 128), _response(), period=PERIOD)
    assert np.isnan(fit.lifetimes.values[:, 0]).tolist() == [False, True, True, True]
    assert any("3 of 4 decays" in note for note in notes(fit.parameters))


def test_one_lifetime_has_all_photons_and_no_means() -> None:
    rows = np.concatenate([_exact((2.0,)).values, np.zeros((1, 128))])
    fit = fit_decays(_decays(rows, step=12.5 / 128), _response(), period=PERIOD)
    names = fit.parameters["parameter"].values.tolist()
    assert names == ["photons_1", "lifetime_1", "background", "reduced_deviance"]
    assert fit.fractions.values[:, 0] == pytest.approx([1.0, np.nan], nan_ok=True)


def test_counts_below_zero_are_refused() -> None:
    with pytest.raises(SettingError, match="as they were counted"):
        fit_decay_tails(_exact((2.0,)) - 1e4, start="3 ns")


def test_a_map_of_one_pixel_and_of_chunks_gives_the_same_bits_as_the_whole() -> None:
    made = simulate_flim_map(size=12, timer=TIMER, seed=3).decays.astype(np.float32)
    whole = fit_decays(made, _response(), period=PERIOD)
    lazy = made.chunk(y=5, x=4, time=50)
    assert whole.parameters.identical(fit_decays(lazy, _response(), period=PERIOD).parameters)
    one = fit_decays(made[3:4, 5:6], _response(), period=PERIOD)
    assert np.array_equal(one.parameters.values[0, 0], whole.parameters.values[3, 5])


def test_the_response_is_found_from_the_rise_of_the_decays() -> None:
    made = simulate_flim_map(size=40, seed=2)
    response = estimate_response(made.decays, period=PERIOD)
    assert response.attrs["center"] == pytest.approx(1.5, abs=0.005)
    assert response.attrs["width"] == pytest.approx(0.1, rel=0.03)
    assert float(response.sum()) == pytest.approx(1.0, abs=1e-6)


def test_decays_that_begin_high_have_no_rise_to_tell_the_response_from() -> None:
    with pytest.raises(SettingError, match="rise is not seen"):
        estimate_response(_decays(1e4 * np.exp(-np.arange(100) / 20)))


def test_flat_counts_have_no_pulse() -> None:
    flat = np.random.default_rng(0).poisson(1000, 400)
    with pytest.raises(SettingError, match="no pulse shows"):
        fit_decay_tails(_decays(flat))


def test_a_response_on_another_axis_is_refused() -> None:
    with pytest.raises(KindError, match="record both with the same settings"):
        fit_decays(_exact((2.0,)), _decays(np.ones(128)))


def test_a_period_shorter_than_the_window_is_refused() -> None:
    with pytest.raises(SettingError, match=r"at least the 12\.5 ns"):
        fit_decays(_exact((2.0,)), _response(), period="10 ns")


def test_lifetimes_that_differ_between_rows_cannot_be_held() -> None:
    held = xr.DataArray([[0.8, 2.0], [0.9, 2.0]], dims=("class", "component"))
    with pytest.raises(KindError, match="the same in all rows"):
        fit_decays(_exact((2.0,)), _response(), held)


def test_an_axis_that_is_no_time_is_refused() -> None:
    wrong = _exact((2.0,)).assign_coords(time=("time", np.arange(128.0), {"units": "eV"}))
    with pytest.raises(KindError, match="time in ns or s"):
        fit_decay_tails(wrong)


def test_a_fit_gives_back_its_decays() -> None:
    decays = _exact((0.8, 2.0), level=10.0)
    fit = fit_decays(decays, _response(), period=PERIOD)
    left = decays_from_fit(decays, fit.parameters) - decays
    # A channel is as wide as the pulse, whose shape within a channel is taken as a straight line.
    assert float(abs(left).max()) < 1e-2 * float(decays.max())


def test_a_parameter_becomes_a_map_where_there_are_photons_enough() -> None:
    made = simulate_flim_map(size=6, photons=300.0, timer=TIMER)
    fit = fit_decays(made.decays, _response(), period=PERIOD)
    image = image_from_parameters(fit.parameters, parameter="lifetime_1", minimum="photons_1 > 300")
    assert image.attrs["units"] == "ns"
    photons = fit.parameters.sel(parameter="photons_1").values
    assert np.array_equal(np.isnan(image.values), ~(photons > 300))
    with pytest.raises(SettingError, match="there are photons_1, lifetime_1"):
        image_from_parameters(fit.parameters, parameter="lifetime_2")
