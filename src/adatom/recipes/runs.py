"""A recipe over files: one folder each, in parallel, then what collects over all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import adatom
from adatom.errors import ReadError, SettingError, StoreError
from adatom.numerics.executors import Executor, current_executor, use_executor
from adatom.recipes.cache import ResultStore, write_text_atomic
from adatom.recipes.code import CodeVersion, code_version, report_version
from adatom.recipes.folders import (
    is_item_written,
    json_from_source,
    write_failed_item,
    write_item,
)
from adatom.recipes.items import Job, Outcome, find_job, outcome_of_pass, run_job
from adatom.recipes.measuring import machine, measured, now
from adatom.recipes.passes import Pass, StepFailedError
from adatom.recipes.pool import run_jobs
from adatom.recipes.recipe import Recipe, change_settings, set_seed
from adatom.recipes.shipped import find_recipe
from adatom.recipes.sources import Source, items_of_files, sources_of_paths
from adatom.recipes.steps import find_step
from adatom.recipes.wiring import check_recipe
from adatom.report.records import RunOutcome

FORMAT: Final = 1
COLLECTED: Final = "collected"
"""Folder of what is made once after all files."""
ONLY_ITEM: Final = "results"
"""Folder of the one item of a recipe without inputs."""


class Progress(Protocol):
    """What is told while a recipe runs."""

    def begin(self, n_items: int, n_steps: int) -> None:
        """Tell how much there is to do."""

    def step(self, name: str, reused: bool) -> None:
        """Tell that a step is done; only where items run one after the other."""

    def item(self, outcome: Outcome) -> None:
        """Tell that an item is done."""

    def end(self) -> None:
        """Tell that all is done."""


class Silence:
    """Progress that tells nothing."""

    def begin(self, n_items: int, n_steps: int) -> None:
        """Tell nothing."""

    def step(self, name: str, reused: bool) -> None:
        """Tell nothing."""

    def item(self, outcome: Outcome) -> None:
        """Tell nothing."""

    def end(self) -> None:
        """Tell nothing."""


@dataclass(frozen=True)
class RunSummary:
    """How a run went."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    """Of every item, in the order of the files."""
    collected: Outcome | None = None
    """Of what is made once after all files."""
    problems: tuple[str, ...] = ()
    """Of the run as a whole, such as an index page that could not be written."""

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """What did not go well."""
        every = (*self.outcomes, *((self.collected,) if self.collected else ()))
        return tuple(outcome for outcome in every if not outcome.is_good)

    @property
    def is_good(self) -> bool:
        """Whether everything went well."""
        return not self.failures and not self.problems

    @property
    def reports(self) -> tuple[Path, ...]:
        """The reports that were written, or stand from before."""
        good = (outcome for outcome in self.outcomes if outcome.is_good)
        places = (self.folder / outcome.name / "report.html" for outcome in good)
        return tuple(place for place in places if place.is_file())


@dataclass(frozen=True)
class _Item:
    """Files that go through the recipe together."""

    name: str
    paths: Mapping[str, Path]
    sources: Mapping[str, Source]
    error: str = ""


def run_recipe(
    recipe: Recipe | str | Path,
    files: Sequence[str | Path] = (),
    /,
    *,
    out: str | Path,
    inputs: Mapping[str, Sequence[str | Path]] | None = None,
    changes: Mapping[str, str] | None = None,
    seed: int | None = None,
    n_processes: int | None = None,
    executor: Executor | None = None,
    reports: bool = True,
    progress: Progress | None = None,
) -> RunSummary:
    """Run a recipe over files; what is in the run folder already is used again.

    Parameters
    ----------
    recipe : Recipe, str or Path
        A recipe, its file, or the name of a shipped one.
    files : sequence of str or Path
        Each goes through the recipe by itself, as its first input.
    out : str or Path
        The run folder: made, or gone on with.
    inputs : mapping of str to sequence of path, optional
        Files of further inputs, in the order of `files`.
    changes : mapping of str to str, optional
        Settings changed for this run, ``{"step.key": value}``.
    seed : int, optional
        For all steps that have a seed and are not given one by the recipe.
    n_processes : int, optional
        Files worked on at once; by default one a processor.
    executor : Executor, optional
        Works on the blocks of large data, such as a `ClusterExecutor`; files
        then go one after the other. By default threads of this machine.
    reports : bool
        Whether to write reports.
    progress : Progress, optional
        Told what is being done.

    Returns
    -------
    RunSummary
        A failing file does not stop the others and is found here.

    Raises
    ------
    RecipeError
        If the recipe does not fit together, before anything is read.
    SettingError
        If a change does not fit the recipe, `n_processes` is below 1, or it
        is above 1 beside an executor.
    StoreError
        If `out` is a folder of something else.

    Notes
    -----
    Processes are started anew rather than forked, so a script that calls this
    with several files must do so under ``if __name__ == "__main__":``.
    """
    wired = recipe if isinstance(recipe, Recipe) else find_recipe(recipe)
    wired = change_settings(wired, changes or {})
    wired = wired if seed is None else set_seed(wired, seed)
    check_recipe(wired)
    if n_processes is not None and n_processes < 1:
        msg = f"{n_processes=} must be 1 or more"
        raise SettingError(msg)
    if executor is not None and (n_processes or 1) > 1:
        msg = f"{n_processes=} beside an executor: files go one after the other then, leave it out"
        raise SettingError(msg)
    folder = Path(out)
    names = [call.name for call in wired.inputs]
    shared = [call.name for call in wired.inputs if call.settings.get("dataset") is not None]
    given = items_of_files(names, files, inputs or {}, shared=shared)
    if executor is not None:
        # Workers may stand in another folder.
        n_processes, folder = 1, folder.absolute()
        given = [{name: path.absolute() for name, path in item.items()} for item in given]
    items = _items(given)
    _begin_folder(folder, wired)
    record = {**_record(wired, items, folder), "executor": repr(executor or current_executor())}
    _write_record(folder, record, "running")
    versions = _versions(wired)
    jobs = [
        Job(item.name, wired, folder, item.sources, versions, has_report=reports)
        for item in items
        if not item.error
    ]
    told = progress or Silence()
    told.begin(len(items), sum(not call.collect for call in wired.calls))
    try:
        with use_executor(executor or current_executor()):
            outcomes = _run_items(items, jobs, folder, n_processes, told)
            collected = _collect(wired, folder, versions, items, outcomes, has_report=reports)
    finally:
        told.end()
    several = reports and (len(items) > 1 or collected is not None)
    problems = _write_index(wired, folder, items, outcomes) if several else []
    summary = RunSummary(folder, tuple(outcomes), collected, tuple(problems))
    _write_record(folder, _with_outcomes(record, summary), "done")
    return summary


def _items(given: Sequence[Mapping[str, Path]]) -> list[_Item]:
    """Name every item by its first file and the hash of all its files' contents."""
    paths = list(dict.fromkeys(path for item in given for path in item.values()))
    sources = dict(zip(paths, sources_of_paths(paths), strict=True))
    items: list[_Item] = []
    taken: dict[str, int] = {}
    for item in given:
        found = {name: sources[path] for name, path in item.items()}
        errors = [str(source) for source in found.values() if isinstance(source, ReadError)]
        good = {name: source for name, source in found.items() if isinstance(source, Source)}
        name = _item_name(item, good)
        # Files of equal name and content in different folders.
        taken[name] = taken.get(name, 0) + 1
        name += f"-{taken[name]}" if taken[name] > 1 else ""
        items.append(_Item(name, item, good, "; ".join(errors)))
    return items


