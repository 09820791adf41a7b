"""Movies of moving defects: the frames show what the truth says, whoever asks for them and how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from adatom.errors import SettingError
from adatom.io import read_movie, write_file
from adatom.schema import positions
from adatom.simulation import (
    DefectiveSheet,
    KineticMovie,
    Kinetics,
    Microscope,
    SheetDefect,
    simulate_kinetic_movie,
)

SHARP = Microscope(electrons=2000, drift="0 nm", distortion=0.0, jitter="0 nm", slope=0.0)
STILL = Kinetics(n_defects=9, hops=(), turns=(), changes=())
SHEET = DefectiveSheet(kinetics=STILL, drift="0 nm", exposure=0.0)


def _movie(
    sheet: DefectiveSheet = SHEET,
    *,
    n_frames: int = 4,
    seed: int = 1,
    microscope: Microscope = SHARP,
) -> KineticMovie:
    return simulate_kinetic_movie(
        sheet=sheet, n_frames=n_frames, size=160, field="4.8 nm", microscope=microscope, seed=seed
    )


def _at(movie: KineticMovie, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Intensities at the true places of a frame, and the classes there."""
    here = movie.truth.isel(site=movie.truth["frame"].values == number)
    row, column = np.rint(positions(here).T / 0.03).astype(int)
    return movie.movie.values[number][row, column], here["class"].values


def test_each_class_is_as_bright_at_its_metal_site_as_its_atoms() -> None:
    movie = _movie(replace(SHEET, kinetics=replace(STILL, n_defects=10)))
    bright, label = _at(movie, 0)
    means = [bright[label == number].mean() for number in range(5)]
    usual = np.quantile(movie.movie.values[0], 0.99)
    # Two W over W over Mo over S2 and nothing.
    assert means[4] > 1.5 * usual
    assert usual > 1.5 * max(means[:2])
    assert min(means[:2]) > max(means[2:4])


def test_defects_point_to_the_column_that_their_orientation_says() -> None:
    only = replace(STILL, shares=(0.0, 1.0, 0.0, 0.0, 0.0))
    movie = _movie(replace(SHEET, kinetics=only))
    first = movie.truth.isel(site=movie.truth["frame"].values == 0)
    assert set(first["orientation"].values.tolist()) == {0, 1, 2}
    frame, bond = movie.movie.values[0], 0.3153 / np.sqrt(3)
    angles = np.unique(movie.truth["angle"].values)
    assert np.diff(angles) == pytest.approx(120)
    seen = []
    for angle in np.radians(angles):
        place = positions(first) + bond * np.array([np.sin(angle), np.cos(angle)])
        row, column = np.rint(place.T / 0.03).astype(int)
        seen.append(frame[row, column])
    # The empty column is the darkest of the three.
    darkest = angles[np.argmin(seen, axis=0)]
    assert darkest.tolist() == first["angle"].values.tolist()


def test_truth_lies_where_the_drifting_defects_are() -> None:
    only = replace(STILL, shares=(0.0, 0.0, 0.0, 0.0, 1.0), n_defects=5)
    movie = _movie(replace(SHEET, kinetics=only, drift="0.1 nm"), n_frames=12)
    moved = movie.frames["drift_y"].values
    assert np.abs(moved).max() > 0.15
    for number in (0, 11):
        here = movie.truth.isel(site=movie.truth["frame"].values == number)
        for place in positions(here):
            row, column = np.rint(place / 0.03).astype(int)
            around = movie.movie.values[number, row - 4 : row + 5, column - 4 : column + 5]
            top = np.array(np.unravel_index(int(around.argmax()), around.shape))
            # Within the 0.04 nm by which the atom on top leans, and a pixel.
            assert np.linalg.norm(top - 4) <= 0.04 / 0.03 + 1.5
    tracked = movie.truth["track"].values.reshape(12, 5)
    assert (tracked == tracked[0]).all()
    y = movie.truth["y"].values.reshape(12, 5)
    assert y - y[0] == pytest.approx((moved - moved[0])[:, None] * np.ones(5), abs=1e-6)


def test_what_happens_during_the_exposure_is_seen_in_parts() -> None:
    only = Kinetics(
        ("W missing", "W on W"),
        n_defects=6,
        hops=(),
        turns=(),
        changes=((0.0, 0.3), (0.0, 0.0)),
        shares=(1.0, 0.0),
    )
    movie = _movie(replace(SHEET, kinetics=only, exposure=1.0), n_frames=6)
    # The box holds the atom on top wherever it leans, and little of the neighbors.
    boxes = movie.movie.rolling(y=9, x=9, center=True).mean().values
    row, column = np.rint(positions(movie.truth).T / 0.03).astype(int)
    bright = boxes[movie.truth["frame"].values, row, column]
    # Of the two atoms of a full "W on W", what part of the exposure they were there.
    share, on_top = movie.truth["share"].values, movie.truth["class"].values == 1
    there = np.where(on_top, share, 1 - share)
    assert ((there > 0.02) & (there < 0.98)).sum() >= 3
    slope, offset = np.polyfit(there, bright, 1)
    # What lies beyond the box, as it leans one way or another.
    assert np.abs(bright - slope * there - offset).max() < 0.05 * slope


