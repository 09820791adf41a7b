"""Tasks of `adatom library compute` on the workers of a dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from adatom.defects.library.computing import Outcome, Task, compute_task

_FIRST: Final = "FIRST_COMPLETED"


@contextmanager
def dask_workers(
    *, n_workers: int | None, address: str | None
) -> Iterator[Callable[[Iterable[Task]], Iterator[tuple[Task, Outcome]]]]:
    """Give a function that does tasks on a cluster, as they are done first.

    Parameters
    ----------
    n_workers : int, optional
        Processes to start on this machine.
    address : str, optional
        Of the scheduler of a cluster that runs already. Its workers need the
        calculator, and see the folder of the library under the same path.
    """
    from adatom.recipes.cluster import cluster_at, local_cluster

    opened = local_cluster(n_workers or 1) if address is None else cluster_at(address)
    with opened as executor:
        yield lambda tasks: _done(executor, tasks)


def _done(executor: Any, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:  # noqa: ANN401
    """Keep one task with every thread of the cluster, claimed only then."""
    from distributed import wait

    tasks = iter(tasks)
    sent: dict[Any, Task] = {}
    try:
        while True:
            free = max(1, executor.n_threads) - len(sent)
            for task in islice(tasks, max(0, free)):
                sent[executor.client.submit(compute_task, task, pure=False)] = task
            if not sent:
                return
            with executor.client.as_current():
                ready: Any = wait(list(sent), return_when=_FIRST)  # type: ignore[no-untyped-call]
            for future in ready.done:
                task = sent.pop(future)
                error = future.exception()
                yield task, future.result() if error is None else Outcome(None, str(error))
    finally:
        for future in sent:
            future.cancel()
