"""The executor that works on a dask.distributed cluster, and the clusters it works on."""

from __future__ import annotations

import hashlib
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np

from adatom.errors import ClusterError, MissingExtraError, SettingError
from adatom.numerics.blocks import Blocks, Piece
from adatom.numerics.executors import ThreadExecutor
from adatom.numerics.readers import (
    Reader,
    ValuesReader,
    traveling_reader,
    values_of,
)

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

# Beyond this, values are handed to the workers once rather than with every task.
_LARGE: Final = 1 << 20
# A task takes some ten milliseconds to travel, whatever it does.
_TASK_BYTES: Final = 1 << 24
# Some 130 MB that a worker reads one after the other.
_MOST_BLOCKS: Final = 8
# Tasks for each thread, at least, so that all finish at about the same time.
_TASKS_PER_THREAD: Final = 4
# Blocks that were read are kept by the workers for the next pass, up to this share of their memory.
_KEPT_SHARE: Final = 0.25
_SECONDS_BETWEEN_COUNTS: Final = 5.0
# How often what a dead worker held is handed out anew.
_ATTEMPTS: Final = 5
_SECONDS_WITHOUT_WORKERS: Final = 60.0
# Results depend on these, beside the code of adatom itself.
_LIBRARIES: Final = ("dask", "distributed", "numpy", "scipy", "xarray", "zarr")


