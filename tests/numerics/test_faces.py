"""Bonds by angle, and faces of plane graphs."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.numerics.bonds import bonds_of_points
from adatom.numerics.faces import members_of_faces, trace_faces
from adatom.numerics.stars import relative_neighbors


def test_two_angles_an_edge_find_the_bonds_that_all_points_would() -> None:
    place = np.random.default_rng(0).random((250, 2))
    found = {tuple(pair) for pair in bonds_of_points(place).tolist()}
    asked = set()
    for one in range(len(place)):
        others = np.delete(np.arange(len(place)), one)
        for other in others[relative_neighbors(place[others] - place[one])]:
            asked.add((min(one, int(other)), max(one, int(other))))
    assert found == asked


def test_faces_obey_euler() -> None:
    place = np.random.default_rng(1).random((500, 2))
    bonds = bonds_of_points(place)
    faces = trace_faces(place, bonds)
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    graph = csr_array((np.ones(len(bonds)), bonds.T), shape=(len(place), len(place)))
    n_parts, part = connected_components(graph, directed=False)
    lone = n_parts - len(np.unique(part[bonds]))
    # Every part that has bonds has an outer face of its own: points - bonds + faces = 2 a part.
    assert len(place) - lone - len(bonds) + len(faces.size) == 2 * (n_parts - lone)
    assert (faces.area <= 0).sum() == n_parts - lone
    assert faces.size.sum() == 2 * len(bonds)
    assert faces.area.sum() == pytest.approx(0.0, abs=1e-12)


def test_members_follow_one_another_along_bonds() -> None:
    y, x = (part.ravel() for part in np.mgrid[:4.0, :4.0])
    place = np.stack([y, x], axis=1)
    bonds = bonds_of_points(place)
    faces = trace_faces(place, bonds)
    inner = np.flatnonzero(faces.area > 0)
    around = place[members_of_faces(faces, bonds, inner)]
    assert around.shape == (9, 4, 2)
    assert np.linalg.norm(around - np.roll(around, 1, axis=1), axis=2) == pytest.approx(1.0)


def test_no_bonds_make_no_faces() -> None:
    faces = trace_faces(np.zeros((3, 2)), np.zeros((0, 2), dtype=np.int64))
    assert len(faces.size) == len(faces.face) == 0


def test_areas_do_not_depend_on_the_origin() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    assert trace_faces(corners + 1e9, edges).area.tolist() == [1.0, -1.0]
