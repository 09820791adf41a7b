"""A run folder, opened: results by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adatom.errors import RecipeError, StoreError
from adatom.recipes.cache import ResultStore
from adatom.recipes.recipe import Recipe, read_recipe
from adatom.recipes.runs import COLLECTED
from adatom.recipes.steps import suggestion

NOT_FINISHED: Final = "it was not finished"
"""Stands as the error of an item whose run still goes on, or was interrupted."""


@dataclass(frozen=True)
class ItemResults:
    """Results of one item of a run, read from the store when asked for."""

    folder: Path
    keys: Mapping[str, str]
    """Name of a result to its key in the store."""
    error: str = ""
    """Why the item failed, empty if it did not."""

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def report(self) -> Path:
        """The HTML file."""
        return self.folder / "report.html"

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- whatever steps give
        """Read a result, or a field of it: ``"atoms"``, ``"found.classes"``."""
        root, *path = name.split(".")
        if root not in self.keys:
            why = f" (it failed: {self.error})" if self.error else ""
            msg = f"{self.name} has no result `{root}`{why}: {suggestion(root, self.keys)}"
            raise RecipeError(msg)
        with ResultStore(self.folder.parent / "store") as store:
            stored = store.find(self.keys[root])
        if stored is None:
            msg = f"result `{root}` of {self.name} is missing or damaged: run the recipe again"
            raise StoreError(msg)
        value = stored.load()
        for field in path:
            if not hasattr(value, field):
                msg = f"`{root}` of {self.name} has no field `{field}`"
                raise RecipeError(msg)
            value = getattr(value, field)
        return value

    def provenance(self) -> dict[str, Any]:
        """Read how the results were made."""
        return _read_json(self.folder / "provenance.json")


@dataclass(frozen=True)
class Run:
    """A run folder.

    ``run["atoms"]`` reads a result of a run over one file; of several, take
    the item first: ``run.items["image-1a2b3c4d"]["atoms"]``.
    """

    folder: Path
    record: Mapping[str, Any]
    """What ``provenance.json`` says."""
    items: Mapping[str, ItemResults]
    collected: ItemResults | None = None
    """What was made once after all files."""

    @property
    def recipe(self) -> Recipe:
        """The recipe as run, changed settings included."""
        return read_recipe(self.folder / "recipe.toml")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- whatever steps give
        if self.collected is not None and name.partition(".")[0] in self.collected.keys:
            return self.collected[name]
        if len(self.items) != 1:
            known = ", ".join(self.items)
            msg = f"this run has {len(self.items)} items, take one by run.items[...]: {known}"
            raise RecipeError(msg)
        return next(iter(self.items.values()))[name]


def open_run(folder: str | Path, /) -> Run:
    """Open a run folder, also one that was moved.

    Parameters
    ----------
    folder : str or Path
        As given to ``--out``.

    Raises
    ------
    StoreError
        If it is not the folder of a run.

    Examples
    --------
    >>> run = open_run("runs/demo")  # doctest: +SKIP
    >>> run["atoms"].sizes["site"]  # doctest: +SKIP
    2310
    """
    place = Path(folder)
    if not (place / "recipe.toml").is_file() or not (place / "provenance.json").is_file():
        msg = f"{place} is not the folder of a run: it has no recipe.toml and provenance.json"
        raise StoreError(msg)
    with _reading(place / "provenance.json"):
        record = _read_json(place / "provenance.json")
        items = {item["name"]: _item(place / item["name"], item) for item in record["items"]}
        described = record.get("collected")
        collected = None if described is None else _item(place / COLLECTED, described)
    return Run(place, record, items, collected)


def _item(folder: Path, described: Mapping[str, Any]) -> ItemResults:
    error = described.get("error", "")
    if error or not (folder / "results.json").is_file():
        return ItemResults(folder, {}, error or NOT_FINISHED)
    with _reading(folder / "results.json"):
        results = _read_json(folder / "results.json")["results"]
        return ItemResults(folder, {name: result["key"] for name, result in results.items()})


def _read_json(path: Path) -> dict[str, Any]:
    with _reading(path):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged record leads to into one error that names its file."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        msg = f"{path} is damaged ({type(error).__name__}: {error}): run the recipe again"
        raise StoreError(msg) from error
