"""One item of a run: a pass of the recipe over one set of files, and its folder."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adatom.recipes.cache import ResultStore
from adatom.recipes.code import CodeVersion
from adatom.recipes.folders import is_item_written, write_failed_item, write_item
from adatom.recipes.measuring import measured
from adatom.recipes.passes import OnStep, Pass, StepFailedError
from adatom.recipes.recipe import Call, Recipe
from adatom.recipes.sources import Source


@dataclass(frozen=True)
class Job:
    """What a process needs to know to run a recipe over one item."""

    name: str
    """Folder of the item in the run folder."""
    recipe: Recipe
    run_folder: Path
    sources: Mapping[str, Source]
    versions: Mapping[str, CodeVersion]
    has_report: bool = True


@dataclass(frozen=True)
class Outcome:
    """How one item went."""

    name: str
    error: str = ""
    """One line, empty if it went well."""
    report_error: str = ""
    n_computed: int = 0
    n_reused: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    """Name of a result to its key in the store."""

    @property
    def is_good(self) -> bool:
        """Whether results and report are there."""
        return not self.error and not self.report_error


def run_job(job: Job, on_step: OnStep | None = None, /) -> Outcome:
    """Run a recipe over one item and write its folder; errors are in the outcome."""
    error = trace = report_error = ""
    with ResultStore(job.run_folder / "store") as store, measured() as took:
        one = _pass_of_job(job, store)
        try:
            one.run(_calls_of_item(job.recipe), on_step)
        except StepFailedError as failed:
            error, trace = str(failed), traceback.format_exc()
        try:
            if error:
                write_failed_item(store, job.run_folder / job.name, error, trace)
            elif not is_item_written(one, job.run_folder, job.name):
                report_error = write_item(one, job.run_folder, job.name)
        except OSError as failed_write:
            report_error = f"its folder cannot be written: {failed_write}"
    return outcome_of_pass(one, job.name, error, report_error, took.seconds)


def find_job(job: Job, /) -> Outcome | None:
    """Give the outcome of a job if all that it would do is done already."""
    with ResultStore(job.run_folder / "store") as store, measured() as took:
        one = _pass_of_job(job, store)
        is_done = one.look_up(_calls_of_item(job.recipe))
        is_done = is_done and is_item_written(one, job.run_folder, job.name)
    return outcome_of_pass(one, job.name, "", "", took.seconds) if is_done else None


def _pass_of_job(job: Job, store: ResultStore) -> Pass:
    return Pass(job.recipe, store, job.versions, job.sources, has_report=job.has_report)


def _calls_of_item(recipe: Recipe) -> list[Call]:
    return [call for call in recipe.calls if not call.collect]


def outcome_of_pass(one: Pass, name: str, error: str, report_error: str, seconds: float) -> Outcome:
    """Sum up a pass."""
    n_reused = sum(step.reused for step in one.done.values())
    told = {
        f"[{step.call.name}] {text}": None
        for step in one.done.values()
        for text in step.stored.origin["warnings"]
    }
    return Outcome(
        name,
        error=error,
        report_error=report_error,
        n_computed=len(one.done) - n_reused,
        n_reused=n_reused,
        seconds=seconds,
        warnings=tuple(told),
        keys={key: step.stored.key for key, step in one.done.items()},
    )
