"""Where the work on blocks is done: in this thread or in several, with the same result."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import scipy.linalg  # noqa: F401 -- its BLAS must be loaded before the threads of BLAS are found
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from adatom.numerics.blocks import Blocks

P = TypeVar("P")
T = TypeVar("T")


class Executor(Protocol):
    """Does the same work on many pieces and gives the results in their order."""

    def span(self, blocks: Blocks, /) -> int:
        """Say how many blocks make one piece: a power of two."""
        ...

    def map(self, work: Callable[[P], T], pieces: Iterable[P], /) -> Iterator[T]:
        """Yield the results in the order of the pieces, whichever was done first.

        Pieces are taken as they are needed, not all ahead.
        """
        ...


@dataclass(frozen=True)
class SerialExecutor:
    """One piece after the other, in the thread of the caller."""

    def span(self, _blocks: Blocks, /) -> int:
        """Take blocks one by one."""
        return 1

    def map(self, work: Callable[[P], T], pieces: Iterable[P], /) -> Iterator[T]:
        """Yield the results one by one."""
        return map(work, pieces)


@dataclass(frozen=True)
class ThreadExecutor:
    """Several pieces at once; numpy and BLAS leave the interpreter's lock while they compute.

    Attributes
    ----------
    n_threads : int
        By default the processor cores that this process may use, at most
        eight: beyond that blocks wait for memory, not for cores.
    """

    n_threads: int = 0

    def span(self, _blocks: Blocks, /) -> int:
        """Take blocks one by one."""
        return 1

    def map(self, work: Callable[[P], T], pieces: Iterable[P], /) -> Iterator[T]:
        """Yield the results in order; no more than two pieces a thread are ahead of the caller."""
        n_threads = self.n_threads or min(available_cores(), 8)
        pieces = iter(pieces)
        first = list(islice(pieces, 2))
        if n_threads <= 1 or len(first) < 2:
            # Fits pass over small data hundreds of times: threads would cost more than the work.
            yield from map(work, chain(first, pieces))
            return
        with ThreadPoolExecutor(n_threads, thread_name_prefix="adatom") as pool:
            ahead: deque[Future[T]] = deque()
            try:
                for piece in chain(first, pieces):
                    # A bound on what is ahead is a bound on memory.
                    if len(ahead) >= 2 * n_threads:
                        yield ahead.popleft().result()
                    ahead.append(pool.submit(work, piece))
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()


def available_cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_DEFAULT: Executor = ThreadExecutor()
_chosen: ContextVar[Executor | None] = ContextVar("adatom_executor", default=None)


def current_executor() -> Executor:
    """Give the executor chosen by `use_executor`, threads if none was."""
    return _chosen.get() or _DEFAULT


def each_in_threads(work: Callable[[P], None], pieces: Iterable[P], /) -> None:
    """Do work that writes into memory of this process, by the threads that were chosen.

    Where other processes were chosen, which cannot write here, one piece follows the other.
    """
    chosen = current_executor()
    executor: Executor = chosen if isinstance(chosen, ThreadExecutor) else SerialExecutor()
    for _ in executor.map(work, pieces):
        pass


@contextmanager
def use_executor(executor: Executor, /) -> Iterator[None]:
    """Let everything inside the ``with`` block run its folds on `executor`.

    Examples
    --------
    >>> with use_executor(SerialExecutor()):
    ...     current_executor()
    SerialExecutor()
    """
    token = _chosen.set(executor)
    try:
        yield
    finally:
        _chosen.reset(token)


@cache
def _blas() -> Any:  # noqa: ANN401 -- threadpoolctl has no types
    return ThreadpoolController().select(user_api="blas")


class _BlasLimit:
    """One limit for all threads of this process that compute at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._limit: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._limit = _blas().limit(limits=1)
            self._n_inside += 1

    def leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                # Not by the first that leaves: others may still be in a product.
                self._limit.restore_original_limits()


_LIMIT: Final = _BlasLimit()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Fix BLAS to one thread: its sums depend on how many threads share a product."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
