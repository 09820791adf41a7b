"""Reports tell classes of turned patches and their orientations apart."""

from __future__ import annotations

import pytest
from turned_patches import planted_patches

from adatom.clustering import cluster_turned_patches
from adatom.report import RunRecord, StepRecord
from adatom.report.lineage import Lineage
from adatom.report.pictures import main_result, pictures_of
from adatom.report.words import key_figures, summary_sentences


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    patches = planted_patches("C3", n=200, classes=(0, 4), seed=3).patches
    found = cluster_turned_patches(patches, symmetry="C3", n_classes=2)
    step = "clustering.cluster_turned_patches"
    steps = (
        StepRecord("patches", "descriptors.site_patches", (), {}, "", {"": patches}, "1"),
        StepRecord("found", step, ("patches",), {}, "", found._asdict(), "2"),
    )
    return Lineage(RunRecord("", "", steps))


def test_orientations_are_told_as_such_and_not_counted_as_classes(lineage: Lineage) -> None:
    told = summary_sentences(lineage)
    assert any(text.startswith("2 classes: ") for text in told)
    (orientations,) = (text for text in told if text.startswith("Orientations: "))
    assert "at 120 deg" in orientations
    assert "without one" in orientations
    assert "2" in {figure.value for figure in key_figures(lineage)}


def test_the_report_opens_with_the_classes(lineage: Lineage) -> None:
    first = main_result(lineage)
    assert first is not None
    assert first.name == "found.classes"


def test_means_are_those_of_members_turned_back_alone(lineage: Lineage) -> None:
    results = lineage.results.values()
    captions = [picture.caption for one in results for picture in pictures_of(lineage, one)]
    assert sum("turned back" in caption for caption in captions) == 1
    assert not any("the mean of each class and" in caption for caption in captions)
    assert sum("which orientation each has" in caption for caption in captions) == 1
