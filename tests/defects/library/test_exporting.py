"""Defects written for other programs, and taken over from them."""

from __future__ import annotations

import csv
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import DefectQuery, Library, add_defects, read_defect, search_library
from adatom.defects.library.aicrystallographer import files_of_library, read_aicrystallographer
from adatom.defects.library.exporting import export_defects
from adatom.errors import ReadError, SettingError, WriteError
from adatom.io import read_data

NAMES = ["Si1C3", "Si1C4", "V1", "Si2C6"]


@pytest.fixture
def filled(library: Library) -> Library:
    for seed in (1, 2):
        add_defects(library, simulated_defects(NAMES, seed=seed), simulated_picture(seed=seed))
    return library


def test_csv_has_units_in_its_head(filled: Library, tmp_path: Path) -> None:
    path = tmp_path / "defects.csv"
    assert export_defects(filled, path, file_format="csv") == [path]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    table = search_library(filled)
    assert [float(row["extent [nm]"]) for row in rows] == table["extent"].values.tolist()
    assert [row["name"] for row in rows] == NAMES * 2


@pytest.mark.parametrize("file_format", ["extxyz", "cif", "poscar"])
def test_structures_come_back_with_their_geometry(
    filled: Library, tmp_path: Path, file_format: str
) -> None:
    query = DefectQuery(formula="Si>=1")
    path = tmp_path / ("all.extxyz" if file_format == "extxyz" else "files")
    written = export_defects(filled, path, query, file_format=file_format)  # type: ignore[arg-type]
    read = [atoms for one in written for atoms in _structures(one, file_format)]
    # One file has all in the order of their rows, as the files are in the order of theirs.
    ids = search_library(filled, query)["id"].values.tolist()
    assert len(read) == len(ids) == 6
    for number, atoms in zip(ids, read, strict=True):
        if file_format == "extxyz":
            assert atoms.info["defect"] == number
        own = read_defect(filled, number).structure
        assert sorted(atoms.numbers.tolist()) == sorted(own.numbers.tolist())
        # Six decimals at least in every format.
        np.testing.assert_allclose(_distances(atoms), _distances(own), atol=1e-5)


def _structures(path: Path, file_format: str) -> list[Atoms]:
    formats = {"extxyz": "extxyz", "cif": "cif", "poscar": "vasp"}
    return list(ase.io.iread(path, index=":", format=formats[file_format]))


def _distances(atoms: Atoms) -> NDArray[np.float64]:
    between = atoms.positions[:, None] - atoms.positions
    return np.sort(np.linalg.norm(between, axis=2).ravel())


def test_missing_atoms_are_written_as_x_or_left_out(filled: Library, tmp_path: Path) -> None:
    query = DefectQuery(name="V1")
    (path,) = export_defects(filled, tmp_path / "v.extxyz", query, file_format="extxyz")
    assert _structures(path, "extxyz")[0].numbers.tolist() == [0, 6, 6, 6]
    written = export_defects(filled, tmp_path / "v", query, file_format="poscar")
    assert _structures(written[0], "poscar")[0].numbers.tolist() == [6, 6, 6]
    # Our own reader takes it too.
    read_data(written[0])


def test_hdf5_goes_round(filled: Library, tmp_path: Path) -> None:
    query = DefectQuery(formula="Si>=1")
    written = export_defects(filled, tmp_path / "out", query, file_format="hdf5")
    assert sorted({path.parent.name for path in written}) == ["Si1C3", "Si1C4", "Si2C6"]
    for path in files_of_library(tmp_path / "out"):
        one = read_aicrystallographer(path)
        assert set(one.found.defects["name"].values.tolist()) == {one.label}
        image_id = int(path.stem)
        assert one.image.shape == (64, 64)
        own = search_library(filled, DefectQuery(name=one.label))
        number = int(own["id"].values[own["image_id"].values == image_id][0])
        read = read_defect(filled, number)
        np.testing.assert_allclose(
            np.stack([one.found.members[key].values for key in "yx"], axis=1), read.row.places
        )
        np.testing.assert_array_equal(one.image.values, simulated_picture(seed=image_id).values)
        # The same bonds are drawn from the distances as were known.
        assert one.found.bonds.sizes["row"] == len(read.row.bonds)


def test_what_is_there_is_not_replaced(filled: Library, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(WriteError, match="exists already"):
        export_defects(filled, tmp_path / "there.csv", file_format="csv")
    with pytest.raises(WriteError, match="new or empty"):
        export_defects(filled, tmp_path, file_format="cif")
    with pytest.raises(SettingError, match="nothing to export"):
        export_defects(filled, tmp_path / "n.csv", DefectQuery(name="none"), file_format="csv")


def test_a_spreadsheet_does_not_run_names(library: Library, tmp_path: Path) -> None:
    image = simulated_picture(seed=1).assign_attrs(source="=cmd()")
    add_defects(library, simulated_defects(["Si1C3"], seed=1), image)
    export_defects(library, tmp_path / "out.csv", file_format="csv")
    assert "'=cmd()" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def _write(path: Path, **changes: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    given: dict[str, object] = {
        "image": np.ones((1, 8, 8, 1), np.float32),
        "size": "2000.0",
        "coordinates": np.array([["1.0", "2.0", "Si"], ["3.0", "2.0", "C"]], dtype="S32"),
        **changes,
    }
    with h5py.File(path, "w") as file:
        data = file.create_dataset("nn_input", data=given["image"])
        data.attrs["scan size"] = given["size"]
        file["defect_coord_3"] = given["coordinates"]
    return path


def test_x_stands_before_y_and_the_scan_size_is_in_pm(tmp_path: Path) -> None:
    one = read_aicrystallographer(_write(tmp_path / "Si1C1" / "5.hdf5"))
    # 2000 pm over 8 px are 0.25 nm a pixel.
    assert one.found.members["x"].values.tolist() == [0.25, 0.75]
    assert one.found.members["y"].values.tolist() == [0.5, 0.5]
    assert one.found.defects["name"].values.tolist() == ["Si1C1"]
    assert "area" not in one.found.defects.attrs


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image": np.ones((8, 8), np.float32)}, r"need \(1, y, x, 1\)"),
        ({"size": "N/A"}, "need the width in pm"),
        ({"size": "-3"}, "need the width in pm"),
        ({"coordinates": np.array([["a", "2", "Si"]], dtype="S32")}, "no numbers"),
        ({"coordinates": np.array([["1", "nan", "Si"]], dtype="S32")}, "no numbers"),
        ({"coordinates": np.array([["1", "2"]], dtype="S32")}, r"need \(atom, 3\)"),
        ({"coordinates": np.array([["1", "2", "Qq"]], dtype="S32")}, "'Qq' is no element"),
        ({"coordinates": np.array([["1", "2", "C"]], dtype="S32")}, "all atoms are C"),
    ],
)
def test_files_of_another_layout_are_refused(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(ReadError, match=told):
        read_aicrystallographer(_write(tmp_path / "a" / "5.hdf5", **changes))


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    path.write_bytes(b"not this")
    with pytest.raises(ReadError, match="cannot be read as HDF5"):
        read_aicrystallographer(path)
    with pytest.raises(ReadError, match="neither a file nor a folder"):
        files_of_library(tmp_path / "nothing")
