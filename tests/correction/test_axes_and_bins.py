"""The measured axis is cut, calibrated, resampled and binned, and nothing is lost unsaid."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from electron_spectra import rows, spectral_map
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom.correction import (
    bins_from_channels,
    bins_from_pixels,
    choose_channels,
    correct_axis,
    correct_axis_by_feature,
    correct_sampling,
)
from adatom.errors import SettingError, UnitError
from adatom.schema import notes

ENERGY = np.arange(400.0, 700.0, 2.0)


def test_a_cut_says_what_it_left_out() -> None:
    cut = choose_channels(rows(np.ones((2, 150)), ENERGY), span=("0.5 keV", "600 eV"))
    assert cut.energy.values[[0, -1]].tolist() == [500, 600]
    assert notes(cut) == [
        "51 channels from 500 to 600 eV are kept; 50 below and 49 above are left out."
    ]


def test_a_cut_may_reach_beyond_the_axis_but_not_miss_it() -> None:
    given_rows = rows(np.ones((2, 150)), ENERGY)
    assert choose_channels(given_rows, span=("0 eV", "9 keV")).sizes["energy"] == 150
    with pytest.raises(SettingError, match="holds 0 channels"):
        choose_channels(given_rows, span=("1 keV", "9 keV"))


def test_wavenumbers_and_times_are_understood_as_spans() -> None:
    raman = rows(np.ones((1, 150)), ENERGY, unit="1/cm")
    assert choose_channels(raman, span=("440 1/cm", "450 1/cm")).sizes["energy"] == 6
    decay = rows(np.ones((1, 150)), ENERGY, unit="ns")
    assert choose_channels(decay, span=("0.44 us", "450 ns")).sizes["energy"] == 6


def test_scale_and_offset_move_the_axis_and_no_value() -> None:
    given_rows = rows(np.arange(300.0).reshape(2, 150), ENERGY)
    moved = correct_axis(given_rows, offset="-3.5 eV", scale=1.01)
    np.testing.assert_allclose(moved.energy.values, 1.01 * ENERGY - 3.5)
    np.testing.assert_array_equal(moved.values, given_rows.values)
    assert given_rows.energy.values[0] == 400
    with pytest.raises(UnitError, match="offset: '1 nm' is in nm, the measured axis is in eV"):
        correct_axis(given_rows, offset="1 nm")
    with pytest.raises(SettingError, match=r"scale=0\.0 must be above zero"):
        correct_axis(given_rows, scale=0.0)


@pytest.mark.parametrize("shift", [-4.3, 0.0, 2.9])
def test_a_peak_is_brought_where_it_belongs_to_a_tenth_of_a_channel(shift: float) -> None:
    energy = np.arange(5800.0, 7000.0, 10.0)
    peak = 100 * np.exp(-(((energy - 6403.84 - shift) / 60) ** 2))
    moved = correct_axis_by_feature(rows(peak[None], energy), feature="Fe Ka")
    assert float(moved.energy[0]) - 5800 == pytest.approx(-shift, abs=1)


def test_an_edge_is_brought_where_it_belongs() -> None:
    energy = np.arange(400.0, 700.0, 0.5)
    rise = 1 / (1 + np.exp(-(energy - 528.3) / 0.8))
    counts = 1000 * (energy / 500) ** -3 + 300 * rise
    moved = correct_axis_by_feature(rows(counts[None], energy), feature="O K", shape="edge")
    assert float(moved.energy[0]) == pytest.approx(403.7, abs=0.1)
    assert "O K was found at 528.298 eV" in notes(moved)[0]


def test_a_feature_that_is_not_there_is_not_invented() -> None:
    falling = rows(1e6 * ENERGY[None] ** -2.0, ENERGY)
    with pytest.raises(SettingError, match="no peak of carbon lies between"):
        correct_axis_by_feature(falling, feature="carbon", at="550 eV")
    with pytest.raises(SettingError, match="'Xx K' is no edge of EELS"):
        correct_axis_by_feature(falling, feature="Xx K", shape="edge")


def test_a_line_on_an_uneven_axis_stays_a_line() -> None:
    axis = np.array([0.0, 1.0, 3.0, 4.0, 8.0])
    even = correct_sampling(rows(2 * axis[None] + 1, axis), step="0.5 eV")
    np.testing.assert_allclose(even.energy.values, np.arange(0, 8.1, 0.5))
    np.testing.assert_allclose(even.values[0], 2 * even.energy.values + 1)


def test_a_falling_axis_is_turned_and_gaps_stay_where_they_are() -> None:
    values = np.array([[8.0, np.nan, 3.0, 1.0]])
    even = correct_sampling(rows(values, np.array([8.0, 6.0, 3.0, 1.0])), step="1 eV")
    np.testing.assert_array_equal(even.values, [[1, 2, 3, np.nan, np.nan, np.nan, np.nan, 8]])


def test_an_axis_that_turns_back_is_refused() -> None:
    with pytest.raises(SettingError, match="neither rises nor falls"):
        correct_sampling(rows(np.ones((1, 3)), np.array([0.0, 2.0, 1.0])))


@settings(deadline=None, max_examples=40)
@given(
    n_channels=st.integers(1, 20),
    size=st.integers(20, 47),
    chunk=st.integers(1, 50),
    dtype=st.sampled_from(["uint8", "int16", "float32", "float64"]),
)
def test_bins_keep_every_count_but_those_they_tell(
    n_channels: int, size: int, chunk: int, dtype: str
) -> None:
    counts = np.random.default_rng(size).poisson(90, (3, size)).astype(dtype)
    given_rows = rows(counts, np.arange(float(size)))
    made = bins_from_channels(given_rows, n_channels=n_channels, join="sum")
    kept = size // n_channels * n_channels
    np.testing.assert_array_equal(made.sum("energy"), counts[:, :kept].sum(axis=1, dtype=float))
    assert ("left out" in notes(made)[0]) == (kept < size)
    np.testing.assert_allclose(
        made.energy, np.arange(float(kept)).reshape(-1, n_channels).mean(axis=1)
    )
    lazy = bins_from_channels(given_rows.chunk(energy=chunk), n_channels=n_channels, join="sum")
    xr.testing.assert_identical(lazy.compute(), made)


def test_counts_are_summed_and_other_numbers_averaged() -> None:
    counts = np.full((2, 2, 4), 200, dtype=np.uint8)
    assert bins_from_channels(spectral_map(counts, np.arange(4.0))).values[0, 0, 0] == 400
    assert bins_from_pixels(spectral_map(counts, np.arange(4.0))).values[0, 0, 0] == 800
    assert bins_from_pixels(spectral_map(counts / 2, np.arange(4.0))).values[0, 0, 0] == 100


def test_a_width_is_the_nearest_number_of_channels() -> None:
    given_rows = rows(np.ones((1, 150)), ENERGY)
    assert bins_from_channels(given_rows, width="9 eV").sizes["energy"] == 150 // 4
    assert bins_from_channels(given_rows, width="0.1 eV").sizes["energy"] == 150
    with pytest.raises(SettingError, match="not both"):
        bins_from_channels(given_rows, width="9 eV", n_channels=2)
    with pytest.raises(SettingError, match="between 1 and the 150 channels"):
        bins_from_channels(given_rows, n_channels=151)


def test_a_map_of_one_pixel_and_a_square_that_is_too_large() -> None:
    one = spectral_map(np.ones((1, 1, 4)), np.arange(4.0))
    assert bins_from_pixels(one, n_pixels=1).shape == (1, 1, 4)
    with pytest.raises(SettingError, match="between 1 and the 1 pixels"):
        bins_from_pixels(one)
