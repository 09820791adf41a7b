"""Observed defects stand on the lattice of their host, in a supercell of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.defects import build_impurity, structure_from_defect
from adatom.defects.hosts import columns_of_host, host_of_name
from adatom.errors import KindError, SettingError
from adatom.schema import sites_from_positions

CARBON_BOND = 0.142


def _records(
    species: list[str],
    places: NDArray[np.float64],
    roles: list[str],
    *,
    host: str = "graphene",
    name: str = "",
    kind: str = "complex",
    spacing: float | None = None,
    unit: str = "nm",
) -> tuple[xr.Dataset, xr.Dataset]:
    """Give a defect and its members, places as (x, y) with y down."""
    members = sites_from_positions(places[:, 1], places[:, 0], unit=unit).assign(
        defect=("site", np.zeros(len(species), dtype=int)),
        species=("site", np.array(species)),
        role=("site", np.array(roles)),
    )
    found = sites_from_positions([0.0], [0.0], unit=unit, spacing=spacing).assign(
        name=("site", np.array([name])), kind=("site", np.array([kind]))
    )
    found.attrs["host"] = host
    return found, members


def _columns_around(host: str) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Give ideal columns about one of the first kind, nearest first, in nm, and their elements."""
    columns = columns_of_host(host)
    cells = np.stack(np.meshgrid(range(-6, 7), range(-6, 7), indexing="ij"), -1).reshape(-1, 2)
    places = ((cells @ columns.lattice)[:, None] + columns.places[None]).reshape(-1, 2)
    elements = np.tile(np.array(columns.elements), len(cells))
    places = places - columns.places[0]
    order = np.argsort(np.hypot(*places.T).round(6), kind="stable")
    return places[order] / 10.0, elements[order]


def _turned(places: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float64] = places @ turn.T + [3.1, -1.7]
    return moved


def _substitution(degrees: float, noise: float, seed: int = 0) -> tuple[xr.Dataset, xr.Dataset]:
    places = _columns_around("graphene")[0][:4]
    places = places + np.random.default_rng(seed).normal(0.0, noise, places.shape)
    return _records(
        ["Si", "C", "C", "C"],
        _turned(places, degrees),
        ["core", "neighbor", "neighbor", "neighbor"],
        name="Si1C3",
    )


@pytest.mark.parametrize("degrees", [0.0, 17.0, 44.0, 90.0, 143.0])
def test_a_substituted_atom_takes_the_place_of_one(degrees: float) -> None:
    # 0.01 nm is three times what positions in images of graphene are off.
    made: Any = structure_from_defect(*_substitution(degrees, 0.01))
    assert _counts(made) == {"C": 31, "Si": 1}
    assert made.info["taken_out"] == 1
    bonds = made.get_distances(31, range(31), mic=True)
    # All three neighbors are bonded; no atom of the ideal sheet is left beside.
    assert np.sort(bonds)[3] > 2.3


def _counts(atoms: Any) -> dict[str, int]:
    symbols, counts = np.unique(np.array(atoms.symbols, dtype=str), return_counts=True)
    return dict(zip(map(str, symbols), map(int, counts), strict=True))


def test_an_atom_in_a_divacancy_takes_the_place_of_two() -> None:
    around = _columns_around("graphene")[0]
    bond = around[1] / 2.0
    # The four atoms nearest to the middle of a bond but for its own two.
    far = np.hypot(*(around - bond).T)
    four = around[np.argsort(far, kind="stable")[2:6]]
    drawn = bond + (four - bond) * 0.96
    places = _turned(np.vstack([bond, drawn]), 31.0)
    made: Any = structure_from_defect(
        *_records(["Si", *["C"] * 4], places, ["core", *["neighbor"] * 4], name="Si1C4")
    )
    assert _counts(made) == {"C": 30, "Si": 1}


def test_missing_atoms_are_taken_out() -> None:
    places = _turned(_columns_around("graphene")[0][:4], 12.0)
    made: Any = structure_from_defect(
        *_records(["X", "C", "C", "C"], places, ["missing", *["neighbor"] * 3], name="V1")
    )
    assert _counts(made) == {"C": 31}
    assert made.info["taken_out"] == 1


