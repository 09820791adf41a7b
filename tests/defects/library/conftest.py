"""Places for libraries: a file, and a database of a PostgreSQL server of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from library_places import new_place

from adatom.defects.library import Library, open_library

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _program(name: str) -> str | None:
    places = os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(_DEBIAN))])
    return shutil.which(name, path=places)


def _user() -> str | None:
    """Name who runs the server, which refuses root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start a server in a temporary folder and give the folder of its socket."""
    lacking = [name for name in ("psycopg2", "ase_db_backends") if find_spec(name) is None]
    if lacking:
        pytest.skip(f"needs {' and '.join(lacking)}: pip install 'adatom[postgres]'")
    initdb, control = _program("initdb"), _program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("needs the programs of PostgreSQL: apt-get install postgresql")
    # Names of sockets may be some hundred characters long only.
    folder = Path(tempfile.mkdtemp(prefix="adatom-pg-", dir="/tmp"))
    user = _user()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    made = [
        [initdb, "-D", data, "-A", "trust", "-U", "adatom", "--no-sync"],
        [control, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start"],
    ]
    try:
        for command in made:
            subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
        yield str(folder)
    finally:
        stop = [control, "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, user=user, stdout=subprocess.DEVNULL, cwd=folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a place where no library is yet."""
    return new_place(request, tmp_path)


@pytest.fixture
def library(place: str, tmp_path: Path) -> Iterator[Library]:
    """Give an empty library with a store of pictures."""
    store = None if place.endswith(".db") else tmp_path / "pictures"
    with open_library(place, create=True, store=store) as opened:
        yield opened
