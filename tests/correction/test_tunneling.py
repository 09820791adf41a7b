"""Currents, conductances and what instruments do to them, against known junctions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom.correction import (
    conductance_from_current,
    correct_lock_in,
    correct_outlier_spectra,
    correct_saturation,
    correct_zero_bias,
    density_from_conductance,
    mean_from_sweeps,
)
from adatom.errors import KindError, SettingError, UnitError

BIAS = np.linspace(-1.0, 1.0, 201)


def _sweep(rows: Any, bias: Any = BIAS, unit: str = "nA") -> xr.DataArray:
    return xr.DataArray(
        np.atleast_2d(np.asarray(rows, dtype=float)),
        dims=("site", "bias"),
        coords={"bias": ("bias", bias, {"units": "V"})},
        attrs={"units": unit},
    )


def test_the_derivative_of_a_cubic_is_exact_with_order_three_on_unequal_steps() -> None:
    bias = np.sort(np.random.default_rng(0).uniform(-1, 1, 80))
    found = conductance_from_current(_sweep(bias**3 - bias, bias), window="0.4 V", order=3)
    np.testing.assert_allclose(found.spectra.values[0], 3 * bias**2 - 1, atol=1e-8)
    assert found.spectra.attrs["units"] == "nA/V"


def test_a_falling_sweep_has_the_same_conductance() -> None:
    rising = conductance_from_current(_sweep(np.tanh(3 * BIAS))).spectra.values[0]
    falling = conductance_from_current(_sweep(np.tanh(-3 * BIAS), -BIAS)).spectra.values[0]
    np.testing.assert_allclose(falling[::-1], rising, atol=1e-9)


def test_the_stated_noise_is_that_of_the_conductance() -> None:
    rng = np.random.default_rng(1)
    rows = np.tanh(2 * BIAS) + rng.normal(0, 0.01, (400, BIAS.size))
    found = conductance_from_current(_sweep(rows), window="0.2 V")
    scatter = found.spectra.values[:, 60:140].std(axis=0).mean()
    # 400 rows give the scatter to 4 %, third differences the noise of a row to 10 %.
    assert float(np.median(found.noise)) == pytest.approx(scatter, rel=0.1)


def test_a_wider_window_has_less_noise_and_the_same_slope() -> None:
    rng = np.random.default_rng(2)
    row = _sweep(2 * BIAS + rng.normal(0, 0.01, BIAS.size))
    narrow, wide = (conductance_from_current(row, window=w).spectra for w in ("0.06 V", "0.5 V"))
    assert float(abs(wide - 2).max()) < float(abs(narrow - 2).max()) / 5


def test_a_window_below_two_steps_is_refused_with_the_step() -> None:
    with pytest.raises(SettingError, match=r"must be from 0\.02 V, 2 steps of the sweep"):
        conductance_from_current(_sweep(BIAS), window="1 mV")
    with pytest.raises(UnitError, match="in nm, the measured axis is in V"):
        conductance_from_current(_sweep(BIAS), window="1 nm")


def test_a_sweep_that_turns_back_is_refused_and_the_remedy_is_named() -> None:
    there_and_back = np.concatenate([BIAS, BIAS[::-1]])
    with pytest.raises(SettingError, match="mean_from_sweeps splits"):
        conductance_from_current(_sweep(there_and_back, there_and_back))


def test_the_density_of_a_power_law_junction_is_its_power() -> None:
    # Of I = V^3 the ratio is 3 at any height: what a tip farther away scales falls out.
    current = _sweep(np.stack([BIAS**3, 0.01 * BIAS**3]))
    slope = conductance_from_current(current, window="0.05 V", order=3).spectra
    density = density_from_conductance(slope, current, broadening="10 mV").values
    np.testing.assert_allclose(density[0], density[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(density[0][[20, 60, 140, 180]], 3, rtol=0.02)


def test_in_a_gap_the_broadened_density_goes_to_zero_instead_of_noise() -> None:
    rng = np.random.default_rng(3)
    current = np.sign(BIAS) * np.clip(np.abs(BIAS) - 0.4, 0, None) ** 2
    row = _sweep(current + rng.normal(0, 1e-4, BIAS.size))
    slope = conductance_from_current(row, window="0.1 V").spectra
    density = density_from_conductance(slope, row, broadening="0.3 V").values[0]
    inside = np.abs(BIAS) < 0.25
    assert np.nanmax(np.abs(density[inside])) < 0.3 < 1 < np.nanmax(density)


def test_where_no_current_flows_there_is_no_density() -> None:
    rng = np.random.default_rng(4)
    row = _sweep(rng.normal(0, 1e-3, BIAS.size))
    slope = conductance_from_current(row).spectra
    density = density_from_conductance(slope, row, broadening="50 mV").values
    # Three deviations of correlated averages are passed here and there.
    assert np.isnan(density).mean() > 0.9


def test_the_offset_at_zero_bias_is_found_more_exactly_than_by_one_sample() -> None:
    rng = np.random.default_rng(5)
    rows = np.sinh(2 * BIAS) + 0.25 + rng.normal(0, 0.01, (300, BIAS.size))
    found = correct_zero_bias(_sweep(rows))
    assert float(found.offset.mean()) == pytest.approx(0.25, abs=0.002)
    # 21 samples under a parabola: 1.5 over the root of 21.
    assert float(found.offset.std()) < 0.01 / 2
    with pytest.raises(SettingError, match="must cross zero"):
        correct_zero_bias(_sweep(BIAS, BIAS + 2))


def test_the_scale_and_sign_of_a_lock_in_are_found() -> None:
    rng = np.random.default_rng(6)
    slope = 1 + 3 * BIAS**2 + 0.5 * np.sin(12 * BIAS)
    slopes = _sweep(slope * rng.uniform(0.5, 2, (50, 1)), unit="nA/V")
    noisy = slopes + rng.normal(0, 0.2, slopes.shape)
    noisy.attrs = slopes.attrs
    lock_in = (slopes - 0.3) / -1.7 + rng.normal(0, 0.002, slopes.shape)
    lock_in.attrs["units"] = "V"
    found = correct_lock_in(lock_in, noisy)
    np.testing.assert_allclose(found.spectra.values, slopes.values, atol=0.05)
    assert found.spectra.attrs["units"] == "nA/V"


def test_a_lock_in_of_the_other_phase_is_refused() -> None:
    rng = np.random.default_rng(7)
    slopes = _sweep(1 + BIAS**2 + rng.normal(0, 0.1, (20, BIAS.size)))
    with pytest.raises(SettingError, match="other phase"):
        correct_lock_in(_sweep(rng.normal(size=(20, BIAS.size))), slopes)
    with pytest.raises(KindError, match="not of the same places"):
        correct_lock_in(slopes[:3], slopes)


def test_clipped_tops_of_either_sign_become_nan_and_are_counted() -> None:
    row = np.clip(5 * np.sin(7 * BIAS), -4.0, 3.0)
    found = correct_saturation(_sweep(row))
    at_end = (row == 3.0) | (row == -4.0)
    np.testing.assert_array_equal(np.isnan(found.spectra.values[0]), at_end)
    assert int(found.n_saturated[0, 0]) == at_end.sum()


def test_noise_and_counts_are_not_taken_for_saturation() -> None:
    rng = np.random.default_rng(8)
    for rows in (rng.normal(size=(50, 201)), rng.poisson(0.5, (50, 201)).astype(float)):
        assert np.isfinite(correct_saturation(_sweep(rows)).spectra.values).all()


def test_a_row_at_the_end_of_the_range_throughout_is_saturated() -> None:
    rows = np.random.default_rng(3).normal(0, 1, (4, 8))
    # All whole numbers, as counts are: the other rows tell that these are none.
    rows[2] = 10.0
    found = correct_saturation(xr.DataArray(rows, dims=("site", "bias")))
    assert found.n_saturated.values.ravel().tolist() == [0, 0, 8, 0]


def test_forward_and_backward_are_averaged_whichever_way_the_file_has_them() -> None:
    lag = 0.05
    one, other = _sweep(np.tanh(BIAS + lag)), _sweep(np.tanh(BIAS - lag))
    found = mean_from_sweeps(one, other)
    np.testing.assert_allclose(found.spectra.values[0], (one + other).values[0] / 2)
    turned = np.concatenate([BIAS, BIAS[::-1]])
    joined = _sweep(np.concatenate([one.values[0], other.values[0][::-1]]), turned)
    np.testing.assert_allclose(mean_from_sweeps(joined).spectra.values, found.spectra.values)
    expected = float(np.sqrt((((one - other) / 2) ** 2).mean()))
    assert float(found.hysteresis[0, 0]) == pytest.approx(expected)


def test_a_closed_loop_over_both_signs_is_no_pair_of_sweeps() -> None:
    voltage = np.array([0.0, 1, 2, 1, 0, -1, -2, -1])
    with pytest.raises(SettingError, match="does not go there and back"):
        mean_from_sweeps(_sweep(voltage, voltage))


def test_outliers_are_rows_above_the_factor_and_nothing_else() -> None:
    rng = np.random.default_rng(9)
    rows = rng.normal(size=(200, 30))
    rows[[3, 50]] *= 100
    found = correct_outlier_spectra(_sweep(rows, np.arange(30.0)))
    is_out = np.isnan(found.spectra.values).all(axis=1)
    assert list(np.flatnonzero(is_out)) == [3, 50]
    assert list(np.flatnonzero(found.strength.values[:, 0] > 6)) == [3, 50]
    np.testing.assert_array_equal(found.spectra.values[~is_out], rows[~is_out])


def test_outliers_need_a_usual_row() -> None:
    with pytest.raises(SettingError, match="more than half of the rows have no signal"):
        correct_outlier_spectra(_sweep(np.zeros((4, BIAS.size))))
    one_pixel = _sweep(BIAS)
    assert np.isfinite(correct_outlier_spectra(one_pixel).spectra.values).all()
