"""Antiphase boundaries of any course are found where they run, beside vacancies too."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.crystallography import assign_lattice_indices, find_doubling, find_variants
from adatom.crystallography.domain_votes import settled_domains
from adatom.descriptors import neighbor_vectors
from adatom.numerics.cell_windows import grid_of_cells
from adatom.schema import Sites, sites_from_positions

# Distances from the wall, in cells, by the ideal place (y, x).
WALLS = {
    "oblique": lambda y, x: 0.8 * (y - 18) + 0.6 * (x - 18),
    "curved": lambda y, x: y - 18 - 4 * np.sin(2 * np.pi * x / 36),
    "closed": lambda y, x: np.hypot(y - 18, x - 18) - 10,
}


def _alternating(
    course: str, noise: float, seed: int, size: int = 36
) -> tuple[Sites, NDArray[np.float64], NDArray[np.int64]]:
    """Give a square lattice doubled along i, its ideal places, and the side of the wall."""
    rng = np.random.default_rng([seed, 7])
    y, x = np.indices((size, size)).reshape(2, -1).astype(float)
    side = (WALLS[course](y, x) > 0).astype(int)
    push = 0.08 * (1 - 2 * ((y + side) % 2))
    place = np.stack([y + push, x], axis=1) + rng.normal(0, noise, (len(y), 2))
    place = place @ np.array([[1.0, 0.02], [-0.01, 0.99]])
    kept = rng.random(len(y)) >= 0.02
    sites = neighbor_vectors(sites_from_positions(*place[kept].T, unit="nm"))
    return assign_lattice_indices(sites), np.stack([y, x], axis=1)[kept], side[kept]


@pytest.mark.parametrize("noise", [0.03, 0.05])
@pytest.mark.parametrize("course", list(WALLS))
def test_boundaries_of_any_course_are_within_one_cell(course: str, noise: float) -> None:
    sites, ideal, side = _alternating(course, noise, seed=1)
    found = find_doubling(sites, find_variants(sites).variants)
    # Middles of pairs of neighbors on the two sides are the planted boundary.
    pairs = cKDTree(ideal).query_pairs(1.1, output_type="ndarray")
    planted = ideal[pairs[side[pairs[:, 0]] != side[pairs[:, 1]]]].mean(axis=1)
    middle = ideal[found.boundaries["between"].values].mean(axis=1)
    assert np.mean(cKDTree(planted).query(middle)[0] <= 1) >= 0.95
    assert np.mean(cKDTree(middle).query(planted)[0] <= 1) >= 0.95


def test_evidence_of_each_cell_is_given_for_superlattices_only() -> None:
    sites = _alternating("oblique", 0.05, seed=2)[0]
    variants = find_variants(sites, averaging=3).variants
    assert variants["probability_of_cell"].sum("class").values == pytest.approx(1.0, abs=1e-5)
    single = find_variants(sites, averaging=1).variants
    assert single["probability_of_cell"].values == pytest.approx(single["probability"].values)


def _wall(n: int = 14) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    index = np.indices((n, n)).reshape(2, -1).T
    return index, (index[:, 1] >= n // 2).astype(np.int64)


def test_a_row_of_cells_that_are_unsure_together_follows_the_wall() -> None:
    index, true = _wall()
    label = true.copy()
    shown = np.where(np.stack([true == 0, true == 1], axis=1), 1.0, 1e-9)
    # Three cells beside the wall look a little like the other side, as by chance of noise.
    wrong = (index[:, 1] == 7) & (index[:, 0] >= 5) & (index[:, 0] < 8)
    label[wrong] = 0
    shown[wrong] = 0.8, 0.2
    grid = grid_of_cells(index, np.zeros(len(index), dtype=int))
    settled = settled_domains(grid, label, np.zeros(2, dtype=np.int64), shown)
    assert (settled == true).all()


def test_a_step_of_a_wall_that_cells_show_stays() -> None:
    index, true = _wall()
    true[(index[:, 1] == 7) & (index[:, 0] >= 5)] = 0
    shown = np.where(np.stack([true == 0, true == 1], axis=1), 1.0, 1e-9)
    grid = grid_of_cells(index, np.zeros(len(index), dtype=int))
    settled = settled_domains(grid, true, np.zeros(2, dtype=np.int64), shown)
    assert (settled == true).all()


def test_walls_go_on_through_vacancies() -> None:
    index, true = _wall()
    shown = np.where(np.stack([true == 0, true == 1], axis=1), 1.0, 1e-9)
    label = true.copy()
    unsure = (index[:, 1] == 7) & (index[:, 0] == 6)
    label[unsure] = 0
    shown[unsure] = 0.7, 0.3
    vacant = (index == [5, 7]).all(axis=1) | (index == [7, 7]).all(axis=1)
    vacant |= (index == [6, 8]).all(axis=1)
    grid = grid_of_cells(index[~vacant], np.zeros((~vacant).sum(), dtype=int))
    settled = settled_domains(grid, label[~vacant], np.zeros(2, dtype=np.int64), shown[~vacant])
    assert (settled == true[~vacant]).all()


def test_cells_change_to_domains_of_their_own_set_only() -> None:
    index, label = _wall(7)
    # One cell of another set amid the first.
    label[8] = 2
    grid = grid_of_cells(index, np.zeros(len(index), dtype=int))
    settled = settled_domains(grid, label, np.array([0, 0, 1]))
    assert settled[8] == 2


def test_labels_without_probabilities_are_outvoted_one_by_one() -> None:
    y, x = np.indices((16, 16)).reshape(2, -1)
    sites = sites_from_positions(y, x, unit="nm")
    sites["lattice_index"] = (("site", "direction"), np.stack([y, x], axis=1))
    sites["sublattice"] = sites["grain"] = ("site", np.zeros(256, int))
    label = (y + (x >= 8)) % 2
    label[100] = 1 - label[100]
    found = find_doubling(sites, xr.Dataset({"label": ("site", label)}))
    assert found.boundaries.sizes["site"] == 16
