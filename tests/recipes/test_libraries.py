"""Recipes that add the defects of their images to a library."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from adatom.defects.library import DefectQuery, open_library, read_defect, search_library
from adatom.recipes import open_run, parse_recipe, run_recipe
from adatom.recipes.runs import RunSummary

RECIPE = """
title = "Trial of a library"
[inputs]
image = "io.read_image"
[found]
do = "trial.make_defects(image)"
[added]
do = "defects.add_to_library(found, image)"
library = "{library}"
"""


def run(paths: list[Path], tmp_path: Path, **options: object) -> RunSummary:
    recipe = parse_recipe(RECIPE.format(library=tmp_path / "defects.db"), name="trial")
    given = {"out": tmp_path / "run", "n_processes": 1, "reports": False, **options}
    return run_recipe(recipe, paths, **given)  # type: ignore[arg-type]


def names(tmp_path: Path, **query: object) -> list[str]:
    with open_library(tmp_path / "defects.db") as library:
        found = search_library(library, DefectQuery(**query))  # type: ignore[arg-type]
    return sorted(found["name"].values.tolist())


@pytest.mark.parametrize("n_processes", [1, 3])
def test_every_image_is_in_the_library_with_its_provenance(
    images: list[Path], tmp_path: Path, n_processes: int
) -> None:
    assert run(images, tmp_path, n_processes=n_processes).is_good
    assert names(tmp_path) == ["Si1C3"] * 5 + ["V1"] * 5
    with open_library(tmp_path / "defects.db") as library:
        sources = search_library(library)["source"].values.tolist()
        assert sorted(set(sources)) == [path.name for path in images]
        facts = read_defect(library, 1).image
    assert facts["recipe"] == "Trial of a library"
    assert len(facts["recipe_sha256"]) == len(facts["source_sha256"]) == 64
    assert facts["step_x_nm"] == pytest.approx(0.02)
    added = open_run(tmp_path / "run").items
    assert all(int(item["added.rows"]["n_defects"].values[0]) == 2 for item in added.values())


def test_what_is_in_the_library_is_not_added_again(images: list[Path], tmp_path: Path) -> None:
    run(images[:2], tmp_path)
    again = run(images[:2], tmp_path)
    assert [outcome.n_computed for outcome in again.outcomes] == [0, 0]


def test_a_library_that_was_removed_is_filled_again(images: list[Path], tmp_path: Path) -> None:
    run(images[:2], tmp_path)
    for path in tmp_path.glob("defects.db*"):
        path.unlink()
    shutil.rmtree(tmp_path / "defects.zarr")
    again = run(images[:2], tmp_path)
    # The defects themselves are kept in the run folder.
    assert [outcome.n_computed for outcome in again.outcomes] == [1, 1]
    assert names(tmp_path) == ["Si1C3"] * 2 + ["V1"] * 2
    assert [outcome.n_computed for outcome in run(images[:2], tmp_path).outcomes] == [0, 0]


def test_other_settings_count_and_going_back_to_the_first_counts_again(
    images: list[Path], tmp_path: Path
) -> None:
    run(images[:1], tmp_path)
    run(images[:1], tmp_path, changes={"found.name": "Si1C4"})
    assert names(tmp_path) == ["Si1C4", "V1"]
    # Both results are kept in the run folder, and one of them counts in the library.
    assert run(images[:1], tmp_path).outcomes[0].n_computed == 1
    assert names(tmp_path) == ["Si1C3", "V1"]
    assert len(names(tmp_path, all_analyses=True)) == 4


def test_a_file_that_is_no_library_fails_its_images_and_is_left_alone(
    images: list[Path], tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "defects.db") as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    before = (tmp_path / "defects.db").read_bytes()
    summary = run(images[:1], tmp_path)
    assert "without a defect library" in summary.outcomes[0].error
    assert (tmp_path / "defects.db").read_bytes() == before


def test_the_result_of_adding_follows_from_the_data_alone(
    images: list[Path], tmp_path: Path
) -> None:
    run(images[:1], tmp_path)
    first = open_run(tmp_path / "run")["added.rows"]
    run(images[:1], tmp_path, out=tmp_path / "other")
    second = open_run(tmp_path / "other")["added.rows"]
    for name in first.variables:
        np.testing.assert_array_equal(first[name].values, second[name].values)
