"""Statistics of a library of defects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import DefectQuery, Library, add_defects, count_defects, open_library
from adatom.defects.library.counting import poisson_interval
from adatom.schema import notes


def test_counts_shares_and_densities_are_those_of_what_was_added(library: Library) -> None:
    for seed in range(6):
        names = ["Si1C3", "Si1C3", "V1"] if seed % 2 else ["Si1C3"]
        add_defects(library, simulated_defects(names, seed=seed), simulated_picture(seed=seed))
    add_defects(library, simulated_defects([], seed=9), simulated_picture(seed=9))
    classes = count_defects(library).classes
    assert classes["name"].values.tolist() == ["Si1C3", "V1"]
    assert classes["count"].values.tolist() == [9, 3]
    assert classes["n_images"].values.tolist() == [6, 3]
    np.testing.assert_allclose(classes["share"].values, [0.75, 0.25])
    # Seven images of 4 nm^2, the one without a defect included.
    np.testing.assert_allclose(classes["density"].values, [9 / 28, 3 / 28])
    assert classes["density"].attrs["units"] == "1/nm^2"
    assert np.all(classes["count_low"] < classes["count"])
    assert np.all(classes["count_high"] > classes["count"])


def test_an_older_analysis_is_not_counted(library: Library) -> None:
    image = simulated_picture(seed=1)
    add_defects(library, simulated_defects(["Si1C3"] * 5, seed=1), image)
    add_defects(library, simulated_defects(["Si1C3"] * 2, seed=2), image)
    assert count_defects(library).classes["count"].values.tolist() == [2]


def test_older_analyses_are_counted_where_asked_and_with_their_area(library: Library) -> None:
    image = simulated_picture(seed=1)
    add_defects(library, simulated_defects(["Si1C3"] * 5, seed=1), image)
    add_defects(library, simulated_defects(["Si1C3"] * 2, seed=2), image)
    classes = count_defects(library, DefectQuery(all_analyses=True)).classes
    assert classes["count"].values.tolist() == [7]
    assert classes["n_images"].values.tolist() == [2]
    # 4 nm^2 for each of both analyses.
    np.testing.assert_allclose(classes["density"].values, [7 / 8])
    assert "1 older analyses count as images of their own" in notes(classes)[0]


def test_images_of_unknown_area_are_left_out_of_densities_and_told(library: Library) -> None:
    found = simulated_defects(["Si1C3"] * 3, seed=1)
    del found.defects.attrs["area"]
    add_defects(library, found, simulated_picture(seed=1))
    add_defects(library, simulated_defects(["Si1C3"], seed=2), simulated_picture(seed=2))
    classes = count_defects(library).classes
    assert classes["count"].values.tolist() == [4]
    np.testing.assert_allclose(classes["density"].values, [1 / 4])
    assert "leave out 1 images" in notes(classes)[0]


def test_intervals_cover_their_expectation() -> None:
    # Exact intervals of a discrete quantity cover 95 % or more; of expectations this large at most
    # half a percent more.
    rng = np.random.default_rng(0)
    for mean in (30.0, 80.0):
        low, high = poisson_interval(rng.poisson(mean, 10_000))
        covered = np.mean((low <= mean) & (mean <= high))
        assert 0.945 < covered < 0.97


def test_classes_that_go_together_are_told_from_those_that_do_not(tmp_path: Path) -> None:
    with open_library(tmp_path / "pairs.db", create=True) as library:
        for seed in range(40):
            # V1 and Si1C4 only together; Si1C3 in every other image, whatever else there is.
            names = (["V1", "Si1C4"] if seed % 4 < 2 else []) + (["Si1C3"] if seed % 2 else [])
            add_defects(library, simulated_defects(names, seed=seed), simulated_picture(seed=seed))
        pairs = count_defects(library).pairs
    rows = {
        (first, second): number
        for number, (first, second) in enumerate(
            zip(pairs["first"].values.tolist(), pairs["second"].values.tolist(), strict=True)
        )
    }
    bound = rows["Si1C4", "V1"]
    assert pairs["n_images"].values[bound] == 20
    assert pairs["expected"].values[bound] == pytest.approx(10)
    assert pairs["ratio"].values[bound] == pytest.approx(2)
    # One over the ways to choose 20 of 40 images: 7e-12.
    assert pairs["probability"].values[bound] == pytest.approx(7.25e-12, rel=0.01)
    free = rows["Si1C3", "V1"]
    assert pairs["ratio"].values[free] == pytest.approx(1)
    assert pairs["probability"].values[free] > 0.5


def test_the_database_counts_and_gives_a_row_a_class(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Si1C3", "Si1C4", "V1", "Si2C6"]
    rng = np.random.default_rng(3)
    added = []
    for seed in range(8):
        here = rng.choice(names, 12).tolist()
        found = simulated_defects(here, seed=seed)
        # A name of its own for every third image: a class without a name has its key.
        if seed % 3 == 0:
            found.defects["name"].values[:] = ""
        add_defects(library, found, simulated_picture(seed=seed))
        added += [
            (name or f"class-{key[:8]}", seed)
            for name, key in zip(found.defects["name"].values, found.defects["class_key"].values)
        ]
    read: list[int] = []
    rows = library.session.rows

    def counted(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        found = rows(statement, values)
        read.append(len(found))
        return found

    monkeypatch.setattr(library.session, "rows", counted)
    counts = count_defects(library)
    n_classes = len({label for label, _ in added})
    assert max(read) <= n_classes * (n_classes - 1) // 2
    assert dict(
        zip(counts.classes["name"].values.tolist(), counts.classes["count"].values.tolist())
    ) == Counter(label for label, _ in added)
    images = {label: {seed for one, seed in added if one == label} for label, _ in added}
    assert [len(images[name]) for name in counts.classes["name"].values] == counts.classes[
        "n_images"
    ].values.tolist()
    assert [
        len(images[one] & images[other])
        for one, other in zip(counts.pairs["first"].values, counts.pairs["second"].values)
    ] == counts.pairs["n_images"].values.tolist()


def test_an_empty_library_has_empty_statistics(library: Library) -> None:
    counts = count_defects(library)
    assert counts.classes.sizes["row"] == 0
    assert counts.pairs.sizes["row"] == 0
