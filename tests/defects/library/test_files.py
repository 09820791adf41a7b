"""Files that are no library, are damaged, or come from another version."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import zarr
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import Library, add_defects, open_library, read_defect
from adatom.defects.library.checking import check_library
from adatom.defects.library.merging import merge_libraries
from adatom.defects.library.opening import ase_database
from adatom.defects.library.sessions import shown_place
from adatom.errors import SettingError, StoreError


def test_no_file_is_told_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="`adatom library add"):
        open_library(tmp_path / "none.db")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("hello", encoding="utf-8")
    with pytest.raises(StoreError, match="no SQLite database"):
        open_library(path, create=True)
    assert path.read_text(encoding="utf-8") == "hello"


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="a database without a defect library"):
        open_library(path, create=True)


def test_a_database_of_ase_is_not_taken_for_a_library(tmp_path: Path) -> None:
    path = tmp_path / "ase.db"
    ase_database(str(path)).metadata = {"title": "mine"}
    with pytest.raises(StoreError, match="an ASE database without a defect library"):
        open_library(path)


def test_a_library_of_a_newer_layout_is_refused(library: Library) -> None:
    library.session.execute("UPDATE adatom_library SET value = '99' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="layout 99, this adatom knows layouts up to 1"):
        open_library(library.place)
    library.session.execute("UPDATE adatom_library SET value = 'x' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="layout is 'x'"):
        open_library(library.place)


def test_a_newer_ase_is_told(library: Library) -> None:
    library.session.execute("UPDATE information SET value = '10' WHERE name = 'version'")
    with pytest.raises(StoreError, match=r"layout \['10'\] of the ASE database"):
        open_library(library.place)


def test_a_file_that_is_cut_short_is_told(tmp_path: Path) -> None:
    path = tmp_path / "defects.db"
    with open_library(path, create=True) as library:
        for seed in range(5):
            add_defects(library, simulated_defects(["Si1C3"] * 9, seed=seed))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StoreError, match="damaged"), open_library(path) as library:
        assert check_library(library) == []


def test_a_file_that_becomes_something_else_is_told_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "defects.db"
    open_library(path, create=True).close()
    with open_library(path) as library:
        path.write_bytes(b"hello" * 9999)
        with pytest.raises(StoreError, match="no SQLite file, or is damaged"):
            add_defects(library, simulated_defects(["Si1C3"], seed=1))


def test_after_a_failed_commit_the_library_is_written_again(tmp_path: Path) -> None:
    with open_library(tmp_path / "defects.db", create=True) as library:
        session = library.session
        session.execute("CREATE TABLE a (b INTEGER REFERENCES adatom_images(id) "
                        "DEFERRABLE INITIALLY DEFERRED)")  # fmt: skip
        with pytest.raises(StoreError, match="FOREIGN KEY"), session.transaction():
            session.execute("INSERT INTO a VALUES (99)")
        assert add_defects(library, simulated_defects(["Si1C3"], seed=1)).state == "new"


def test_damaged_atoms_are_told(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    library.session.execute("UPDATE adatom_defects SET members = ?", (b"123",))
    with pytest.raises(StoreError, match="are damaged"):
        read_defect(library, 1)


def test_a_hash_in_the_database_leads_nowhere_else(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1), simulated_picture(seed=1))
    library.session.execute("UPDATE adatom_images SET pixels = ?", ("../../../etc",))
    with pytest.raises(StoreError, match="no hash of pictures"):
        read_defect(library, 1).patch()
    assert any("no hash" in problem for problem in check_library(library))


def test_missing_pictures_are_told(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1), simulated_picture(seed=1))
    library.session.execute("UPDATE adatom_images SET pixels = ?", ("0" * 64,))
    with pytest.raises(StoreError, match="missing or damaged"):
        read_defect(library, 1).patch()
    assert check_library(library) == [f"pixels {'0' * 16} are missing in {library.store}"]


def test_pictures_in_a_format_that_may_hold_pickles_are_not_opened(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1), simulated_picture(seed=1))
    (digest,) = library.session.rows("SELECT pixels FROM adatom_images")[0]
    assert library.store is not None
    place = library.store / digest[:2] / digest
    shutil.rmtree(place)
    zarr.open_group(place, mode="w-", zarr_format=2).create_array("image", data=np.zeros((9, 9)))
    with pytest.raises(StoreError, match="missing or damaged"):
        read_defect(library, 1).patch()


def test_pictures_that_are_not_what_their_hash_says_are_not_taken_over(
    library: Library, tmp_path: Path
) -> None:
    with open_library(tmp_path / "other.db", create=True) as other:
        add_defects(other, simulated_defects(["Si1C3"], seed=1), simulated_picture(seed=1))
        (digest,) = other.session.rows("SELECT pixels FROM adatom_images")[0]
        assert other.store is not None
        group = zarr.open_group(other.store / digest[:2] / digest, mode="r+")
        group["image"][0, 0] = 1e3  # type: ignore[index]
        with pytest.raises(StoreError, match="something else than its hash says"):
            merge_libraries(library, other)
    assert library.session.rows("SELECT COUNT(*) FROM adatom_images") == [(0,)]


def test_a_password_is_never_shown() -> None:
    url = "postgresql://me:secret@host/name"
    assert shown_place(url) == "postgresql://me:***@host/name"
    with pytest.raises((StoreError, ImportError)) as told:
        open_library("postgresql://me:secret@127.0.0.1:1/name")
    assert "secret" not in str(told.value)


def test_a_file_takes_no_store(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="beside it"):
        open_library(tmp_path / "a.db", create=True, store=tmp_path)
