"""Outlines run around what points fill."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.numerics.alpha_shapes import outlines_of_points

GRID = np.stack(np.meshgrid(np.arange(8.0), np.arange(9.0), indexing="ij"), axis=-1).reshape(-1, 2)


def test_a_hole_is_negative_and_follows_its_outer_outline() -> None:
    hole = np.linalg.norm(GRID - [3.5, 4.0], axis=1) < 1.6
    outer, inner = outlines_of_points(GRID[~hole], radius=0.8)
    assert outer.area == pytest.approx(7 * 8)
    assert inner.area < 0
    assert outer.part == inner.part == 0


def test_two_parts_that_touch_at_a_point_have_an_outline_that_passes_it_twice() -> None:
    right = np.array([[0.0, 0.0], [0.5, np.sqrt(0.75)], [-0.5, np.sqrt(0.75)]])
    touching = np.concatenate([right, -right[1:]])
    outlines = outlines_of_points(touching, radius=0.7)
    passed = np.concatenate([outline.points for outline in outlines])
    assert (passed == 0).sum() == 2
    assert sum(outline.area for outline in outlines) == pytest.approx(2 * np.sqrt(3) / 4)


def test_points_on_a_line_and_few_points_fill_nothing() -> None:
    assert outlines_of_points(np.zeros((2, 2)), radius=1.0) == []
    assert outlines_of_points(np.column_stack([np.arange(9.0)] * 2), radius=1.0) == []