def test_an_adatom_stands_on_a_whole_sheet() -> None:
    around = _columns_around("graphene")[0]
    made: Any = structure_from_defect(
        *_records(
            ["Si", "C", "C"],
            _turned(np.vstack([around[1] / 2.0, around[0], around[1]]), 5.0),
            ["core", "neighbor", "neighbor"],
            kind="adatom",
        )
    )
    assert _counts(made) == {"C": 32, "Si": 1}
    assert made.positions[-1, 2] - made.positions[:-1, 2].max() == pytest.approx(2.0)


def test_observed_places_are_kept_in_the_plane_and_lengths_scaled_to_the_host() -> None:
    found, members = _substitution(25.0, 0.006)
    # The scale of the image is off by 4 %: its lattice tells.
    found.attrs["spacing"] = CARBON_BOND * 1.04
    shifted = members.assign_coords(
        y=("site", members.y.values * 1.04, members.y.attrs),
        x=("site", members.x.values * 1.04, members.x.attrs),
    )
    made: Any = structure_from_defect(found, shifted)
    member = made.arrays["member"]
    atoms = np.array([int(np.flatnonzero(member == k)[0]) for k in range(4)])
    given = np.stack([members.x.values, members.y.values], axis=1)
    for one in range(4):
        for other in range(one):
            expected = np.hypot(*(given[one] - given[other])) * 10 * 1.42028 / 1.42
            flat = np.hypot(*(made.positions[atoms[one]] - made.positions[atoms[other]])[:2])
            assert flat == pytest.approx(expected, rel=1e-3)


def test_the_structure_seen_from_above_is_the_image_and_not_its_mirror_image() -> None:
    places = _columns_around("graphene")[0][:4]
    # Arms of three lengths: no mirror image can be turned onto it.
    places[1:] *= np.array([[0.9], [1.0], [1.12]])
    found, members = _records(
        ["Si", "C", "C", "C"], places, ["core", *["neighbor"] * 3], name="Si1C3"
    )
    made: Any = structure_from_defect(found, members)
    member = made.arrays["member"]
    own = np.array([made.positions[member == k][0, :2] for k in range(4)])

    def handed(three: NDArray[np.float64]) -> float:
        (ax, ay), (bx, by) = three[1] - three[0], three[2] - three[0]
        return float(np.sign(ax * by - ay * bx))

    # y points down in images and up in structures.
    assert handed(own[1:]) == handed(places[1:] * [1.0, -1.0])


@pytest.mark.parametrize(("name", "n_sulfur"), [("V_S", 31), ("V_S2", 30)])
def test_one_or_both_atoms_of_a_column_are_missing_as_the_name_says(
    name: str, n_sulfur: int
) -> None:
    around, elements = _columns_around("MoS2")
    sulfur = around[elements == "S"][0]
    near = around[np.argsort(np.hypot(*(around - sulfur).T), kind="stable")[:4]]
    made: Any = structure_from_defect(
        *_records(
            ["X", "Mo", "Mo", "Mo"],
            _turned(near, 40.0),
            ["missing", *["neighbor"] * 3],
            host="MoS2",
            name=name,
        )
    )
    assert _counts(made) == {"Mo": 16, "S": n_sulfur}


def test_a_dopant_in_a_dichalcogenide_replaces_the_metal() -> None:
    around, elements = _columns_around("MoS2")
    assert elements[:4].tolist() == ["Mo", "S", "S", "S"]
    made: Any = structure_from_defect(
        *_records(
            ["V", "S", "S", "S"],
            _turned(around[:4], 75.0),
            ["core", *["neighbor"] * 3],
            host="MoS2",
            name="V_Mo",
        )
    )
    assert _counts(made) == {"Mo": 15, "S": 32, "V": 1}
    # Six sulfur atoms, three above and three below.
    lengths = np.sort(made.get_distances(len(made) - 1, range(len(made) - 1), mic=True))[:6]
    assert lengths.max() < 2.6


