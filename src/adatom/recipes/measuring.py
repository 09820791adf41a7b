"""Time, memory and machine, for the record."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_STATUS: Final = Path("/proc/self/status")
_RESET: Final = Path("/proc/self/clear_refs")


@dataclass
class Measurement:
    """What a piece of work took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int | None = None
    """Largest resident size of the process meanwhile, in bytes."""


@contextmanager
def measured() -> Iterator[Measurement]:
    """Measure what is done inside."""
    found = Measurement()
    _reset_peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    try:
        yield found
    finally:
        found.seconds = time.perf_counter() - start
        found.cpu_seconds = time.process_time() - cpu_start
        found.peak_memory = _peak_memory()


def _reset_peak_memory() -> None:
    try:
        # Linux then counts the peak (VmHWM) anew.
        _RESET.write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_memory() -> int | None:
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource

    # Elsewhere only the peak of the process since its start is known.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


def machine() -> dict[str, Any]:
    """Describe this machine."""
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "n_cpus": os.cpu_count(),
        "python": platform.python_version(),
    }


def now() -> str:
    """Give the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
