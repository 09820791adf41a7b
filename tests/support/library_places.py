"""Places for libraries that are made by tests."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest


def new_database(server: str) -> str:
    """Make a database and give its address."""
    import psycopg2

    name = f"adatom_{uuid.uuid4().hex[:12]}"
    connection = psycopg2.connect(f"postgresql://adatom@/postgres?host={server}")
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"postgresql://adatom@/{name}?host={server}"


def new_place(request: pytest.FixtureRequest, folder: Path) -> str:
    """Give a file, or a database of the server, as the parameter of a fixture asks."""
    if request.param == "file":
        return str(folder / "defects.db")
    return new_database(request.getfixturevalue("server"))