def _item_name(paths: Mapping[str, Path], sources: Mapping[str, Source]) -> str:
    if not paths:
        return ONLY_ITEM
    first = next(iter(paths.values()))
    stem = re.sub(r"[^\w.+-]+", "_", first.name.removesuffix(first.suffix)) or "file"
    if len(sources) < len(paths):
        return f"{stem}-unread"
    return f"{stem}-{_digest([source.sha256 for source in sources.values()])[:8]}"


def _digest(digests: Sequence[str]) -> str:
    """Give the digest of one file as it is, so that folder and file are easily matched."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _begin_folder(folder: Path, recipe: Recipe) -> None:
    try:
        if folder.exists() and not _is_run_or_empty(folder):
            msg = f"{folder} exists and is not the folder of a run: choose another with --out"
            raise StoreError(msg)
        (folder / "store").mkdir(parents=True, exist_ok=True)
        ResultStore(folder / "store").remove_leftovers()
        write_text_atomic(folder / "recipe.toml", recipe.text)
    except StoreError:
        raise
    except OSError as error:
        msg = f"cannot write into {folder}: {error}"
        raise StoreError(msg) from error


def _is_run_or_empty(folder: Path) -> bool:
    """Tell whether a run may write here: a recipe or a store alone may be somebody's own."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not names or {"store", "provenance.json"} <= names:
        return True
    # A run that was killed before it wrote its record.
    return "store" in names <= {"store", "recipe.toml"}


def _versions(recipe: Recipe) -> dict[str, CodeVersion]:
    versions = {call.step: code_version(find_step(call.step)) for call in recipe.calls}
    return {**versions, "report": report_version()}


def _run_items(
    items: Sequence[_Item],
    jobs: Sequence[Job],
    folder: Path,
    n_processes: int | None,
    progress: Progress,
) -> list[Outcome]:
    outcomes = {}
    with ResultStore(folder / "store") as store:
        for item in items:
            if item.error:
                write_failed_item(store, folder / item.name, item.error, "")
                outcomes[item.name] = Outcome(item.name, error=item.error)
                progress.item(outcomes[item.name])
    n_wanted = n_processes or os.cpu_count() or 1
    waiting = []
    for job in jobs:
        # What is done already is not worth starting processes.
        found = find_job(job) if min(n_wanted, len(jobs)) > 1 else None
        if found is None:
            waiting.append(job)
        else:
            outcomes[job.name] = found
            progress.item(found)
    n_wanted = min(n_wanted, len(waiting))
    if n_wanted > 1:
        made = run_jobs(waiting, n_processes=n_wanted, on_outcome=progress.item)
        outcomes |= {outcome.name: outcome for outcome in made}
    else:
        for job in waiting:
            outcomes[job.name] = run_job(job, progress.step)
            progress.item(outcomes[job.name])
    return [outcomes[item.name] for item in items]


