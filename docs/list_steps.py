"""Write steps.md, the list of all public steps: ``python docs/list_steps.py``."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

from adatom.recipes.steps import STAGES, find_step

PAGE = Path(__file__).with_name("steps.md")
_HEAD = """\
# Steps

Every function that a recipe can name in `do`, as `stage.step`, on the way from the file to the classes. In Python they are `adatom.stage.step`; `help(step)` tells what a step takes and gives, why its defaults are what they are, and shows an example.

This page is written by `python docs/list_steps.py` from the functions themselves.

| stage | step | what it does |
|---|---|---|
"""  # noqa: E501 -- a paragraph is a line


def list_steps(stage: str, /) -> list[str]:
    """List the steps of a stage, in the order of the table in the stage's docstring.

    Raises
    ------
    ValueError
        If the table lacks a step.
    """
    module = import_module(f"adatom.{stage}")
    order = re.findall(r"^`+(\w+)`+", module.__doc__ or "", re.MULTILINE)
    steps = [name for name in module.__all__ if gives_data(getattr(module, name))]
    return sorted(steps, key=order.index)


def gives_data(function: object, /) -> bool:
    """Say whether this is a function that gives data; what gives a path only writes files."""
    return inspect.isfunction(function) and inspect.signature(function).return_annotation not in {
        "Path",
        Path,
    }


def steps_page() -> str:
    """Write the page from the functions as they are now."""
    return _HEAD + "".join(
        f"| {stage} | `{name}` | {find_step(f'{stage}.{name}').summary} |\n"
        for stage in STAGES
        for name in list_steps(stage)
    )


if __name__ == "__main__":
    PAGE.write_text(steps_page(), "utf-8")
