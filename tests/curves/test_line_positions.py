"""Positions and widths of simulated lines."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr

from adatom.curves import locate_line
from adatom.errors import SettingError

Array = np.ndarray[Any, Any]

# Unequal steps, as a grating gives them: 0.10 to 0.06 nm.
AXIS = 340 + 40 * (1.25 * np.linspace(0, 1, 500) - 0.25 * np.linspace(0, 1, 500) ** 2)
SIGMA = 0.4


def _spectra(rows: Any, axis: Array = AXIS) -> xr.DataArray:
    coords = {"wavelength": ("wavelength", axis, {"units": "nm"})}
    dims = ("site", "wavelength")
    return xr.DataArray(np.asarray(rows), dims=dims, coords=coords, attrs={"units": "1"})


def _rows(centers: Array, axis: Array = AXIS) -> Array:
    return np.asarray(100 * np.exp(-((axis - centers[:, None]) ** 2) / (2 * SIGMA**2)))


@pytest.mark.parametrize("method", ["moments", "parabola"])
@pytest.mark.parametrize("axis", [AXIS, AXIS[::-1]])
def test_lines_are_found_between_channels(
    method: Literal["moments", "parabola"], axis: Array
) -> None:
    centers = np.linspace(357.0, 357.4, 41)
    found = locate_line(_spectra(_rows(centers, axis), axis), method=method)
    # A fiftieth of a channel, which is 0.09 nm here.
    np.testing.assert_allclose(found.sel(parameter="position"), centers, atol=0.002)
    np.testing.assert_allclose(found.sel(parameter="fwhm"), 2.3548 * SIGMA, rtol=0.01)
    np.testing.assert_allclose(found.sel(parameter="height"), 100, rtol=0.01)
    assert found.coords["unit"].values.tolist() == ["nm", "nm", "1"]


def test_moments_use_the_noise_of_many_channels() -> None:
    rng = np.random.default_rng(0)
    rows = _rows(np.full(500, 357.2)) + 5 * rng.standard_normal((500, 500))
    spread = {
        method: float(locate_line(_spectra(rows), method=method).sel(parameter="position").std())
        for method in ("moments", "parabola")
    }
    # The bound of Cramer and Rao is sigma / height * noise * sqrt(2 step / (sigma sqrt(pi))).
    bound = SIGMA / 100 * 5 * np.sqrt(2 * 0.09 / (SIGMA * np.sqrt(np.pi)))
    assert spread["moments"] < 2.5 * bound
    assert spread["moments"] < spread["parabola"]


def test_where_there_is_no_line_there_is_no_number() -> None:
    rng = np.random.default_rng(1)
    rows = np.stack([np.zeros(500), rng.standard_normal(500), *_rows(np.array([357.0, 340.0]))])
    rows[2] += rng.standard_normal(500)
    gaps = np.repeat(rows[2:3], 3, axis=0)
    gaps[0, :100] = np.nan
    gaps[1, int(np.argmax(rows[2])) + 2] = np.nan
    gaps[2] = np.nan
    found = locate_line(_spectra(np.vstack([rows, gaps])))
    # Of a line within what was measured all is known, of one with a gap nothing.
    known = [False, False, True, False, True, False, False]
    assert np.isfinite(found.values).all(axis=1).tolist() == known
    np.testing.assert_allclose(found.values[4], found.values[2], rtol=1e-12)


def test_a_window_keeps_other_lines_out() -> None:
    rows = _rows(np.array([357.0])) + 10 * _rows(np.array([370.0]))
    found = locate_line(_spectra(rows), window=("355 nm", "359 nm"))
    assert float(found.sel(parameter="position")[0]) == pytest.approx(357, abs=0.002)


def test_too_small_a_window_is_refused() -> None:
    with pytest.raises(SettingError, match=r"window=.* holds 2 channels, 5 or more are needed"):
        locate_line(_spectra(np.ones((1, 500))), window=("355 nm", "355.1 nm"))
    with pytest.raises(SettingError, match="threshold=0 must be above zero"):
        locate_line(_spectra(np.ones((1, 500))), threshold=0)