@pytest.mark.parametrize(("name", "n_selenium"), [("Se_S", 1), ("Se2_S2", 2)])
def test_one_or_both_atoms_of_a_column_are_replaced_as_the_name_says(
    name: str, n_selenium: int
) -> None:
    around, elements = _columns_around("MoS2")
    sulfur = around[elements == "S"][0]
    near = around[np.argsort(np.hypot(*(around - sulfur).T), kind="stable")[:4]]
    records = _records(
        ["Se", "Mo", "Mo", "Mo"], _turned(near, 10.0), ["core", *["neighbor"] * 3],
        host="MoS2", name=name,
    )  # fmt: skip
    made: Any = structure_from_defect(*records)
    assert _counts(made) == {"Mo": 16, "S": 32 - n_selenium, "Se": n_selenium}
    heights = made.positions[-n_selenium:, 2]
    assert np.ptp(heights) > 3.0 or n_selenium == 1


def test_a_cell_that_is_too_small_names_one_that_holds_the_defect() -> None:
    with pytest.raises(SettingError, match=r"cell=2: a defect 0\.2\d nm wide .* take cell=4"):
        structure_from_defect(*_substitution(0.0, 0.0), cell=2)


def test_cells_of_graphene_that_fold_its_touching_bands_onto_the_center_are_passed_over() -> None:
    around = _columns_around("graphene")[0]
    # Along a lattice vector, so that the extent asks for six cells.
    along = columns_of_host("graphene").lattice[0] / 10.0 * 3
    two = np.vstack([around[:4], around[:4] + along])
    roles = ["core", *["neighbor"] * 3] * 2
    records = _records(["Si", "C", "C", "C"] * 2, _turned(two, 0.0), roles)
    made: Any = structure_from_defect(*records)
    assert made.info["cell"] == 7
    folded: Any = structure_from_defect(*records, cell=6)
    assert folded.info["cell"] == 6


def test_atoms_of_another_lattice_are_refused() -> None:
    # Read in another unit, four neighbors stand within a bond of one another.
    near = _columns_around("graphene")[0][:5] * 0.2
    records = _records(["Si", *["C"] * 4], _turned(near, 3.0), ["core", *["neighbor"] * 4])
    with pytest.raises(SettingError, match=r"off the places of graphene .* spacing"):
        structure_from_defect(*records)


def test_pixels_need_the_spacing_of_the_lattice() -> None:
    found, members = _substitution(0.0, 0.0)
    for part in (found, members):
        for axis in "yx":
            part.coords[axis].attrs["units"] = "px"
    with pytest.raises(KindError, match=r"set attrs\['spacing'\]"):
        structure_from_defect(found, members)


def test_an_unknown_host_lists_those_that_are_known() -> None:
    found, members = _substitution(0.0, 0.0)
    with pytest.raises(SettingError, match=r"'silicene' is not known: it is one of graphene, BN"):
        structure_from_defect(found, members, host="silicene")


def test_a_number_beyond_the_defects_is_refused() -> None:
    with pytest.raises(SettingError, match=r"number=3 is none of the 1 defects"):
        structure_from_defect(*_substitution(0.0, 0.0), number=3)


def test_an_impurity_is_built_without_an_image() -> None:
    made: Any = build_impurity("W", host="MoS2")
    assert _counts(made) == {"Mo": 15, "S": 32, "W": 1}
    assert np.isnan(made.arrays["observed"]).all()
    assert made.cell.array[0, 0] == pytest.approx(4 * host_of_name("MoS2").lattice_constant)


def test_an_atom_of_no_known_element_cannot_be_embedded() -> None:
    places = np.array([[0.0, 0.0], [0.16, 0.0], [-0.08, 0.139], [-0.08, -0.139]])
    roles = ["core", "neighbor", "neighbor", "neighbor"]
    with pytest.raises(KindError, match=r"defect 0 holds atoms of '\?', which is no element"):
        structure_from_defect(*_records(["?", "C", "C", "C"], places, roles))
