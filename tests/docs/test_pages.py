"""Pages are complete and lead where they say."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from runpy import run_path

import pytest

from adatom.recipes.steps import STAGES, find_step

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), DOCS.parent / "README.md"])


def test_the_list_of_steps_is_as_the_functions_are() -> None:
    written = run_path(str(DOCS / "list_steps.py"))["steps_page"]()
    assert (DOCS / "steps.md").read_text("utf-8") == written, "write it: python docs/list_steps.py"


def test_the_table_of_formats_is_up_to_date() -> None:
    page = (DOCS / "formats.md").read_text("utf-8")
    written = run_path(str(DOCS / "list_formats.py"))["formats_page"](page)
    assert page == written, "write it: python docs/list_formats.py"


def test_the_list_of_steps_has_every_function_that_gives_data() -> None:
    listed = re.findall(
        r"^\| (\w+) \| `(\w+)` \| .+\. \|$", (DOCS / "steps.md").read_text(), re.MULTILINE
    )
    stages = list(dict.fromkeys(stage for stage, _ in listed))
    assert stages == list(STAGES)
    assert len(set(listed)) == len(listed)
    for stage in STAGES:
        module = import_module(f"adatom.{stage}")
        functions = {name for name in module.__all__ if inspect.isfunction(getattr(module, name))}
        # These write files, and give nothing that a recipe could go on with.
        functions -= {"write_report", "write_index", "write_atlas", "write_file"}
        assert {name for of, name in listed if of == stage} == functions
        for name in functions:
            find_step(f"{stage}.{name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", place.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads}


def test_the_index_names_every_page_and_every_script_of_the_gallery() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
    scripts = {f"gallery/{script.name}" for script in (DOCS / "gallery").glob("*.py")}
    assert pages | scripts <= set(re.findall(r"\]\(([^)]+)\)", index))
