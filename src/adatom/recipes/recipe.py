"""A recipe, parsed from TOML: inputs, steps, and where each stands in the text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from adatom.errors import RecipeError, SettingError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH: Final = rf"{_NAME}(?:\.{_NAME})*"
_READER: Final = re.compile(rf"\s*(?P<step>{_NAME}\.{_NAME})\s*")
_CALL: Final = re.compile(
    rf"\s*(?P<step>{_NAME}\.{_NAME})\s*\(\s*(?P<data>(?:{_PATH}\s*,\s*)*(?:{_PATH})?)\s*\)\s*"
)
_TABLE_LINE: Final = re.compile(rf"\s*\[\s*(?P<name>{_PATH})\s*\]\s*(?:#.*)?")
_KEY_LINE: Final = re.compile(rf"\s*(?P<key>{_PATH})\s*=")

LEFT_OUT: Final = "_"
"""Stands in the parentheses of a step for data that are left out."""


class Problem(NamedTuple):
    """Something that keeps a recipe from running."""

    table: str
    """Name of the table, empty for the top of the recipe."""
    text: str
    line: int | None = None

    def __str__(self) -> str:
        place = [f"line {self.line}"] if self.line else []
        place += [f"[{self.table}]"] if self.table else []
        return f"{', '.join(place)}: {self.text}" if place else self.text


@dataclass(frozen=True)
class Call:
    """One table of a recipe: a step, the names of its data, and its settings."""

    name: str
    """Name of the table, and so of the result."""
    step: str
    """Stage and function, such as "localization.find_atoms"."""
    data: tuple[str, ...] = ()
    """Such as ("image", "found.classes", "_")."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """As written: nothing is converted yet, no default filled in."""
    collect: bool = False
    is_input: bool = False


@dataclass(frozen=True)
class Recipe:
    """A recipe as written."""

    name: str
    """Stem of its file."""
    text: str
    title: str
    seed: int | None
    inputs: tuple[Call, ...]
    steps: tuple[Call, ...]
    lines: Mapping[tuple[str, str], int] = field(repr=False)
    """Line of a table (key "") or of one of its keys."""
    pictures: tuple[str, ...] | None = None
    """Tables of which the report shows pictures; all of them if None."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Inputs, then steps."""
        return self.inputs + self.steps

    def line(self, table: str, key: str = "") -> int | None:
        """Find the line of a key of a table, else of the table."""
        return self.lines.get((table, key), self.lines.get((table, "")))

    def problem(self, text: str, *, table: str = "", key: str = "") -> Problem:
        """Make a problem that knows its line."""
        return Problem(table, text, self.line(table, key))


def problems_error(problems: list[Problem], name: str) -> RecipeError:
    """Make one error of all problems of a recipe."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return RecipeError("\n  ".join([f"recipe {name}: {count}", *map(str, problems)]))


def read_recipe(path: str | Path, /) -> Recipe:
    """Read a recipe from a TOML file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Recipe
        As written; `check_recipe` wires it.

    Raises
    ------
    RecipeError
        If there is no such file, or its text is not a recipe; all problems
        are listed.
    """
    file = Path(path)
    try:
        # Some editors begin a file with a mark of its encoding.
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"cannot read the recipe {file}: {error.strerror or error}"
        raise RecipeError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{file} is no recipe: it is not text. Name the recipe first, then the files"
        raise RecipeError(msg) from error
    return parse_recipe(text, name=file.stem)


def parse_recipe(text: str, /, *, name: str = "recipe") -> Recipe:
    """Parse the text of a recipe.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        For messages, and for the run's folder where the recipe has no input.

    Raises
    ------
    RecipeError
        If the text is not TOML or not a recipe; all problems are listed.

    Examples
    --------
    >>> recipe = parse_recipe('''
    ... [inputs]
    ... image = "io.read_image"
    ... [atoms]
    ... do = "localization.find_atoms(image)"
    ... ''')
    >>> recipe.steps[0].data
    ('image',)
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"recipe {name} is not TOML: {error}"
        raise RecipeError(msg) from error
    lines = _find_lines(text)
    bare = Recipe(name, text, name, None, (), (), lines)
    problems: list[Problem] = []
    title = tables.pop("title", name)
    if not isinstance(title, str):
        problems.append(bare.problem(f"title is {type(title).__name__}, need text", key="title"))
    seed = tables.pop("seed", None)
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        problems.append(bare.problem(f"{seed=} must be an integer, 0 or more", key="seed"))
    pictures = tables.pop("pictures", None)
    inputs = _parse_inputs(bare, tables.pop("inputs", {}), problems)
    steps = [
        call for key, table in tables.items() if (call := _parse_step(bare, key, table, problems))
    ]
    taken = {call.name for call in inputs}
    problems += [
        bare.problem("this name is taken by an input: choose another", table=call.name)
        for call in steps
        if call.name in taken
    ]
    names = taken | {call.name for call in steps}
    if pictures is not None and not (
        isinstance(pictures, list) and all(isinstance(name, str) for name in pictures)
    ):
        text = f'{pictures=} must be a list of tables, such as ["atoms"]'
        problems.append(bare.problem(text, key="pictures"))
        pictures = None
    unknown = sorted(set(pictures or ()) - names)
    if unknown and not problems:
        text = f"pictures names {', '.join(unknown)}: there are {', '.join(sorted(names))}"
        problems.append(bare.problem(text, key="pictures"))
    if not inputs and not steps and not problems:
        problems.append(Problem("", "it has neither inputs nor steps"))
    if problems:
        raise problems_error(problems, name)
    shown = None if pictures is None else tuple(pictures)
    return Recipe(name, text, title, seed, tuple(inputs), tuple(steps), lines, shown)


