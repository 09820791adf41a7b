"""The folder of an item: which results it has, their record, and the report."""

from __future__ import annotations

import hashlib
import json
import shutil
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import adatom
from adatom.errors import StoreError
from adatom.recipes.cache import ResultStore
from adatom.recipes.measuring import machine, now
from adatom.recipes.passes import Pass
from adatom.recipes.sources import Source
from adatom.recipes.steps import find_step
from adatom.recipes.threads import one_blas_thread
from adatom.report.records import RunRecord, SourceRecord, StepRecord

FORMAT: Final = 1
REPORT: Final = "report.html"
_N_TRIALS: Final = 20


def is_item_written(one: Pass, run_folder: Path, name: str) -> bool:
    """Tell whether the folder of an item already shows these very results."""
    folder = run_folder / name
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    is_shown = (folder / REPORT).is_file() or not one.has_report
    return results.get("fingerprint") == _fingerprint(one) and is_shown


def write_item(one: Pass, run_folder: Path, name: str) -> str:
    """Write the folder of an item beside its place, then move it there.

    Returns
    -------
    str
        Why the report could not be written, empty if it was.
    """
    draft = one.store.new_draft()
    error = _write_report(one, run_folder, draft) if one.has_report else ""
    _write_json(draft / "provenance.json", _provenance(one, error))
    # Without its fingerprint a folder counts as not written: the next run
    # tries the report again.
    fingerprint = "" if error else _fingerprint(one)
    results = {
        key: {"key": done.stored.key, "step": done.call.step} for key, done in one.done.items()
    }
    _write_json(
        draft / "results.json",
        {
            "format": FORMAT,
            "title": one.recipe.title,
            "results": results,
            "fingerprint": fingerprint,
        },
    )
    _move_in(draft, run_folder / name, one.store)
    return error


def write_failed_item(store: ResultStore, place: Path, error: str, trace: str) -> None:
    """Keep the traceback of an item that failed.

    A report of an earlier run goes: it would pass for one of this run.
    """
    draft = store.new_draft()
    (draft / "error.txt").write_text(f"{error}\n\n{trace}", encoding="utf-8")
    _move_in(draft, place, store)


def _move_in(draft: Path, place: Path, store: ResultStore) -> None:
    """Put a folder in its place, whatever stands there; others may do the same."""
    error: OSError | None = None
    for _ in range(_N_TRIALS):
        try:
            draft.rename(place)
        except OSError as in_the_way:
            error = in_the_way
        else:
            return
        old = store.new_draft()
        with suppress(OSError):
            place.rename(old / "old")
        shutil.rmtree(old, ignore_errors=True)
    msg = f"cannot put a folder at {place}: {error}"
    raise StoreError(msg)


def _fingerprint(one: Pass) -> str:
    content = {
        "adatom": adatom.__version__,
        "recipe": one.recipe.text,
        "report": one.versions["report"].digest,
        "results": {key: done.stored.key for key, done in one.done.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_report(one: Pass, run_folder: Path, folder: Path) -> str:
    """Write the report; whatever goes wrong in it must not cost the results."""
    try:
        from adatom.report import write_report

        with one_blas_thread():
            write_report(record_of_pass(one, run_folder), folder)
    except Exception as error:  # noqa: BLE001 -- told in the outcome, traceback kept
        (folder / "report_error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        return f"the report failed: {type(error).__name__}: {error}"
    return ""


def record_of_pass(one: Pass, run_folder: Path) -> RunRecord:
    """Gather what a report is written from."""
    return RunRecord(
        title=one.recipe.title,
        recipe=one.recipe.text,
        steps=_step_records(one),
        sources=tuple(
            SourceRecord(name, source.path, source.sha256, source.n_bytes)
            for name, source in one.sources.items()
        ),
        provenance=_versions(one),
        repeat=f"adatom rerun {run_folder.name}",
        files=tuple(one.files),
        pictures=one.recipe.pictures,
    )


def _step_records(one: Pass) -> tuple[StepRecord, ...]:
    """Gather the steps of a pass with their results."""
    steps = []
    for name, done in one.done.items():
        value, origin = one.value(name), done.stored.origin
        is_named = isinstance(value, tuple) and hasattr(value, "_fields")
        steps.append(
            StepRecord(
                name=name,
                step=done.call.step,
                data=done.call.data,
                settings=origin["settings"],
                summary=find_step(done.call.step).summary,
                results=value._asdict() if is_named else {"": value},
                key=done.stored.key,
                reused=done.reused,
                seconds=origin["seconds"],
                peak_memory=origin["peak_memory"],
                warnings=tuple(origin["warnings"]),
            )
        )
    return tuple(steps)


def _versions(one: Pass) -> dict[str, Any]:
    libraries = {
        name: version
        for call in one.recipe.calls
        for name, version in one.versions[call.step].libraries.items()
    }
    return {
        "adatom": adatom.__version__,
        "libraries": dict(sorted(libraries.items())),
        "machine": machine(),
        "seed": one.recipe.seed,
        "written": now(),
    }


def _provenance(one: Pass, report_error: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": one.recipe.title,
        **_versions(one),
        "inputs": {
            name: {"path": str(source.path.resolve()), **json_from_source(source)}
            for name, source in one.sources.items()
        },
        "results": {
            name: {"key": done.stored.key, "reused": done.reused, **done.stored.origin}
            for name, done in one.done.items()
        },
        "report_error": report_error,
    }


def json_from_source(source: Source, /) -> dict[str, Any]:
    """Describe an input file."""
    return {
        "sha256": source.sha256,
        "n_bytes": source.n_bytes,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
