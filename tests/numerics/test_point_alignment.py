"""Labeled points laid over turned, mirrored, shifted and incomplete copies of themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adatom.numerics.point_alignment import align_points

QUERY = np.array([[0.0, 0.0], [0.0, 1.2], [1.0, -0.6], [-1.1, -0.5], [0.9, 1.9]])
LABEL = np.array([1, 0, 0, 0, 0])
PENALTY = 0.5


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Turn from +x towards +y; axis y, x."""
    y, x = points.T
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([sin * x + cos * y, cos * x - sin * y], axis=1)


@settings(deadline=None, max_examples=40)
@given(angle=st.floats(0, 6.28), mirror=st.booleans(), seed=st.integers(0, 99))
def test_a_copy_is_found_however_it_lies(angle: float, mirror: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(QUERY))
    points = QUERY * [1, -1] if mirror else QUERY
    copy = (turned(points, angle) + rng.normal(size=2))[order]
    found = align_points(QUERY, LABEL, copy[None], LABEL[order][None], penalty=PENALTY)
    assert found.rmsd[0] == pytest.approx(0, abs=1e-7)
    assert (found.n_pairs[0], found.n_alone[0]) == (5, 0)
    assert found.mirrored[0] == mirror
    assert np.exp(1j * found.angle[0]) == pytest.approx(np.exp(1j * angle), abs=1e-6)


def test_a_known_displacement_is_the_distance() -> None:
    # Two like points drawn apart by 0.1 each, about their middle.
    query = np.array([[0.0, -1.0], [0.0, 1.0]])
    apart = np.array([[[0.0, -1.1], [0.0, 1.1]]])
    label = np.zeros(2, dtype=np.int64)
    found = align_points(query, label, apart, label[None], penalty=PENALTY)
    assert found.rmsd[0] == pytest.approx(0.1)


def test_only_like_labels_are_paired() -> None:
    other = np.array([[2, 0, 0, 0, 0]])
    found = align_points(QUERY, LABEL, QUERY[None], other, penalty=PENALTY)
    # The first of either has no partner: two of six count the penalty.
    assert (found.n_pairs[0], found.n_alone[0]) == (4, 2)
    assert found.rmsd[0] == pytest.approx(PENALTY * np.sqrt(2 / 6))


def test_candidates_of_several_sizes_are_compared_each_for_itself() -> None:
    padded = np.stack([QUERY, QUERY])
    label = np.stack([LABEL, LABEL])
    label[1, 4] = -1
    padded[1, 4] = 77.0
    both = align_points(QUERY, LABEL, padded, label, penalty=PENALTY)
    alone = align_points(QUERY, LABEL, padded[1:, :4], label[1:, :4], penalty=PENALTY)
    assert both.n_alone.tolist() == [0, 1]
    assert both.rmsd[1] == pytest.approx(alone.rmsd[0])
    assert both.rmsd[1] == pytest.approx(PENALTY * np.sqrt(1 / 5), abs=1e-6)


def test_no_candidates_give_nothing() -> None:
    none = np.zeros((0, 5, 2))
    found = align_points(QUERY, LABEL, none, np.zeros((0, 5), dtype=np.int64), penalty=PENALTY)
    assert [len(column) for column in found] == [0] * 5
