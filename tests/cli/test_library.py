"""``adatom library``: what its commands print, write and give as exit code."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from PIL import Image
from simulated_defects import simulated_defects, simulated_picture

from adatom.cli import main
from adatom.cli.library import COMMANDS
from adatom.defects.library import (
    DefectQuery,
    add_defects,
    open_library,
    read_defect,
    store_calculation,
)
from adatom.defects.library.exporting import export_defects
from adatom.io import read_data

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Give a library of two images with three defects each."""
    path = tmp_path / "defects.db"
    with open_library(path, create=True) as library:
        for seed in (1, 2):
            found = simulated_defects(["Si1C3", "V1", "Si2C6"], seed=seed)
            add_defects(library, found, simulated_picture(seed=seed))
    return str(path)


def _run(*arguments: str) -> int:
    return main(["library", *arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        _run(command, "--help")
    assert ended.value.code == 0
    assert "LIBRARY" in capsys.readouterr().out


def test_search_lists_writes_and_draws(place: str, tmp_path: Path, capsys: Captured) -> None:
    sheet, table = tmp_path / "sheet.png", tmp_path / "found.csv"
    options = ["--formula", "Si>=1", "--sheet", str(sheet), "--csv", str(table)]
    assert _run("search", place, *options) == 0
    told = capsys.readouterr().out
    assert [line.split()[1] for line in told.splitlines()[1:5]] == ["Si1C3", "Si2C6"] * 2
    with Image.open(sheet) as picture:
        assert min(picture.size) > 200
    assert np.asarray(read_data(table)["name"]).tolist() == ["Si1C3", "Si2C6"] * 2


def test_search_by_geometry_and_likeness(place: str, tmp_path: Path, capsys: Captured) -> None:
    with open_library(place) as library:
        atoms = read_defect(library, 3).structure
    ase.io.write(tmp_path / "wanted.xyz", atoms, format="extxyz")
    assert _run("search", place, "--like", str(tmp_path / "wanted.xyz"), "--limit", "1") == 0
    first = capsys.readouterr().out.splitlines()[1].split()
    assert first[:2] == ["3", "Si2C6"]
    assert _run("search", place, "--like", "1") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["1", "Si1C3"]
    assert _run("search", place, "--bond", "Si-C=0.1..0.2", "--angle", "C-Si-C=100..140") == 0
    assert _run("search", place, "--bond", "Si-C=0.3..0.4") == 1
    assert "`adatom library show" in capsys.readouterr().out
    assert _run("search", place, "--bond", "Si-C") == 2
    assert "two limits, such as Si-C=0.16..0.19" in capsys.readouterr().err


def test_show_stats_and_check(place: str, capsys: Captured) -> None:
    assert _run("show", place) == 0
    assert "defects: 6" in capsys.readouterr().out
    assert _run("show", place, "1") == 0
    told = capsys.readouterr().out
    assert "defect 1: Si1C3 (substitution) in graphene" in told
    assert "C-Si: 3," in told
    assert _run("show", place, "99") == 2
    assert "no defect 99" in capsys.readouterr().err
    assert _run("stats", place) == 0
    assert "6 defects in 2 images" in capsys.readouterr().out
    assert _run("check", place) == 0
    assert "all is well" in capsys.readouterr().out


def test_export_import_and_merge(place: str, tmp_path: Path, capsys: Captured) -> None:
    out, other = str(tmp_path / "out"), str(tmp_path / "other.db")
    assert _run("export", place, out, "--format", "hdf5", "--formula", "Si>=1") == 0
    assert "4 files" in capsys.readouterr().out
    assert _run("import", other, out) == 0
    # Each image is in two folders: of the same image the last analysis counts.
    told = "4 defects in 4 images: 2 images are new, 0 were there, 2 had other defects"
    assert told in capsys.readouterr().out
    assert _run("merge", other, place) == 0
    told = capsys.readouterr().out
    assert "2 images: 0 are new, 0 were there, 2 have other defects here" in told
    assert "only there" in told
    assert _run("check", other) == 0


def test_import_tells_what_it_skips(place: str, tmp_path: Path, capsys: Captured) -> None:
    with open_library(place) as library:
        export_defects(library, tmp_path / "out", file_format="hdf5")
    (tmp_path / "out" / "bad.hdf5").write_bytes(b"bad")
    assert _run("import", str(tmp_path / "new.db"), str(tmp_path / "out")) == 1
    assert "skipped: " in capsys.readouterr().err


def test_what_is_not_known_is_shown_as_such(place: str, tmp_path: Path, capsys: Captured) -> None:
    with open_library(place) as library:
        export_defects(library, tmp_path / "out", DefectQuery(name="Si1C3"), file_format="hdf5")
    new = str(tmp_path / "new.db")
    assert _run("import", new, str(tmp_path / "out")) == 0
    with open_library(new) as library:
        store_calculation(library, 1, calculator="vasp", settings={}, version="6", energy=-288.25)
    capsys.readouterr()
    assert _run("show", new, "1") == 0
    told = capsys.readouterr().out
    assert "confidence not known" in told
    assert "vasp 6: energy -288.25 eV, formation energy not known" in told
    assert "nan" not in told
    assert _run("import", new, str(tmp_path / "nowhere")) == 2
    assert "is neither a file nor a folder" in capsys.readouterr().err


def test_a_new_library_is_made_once(tmp_path: Path, capsys: Captured) -> None:
    assert _run("new", str(tmp_path / "a.db")) == 0
    assert _run("new", str(tmp_path / "a.db")) == 2
    assert "is a library already" in capsys.readouterr().err


def test_what_is_no_library_is_told_where_a_new_one_is_asked_for(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "a.db").write_bytes(b"SQLite format 3")
    assert _run("new", str(tmp_path / "a.db")) == 2
    assert "is no SQLite database" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_told(capsys: Captured) -> None:
    pytest.importorskip("psycopg2")
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    assert _run("new", nowhere) == 2
    assert "does not answer" in capsys.readouterr().err


def test_stats_count_older_analyses_where_asked(place: str, capsys: Captured) -> None:
    with open_library(place) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=3), simulated_picture(seed=1))
    assert _run("stats", place) == 0
    assert "4 defects in 2 images" in capsys.readouterr().out
    assert _run("stats", place, "--all-analyses") == 0
    assert "7 defects in 3 images" in capsys.readouterr().out


def test_no_library_and_no_step_are_told(tmp_path: Path, capsys: Captured) -> None:
    assert _run("search", str(tmp_path / "none.db")) == 2
    assert "there is no library" in capsys.readouterr().err
    assert _run("add", str(tmp_path / "a.db"), "x.npy", "--recipe", "find_atoms") == 2
    assert "no step defects.add_to_library" in capsys.readouterr().err
