"""Whether points repeat: lattices of any cell do, points packed at random do not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.repetition import repetition

Points = NDArray[np.float64]
SIDE = 12.0


def order(points: Points, side: float = SIDE) -> float:
    """Judge points in a square, in spacings."""
    return repetition(
        points,
        spacing=1.0,
        tolerance=0.2,
        within=lambda places: np.asarray(((places >= 0) & (places <= side)).all(axis=-1)),
    )


def lattice(
    basis: Points, cell: Points, *, seed: int, noise: float = 0.05, side: float = SIDE
) -> Points:
    """Fill a square with a lattice turned by a random angle."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    index = np.stack(np.meshgrid(*[np.arange(-30, 31)] * 2, indexing="ij"), -1).reshape(-1, 1, 2)
    places = ((index + basis) @ cell).reshape(-1, 2) @ turn + side / 2
    places += noise * rng.normal(size=places.shape)
    return np.asarray(places[((places >= 0) & (places <= side)).all(axis=1)])


def packed(seed: int, *, side: float = SIDE, apart: float = 0.85) -> Points:
    """Throw points until no more have room, as the atoms of a film."""
    rng = np.random.default_rng(seed)
    kept: list[Points] = []
    for place in rng.uniform(0, side, (int(4 * side**2), 2)):
        if not kept or (((np.array(kept) - place) ** 2).sum(axis=1) >= apart**2).all():
            kept.append(place)
    return np.array(kept)


def random_cell(seed: int) -> Points:
    """Draw the places of eight atoms in a cell of 3.3 spacings, none nearer than 0.9 to another."""
    rng = np.random.default_rng(seed)
    kept: list[Points] = []
    while len(kept) < 8:
        place = rng.uniform(0, 1, 2)
        gaps = [3.3 * np.hypot(*((place - other + 0.5) % 1 - 0.5)) for other in kept]
        if min(gaps, default=1.0) >= 0.9:
            kept.append(place)
    return np.array(kept)


@pytest.mark.parametrize("seed", range(5))
def test_plain_lattices_repeat_surely(seed: int) -> None:
    square, hexagonal = np.eye(2), np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    for cell in (square, hexagonal):
        assert order(lattice(np.zeros((1, 2)), cell, seed=seed)) > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_cells_of_many_atoms_repeat_though_no_neighborhood_does(seed: int) -> None:
    points = lattice(random_cell(seed), 3.3 * np.eye(2), seed=seed, noise=0.03)
    assert order(points) > 0.5


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("side", [5.0, 12.0, 25.0])
def test_points_packed_at_random_do_not_repeat(seed: int, side: float) -> None:
    assert order(packed(seed, side=side), side) < 0.1


def test_a_lattice_in_islands_is_judged_by_where_it_is() -> None:
    def islands(places: Points) -> NDArray[np.bool_]:
        tile = np.floor(places / 3).astype(int)
        return np.asarray(
            ((places >= 0) & (places <= SIDE)).all(axis=-1) & (tile.sum(axis=-1) % 2 == 0)
        )

    whole = lattice(np.zeros((1, 2)), np.eye(2), seed=1)
    parts = whole[islands(whole)]
    told = repetition(parts, spacing=1.0, tolerance=0.2, within=islands)
    assert told > 0.9
    assert order(parts) < 0.75 * told


@pytest.mark.parametrize("seed", range(5))
def test_points_strung_along_stripes_repeat_less_than_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        np.stack([np.full(12, float(row)), np.cumsum(rng.uniform(0.7, 1.3, 12)) - 0.5], axis=1)
        for row in range(12)
    ]
    assert order(np.concatenate(rows)) < 0.5


def test_few_points_are_not_judged() -> None:
    assert np.isnan(order(np.random.default_rng(0).uniform(0, SIDE, (6, 2))))


def test_the_same_points_give_the_same_bits() -> None:
    points = packed(3, side=25.0)
    assert order(points, 25.0) == order(points.copy(), 25.0)


def test_a_crowd_in_a_corner_takes_no_more_memory_than_the_same_number_elsewhere() -> None:
    crowd = lattice(np.zeros((1, 2)), np.eye(2), seed=1, side=40.0)
    stray = np.array([[0.0, 2000.0], [2000.0, 0.0], [2000.0, 2000.0]])
    tracemalloc.start()
    judged = order(np.concatenate([crowd, stray]), 2001.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert judged > 0.5
    # All pairs of 1,600 points alone would take 40 MB.
    assert peak < 20e6
