"""Columns of a cell against a structure: vectors, origin, mirror, what is missing."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
import pytest
from ase.spacegroup import crystal

from adatom.crystallography import compare_columns
from adatom.errors import KindError, NoLatticeError, SettingError, UnitError
from adatom.schema import Sites, Table, table_from_columns
from adatom.simulation import sites_from_structure

# Columns of a tungsten bronze along [001] in tenths of its cell; P4/mbm.
BRONZE: Any = crystal(
    ["Sm", "Ba", "Nb", "Nb"],
    [(0, 0, 0), (0.171, 0.671, 0), (0, 0.5, 0.5), (0.075, 0.214, 0.5)],
    spacegroup=127,
    cellpar=[12.588, 12.588, 3.962, 90, 90, 90],
)
PIXEL = 0.0065


def bronze_sites() -> Sites:
    return sites_from_structure(BRONZE, field=(3.0, 3.0))


def found_columns(
    structure: ase.Atoms,
    *,
    turn: float = 0.0,
    mirror: bool = False,
    stretch: float = 0.0,
    multiple: tuple[tuple[int, int], tuple[int, int]] = ((1, 0), (0, 1)),
    noise: float = 0.0,
    seed: int = 0,
) -> Table:
    """Give columns as an image of the structure would show them, in px from the first."""
    rng = np.random.default_rng(seed)
    sites = sites_from_structure(structure, field=(3.0, 3.0))
    vectors = np.array(sites.attrs["cell_vectors"])
    place = np.stack([sites["y"].values, sites["x"].values], axis=1)
    angle = np.radians(turn)
    seen = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    seen = np.diag([1.0, -1.0 if mirror else 1.0]) @ seen @ np.diag([1.0, 1.0 + stretch]) / PIXEL
    large = np.array(multiple) @ vectors
    share = np.round((place - place[0]) @ np.linalg.inv(large) % 1.0, 6) % 1.0
    _, first = np.unique(share, axis=0, return_index=True)
    # Whole cells of a field that is large enough hold every column of the multiple.
    share = share[np.sort(first)]
    share = share + rng.normal(0, noise, share.shape) @ np.linalg.inv(large)
    where = share @ large @ seen
    rows = {"along_a": share[:, 0], "along_b": share[:, 1], "y": where[:, 0], "x": where[:, 1]}
    table = table_from_columns(rows, units={"y": "px", "x": "px"})
    a, b = (large @ seen).tolist()
    return table.assign_attrs(a=a, b=b)


@pytest.mark.parametrize("turn", [0.0, 33.0, 90.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_crystal_is_laid_over_itself_however_it_is_turned(turn: float, mirror: bool) -> None:
    compared = compare_columns(found_columns(BRONZE, turn=turn, mirror=mirror), bronze_sites())
    assert (compared.columns["state"].values == "matched").all()
    assert compared.summary["rms"].item() < 1e-6
    assert compared.summary["scale"].item() == pytest.approx(PIXEL, rel=1e-6)


def test_equivalent_columns_are_those_of_the_space_group() -> None:
    table = compare_columns(found_columns(BRONZE), bronze_sites()).columns
    orbits = {
        (str(name), int(n))
        for name, n in zip(table["content"].values, table["multiplicity"].values)
    }
    # Wyckoff positions 2a, 4g, 2d and 8j of P4/mbm.
    assert orbits == {("Sm", 2), ("Ba", 4), ("Nb", 2), ("Nb", 8)}
    assert len(np.unique(table["orbit"].values)) == 4


def test_the_plane_group_has_all_its_operations() -> None:
    # p4gm has eight operations in its cell.
    assert compare_columns(found_columns(BRONZE), bronze_sites()).summary["n_operations"] == 8


def test_distances_are_those_of_the_noise_and_not_of_the_distorted_scan() -> None:
    columns = found_columns(BRONZE, turn=20.0, stretch=0.04, noise=0.004)
    summary = compare_columns(columns, bronze_sites()).summary
    # Two axes of 0.004 nm, with the mean offset of 16 columns fitted away.
    assert summary["rms"].item() == pytest.approx(0.004 * np.sqrt(2 * 15 / 16), rel=0.35)
    assert summary["distortion"].item() == pytest.approx(0.04, abs=1e-6)


def test_a_column_that_is_missing_and_one_too_many_are_named() -> None:
    columns = found_columns(BRONZE, turn=10.0).isel(row=slice(1, None))
    odd = columns.isel(row=[0]).copy(deep=True)
    odd["along_a"][:], odd["along_b"][:] = 0.31, 0.12
    rows = {str(name): np.concatenate([columns[name].values, odd[name].values]) for name in columns}
    more = table_from_columns(rows, units={"y": "px", "x": "px"}).assign_attrs(columns.attrs)
    state = compare_columns(more, bronze_sites()).columns["state"].values
    assert (state == "not found").sum() == 1
    assert (state == "not in the structure").sum() == 1
    assert (state == "matched").sum() == 15


def test_a_superstructure_holds_several_cells_of_the_structure() -> None:
    summary = compare_columns(
        found_columns(BRONZE, multiple=((1, 1), (0, 1))), bronze_sites()
    ).summary
    assert summary["expected_multiple"].item() == 1
    doubled = found_columns(BRONZE, multiple=((1, 1), (-1, 1)))
    summary = compare_columns(doubled, bronze_sites()).summary
    assert summary["expected_multiple"].item() == 2
    assert summary["n_matched"].item() == 2 * 16


def test_a_cell_too_small_is_repeated_until_it_fits() -> None:
    primitive: Any = ase.Atoms("Cu", cell=[3.6, 3.6, 3.6], pbc=True)
    ordered: Any = ase.Atoms(
        "CuAu", positions=[[0, 0, 0], [3.6, 0, 0]], cell=[7.2, 3.6, 3.6], pbc=True
    )
    expected = sites_from_structure(ordered, field=(3.0, 3.0))
    compared = compare_columns(found_columns(primitive), expected)
    assert compared.summary["found_multiple"].item() == 2
    assert compared.summary["n_matched"].item() == 2
    # Both columns of the structure are one that was found.
    assert compared.columns["column"].values.tolist() == [0, 0]


def test_classes_that_mix_inequivalent_columns_are_told() -> None:
    columns = found_columns(BRONZE)
    content = compare_columns(columns, bronze_sites()).columns.sortby("column")["content"].values
    # Both sorts of Nb in one class, the four others alone: 2 of 16 columns are misplaced.
    label = np.array([{"Sm": 0, "Ba": 1, "Nb": 2}[str(one)] for one in content])
    compared = compare_columns(columns.assign({"class": ("row", label)}), bronze_sites())
    assert compared.summary["purity"].item() == pytest.approx(14 / 16)
    assert compared.summary["completeness"].item() == 1.0
    assert 0.5 < compared.summary["adjusted_rand_index"].item() < 1.0


def test_columns_that_a_mirror_exchanges_may_be_two_classes() -> None:
    columns = found_columns(BRONZE).assign(n_sites=("row", np.full(16, 50)))
    columns = columns.assign({"class": ("row", np.arange(16))})
    summary = compare_columns(columns, bronze_sites()).summary
    # Sixteen classes, none of which mixes the four orbits of 2, 4, 2 and 8 columns.
    assert summary["purity"].item() == 1.0
    assert summary["completeness"].item() == pytest.approx(4 / 16)
    assert 0 < summary["adjusted_rand_index"].item() < 0.5


def test_oxygen_that_cannot_be_seen_is_not_missed() -> None:
    oxide: Any = crystal(
        ["Sr", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], spacegroup=221,
        cellpar=[3.905] * 3 + [90] * 3,
    )  # fmt: skip
    expected = sites_from_structure(oxide, field=(2.0, 2.0))
    metals: Any = oxide[[atom.symbol != "O" for atom in oxide]]
    state = compare_columns(found_columns(metals), expected).columns["state"].values
    assert (state == "not found").sum() == 2
    seen = compare_columns(found_columns(metals), expected, unseen=("O",)).columns
    assert set(seen["state"].values.tolist()) == {"matched"}


def test_standard_errors_come_with_the_distances() -> None:
    columns = found_columns(BRONZE).assign(
        spread=("row", np.full(16, 2.0), {"units": "px"}), n_sites=("row", np.full(16, 100))
    )
    table = compare_columns(columns, bronze_sites()).columns
    # One sixteenth of the differences is taken up by the origin.
    expected = 0.2 * PIXEL * np.sqrt(15 / 16)
    np.testing.assert_allclose(table["distance_error"].values, expected, rtol=1e-5)


def test_the_distance_of_a_single_column_has_no_error() -> None:
    polonium = ase.Atoms("Po", cell=[3.35] * 3, pbc=True)
    columns = found_columns(polonium).assign(
        spread=("row", np.full(1, 2.0), {"units": "px"}), n_sites=("row", np.full(1, 100))
    )
    table = compare_columns(columns, sites_from_structure(polonium, field=(2.0, 2.0))).columns
    assert table["state"].values.tolist() == ["matched"]
    for name in ("distance_error", "distance_lower", "distance_upper"):
        assert np.isnan(table[name].values).all()


def test_intervals_of_distances_hold_the_truth_of_95_of_100() -> None:
    size, held = 0.004, []
    moved = np.random.default_rng(0).normal(0, 0.01, (16, 2))
    moved -= moved.mean(axis=0)
    for seed in range(20):
        columns = found_columns(BRONZE, noise=size, seed=seed)
        for axis, name in enumerate(("along_a", "along_b")):
            columns[name] = columns[name] + moved[:, axis] / 1.2588
        columns = columns.assign(
            spread=("row", np.full(16, 10 * size / PIXEL), {"units": "px"}),
            n_sites=("row", np.full(16, 100)),
        )
        table = compare_columns(columns, bronze_sites()).columns
        truth = np.linalg.norm(moved[table["column"].values], axis=1)
        held.append((table["distance_lower"] <= truth) & (truth <= table["distance_upper"]))
    # 320 distances, of which one in sixteen is no news: three standard deviations are 0.038.
    assert abs(np.mean(held) - 0.95) < 0.038


def test_cells_that_do_not_fit_are_refused_with_their_sizes() -> None:
    oblong = table_from_columns({"along_a": [0.0], "along_b": [0.0], "y": [0.0], "x": [0.0]})
    oblong = oblong.assign_attrs(a=[0.0, 100.0], b=[40.0, 800.0])
    with pytest.raises(NoLatticeError, match=r"fits one of the structure \(1.259 x 1.259 nm\)"):
        compare_columns(oblong, bronze_sites(), max_multiple=1)


def test_what_is_no_cell_or_no_structure_is_refused() -> None:
    columns = found_columns(BRONZE)
    with pytest.raises(KindError, match="must come from localization"):
        compare_columns(columns.drop_attrs(), bronze_sites())
    bare = bronze_sites()
    del bare.attrs["cell_vectors"]
    with pytest.raises(KindError, match="repeats across the beam"):
        compare_columns(columns, bare)
    with pytest.raises(SettingError, match="leave nothing to compare"):
        compare_columns(columns, bronze_sites(), max_multiple=0)
    with pytest.raises(SettingError, match="leaves no column"):
        compare_columns(columns, bronze_sites(), unseen=("Sm", "Ba", "Nb"))
    with pytest.raises(SettingError, match="2 of the 16 columns of a cell"):
        compare_columns(columns, bronze_sites().isel(site=slice(2)))
    with pytest.raises(UnitError):
        compare_columns(columns, bronze_sites(), tolerance="1 px")


def test_columns_without_a_place_and_cells_without_an_area_are_refused() -> None:
    columns = found_columns(BRONZE)
    lost = columns.copy(deep=True)
    lost["along_a"][0] = np.nan
    with pytest.raises(KindError, match="columns have no place in the cell"):
        compare_columns(lost, bronze_sites())
    flat = bronze_sites().assign_attrs(cell_vectors=[[0.0, 1.2], [0.0, 1.2]])
    with pytest.raises(KindError, match="span no cell"):
        compare_columns(columns, flat)
