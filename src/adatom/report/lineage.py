"""The results of a run by their names, and what each was made from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from adatom.schema import CLASSES, SITES, TABLE, kind_of_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adatom.report.records import RunRecord, StepRecord
    from adatom.schema import Kind


@dataclass(frozen=True, eq=False)
class Result:
    """One result of one step.

    Attributes
    ----------
    name : str
        As recipes write it: "atoms" or "found.classes".
    """

    name: str
    step: StepRecord
    value: Any
    kind: Kind | None


def with_names(value: Any, files: Sequence[str], /) -> Any:  # noqa: ANN401 -- any result
    """Put names of files in the place of their numbers, where results of many are collected."""
    if not files or not isinstance(value, xr.Dataset | xr.DataArray):
        return value
    known = value if isinstance(value, xr.Dataset) else value.coords
    if "file" not in known or known["file"].dtype.kind != "i":
        return value
    number = known["file"].variable
    if number.values.min(initial=0) < 0 or number.values.max(initial=0) >= len(files):
        return value
    named = number.copy(data=np.array(files)[number.values])
    if isinstance(value, xr.Dataset) and "file" in value.data_vars:
        return value.assign(file=named)
    return value.assign_coords(file=named)


@dataclass(frozen=True, eq=False)
class Lineage:
    """A run as a graph: results, and the steps that took them."""

    record: RunRecord

    @cached_property
    def results(self) -> dict[str, Result]:
        """All results in the order in which they were made."""
        found = {}
        for step in self.record.steps:
            for field, value in step.results.items():
                name = f"{step.name}.{field}" if field else step.name
                kind = kind_of_data(value)
                # Small against maps, and looked at from many sides: read once.
                whole = value.compute() if kind in (SITES, CLASSES, TABLE) else value
                found[name] = Result(name, step, with_names(whole, self.record.files), kind)
        return found

    def of_step(self, step: StepRecord, /) -> list[Result]:
        """Give the results of one step."""
        return [result for result in self.results.values() if result.step is step]

    def of_kind(self, kind: Kind, /) -> list[Result]:
        """Give all results of a kind."""
        return [result for result in self.results.values() if result.kind is kind]

    def origins(self, step: StepRecord, /) -> Iterator[Result]:
        """Go through what a step was made from, the nearest first."""
        seen: set[str] = set()
        waiting = deque(step.data)
        while waiting:
            name = waiting.popleft()
            if name in seen:
                continue
            seen.add(name)
            result = self.results.get(name)
            if result is not None:
                yield result
                waiting.extend(result.step.data)

    def origin(self, step: StepRecord, /, *kinds: Kind) -> Result | None:
        """Find the nearest result of one of some kinds that a step was made from."""
        return next((one for one in self.origins(step) if one.kind in kinds), None)