def _collect(
    recipe: Recipe,
    folder: Path,
    versions: Mapping[str, CodeVersion],
    items: Sequence[_Item],
    outcomes: Sequence[Outcome],
    *,
    has_report: bool,
) -> Outcome | None:
    """Run once what collects over all files; those that failed are left out."""
    calls = [call for call in recipe.calls if call.collect]
    good = [outcome for outcome in outcomes if not outcome.error]
    known = dict(zip((item.name for item in items), _shown_names(recipe, items), strict=True))
    files = [known[outcome.name] for outcome in good]
    if not calls or not good:
        return None
    error = report_error = ""
    with ResultStore(folder / "store") as store, measured() as took:
        names = [call.name for call in recipe.calls if not call.collect]
        collected = {name: _stored(store, [one.keys[name] for one in good]) for name in names}
        one = Pass(recipe, store, versions, collected=collected, files=files, has_report=has_report)
        try:
            one.run(calls)
        except StepFailedError as failed:
            error = str(failed)
            write_failed_item(store, folder / COLLECTED, error, traceback.format_exc())
        else:
            if not is_item_written(one, folder, COLLECTED):
                report_error = write_item(one, folder, COLLECTED)
    return outcome_of_pass(one, COLLECTED, error, report_error, took.seconds)


def _stored(store: ResultStore, keys: Sequence[str]) -> list[Any]:
    found = [store.find(key) for key in keys]
    if None in found:
        msg = f"a result in {store.folder} was damaged while the run went on: run it again"
        raise StoreError(msg)
    return found


def _shown_names(recipe: Recipe, items: Sequence[_Item]) -> list[str]:
    """Name items by their files, and by their folders of the run where names occur twice."""
    names = [", ".join(path.name for path in item.paths.values()) or recipe.name for item in items]
    count = Counter(names)
    return [
        name if count[name] == 1 else item.name for name, item in zip(names, items, strict=True)
    ]


def _write_index(
    recipe: Recipe, folder: Path, items: Sequence[_Item], outcomes: Sequence[Outcome]
) -> list[str]:
    """Write the page over all files; give what went wrong with it."""
    shown = [
        RunOutcome(
            source=name,
            folder=folder / item.name,
            error=outcome.error or outcome.report_error,
            seconds=outcome.seconds,
        )
        for name, item, outcome in zip(_shown_names(recipe, items), items, outcomes, strict=True)
    ]
    try:
        from adatom.report import write_index

        write_index(shown, folder, title=recipe.title)
        (folder / "index_error.txt").unlink(missing_ok=True)
    except Exception as error:  # noqa: BLE001 -- told in the summary, the results are there
        write_text_atomic(folder / "index_error.txt", traceback.format_exc())
        return [f"the index page failed: {type(error).__name__}: {error}"]
    return []


def _record(recipe: Recipe, items: Sequence[_Item], folder: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": recipe.title,
        "recipe": recipe.name,
        "recipe_sha256": hashlib.sha256(recipe.text.encode()).hexdigest(),
        "seed": recipe.seed,
        "adatom": adatom.__version__,
        "machine": machine(),
        "command": sys.argv,
        "started": now(),
        "items": [
            {
                "name": item.name,
                "paths": {name: _place(path, folder) for name, path in item.paths.items()},
                "inputs": {name: json_from_source(s) for name, s in item.sources.items()},
            }
            for item in items
        ],
    }


def _place(path: Path, folder: Path) -> dict[str, str]:
    """Say where a file is, also as seen from the run folder: both may move together."""
    # Unlike Path.resolve, realpath takes links in a circle as they are.
    real, real_folder = os.path.realpath(path), os.path.realpath(folder)
    try:
        relative = os.path.relpath(real, real_folder)
    except ValueError:
        # On another drive of Windows.
        relative = ""
    return {
        "absolute": str(path.absolute()),
        "relative": Path(relative).as_posix() if relative else "",
    }


def _with_outcomes(record: Mapping[str, Any], summary: RunSummary) -> dict[str, Any]:
    items = [
        {
            **item,
            "error": outcome.error,
            "report_error": outcome.report_error,
            "seconds": round(outcome.seconds, 6),
        }
        for item, outcome in zip(record["items"], summary.outcomes, strict=True)
    ]
    collected = summary.collected
    return {
        **record,
        "finished": now(),
        "items": items,
        "collected": None if collected is None else {"error": collected.error},
    }


def _write_record(folder: Path, record: Mapping[str, Any], status: str) -> None:
    text = json.dumps({**record, "status": status}, indent=1)
    write_text_atomic(folder / "provenance.json", text)
