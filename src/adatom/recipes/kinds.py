"""What a result is and what a step takes, compared without any data."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from adatom.schema import kind_of_annotation


def alternatives(annotation: object, /) -> tuple[Any, ...]:
    """Split a union into its members, `None` left out."""
    if kind_of_annotation(annotation) is None and get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [alternatives(part) for part in get_args(annotation)]
        return tuple(part for group in members for part in group)
    return () if annotation in (None, type(None)) else (annotation,)


def element(annotation: object, /) -> Any | None:  # noqa: ANN401 -- any annotation
    """Give what a sequence is of, or None if the annotation is no sequence."""
    for part in alternatives(annotation):
        if get_origin(part) in (list, tuple, Sequence):
            return get_args(part)[0]
    return None


def describe(annotation: object, /) -> str:
    """Name an annotation as a user knows it."""
    names = []
    for part in alternatives(annotation):
        kind, inner = kind_of_annotation(part), element(part)
        if kind is not None:
            names.append(kind.name)
        elif inner is not None:
            names.append(f"list of {describe(inner)}")
        else:
            names.append(getattr(part, "__name__", str(part)))
    return " or ".join(names) or "nothing"


def fits(given: object, wanted: object, /) -> bool:
    """Tell whether a result of one annotation may be data of another.

    True where this cannot be known before the data are there.
    """
    if not alternatives(given):
        return False
    return any(_one_fits(a, b) for a in alternatives(given) for b in alternatives(wanted))


def _one_fits(given: Any, wanted: Any) -> bool:  # noqa: ANN401 -- any annotation
    if Any in (given, wanted) or object in (given, wanted):
        return True
    given_kind, wanted_kind = kind_of_annotation(given), kind_of_annotation(wanted)
    if given_kind is not None and wanted_kind is not None:
        # A step that takes any features and gives them back gives a map for a map.
        return wanted_kind.accepts(given_kind) or given_kind.accepts(wanted_kind)
    given_inner, wanted_inner = element(given), element(wanted)
    if given_inner is not None and wanted_inner is not None:
        return fits(given_inner, wanted_inner)
    given_class, wanted_class = _class_of(given), _class_of(wanted)
    if given_class is None or wanted_class is None:
        return given_class is wanted_class
    if given_kind is None and wanted_kind is not None:
        # A plain DataArray may be of the kind, a model is not.
        return issubclass(_class_of(wanted) or object, given_class)
    return issubclass(given_class, wanted_class) or (given_class is int and wanted_class is float)


def _class_of(annotation: Any) -> type | None:  # noqa: ANN401 -- any annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else None


def is_path(annotation: object, /) -> bool:
    """Tell whether an annotation is the path of a file."""
    return any(part is Path for part in alternatives(annotation)) or annotation is str


def fields(annotation: object, /) -> dict[str, Any]:
    """Give the fields of a NamedTuple or dataclass and their annotations."""
    members = alternatives(annotation)
    if len(members) != 1 or not isinstance(members[0], type):
        return {}
    cls = members[0]
    if hasattr(cls, "_fields"):
        names = list(cls._fields)
    elif dataclasses.is_dataclass(cls):
        names = [part.name for part in dataclasses.fields(cls)]
    else:
        return {}
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError:
        # Arrays of a model are often annotated by names for type checkers only.
        hints = {}
    return {name: hints.get(name, Any) for name in names if not name.startswith("_")}
