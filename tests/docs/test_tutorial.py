"""What the tutorial and the README show is what happens."""

from __future__ import annotations

import difflib
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest

from adatom.simulation import simulate_graphene

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
# What differs from machine to machine: times, memory, hashes of files.
CHANGING = re.compile(r"\d{4}-\d\d-\d\dT[\d:+]+|[\d.]+ (?:s|MB)\b|-[0-9a-f]{8}\b")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses of a module look it up by its name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.import_module("sys").modules, path.stem, module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def inside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def words_and_numbers(text: str) -> tuple[list[str], list[float]]:
    plain = CHANGING.sub("?", text)
    words = re.sub(r"#(?:\s+#)+", "#", NUMBER.sub("#", plain)).split()
    return words, [float(number) for number in NUMBER.findall(plain)]


def assert_like(shown: str, printed: str, place: str) -> None:
    """Most words are the same: the finder may tell one more thing. Numbers may move, but not much.

    Classes may become more or fewer: then lists of numbers are longer, and are not compared.
    """
    (words, numbers), (words_now, numbers_now) = map(words_and_numbers, (shown, printed))
    what = f"{place} shows\n{shown}but now is\n{printed}write it anew: python docs/run_tutorial.py"
    alike = difflib.SequenceMatcher(None, words, words_now, autojunk=False).ratio()
    assert alike >= 0.7, what
    if words == words_now and len(numbers) == len(numbers_now):
        near = np.isclose(numbers, numbers_now, rtol=0.3, atol=3)
        assert not numbers or near.mean() >= 0.8, what


def test_the_blocks_of_the_tutorial_print_what_it_shows() -> None:
    tutorial = load(ROOT / "docs" / "run_tutorial.py")
    blocks = tutorial.read_blocks(TUTORIAL.read_text("utf-8"))
    n_shown = 0
    for block, printed in tutorial.run_blocks(blocks):
        assert_like(block.text, printed, f"tutorial.md, line {block.line},")
        n_shown += 1
    assert n_shown == sum(block.sort != "python" for block in blocks) > 15
    for picture in ("regions", "atoms", "classes", "means", "members", "bonds"):
        assert Path(f"{picture}.png").stat().st_size > 5000


def test_a_changed_output_is_noticed() -> None:
    assert_like("574 atoms in 0.8 s\n", "570 atoms in 3.2 s\n", "here")
    for other in ("no lattice: try dark\n", "317 atoms in 0.8 s\n", "574\n"):
        with pytest.raises(AssertionError, match=r"here shows\s+574 atoms"):
            assert_like("574 atoms in 0.8 s\n", other, "here")


def test_every_python_block_that_prints_shows_what() -> None:
    for text, after in re.findall(
        r"^```python\n(.*?)^```$(.{0,10})", TUTORIAL.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        assert ("print(" in text) <= after.startswith("\n\n```text")


def test_the_python_of_the_readme_runs() -> None:
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    np.save("graphene.npy", simulate_graphene(size=256, field="4 nm").image.values)
    with mpl.rc_context({"backend": "agg"}):
        exec(code.replace("graphene.dm4", "graphene.npy"), {})  # noqa: S102 -- our own page
    assert Path("classes.png").stat().st_size > 5000
