"""Code versions: what the result of a step depends on beside its settings and data."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from adatom.io.store import FORMAT
from adatom.recipes.steps import Step

# What every step stands on, whether or not an import says so.
_FOUNDATION: Final = (
    "adatom._lazy",
    "adatom.errors",
    "adatom.numerics",
    "adatom.schema",
    "adatom.units",
)
_DISTRIBUTIONS: Final = {"PIL": "pillow", "mpl_toolkits": "matplotlib", "rsciio": "rosettasciio"}


class CodeVersion(NamedTuple):
    """What the code of a step was."""

    digest: str
    libraries: dict[str, str]
    """Version of each library that the sources import."""


def code_version(step: Step, /) -> CodeVersion:
    """Hash the sources that a step is made of, and the versions of their libraries.

    These are the sources of its stage and of the foundation, `numerics`
    included, and of whatever other rooms of adatom these import. A step of
    another package depends on the whole package.

    Parameters
    ----------
    step : Step
        From `find_step`.
    """
    module = step.function.__module__
    parts = module.split(".")
    # Steps of adatom may be written in a submodule of their stage.
    return _version_of_package(".".join(parts[: 2 if parts[0] == "adatom" else 1]))


def report_version() -> CodeVersion:
    """Hash what reports are written with."""
    return _version_of_package("adatom.report")


@cache
def _version_of_package(package: str) -> CodeVersion:
    digest = hashlib.sha256(f"layout {FORMAT}".encode())
    libraries: dict[str, str] = {}
    waiting, seen = [package, *_FOUNDATION], set()
    rooms = []
    while waiting:
        room = waiting.pop()
        if room in seen:
            continue
        seen.add(room)
        content, imported = _room(room)
        rooms.append((room, content))
        for name in imported:
            if name.startswith("adatom."):
                waiting.append(name)
            elif name != package:
                libraries[name] = _library_version(name)
    for room, content in sorted(rooms):
        digest.update(f"{room} {content}\n".encode())
    digest.update(json.dumps(libraries, sort_keys=True).encode())
    return CodeVersion(digest.hexdigest(), dict(sorted(libraries.items())))


@cache
def _room(name: str) -> tuple[str, frozenset[str]]:
    """Hash the files of a package or module, and list what they import."""
    digest = hashlib.sha256()
    imported: set[str] = set()
    root = _root_of(name)
    for file in _files(root):
        content = file.read_bytes()
        place = file.relative_to(root.parent).as_posix()
        digest.update(f"{place} {len(content)}\n".encode())
        digest.update(content)
        if file.suffix == ".py":
            imported |= set(_imports(content, file))
    return digest.hexdigest(), frozenset(imported - {name})


def _root_of(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        # A namespace package, or a module made at run time: nothing to read.
        return Path(name)
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    inside = (path for path in root.rglob("*") if "__pycache__" not in path.parts)
    return sorted(path for path in inside if path.is_file())


def _imports(content: bytes, file: Path) -> Iterator[str]:
    """Give libraries by their top name, rooms of adatom by two names."""
    for node in ast.walk(ast.parse(content, filename=str(file))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "adatom":
                names = [f"adatom.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and _called(node) == "import_module" and node.args:
            names = [_beginning_of_text(node.args[0])]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "adatom":
                yield ".".join(parts[:2])
            elif parts[0] and parts[0] not in sys.stdlib_module_names:
                yield parts[0]


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _beginning_of_text(node: ast.expr) -> str:
    """Give what is known of text such as ``"rsciio.tiff"`` or ``f"rsciio.{format}"``."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _beginning_of_text(node.values[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@cache
def _library_version(name: str) -> str:
    for distribution in (_DISTRIBUTIONS.get(name, name), *_distributions().get(name, ())):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
