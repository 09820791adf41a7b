"""The code of the page on clustering runs, and gives what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adatom import clustering
from adatom.schema import CLASSES, IMAGE

PAGE = (Path(__file__).parents[2] / "docs" / "clustering.md").read_text("utf-8")


@pytest.fixture(scope="module")
def left() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, names)  # noqa: S102 -- the code of our own page
    return names


def test_every_method_of_the_table_exists() -> None:
    named = set(re.findall(r"`(\w+)(?:\(connected=True\))?`", PAGE.split("\n\n")[2]))
    steps = {name for name in named if name.startswith(("cluster_", "refine_", "choose_"))}
    assert len(steps) >= 7
    assert steps <= set(clustering.__all__)


def test_classes_of_the_page_are_linked_in_the_same_colors(left: dict[str, Any]) -> None:
    CLASSES.check(left["linked"].classes)
    assert left["linked"].matches.attrs["agreement"] > 0.6
    assert left["grains"].classes.sizes["class"] == 12


def test_stability_of_the_page_is_a_number_a_class_and_an_image(left: dict[str, Any]) -> None:
    stability = left["voted"].classes["class_stability"].values
    assert stability.shape == (6,)
    assert ((stability >= 0) & (stability <= 1)).all()
    IMAGE.check(left["doubt"])
