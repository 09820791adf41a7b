"""A fixed number of threads in linear algebra, so that sums round alike everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

# Read by the libraries when they are loaded; of those already loaded,
# threadpoolctl sets the number.
_VARIABLES: Final = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let linear algebra use one thread inside."""
    import threadpoolctl

    with _environment(dict.fromkeys(_VARIABLES, "1")), threadpoolctl.threadpool_limits(1):
        yield


@contextmanager
def shared_processors(n_processes: int, /) -> Iterator[None]:
    """Share the processors among processes that are started inside."""
    n_threads = max(1, (os.cpu_count() or 1) // n_processes)
    wanted = {**dict.fromkeys(_VARIABLES, "1"), "DASK_NUM_WORKERS": str(n_threads)}
    with _environment(wanted):
        yield


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
