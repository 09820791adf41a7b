"""``adatom library add``: images, read by a recipe that adds their defects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adatom.errors import RecipeError

if TYPE_CHECKING:
    from adatom.recipes.recipe import Recipe

_STEP: Final = "defects.add_to_library"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="images")
    parser.add_argument(
        "--recipe",
        default="defect_library",
        help=f"a recipe with the step {_STEP} (default: defect_library)",
    )
    parser.add_argument(
        "--out", metavar="RUN", help="run folder (default: <library>-run beside the library)"
    )
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="STEP.KEY=V")
    parser.add_argument("--jobs", type=int, metavar="N", help="images worked on at once")
    parser.add_argument("--no-report", action="store_true", help="no pages beside the library")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._progress import TerminalProgress
    from adatom.cli.run import changes_of_arguments, print_summary
    from adatom.defects.library.sessions import URL
    from adatom.recipes.runs import run_recipe
    from adatom.recipes.shipped import find_recipe
    from adatom.recipes.sources import files_of_pattern

    recipe = find_recipe(arguments.recipe)
    place, out = arguments.library, arguments.out
    if not URL.match(place):
        # Workers may stand in another folder.
        place = str(Path(place).absolute())
        out = out or f"{Path(place).with_suffix('')}-run"
    changes = {f"{table}.library": place for table in _tables(recipe)}
    summary = run_recipe(
        recipe,
        [path for pattern in arguments.files for path in files_of_pattern(pattern)],
        out=out or "runs/library",
        changes={**changes, **changes_of_arguments(arguments.changes)},
        n_processes=arguments.jobs,
        reports=not arguments.no_report,
        progress=TerminalProgress(),
    )
    print_summary(summary)
    return 0 if summary.is_good else 1


def _tables(recipe: Recipe) -> list[str]:
    found = [call.name for call in recipe.calls if call.step == _STEP]
    if not found:
        msg = f"recipe {recipe.name} adds nothing to a library: it has no step {_STEP}"
        raise RecipeError(msg)
    return found
