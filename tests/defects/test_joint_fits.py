"""Neighbors of impurities that a finder missed, invented or misplaced: the pixels decide."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from adatom.defects import find_defects
from adatom.schema import Image, Sites, positions
from adatom.simulation import Flake, Microscope, simulate_graphene

_BOND = 0.142


@functools.cache
def _simulated(threefold: float, fourfold: float, electrons: float = 300.0) -> tuple[Image, Sites]:
    made = simulate_graphene(
        size=192,
        field="2 nm",
        flake=Flake(threefold, fourfold, 0.0, 0.0),
        microscope=Microscope(electrons=electrons),
        contamination=0.0,
        seed=4,
    )
    return made.image, made.truth


def _impurity(truth: Sites) -> int:
    """Give the silicon atom that is nearest to the middle."""
    silicon = np.flatnonzero(truth["species"].values == "Si")
    return int(silicon[np.linalg.norm(positions(truth)[silicon] - 1.0, axis=1).argmin()])


def _neighbors(truth: Sites, atom: int) -> list[int]:
    away = np.linalg.norm(positions(truth) - positions(truth)[atom], axis=1)
    return [int(k) for k in np.argsort(away) if k != atom]


def _name(sites: Sites, image: Image | None, at: np.ndarray) -> str:
    found = find_defects(sites, image).defects
    return str(found["name"].values[np.linalg.norm(positions(found) - at, axis=1).argmin()])


@pytest.mark.parametrize(("rates", "name"), [((0.012, 0.0), "Si1C3"), ((0.0, 0.012), "Si1C4")])
def test_a_neighbor_that_was_missed_is_found_in_the_pixels(
    rates: tuple[float, float], name: str
) -> None:
    image, truth = _simulated(*rates)
    atom = _impurity(truth)
    missed = truth.drop_isel(site=_neighbors(truth, atom)[1])
    assert _name(missed, image, positions(truth)[atom]) == name
    members = find_defects(missed, image).members
    added = members.isel(site=members["atom"].values == -1)
    assert added["species"].values.tolist() == ["C"]
    # A tenth of a bond: at 300 electrons an atom is known to a twentieth.
    gone = positions(truth)[_neighbors(truth, atom)[1]]
    assert np.linalg.norm(positions(added)[0] - gone) < 0.1 * _BOND


def test_an_atom_between_an_impurity_and_its_neighbors_is_taken_out() -> None:
    image, truth = _simulated(0.012, 0.0)
    atom = _impurity(truth)
    place, near = positions(truth), _neighbors(truth, atom)
    # Of the third shell: moved to where the slope of the impurity is taken for an atom.
    middle = (place[near[0]] + place[near[1]]) / 2
    y, x = truth["y"].values.copy(), truth["x"].values.copy()
    y[near[-1]], x[near[-1]] = middle
    wrong = truth.assign_coords(y=("site", y, truth["y"].attrs), x=("site", x, truth["x"].attrs))
    assert _name(wrong, None, place[atom]) != "Si1C3"
    assert _name(wrong, image, place[atom]) == "Si1C3"


@pytest.mark.parametrize(("rates", "name"), [((0.012, 0.0), "Si1C3"), ((0.0, 0.012), "Si1C4")])
def test_atoms_that_were_misplaced_by_a_fourth_of_a_bond_do_not_change_the_name(
    rates: tuple[float, float], name: str
) -> None:
    image, truth = _simulated(*rates)
    rng = np.random.default_rng(1)
    # 0.12 along each axis: as scattered as a network's atoms in images of 80 electrons an atom.
    off = rng.normal(0, 0.12 * _BOND, (truth.sizes["site"], 2))
    moved = truth.assign_coords(
        y=("site", truth["y"].values + off[:, 0], truth["y"].attrs),
        x=("site", truth["x"].values + off[:, 1], truth["x"].attrs),
    )
    assert _name(moved, image, positions(truth)[_impurity(truth)]) == name


def test_a_missing_atom_beside_an_impurity_is_not_filled() -> None:
    image, truth = _simulated(0.012, 0.0, 1200.0)
    atom = _impurity(truth)
    gone = _neighbors(truth, atom)[0]
    place = positions(truth)
    # The pixels around the neighbor become those between atoms: what a hollow shows.
    y, x = np.meshgrid(image["y"].values, image["x"].values, indexing="ij")
    width, tail = 0.05, 0.13
    square = (y - place[gone, 0]) ** 2 + (x - place[gone, 1]) ** 2
    step = float(image["y"].values[1] - image["y"].values[0])
    counts = (
        1200.0
        * step**2
        * (
            0.65 * np.exp(-square / (2 * width**2)) / (2 * np.pi * width**2)
            + 0.35 * np.exp(-square / (2 * tail**2)) / (2 * np.pi * tail**2)
        )
    )
    emptied = image - counts.astype(np.float32)
    emptied.attrs = image.attrs
    found = find_defects(truth.drop_isel(site=gone), emptied)
    at = np.linalg.norm(positions(found.defects) - place[atom], axis=1).argmin()
    assert (str(found.defects["name"].values[at]), int(found.defects["n_missing"][at])) == (
        "Si1C2",
        1,
    )


def test_a_carbon_with_three_bonds_is_not_bonded_to_silicon_farther_than_a_bond() -> None:
    _, truth = _simulated(0.012, 0.0)
    atom = _impurity(truth)
    place, near = positions(truth), _neighbors(truth, atom)
    second = near[4]
    toward = place[atom] - place[second]
    y, x = truth["y"].values.copy(), truth["x"].values.copy()
    # To 1.45 bonds: within the limit of 1.54, beyond 1.35.
    y[second], x[second] = place[atom] - toward / np.linalg.norm(toward) * 1.45 * _BOND
    moved = truth.assign_coords(y=("site", y, truth["y"].attrs), x=("site", x, truth["x"].attrs))
    assert _name(moved, None, place[atom]) == "Si1C3"
