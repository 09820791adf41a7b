"""``adatom run``: a recipe over files."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from adatom.cli._options import add_recipe_options
from adatom.errors import RecipeError, SettingError

if TYPE_CHECKING:
    from adatom.numerics.executors import Executor
    from adatom.recipes.runs import RunSummary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("recipe", help="a TOML file, or the name of a shipped recipe")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="each goes through the recipe by itself"
    )
    add_recipe_options(parser)
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="files worked on at once (default: one a processor)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="share the blocks of large data among N processes on this machine, which are started "
        "for the run; files go one after the other",
    )
    where.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="share them among the workers of a dask cluster, such as tcp://10.0.0.1:8786; "
        "workers must have the same adatom and see the files under the same paths",
    )
    parser.add_argument("--no-report", action="store_true", help="results only")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._progress import TerminalProgress
    from adatom.numerics.long_work import lend_long_work
    from adatom.recipes.runs import run_recipe
    from adatom.recipes.shipped import find_recipe
    from adatom.recipes.sources import files_of_pattern

    if arguments.jobs is not None and arguments.jobs < 1:
        msg = f"--jobs {arguments.jobs} must be 1 or more"
        raise SettingError(msg)
    recipe = find_recipe(arguments.recipe)
    progress = TerminalProgress()
    with _executor(arguments) as executor, lend_long_work(listener=progress.work):
        summary = run_recipe(
            recipe,
            [path for pattern in arguments.files for path in files_of_pattern(pattern)],
            out=arguments.out or Path("runs") / recipe.name,
            inputs=inputs_of_arguments(arguments.inputs),
            changes=changes_of_arguments(arguments.changes),
            seed=arguments.seed,
            n_processes=arguments.jobs,
            executor=executor,
            reports=not arguments.no_report,
            progress=progress,
        )
    print_summary(summary)
    return 0 if summary.is_good else 1


def _executor(arguments: argparse.Namespace) -> AbstractContextManager[Executor | None]:
    """Find or start what works on the blocks of large data; None: this process."""
    if arguments.cluster is None and arguments.workers is None:
        return nullcontext()
    if arguments.jobs is not None:
        msg = "--jobs works on several files at once, a cluster on one: give one of the two"
        raise SettingError(msg)
    from adatom.recipes.cluster import cluster_at, local_cluster

    if arguments.cluster is not None:
        return cluster_at(arguments.cluster)
    return local_cluster(arguments.workers)


def changes_of_arguments(given: list[str]) -> dict[str, str]:
    """Take what ``--set STEP.KEY=VALUE`` gives apart."""
    changes = {}
    for change in given:
        target, equals, value = change.partition("=")
        if not equals:
            msg = f"--set {change}: write step.setting=value, such as --set atoms.contrast=dark"
            raise SettingError(msg)
        changes[target.strip()] = value.strip()
    return changes


def inputs_of_arguments(given: list[str]) -> dict[str, list[str | Path]]:
    """Take what ``--input NAME=FILE`` gives apart."""
    from adatom.recipes.sources import files_of_pattern

    inputs: dict[str, list[str | Path]] = {}
    for text in given:
        name, equals, pattern = text.partition("=")
        if not equals:
            msg = f"--input {text}: write name=file, such as --input labels=labels.png"
            raise RecipeError(msg)
        inputs.setdefault(name.strip(), []).extend(files_of_pattern(pattern))
    return inputs


def print_summary(summary: RunSummary) -> None:
    """Tell where the reports are, what to mind, and at the end what failed."""
    every = (*summary.outcomes, *((summary.collected,) if summary.collected else ()))
    for outcome in every:
        for text in outcome.warnings:
            print(f"note: {outcome.name}: {text}", file=sys.stderr)
    if len(summary.reports) > 1 and (summary.folder / "index.html").is_file():
        print(f"{len(summary.reports)} reports: {summary.folder / 'index.html'}")
    else:
        for report in summary.reports:
            print(f"report: {report}")
        if not summary.reports:
            print(f"results: {summary.folder}")
    if summary.is_good:
        return
    n_items, n_failed = len(every), len(summary.failures)
    print(f"{n_failed} of {n_items} failed:", file=sys.stderr)
    for outcome in summary.failures:
        print(f"  {outcome.name}: {outcome.error or outcome.report_error}", file=sys.stderr)
        for trace in _traces(summary.folder / outcome.name):
            print(f"    traceback in {trace}", file=sys.stderr)
    for problem in summary.problems:
        print(f"  {problem}", file=sys.stderr)


def _traces(folder: Path) -> list[Path]:
    places = [folder / name for name in ("error.txt", "report_error.txt")]
    return [place for place in places if place.is_file()]
