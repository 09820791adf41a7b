"""Stars come from what sites have in common, slots hold the nearest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from adatom.numerics.neighbors import PointTree, spatial_order
from adatom.numerics.slots import fill_slots, room_in_box, room_in_mask
from adatom.numerics.stars import (
    capture_radii,
    find_stars,
    match_slots,
    relative_neighbors,
)

SQUARE = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])


def lattice_vectors(a: tuple[float, float], b: tuple[float, float]) -> NDArray[np.float64]:
    i, j = np.mgrid[-3:4, -3:4]
    vectors = i.reshape(-1, 1) * np.array(a) + j.reshape(-1, 1) * np.array(b)
    return np.asarray(vectors[(vectors != 0).any(axis=1)])


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        ((1, 0), (0, 1), 4),
        ((1, 0), (0, 1.5), 4),
        ((1, 0), (0, 3.5), 4),
        ((1, 0), (0.5, np.sqrt(3) / 2), 6),
        ((1.03, 0), (0.5, np.sqrt(3) / 2), 6),
        ((1, 0), (np.cos(np.radians(78)), np.sin(np.radians(78))), 4),
        ((1, 0), (np.cos(np.radians(72)), np.sin(np.radians(72))), 6),
    ],
)
def test_bonds_of_a_lattice_are_counted_without_a_scale(
    a: tuple[float, float], b: tuple[float, float], n: int
) -> None:
    for scale in (1.0, 1e-3):
        assert relative_neighbors(scale * lattice_vectors(a, b)).sum() == n


@given(
    st.lists(
        st.tuples(st.floats(-2, 2), st.floats(-2, 2)).filter(lambda v: np.hypot(*v) > 0.1),
        min_size=2,
        max_size=8,
        unique=True,
    )
)
def test_discs_of_capture_do_not_overlap(slots: list[tuple[float, float]]) -> None:
    star = np.array(slots)
    radius = capture_radii(star)
    apart = np.linalg.norm(star[:, None] - star[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (radius[:, None] + radius[None] <= apart + 1e-12).all()


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_nearest_in_each_disc_is_the_optimal_assignment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    star = rng.normal(0, 1, (rng.integers(2, 7), 2))
    vectors = rng.normal(0, 1, (rng.integers(1, 9), 2))
    radius = capture_radii(star)
    deviation, cost = match_slots(vectors[None], star)
    # A dummy for every slot costs r^2; costs in units of the radius are those of `match_slots`.
    squared = ((vectors[None] - star[:, None]) ** 2).sum(axis=2)
    dummies = np.where(np.eye(len(star), dtype=bool), radius[:, None] ** 2, 1e9)
    slot, column = linear_sum_assignment(np.concatenate([squared, dummies], axis=1))
    filled = column < len(vectors)
    assert np.array_equal(np.isfinite(deviation[0, slot, 0]), filled)
    assert np.allclose(deviation[0, slot[filled]], vectors[column[filled]] - star[slot[filled]])
    expected = np.where(filled, squared[slot, np.where(filled, column, 0)] / radius**2, 1.0)
    assert cost[0] == pytest.approx(expected.mean())


def test_a_star_is_the_mean_of_the_vectors_that_fill_it() -> None:
    rng = np.random.default_rng(0)
    diagonals = SQUARE + np.roll(SQUARE, 1, axis=0)
    shells = np.concatenate([SQUARE, diagonals, 2 * SQUARE])
    vectors = shells + rng.normal(0, 0.1, (400, *shells.shape))
    search = find_stars(vectors)
    assert (search.n_bonds, search.share) == (4, 1.0)
    # Discs of 0.6 cut what is beyond six sigma only.
    assert np.allclose(search.stars[0], vectors[:, :4].mean(axis=0), atol=1e-9)
    assert search.contrast > 2


def test_no_vectors_give_no_star() -> None:
    search = find_stars(np.full((5, 16, 2), np.nan))
    assert len(search.stars) == 0


def test_the_next_shell_does_not_fill_a_vacant_slot() -> None:
    # The slot at (0, 1) is vacant, the atom of (1, 1) is displaced into its disc.
    points = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, -1.0], [0.55, 1.05]])
    further = (np.array([[1.0, 1.0], [-1.0, 1.0]]),)
    tree = PointTree(points)
    plain = fill_slots(points[:1], None, tree, SQUARE[None], (np.zeros((0, 2)),))
    kept = fill_slots(points[:1], None, tree, SQUARE[None], further)
    assert plain.point[0].tolist() == [4, 1, 3, 2]
    assert kept.point[0].tolist() == [-1, 1, 3, 2]


def test_a_displaced_neighbor_keeps_its_slot_beside_the_next_shell() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, -1.0], [0.55, 1.05], [1.0, 1.0]])
    further = (np.array([[1.0, 1.0], [-1.0, 1.0]]),)
    slots = fill_slots(points[:1], None, PointTree(points), SQUARE[None], further)
    assert slots.point[0].tolist() == [4, 1, 3, 2]


def test_points_of_other_frames_are_never_near() -> None:
    rng = np.random.default_rng(0)
    points, frame = rng.uniform(0, 5, (60, 2)), np.repeat([3, 10, 11], 20)
    index = PointTree(points, frame).nearest(points, frame, k=25)
    assert ((index >= 0).sum(axis=1) == 20).all()
    own = frame[np.maximum(index, 0)] == frame[:, None]
    assert own[index >= 0].all()
    unknown = PointTree(points, frame).nearest(points[:2], np.array([5, 99]))
    assert (unknown == -1).all()


def test_the_spatial_order_does_not_depend_on_the_order_given() -> None:
    rng = np.random.default_rng(1)
    points = np.stack(np.meshgrid(np.arange(30.0), np.arange(40.0)), -1).reshape(-1, 2)
    frame = rng.integers(0, 3, len(points))
    shuffled = rng.permutation(len(points))
    first, second = (
        points[spatial_order(points, frame)],
        shuffled[spatial_order(points[shuffled], frame[shuffled])],
    )
    assert np.array_equal(first, points[second])


def test_room_is_the_distance_to_what_was_not_seen() -> None:
    places = np.array([[1.0, 2.0], [-1.0, 5.0], [5.0, 9.5]])
    room = room_in_box(places, np.zeros(2), np.array([10.0, 10.0]))
    assert room.tolist() == [1.0, -1.0, 0.5]
    mask = np.ones((10, 10), dtype=bool)
    mask[5, 5] = False
    room = room_in_mask(
        np.array([[2.5, 2.5], [2.5, 1.0], [9.0, 0.0]]), mask, np.zeros(2), np.array([0.5, 0.5])
    )
    assert room.tolist() == [0.0, 1.5, -1.0]
