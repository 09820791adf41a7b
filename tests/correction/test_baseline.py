"""Baselines of simulated spectra, of which lines and background are known."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import pytest
import xarray as xr

from adatom.correction import correct_baseline
from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import notes

Array = np.ndarray[Any, Any]
Method = Literal["arpls", "als", "snip", "polynomial"]

NOISE: Final = 5.0
WIDTH: Final = 20.0
EVEN: Final = np.linspace(200.0, 3000.0, 1024)
# A grating's axis: steps that fall from 3.6 to 1.9 1/cm.
GRATING: Final = 200.0 + 2800.0 * (
    1.3 * np.linspace(0, 1, 1024) - 0.3 * np.linspace(0, 1, 1024) ** 2
)
CENTERS: Final = (620.0, 785.0, 1002.0, 1095.0, 1340.0, 1448.0, 1580.0, 1662.0, 2850.0, 2935.0)


def _lines(axis: Array) -> Array:
    heights = 300.0 + 100.0 * np.arange(len(CENTERS)) % 700
    apart = (axis - np.array(CENTERS)[:, None]) / WIDTH
    return np.asarray(heights @ np.exp(-4 * np.log(2) * apart**2))


def _fluorescence(axis: Array) -> Array:
    return 4000 * np.exp(-(((axis - 1400) / 1000) ** 2)) + 1000 * (axis / 3000) ** 2


def _spectra(axis: Array, rows: Array) -> xr.DataArray:
    coords = {"wavenumber": ("wavenumber", axis, {"units": "1/cm"})}
    dims = ("site", "wavenumber")
    return xr.DataArray(rows, dims=dims, coords=coords, attrs={"units": "1"})


def _measured(axis: Array, n_rows: int = 16) -> xr.DataArray:
    noise = NOISE * np.random.default_rng(2).standard_normal((n_rows, len(axis)))
    return _spectra(axis, _lines(axis) + _fluorescence(axis) + noise)


@pytest.mark.parametrize("axis", [EVEN, GRATING, EVEN[::-1]])
@pytest.mark.parametrize(
    ("method", "area", "baseline"),
    [
        # The middle of the noise: areas to 2 %, the baseline to half of the noise of a channel.
        ("arpls", 0.02, 0.5 * NOISE),
        # Lower than the middle of the noise by their nature, below all 1024 channels; clipping
        # also takes a hundredth of what is bent as much as this fluorescence (4000).
        ("als", 0.15, 4.0 * NOISE),
        ("snip", 0.25, 40.0),
    ],
)
def test_lines_keep_their_area_on_strong_fluorescence(
    axis: Array, method: Method, area: float, baseline: float
) -> None:
    measured = _measured(axis)
    found = correct_baseline(measured, method=method).spectra.values
    step = np.abs(np.gradient(axis))
    ratio = (found * step).sum(axis=1) / (_lines(axis) * step).sum()
    assert abs(ratio.mean() - 1) < area
    error = measured.values - found - _fluorescence(axis)
    assert np.sqrt(np.mean(error**2)) < baseline


def test_the_baseline_never_comes_off_bent_fluorescence_wherever_the_lines_are() -> None:
    rng = np.random.default_rng(9)
    centers, heights = rng.uniform(220, 2980, (20, 12, 1)), rng.uniform(200, 1000, (20, 12, 1))
    lines = (heights * np.exp(-4 * np.log(2) * ((EVEN - centers) / 30) ** 2)).sum(axis=1)
    rows = lines + _fluorescence(EVEN) + NOISE * rng.standard_normal((20, 1024))
    found = correct_baseline(_spectra(EVEN, rows)).spectra.values
    # Where lines crowd the curve rises a little between them: to the noise, not to hundreds of it.
    assert np.sqrt(np.mean((found - rows + _fluorescence(EVEN)) ** 2, axis=1)).max() < 2 * NOISE


def test_a_polynomial_takes_off_a_polynomial_below_lines() -> None:
    truth = 500 + 800 * (EVEN / 3000) - 600 * (EVEN / 3000) ** 3
    noise = NOISE * np.random.default_rng(3).standard_normal((16, 1024))
    found = correct_baseline(_spectra(EVEN, _lines(EVEN) + truth + noise), method="polynomial")
    # Clipped lines still lift the fit by a part of the noise.
    assert abs(found.spectra.values.sum() / (16 * _lines(EVEN).sum()) - 1) < 0.05


def test_the_width_of_lines_is_found_and_told() -> None:
    (note,) = notes(correct_baseline(_measured(EVEN)).spectra)
    told = float(note.split("lines up to ")[1].split(" 1/cm")[0])
    # One and a half times the width, which noise and neighbors change by a tenth.
    assert told == pytest.approx(1.5 * WIDTH, rel=0.15)


def test_spikes_in_a_few_spectra_do_not_pass_for_lines() -> None:
    struck = _measured(EVEN, 64)
    rng = np.random.default_rng(4)
    struck.values[rng.permutation(64)[:20], rng.integers(0, 1024, 20)] += 1e5
    (note,) = notes(correct_baseline(struck).spectra)
    assert float(note.split("lines up to ")[1].split(" 1/cm")[0]) == pytest.approx(30, rel=0.15)


def test_spectra_that_all_have_gaps_tell_the_width_of_their_lines_too() -> None:
    measured = _measured(EVEN)
    measured[::2, 700:] = np.nan
    measured[1::2, :20] = np.nan
    (note,) = notes(correct_baseline(measured).spectra)
    told = float(note.split("lines up to ")[1].split(" 1/cm")[0])
    assert told == pytest.approx(1.5 * WIDTH, rel=0.15)


def test_where_no_line_is_narrow_a_broad_band_stays() -> None:
    band = 100 * np.exp(-(((EVEN - 1500) / 400) ** 2))
    noise = np.random.default_rng(7).standard_normal((32, 1024))
    found = correct_baseline(_spectra(EVEN, 20 + band + noise)).spectra.mean("site").values
    assert found.max() > 90


def test_a_polynomial_of_order_zero_is_a_dark_level() -> None:
    noise = np.random.default_rng(8).standard_normal((8, 1024))
    rows = _spectra(EVEN, 15 + 100 * np.exp(-(((EVEN - 1500) / 200) ** 2)) + noise)
    level = correct_baseline(rows, method="polynomial", order=0).level
    # Clipping at one spread of the noise leaves the level within that of the truth.
    np.testing.assert_allclose(level.values, 15, atol=1.0)


def test_the_level_is_the_mean_of_what_was_taken_off() -> None:
    measured = _measured(EVEN)
    found = correct_baseline(measured)
    taken = (measured - found.spectra).mean("wavenumber")
    np.testing.assert_allclose(found.level.values[:, 0], taken, rtol=1e-9)
    assert found.level.dims == ("site", "measure")
    assert found.level.attrs["units"] == "1"


@pytest.mark.parametrize("method", ["arpls", "als", "snip", "polynomial"])
def test_gaps_stay_gaps_and_are_bridged(method: Method) -> None:
    measured = _measured(EVEN, 3)
    whole = correct_baseline(measured, method=method, line_width="40 1/cm").spectra.values
    gap = slice(700, 706)
    measured[1, gap] = np.nan
    measured[2] = np.nan
    found = correct_baseline(measured, method=method, line_width="40 1/cm").spectra.values
    np.testing.assert_array_equal(found[0], whole[0])
    assert np.isnan(found[1, gap]).all()
    assert np.isnan(found[2]).all()
    rest = np.delete(np.arange(1024), np.arange(700, 706))
    assert np.abs(found[1, rest] - whole[1, rest]).max() < 2 * NOISE


@pytest.mark.parametrize("method", ["arpls", "als", "snip", "polynomial"])
@pytest.mark.parametrize("level", [0.0, 7.0, -3.0])
def test_a_constant_spectrum_is_all_baseline(method: Method, level: float) -> None:
    found = correct_baseline(_spectra(EVEN, np.full((2, 1024), level)), method=method)
    # Without lines the baseline is as stiff as it gets: its equations cost ten digits of sixteen.
    np.testing.assert_allclose(found.spectra.values, 0.0, atol=1e-4)
    np.testing.assert_allclose(found.level.values, level, atol=1e-4)


def test_spectra_without_lines_keep_their_mean() -> None:
    noise = np.random.default_rng(6).standard_normal((64, 512))
    found = correct_baseline(_spectra(EVEN[:512], 50 + noise))
    # Through the middle of the noise, but for a tenth: weights lean to what is below.
    assert abs(float(found.level.mean()) - 50) < 0.15


def test_a_spectrum_does_not_depend_on_those_beside_it() -> None:
    measured = _measured(EVEN, 5)
    together = correct_baseline(measured, line_width="40 1/cm").spectra.values
    alone = correct_baseline(measured[3:4], line_width="40 1/cm").spectra.values
    np.testing.assert_array_equal(together[3:4], alone)


def test_an_axis_that_turns_back_is_refused() -> None:
    axis = EVEN.copy()
    axis[500:] = axis[500:][::-1]
    with pytest.raises(KindError, match=r"'wavenumber' has 1024 channels that do not all follow"):
        correct_baseline(_spectra(axis, np.ones((2, 1024))))


def test_widths_in_another_unit_or_beyond_the_axis_are_refused() -> None:
    measured = _measured(EVEN, 2)
    with pytest.raises(UnitError, match="'40 nm' is in nm, the measured axis is in 1/cm"):
        correct_baseline(measured, line_width="40 nm")
    with pytest.raises(SettingError, match=r"must be above one step of the axis, 2\.737 1/cm"):
        correct_baseline(measured, line_width="1 1/cm")


@pytest.mark.parametrize("setting", [{"order": 21}, {"asymmetry": 0.5}])
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="must be"):
        correct_baseline(_measured(EVEN, 2), **setting)
