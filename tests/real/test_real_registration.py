"""Registration of a real ABF stack, and of thirteen STM scans of one place of WSe2."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from adatom.correction import correct_lines, mean_from_frames, register_frames
from adatom.io import read_movie
from adatom.localization import find_blobs
from adatom.tracking import count_sightings, link_sites

DATA = Path(os.environ.get("ADATOM_DATA", "")) / "imaging"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def test_the_abf_stack_is_registered_and_its_mean_is_sharper() -> None:
    path = DATA / "abf_stack_hyperspydemos" / "stem_abf_data_imagestack.hspy"
    movie = read_movie(path)
    found = register_frames(movie)
    shifts = np.column_stack([found.shifts["shift_y"], found.shifts["shift_x"]]) / 0.009202
    # Of the catalog, to whole pixels: what aligns frames 1 to 4 with the first, its sign turned.
    whole = np.array([(0, 0), (0, 3), (-3, 6), (-6, 7), (-3, 9)])
    assert np.abs(shifts - whole).max() < 1.5
    assert float(found.shifts["error_y"].max()) < 0.1 * 0.0092 * 2
    inside = np.s_[60:440, 60:440]
    # The grid begins where the frame that moved farthest to the left or up does.
    y0, x0 = (round(-float(found.movie[dim][0]) / 0.009202) for dim in ("y", "x"))
    whole_mean = mean_from_frames(found.movie).image.values
    mean = whole_mean[y0 : y0 + 512, x0 : x0 + 512][inside]
    before = movie.mean("frame").values[inside]
    # Drift of 9 px against rows of atoms 21 px apart smears the plain mean.
    assert mean.std() > 1.1 * before.std()


def test_one_defect_is_found_again_in_thirteen_stm_scans(tmp_path: Path) -> None:
    folder = tmp_path / "repeats"
    folder.mkdir()
    for file in sorted((DATA / "stm_wse2_mlstm").glob("*_6x6_Z_0*.jpg")):
        (folder / file.name).symlink_to(file)
    movie = read_movie(folder, channel="luminance", pixel_size="0.01171875 nm")
    assert movie.sizes["frame"] == 13
    found = register_frames(correct_lines(movie))
    shifts = np.column_stack([found.shifts["shift_y"], found.shifts["shift_x"]])
    # Read by eye where the dark defect is, in some tenths of a nm; it is half out of the frame in
    # four of them. Scans up and down alternate, which shears them apart along y.
    y = [165, 100, 175, 90, 182, 70, 205, 68, 210, 135, 140, 145, 115]
    x = [205, 220, 235, 245, 255, 272, 277, 278, 275, 190, 195, 190, 175]
    seen = np.column_stack([y, x]) * (6 / 280)
    away = shifts - (seen - seen[0])
    assert np.abs(away - np.median(away, axis=0)).max() < 0.35
    blobs = find_blobs(found.movie, width="1 nm", contrast="dark")
    sightings = count_sightings(link_sites(blobs, memory=4), found.movie)
    best = sightings.isel(row=0)
    assert int(best["n_seen"]) == 13
    assert float(best["scatter_y"]) < 0.06
    assert float(best["scatter_x"]) < 0.12
