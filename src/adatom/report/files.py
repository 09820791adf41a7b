"""Files of a report: whole, and by names that are safe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from adatom.errors import WriteError
from adatom.numerics.whole_files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def write_in_folder(path: Path, contents: bytes, /) -> None:
    """Write a file whole, and make its folder if there is none.

    Raises
    ------
    WriteError
        If the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, contents)
    except OSError as error:
        msg = (
            f"{path} cannot be written: {error.strerror or error}; choose another folder, or "
            "make room on the disk if it is full"
        )
        raise WriteError(msg) from error


def file_stem(text: str, /) -> str:
    """Turn any name into one that is safe as a file and as an anchor.

    Examples
    --------
    >>> file_stem("found.classes"), file_stem("../etc")
    ('found-classes', 'etc')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "result"
