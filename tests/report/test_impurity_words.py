"""What a report says and shows of impurities in a movie."""

from __future__ import annotations

from functools import cache

import numpy as np
from hopping_graphene import hopping_movie

from adatom.dynamics import count_hops
from adatom.localization import find_impurities_in_movie
from adatom.report import RunRecord, StepRecord
from adatom.report.impurity_pictures import gap_sentences, hop_sentences, impurity_sentences
from adatom.report.lineage import Lineage
from adatom.report.pictures import pictures_of
from adatom.schema import sites_from_positions, table_from_columns
from adatom.tracking import link_sites


@cache
def _lineage() -> Lineage:
    made = hopping_movie(n_frames=6, size=128, n_impurities=1, rate=1.0, seed=2)
    found = find_impurities_in_movie(made.movie)
    tracks = link_sites(found.sites, memory=3, diffusion=0.01, position_error="0.02 nm")
    hops = count_hops(tracks, found.lattice)
    step = "localization.find_impurities_in_movie"
    steps = (
        StepRecord("movie", "io.read_movie", (), {}, "", {"": made.movie}, "1"),
        StepRecord("found", step, ("movie",), {}, "", found._asdict(), "2"),
        StepRecord("tracks", "tracking.link_sites", ("found.sites",), {}, "", {"": tracks}, "3"),
        StepRecord("hops", "dynamics.count_hops", ("tracks",), {}, "", hops._asdict(), "4"),
    )
    return Lineage(RunRecord("", "", steps))


def test_scale_gaps_and_hops_are_told_in_this_order() -> None:
    told = impurity_sentences(_lineage())
    assert told[0].startswith("By the lattice of graphene a pixel is 0.0157")
    assert told[1] == "Track 0 is seen in 6 of the 6 frames, from frame 0 to 5, without a gap."
    assert " of 1 track in 5 frames: " in told[2]
    assert " per frame (" in told[2]


def test_one_strip_shows_the_impurities_and_tracks_lie_over_the_mean() -> None:
    lineage = _lineage()
    pictures = {
        name: pictures_of(lineage, result)
        for name, result in lineage.results.items()
        if name.startswith(("found.", "tracks"))
    }
    assert [name for name, made in pictures.items() if made] == ["found.seen", "tracks"]
    strip = pictures["found.seen"][0].draw()
    assert len(strip.axes) == 6
    assert "the drift of the lattice taken off" in pictures["tracks"][0].caption
    # The mean of the frames lies below.
    assert pictures["tracks"][0].draw().axes[0].images


def test_gaps_are_named_and_tracks_beyond_three_counted() -> None:
    frame = [0, 1, 4, 0, 1, 2, 3, 0, 1, 2, 2]
    tracks = sites_from_positions(np.zeros(11), np.zeros(11), unit="nm", frame=frame)
    tracks["track"] = ("site", [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3])
    told = gap_sentences(tracks, table_from_columns({"frame": np.arange(5)}))
    assert told == [
        "Track 1 is seen in 4 of the 5 frames, from frame 0 to 3, without a gap.",
        "Track 0 is seen in 3 of the 5 frames, from frame 0 to 4; it is missed in 2 frames: 2, 3.",
        "Track 2 is seen in 3 of the 5 frames, from frame 0 to 2, without a gap.",
        "1 more tracks are shorter.",
    ]


def test_a_rate_with_a_frame_time_is_per_second_and_without_hops_an_upper_limit() -> None:
    tracks = sites_from_positions([0.0] * 5, [0.0] * 5, unit="nm", frame=range(5))
    tracks["track"] = ("site", [0] * 5)
    lattice = sites_from_positions([0.0, 0.0], [0.0, 1.0], unit="nm")
    (told,) = hop_sentences(count_hops(tracks, lattice, frame_time="2 s").classes)
    assert told == "0 hops of 1 track in 8 s: 0 per s (0 to 0.461, 95 % of Poisson counts)."
