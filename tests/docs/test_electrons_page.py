"""What docs/eels-and-eds.md shows runs, and its recipes and steps are there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from adatom.recipes import list_recipes

PAGE = (Path(__file__).parents[2] / "docs" / "eels-and-eds.md").read_text("utf-8")


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, names)  # noqa: S102 -- our own page
    printed = capsys.readouterr().out
    assert "['C K', 'N K', 'Ti L3', 'O K', 'Mn L3', 'Fe L3']" in printed
    assert "Fe L3: background from" in printed


def test_its_recipes_and_steps_are_there() -> None:
    words = set(re.findall(r"`(?:\w+\.)?(\w+)(?:\(.*?\))?`", PAGE))
    assert {"eels", "eds", "eels_haadf"} <= words & set(list_recipes())
    stages = [import_module(f"adatom.{stage}") for stage in ("correction", "descriptors")]
    steps = {name for stage in stages for name in stage.__all__}
    verbs = ("correct_", "maps_", "bins_", "find_", "estimate_t", "compare_", "choose_channels")
    asked = {word for word in words if word.startswith(verbs) or "_from_" in word}
    assert len(asked) > 15
    assert asked <= steps
