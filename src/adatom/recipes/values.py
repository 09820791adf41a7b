"""Values of settings, from TOML to what a step takes, and to JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from adatom.errors import SettingError
from adatom.recipes.steps import Step, suggestion
from adatom.units import QuantityRule


def value_from_toml(value: object, annotation: object, /, *, name: str) -> Any:  # noqa: ANN401
    """Turn a value of a recipe into what a step's annotation asks for.

    Raises
    ------
    SettingError, UnitError
        If the value is not of the annotation's type or unit.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in (Any, object):
        return value
    if origin is Annotated:
        rule = next((part for part in parts[1:] if isinstance(part, QuantityRule)), None)
        if rule is None:
            return value_from_toml(value, parts[0], name=name)
        rule.check(value, name=name)
        return value
    if origin is Literal:
        return _choice(value, parts, name)
    if origin in (Union, types.UnionType):
        return _one_of(value, parts, name)
    if origin in (list, tuple, Sequence):
        return _sequence(value, origin, parts, name)
    if origin in (dict, Mapping):
        return _mapping(value, parts, name)
    if isinstance(annotation, type):
        return _instance(value, annotation, name)
    return value


def _choice(value: object, choices: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401
    if value in choices and type(value) in map(type, choices):
        return value
    texts = [choice for choice in choices if isinstance(choice, str)]
    hint = suggestion(value, texts) if isinstance(value, str) else ""
    known = ", ".join(map(repr, choices))
    near = f" ({hint})" if hint.startswith("did") else ""
    msg = f"{name}={value!r} is not one of {known}{near}"
    raise SettingError(msg)


def _one_of(value: object, members: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401
    errors = []
    for member in members:
        if member is type(None):
            continue
        try:
            return value_from_toml(value, member, name=name)
        except ValueError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    msg = "; or ".join(map(str, errors))
    raise SettingError(msg)


def _sequence(value: object, origin: object, parts: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401
    if not isinstance(value, list | tuple):
        msg = f"{name}={value!r} is {_type_name(value)}, need a list in square brackets"
        raise SettingError(msg)
    if origin is not tuple or (len(parts) == 2 and parts[1] is Ellipsis):
        members = [parts[0] if parts else Any] * len(value)
    elif len(parts) != len(value):
        msg = f"{name}={value!r} has {len(value)} values, need {len(parts)}"
        raise SettingError(msg)
    else:
        members = list(parts)
    made = [
        value_from_toml(part, member, name=f"{name}[{k}]")
        for k, (part, member) in enumerate(zip(value, members, strict=True))
    ]
    return made if origin is list else tuple(made)


def _mapping(value: object, parts: tuple[Any, ...], name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"{name}={value!r} is {_type_name(value)}, need a table"
        raise SettingError(msg)
    member = parts[1] if parts else Any
    return {key: value_from_toml(v, member, name=f"{name}.{key}") for key, v in value.items()}


def _instance(value: object, cls: type, name: str) -> Any:  # noqa: ANN401
    if dataclasses.is_dataclass(cls):
        return value if isinstance(value, cls) else _dataclass(value, cls, name)
    if cls is Path and isinstance(value, str):
        return Path(value)
    if cls is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # In Python True is an int; in a recipe it is a slip.
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        msg = f"{name}={value!r} is {_type_name(value)}, need {_NAMES.get(cls, cls.__name__)}"
        raise SettingError(msg)
    return value


def _dataclass(value: object, cls: type, name: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        msg = f"{name}={value!r} is {_type_name(value)}, need a table of {cls.__name__}"
        raise SettingError(msg)
    hints = typing.get_type_hints(cls, include_extras=True)
    known = {part.name: part for part in dataclasses.fields(cls) if part.init}
    odd = [key for key in value if key not in known]
    if odd:
        msg = f"{name} has no setting `{odd[0]}`: {suggestion(odd[0], known)}"
        raise SettingError(msg)
    missing = dataclasses.MISSING
    lacking = [
        key
        for key, part in known.items()
        if key not in value and part.default is missing and part.default_factory is missing
    ]
    if lacking:
        msg = f"{name} lacks the setting `{lacking[0]}`"
        raise SettingError(msg)
    made = {
        key: value_from_toml(part, hints[key], name=f"{name}.{key}") for key, part in value.items()
    }
    return cls(**made)


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _type_name(value: object) -> str:
    return _NAMES.get(type(value), f"a {type(value).__name__}")


def settings_of(step: Step, given: Mapping[str, Any], seed: int | None, /) -> dict[str, Any]:
    """Fill in every setting of a step: given, the recipe's seed, or default.

    Raises
    ------
    SettingError, UnitError
        If a given value does not fit, or a required one is missing.
    """
    settings = {}
    for name, parameter in step.settings.items():
        if name in given:
            settings[name] = value_from_toml(given[name], parameter.annotation, name=name)
        elif name == "seed" and seed is not None:
            settings[name] = seed
        elif parameter.is_required:
            msg = f"{step.name} needs the setting `{name}`"
            raise SettingError(msg)
        else:
            settings[name] = parameter.default
    return settings


def json_from_value(value: object, /) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """Spell a setting in JSON, for keys and records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
        return {"class": type(value).__qualname__, **json_from_value(fields)}
    if isinstance(value, Mapping):
        return {str(key): json_from_value(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_from_value(part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
