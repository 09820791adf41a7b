"""A run repeated from scratch, and compared with what it gave."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adatom.errors import ReadError
from adatom.recipes.cache import ResultStore, StoredResult
from adatom.recipes.identity import find_differences
from adatom.recipes.opened import ItemResults, Run, open_run
from adatom.recipes.runs import Progress, run_recipe
from adatom.recipes.sources import source_of_path


@dataclass(frozen=True)
class Repetition:
    """What repeating a run showed."""

    n_results: int
    """Results that were compared."""
    differences: tuple[str, ...] = ()
    """Every difference between old and new results, with its place."""
    changed_inputs: tuple[str, ...] = ()
    """Files that are gone or not the same any more."""
    changed_code: tuple[str, ...] = ()
    """Steps whose sources or libraries have changed since."""

    @property
    def is_identical(self) -> bool:
        """Whether all results came out as they were."""
        return not self.differences and not self.changed_inputs


def repeat_run(
    folder: str | Path,
    /,
    *,
    n_processes: int | None = None,
    progress: Progress | None = None,
) -> Repetition:
    """Repeat a run from its own recipe and recorded files, using no stored result.

    Parameters
    ----------
    folder : str or Path
        The run folder; it is only read. It may have been moved, with its
        input files or without.
    n_processes : int, optional
        Files worked on at once; by default one a processor.
    progress : Progress, optional
        Told what is being done.

    Returns
    -------
    Repetition
        Arrays and tables count, times, memory and reports do not.

    Raises
    ------
    StoreError
        If `folder` is not the folder of a run.
    """
    run = open_run(folder)
    items = list(run.record["items"])
    located = [_located(item, run.folder) for item in items]
    changed = [line for _, lines in located for line in lines]
    kept = [k for k, (paths, _) in enumerate(located) if paths is not None]
    if items and not kept:
        return Repetition(0, changed_inputs=tuple(changed))
    inputs = {
        call.name: [(located[k][0] or {})[call.name] for k in kept] for call in run.recipe.inputs
    }
    with tempfile.TemporaryDirectory(prefix="adatom-rerun-") as place:
        run_recipe(
            run.recipe,
            out=Path(place) / "run",
            inputs=inputs,
            n_processes=n_processes,
            reports=False,
            progress=progress,
        )
        again = open_run(Path(place) / "run")
        old = [run.items[items[k]["name"]] for k in kept]
        pairs = list(zip(old, again.items.values(), strict=True))
        if run.collected is not None and again.collected is not None:
            pairs.append((run.collected, again.collected))
        return _compared(run, again, pairs, changed)


def _located(item: Mapping[str, Any], folder: Path) -> tuple[dict[str, Path] | None, list[str]]:
    """Find the files of an item, where they were or beside the run folder."""
    paths, changed = {}, []
    for name, place in item["paths"].items():
        recorded = item["inputs"].get(name, {}).get("sha256")
        absolute = Path(place["absolute"])
        candidates = [absolute]
        if place["relative"]:
            candidates.append(folder.resolve() / place["relative"])
        found = [path for path in candidates if path.exists()]
        same = [path for path in found if _digest(path) == recorded]
        if not same and recorded is not None:
            what = "has changed since" if found else "is gone"
            changed.append(f"{absolute} {what} (input `{name}`)")
        if not found and recorded is not None:
            return None, changed
        # A file that was never there fails again, as it should.
        paths[name] = (same or found or [absolute])[0]
    return paths, changed


def _digest(path: Path) -> str | None:
    try:
        return source_of_path(path).sha256
    except ReadError:
        return None


def _compared(
    run: Run, again: Run, pairs: list[tuple[ItemResults, ItemResults]], changed: list[str]
) -> Repetition:
    differences: list[str] = []
    changed_code: dict[str, None] = {}
    n_results = 0
    with ResultStore(run.folder / "store") as old, ResultStore(again.folder / "store") as new:
        for before, after in pairs:
            # What fails again may say so in other words: paths differ.
            if bool(before.error) != bool(after.error):
                was, now = before.error or "went well", after.error or "goes well"
                differences.append(f"{before.name}: was: {was}; now: {now}")
            for name, key in before.keys.items():
                n_results += 1
                first = old.find(key)
                second = new.find(after.keys[name]) if name in after.keys else None
                place = f"{before.name}: {name}"
                if first is None or second is None:
                    which = "stored result is damaged" if first is None else "is not made any more"
                    differences.append(f"{place} {which}")
                    continue
                differences += _differences(first, second, place)
                if first.origin["code"] != second.origin["code"]:
                    changed_code[second.origin["step"]] = None
    return Repetition(n_results, tuple(differences), tuple(changed), tuple(changed_code))


def _differences(first: StoredResult, second: StoredResult, name: str) -> list[str]:
    if first.files == second.files:
        # Written alike to the last byte: no need to load them.
        return []
    return find_differences(first.load(), second.load(), name=name)
