"""A file that is locked as long as its process lives."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class LifeLock:
    """A lock that the system frees when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: IO[bytes] | None = None

    def take(self) -> bool:
        """Try to take the lock; False if a living process holds it."""
        handle = self.path.open("ab")
        if _try_lock(handle) and self._is_still_at(handle):
            self._handle = handle
            return True
        handle.close()
        return False

    def _is_still_at(self, handle: IO[bytes]) -> bool:
        """Tell whether nobody removed the file between opening and locking it."""
        try:
            return os.path.samestat(os.fstat(handle.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def free(self) -> None:
        """Remove the file and free the lock."""
        if self._handle is None:
            return
        # Windows removes no open file; elsewhere nobody may take one that is about to go.
        if sys.platform == "win32":
            self._handle.close()
            with suppress(OSError):
                self.path.unlink()
        else:
            self.path.unlink(missing_ok=True)
            self._handle.close()
        self._handle = None
