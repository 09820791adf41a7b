"""Many items at once, each in a process; one that dies does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from adatom.numerics.executors import ThreadExecutor, available_cores, use_executor
from adatom.recipes.items import Job, Outcome, run_job
from adatom.recipes.threads import shared_processors

OnOutcome = Callable[[Outcome], None]


def run_jobs(jobs: Sequence[Job], /, *, n_processes: int, on_outcome: OnOutcome) -> list[Outcome]:
    """Run jobs in parallel.

    Parameters
    ----------
    jobs : sequence of Job
        Started in this order.
    n_processes : int
        Largest number at once.
    on_outcome : callable
        Called here with every outcome as it comes.

    Returns
    -------
    list of Outcome
        In the order of the jobs.
    """
    outcomes: dict[str, Outcome] = {}

    def keep(outcome: Outcome) -> None:
        outcomes[outcome.name] = outcome
        on_outcome(outcome)

    waiting = deque(jobs)
    with shared_processors(n_processes):
        while waiting:
            for suspect in _run_until_broken(waiting, n_processes, keep):
                # Of several that ran when a process died, one was to blame:
                # alone, each shows whether it is the one.
                if _run_until_broken(deque([suspect]), 1, keep):
                    error = "its process was ended by the system, most likely for want of memory"
                    keep(Outcome(suspect.name, error=error))
    return [outcomes[job.name] for job in jobs]


def _run_until_broken(waiting: deque[Job], n_processes: int, keep: OnOutcome) -> list[Job]:
    """Take jobs from the queue until it is empty; give those that ran when a process died."""
    running: dict[Future[Outcome], Job] = {}
    context = multiprocessing.get_context("spawn")
    n_threads = max(1, available_cores() // n_processes)
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(n_processes, mp_context=context, initializer=_begin_worker)
    try:
        while waiting or running:
            while waiting and len(running) < n_processes:
                job = waiting.popleft()
                with _interrupts_held():
                    running[pool.submit(_run_alone, job, n_threads)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                keep(future.result())
                del running[future]
    except BrokenProcessPool:
        return list(running.values())
    except BaseException:
        # Interrupted: results so far are stored, the rest need not be awaited.
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def _run_alone(job: Job, n_threads: int) -> Outcome:
    """Run a job with its share of the processors."""
    with use_executor(ThreadExecutor(n_threads)):
        return run_job(job)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts, which then never gets it."""
    if not hasattr(signal, "pthread_sigmask"):
        # Windows: a process that is just starting may tell of the interrupt.
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """End with the parent, however it ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
