"""Files of graphs: written whole or not at all, and read without running what they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from adatom.errors import ReadError, WriteError
from adatom.numerics.whole_files import write_whole

Made = TypeVar("Made")


def write_graph(path: str | Path, contents: bytes, /) -> None:
    """Write a file that is never seen half written.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    place = Path(path)
    try:
        write_whole(place, contents)
    except OSError as error:
        msg = f"{place} cannot be written: {error.strerror or error}"
        raise WriteError(msg) from error


def read_graph(
    path: str | Path, make: Callable[[bytes], Made], /, *, largest: int, what: str
) -> Made:
    """Read a file, and make of its contents what it holds.

    Parameters
    ----------
    path : str or Path
    make : callable
        Takes the contents; a ValueError says what is wrong with them.
    largest : int
        Bytes beyond which the file is not even opened.
    what : str
        What it should be, such as "a network", for the error.

    Raises
    ------
    ReadError
        If it cannot be read, or is not what it should be.
    """
    place = Path(path)
    try:
        size = place.stat().st_size
        contents = place.read_bytes() if size <= largest else b""
    except OSError as error:
        msg = f"{place} cannot be read: {error.strerror or error}"
        raise ReadError(msg) from error
    if size > largest:
        msg = f"{place} has {size} bytes, {what} at most {largest}: is it one?"
        raise ReadError(msg)
    try:
        return make(contents)
    except ValueError as error:
        msg = f"{place} is not used: {error}"
        raise ReadError(msg) from error
