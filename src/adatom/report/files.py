"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from adatom.errors import WriteError


def write_whole(path: Path, content: bytes, /) -> None:
    """Write a file beside its place and move it there in one go.

    Raises
    ------
    WriteError
        If the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}; choose another folder"
        raise WriteError(msg) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files that only their owner may read.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        msg = f"{path} cannot be written: {error.strerror}; is the disk full?"
        raise WriteError(msg) from error


def file_stem(text: str, /) -> str:
    """Turn any name into one that is safe as a file and as an anchor.

    Examples
    --------
    >>> file_stem("found.classes"), file_stem("../etc")
    ('found-classes', 'etc')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "result"
