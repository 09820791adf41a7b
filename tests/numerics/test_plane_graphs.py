"""Keys of graphs drawn in the plane: equal for equal drawings, different for others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from adatom.numerics.plane_graphs import key_of_graph

# A silicon with three carbons, one of which has two more atoms in a row.
PLACES = np.array([[0.0, 0.0], [0.0, 1.0], [0.9, -0.5], [-0.9, -0.5], [0.7, 1.8], [1.6, 1.6]])
SPECIES = ["Si", "C", "C", "C", "N", "C"]
EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 4], [4, 5]])


def ring(size: int, center: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.arange(size) / size
    return np.stack([np.sin(angle), np.cos(angle)], axis=1) + center


def edges_of_ring(size: int, first: int = 0) -> NDArray[np.int64]:
    k = np.arange(size)
    return np.stack([k, (k + 1) % size], axis=1) + first


@given(angle=st.floats(0, 2 * np.pi), seed=st.integers(0, 999))
def test_turned_shifted_and_renumbered_drawings_have_one_key(angle: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(PLACES))
    number = np.argsort(order)
    cos, sin = np.cos(angle), np.sin(angle)
    turned = PLACES @ np.array([[cos, -sin], [sin, cos]]) + rng.normal(size=2)
    edges = rng.permutation(number[EDGES])
    edges = np.where(rng.random(len(edges))[:, None] < 0.5, edges, edges[:, ::-1])
    key = key_of_graph(turned[order], [SPECIES[k] for k in order], edges)
    assert key == key_of_graph(PLACES, SPECIES, EDGES)


def test_a_mirror_image_has_the_same_key_and_the_other_hand() -> None:
    # The three branches differ, so that their sense around Si tells the hands apart.
    places = np.vstack([PLACES, [1.8, -0.4]])
    edges = np.vstack([EDGES, [2, 6]])
    species = [*SPECIES, "O"]
    one = key_of_graph(places, species, edges)
    other = key_of_graph(places * [1, -1], species, edges)
    assert one.key == other.key
    assert one.chirality == -other.chirality != 0


def test_a_drawing_that_is_its_own_mirror_image_has_no_hand() -> None:
    assert key_of_graph(PLACES[:4], SPECIES[:4], EDGES[:3]).chirality == 0


def test_two_triangles_are_not_a_hexagon() -> None:
    """A Weisfeiler-Lehman hash is equal for these: every atom has two neighbors like itself."""
    two = key_of_graph(
        np.vstack([ring(3), ring(3, (5.0, 0.0))]),
        ["C"] * 6,
        np.vstack([edges_of_ring(3), edges_of_ring(3, 3)]),
    )
    assert two.key != key_of_graph(ring(6), ["C"] * 6, edges_of_ring(6)).key


@pytest.mark.parametrize("change", ["species", "bond"])
def test_another_element_or_bond_is_another_class(change: str) -> None:
    species, edges = list(SPECIES), EDGES
    if change == "species":
        species[3] = "N"
    else:
        edges = np.vstack([EDGES, [2, 3]])
    assert key_of_graph(PLACES, species, edges).key != key_of_graph(PLACES, SPECIES, EDGES).key


def test_atoms_without_bonds_have_a_key() -> None:
    none = np.zeros((0, 2), dtype=np.int64)
    one, two = (key_of_graph(PLACES[:n], ["Si"] * n, none).key for n in (1, 2))
    assert one != two
