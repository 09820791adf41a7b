"""Lattice indices, sublattices and grains of planted crystals."""

from __future__ import annotations

import numpy as np
import pytest
from planted_crystals import (
    CRYSTALS,
    Planted,
    bicrystal,
    planted,
    turn,
    with_neighbors,
    wrong_indices,
)

from adatom.crystallography import assign_lattice_indices
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError
from adatom.schema import Sites, notes, sites_from_positions


def _agreeing(found: Sites, truth: Planted) -> bool:
    """Tell whether sublattices are those of the truth, by other numbers."""
    known = found["grain"].values >= 0
    pairs = np.unique(
        np.column_stack([found["sublattice"].values, truth.sublattice])[known], axis=0
    )
    return len(pairs) == len(np.unique(truth.sublattice))


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("name", CRYSTALS)
def test_every_site_of_a_crystal_with_vacancies_and_a_hole_has_its_cell(
    name: str, noise: float
) -> None:
    truth = planted(name, angle=7.0).with_vacancies(0.05, 1)
    truth = truth.those(np.hypot(*(truth.place - [4.0, 0.0]).T) > 3.0).noisy(noise, 2)
    found = assign_lattice_indices(with_neighbors(truth))
    known = found["grain"].values == 0
    # What stands alone at a corner or beside vacancies may have no neighbor that says where.
    assert known.mean() > 0.98
    assert wrong_indices(found, truth, known) == 0
    assert _agreeing(found, truth)
    assert set(found["grain"].values) <= {0, -1}


def test_no_two_sites_of_a_sublattice_share_a_cell() -> None:
    truth, _ = bicrystal("square", 8.0, 0.03, 0)
    found = assign_lattice_indices(with_neighbors(truth))
    known = found["grain"].values >= 0
    keys = np.column_stack([found["grain"], found["sublattice"], found["lattice_index"].values])[
        known
    ]
    assert len(np.unique(keys, axis=0)) == len(keys)


@pytest.mark.parametrize("name", ["square", "honeycomb"])
def test_drift_bends_rows_and_changes_no_index(name: str) -> None:
    truth = planted(name, half_width=20.0, angle=5.0)
    y, x = truth.place.T
    # Over the frame rows shift by three distances, and the scale changes by a tenth.
    bent = np.stack([y * (1 + 0.001 * y), x + 0.003 * y**2 + 0.05 * y], axis=1)
    truth = truth._replace(place=bent).noisy(0.03, 1)
    found = assign_lattice_indices(with_neighbors(truth))
    known = found["grain"].values == 0
    assert known.mean() > 0.99
    assert wrong_indices(found, truth, known) == 0


def test_indices_do_not_depend_on_the_order_of_the_sites() -> None:
    truth = planted("hexagonal").noisy(0.05, 3)
    found = assign_lattice_indices(with_neighbors(truth))
    order = np.random.default_rng(1).permutation(len(truth.place))
    again = assign_lattice_indices(with_neighbors(truth.those(order)))
    assert (again["lattice_index"].values == found["lattice_index"].values[order]).all()


def test_displaced_domains_and_their_walls_are_one_lattice() -> None:
    # Both kinds of columns: the second displaced by 0.15 along +x, then -x.
    y, x = (part.ravel() for part in np.mgrid[:24.0, :24.0])
    shift = np.where(x < 12, 0.15, -0.15)
    place = np.concatenate([np.stack([y, x], axis=1), np.stack([y + 0.5, x + 0.5 + shift], axis=1)])
    cell = np.tile(np.stack([y, x], axis=1).astype(int), (2, 1))
    truth = Planted(place, cell, np.repeat([0, 1], len(y))).noisy(0.02, 1)
    sites = sites_from_positions(*truth.place.T, unit="nm")
    sites["sublattice"] = ("site", truth.sublattice)
    found = assign_lattice_indices(neighbor_vectors(sites))
    assert (found["grain"].values == 0).all()
    assert (found["sublattice"].values == truth.sublattice).all()
    assert wrong_indices(found, truth, np.ones(len(place), dtype=bool)) == 0
    assert np.allclose(np.abs(np.linalg.det(found.attrs["lattice_vectors"])), 1.0, atol=0.01)


def test_across_an_antiphase_boundary_cells_go_on() -> None:
    y, x = (part.ravel().astype(int) for part in np.mgrid[:20, :20])
    kind = (y + x + (x >= 10)) % 2
    sites = sites_from_positions(y, x, unit="nm")
    sites["sublattice"] = ("site", kind)
    found = assign_lattice_indices(neighbor_vectors(sites))
    assert (found["grain"].values == 0).all()
    # Cells of two sites: the place says which sublattice; beyond the wall it is the other one.
    assert abs(np.linalg.det(found.attrs["lattice_vectors"][0])) == pytest.approx(2.0)
    same = found["sublattice"].values == kind
    assert same[x < 10].all() != same[x >= 10].any()


