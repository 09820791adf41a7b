"""The code of the page on probe spectroscopy runs and gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "probe-spectroscopy.md"


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), made)  # noqa: S102 -- the page's own code
    return made


def test_the_map_of_the_modulus_is_that_of_the_sample(names: dict[str, Any]) -> None:
    modulus = names["modulus_map"].sel(measure="young_modulus")
    assert modulus.dims == ("y", "x")
    assert abs(float(modulus[:, :3].mean()) / 500 - 1) < 0.02
    assert abs(float(modulus[:, 3:].mean()) / 3000 - 1) < 0.02


def test_the_gap_and_the_loop_are_those_that_were_put_in(names: dict[str, Any]) -> None:
    # States begin where dI/dV is three hundredths of its highest.
    assert abs(float(names["gap"].sel(measure="gap")[0]) - 1.06) < 0.05
    found = names["switching"].sel(measure=["coercive_up", "coercive_down"]).values[0]
    assert abs(found - [4.0, -3.0]).max() < 0.05
