"""Groups of the plane act on stars as they should, and strained stars find their parent."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.point_groups import (
    POINT_GROUPS,
    action,
    group_matrices,
    group_of_matrices,
    symmetric_star,
)


def _polygon(n: int, turned: float = 0.3) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.arange(n) / n + turned
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


@pytest.mark.parametrize("group", POINT_GROUPS)
def test_matrices_of_a_group_are_closed(group: str) -> None:
    matrices = group_matrices(group, 0.2)
    assert group_of_matrices(matrices) == group
    for a in matrices:
        for b in matrices:
            assert min(np.abs(a @ b - c).max() for c in matrices) < 1e-12


@pytest.mark.parametrize(("n", "group"), [(3, "C3v"), (4, "C4v"), (6, "C6v")])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_a_strained_and_displaced_star_has_its_parent(n: int, group: str, shift: float) -> None:
    strain = np.array([[1.03, 0.02], [0.02, 0.98]])
    found = symmetric_star(_polygon(n) @ strain.T + [shift, -shift / 2])
    assert found is not None
    assert found.group == group
    np.testing.assert_allclose(np.ptp(np.linalg.norm(found.slots, axis=1)), 0, atol=1e-9)


@pytest.mark.parametrize(("ratio", "group"), [(1.06, "C4v"), (1.41, "C2v")])
def test_the_parent_depends_on_the_ratio_of_axes(ratio: float, group: str) -> None:
    found = symmetric_star(np.array([[0, 1], [ratio, 0], [0, -1], [-ratio, 0]]))
    assert found is not None
    assert found.group == group


def test_a_star_has_not_any_symmetry() -> None:
    assert symmetric_star(_polygon(4), "C6v") is None


def test_actions_multiply_as_their_operations() -> None:
    star = symmetric_star(_polygon(4))
    assert star is not None
    for a in star.operations:
        moved = star.slots @ a.matrix.T
        np.testing.assert_allclose(moved, star.slots[a.slot], atol=1e-9)
        for b in star.operations:
            product = action(a) @ action(b)
            assert min(np.abs(product - action(c)).max() for c in star.operations) < 1e-9
