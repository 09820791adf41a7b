"""What a report says of tracks: how sure links are, D, whether states are a chain."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.dynamics import (
    count_transitions,
    estimate_diffusion,
    estimate_kinetics,
    estimate_msd,
    estimate_transitions,
)
from adatom.report import RunRecord, StepRecord
from adatom.report.dynamics_words import dynamics_sentences
from adatom.report.lineage import Lineage
from adatom.report.pictures import pictures_of
from adatom.schema import sites_from_positions
from adatom.tracking import assess_links, link_sites


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    rng = np.random.default_rng(0)
    place = rng.uniform(0, 200, (40, 2)) + np.cumsum(rng.normal(0, 1, (50, 40, 2)), axis=0)
    frame = np.repeat(np.arange(50), 40)
    sites = sites_from_positions(*place.reshape(-1, 2).T, unit="nm", frame=frame)
    sites["time"] = ("site", 0.1 * frame, {"units": "s"})
    switch = np.cumsum(rng.random((50, 40)) < 0.1, axis=0) % 2
    sites["class"] = ("site", switch.ravel())
    tracks = link_sites(sites, use_classes=False)
    links = assess_links(tracks)
    found = estimate_diffusion(tracks)
    counts = count_transitions(tracks, of="class")
    kinetics = estimate_kinetics(estimate_transitions(counts), counts)
    steps = (
        StepRecord("tracks", "tracking.link_sites", (), {}, "", {"": tracks}, "1"),
        StepRecord("links", "tracking.assess_links", ("tracks",), {}, "", links._asdict(), "2"),
        StepRecord(
            "msd", "dynamics.estimate_msd", ("tracks",), {}, "", {"": estimate_msd(tracks)}, "3"
        ),
        StepRecord(
            "diffusion", "dynamics.estimate_diffusion", ("tracks",), {}, "", found._asdict(), "4"
        ),
        StepRecord(
            "kinetics", "dynamics.estimate_kinetics", ("tracks",), {}, "", kinetics._asdict(), "5"
        ),
    )
    return Lineage(RunRecord("", "", steps))


def test_links_diffusion_and_tests_are_told(lineage: Lineage) -> None:
    told = dynamics_sentences(lineage)
    assert any(text.startswith("Of the links ") and "expected to be wrong" in text for text in told)
    (diffusion,) = (text for text in told if text.startswith("D of all tracks is "))
    # Steps of 1 nm along each axis every 0.1 s: D = 1 / (2 * 0.1) = 5.
    assert 4 < float(diffusion.split()[5]) < 6
    assert "nm²/s" in diffusion
    assert "40 tracks; this is free motion" in diffusion
    assert any(text.startswith("Reversibility: ") for text in told)


def test_what_is_not_known_is_told(lineage: Lineage) -> None:
    table = lineage.results["diffusion.classes"].value
    lost = table.assign(diffusion=xr.full_like(table["diffusion"], np.nan))
    step = StepRecord("d", "dynamics.estimate_diffusion", (), {}, "", {"": lost}, "1")
    assert dynamics_sentences(Lineage(RunRecord("", "", (step,)))) == [
        "D of all tracks is not known: too few steps."
    ]


def test_tracks_and_displacements_have_pictures(lineage: Lineage) -> None:
    for name, caption in (("tracks", "colored by the frame"), ("msd", "The line is free motion")):
        (picture,) = pictures_of(lineage, lineage.results[name])
        assert caption in picture.caption
        assert picture.draw().axes
