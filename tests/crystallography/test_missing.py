"""Missing sites of planted crystals."""

from __future__ import annotations

import numpy as np
import pytest
from planted_crystals import bicrystal, edge_dislocation, planted, with_neighbors
from scipy.spatial import cKDTree

from adatom.crystallography import assign_lattice_indices, find_missing_sites


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("name", ["square", "hexagonal", "oblique", "honeycomb"])
def test_vacancies_are_found_at_their_places(name: str, noise: float) -> None:
    truth = planted(name, half_width=20.0, angle=9.0)
    gone = np.random.default_rng(4).random(len(truth.place)) < 0.03
    # Near the edge a vacancy may be open to it.
    inner = (np.abs(truth.place) < 17.0).all(axis=1)
    vacant = truth.place[gone & inner]
    sites = with_neighbors(truth.those(~gone).noisy(noise, 5))
    missing = find_missing_sites(assign_lattice_indices(sites))
    place = np.stack([missing["y"].values, missing["x"].values], axis=1)
    away, _ = cKDTree(place).query(vacant)
    assert (away < 0.05 + 1.5 * noise).all()
    back, _ = cKDTree(truth.place[gone]).query(place)
    assert (back < 0.05 + 1.5 * noise).all()


def test_the_error_of_a_place_is_its_spread() -> None:
    truth = planted("square", half_width=50.0)
    gone = np.zeros(len(truth.place), dtype=bool)
    gone[(truth.cell % 5 == 0).all(axis=1)] = True
    sites = assign_lattice_indices(with_neighbors(truth.those(~gone).noisy(0.04, 1)))
    missing = find_missing_sites(sites)
    tree = cKDTree(truth.place[gone])
    place = np.stack([missing["y"].values, missing["x"].values], axis=1)
    _, near = tree.query(place)
    error = np.stack([missing["y_error"].values, missing["x_error"].values], axis=1)
    pull = (place - truth.place[gone][near]) / error
    # Eight sites tell their scatter to a quarter: errors are widened by Student's t of 7.
    assert 0.92 < (np.abs(pull) < 1.96).mean() < 0.98


def test_holes_are_told_from_vacancies() -> None:
    truth = planted("square", half_width=12.0)
    hole = np.linalg.norm(truth.place, axis=1) < 3.0
    single = np.abs(truth.place - [8.0, 8.0]).sum(axis=1) < 0.5
    sites = with_neighbors(truth.those(~hole & ~single))
    missing = find_missing_sites(assign_lattice_indices(sites))
    assert sorted(np.unique(missing["n_connected"].values)) == [1, int(hole.sum())]
    assert missing.sizes["site"] == hole.sum() + 1


def test_beside_dislocations_and_grains_nothing_is_missing() -> None:
    truth = planted("square", half_width=20.0)
    moved = edge_dislocation(truth.place, (0.31, 0.43), 1.0)
    cored = with_neighbors(truth._replace(place=truth.place + moved).noisy(0.02, 1))
    for sites in (cored, with_neighbors(bicrystal("square", 30.0, 0.02, 1)[0])):
        missing = find_missing_sites(assign_lattice_indices(sites))
        # The core of a dislocation may have room for one.
        assert missing.sizes["site"] <= 1
