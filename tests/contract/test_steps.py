"""Every public step of every stage keeps the house's contract."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import dask.array
import numpy as np
import pytest
import xarray as xr
from contract_example import Example
from contract_examples import EXAMPLES, NEEDS, READERS
from traveling import TravelingExecutor

from adatom.errors import AdatomError, KindError
from adatom.numerics import blocks
from adatom.numerics.executors import use_executor
from adatom.schema import Kind, kind_of_annotation
from adatom.units import QuantityRule

STAGES = (
    "io",
    "simulation",
    "correction",
    "networks",
    "localization",
    "descriptors",
    "decomposition",
    "clustering",
    "crystallography",
    "defects",
    "curves",
    "tracking",
    "dynamics",
    "pipelines",
)
VERBS = frozenset(
    {"read", "write", "correct", "predict", "locate", "find", "refine", "link", "fit", "assign"}
    | {"apply", "decompose", "cluster", "choose", "compare", "estimate", "count", "simulate"}
    | {"train", "export", "search", "plot", "list", "build", "add", "merge", "relax", "plan"}
    | {"train", "export", "search", "plot", "list", "build", "add", "merge", "relax"}
    | {"remove", "assess", "register"}
)
# Descriptors are named by the noun that they give; conversions as noun_from_noun.
NOUNS = re.compile(
    r"\w+_from_\w+|site_patches|window_(?:patches|spectra|quantiles|projections|moments)"
    r"|neighbor_vectors|edge_environments|edge_patches|neighbor_distances|neighborhood_composition|class_means|class_sums"
)


def _steps() -> Iterator[tuple[str, Callable[..., Any]]]:
    for stage in STAGES:
        module = import_module(f"adatom.{stage}")
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function):
                yield f"{stage}.{name}", function


STEPS = dict(_steps())
every_step = pytest.mark.parametrize("name", sorted(STEPS))


def _called(name: str) -> Any:
    """Give the name of a step, which is skipped where the library that it needs is missing."""
    trains = name.startswith(("networks.", "pipelines."))
    library = "torch" if trains else NEEDS.get(name, "adatom")
    missing = pytest.mark.skipif(find_spec(library) is None, reason=f"needs {library}")
    return pytest.param(name, marks=[missing, pytest.mark.network] if trains else missing)


every_example = pytest.mark.parametrize(
    "name", [_called(name) for name in sorted(set(STEPS) & set(EXAMPLES))]
)


def _hints(name: str) -> dict[str, Any]:
    return typing.get_type_hints(STEPS[name], include_extras=True)


def _parts(annotation: object) -> list[object]:
    """Split ``Sites | None`` into its alternatives."""
    if get_origin(annotation) in {typing.Union, types.UnionType}:
        return list(get_args(annotation))
    return [annotation]


def _is_data(annotation: object) -> bool:
    if kind_of_annotation(annotation) or annotation in {str, Path, type(None)}:
        return True
    if get_origin(annotation) is list:
        return all(_is_data(part) for part in get_args(annotation))
    if hasattr(annotation, "_fields"):
        # What a step gave as a whole, as the defects of an image.
        return all(map(_is_data, typing.get_type_hints(annotation, include_extras=True).values()))
    return dataclasses.is_dataclass(annotation)


def _is_setting(annotation: object) -> bool:
    if annotation in {str, int, float, bool, type(None)} or get_origin(annotation) is Literal:
        return True
    if get_origin(annotation) is Annotated:
        return any(isinstance(part, QuantityRule) for part in get_args(annotation))
    if get_origin(annotation) in {list, tuple, typing.Union, types.UnionType}:
        return all(_is_setting(part) for part in get_args(annotation) if part is not Ellipsis)
    return dataclasses.is_dataclass(annotation)


@every_step
def test_data_stand_before_the_slash_and_settings_after_the_star(name: str) -> None:
    signature, hints = inspect.signature(STEPS[name]), _hints(name)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY}
    for parameter in signature.parameters.values():
        allowed = _is_data if parameter.kind is inspect.Parameter.POSITIONAL_ONLY else _is_setting
        for part in _parts(hints[parameter.name]):
            assert allowed(part), f"{parameter.name}: {part} has no place there"


@every_step
def test_a_step_takes_at_most_three_data_and_six_settings(name: str) -> None:
    parameters = inspect.signature(STEPS[name]).parameters.values()
    data = [p for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY]
    assert len(data) <= 3
    assert len(parameters) - len(data) <= 6


@every_step
def test_randomness_is_an_integer_seed(name: str) -> None:
    parameters, hints = inspect.signature(STEPS[name]).parameters, _hints(name)
    assert not {"random_state", "rng", "random_seed"} & set(parameters)
    if "seed" in parameters:
        assert hints["seed"] is int
        assert isinstance(parameters["seed"].default, int)


@every_step
def test_a_step_is_named_by_a_verb_of_the_list_or_the_noun_it_gives(name: str) -> None:
    word = name.partition(".")[2]
    assert word.partition("_")[0] in VERBS or NOUNS.fullmatch(word)


@every_step
def test_the_docstring_tells_of_every_parameter_in_order(name: str) -> None:
    doc = inspect.getdoc(STEPS[name])
    assert doc, "no docstring"
    assert re.match(r"[A-Z][^\n]+\.\n", doc), "the first line is not a sentence"
    names = list(inspect.signature(STEPS[name]).parameters)
    if names:
        assert "\nParameters\n----------\n" in doc
        section = doc.split("\nParameters\n----------\n")[1]
        section = re.split(r"\n[A-Z][a-z]+\n-{4,}\n", section)[0]
        told = [
            word.strip("* ")
            for line in section.splitlines()
            if line and not line.startswith(" ") and " : " in line
            for word in line.split(" : ")[0].split(",")
        ]
        assert told == names
    assert "\nReturns\n-------\n" in doc
    assert "\n>>> " in doc, "no example that runs"


@every_step
def test_every_step_has_an_example_for_this_contract(name: str) -> None:
    assert name in EXAMPLES or name in READERS


@every_example
def test_a_foreign_object_is_refused_with_a_clear_error(name: str) -> None:
    example = EXAMPLES[name]()
    if not example.data:
        pytest.skip("takes no data")
    foreign = 3.5 if kind_of_annotation(_first_hint(name)) else object()
    with pytest.raises((KindError, AdatomError)):
        STEPS[name](foreign, *example.data[1:], **example.settings)


def _first_hint(name: str) -> object:
    return next(iter(_hints(name).values()))


def _run(name: str, example: Example) -> list[Any]:
    return _leaves(STEPS[name](*example.data, **example.settings))


def _leaves(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in _leaves(part)]
    if isinstance(result, dict):
        return [*result, *(leaf for part in result.values() for leaf in _leaves(part))]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        fields = dataclasses.fields(result)
        return [leaf for field in fields for leaf in _leaves(getattr(result, field.name))]
    return [result]


def _assert_identical(ones: list[Any], others: list[Any]) -> None:
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        assert type(one) is type(other)
        if isinstance(one, xr.DataArray | xr.Dataset):
            xr.testing.assert_identical(one.compute(), other.compute())
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        elif isinstance(one, float):
            assert one == other or (np.isnan(one) and np.isnan(other))
        else:
            assert one == other


@every_example
def test_results_are_of_the_annotated_kinds(name: str) -> None:
    returns = _hints(name)["return"]
    result = STEPS[name](*EXAMPLES[name]().data, **EXAMPLES[name]().settings)
    if isinstance(result, tuple):
        hints = typing.get_type_hints(type(result), include_extras=True)
        pairs = list(zip(hints.values(), result, strict=True))
    else:
        pairs = [(returns, result)]
    for annotation, value in pairs:
        kind = kind_of_annotation(annotation)
        if isinstance(kind, Kind):
            kind.check(value)
        elif isinstance(annotation, type):
            assert isinstance(value, annotation)


@every_example
def test_input_is_not_changed(name: str) -> None:
    example = EXAMPLES[name]()
    before = [
        data.copy(deep=True) if isinstance(data, xr.DataArray | xr.Dataset) else data
        for data in example.data
    ]
    _run(name, example)
    _assert_identical(list(example.data), before)


@every_example
def test_the_same_call_gives_the_same_bits(name: str) -> None:
    _assert_identical(_run(name, EXAMPLES[name]()), _run(name, EXAMPLES[name]()))


@every_example
def test_work_that_travels_to_other_processes_gives_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the small data of the examples are several blocks.
    monkeypatch.setattr(blocks, "_ROWS_PER_BLOCK", 16)
    here = _run(name, EXAMPLES[name]())
    with use_executor(TravelingExecutor()):
        elsewhere = _run(name, EXAMPLES[name]())
    _assert_identical(here, elsewhere)


def _chunked(data: Any, size: int) -> Any:
    if isinstance(data, xr.DataArray) and data.dtype.kind == "f":
        return data.chunk(dict.fromkeys(data.dims, size))
    return data


@every_example
@pytest.mark.parametrize("size", [7, 16])
def test_chunking_does_not_change_the_result(name: str, size: int) -> None:
    example = EXAMPLES[name]()
    data = tuple(_chunked(part, size) for part in example.data)
    if not any(
        isinstance(part, xr.DataArray) and isinstance(part.data, dask.array.Array) for part in data
    ):
        pytest.skip("takes no arrays")
    chunked = Example(data, example.settings)
    _assert_identical(_run(name, chunked), _run(name, example))


@every_example
def test_float32_stays_float32(name: str) -> None:
    example = EXAMPLES[name]()
    if not any(isinstance(d, xr.DataArray) and d.dtype.kind == "f" for d in example.data):
        pytest.skip("takes no real arrays")
    single = tuple(
        d.astype(np.float32) if isinstance(d, xr.DataArray) and d.dtype.kind == "f" else d
        for d in example.data
    )
    for result in _run(name, Example(single, example.settings)):
        if isinstance(result, xr.DataArray) and result.dtype.kind == "f":
            assert result.dtype == np.float32


@every_example
def test_places_in_the_result_carry_a_unit_of_space(name: str) -> None:
    for result in _run(name, EXAMPLES[name]()):
        if isinstance(result, xr.DataArray | xr.Dataset):
            for axis in {"y", "x"} & set(map(str, result.coords)):
                assert result.coords[axis].attrs.get("units") in {"nm", "mm", "px"}


@every_example
def test_measured_numbers_have_names_and_units(name: str) -> None:
    for result in _run(name, EXAMPLES[name]()):
        if isinstance(result, xr.DataArray) and "measure" in result.dims:
            assert result.coords["measure"].dtype.kind == "U"
            assert result.coords["unit"].dims == ("measure",)
