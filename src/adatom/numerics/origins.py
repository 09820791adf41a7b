"""What a running step may tell of where its data come from: recipe and files."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Origin:
    """Where the data of a step come from.

    Attributes
    ----------
    recipe, recipe_sha256 : str
        Title and hash of the recipe that runs; empty in a script.
    files : mapping of str to str
        Name of each input file to the hash of its contents.
    """

    recipe: str = ""
    recipe_sha256: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


_NOWHERE: Final = Origin()
_LENT: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def current_origin() -> Origin:
    """Give what the recipe that runs has told; nothing in a script."""
    return _LENT.get()


@contextmanager
def lend_origin(origin: Origin, /) -> Iterator[None]:
    """Tell steps that are called inside where their data come from.

    It is for records of what was done and never part of a result, which
    follows from data and settings alone.
    """
    token = _LENT.set(origin)
    try:
        yield
    finally:
        _LENT.reset(token)
