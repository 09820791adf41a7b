"""A silicon atom moved over graphene by the beam, followed through a real movie."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from adatom.dynamics import count_hops
from adatom.io import read_movie
from adatom.localization import MovieImpurities, find_impurities_in_movie
from adatom.schema import notes, positions
from adatom.tracking import link_sites

DATA = Path(os.environ.get("ADATOM_DATA", ""))
MOVIE = DATA / "imaging/si_moving_movies/moving-Si-1.mp4"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

# Read by eye from enlarged pictures of all 30 frames, y and x in px: good to some 2 px, a
# quarter of a bond. The atom is seen in every frame.
BY_EYE = np.array(
    [
        (210.6, 66.9), (205.7, 75.4), (205.7, 85.6), (199.2, 94.0), (191.0, 91.0),
        (184.0, 100.4), (176.7, 90.1), (174.2, 98.6), (166.0, 106.3), (157.9, 102.5),
        (152.7, 108.6), (155.1, 119.5), (140.4, 123.1), (132.2, 129.1), (122.4, 117.2),
        (114.6, 113.5), (104.0, 117.1), (97.5, 113.3), (89.3, 119.4), (90.1, 127.8),
        (80.0, 133.1), (70.2, 129.3), (63.7, 137.0), (61.2, 144.7), (54.7, 150.7),
        (52.6, 160.8), (46.0, 167.7), (54.2, 163.1), (48.5, 171.9), (42.0, 185.0),
    ]
)  # fmt: skip
TOLERANCE = 3.0


@cache
def _found() -> MovieImpurities:
    return find_impurities_in_movie(read_movie(MOVIE, channel="color map"))


def test_false_colors_are_those_of_fire() -> None:
    movie = read_movie(MOVIE, channel="color map")
    assert any("color map 'fire'" in note for note in notes(movie))
    assert 0 <= float(movie.min()) < float(movie.max()) <= 1


def test_the_atom_is_where_the_eye_sees_it_in_every_frame_and_nothing_else_is() -> None:
    seen = _found().seen
    assert seen.frame.values.tolist() == list(range(30))
    assert np.linalg.norm(positions(seen) - BY_EYE, axis=1).max() < TOLERANCE
    # From the lower left to the upper right.
    start, end = positions(seen)[[0, -1]]
    assert start[0] - end[0] > 150
    assert end[1] - start[1] > 100


def test_contamination_and_a_spot_at_the_border_are_told_and_not_taken() -> None:
    left_out = _found().left_out
    why = left_out["why"].values.astype(str)
    frame = left_out.frame.values
    dirty = why == "contamination"
    # It enters at the lower right corner in frame 6 and at the right in frame 7.
    assert set(frame[dirty]) == {6, 7}
    assert (positions(left_out)[dirty] > [190, 215]).all()
    # A second bright spot, half of it beyond the upper border.
    assert sorted(frame[why == "border"]) == [1, 2, 3]
    assert len(why) == dirty.sum() + 3


def test_every_frame_gives_the_same_scale_by_the_lattice() -> None:
    step = _found().frames["pixel_size"].values
    assert np.isfinite(step).all()
    # No scale is stored. Waves of 0.213 nm are 13.9 px long in the mean of all spectra.
    assert np.median(step) == pytest.approx(0.213 / 13.9, rel=0.01)
    assert step.std() / step.mean() < 0.004


def test_the_atom_sits_on_columns_of_graphene_and_hops_between_them() -> None:
    found = _found()
    # By chance every fourth place would lie so near: the drift must be right.
    assert (found.sites["off_column"] < 0.142 / 3).all()
    tracks = link_sites(found.sites, memory=3, diffusion=0.01, position_error="0.02 nm")
    assert (tracks["track"] == 0).all()
    counted = count_hops(tracks, found.lattice)
    row = counted.classes.isel(row=0)
    assert int(row["n_hops"]) == 29
    assert row["rate"].attrs["units"] == "1/frame"
    assert float(row["rate"]) == 1.0
    assert float(row["rate_low"]) < 1.0 < float(row["rate_high"])
    # Hops between nearest columns, and some over two bonds.
    bonds = counted.hops["length"].values / found.lattice.attrs["spacing"]
    near = np.abs(bonds - 1) < 0.05
    assert near.sum() == 25
    assert np.allclose(bonds[~near], 3**0.5, atol=0.05)
    assert any("have a direction" in note for note in notes(counted.classes))


def test_rates_are_per_second_only_by_a_frame_time_of_the_user() -> None:
    found = _found()
    tracks = link_sites(found.sites, memory=3, diffusion=0.01, position_error="0.02 nm")
    row = count_hops(tracks, found.lattice, frame_time="2 s").classes.isel(row=0)
    assert row["rate"].attrs["units"] == "1/s"
    assert float(row["rate"]) == 0.5