def _parse_inputs(bare: Recipe, table: object, problems: list[Problem]) -> list[Call]:
    if not isinstance(table, dict):
        problems.append(bare.problem('[inputs] is a table such as image = "io.read_image"'))
        return []
    calls = []
    for key, value in table.items():
        settings = {"do": value} if isinstance(value, str) else value
        do = settings.pop("do", None) if isinstance(settings, dict) else None
        match = _READER.fullmatch(do) if isinstance(do, str) else None
        if match is None:
            text = (
                f'write {key} = "io.read_image", or {key} = {{ do = "io.read_image", ... }} '
                f"with settings; found {value!r}"
            )
            problems.append(bare.problem(text, table="inputs", key=key))
        elif not _is_good_name(key):
            problems.append(bare.problem(_bad_name(key), table="inputs", key=key))
        else:
            calls.append(Call(key, match["step"], settings=settings, is_input=True))
    return calls


def _parse_step(bare: Recipe, key: str, table: object, problems: list[Problem]) -> Call | None:
    if not isinstance(table, dict):
        known = "title, seed and pictures"
        text = f"{key} stands outside of any table: the top of a recipe has {known} only"
        problems.append(bare.problem(text, key=key))
        return None
    settings = dict(table)
    do, collect = settings.pop("do", None), settings.pop("collect", False)
    match = _CALL.fullmatch(do) if isinstance(do, str) else None
    if not _is_good_name(key):
        problems.append(bare.problem(_bad_name(key), table=key))
    if not isinstance(collect, bool):
        problems.append(bare.problem(f"{collect=} must be true or false", table=key, key="collect"))
    if match is None:
        found = "it has no do" if do is None else f"cannot understand do = {do!r}"
        text = f'{found}: write do = "stage.function(name, other.field)"'
        problems.append(bare.problem(text, table=key, key="do"))
        return None
    data = tuple(part.strip() for part in match["data"].split(",") if part.strip())
    return Call(key, match["step"], data, settings, collect=bool(collect))


def _is_good_name(name: str) -> bool:
    return name != LEFT_OUT and re.fullmatch(_NAME, name) is not None


def _bad_name(name: str) -> str:
    return f"{name!r} cannot name a result: use letters, digits and _, beginning with a letter"


