"""Steps found by name, with what their signatures say."""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from adatom.errors import RecipeError

STAGES: Final = (
    "io", "simulation", "correction", "networks", "localization", "descriptors",
    "decomposition", "clustering", "crystallography", "defects", "curves", "dynamics", "pipelines",
    "report",
)  # fmt: skip
"""Rooms of adatom whose public functions are steps."""

ENTRY_POINTS: Final = "adatom.steps"
"""Group of entry points: the name is the stage, the value a module with ``__all__``."""


@dataclass(frozen=True)
class Parameter:
    """A data or setting parameter of a step."""

    name: str
    annotation: Any
    default: Any
    """``inspect.Parameter.empty`` if it has none."""

    @property
    def is_required(self) -> bool:
        """Whether a recipe has to give it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Step:
    """A public function and its signature."""

    name: str
    function: Any
    data: tuple[Parameter, ...]
    settings: Mapping[str, Parameter]
    gives: Any
    """The annotation of its result."""

    @property
    def summary(self) -> str:
        """First line of the docstring, without marks of references and code."""
        line = (inspect.getdoc(self.function) or self.name).partition("\n")[0]
        return re.sub(r" \[\w+\]_|`", "", line)


def suggestion(name: str, known: typing.Iterable[str]) -> str:
    """Say which known name was perhaps meant, else list them."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(choices)}" if choices else "there are none"


@cache
def find_step(name: str, /) -> Step:
    """Find a step by stage and function.

    Parameters
    ----------
    name : str
        Such as "localization.find_atoms".

    Raises
    ------
    RecipeError
        If there is no such stage or function, or the function is no step.
    """
    stage, _, function_name = name.partition(".")
    module = _stage_module(stage)
    public = [key for key in getattr(module, "__all__", ()) if not key.startswith("_")]
    if function_name not in public:
        msg = f"{stage} has no step `{function_name}`: {_step_suggestion(name, stage, public)}"
        raise RecipeError(msg)
    function = getattr(module, function_name)
    if not inspect.isfunction(function):
        msg = f"{name} is a {type(function).__name__}, not a step"
        raise RecipeError(msg)
    return step_from_function(function, name=name)


def _stage_module(stage: str) -> ModuleType:
    if stage in STAGES:
        return import_module(f"adatom.{stage}")
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if stage not in points:
        msg = f"there is no stage `{stage}`: {suggestion(stage, [*STAGES, *points])}"
        raise RecipeError(msg)
    module = points[stage].load()
    if not isinstance(module, ModuleType):
        msg = f"entry point {stage!r} of group {ENTRY_POINTS!r} must name a module with __all__"
        raise RecipeError(msg)
    return module


def _step_suggestion(name: str, stage: str, public: list[str]) -> str:
    """Look for the function in other stages too, where people often seek it."""
    function_name = name.partition(".")[2]
    for other in STAGES:
        if other != stage and function_name in getattr(
            import_module(f"adatom.{other}"), "__all__", ()
        ):
            return f"did you mean `{other}.{function_name}`?"
    return suggestion(function_name, (key for key in public if key.islower()))


def step_from_function(function: Any, /, *, name: str) -> Step:  # noqa: ANN401 -- any function
    """Read the signature of a step.

    Raises
    ------
    RecipeError
        If its data do not stand before ``/`` and its settings after ``*``, or
        its annotations name what is imported for type checkers only.
    """
    signature = inspect.signature(function)
    try:
        # The kinds are in the extras.
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        msg = f"{name} is no step: its annotations cannot be read at run time ({error})"
        raise RecipeError(msg) from error
    data, settings = [], {}
    for parameter in signature.parameters.values():
        made = Parameter(parameter.name, hints.get(parameter.name, Any), parameter.default)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            data.append(made)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            settings[parameter.name] = made
        else:
            msg = f"{name} is no step: `{parameter.name}` stands neither before `/` nor after `*`"
            raise RecipeError(msg)
    return Step(name, function, tuple(data), settings, hints.get("return", Any))
