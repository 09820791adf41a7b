"""Batches made ahead by other processes, in their order."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from adatom.errors import AdatomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

T = TypeVar("T")

# Batches that wait ready, per process: one that takes long must not stall the training.
_N_AHEAD: Final = 3
_SECONDS_TO_END: Final = 5.0


@contextmanager
def batches_ahead(
    make: Callable[[int], T], start: int, /, *, n_workers: int
) -> Iterator[Iterator[T]]:
    """Give an iterator over ``make(start), make(start + 1), ...``.

    Worker w of n makes every n-th batch, so that the order is that of the
    numbers whichever is done first, and the batches do not depend on
    `n_workers`.

    Parameters
    ----------
    make : callable
        Makes batch k; sent to other processes, so a function of a module or
        a dataclass with ``__call__``.
    start : int
        The first number.
    n_workers : int
        Processes; 0 makes each batch here when it is asked for.
    """
    if n_workers == 0:
        yield _one_by_one(make, start)
        return
    pool = _Pool(make, start, n_workers)
    try:
        yield iter(pool)
    finally:
        pool.close()


def _one_by_one(make: Callable[[int], T], start: int) -> Iterator[T]:
    number = start
    while True:
        yield make(number)
        number += 1


class _Pool:
    """Processes that make batches, and a thread that gathers them in order."""

    def __init__(self, make: Callable[[int], Any], start: int, n_workers: int) -> None:
        # A fork would copy the locks of torch's threads in whatever state they are.
        context = multiprocessing.get_context("spawn")
        self._ready: queue.Queue[tuple[bool, Any]] = queue.Queue(_N_AHEAD * n_workers)
        self._is_closed = threading.Event()
        self._ends: list[Connection] = []
        self._processes: list[BaseProcess] = []
        for worker in range(n_workers):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(theirs, make, start + worker, n_workers), daemon=True
            )
            process.start()
            # Theirs must be closed here, or a worker that dies would never be noticed.
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)
        self._gatherer = threading.Thread(target=self._gather, daemon=True)
        self._gatherer.start()

    def _gather(self) -> None:
        turn = 0
        while not self._is_closed.is_set():
            try:
                told = self._ends[turn].recv()
            except (EOFError, OSError):
                told = (False, "its process was ended, most likely for want of memory")
            self._put(told)
            if not told[0]:
                return
            turn = (turn + 1) % len(self._ends)

    def _put(self, told: tuple[bool, Any]) -> None:
        while not self._is_closed.is_set():
            try:
                self._ready.put(told, timeout=0.1)
            except queue.Full:
                continue
            return

    def __iter__(self) -> Iterator[Any]:
        while True:
            is_good, batch = self._ready.get()
            if not is_good:
                msg = f"a batch could not be made: {batch}"
                raise AdatomError(msg)
            yield batch

    def close(self) -> None:
        """End the processes."""
        self._is_closed.set()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_SECONDS_TO_END)
        self._gatherer.join(_SECONDS_TO_END)
        for end in self._ends:
            end.close()


def _work(end: Connection, make: Callable[[int], Any], first: int, stride: int) -> None:
    """Make every `stride`-th batch until nobody listens any more."""
    # Ctrl-C is for the parent, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    number = first
    while True:
        try:
            told = (True, make(number))
        except Exception:  # noqa: BLE001 -- told to the parent, which raises
            told = (False, f"batch {number}: {traceback.format_exc()}")
        try:
            end.send(told)
        except OSError:
            return
        if not told[0]:
            return
        number += stride


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