def test_frames_are_the_same_bits_in_any_order_and_chunks() -> None:
    moving = DefectiveSheet(kinetics=Kinetics(n_defects=6))
    usual = Microscope(electrons=100.0)
    movie = _movie(moving, n_frames=5, microscope=usual)
    whole = movie.movie.values
    again = _movie(moving, n_frames=5, microscope=usual)
    np.testing.assert_array_equal(again.movie[3].values, whole[3])
    np.testing.assert_array_equal(again.movie[1:3, 10:20, 5].values, whole[1:3, 10:20, 5])
    rechunked = again.movie.chunk({"frame": 1, "y": 40}).values
    np.testing.assert_array_equal(rechunked, whole)
    for one, other in zip(movie[1:], again[1:], strict=True):
        xr.testing.assert_identical(one, other)
    assert not np.array_equal(_movie(moving, seed=2, microscope=usual).movie[0].values, whole[0])


def test_lost_frames_are_dark_and_told() -> None:
    movie = _movie(replace(SHEET, lost=0.4), n_frames=12)
    lost = movie.frames["lost"].values
    assert 0 < lost.sum() < 12
    dark = movie.movie.mean(dim=("y", "x")).values < 1
    assert (dark == lost).all()
    assert (movie.truth["visible"].values == ~lost[movie.truth["frame"].values]).all()


def test_all_defects_stay_whole_in_all_frames() -> None:
    moving = Kinetics(n_defects=8, hops=(2.0,) * 5)
    movie = _movie(DefectiveSheet(kinetics=moving, drift="0.06 nm"), n_frames=40)
    assert movie.truth.sizes["site"] == 8 * 40
    place = positions(movie.truth)
    assert place.min() > 0.55
    assert place.max() < 4.8 - 0.55


def test_a_negative_rim_lets_defects_leave() -> None:
    moving = Kinetics(n_defects=30, hops=(2.0,) * 5)
    movie = _movie(DefectiveSheet(kinetics=moving, rim="-1 nm"), n_frames=10)
    number = np.bincount(movie.truth["frame"].values)
    assert number.max() < 30
    assert len(set(number.tolist())) > 1


def test_a_long_movie_goes_to_a_file_in_bounded_memory(tmp_path: Path) -> None:
    movie = simulate_kinetic_movie(
        sheet=replace(SHEET, kinetics=replace(STILL, n_defects=1)),
        n_frames=1000,
        size=1024,
        field="2.4 nm",
        microscope=SHARP,
    )
    # 4 GB, of which nothing is made but what is asked for.
    assert movie.movie.nbytes > 4e9
    assert movie.movie.chunks == ((1,) * 1000, (1024,), (1024,))
    some = movie.movie[998:, ::16, ::16]
    write_file(some, tmp_path / "movie.zarr")
    back = read_movie(tmp_path / "movie.zarr")
    np.testing.assert_array_equal(back.values, some.values)
    assert back["time"].values.tolist() == [998.0, 999.0]


def test_a_class_without_a_picture_is_refused() -> None:
    with pytest.raises(SettingError, match=r"has 'a', which 0 of the `defects`"):
        DefectiveSheet(kinetics=Kinetics(("a",), hops=(), turns=(), changes=()))


def test_impossible_sheets_are_refused() -> None:
    with pytest.raises(SettingError, match=r"chalcogens=3 0, 1 or 2"):
        SheetDefect("a", "W", chalcogens=3)
    with pytest.raises(SettingError, match=r"exposure=2.0 is a share: 0 to 1"):
        DefectiveSheet(exposure=2.0)
    with pytest.raises(SettingError, match=r"a metal site of a sheet has 3 chalcogen columns"):
        DefectiveSheet(kinetics=Kinetics(orientations=6))


def test_a_longer_movie_begins_as_the_shorter_one() -> None:
    perfect = replace(SHEET, kinetics=replace(STILL, n_defects=0), drift="0.03 nm")
    short, long = (_movie(perfect, n_frames=n, microscope=Microscope()) for n in (2, 5))
    np.testing.assert_array_equal(short.movie.values, long.movie[:2].values)
    assert short.truth.sizes["site"] == 0
