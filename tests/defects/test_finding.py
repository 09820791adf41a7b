"""Defects of graphene whose places are known: found, named, and laid over one another."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.defects import assign_species, compare_defects, find_defects
from adatom.errors import KindError, SettingError
from adatom.schema import Sites, notes, sites_from_positions
from adatom.simulation import Flake, build_graphene

_BOND = 0.142


def _sheet(turn: float = 0.0) -> NDArray[np.float64]:
    i, j = (axis.ravel() for axis in np.mgrid[-9:10, -9:10])
    a = np.array([[0.0, np.sqrt(3.0)], [1.5, np.sqrt(3.0) / 2]])
    cell = np.stack([i, j], axis=1) @ a
    place = np.concatenate([cell, cell + np.array([1.0, 0.0])]) * _BOND
    place = place[np.linalg.norm(place, axis=1) < 1.2]
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(place @ np.array([[c, -s], [s, c]]))


def _atoms(place: NDArray[np.float64]) -> Sites:
    sites = sites_from_positions(*place.T, unit="nm", spacing=_BOND)
    sites["species"] = ("site", np.full(len(place), "C"))
    return sites


def test_a_whole_sheet_has_no_defects() -> None:
    assert find_defects(_atoms(_sheet(0.3))).defects.sizes["site"] == 0


def test_a_missing_atom_is_v1_at_its_place() -> None:
    place = _sheet()
    gone = int(np.linalg.norm(place, axis=1).argmin())
    found = find_defects(_atoms(np.delete(place, gone, axis=0)))
    assert found.defects["name"].values.tolist() == ["V1"]
    assert found.defects["n_neighbors"].item() == 3
    seen = np.array([found.defects["y"].item(), found.defects["x"].item()])
    assert np.linalg.norm(seen - place[gone]) < 1e-6


def test_two_missing_neighbors_are_one_v2() -> None:
    place = _sheet()
    gone = np.argsort(np.linalg.norm(place - place[np.linalg.norm(place, axis=1).argmin()], axis=1))
    found = find_defects(_atoms(np.delete(place, gone[:2], axis=0)))
    assert found.defects["name"].values.tolist() == ["V2"]


def test_a_turned_bond_is_a_stone_wales_defect() -> None:
    place = _sheet()
    first = int(np.linalg.norm(place, axis=1).argmin())
    other = int(np.argsort(np.linalg.norm(place - place[first], axis=1))[1])
    middle = (place[first] + place[other]) / 2
    half = (place[first] - middle) * 0.9
    place[first], place[other] = middle + half[::-1] * [1, -1], middle - half[::-1] * [1, -1]
    # Of the relaxed defect only the turned pair is drawn: its new bonds are long.
    near = np.argsort(np.linalg.norm(place - middle, axis=1))[2:6]
    place[near] += 0.12 * (middle - place[near])
    found = find_defects(_atoms(place))
    assert found.defects["name"].values.tolist() == ["SW(55-77)"]


def test_a_vacancy_two_of_whose_neighbors_have_bonded_is_v1_of_a_five_and_a_nine() -> None:
    place = _sheet()
    gone = place[np.linalg.norm(place, axis=1).argmin()]
    order = np.argsort(np.linalg.norm(place - gone, axis=1))
    # The Jahn-Teller distorted vacancy: two of three neighbors move together to 1.2 bonds.
    first, other = order[1:3]
    middle = (place[first] + place[other]) / 2
    apart = np.linalg.norm(place[first] - place[other])
    for k in (first, other):
        place[k] = middle + (place[k] - middle) * 1.2 * _BOND / apart
    found = find_defects(_atoms(np.delete(place, order[0], axis=0)))
    assert found.defects["name"].values.tolist() == ["V1(5-9)"]
    assert found.defects["kind"].values.tolist() == ["vacancy"]


def test_departures_that_no_sheet_has_are_left_out_and_told() -> None:
    # Atoms strewn at random have bonds and rings, but no sheet.
    place = np.random.default_rng(0).uniform(0, 3.0, (300, 2))
    found = find_defects(_atoms(place))
    (note,) = notes(found.defects)
    left_out = int(re.search(r"(\d+) departures left out", note)[1])  # type: ignore[index]
    assert left_out > 10


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.0])
def test_silicon_of_three_and_four_neighbors_is_named_however_it_is_turned(turn: float) -> None:
    flake = Flake(0.01, 0.006, 0.0, 0.0, rotation=float(np.degrees(turn)))
    atoms = build_graphene(flake=flake, field=(5.0, 5.0), seed=3).atoms
    found = find_defects(atoms)
    names, counts = np.unique(found.defects["name"].values, return_counts=True)
    truth = atoms["class"].values
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "Si1C3": int((truth == "Si-C3").sum()),
        "Si1C4": int((truth == "Si-C4").sum()),
    }
    for name in names:
        keys = found.defects["class_key"].values[found.defects["name"].values == name]
        assert len(set(keys.tolist())) == 1


def test_defects_of_one_class_are_nearer_to_one_another_than_to_others() -> None:
    flake = Flake(0.01, 0.006, 0.0, 0.0)
    found = find_defects(build_graphene(flake=flake, field=(5.0, 5.0), seed=3).atoms)
    table = compare_defects(found.members, found.members)
    name = found.defects["name"].values
    alike = name[table["defect"].values] == name[table["other"].values]
    rmsd = table["rmsd"].values
    assert rmsd[alike].max() < rmsd[~alike].min()


def test_a_mirrored_defect_differs_only_if_reflections_do() -> None:
    place = np.array([[0.0, 0.0], [0.0, 0.2], [0.15, -0.1], [-0.3, -0.1]])
    one = sites_from_positions(*place.T, unit="nm")
    one["species"] = ("site", np.array(["Si", "C", "C", "C"]))
    one["defect"] = ("site", np.zeros(4, dtype=int))
    other = one.assign_coords(x=("site", -one["x"].values, {"units": "nm"}))
    assert compare_defects(one, other)["rmsd"].item() == pytest.approx(0.0, abs=1e-9)
    assert compare_defects(one, other, reflect=False)["rmsd"].item() > 0.01


def test_an_atom_without_partner_counts_as_the_penalty() -> None:
    place = np.array([[0.0, 0.0], [0.0, 0.2], [0.15, -0.1], [-0.3, -0.1]])
    parts = []
    for n in (4, 3):
        sites = sites_from_positions(*place[:n].T, unit="nm")
        sites["species"] = ("site", np.array(["Si", "C", "C", "C"])[:n])
        sites["defect"] = ("site", np.zeros(n, dtype=int))
        parts.append(sites)
    table = compare_defects(*parts, penalty="0.1 nm")
    assert table["n_alone"].item() == 1
    # One of four counts 0.1, the others nothing: 0.1 / sqrt(4).
    assert table["rmsd"].item() == pytest.approx(0.05, abs=1e-6)


def test_brightness_that_fits_no_element_is_not_forced() -> None:
    place = _sheet()
    sites = sites_from_positions(*place.T, unit="nm", spacing=_BOND)
    height = 1 + 0.05 * np.random.default_rng(0).normal(size=len(place))
    height[[10, 20]] = 5.0, 40.0
    sites["amplitude"] = ("site", height)
    named = assign_species(sites)
    assert named["species"].values[[10, 20, 30]].tolist() == ["Si", "?", "C"]


def test_sites_without_species_are_refused() -> None:
    with pytest.raises(KindError, match="assign_species"):
        find_defects(_atoms(_sheet()).drop_vars("species"))


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(SettingError, match="graphene"):
        find_defects(_atoms(_sheet()), host="snow")
