"""Cells in the middle of a wall are of its sides; a phase between two others stays one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.crystallography.components import squared_distances
from adatom.crystallography.wall_cells import find_wall_cells
from adatom.numerics.cell_windows import grid_of_cells

# Two opposite variants and what stands between them, in units of the displacement.
_OPPOSITE = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
_PARENT = 2
_SIZE = 24
_NOISE = 0.1


class _Found(NamedTuple):
    """Nearest classes of cells, classes once walls are parted, and what was measured."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    told: NDArray[np.float64]


def _relabeled(
    profile: NDArray[np.float64], known: NDArray[np.float64] = _OPPOSITE, *, seed: int = 0
) -> _Found:
    """Label cells (i, j) of which the first feature follows a profile, and noise is known."""
    index = np.indices(profile.shape).reshape(2, -1).T
    rng = np.random.default_rng(seed)
    flat = rng.normal(0, _NOISE, (profile.size, 3))
    flat[:, 0] += profile.ravel()
    whitening = np.eye(3) / _NOISE
    label = squared_distances(flat @ whitening.T, known @ whitening.T).argmin(axis=1)
    grid = grid_of_cells(index, np.zeros(len(index), dtype=np.int64))
    rows, sides, part = find_wall_cells(label, flat, known, whitening, grid)
    new = label.copy()
    new[rows] = np.where(part > 0.5, sides[:, 1], sides[:, 0])
    told = flat[:, 0].reshape(profile.shape)
    return _Found(label.reshape(profile.shape), new.reshape(profile.shape), told)


def _depth(angle: float, offset: float) -> NDArray[np.float64]:
    i, j = np.indices((_SIZE, _SIZE)) - (_SIZE - 1) / 2
    depth = np.cos(np.radians(angle)) * i + np.sin(np.radians(angle)) * j + offset
    return np.asarray(depth)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 70.0, 135.0])
def test_cells_of_a_wall_are_of_the_side_on_which_they_stand(angle: float, width: float) -> None:
    wrong, least, n_parent = 0, 0, 0
    # Where a wall leaves through a corner, one side of it is not seen.
    inner = np.pad(np.ones((_SIZE - 6, _SIZE - 6), dtype=bool), 3)
    for seed in range(20):
        depth = _depth(angle, np.random.default_rng(seed).uniform(-0.5, 0.5))
        found = _relabeled(np.tanh(depth / width), seed=seed)
        wrong += int((found.after != (depth < 0))[inner].sum())
        # By the sign of each cell's own displacement, which is as well as can be.
        least += int(((found.told < 0) != (depth < 0))[inner].sum())
        n_parent += int((found.before == _PARENT)[inner].sum())
    assert n_parent > 10 * 20
    assert wrong <= least + n_parent / 20


@pytest.mark.parametrize("thickness", [2, 3, 4])
def test_a_flat_layer_between_opposite_variants_stays_a_phase(thickness: int) -> None:
    depth = _depth(0.0, 0.5 * (thickness % 2))
    profile = np.where(np.abs(depth) < thickness / 2, 0.0, np.sign(depth))
    layer = profile == 0
    assert layer.sum() == thickness * _SIZE
    kept = [(_relabeled(profile, seed=seed).after[layer] == _PARENT).mean() for seed in range(20)]
    # Noise makes the ends of two cells differ by as much as in half a wall once in 25 times.
    assert np.mean(kept) > 0.95


def test_a_thin_phase_beside_one_variant_stays() -> None:
    depth = _depth(0.0, 0.0)
    for profile in (
        np.where(depth < -_SIZE / 2 + 2, 0.0, 1.0),  # at the edge of the crystal
        np.where(np.abs(depth) < 1, 0.0, 1.0),  # within one variant
    ):
        found = _relabeled(profile)
        assert (found.after == found.before).all()


def test_a_strained_layer_one_cell_thick_is_no_wall() -> None:
    # The phase differs by half a displacement in what the variants have in common.
    known = _OPPOSITE + np.array([[0, 0, 0], [0, 0, 0], [0, 0.5, 0]])
    depth = _depth(0.0, 0.5)
    profile = np.where(np.abs(depth) < 0.5, 0.0, np.sign(depth))
    index = np.indices(profile.shape).reshape(2, -1).T
    flat = np.random.default_rng(0).normal(0, _NOISE, (profile.size, 3))
    flat[:, 0] += profile.ravel()
    flat[profile.ravel() == 0, 1] += 0.5
    label = squared_distances(flat, known).argmin(axis=1)
    grid = grid_of_cells(index, np.zeros(len(index), dtype=np.int64))
    rows, _, _ = find_wall_cells(label, flat, known, np.eye(3) / _NOISE, grid)
    assert (label == _PARENT).sum() == _SIZE
    assert len(rows) <= 1
    # The way through a wall is off that phase, and told as a wall.
    found = _relabeled(np.tanh(_depth(0.0, 0.5)), known)
    assert (found.before == _PARENT).sum() > _SIZE / 3
    assert (found.after != _PARENT).all()


def test_ways_between_neighboring_variants_pass_no_parent() -> None:
    known = np.array([[1.0, 1, 0], [1, -1, 0], [-1, -1, 0], [-1, 1, 0], [0, 0, 0]])
    index = np.indices((9, 9)).reshape(2, -1).T
    label = np.where(index[:, 0] < 4, 0, np.where(index[:, 0] > 4, 1, 4))
    grid = grid_of_cells(index, np.zeros(len(index), dtype=np.int64))
    rows, _, _ = find_wall_cells(label, known[label], known, np.eye(3) / _NOISE, grid)
    assert not len(rows)
