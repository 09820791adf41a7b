"""Coordinates of perovskite columns that a network decoded, without their image."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.crystallography import assign_lattice_indices, find_variants
from adatom.descriptors import neighbor_vectors, sites_from_sublattice
from adatom.schema import Sites, positions, sites_from_positions

DATA = Path(os.environ.get("ADATOM_DATA", ""))
FILE = DATA / "imaging/atomai_tests/predictors/test_data/test_coordinates.npy"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@cache
def _sites() -> Sites:
    # Rows of (row, column, class), pickled; no step reads pickles.
    rows = np.load(FILE, allow_pickle=True).item()[0]
    sites = sites_from_positions(*rows[:, :2].T, unit="px", extent=[0.0, 1023.0, 0.0, 1023.0])
    sites["sublattice"] = ("site", rows[:, 2].astype(np.int64))
    return sites


def _star(of: int, among: int) -> NDArray[np.float64]:
    one, other = (sites_from_sublattice(_sites(), sublattice=k) for k in (of, among))
    found = neighbor_vectors(one, other)
    assert (found["slot_state"].values == 0).all(axis=1).mean() > 0.95
    return np.array(found.attrs["stars"])


@pytest.mark.parametrize("sublattice", [0, 1])
def test_each_sublattice_is_square_with_one_star(sublattice: int) -> None:
    found = neighbor_vectors(sites_from_sublattice(_sites(), sublattice=sublattice))
    assert found.sizes["neighbor"] == 4
    (star,) = np.array(found.attrs["stars"])
    # Read off for the catalogue: like columns are 18.3 px apart, unlike ones 12.0 to 14.5 px.
    assert np.linalg.norm(star, axis=1) == pytest.approx(np.full(4, 18.6), abs=0.4)


def test_the_cage_of_either_sublattice_is_the_other_seen_from_behind() -> None:
    one, other = _star(0, 1), _star(1, 0)
    assert one.shape == other.shape == (1, 4, 2)
    apart = np.linalg.norm(one[0][:, None] + other[0], axis=2)
    # Stars are means over 3,000 sites.
    assert apart.min(axis=1).max() < 0.1


def test_columns_stand_off_the_middle_of_their_cage_in_the_mean() -> None:
    y, x = _star(0, 1)[0].mean(axis=0)
    # 0.9 of 13.2 px: 0.07 spacings, as cations of a ferroelectric are displaced; the two
    # domains below cancel along y.
    assert abs(x) == pytest.approx(0.9, abs=0.15)
    assert abs(y) < 0.3


def test_two_polar_variants_meet_below_a_phase_that_is_not_polar() -> None:
    one, other = (sites_from_sublattice(_sites(), sublattice=k) for k in (0, 1))
    sites = neighbor_vectors(assign_lattice_indices(neighbor_vectors(one)), other)
    found = find_variants(sites)
    label = found.variants["label"].values
    y, x = positions(sites).T
    # Seen in a map of displacements: below, all columns are displaced to the left, those left
    # of x = 390 px down and those right of it up; upper right, hardly any is displaced.
    left = np.bincount(label[(y > 700) & (x < 350)]).argmax()
    right = np.bincount(label[(y > 700) & (x > 450)]).argmax()
    above = np.bincount(label[(y < 400) & (x > 800)]).argmax()
    assert len({left, right, above}) == 3
    assert (label[(y > 700) & (x > 450)] == right).mean() > 0.95
    phase = found.members["phase"].values
    assert phase[left] == phase[right] != phase[above]
    down = found.members["displacement_y"].values
    assert down[left] * down[right] < 0
    assert abs(down[left] + down[right]) < 0.1 * abs(down[left])
