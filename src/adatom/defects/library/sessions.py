"""Connections to the database of a library: SQLite or PostgreSQL, by one set of statements."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from adatom.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BUSY_SECONDS: Final = 120.0
"""How long a writer waits for others: images are added in well under a second each."""
_ROWS_AT_ONCE: Final = 1000
# Of SQLite's machine: about a thousandth of a second.
_INSTRUCTIONS_BETWEEN_LOOKS: Final = 100_000

URL: Final = re.compile(r"postgres(?:ql)?://")
"""Beginning of the address of a PostgreSQL database."""


def shown_place(place: str, /) -> str:
    """Give a path or address without its password, for messages and records."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", place)


def insertion(table: str, columns: Sequence[str], /) -> str:
    """Spell the statement that adds a row."""
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608


class Session(Protocol):
    """A connection that takes SQLite's spelling: ``?`` for values."""

    is_sqlite: bool

    def rows(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Give all rows of a question."""
        ...

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> int:
        """Do one statement and give the number of rows that it changed."""
        ...

    def many(self, statement: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Do one statement for every row of values."""
        ...

    def create(self, statement: str, /) -> None:
        """Make a table or index."""
        ...

    def has_table(self, name: str, /) -> bool:
        """Tell whether there is a table of this name."""
        ...

    def lock(self, name: str, /) -> None:
        """Wait, inside of a transaction, until no other one works on what is named so."""
        ...

    def new_ids(self, table: str, number: int, /) -> list[int]:
        """Reserve row numbers, inside of a transaction."""
        ...

    def transaction(self) -> Any:  # noqa: ANN401 -- a context manager
        """Do all that is done inside, or nothing of it."""
        ...

    def limit_to_reading(self, *, max_seconds: float) -> None:
        """Refuse from now on to write, and end questions that take longer."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SQLiteSession:
    """A connection to a file.

    Readers are never kept waiting (write-ahead log), writers wait for one
    another. What is committed survives the end of every process; when the
    whole machine loses its power the last transactions may be gone, each of
    them whole.
    """

    is_sqlite = True

    def __init__(self, path: Path, /, *, read_only: bool = False) -> None:
        self._path, self._asked = path, time.monotonic()
        how = "rw"
        if read_only:
            # A file that none can write needs no log beside it, which could not be made.
            how = "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"
        address = f"{path.absolute().as_uri()}?mode={how}"
        with self._told():
            self._connection = sqlite3.connect(
                address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None
            )
            self._connection.execute("PRAGMA foreign_keys = ON")
            # A file from anywhere: nothing that is written in its layout may run functions.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            if read_only:
                return
            self._connection.execute("PRAGMA synchronous = NORMAL")
            # Pages of the log before it is written into the file, which then waits for the disk.
            self._connection.execute("PRAGMA wal_autocheckpoint = 8000")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Name the file in errors of the database."""
        try:
            yield
        except sqlite3.Error as error:
            msg = f"{self._path}: {error}{_remedy(str(error))}"
            raise StoreError(msg) from error

    def rows(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Give all rows of a question."""
        self._asked = time.monotonic()
        with self._told():
            return self._connection.execute(statement, tuple(values)).fetchall()

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> int:
        """Do one statement and give the number of rows that it changed."""
        with self._told():
            return self._connection.execute(statement, tuple(values)).rowcount

    def many(self, statement: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Do one statement for every row of values."""
        with self._told():
            self._connection.executemany(statement, rows)

    def create(self, statement: str, /) -> None:
        """Make a table or index."""
        self.execute(statement)

    def has_table(self, name: str, /) -> bool:
        """Tell whether there is a table of this name."""
        question = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self.rows(question, (name,)))

    def lock(self, name: str, /) -> None:
        """Do nothing: a transaction that writes is alone in the file."""

    def new_ids(self, table: str, number: int, /) -> list[int]:
        """Reserve row numbers: none other writes until this transaction ends."""
        found = self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        first = (int(found[0][0]) if found else 0) + 1
        return list(range(first, first + number))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is done inside, or nothing of it."""
        self._begin()
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A full disk has ended it already, or not, where it has failed at the last step.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def limit_to_reading(self, *, max_seconds: float) -> None:
        """Refuse to write, and to go on with any one question for longer."""
        self.execute("PRAGMA query_only = ON")
        self._connection.set_progress_handler(
            lambda: time.monotonic() - self._asked > max_seconds, _INSTRUCTIONS_BETWEEN_LOOKS
        )

    def _begin(self) -> None:
        """Take the right to write; SQLite's own wait may give up early among many writers."""
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    msg = f"{self._path}: {error}{_remedy(str(error))}"
                    raise StoreError(msg) from error
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _remedy(error: str) -> str:
    if "interrupted" in error:
        return ". The question takes too long: ask for less"
    if "locked" in error:
        return (
            ". Another program holds it: close it, and keep libraries with several writers off "
            "network disks, or in PostgreSQL"
        )
    if "not a database" in error or "malformed" in error:
        return ". It is no SQLite file, or is damaged: restore a copy"
    if "readonly" in error or "unable to open" in error:
        return ". Check that the file and its folder may be written"
    return ""


class PostgreSQLSession:
    """A connection to a server."""

    is_sqlite = False

    def __init__(self, url: str, /) -> None:
        try:
            import psycopg2
            import psycopg2.extras
        except ImportError as error:
            msg = "libraries in PostgreSQL need an extra: pip install 'adatom[postgres]'"
            raise MissingExtraError(msg) from error
        self._url, self._values = shown_place(url), psycopg2.extras.execute_values
        try:
            self._connection = psycopg2.connect(url)
        except psycopg2.OperationalError as error:
            msg = f"{self._url} does not answer: {' '.join(str(error).split())}"
            raise StoreError(msg) from error
        self._connection.autocommit = True
        self._errors = psycopg2.Error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Name the server in errors of the database."""
        try:
            yield
        except self._errors as error:
            msg = f"{self._url}: {' '.join(str(error).split())}"
            raise StoreError(msg) from error

    def _do(self, statement: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 -- a cursor
        with self._told():
            cursor = self._connection.cursor()
            cursor.execute(statement.replace("?", "%s"), tuple(values))
            return cursor

    def rows(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Give all rows of a question."""
        with self._do(statement, values) as cursor:
            return [tuple(_plain(value) for value in row) for row in cursor.fetchall()]

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> int:
        """Do one statement and give the number of rows that it changed."""
        with self._do(statement, values) as cursor:
            return int(cursor.rowcount)

    def many(self, statement: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Do one statement for every row of values."""
        if not rows:
            return
        # `VALUES (?, ?)` becomes one list of all rows, which travels in one go.
        text = re.sub(r"VALUES \([?, ]+\)", "VALUES %s", statement)
        with self._told(), self._connection.cursor() as cursor:
            if text != statement:
                self._values(cursor, text, rows, page_size=_ROWS_AT_ONCE)
            else:
                cursor.executemany(statement.replace("?", "%s"), rows)

    def create(self, statement: str, /) -> None:
        """Make a table or index."""
        for ours, theirs in (
            ("INTEGER PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY"),
            (" REAL", " DOUBLE PRECISION"),
            (" BLOB", " BYTEA"),
        ):
            statement = statement.replace(ours, theirs)
        self.execute(statement)

    def has_table(self, name: str, /) -> bool:
        """Tell whether there is a table of this name."""
        return self.rows("SELECT to_regclass(?)", (name,)) != [(None,)]

    def lock(self, name: str, /) -> None:
        """Wait until no other transaction works on what is named so."""
        self.rows("SELECT pg_advisory_xact_lock(hashtext(?))", (name,))

    def new_ids(self, table: str, number: int, /) -> list[int]:
        """Reserve row numbers, which no other transaction gets."""
        question = "SELECT nextval(?) FROM generate_series(1, ?)"
        return [int(row[0]) for row in self.rows(question, (f"{table}_id_seq", number))]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is done inside, or nothing of it."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            # A connection that is gone has ended it already.
            with suppress(StoreError):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def limit_to_reading(self, *, max_seconds: float) -> None:
        """Refuse to write, and to go on with any one question for longer."""
        self.execute("SET default_transaction_read_only = on")
        self.execute(f"SET statement_timeout = {round(1000 * max_seconds)}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a column holds
    return value.tobytes() if isinstance(value, memoryview) else value
