"""The published library of silicon in graphene, taken over whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    open_library,
    read_defect,
    search_library,
    search_like,
)
from adatom.defects.library.aicrystallographer import files_of_library, read_aicrystallographer
from adatom.defects.library.exporting import export_defects

DATA = Path(os.environ.get("ADATOM_DATA", "")) / "imaging/graphene_defect_library/library_refined"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

# Defects by folder, as the folders hold them.
COUNTS = {
    "Si1C3": 21, "Si1C4": 8, "Si2C4": 2, "Si2C5": 5, "Si2C6": 5, "Si3C4": 1, "Si3C6": 8,
    "Si4C6": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with open_library(tmp_path_factory.mktemp("real") / "graphene.db", create=True) as opened:
        for path in files_of_library(DATA):
            one = read_aicrystallographer(path)
            assert set(one.found.defects["name"].values.tolist()) == {one.label}, path
            assert add_defects(opened, one.found, one.image).state == "new"
        yield opened


def test_all_defects_come_in_with_the_names_of_their_folders(library: Library) -> None:
    found = search_library(library)
    assert Counter(found["name"].values.tolist()) == COUNTS
    assert len(set(found["image"].values.tolist())) == 48


def test_silicon_is_bright_in_the_middle_of_its_patch(library: Library) -> None:
    # x and y, or the scale, mixed up would put the patches elsewhere.
    found = search_library(library, DefectQuery(formula="Si=1"))
    for number in found["id"].values.tolist():
        patch = read_defect(library, number).patch(size_nm=1.0)
        assert patch is not None
        y, x = np.meshgrid(patch.y - patch.y[-1] / 2, patch.x - patch.x[-1] / 2, indexing="ij")
        inner = np.nanmean(patch.values[np.hypot(y, x) < 0.05])
        ring = np.nanmean(patch.values[(np.hypot(y, x) > 0.2) & (np.hypot(y, x) < 0.4)])
        spread = np.nanstd(patch.values[np.hypot(y, x) > 0.2])
        n_inner = np.count_nonzero(np.hypot(y, x) < 0.05)
        # The noise of pixels is drawn anew in each: five of its errors of the mean.
        assert inner - ring > 5 * spread / np.sqrt(n_inner)


def test_bonds_of_silicon_are_longer_than_those_of_graphene(library: Library) -> None:
    # Threefold silicon has bonds of 0.165 to 0.18 nm in projection; the scale of these images is
    # right to a tenth, and network coordinates scatter by some 0.01 nm.
    means = library.session.rows(
        "SELECT g.mean FROM adatom_geometry g JOIN adatom_defects d ON d.id = g.defect_id "
        "WHERE d.name = 'Si1C3' AND g.what = 'C-Si'"
    )
    assert len(means) == 21
    assert 0.155 < np.median([row[0] for row in means]) < 0.185


def test_fourfold_silicon_is_like_fourfold_silicon(library: Library) -> None:
    ids = search_library(library, DefectQuery(name="Si1C4"))["id"].values.tolist()
    found = search_like(library, read_defect(library, ids[0]), n_results=8)
    assert sorted(found["id"].values.tolist()) == ids
    # Half a bond: any atom that was paired wrongly would be farther off.
    assert found["rmsd"].values.max() < 0.07


def test_the_layout_goes_round(library: Library, tmp_path: Path) -> None:
    export_defects(library, tmp_path / "out", file_format="hdf5")
    with open_library(tmp_path / "again.db", create=True) as again:
        for path in files_of_library(tmp_path / "out"):
            one = read_aicrystallographer(path)
            add_defects(again, one.found, one.image)
        first, second = (
            sorted(zip(table["image"].values.tolist(), table["name"].values.tolist(),
                       table["extent"].values.round(6).tolist()))
            for table in (search_library(library), search_library(again))
        )  # fmt: skip
    assert first == second
