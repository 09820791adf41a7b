"""Libraries merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    merging,
    open_library,
    read_calculated_structure,
    read_calculation_array,
    read_calculations,
    read_defect,
    search_library,
    store_calculation,
)
from adatom.defects.library.checking import check_library
from adatom.defects.library.merging import differences, merge_libraries
from adatom.defects.library.packing import rows_of_defects
from adatom.defects.records import Defects
from adatom.errors import SettingError


def _other(tmp_path: Path) -> Library:
    return open_library(tmp_path / "other.db", create=True)


def test_new_images_come_with_pixels_and_calculations(library: Library, tmp_path: Path) -> None:
    with _other(tmp_path) as other:
        for seed in (1, 2):
            found = simulated_defects(["Si1C3", "V1"], seed=seed)
            add_defects(other, found, simulated_picture(seed=seed))
        add_defects(library, simulated_defects(["Si1C3", "V1"], seed=1), simulated_picture(seed=1))
        atoms = read_defect(other, 1).structure
        for number in (1, 3):
            store_calculation(
                other, number, calculator="TBLite", settings={"method": "GFN1-xTB"}, version="0.4",
                energy=-7.5, formation_energy=1.25, rmsd_nm=0.01, structure=atoms,
                results={"gap": 0.1}, arrays={"dos": np.arange(5.0)},
            )  # fmt: skip
        merged = merge_libraries(library, other)
        assert merged.images["state"].values.tolist() == ["known", "new"]
        assert merged.images["n_calculations"].values.tolist() == [1, 1]
        assert merged.conflicts.sizes["row"] == 0
        again = merge_libraries(library, other)
        assert again.images["state"].values.tolist() == ["known", "known"]
        assert again.images["n_calculations"].values.tolist() == [0, 0]
    assert search_library(library)["name"].values.tolist() == ["Si1C3", "V1"] * 2
    for one in read_calculations(library):
        assert (one.calculator, one.energy, one.formation_energy) == ("TBLite", -7.5, 1.25)
        assert one.results == {"gap": 0.1}
        np.testing.assert_array_equal(read_calculation_array(library, one, "dos"), np.arange(5.0))
        relaxed = read_calculated_structure(library, one.id)
        np.testing.assert_allclose(relaxed.positions, atoms.positions)
    last = int(search_library(library)["id"].values[-1])
    assert read_defect(library, last).patch() is not None
    assert check_library(library) == []


@pytest.mark.parametrize("prefer", ["here", "there"])
def test_of_two_analyses_of_an_image_both_are_kept_and_one_counts(
    library: Library, tmp_path: Path, prefer: str
) -> None:
    image = simulated_picture(seed=1)
    here = simulated_defects(["Si1C3", "Si1C4"], seed=1)
    there = _renamed(here, "Si1N3")
    with _other(tmp_path) as other:
        add_defects(library, here, image)
        add_defects(other, there, image)
        merged = merge_libraries(library, other, prefer=prefer)  # type: ignore[arg-type]
    assert merged.images["state"].values.tolist() == ["conflict"]
    assert merged.conflicts["what"].values.tolist() == ["other name"]
    assert merged.conflicts["name_here"].values.tolist() == ["Si1C3"]
    assert merged.conflicts["name_there"].values.tolist() == ["Si1N3"]
    counted = search_library(library)["name"].values.tolist()
    assert counted == (["Si1C3", "Si1C4"] if prefer == "here" else ["Si1N3", "Si1C4"])
    every = search_library(library, DefectQuery(all_analyses=True))["name"].values.tolist()
    assert sorted(every) == ["Si1C3", "Si1C4", "Si1C4", "Si1N3"]
    assert check_library(library) == []


def _renamed(found: Defects, name: str) -> Defects:
    defects = found.defects.copy()
    names = defects["name"].values.copy()
    names[0] = name
    defects["name"] = ("site", names)
    return Defects(defects, found.members, found.bonds)


def test_differences_of_two_analyses_are_named() -> None:
    whole = rows_of_defects(simulated_defects(["Si1C3", "V1", "Si2C6"], seed=4, box=6.0))
    moved = simulated_defects(["Si1C3", "V1", "Si2C6"], seed=4, box=6.0)
    members = moved.members.copy()
    shift = np.where(members["defect"].values == 2, np.arange(members.sizes["site"]) % 2, 0) * 0.04
    members = members.assign_coords(x=("site", members.x.values + shift, members.x.attrs))
    there = rows_of_defects(Defects(moved.defects, members, moved.bonds))
    told = differences(whole[:1] + whole[2:], there[1:])
    assert [(row[2], row[3], row[4]) for row in told] == [
        ("only here", "Si1C3", ""),
        ("other geometry", "Si2C6", "Si2C6"),
        ("only there", "", "V1"),
    ]
    # Every second of its eight atoms moved by 0.04 nm.
    assert told[1][5] == pytest.approx(0.04 / np.sqrt(2), rel=1e-6)


def test_a_library_is_not_merged_with_itself(library: Library) -> None:
    with open_library(library.place) as same, pytest.raises(SettingError, match="with itself"):
        merge_libraries(library, same)


def test_an_older_analysis_comes_behind_and_what_is_here_is_not_read_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _other(tmp_path) as other:
        for names in (["Si1C3", "V1"], ["Si1C3"]):
            add_defects(other, simulated_defects(names, seed=1), simulated_picture(seed=1))
        merged = merge_libraries(library, other)
        assert merged.images["state"].values.tolist() == ["new"]
        # What counted there counts here, though an older analysis came with it.
        assert search_library(library)["name"].values.tolist() == ["Si1C3"]
        assert search_library(library, DefectQuery(all_analyses=True)).sizes["row"] == 3

        def read(*_: object) -> None:
            raise AssertionError

        monkeypatch.setattr(merging, "rows_of_image", read)
        again = merge_libraries(library, other).images
        assert again["state"].values.tolist() == ["known"]
        assert again["n_defects"].values.tolist() == [1]