def test_kinds_at_random_make_no_larger_cell() -> None:
    truth = planted("square")
    sites = sites_from_positions(*truth.place.T, unit="nm")
    sites["sublattice"] = ("site", np.random.default_rng(0).integers(0, 2, len(truth.place)))
    found = assign_lattice_indices(neighbor_vectors(sites))
    assert (found["sublattice"].values == 0).all()


@pytest.mark.parametrize("angle", [5.0, 8.0, 12.0, 20.0, 28.0])
@pytest.mark.parametrize("name", ["square", "hexagonal", "honeycomb"])
def test_two_grains_are_told_apart_from_five_degrees_on(name: str, angle: float) -> None:
    truth, side = bicrystal(name, angle, 0.03, 0)
    grain = assign_lattice_indices(with_neighbors(truth))["grain"].values
    first, second = (np.bincount(grain[side == s] + 1, minlength=3) for s in (0, 1))
    assert sorted([int(first.argmax()), int(second.argmax())]) == [1, 2]
    assert first.max() > 0.995 * first.sum()
    assert second.max() > 0.995 * second.sum()


@pytest.mark.parametrize("ratio", [1.02, 1.1])
def test_a_ferroelastic_wall_through_which_the_lattice_goes_on_parts_no_grains(
    ratio: float,
) -> None:
    # Two tetragonal variants share the diagonal, mirrored in it: the twin law.
    i, j = (part.ravel() for part in np.mgrid[-15:16, -15:16])
    vectors = np.array([[ratio, 0.0], [0.0, 1.0]])
    shared = vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0))
    mirror = 2 * np.outer(shared, shared) - np.eye(2)
    place = np.stack([i, j], axis=1) @ vectors
    # Beyond the diagonal i = j the cell is the mirror image, with i and j exchanged.
    mirrored = np.stack([j, i], axis=1) @ vectors @ mirror
    place = np.where((i > j)[:, None], mirrored, place)
    truth = Planted(place, np.stack([i, j], axis=1), np.zeros(len(i), dtype=int)).noisy(0.02, 0)
    found = assign_lattice_indices(with_neighbors(truth))
    assert (found["grain"].values == 0).mean() > 0.995
    assert wrong_indices(found, truth, found["grain"].values == 0) == 0


def test_the_indices_go_on_through_a_coherent_growth_twin() -> None:
    # A face-centered crystal along [110], in nearest distances: rows of the twin plane along x are
    # shifted by a third from layer to layer, on the other side the other way.
    i, j = (part.ravel() for part in np.mgrid[-14:15, -14:15])
    place = np.stack([np.sqrt(8) / 3 * i, j + np.abs(i) / 3], axis=1)
    # Of the two shears that make the twin, the lesser one: a third of a distance a layer.
    cell = np.stack([i, j + np.maximum(-i, 0)], axis=1)
    truth = Planted(place, cell, np.zeros(len(i), dtype=int)).noisy(0.02, 0)
    found = assign_lattice_indices(with_neighbors(truth))
    known = found["grain"].values == 0
    assert known.mean() > 0.99
    assert wrong_indices(found, truth, known) == 0


def test_frames_are_indexed_one_by_one() -> None:
    truth = planted("square", half_width=6.0)
    y, x = np.concatenate([truth.place, truth.place @ turn(30.0)]).T
    frame = np.repeat([3, 9], len(truth.place))
    sites = neighbor_vectors(sites_from_positions(y, x, unit="nm", frame=frame))
    grain = assign_lattice_indices(sites)["grain"].values
    assert set(grain[frame == 3]).isdisjoint(set(grain[frame == 9]))


def test_what_is_told_names_the_cell() -> None:
    found = assign_lattice_indices(with_neighbors(planted("honeycomb")))
    assert "2 sublattices" in notes(found)[-1]
    assert "|i| = 1.732 nm, |j| = 1.732 nm, 60 deg" in notes(found)[-1]


def test_neighbors_that_are_no_longer_true_are_refused() -> None:
    sites = with_neighbors(planted("square", half_width=6.0))
    with pytest.raises(KindError, match="selected or moved since"):
        assign_lattice_indices(sites.isel(site=slice(10, None)))
    with pytest.raises(KindError, match=r"run descriptors\.neighbor_vectors"):
        assign_lattice_indices(sites.drop_vars("neighbor_index"))


def test_neighbors_among_other_sites_are_refused() -> None:
    truth = planted("square", half_width=6.0)
    sites = sites_from_positions(*truth.place.T, unit="nm")
    others = sites_from_positions(*(truth.place + 0.5).T, unit="nm")
    with pytest.raises(KindError, match="among other sites"):
        assign_lattice_indices(neighbor_vectors(sites, others))
