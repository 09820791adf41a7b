"""The code on pages about curves runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[2] / "docs"


def _run(page: str) -> dict[str, Any]:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec("\n".join(blocks), names)  # noqa: S102 -- our own page
    return names


def test_the_page_of_fits_maps_the_position_of_its_line() -> None:
    names = _run("curve-fitting.md")
    assert np.abs(names["position"].values - names["centers"]).max() < 2


def test_the_page_of_raman_maps_finds_its_two_substances() -> None:
    names = _run("raman-and-luminescence.md")
    found, label = names["found"].classes["label"].values, names["label"]
    assert max(np.mean(found == label), np.mean(found != label)) > 0.98
