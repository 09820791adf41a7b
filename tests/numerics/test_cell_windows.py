"""Means over cells are those of loops over sites, with vacancies, edges and doubled cells."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.numerics.cell_windows import grid_of_cells, square_box


@pytest.mark.parametrize("characters", [[(0, 0)], [(0, 0), (1, 0)], [(0, 0), (1, 1)]])
def test_means_are_over_the_like_cells_of_the_same_group(
    characters: list[tuple[int, int]],
) -> None:
    rng = np.random.default_rng(0)
    index = np.argwhere(rng.random((9, 11)) < 0.8) - 4
    group = (index[:, 1] > 2).astype(np.int64)
    values = rng.normal(size=(len(index), 2))
    values[rng.random(values.shape) < 0.1] = np.nan
    means, counts = grid_of_cells(index, group).means(values, square_box(5), characters=characters)
    for s, place in enumerate(index):
        off = index - place
        near = (np.abs(off) <= 2).all(axis=1) & (group == group[s])
        for a, b in characters:
            near &= (off[:, 0] * a + off[:, 1] * b) % 2 == 0
        known = np.isfinite(values[near])
        np.testing.assert_array_equal(counts[s], known.sum(axis=0))
        for k in range(2):
            expected = values[near, k][known[:, k]].mean() if known[:, k].any() else np.nan
            assert means[s, k] == pytest.approx(expected, nan_ok=True)


def test_partners_stand_a_step_away_in_the_same_group() -> None:
    index = np.array([[0, 0], [0, 1], [2, 0], [0, 0], [0, 1], [5, 5]])
    group = np.array([0, 0, 0, 1, 1, -1])
    grid = grid_of_cells(index, group)
    np.testing.assert_array_equal(grid.partners((0, 1)), [1, -1, -1, 4, -1, -1])
    np.testing.assert_array_equal(grid.partners((-2, 0)), [-1, -1, 0, -1, -1, -1])
