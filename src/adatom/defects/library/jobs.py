"""A queue of calculations in the database of a library; kills lose no job."""

from __future__ import annotations

import os
import re
import socket
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adatom.defects.library.sessions import insertion
from adatom.errors import StoreError
from adatom.numerics.life_locks import LifeLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adatom.defects.library.opening import Library

LEASE_SECONDS: Final = 120.0
"""How long a job stays with a process that gives no sign of life: three missed signs, and some
difference of the clocks of two machines."""
_SIGN_SECONDS: Final = 30.0
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")

_TABLE: Final = """CREATE TABLE IF NOT EXISTS adatom_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    defect_id INTEGER NOT NULL,
    calculation_key TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_ends REAL NOT NULL,
    starts INTEGER NOT NULL,
    error TEXT NOT NULL,
    UNIQUE (defect_id, calculation_key))"""

MOST_STARTS: Final = 3
"""A job whose process died so often is given up: most likely it needs more memory than there is."""


class Job(NamedTuple):
    """A calculation that somebody is to do.

    Attributes
    ----------
    id : int
    defect_id : int
        Row of the defect.
    """

    id: int
    defect_id: int


class JobCounts(NamedTuple):
    """Jobs of a calculation by what became of them.

    Attributes
    ----------
    waiting, running, failed : int
    """

    waiting: int
    running: int
    failed: int


def name_of_process() -> str:
    """Name this process so that another one of the same machine can tell whether it lives.

    That is told while `signs_of_life` lasts, or by the file that is left where it was killed.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"


def add_jobs(library: Library, defect_ids: Sequence[int], key: str, /) -> None:
    """Add jobs that are not in the queue yet."""
    with library.session.transaction():
        library.session.lock("adatom jobs")
        # PostgreSQL fails where two make one table at once.
        library.session.create(_TABLE)
        known = {
            row[0]
            for row in library.session.rows(
                "SELECT defect_id FROM adatom_jobs WHERE calculation_key = ?", (key,)
            )
        }
        columns = ("defect_id", "calculation_key", "state", "owner", "lease_ends", "starts",
                   "error")  # fmt: skip
        rows = [(n, key, "waiting", "", 0.0, 0, "") for n in defect_ids if n not in known]
        library.session.many(insertion("adatom_jobs", columns), rows)


def claim_job(library: Library, key: str, owner: str, /) -> Job | None:
    """Take the next job that nobody works on; none if there is none.

    Jobs of processes that died within `signs_of_life` are taken over: at once where
    they ran on this machine, after their lease elsewhere.
    """
    session = library.session
    with session.transaction():
        session.lock("adatom jobs")
        for number, defect_id, state, other, ends, starts in session.rows(
            "SELECT id, defect_id, state, owner, lease_ends, starts FROM adatom_jobs "
            "WHERE calculation_key = ? AND state IN ('waiting', 'running') ORDER BY id",
            (key,),
        ):
            if state == "running" and time.time() < ends and not _is_dead(other):
                continue
            if starts >= MOST_STARTS:
                _set(session, number, "failed", f"its process died {starts} times: more memory?")
                continue
            session.execute(
                "UPDATE adatom_jobs SET state = 'running', owner = ?, lease_ends = ?, starts = ? "
                "WHERE id = ?",
                (owner, time.time() + LEASE_SECONDS, starts + 1, number),
            )
            return Job(int(number), int(defect_id))
    return None


def finish_job(library: Library, job: Job, owner: str, /) -> None:
    """Take a job out of the queue whose result is stored."""
    library.session.execute("DELETE FROM adatom_jobs WHERE id = ? AND owner = ?", (job.id, owner))


def fail_job(library: Library, job: Job, owner: str, error: str, /) -> None:
    """Keep the reason why a job gave nothing; it is not done again before `retry_jobs`.

    A job that another process has taken over meanwhile is that one's.
    """
    library.session.execute(
        "UPDATE adatom_jobs SET state = 'failed', owner = '', error = ? WHERE id = ? AND owner = ?",
        (error[:2000], job.id, owner),
    )


def release_jobs(library: Library, owner: str, /) -> None:
    """Give back what an ending process has not done."""
    library.session.execute(
        "UPDATE adatom_jobs SET state = 'waiting', owner = '', starts = starts - 1 "
        "WHERE owner = ? AND state = 'running'",
        (owner,),
    )


def retry_jobs(library: Library, key: str, /) -> None:
    """Let failed jobs wait again."""
    library.session.create(_TABLE)
    library.session.execute(
        "UPDATE adatom_jobs SET state = 'waiting', owner = '', starts = 0, error = '' "
        "WHERE calculation_key = ? AND state = 'failed'",
        (key,),
    )


def count_jobs(library: Library, key: str, /) -> JobCounts:
    """Count the jobs of a calculation."""
    found = dict(
        library.session.rows(
            "SELECT state, COUNT(*) FROM adatom_jobs WHERE calculation_key = ? GROUP BY state",
            (key,),
        )
    )
    return JobCounts(*(int(found.get(state, 0)) for state in JobCounts._fields))


def failures(library: Library, key: str, /) -> list[tuple[int, str]]:
    """Give the rows of defects whose jobs failed, and why."""
    return [
        (int(number), str(error))
        for number, error in library.session.rows(
            "SELECT defect_id, error FROM adatom_jobs WHERE calculation_key = ? AND "
            "state = 'failed' ORDER BY defect_id",
            (key,),
        )
    ]


@contextmanager
def signs_of_life(library: Library, owner: str, /) -> Iterator[None]:
    """Renew the leases of this process, and hold a locked file, as long as the block runs."""
    from adatom.defects.library.opening import open_library

    ended = threading.Event()
    lock = LifeLock(_file_of_life(owner))
    # Where no file can be written, the lease alone tells.
    with suppress(OSError):
        lock.take()

    def sign() -> None:
        # A connection belongs to one thread.
        with open_library(library.place) as own:
            while not ended.wait(_SIGN_SECONDS):
                # A sign that is missed, as while others write for long, is made up by the next.
                with suppress(StoreError):
                    own.session.execute(
                        "UPDATE adatom_jobs SET lease_ends = ? WHERE owner = ? "
                        "AND state = 'running'",
                        (time.time() + LEASE_SECONDS, owner),
                    )

    thread = threading.Thread(target=sign, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        lock.free()


def _set(session: Any, number: int, state: str, error: str) -> None:  # noqa: ANN401
    session.execute(
        "UPDATE adatom_jobs SET state = ?, owner = '', error = ? WHERE id = ?",
        (state, error[:2000], number),
    )


def _file_of_life(owner: str) -> Path:
    """Give the file that a process locks, in a folder that others of the machine see too."""
    return Path(tempfile.gettempdir()) / f"adatom-job-{owner.rpartition(':')[2]}.lock"


def _is_dead(owner: str) -> bool:
    """Tell whether a process surely ended: it left the file that it held locked.

    Asked by its number alone, another process that got the number since would be taken for it.
    """
    host, _, rest = owner.partition(":")
    # The name comes from the database, which anybody may have written.
    if host != socket.gethostname() or not _TOKEN.fullmatch(rest.rpartition(":")[2]):
        return False
    path = _file_of_life(owner)
    if not path.is_file() or path.is_symlink():
        return False
    lock = LifeLock(path)
    try:
        if not lock.take():
            return False
    except OSError:
        return False
    lock.free()
    return True
