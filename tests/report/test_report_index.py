"""The index over many files, and the table of their classes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError
from adatom.recipes.steps import find_step
from adatom.report import (
    RunOutcome,
    RunRecord,
    StepRecord,
    compare_runs,
    write_index,
    write_report,
)
from adatom.schema import notes


def _classes(*labels: int) -> xr.Dataset:
    return xr.Dataset({"label": ("site", np.array(labels, dtype=np.int64))})


def test_counts_and_shares_of_every_file_are_right() -> None:
    table = compare_runs([_classes(0, 0, 1, -1), _classes(0, 2), _classes()])
    assert table["members"].values.tolist() == [4, 2, 0]
    assert table["not_classified"].values.tolist() == [1, 0, 0]
    counts = [table[f"count_{k}"].values.tolist() for k in range(3)]
    assert counts == [[2, 1, 0], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(table["fraction_0"].values, [0.5, 0.5, 0.0])
    assert "only if one model assigned both" in notes(table)[0]


def test_a_list_that_holds_something_else_names_the_place() -> None:
    with pytest.raises(KindError, match="classes of file 1 is not a Classes: no variable 'label'"):
        compare_runs([_classes(0), xr.Dataset()])


def test_recipes_find_the_step_that_compares_runs() -> None:
    assert find_step("report.compare_runs").summary.startswith("Count the members")


@pytest.fixture(scope="module")
def index(written: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("index")
    shutil.copytree(written.parent, folder / "one-1234")
    together = compare_runs([_classes(0, 1), _classes(0, 0)])
    collected = StepRecord("all", "report.compare_runs", ("found.classes",), {}, "Count.",
                           {"": together}, "k")  # fmt: skip
    write_report(RunRecord("All", "", (collected,)), folder / "collected")
    outcomes = [
        RunOutcome("one.tif", folder / "one-1234", seconds=75.0),
        RunOutcome("<b>two</b>.tif", folder / "two", error="two.tif ends <too> early"),
    ]
    return write_index(outcomes, folder).read_text(encoding="utf-8")


def test_failures_stand_first_with_their_reasons(index: str) -> None:
    assert "2 files: 1 done, 1 failed" in index
    assert "<b>&lt;b&gt;two&lt;/b&gt;.tif</b>: two.tif ends &lt;too&gt; early" in index
    assert index.index("failed") < index.index("Key figures")


def test_every_file_has_its_picture_figures_and_report(index: str) -> None:
    assert 'href="one-1234/report.html"' in index
    assert index.count("data:image/jpeg;base64,") == 1
    assert "<td>81</td><td>0.4 nm</td>" in index
    assert "1 min 15 s" in index
    assert "Bright atoms on a square lattice" in index


def test_what_was_made_over_all_files_is_shown(index: str) -> None:
    assert 'href="collected/report.html"' in index
    assert "fraction_1" in index


def test_the_index_refers_to_reports_only(index: str) -> None:
    addresses = re.findall(r'(?:href|src)="([^"]*)"', index)
    outside = {one for one in addresses if not one.startswith(("#", "data:"))}
    assert outside == {"one-1234/report.html", "collected/report.html"}


def test_an_index_of_nothing_but_failures_is_written(tmp_path: Path) -> None:
    page = write_index([RunOutcome("a.tif", tmp_path / "a", "damaged")], tmp_path)
    assert "1 file failed" in page.read_text(encoding="utf-8")
