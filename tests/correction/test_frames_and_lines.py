"""Which frames of a movie are left out, and lines brought to one level."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
import xarray as xr

from adatom.correction import choose_frames, correct_lines
from adatom.errors import KindError
from adatom.schema import image_from_array, notes


def _movie(n_frames: int = 8, size: int = 48) -> xr.DataArray:
    heights = np.random.default_rng(0).normal(scale=3.0, size=(n_frames, size, size)) + 500
    heights += np.arange(n_frames)[:, None, None]
    axis = np.arange(float(size))
    coords = {dim: (dim, axis, {"units": "px"}) for dim in ("y", "x")}
    return xr.DataArray(np.round(heights), dims=("frame", "y", "x"), coords=coords, name="height")


def test_a_good_movie_is_kept_whole() -> None:
    chosen = choose_frames(_movie())
    assert chosen.movie.sizes["frame"] == 8
    assert notes(chosen.movie) == ["All 8 frames can be used."]


def test_every_bad_frame_has_its_reason() -> None:
    movie = _movie()
    movie[1] = 500.0
    movie[2] = np.minimum(movie[2] + 20, 520)
    movie[3] += 300
    movie[4] += np.random.default_rng(1).normal(scale=40, size=(48, 1))
    movie[5] = np.nan
    chosen = choose_frames(movie)
    reasons = chosen.frames["reason"].values.tolist()
    assert [reasons[k] for k in (0, 6, 7)] == ["", "", ""]
    assert reasons[1] == "constant"
    assert reasons[3] == "far from the usual level"
    assert "lines jump" in reasons[4]
    assert reasons[5] == "empty"
    assert chosen.movie["frame"].values.tolist() == [0, 2, 6, 7]


def test_saturated_frames_are_those_that_pile_up_at_the_end_of_the_range() -> None:
    movie = _movie()
    movie[2] = movie[2].where(movie[2] < 507, movie.max())
    chosen = choose_frames(movie)
    assert chosen.frames["reason"].values[2] == "saturated"
    assert chosen.frames["used"].values.sum() == 7


def test_a_lazy_movie_stays_lazy() -> None:
    chosen = choose_frames(_movie().chunk(frame=2))
    assert isinstance(chosen.movie.data, dask.array.Array)
    assert isinstance(correct_lines(chosen.movie).data, dask.array.Array)


def test_a_movie_without_any_good_frame_is_an_error_that_counts_reasons() -> None:
    movie = _movie() * 0
    with pytest.raises(KindError, match="none of 8 frames can be used: 8 constant"):
        choose_frames(movie)


def test_jumps_between_lines_and_tilt_are_taken_off_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    surface = np.cos(2 * np.pi * x / 8) * np.cos(2 * np.pi * y / 8)
    scanned = surface + rng.normal(scale=5, size=(64, 1)) + 0.3 * x
    leveled = correct_lines(image_from_array(scanned)).values
    # Medians of the cosine's lines are zero up to a sample of its even steps.
    assert np.abs(leveled - leveled.mean() - surface + surface.mean()).max() < 0.2


def test_what_was_not_measured_stays_so() -> None:
    values = np.arange(48.0).reshape(6, 8)
    values[2] = np.nan
    values[4, 3] = np.nan
    leveled = correct_lines(image_from_array(values)).values
    assert np.array_equal(np.isnan(leveled), np.isnan(values))
    assert np.abs(leveled[~np.isnan(values)]).max() < 1.0
