"""Loops and gaps of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.curves import estimate_gap, estimate_loops
from adatom.errors import SettingError

_RAMP = np.linspace(0.0, 8.5, 17)
VOLTAGE = np.concatenate([_RAMP, _RAMP[-2::-1], -_RAMP[1:], -_RAMP[-2:0:-1]])
_N = 16
IS_UP = np.concatenate([np.ones(_N + 1), np.zeros(2 * _N - 1), np.ones(_N)]).astype(bool)


def _loops(up: float, down: float, *, n: int = 1, noise: float = 0.0, sign: float = 1.0,
           offset: float = 0.0, seed: int = 0) -> xr.DataArray:  # fmt: skip
    """Make tanh loops of height 2, switching up at `up` and down at `down`."""
    rng = np.random.default_rng(seed)
    rows = sign * np.tanh((VOLTAGE - np.where(IS_UP, up, down)) / 0.8) + offset
    rows = rows + rng.normal(0, noise, (n, VOLTAGE.size))
    return xr.DataArray(
        rows,
        dims=("site", "bias"),
        coords={"bias": ("bias", VOLTAGE, {"units": "V"})},
        attrs={"units": "nm"},
    )


def _of(found: xr.DataArray, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(found.sel(measure=name).values)


def test_switching_voltages_are_those_of_the_loop_to_a_tenth_of_a_step() -> None:
    found = estimate_loops(_loops(4.9, -3.4))
    assert _of(found, "coercive_up")[0] == pytest.approx(4.9, abs=0.05)
    assert _of(found, "coercive_down")[0] == pytest.approx(-3.4, abs=0.05)
    assert _of(found, "imprint")[0] == pytest.approx(0.75, abs=0.05)
    assert _of(found, "switchable")[0] == pytest.approx(2.0, abs=0.01)
    # A box of width 8.3 and height 2.
    assert _of(found, "area")[0] == pytest.approx(16.6, rel=0.01)
    assert _of(found, "explained")[0] == pytest.approx(1.0)
    assert list(found["unit"].values[[0, -2]]) == ["V", "nm V"]


def test_a_loop_that_falls_with_the_voltage_switches_at_the_same_voltages() -> None:
    found = estimate_loops(_loops(4.9, -3.4, sign=-1.0, offset=5.0))
    assert _of(found, "coercive_up")[0] == pytest.approx(4.9, abs=0.05)
    assert _of(found, "switchable")[0] == pytest.approx(-2.0, abs=0.01)


def test_where_the_cycle_begins_does_not_matter() -> None:
    loop = _loops(3.0, -5.0, noise=0.1)
    turned = loop.roll(bias=11, roll_coords=True)
    np.testing.assert_allclose(estimate_loops(turned).values, estimate_loops(loop).values)


def test_noise_of_a_fifth_of_the_loop_moves_voltages_by_less_than_a_step() -> None:
    found = estimate_loops(_loops(4.9, -3.4, n=200, noise=0.2))
    off = _of(found, "coercive_up") - 4.9
    # Steps are 0.53 V and the branch is 1.6 V wide: noise over slope is 0.16 V.
    assert abs(np.median(off)) < 0.05
    assert off.std() < 0.3
    assert np.median(_of(found, "explained")) > 0.9


def test_a_single_bad_sample_does_not_move_a_crossing() -> None:
    loop = _loops(4.9, -3.4)
    loop[0, 4] = 40.0
    found = estimate_loops(loop)
    assert abs(_of(found, "coercive_up")[0] - 4.9) < 0.05
    assert abs(_of(found, "coercive_down")[0] + 3.4) < 0.05


def test_rows_that_are_not_loops_say_so_and_rows_with_nan_are_nan() -> None:
    noise = _loops(4.9, -3.4, n=100)
    noise = noise.copy(data=np.random.default_rng(1).normal(size=noise.shape))
    noise[0] = 1.0
    noise[1, 3] = np.nan
    found = estimate_loops(noise)
    assert np.nanmedian(_of(found, "explained")) < 0.7
    assert np.isnan(_of(found, "coercive_up")[:2]).all()


def test_an_axis_that_is_no_closed_cycle_is_refused() -> None:
    straight = _loops(4.9, -3.4).isel(bias=slice(17))
    with pytest.raises(SettingError, match="is not one closed cycle across zero"):
        estimate_loops(straight)


def test_a_gap_with_noise_is_found_within_two_steps_of_the_sweep() -> None:
    bias = np.linspace(-1.5, 1.5, 301)
    slope = np.where(bias > 0.45, bias - 0.45, np.where(bias < -0.6, -0.6 - bias, 0.0))
    rows = slope + np.random.default_rng(0).normal(0, 0.002, (50, bias.size))
    conductance = xr.DataArray(
        rows,
        dims=("site", "bias"),
        coords={"bias": ("bias", bias, {"units": "V"})},
        attrs={"units": "nA/V"},
    )
    found = estimate_gap(conductance, level=0.01)
    # The level of a hundredth of 1.05, or five times 0.002, is reached 0.0105 V above the edge.
    np.testing.assert_allclose(found.sel(measure="onset_positive"), 0.4605, atol=0.02)
    np.testing.assert_allclose(found.sel(measure="onset_negative"), -0.6105, atol=0.02)
    np.testing.assert_allclose(found.sel(measure="gap"), 1.071, atol=0.03)


def test_a_metal_has_no_gap_and_an_insulator_no_onset() -> None:
    bias = np.linspace(-1, 1, 101)
    rows = np.stack([1 + bias**2, np.where(bias > 0.5, bias - 0.5, 0.0)])
    rows[1, -5:] = np.nan
    conductance = xr.DataArray(
        rows,
        dims=("site", "bias"),
        coords={"bias": ("bias", bias, {"units": "V"})},
        attrs={"units": "nA/V"},
    )
    found = estimate_gap(conductance)
    assert float(found.sel(measure="gap")[0]) == 0.0
    assert np.isnan(float(found.sel(measure="onset_negative")[1]))
    assert float(found.sel(measure="onset_positive")[1]) == pytest.approx(0.51, abs=0.02)
