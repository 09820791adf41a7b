"""How much memory there is."""

from __future__ import annotations

import os


def memory_of_machine() -> float:
    """Give the bytes of memory of this machine; infinite where the system does not say.

    Systems that do not say, such as Windows, refuse what they do not have,
    while the others end the process in the middle of its work.
    """
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")
