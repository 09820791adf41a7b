"""How much memory there is, and giving it back."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any


def memory_of_machine() -> float:
    """Give the bytes of memory of this machine; infinite where the system does not say.

    Systems that do not say, such as Windows, refuse what they do not have,
    while the others end the process in the middle of its work.
    """
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def release_memory() -> None:
    """Give the memory that was freed back to the system, where its allocator can.

    That of GNU keeps it between what is still in use: hundreds of MB after large images, of
    which a process holds its share while it works on small ones.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:  # noqa: ANN401 -- a function of C
    if os.name == "nt":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
