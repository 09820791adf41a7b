"""Edges and the states on them, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_scenes import edge_movie, graphene, impurities_of, where

from adatom.clustering import cluster_mirrored
from adatom.crystallography import find_edges
from adatom.descriptors import edge_environments
from adatom.report.edge_words import edge_pictures, edge_sentences
from adatom.report.lineage import Lineage
from adatom.report.records import RunRecord, StepRecord


def _step(name: str, step: str, results: Mapping[str, Any], *data: str) -> StepRecord:
    return StepRecord(name, step, data, {}, "", results, "")


def test_a_run_tells_of_edge_impurities_and_states() -> None:
    impurities, atoms = impurities_of(edge_movie())
    edges = find_edges(atoms)
    around = edge_environments(impurities, atoms)
    found = cluster_mirrored(around, n_classes=3)
    steps = (
        _step("edges", "crystallography.find_edges", edges._asdict()),
        _step(
            "silicon",
            "crystallography.find_edge_impurities",
            {"": impurities},
            "edges.sites",
            "edges.lines",
        ),
        _step("around", "descriptors.edge_environments", {"": around}, "silicon"),
        _step("found", "clustering.cluster_mirrored", found._asdict(), "around"),
    )
    lineage = Lineage(RunRecord("", "", steps))
    told = edge_sentences(lineage)
    assert told[0].startswith("The sheet has 1 edge, together ")
    assert told[0].endswith("nm in each of 40 frames, on average.")
    assert told[1] == "160 times an impurity was seen on the edge, 4 in a frame."
    assert told[2].startswith("3 states, by their share of")
    assert any(text.startswith("States ") and "own mirror images" in text for text in told)
    assert any("has a left and a right form" in text for text in told)
    drawn = {
        name: [picture.name for picture in edge_pictures(lineage, result, None) or []]
        for name, result in lineage.results.items()
    }
    assert drawn["edges.lines"] == ["edges-lines"]
    assert drawn["edges.sites"] == []
    assert drawn["found.classes"] == ["found-classes"]
    assert drawn["found.means"] == ["found-means"]


def test_a_sheet_without_edges_is_told_so() -> None:
    edges = find_edges(graphene())
    step = _step("edges", "crystallography.find_edges", edges._asdict())
    told = edge_sentences(Lineage(RunRecord("", "", (step,))))
    assert told == ["No edge was found: the sheet goes on to the border wherever it was seen."]


def test_a_hole_is_told_apart() -> None:
    sheet = graphene()
    hole = where(sheet, (sheet["y"] - 2.5) ** 2 + (sheet["x"] - 2.5) ** 2 > 0.5)
    step = _step("edges", "crystallography.find_edges", find_edges(hole)._asdict())
    (told,) = edge_sentences(Lineage(RunRecord("", "", (step,))))
    assert told.startswith("The sheet has 1 edge of a hole, together 4.")