class ClusterExecutor:
    """Work on the workers of a dask.distributed cluster, with the same bits as here.

    A task is some consecutive blocks: a worker reads them where they stand
    (files are opened by the workers, which must see them under the same
    path; what is in the memory of this process is handed out once), and
    merges their states in the same tree as one process would. What was read
    stays with the workers for the next pass, up to a quarter of their
    memory. Results come back as they are asked for, so that neither this
    process nor the scheduler holds more than a few. What a worker that died
    held or did is done again by the others.

    Parameters
    ----------
    client : distributed.Client
        Connected to a cluster whose workers have this very adatom.
    smallest : int
        Data of fewer bytes than this are worked on here by threads: a task
        takes some ten milliseconds to travel.

    Raises
    ------
    ClusterError
        If there are no workers, or they run other code than this process.

    Examples
    --------
    Fits inside the ``with`` block run on the cluster::

        from distributed import Client
        from adatom.numerics.executors import use_executor

        with use_executor(ClusterExecutor(Client("tcp://10.0.0.1:8786"))):
            model = fit_pca(spectra)
    """

    def __init__(self, client: Client, *, smallest: int = 1 << 25) -> None:
        # Much of it has no types.
        self._client = cast("Any", client)
        self._address = str(self._client.scheduler.address)
        self._smallest = smallest
        self._here = ThreadExecutor()
        self._counted = (-np.inf, 0, 0)
        _check_workers(client)
        # By the reader of an array: fits pass over the same blocks many times.
        self._sources: WeakKeyDictionary[Reader, _Sources] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"ClusterExecutor({self._address!r}, n_threads={self.n_threads})"

    def span(self, blocks: Blocks, /) -> int:
        """Take few enough blocks that every thread gets several tasks, but not too little work."""
        if self._is_small(blocks):
            return 1
        if blocks.reader not in self._sources:
            share = len(blocks) // max(1, self.n_threads)
            worth = _TASK_BYTES * len(blocks) // max(1, blocks.n_bytes)
            wanted = max(share // _TASKS_PER_THREAD, min(share, worth))
            span = 1 << max(0, min(wanted, _MOST_BLOCKS).bit_length() - 1)
            self._sources[blocks.reader] = _Sources(span)
        # As before, since what workers hold is cut so.
        return self._sources[blocks.reader].span

    def _is_worth_sending(self, piece: object) -> bool:
        """Tell large data from small ones, and from work that is no piece of blocks."""
        return isinstance(piece, Piece) and not self._is_small(piece.blocks)

    def _is_small(self, blocks: Blocks) -> bool:
        return blocks.n_bytes < self._smallest

    @property
    def client(self) -> Any:  # noqa: ANN401 -- much of distributed has no types
        """The connection, for work that is no piece of blocks."""
        return self._client

    @property
    def n_threads(self) -> int:
        """Threads of all workers together, as of some seconds ago."""
        return self._workers()[0]

    def _workers(self) -> tuple[int, int]:
        """Count threads, and bytes of memory."""
        when, n_threads, n_bytes = self._counted
        if time.monotonic() - when > _SECONDS_BETWEEN_COUNTS:
            workers = self._client.scheduler_info()["workers"].values()
            n_threads = sum(worker["nthreads"] for worker in workers)
            n_bytes = sum(worker["memory_limit"] or 0 for worker in workers)
            self._counted = (time.monotonic(), n_threads, n_bytes)
        return n_threads, n_bytes

    def map(self, work: Callable[[Any], T], pieces: Iterable[Any], /) -> Iterator[T]:
        """Yield the results in order; no more than two tasks a thread are ahead of the caller."""
        pieces = iter(pieces)
        first = list(islice(pieces, 2))
        if len(first) < 2 or not self._is_worth_sending(first[0]):
            yield from self._here.map(work, chain(first, pieces))
            return
        most = 2 * max(1, self.n_threads)
        sent = _Work(self, work)
        ahead: deque[_Task] = deque()
        try:
            for piece in chain(first, pieces):
                if len(ahead) >= most:
                    yield ahead.popleft().result()
                ahead.append(_Task(self, sent, piece))
            while ahead:
                yield ahead.popleft().result()
        finally:
            for task in ahead:
                task.future.cancel()

    def send(self, value: Any, n_bytes: int) -> Any:  # noqa: ANN401 -- the value or its future
        """Hand a large value to a worker; a small one goes with the task."""
        return self._client.scatter(value, hash=False) if n_bytes > _LARGE else value

    def source_of(self, piece: Piece) -> Any:  # noqa: ANN401 -- a reader or its future
        """Give what reads a piece: handed out, or read by a worker, for an earlier pass."""
        sources = self._sources[piece.blocks.reader]
        source = sources.kept.get(piece.numbers)
        if source is None or _is_lost(source):
            source = sources.kept[piece.numbers] = self._new_source(piece, sources)
        return source

    def _new_source(self, piece: Piece, sources: _Sources) -> Any:  # noqa: ANN401
        boxes = piece.blocks.boxes_of(piece.numbers)
        reader = traveling_reader(piece.blocks.reader, boxes)
        if isinstance(reader, ValuesReader):
            return self.send(reader, reader.nbytes)
        share_of_all = (len(sources.kept) + 1) * sources.span / len(piece.blocks)
        if share_of_all * piece.blocks.n_bytes > _KEPT_SHARE * self._workers()[1]:
            return reader
        # Known to the scheduler by how it is read, so that what dies with a worker is read again.
        return self._client.submit(values_of, reader, boxes, pure=False)

    def submit(self, *given: Any) -> Any:  # noqa: ANN401 -- a future
        """Submit one piece of work."""
        return self._client.submit(_do, *given, pure=False)

    def check_connection(self) -> None:
        """Refuse to go on without a scheduler."""
        if self._client.status != "running":
            msg = f"the connection to the cluster at {self._address} was lost: run again"
            raise ClusterError(msg)

    def wait(self, future: Any) -> Any:  # noqa: ANN401 -- whatever work gives
        """Wait for a result as long as there are workers."""
        from distributed.scheduler import KilledWorker

        while True:
            try:
                return future.result(timeout=_SECONDS_WITHOUT_WORKERS)
            except TimeoutError:
                if future.status == "error":
                    raise
                if not self._client.nthreads():
                    msg = (
                        f"the cluster at {self._address} has had no workers for "
                        f"{_SECONDS_WITHOUT_WORKERS:.0f} s: start workers, then run again"
                    )
                    raise ClusterError(msg) from None
            except KilledWorker as error:
                msg = (
                    "several workers were lost over the same piece of work, most likely for want "
                    "of memory: start fewer workers, or workers with more memory"
                )
                raise ClusterError(msg) from error
            except FileNotFoundError as error:
                if error.filename and Path(error.filename).exists():
                    msg = (
                        f"{error.filename} is not found by a worker of {self._address}: put it "
                        "where all workers see it under the same path"
                    )
                    raise ClusterError(msg) from error
                raise


@dataclass(eq=False)
class _Sources:
    """What reads the pieces of one array, of `span` blocks each, by the numbers of these."""

    span: int
    kept: dict[range, Any] = field(default_factory=dict)


def _is_lost(value: object) -> bool:
    """Tell whether a value was with a worker that died."""
    from distributed import Future

    return isinstance(value, Future) and value.status not in ("finished", "pending")


class _Work:
    """What is done with every piece, in the form in which it travels."""

    def __init__(self, executor: ClusterExecutor, work: Callable[[Any], Any]) -> None:
        import cloudpickle

        self._executor = executor
        self._pickled = cloudpickle.dumps(work)
        self._sent = executor.send(self._pickled, len(self._pickled))

    def sent(self) -> Any:  # noqa: ANN401 -- bytes or their future
        """Give it as handed out."""
        if _is_lost(self._sent):
            self._sent = self._executor.send(self._pickled, len(self._pickled))
        return self._sent


class _Task:
    """One piece on its way."""

    def __init__(self, executor: ClusterExecutor, work: _Work, piece: Piece) -> None:
        self._executor, self._work, self._piece = executor, work, piece
        self.future = self._submitted()

    def _submitted(self) -> Any:  # noqa: ANN401 -- a future
        piece, executor = self._piece, self._executor
        n_bytes = sum(array.nbytes for array in piece.beside)
        return executor.submit(
            self._work.sent(),
            # Without the array, which travels as the source.
            piece.blocks.only(piece.numbers, ValuesReader({})),
            piece.numbers,
            executor.source_of(piece),
            executor.send(piece.beside, n_bytes),
            code_here(),
        )

    def result(self) -> Any:  # noqa: ANN401 -- whatever work gives
        for attempt in range(_ATTEMPTS):
            try:
                return self._executor.wait(self.future)
            except CancelledError:
                # What was handed out died with its worker: the scheduler cannot make it anew, and
                # tells a little later what else was lost.
                self._executor.check_connection()
                time.sleep(0.1 * attempt)
                self.future = self._submitted()
        msg = f"workers were lost {_ATTEMPTS} times over the same piece of work: run again"
        raise ClusterError(msg)


def _do(
    work: bytes,
    blocks: Blocks,
    numbers: range,
    source: Reader,
    beside: tuple[Any, ...],
    code: Mapping[str, str],
) -> Any:  # noqa: ANN401 -- whatever work gives
    """Do one piece of work on a worker."""
    import cloudpickle

    if code != code_here():
        # A worker that joined later than the others.
        raise ClusterError(_difference(code, {platform.node(): code_here()}))
    _fix_blas()
    return cloudpickle.loads(work)(Piece(replace(blocks, reader=source), numbers, beside))


@cache
def _fix_blas() -> None:
    """Fix BLAS to one thread for good: several tasks of a worker run beside each other."""
    from threadpoolctl import ThreadpoolController

    ThreadpoolController().limit(limits=1, user_api="blas")


# Code of workers and of this process.


@cache
def code_here() -> Mapping[str, str]:
    """Tell what code this process runs: adatom to the byte, libraries by version."""
    import adatom

    root = Path(adatom.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    return {
        "adatom": f"{adatom.__version__} (code {digest.hexdigest()[:12]})",
        "python": ".".join(platform.python_version_tuple()[:2]),
        **versions,
    }


def _check_workers(client: Any) -> None:  # noqa: ANN401 -- distributed.Client
    """Compare the code of all workers with that of this process."""

    # Inside, so that it travels by value: workers may have no adatom, or an older one.
    def look() -> Mapping[str, str]:
        try:
            from adatom.recipes.cluster import code_here
        except ImportError:
            return {"adatom": "none, or of another version"}
        return code_here()

    found = client.run(look)
    if not found:
        msg = (
            f"the cluster at {client.scheduler.address} has no workers: start some, for instance "
            f"with `dask worker {client.scheduler.address}`"
        )
        raise ClusterError(msg)
    different = {worker: code for worker, code in found.items() if code != code_here()}
    if different:
        raise ClusterError(_difference(code_here(), different))


def _difference(here: Mapping[str, str], found: Mapping[str, Mapping[str, str]]) -> str:
    worker, code = next(iter(found.items()))
    parts = [
        f"{name} {code[name]} instead of {here[name]}"
        for name in here
        if name in code and code[name] != here[name]
    ]
    others = f" (and {len(found) - 1} more workers)" if len(found) > 1 else ""
    return (
        f"worker {worker}{others} runs {', '.join(parts)}, which may give other results: install "
        "the same versions where the workers are, and start them anew"
    )


# Clusters.


@contextmanager
def cluster_at(address: str, /, *, timeout: float = 20.0) -> Iterator[ClusterExecutor]:
    """Work on a cluster that runs already.

    Parameters
    ----------
    address : str
        Of its scheduler, such as "tcp://10.0.0.1:8786".
    timeout : float
        Seconds to wait for an answer, and for a first worker.

    Raises
    ------
    ClusterError
        If no scheduler answers, it has no workers, or they run other code.
    MissingExtraError
        If distributed is not installed.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=timeout, set_as_default=False)
    except ValueError as error:
        msg = f"{address!r} is no address of a scheduler ({error}): write tcp://HOST:PORT"
        raise SettingError(msg) from error
    except OSError as error:
        msg = (
            f"no scheduler answers at {address} within {timeout:g} s: start one with "
            "`dask scheduler`, and give the address that it prints"
        )
        raise ClusterError(msg) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout)
        except TimeoutError:
            msg = (
                f"the cluster at {address} has no workers: start some, for instance with "
                f"`dask worker {address}`"
            )
            raise ClusterError(msg) from None
        yield ClusterExecutor(client)


@contextmanager
def local_cluster(n_workers: int, /) -> Iterator[ClusterExecutor]:
    """Start worker processes on this machine, and end them after.

    Parameters
    ----------
    n_workers : int
        Processes, each with one thread.

    Raises
    ------
    SettingError
        If there are none.
    MissingExtraError
        If distributed is not installed.

    Notes
    -----
    Processes are started anew rather than forked, so a script that calls this
    must do so under ``if __name__ == "__main__":``.
    """
    if n_workers < 1:
        msg = f"{n_workers=} must be 1 or more"
        raise SettingError(msg)
    distributed = _distributed()
    import logging

    with (
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            # Any free port: that of the default may be taken by another cluster.
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield ClusterExecutor(client)


def _distributed() -> Any:  # noqa: ANN401 -- the module
    try:
        import distributed
    except ImportError as error:
        msg = "a cluster needs distributed: pip install 'adatom[cluster]'"
        raise MissingExtraError(msg) from error
    return distributed
