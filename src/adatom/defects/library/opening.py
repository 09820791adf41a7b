"""Libraries of defects: made, opened and closed."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import adatom
from adatom.defects.library.sessions import (
    URL,
    PostgreSQLSession,
    Session,
    SQLiteSession,
    shown_place,
)
from adatom.defects.library.tables import create_tables, read_values
from adatom.errors import MissingExtraError, SettingError, StoreError

if TYPE_CHECKING:
    from types import TracebackType

_SQLITE_HEAD: Final = b"SQLite format 3\x00"

# Shown by `ase db FILE -k`.
_KEYS: Final = {
    "adatom": ["Row", "defect, or calculation of one", ""],
    "name": ["Name", "composition label", ""],
    "kind": ["Kind", "kind of defect", ""],
    "host": ["Host", "crystal", ""],
    "confidence": ["Confidence", "probability of the name", ""],
    "extent": ["Extent", "largest distance between two of its atoms", "nm"],
    "class_key": ["Class", "hash of the graph of species and bonds", ""],
    "image": ["Image", "hash of the image", ""],
    "current": ["Current", "1 in the newest analysis of its image, 0 in an older one", ""],
    "defect": ["Defect", "row of the defect that was calculated", ""],
}


class Library:
    """A library of defects: a database, and beside it a store of pictures.

    The database is one of ASE (``ase db FILE`` lists its rows, one a defect)
    with tables of adatom in it. Close it, or use it in a ``with`` statement;
    every thread and process opens its own.

    Attributes
    ----------
    place : str
        Path of the file, or address of the PostgreSQL database.
    store : Path or None
        Folder of the pictures, named by the hash of their contents.
    id : str
        Of this library; a copy has the same.
    """

    def __init__(self, place: str, session: Session, values: dict[str, str], /) -> None:
        self.place, self.session, self.id = place, session, values["id"]
        told = values.get("store", "")
        if session.is_sqlite:
            # Beside the file, so that both may move together.
            self.store: Path | None = Path(place).with_suffix(".zarr")
        else:
            self.store = Path(told) if told else None

    def __repr__(self) -> str:
        return f"Library({shown_place(self.place)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.session.close()


def open_library(
    place: str | Path, /, *, create: bool = False, store: str | Path | None = None
) -> Library:
    """Open a library.

    Parameters
    ----------
    place : str or Path
        A file that ends in ``.db`` (SQLite), whose pictures stand beside it
        in a folder of its name that ends in ``.zarr``; or the address of a
        PostgreSQL database, ``postgresql://user:password@host/name``.
    create : bool
        Make it if there is none.
    store : str or Path, optional
        Folder of the pictures of a new library in PostgreSQL; without one it
        keeps none.

    Raises
    ------
    StoreError
        If there is no library, or what is there is none.
    SettingError
        If the place has another ending, or a file is given a store.

    Examples
    --------
    >>> with open_library("defects.db", create=True) as library:  # doctest: +SKIP
    ...     print(library)
    Library('defects.db')
    """
    text = str(place)
    if URL.match(text):
        return _open_postgresql(text, create=create, store=store)
    path = Path(place)
    if path.suffix != ".db":
        msg = f"{text} is no place of a library: name a file that ends in .db, or postgresql://..."
        raise SettingError(msg)
    if store is not None:
        msg = f"{store=}: pictures of a library in a file stand beside it, leave it out"
        raise SettingError(msg)
    return _open_sqlite(path, create=create)


def has_library(place: str | Path, /) -> bool:
    """Tell whether there is a file, or in a PostgreSQL database a library.

    Raises
    ------
    StoreError
        If the server does not answer.
    """
    text = str(place)
    if not URL.match(text):
        return Path(place).exists()
    session = PostgreSQLSession(text)
    try:
        return session.has_table("adatom_library")
    finally:
        session.close()


def _open_sqlite(path: Path, *, create: bool) -> Library:
    if not path.exists():
        if not create:
            msg = f"there is no library {path}: `adatom library add {path} ...` makes one"
            raise StoreError(msg)
        _create_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_HEAD))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise StoreError(msg) from error
    if head != _SQLITE_HEAD:
        msg = f"{path} is no SQLite database, and so no library: choose another file"
        raise StoreError(msg)
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    session = SQLiteSession(path, read_only=not writable)
    return _opened(str(path), session)


def _opened(place: str, session: Session) -> Library:
    try:
        return Library(place, session, read_values(session, place=shown_place(place)))
    except BaseException:
        session.close()
        raise


def _create_file(path: Path) -> None:
    """Make the whole file under another name, so that no process ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}.db")
    try:
        _create_ase_tables(str(draft))
        session = SQLiteSession(draft)
        try:
            session.execute("PRAGMA journal_mode = WAL")
            with session.transaction():
                create_tables(session, values=_new_values())
            session.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            session.close()
        _move_without_replacing(draft, path)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        msg = f"cannot make the library {path}: {error.strerror or error}"
        raise StoreError(msg) from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{draft}{ending}").unlink(missing_ok=True)


def _move_without_replacing(draft: Path, path: Path) -> None:
    """Give the draft its name; where another process was faster, its file stays."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except (OSError, NotImplementedError, AttributeError):
        # A disk without hard links: Windows refuses to replace, elsewhere the chance is slight.
        with suppress(FileExistsError):
            if not path.exists():
                draft.rename(path)


def ase_database(place: str, /) -> Any:  # noqa: ANN401 -- ASE is not typed
    """Open a place by ASE.

    Its lock file is left out: a killed process would leave it and block all
    others for ever, while the database itself lets one write at a time.
    """
    from ase.db import connect

    try:
        return connect(place, use_lock_file=False)  # type: ignore[no-untyped-call]
    except ImportError as error:
        msg = "libraries in PostgreSQL need an extra: pip install 'adatom[postgres]'"
        raise MissingExtraError(msg) from error


def _create_ase_tables(place: str) -> None:
    """Let ASE make its tables: giving it metadata does."""
    database = ase_database(place)
    database.metadata = {
        "title": "Defects found by adatom",
        "key_descriptions": _KEYS,
        "default_columns": ["id", "name", "kind", "host", "formula", "confidence", "energy"],
    }


def _new_values(store: str = "") -> dict[str, str]:
    return {"id": uuid.uuid4().hex, "adatom": adatom.__version__, "store": store}


def _open_postgresql(url: str, *, create: bool, store: str | Path | None) -> Library:
    session = PostgreSQLSession(url)
    if create:
        with session.transaction():
            session.lock("adatom library")
            if not session.has_table("adatom_library"):
                if not session.has_table("systems"):
                    _create_ase_tables(url)
                folder = "" if store is None else str(Path(store).absolute())
                create_tables(session, values=_new_values(folder))
    return _opened(url, session)
