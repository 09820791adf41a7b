"""Adding to a library of defects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    open_library,
    read_defect,
    search_library,
    search_like,
)
from adatom.defects.library.checking import check_library
from adatom.defects.library.opening import ase_database
from adatom.defects.library.packing import key_of_rows, rows_of_defects
from adatom.defects.library.reading import image_of_facts
from adatom.defects.library.sessions import SQLiteSession
from adatom.defects.records import Defects
from adatom.errors import KindError, SettingError, StoreError
from adatom.schema import image_from_array

NAMES = ["Si1C3", "Si1C4", "V1", "Si2C6"]


def test_what_was_added_is_read_back(library: Library) -> None:
    found, image = simulated_defects(NAMES, seed=1), simulated_picture(seed=1)
    add_defects(library, found, image)
    for number in range(4):
        read = read_defect(library, number + 1).found
        own = found.members.isel(site=np.flatnonzero(found.members["defect"].values == number))
        assert read.defects["name"].values.tolist() == [NAMES[number]]
        for key in ("y", "x", "species", "role", "y_error", "species_probability"):
            np.testing.assert_array_equal(read.members[key].values, own[key].values)
        for key in ("extent", "orientation", "confidence", "chirality", "class_key"):
            assert read.defects[key].values[0] == found.defects[key].values[number]
    assert read.defects.attrs["host"] == "graphene"
    assert read.defects.attrs["area"] == pytest.approx(4.0)
    np.testing.assert_array_equal(
        read.bonds["length"].values, found.bonds["length"].values[-read.bonds.sizes["row"] :]
    )


def test_defects_in_pixels_are_kept_in_nm(library: Library) -> None:
    in_nm = simulated_defects(NAMES, seed=2)
    in_px = simulated_defects(NAMES, seed=2, unit="px", nm_per_unit=0.02)
    add_defects(library, in_px)
    one = read_defect(library, 1)
    own = np.stack([in_nm.members[key].values[:4] for key in "yx"], axis=1)
    np.testing.assert_allclose(one.row.places, own)
    assert one.image["spacing_nm"] == pytest.approx(0.142)
    assert one.image["area_nm2"] == pytest.approx(4.0)


def test_the_same_image_twice_changes_nothing(library: Library) -> None:
    found, image = simulated_defects(NAMES, seed=1), simulated_picture(seed=1)
    assert add_defects(library, found, image).state == "new"
    before = _dump(library)
    assert add_defects(library, found, image).state == "known"
    # Bytes and real numbers of an image are the same image.
    assert add_defects(library, found, image.astype(float)).state == "known"
    assert _dump(library) == before


def _dump(library: Library) -> list[list[tuple[object, ...]]]:
    """Give all rows of a library."""
    tables = (
        "systems", "species", "keys", "text_key_values", "number_key_values", "adatom_images",
        "adatom_defects", "adatom_geometry", "adatom_shapes", "adatom_formulas",
    )  # fmt: skip
    asked = "SELECT * FROM {}"
    return [sorted(library.session.rows(asked.format(table)), key=repr) for table in tables]


def test_another_analysis_counts_and_the_one_before_is_kept(library: Library) -> None:
    image = simulated_picture(seed=1)
    add_defects(library, simulated_defects(NAMES, seed=1), image)
    second = simulated_defects(["Si1C3"], seed=5)
    assert add_defects(library, second, image).state == "replaced"
    assert search_library(library).sizes["row"] == 1
    assert search_library(library, DefectQuery(all_analyses=True)).sizes["row"] == 5
    # The first one again counts again, without new rows.
    assert add_defects(library, simulated_defects(NAMES, seed=1), image).state == "replaced"
    assert search_library(library)["name"].values.tolist() == NAMES
    assert search_library(library, DefectQuery(all_analyses=True)).sizes["row"] == 5
    assert check_library(library) == []


def test_ase_reads_the_rows(library: Library) -> None:
    image = simulated_picture(seed=1)
    add_defects(library, simulated_defects(["Si1C4"], seed=7), image)
    add_defects(library, simulated_defects(NAMES, seed=1), image)
    database = ase_database(library.place)
    current = list(database.select("current=1"))
    assert [row.name for row in current] == NAMES
    assert [row.formula for row in current] == ["C3Si", "C4Si", "XC3", "C6Si2"]
    assert [row.name for row in database.select("Si=2,current=1")] == ["Si2C6"]
    assert [row.name for row in database.select("kind=vacancy")] == ["V1"]
    atoms = current[0].toatoms()
    own = read_defect(library, current[0].id).structure
    np.testing.assert_array_equal(atoms.positions, own.positions)
    assert atoms.get_tags().tolist() == [0, 1, 1, 1]


def test_y_of_a_structure_points_up(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3)
    add_defects(library, found)
    atoms = read_defect(library, 1).structure
    np.testing.assert_allclose(
        atoms.positions[:, 1] / 10, found.defects["y"].values[0] - found.members["y"].values
    )
    np.testing.assert_allclose(
        atoms.positions[:, 0] / 10, found.members["x"].values - found.defects["x"].values[0]
    )


def test_a_name_that_looks_like_a_number_is_no_trap(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3)
    odd = found.defects.copy()
    odd["name"] = ("site", np.array(["1e5"]))
    odd["class_key"] = ("site", np.array(["1234567890123456"]))
    add_defects(library, Defects(odd, found.members, found.bonds))
    row = next(ase_database(library.place).select(name="name-1e5"))
    assert row.class_key == "class-1234567890123456"
    assert read_defect(library, 1).row.name == "1e5"


def test_a_patch_shows_the_defect_in_its_middle_and_nan_beyond_the_edge(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3, noise=0.0)
    image = simulated_picture(seed=1, n=200).copy(data=np.zeros((200, 200), dtype=np.float32))
    y, x = (round(float(found.defects[key].values[0]) / 0.01) for key in "yx")
    image.values[y, x] = 1.0
    add_defects(library, found, image)
    patch = read_defect(library, 1).patch(size_nm=1.0)
    assert patch is not None
    assert patch.shape == (101, 101)
    assert patch.values[50, 50] == 1.0
    wide = read_defect(library, 1).patch(size_nm=6.0)
    assert wide is not None
    assert np.isfinite(wide.values).sum() == image.size


def test_a_library_without_pictures_gives_no_patch(library: Library) -> None:
    image = simulated_picture(seed=1)
    add_defects(library, simulated_defects(NAMES, seed=1), image, keep_image=False)
    assert read_defect(library, 1).patch() is None


def test_an_image_without_defects_is_known_too(library: Library) -> None:
    empty = simulated_defects([], seed=1)
    assert add_defects(library, empty, simulated_picture(seed=1)).state == "new"
    assert add_defects(library, empty, simulated_picture(seed=1)).state == "known"
    assert search_library(library).sizes["row"] == 0
    assert check_library(library) == []


def test_pixels_without_a_scale_are_refused(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3, unit="px", nm_per_unit=0.02)
    del found.defects.attrs["nm_per_unit"]
    with pytest.raises(KindError, match=r"in px and attrs\['nm_per_unit'\] is nan"):
        add_defects(library, found)


def test_defects_of_several_frames_are_refused(library: Library) -> None:
    found = simulated_defects(["Si1C3", "V1"], seed=3)
    found.defects.coords["frame"] = ("site", np.array([0, 1]))
    with pytest.raises(KindError, match="frame by frame"):
        add_defects(library, found)


def test_an_error_in_the_middle_leaves_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adatom.defects.library import adding

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(adding, "_insert_measures", fails)
    with pytest.raises(RuntimeError):
        add_defects(library, simulated_defects(NAMES, seed=1), simulated_picture(seed=1))
    monkeypatch.undo()
    assert all(table == [] for table in _dump(library))
    add_defects(library, simulated_defects(NAMES, seed=1), simulated_picture(seed=1))
    assert search_library(library).sizes["row"] == 4


def test_a_closed_library_is_opened_again_with_its_rows(library: Library) -> None:
    add_defects(library, simulated_defects(NAMES, seed=1), simulated_picture(seed=1))
    with open_library(library.place) as again:
        assert again.id == library.id
        assert search_library(again).sizes["row"] == 4
        assert read_defect(again, 1).patch() is not None


def test_a_missing_row_is_told(library: Library) -> None:
    with pytest.raises(StoreError, match="no defect 7"):
        read_defect(library, 7)


def test_the_ending_of_a_file_is_checked() -> None:
    with pytest.raises(SettingError, match=r"ends in \.db"):
        open_library("defects.sqlite", create=True)


def test_an_image_in_another_unit_than_its_defects_is_refused(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3, unit="px", nm_per_unit=0.02)
    with pytest.raises(KindError, match="image is in nm, its defects are in px"):
        add_defects(library, found, simulated_picture(seed=1))


def test_pixels_need_not_be_square_nor_begin_at_zero(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3, noise=0.0)
    data = np.zeros((100, 200), dtype=np.float32)
    image = image_from_array(data, pixel_size="0.01 nm").assign_coords(
        y=("y", 0.1 + 0.02 * np.arange(100), {"units": "nm"})
    )
    y, x = (float(found.defects[key].values[0]) for key in "yx")
    image.values[round((y - 0.1) / 0.02), round(x / 0.01)] = 1.0
    add_defects(library, found, image)
    patch = read_defect(library, 1).patch(size_nm=0.4)
    assert patch is not None
    assert patch.shape == (21, 41)
    assert patch.values[10, 20] == 1.0
    whole = image_of_facts(library, read_defect(library, 1).image)
    assert whole is not None
    np.testing.assert_allclose(whole.y.values, image.y.values)


def test_a_file_that_may_not_be_written_can_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "defects.db"
    with open_library(path, create=True) as library:
        add_defects(library, simulated_defects(NAMES, seed=1))
    session = SQLiteSession(path, read_only=True)
    assert session.rows("SELECT COUNT(*) FROM adatom_defects") == [(4,)]
    with pytest.raises(StoreError, match="readonly"):
        session.execute("DELETE FROM adatom_defects")
    session.close()


def test_an_atom_of_no_known_element_is_kept_as_such(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3)
    species = found.members["species"].values.copy()
    species[0] = "?"
    members = found.members.assign(species=("site", species))
    add_defects(library, Defects(found.defects, members, found.bonds))
    one = read_defect(library, 1)
    assert one.found.members["species"].values.tolist() == ["?", "C", "C", "C"]
    assert one.structure.numbers.tolist() == [0, 6, 6, 6]
    for formula in ("C3?1", "?=1", "Si=0, ?>0"):
        assert search_library(library, DefectQuery(formula=formula)).sizes["row"] == 1
    assert search_library(library, DefectQuery(formula="X>0")).sizes["row"] == 0
    assert search_like(library, one)["id"].values.tolist() == [1]


def test_a_defect_without_a_place_is_refused(library: Library) -> None:
    found = simulated_defects(["Si1C3"], seed=3)
    lost = found.defects.assign_coords(y=("site", [np.nan], {"units": "nm"}))
    with pytest.raises(KindError, match=r"defects \[0\] have no place"):
        add_defects(library, Defects(lost, found.members, found.bonds))


def test_the_sign_of_nan_makes_no_other_analysis() -> None:
    rows = rows_of_defects(simulated_defects(["Si1C3"], seed=1))
    keys = [
        key_of_rows([replace(row, confidence=value) for row in rows], "graphene", 1.0)
        for value in (np.nan, -np.nan)
    ]
    assert keys[0] == keys[1]
