"""What docs/recipes.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adatom.recipes import find_problems, parse_recipe

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
BLOCKS = re.findall(r"^```(.*?)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def blocks(sort: str) -> list[str]:
    return [text for name, text in BLOCKS if name == sort]


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_recipe_of_the_page_fits_together(text: str) -> None:
    assert find_problems(parse_recipe(text)) == []


def test_the_problems_of_the_page_are_those_found() -> None:
    (recipe,), (told,) = blocks("toml problems"), blocks("text")
    assert [str(problem) for problem in find_problems(parse_recipe(recipe))] == told.splitlines()


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (simulated,) = (text for text in blocks("toml") if text.startswith("[simulated]"))
    Path("simulated.toml").write_text(simulated.replace("256", "64"))
    (code,) = blocks("python")
    exec(code.replace('out="', 'reports=False, out="'), {})  # noqa: S102 -- our own page
    assert "'electrons': 800" in capsys.readouterr().out
