"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, contents: bytes, /) -> None:
    """Write a file beside its place, bring it to the disk, and move it there in one go.

    Whoever is stopped in the middle leaves the file that was there before,
    and nobody ever reads half of one.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("wb") as handle:
            handle.write(contents)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
