"""What a report is written from: the steps of a run, their results and their origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceRecord:
    """A file that was read."""

    input: str
    """Name of the recipe's input that it filled."""
    path: Path
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class StepRecord:
    """One step of a recipe, done."""

    name: str
    """Name of the step's table in the recipe, by which its result goes."""
    step: str
    """Stage and function, such as "localization.find_atoms"."""
    data: tuple[str, ...]
    """Names of the results that it took, such as ("image", "found.classes")."""
    settings: Mapping[str, Any]
    """Every setting, defaults included."""
    summary: str
    """First line of the function's docstring."""
    results: Mapping[str, Any]
    """Field to value; the one key of a step with a single result is ""."""
    key: str
    """Under which the result is stored."""
    reused: bool = False
    """Whether the result was in the store already."""
    seconds: float | None = None
    peak_memory: int | None = None
    """Largest resident size of the process so far, in bytes."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunRecord:
    """One pass of a recipe over one set of inputs."""

    title: str
    recipe: str
    """The recipe's text, changed settings included."""
    steps: tuple[StepRecord, ...]
    sources: tuple[SourceRecord, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Versions, machine, times, seed: JSON values."""
    repeat: str = ""
    """The command that repeats the run."""
    files: tuple[str, ...] = ()
    """Names of the files whose results were collected, in the order in which they are counted."""
    pictures: tuple[str, ...] | None = None
    """Names of the steps that the recipe wants pictures of; of all if None."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run over many files went for one of them, for the index page."""

    source: str
    """The file, as the user named it."""
    folder: Path
    """Where its report lies; `write_report` leaves there what the index shows."""
    error: str = ""
    """Why it failed: the text of the error, nothing if it did not."""
    seconds: float | None = None
