"""Searching a library of defects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import graphene
from library_places import new_place
from numpy.typing import NDArray
from simulated_defects import SPACING, simulated_defects, simulated_picture, star, turned

from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    open_library,
    read_defect,
    search_library,
    search_like,
    store_calculation,
)
from adatom.defects.library.overlays import least_rmsd, lower_bounds
from adatom.errors import KindError, SettingError, StoreError
from adatom.schema import notes

NAMES = ["Si1C3", "Si1C4", "V1", "Si2C6", "Si1C3", "Si1C4", "V1", "Si2C6", "Si1C3", "V1"]


# Searches change nothing, and so share one library.
@pytest.fixture(scope="module", params=["file", pytest.param("server", marks=pytest.mark.postgres)])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    with open_library(new_place(request, tmp_path_factory.mktemp("filled")), create=True) as made:
        _fill(made)
        yield made


def _fill(library: Library) -> None:
    for seed in range(4):
        add_defects(library, simulated_defects(NAMES, seed=seed), simulated_picture(seed=seed))


def _names(library: Library, **query: object) -> set[str]:
    found = search_library(library, DefectQuery(**query))  # type: ignore[arg-type]
    return set(found["name"].values.tolist())


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("Si1C3", {"Si1C3"}),
        ("C3Si", {"Si1C3"}),
        ("Si>=2", {"Si2C6"}),
        ("Si=1, C>3", {"Si1C4"}),
        ("X>0", {"V1"}),
        ("C3X", {"V1"}),
        ("Si<=1,X=0", {"Si1C3", "Si1C4"}),
        ("Si3C6", set()),
        ("Si!=1", {"V1", "Si2C6"}),
    ],
)
def test_formulas_and_conditions_find_their_compositions(
    filled: Library, formula: str, names: set[str]
) -> None:
    assert _names(filled, formula=formula) == names


@pytest.mark.parametrize("formula", ["Si1C3)", "Si>=two", "Qq2", "", "Si1; DROP TABLE systems"])
def test_what_is_no_formula_is_told(filled: Library, formula: str) -> None:
    with pytest.raises(SettingError, match="formula="):
        search_library(filled, DefectQuery(formula=formula))


def test_names_take_a_star_and_nothing_else_as_a_pattern(filled: Library) -> None:
    assert _names(filled, name="Si1C*") == {"Si1C3", "Si1C4"}
    assert _names(filled, name="Si1C_") == set()
    assert _names(filled, name="%") == set()
    assert _names(filled, name="[S]i1C?*") == set()
    # Co is not CO.
    assert _names(filled, name="si1c*") == set()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (DefectQuery(lengths={"Si-Q": (0.1, 0.2)}), "Si-Q: 'Q' is no element"),
        (DefectQuery(angles={"C-Sj-C": (100, 120)}), "C-Sj-C: 'Sj' is no element"),
        (DefectQuery(min_confidence=95), "min_confidence=95 is no probability"),
        (DefectQuery(min_confidence=float("nan")), "min_confidence=nan is no probability"),
        (DefectQuery(computed={"energy": (5, 0)}), r"computed energy=\[5, 0\]: give the lower"),
    ],
)
def test_what_no_defect_can_fulfil_is_told(
    filled: Library, query: DefectQuery, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        search_library(filled, query)


def test_class_kind_host_and_confidence_narrow_a_search(filled: Library) -> None:
    key = read_defect(filled, 1).row.class_key
    assert _names(filled, class_key=key[:6]) == {"Si1C3"}
    assert _names(filled, kind="vacancy") == {"V1"}
    assert _names(filled, host="MoS2") == set()
    sure = search_library(filled, DefectQuery(min_confidence=0.9))["confidence"].values
    everything = search_library(filled)["confidence"].values
    assert len(sure) == np.count_nonzero(everything >= 0.9) > 0
    with pytest.raises(SettingError, match="kind='vacanc' is none of"):
        search_library(filled, DefectQuery(kind="vacanc"))


def test_the_source_is_a_file_name_or_the_hash_of_the_image(filled: Library) -> None:
    one = search_library(filled, DefectQuery(source="2.npy"))
    assert one.sizes["row"] == 10
    assert set(one["source"].values.tolist()) == {"2.npy"}
    by_hash = search_library(filled, DefectQuery(source=str(one["image"].values[0])[:12]))
    np.testing.assert_array_equal(by_hash["id"].values, one["id"].values)


def test_all_bonds_of_a_pair_lie_in_the_range(filled: Library) -> None:
    for order in ("Si-C", "C-Si"):
        found = search_library(filled, DefectQuery(lengths={order: (0.17, 0.185)}))
        for number in found["id"].values.tolist():
            lengths = read_defect(filled, number).row.bonds[:, 2]
            assert len(lengths)
            assert lengths.min() >= 0.17
            assert lengths.max() <= 0.185
    every = [read_defect(filled, n).row for n in search_library(filled)["id"].values.tolist()]
    fitting = [
        len(row.bonds) and row.bonds[:, 2].min() >= 0.17 and row.bonds[:, 2].max() <= 0.185
        for row in every
    ]
    assert found.sizes["row"] == sum(map(bool, fitting)) > 0


def test_angles_are_those_between_neighboring_bonds(filled: Library) -> None:
    # Around three bonds 120 deg, around four 90 deg; noise of 5 pm turns a bond of 175 pm by 2 deg.
    assert _names(filled, angles={"C-Si-C": (100, 140)}) == {"Si1C3", "Si2C6"}
    assert _names(filled, angles={"C-Si-C": (75, 105)}) == {"Si1C4"}
    with pytest.raises(SettingError, match="give 3 elements and two limits"):
        search_library(filled, DefectQuery(angles={"C-Si": (75, 105)}))
    with pytest.raises(SettingError, match="give 2 elements and two limits"):
        search_library(filled, DefectQuery(lengths={"C-Si": (0.2, 0.1)}))


def test_a_limit_tells_how_many_there_are(filled: Library) -> None:
    found = search_library(filled, DefectQuery(name="V1"), limit=5)
    assert found.sizes["row"] == 5
    assert found.attrs["n_found"] == 12
    assert notes(found) == ["the first 5 of 12 defects that were found"]
    with pytest.raises(SettingError, match="limit=0"):
        search_library(filled, limit=0)


def test_calculated_defects_are_found(library: Library) -> None:
    _fill(library)
    store_calculation(library, 4, calculator="x", settings={}, version="1", energy=-1.0)
    found = search_library(library, DefectQuery(calculated=True))
    assert found["id"].values.tolist() == [4]
    rest = search_library(library, DefectQuery(calculated=False))
    assert rest.sizes["row"] == 39


def test_a_defect_is_most_like_itself_and_then_its_class(filled: Library) -> None:
    found = search_like(filled, read_defect(filled, 8), n_results=8)
    assert found["id"].values[0] == 8
    assert found["rmsd"].values[0] == pytest.approx(0, abs=1e-7)
    assert set(found["name"].values.tolist()) == {"Si2C6"}
    assert np.all(np.diff(found["rmsd"].values) >= 0)
    assert found.attrs["is_exact"]


def test_a_turned_and_mirrored_structure_finds_its_origin(filled: Library) -> None:
    atoms = read_defect(filled, 4).structure
    atoms.rotate(77, "z")  # type: ignore[no-untyped-call]
    atoms.positions[:, 0] *= -1
    order = np.random.default_rng(0).permutation(len(atoms))
    found = search_like(filled, atoms[order], n_results=3)
    assert found["id"].values[0] == 4
    assert found["rmsd"].values[0] == pytest.approx(0, abs=1e-6)
    # Si2C6 of the simulation is its own mirror image but for the noise.
    other = search_like(filled, atoms[order], n_results=3, reflect=False)
    assert other["rmsd"].values[0] > 1e-3


def test_the_foreign_atom_of_a_cell_and_its_neighbors_are_sought(filled: Library) -> None:
    cell = graphene(size=(5, 5, 1), vacuum=5.0)  # type: ignore[no-untyped-call]
    # At the border of the cell, so that neighbors are across it.
    cell.numbers[0] = 14
    found = search_like(filled, cell, n_results=2)
    assert set(found["name"].values.tolist()) == {"Si1C3"}
    # Three bonds of 0.142 nm against 0.175 nm; the center of Si1C3 stays.
    assert found["rmsd"].values[0] == pytest.approx(np.sqrt(3 / 4) * (0.175 - SPACING), abs=0.006)
    with pytest.raises(KindError, match="no foreign atom"):
        search_like(filled, graphene(size=(3, 3, 1), vacuum=5.0))  # type: ignore[no-untyped-call]


def test_a_composition_that_is_not_there_is_told(filled: Library) -> None:
    atoms = Atoms("Ge2C2", positions=np.random.default_rng(0).normal(size=(4, 3)))
    with pytest.raises(StoreError, match=r"no defect of composition C2Ge2 .* there are C3Si1"):
        search_like(filled, atoms)


def test_a_query_narrows_likeness(filled: Library) -> None:
    found = search_like(filled, read_defect(filled, 1), DefectQuery(source="3.npy"))
    assert set(found["source"].values.tolist()) == {"3.npy"}
    assert found.attrs["n_candidates"] == 3


def _random_sets(n: int, numbers: list[int], seed: int) -> NDArray[np.float64]:
    shapes = np.random.default_rng(seed).normal(0, 0.2, (n, len(numbers), 2))
    return np.asarray(shapes - shapes.mean(axis=1, keepdims=True))


@pytest.mark.parametrize("numbers", [[6, 6, 6, 14], [6, 6, 6, 6, 14, 14], [0, 6, 6, 6]])
def test_bounds_are_never_above_the_distance(numbers: list[int]) -> None:
    shapes, kinds = _random_sets(400, numbers, 1), np.array(numbers)
    rmsd = least_rmsd(shapes[0], shapes, kinds, reflect=True)
    bounds = lower_bounds(shapes[0].astype(np.float32), shapes.astype(np.float32), kinds)
    assert rmsd[0] == pytest.approx(0, abs=1e-7)
    assert np.all(bounds <= rmsd + 1e-6)
    # And not so far below that they would be of no use.
    assert np.median(bounds[1:] / rmsd[1:]) > 0.4


def test_the_distance_is_the_least_over_turns_mirrors_and_pairings() -> None:
    # By brute force: 2 mirrors, 3! * 1 pairings, 3600 turns of 0.1 deg each.
    numbers = np.array([6, 6, 6, 14])
    one, other = _random_sets(2, numbers.tolist(), 5)
    least = np.inf
    for flip in (1.0, -1.0):
        for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):
            partner = other[[*order, 3]] * [flip, 1.0]
            for angle in np.arange(0, 2 * np.pi, np.radians(0.1)):
                c, s = np.cos(angle), np.sin(angle)
                rest = one - partner @ np.array([[c, -s], [s, c]])
                least = min(least, float(np.sqrt(np.mean(np.sum(rest**2, axis=1)))))
    found = least_rmsd(one, other[None], numbers, reflect=True)
    assert found[0] == pytest.approx(least, abs=1e-4)
    assert found[0] <= least + 1e-12


def test_many_like_atoms_are_compared_as_well() -> None:
    # 9! pairings are too many to try all: a turned copy must yet be found.
    species, places, _ = star("Si2C6")
    rng = np.random.default_rng(2)
    numbers = np.array([6] * 9)
    shape = rng.normal(0, 0.2, (9, 2))
    copy = turned(shape, 131.0, mirrored=True)[rng.permutation(9)]
    shape, copy = (part - part.mean(axis=0) for part in (shape, copy))
    found = least_rmsd(shape, copy[None], numbers, reflect=True)
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert len(species) == len(places)


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "crowded.db", create=True) as opened:
        for seed in range(30):
            add_defects(opened, simulated_defects(["Si2C6"] * 40, seed=seed))
        yield opened


def test_stopping_at_the_bound_loses_no_neighbor(crowded: Library) -> None:
    atoms = read_defect(crowded, 17).structure
    atoms.rattle(0.03, seed=1)  # type: ignore[no-untyped-call]
    few = search_like(crowded, atoms, n_results=10)
    every = search_like(crowded, atoms, n_results=1200)
    assert every.attrs["n_compared"] == 1200
    assert few.attrs["is_exact"]
    np.testing.assert_array_equal(few["id"].values, every["id"].values[:10])


def test_a_long_list_is_gone_through_page_by_page(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"] * 7, seed=1))
    pages = [search_library(library, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    assert [page["id"].values.tolist() for page in pages] == [[1, 2, 3], [4, 5, 6], [7], []]
    assert [page.attrs["n_found"] for page in pages] == [7, 7, 7, 7]
    assert notes(pages[1]) == ["defects 4 to 6 of 7 defects that were found"]
    with pytest.raises(SettingError, match=r"offset=3 must be 0 or more, and needs limit="):
        search_library(library, offset=3)


def test_a_session_that_is_limited_to_reading_refuses_to_write(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    with open_library(library.place) as reader:
        reader.session.limit_to_reading(max_seconds=60.0)
        assert search_library(reader).sizes["row"] == 1
        with pytest.raises(StoreError, match=r"readonly|read-only"):
            add_defects(reader, simulated_defects(["V1"], seed=2))
    assert search_library(library).sizes["row"] == 1


def test_a_question_that_takes_too_long_is_ended(library: Library) -> None:
    with open_library(library.place) as reader:
        reader.session.limit_to_reading(max_seconds=0.2)
        endless = (
            "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 100000000) "
            "SELECT COUNT(*) FROM n"
        )
        with pytest.raises(StoreError, match=r"takes too long|statement timeout"):
            reader.session.rows(endless)
