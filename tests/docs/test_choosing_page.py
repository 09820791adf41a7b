"""The code of the page on how many classes there are runs, and finds the six materials."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "choosing-classes.md").read_text("utf-8")


@pytest.fixture(scope="module")
def left() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, names)  # noqa: S102 -- the code of our own page
    return names


def test_the_page_finds_the_materials_that_were_put_in(left: dict[str, Any]) -> None:
    assert left["choice"].attrs["n_classes"] == 6
    assert left["found"].classes.attrs["n_classes"] == 6
    assert left["sweep"].table.attrs["n_classes"] == 6


def test_the_page_tells_of_every_index_of_the_table(left: dict[str, Any]) -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert set(left["choice"]) - {"n_classes", "gap_error"} == told
