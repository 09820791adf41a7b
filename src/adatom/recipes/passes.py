"""One pass of a recipe: each step from the store, or computed and stored."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import adatom
from adatom.errors import AdatomError, AdatomWarning
from adatom.numerics.executors import current_executor
from adatom.numerics.long_work import lend_long_work
from adatom.numerics.memory import release_memory
from adatom.numerics.origins import Origin, lend_origin
from adatom.recipes.cache import ResultStore, StoredResult
from adatom.recipes.code import CodeVersion
from adatom.recipes.measuring import machine, measured, now
from adatom.recipes.recipe import LEFT_OUT, Call, Recipe
from adatom.recipes.sources import Source
from adatom.recipes.steps import Step, find_step
from adatom.recipes.threads import one_blas_thread
from adatom.recipes.values import json_from_value, settings_of

OnStep = Callable[[str, bool], None]
"""Called after every step with the name of its result and whether it was reused."""

# Seconds: what took so long held enough memory to be worth giving back.
_LONG: Final = 0.5


@dataclass(frozen=True)
class DoneStep:
    """A step that is in the store now."""

    call: Call
    stored: StoredResult
    reused: bool


class StepFailedError(Exception):
    """A step of a recipe raised; the cause is what it raised."""

    def __init__(self, call: Call, cause: BaseException) -> None:
        self.call, self.cause = call, cause
        reason = str(cause) or type(cause).__name__
        if not isinstance(cause, AdatomError):
            # Not foreseen: the type tells more than the text.
            reason = f"{type(cause).__name__}: {reason}"
        super().__init__(f"[{call.name}] {call.step}: {reason}")


@dataclass
class Pass:
    """A pass of a recipe over one set of files, or over the results of all passes.

    Attributes
    ----------
    recipe : Recipe
        Wired already.
    store : ResultStore
        Where results are sought and kept.
    versions : mapping of str to CodeVersion
        Of every step of the recipe.
    sources : mapping of str to Source
        The file of every input.
    """

    recipe: Recipe
    store: ResultStore
    versions: Mapping[str, CodeVersion]
    sources: Mapping[str, Source] = field(default_factory=dict)
    done: dict[str, DoneStep] = field(default_factory=dict)
    collected: Mapping[str, Sequence[StoredResult]] = field(default_factory=dict)
    """For steps that collect: the results of all files by name."""
    files: Sequence[str] = ()
    """For steps that collect: the names of these files."""
    has_report: bool = True
    """Whether its folder gets a report of its own."""
    _loaded: dict[str, Any] = field(default_factory=dict)

    def run(self, calls: Sequence[Call], on_step: OnStep | None = None, /) -> None:
        """Run tables of the recipe in their order.

        Raises
        ------
        StepFailedError
            If a step raises; what was done before it is stored.
        """
        for call in calls:
            try:
                with one_blas_thread():
                    self.done[call.name] = self._run_one(call)
            except Exception as error:
                raise StepFailedError(call, error) from error
            if on_step is not None:
                on_step(call.name, self.done[call.name].reused)

    def look_up(self, calls: Sequence[Call], /) -> bool:
        """Find tables of the recipe in the store; False at the first that is not there."""
        for call in calls:
            settings = settings_of(find_step(call.step), call.settings, self.recipe.seed)
            stored, _ = self._find(self._key(call, settings))
            if stored is None or not _still_true(find_step(call.step), stored):
                return False
            self.done[call.name] = DoneStep(call, stored, reused=True)
        return True

    def _run_one(self, call: Call) -> DoneStep:
        step = find_step(call.step)
        settings = settings_of(step, call.settings, self.recipe.seed)
        key = self._key(call, settings)
        stored, damage = self._find(key)
        if stored is not None and _still_true(step, stored):
            return DoneStep(call, stored, reused=True)
        with lend_long_work(self.store.unfinished(key)):
            result, origin = self._compute(call, step, settings)
        origin["warnings"] = [*damage, *origin["warnings"]]
        added = self.store.add(key, result, origin)
        self.store.remove_unfinished(key)
        del result
        if origin["seconds"] > _LONG:
            release_memory()
        return DoneStep(call, added, reused=False)

    def _find(self, key: str) -> tuple[StoredResult | None, list[str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AdatomWarning)
            stored = self.store.find(key)
        return stored, _texts(caught)

    def _key(self, call: Call, settings: Mapping[str, Any]) -> str:
        content = {
            "step": call.step,
            "code": self.versions[call.step].digest,
            "settings": json_from_value(settings),
            "data": [self._data_key(name) for name in call.data],
        }
        if call.is_input:
            # The name as well: it tells the format, and stands in the result.
            source = self.sources[call.name]
            content["file"] = [source.path.name, source.sha256]
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _data_key(self, name: str) -> Any:  # noqa: ANN401 -- JSON
        if name == LEFT_OUT:
            return None
        root, _, path = name.partition(".")
        if root in self.collected:
            return [[stored.key, path] for stored in self.collected[root]]
        return [self.done[root].stored.key, path]

    def _compute(
        self, call: Call, step: Step, settings: Mapping[str, Any]
    ) -> tuple[object, dict[str, Any]]:
        if call.is_input:
            data: list[Any] = [self.sources[call.name].path]
        else:
            data = [self.value(name) for name in call.data]
        with (
            lend_origin(self._origin()),
            warnings.catch_warnings(record=True) as caught,
            measured() as took,
        ):
            _record_warnings()
            result = step.function(*data, **settings)
        version = self.versions[call.step]
        origin = {
            "step": call.step,
            "data": list(call.data),
            "settings": json_from_value(settings),
            "code": version.digest,
            "libraries": version.libraries,
            "adatom": adatom.__version__,
            "machine": machine(),
            "executor": repr(current_executor()),
            "made": now(),
            "seconds": round(took.seconds, 6),
            "cpu_seconds": round(took.cpu_seconds, 6),
            "peak_memory": took.peak_memory,
            "warnings": _texts(caught),
        }
        return result, origin

    def _origin(self) -> Origin:
        return Origin(
            recipe=self.recipe.title,
            recipe_sha256=hashlib.sha256(self.recipe.text.encode()).hexdigest(),
            files={source.path.name: source.sha256 for source in self.sources.values()},
        )

    def value(self, name: str) -> Any:  # noqa: ANN401 -- whatever steps give
        """Load a result, or a field of it, as the next step gets it.

        Always from the store, so that a run that is resumed computes with
        the very same arrays as one that was never interrupted.
        """
        if name == LEFT_OUT:
            return None
        root, *path = name.split(".")
        if root not in self._loaded:
            if root in self.collected:
                self._loaded[root] = [stored.load() for stored in self.collected[root]]
            else:
                self._loaded[root] = self.done[root].stored.load()
        found = self._loaded[root]
        if root in self.collected:
            return [_field(one, path) for one in found]
        return _field(found, path)


def _still_true(step: Step, stored: StoredResult) -> bool:
    """Ask a result that tells of something outside of the run folder whether it holds yet.

    Such results, as of rows in a library, have a method ``still_true``.
    """
    if not hasattr(step.gives, "still_true"):
        return True
    return bool(stored.load().still_true())


def _field(value: object, path: Sequence[str]) -> Any:  # noqa: ANN401 -- whatever steps give
    for name in path:
        value = getattr(value, name)
    return value


def _record_warnings() -> None:
    """Record what users of a library see, not what its developers see."""
    warnings.simplefilter("default")
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


def _texts(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """Give each text once; those that are not of adatom with their category."""
    texts: dict[str, None] = {}
    for warning in caught:
        text = " ".join(str(warning.message).split())
        if not issubclass(warning.category, AdatomWarning):
            text = f"{warning.category.__name__}: {text}"
        texts[text] = None
    return list(texts)