def _find_lines(text: str) -> dict[tuple[str, str], int]:
    """Find the lines of tables and keys; tomllib does not tell them."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _TABLE_LINE.fullmatch(line):
            table = match["name"]
            if table.startswith("inputs."):
                table = table.removeprefix("inputs.")
                lines.setdefault(("inputs", table), number)
            lines.setdefault((table, ""), number)
        elif match := _KEY_LINE.match(line):
            lines.setdefault((table, match["key"]), number)
            if table == "inputs":
                lines.setdefault((match["key"], ""), number)
    return lines


def change_settings(recipe: Recipe, changes: Mapping[str, str], /) -> Recipe:
    """Change settings of a recipe, as ``adatom run --set`` does.

    Parameters
    ----------
    recipe : Recipe
        Left as it is.
    changes : mapping of str to str
        ``{"step.key": value}``; a value is read as TOML where it can be
        (``4``, ``true``, ``[1, 2]``), as text otherwise (``0.8 nm``).

    Returns
    -------
    Recipe
        Its text has the new values where the old ones stood, comments kept.

    Raises
    ------
    SettingError
        If a change names no table of the recipe, or not a setting.
    """
    text, known = recipe.text, [call.name for call in recipe.calls]
    for target, value in changes.items():
        table, dot, key = target.partition(".")
        if not dot or not re.fullmatch(_PATH, key) or key in ("do", "collect"):
            msg = f"cannot set {target!r}: write step.setting=value, such as atoms.contrast=dark"
            raise SettingError(msg)
        if table not in known:
            msg = f"cannot set {target!r}: the recipe has no [{table}], it has {', '.join(known)}"
            raise SettingError(msg)
        path = (table, *key.split("."))
        is_input = any(call.name == table for call in recipe.inputs)
        text = _with_value(text, ("inputs", *path) if is_input else path, value_of_text(value))
    return parse_recipe(text, name=recipe.name)


def set_seed(recipe: Recipe, seed: int, /) -> Recipe:
    """Set the seed at the top of a recipe."""
    return parse_recipe(_with_value(recipe.text, ("seed",), seed), name=recipe.name)


def value_of_text(text: str, /) -> object:
    """Give the value that TOML reads in text, or else the text itself."""
    try:
        tables = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return tables["value"] if len(tables) == 1 else text


def _with_value(text: str, path: tuple[str, ...], value: object) -> str:
    """Put a value into TOML text, by its line where that is possible."""
    wanted = tomllib.loads(text)
    places = [wanted]
    for part in path[:-1]:
        below = places[-1].get(part, {})
        # An input written as "io.read_image" becomes a table when it gets a setting.
        places[-1][part] = {"do": below} if isinstance(below, str) else below
        places.append(places[-1][part])
    places[-1][path[-1]] = value
    # The line of the key itself, else of the inline table that holds it.
    for depth in range(len(path), 0, -1):
        new = f"{path[depth - 1]} = {toml_from_value(places[depth - 1][path[depth - 1]])}"
        edited = _edited_line(text, path[:depth], new)
        if _reads_as(edited, wanted):
            return edited
    # Such as a value over several lines: written anew, comments are lost.
    return "".join(_toml_tables(wanted))


def _reads_as(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _edited_line(text: str, path: tuple[str, ...], new: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    header = ".".join(path[:-1])
    start = 0
    if header:
        start = next(
            (
                number + 1
                for number, line in enumerate(lines)
                if (match := _TABLE_LINE.fullmatch(line)) and match["name"] == header
            ),
            len(lines),
        )
    for number in range(start, len(lines)):
        if _TABLE_LINE.fullmatch(lines[number]):
            break
        match = _KEY_LINE.match(lines[number])
        if match and match["key"] == path[-1]:
            comment = re.search(r"\s+#[^\"']*$", lines[number])
            lines[number] = new + (comment[0] if comment else "")
            return "\n".join(lines) + "\n"
    # A new key goes behind `do`, so that this stays the first line of its table.
    behind = start + (1 if header and start < len(lines) and "do" in lines[start] else 0)
    return "\n".join([*lines[:behind], new, *lines[behind:]]) + "\n"


def toml_from_value(value: object, /) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml_from_value, value))}]"
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{key} = {toml_from_value(part)}' for key, part in value.items())} }}"
        )
    # The escapes of JSON are escapes of TOML too, which also wants DEL escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_tables(tables: Mapping[str, Any]) -> list[str]:
    lines = [f"{k} = {toml_from_value(v)}\n" for k, v in tables.items() if not isinstance(v, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines.append(f"\n[{name}]\n")
            lines += [f"{key} = {toml_from_value(value)}\n" for key, value in table.items()]
    return lines
