"""Sites to maps and back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.heatmaps import maps_from_positions, positions_from_maps


def scattered(seed: int, *, apart: float, size: int = 128) -> NDArray[np.float64]:
    """Draw positions that keep apart."""
    rng = np.random.default_rng(seed)
    kept: list[NDArray[np.float64]] = []
    for place in rng.uniform(3, size - 4, (4000, 2)):
        if all(np.hypot(*(place - other)) >= apart for other in kept):
            kept.append(place)
    return np.array(kept)


@pytest.mark.parametrize("apart", [6.0, 9.0, 14.0])
def test_sites_as_near_as_networks_are_made_for_come_back_exactly(apart: float) -> None:
    truth = scattered(1, apart=apart)
    maps = maps_from_positions(truth, (128, 128))
    found = positions_from_maps(maps.center, maps.offset)
    assert len(found.position) == len(truth)
    order = [int(np.hypot(*(found.position - place).T).argmin()) for place in truth]
    np.testing.assert_allclose(found.position[order], truth, atol=1e-5)


def test_a_cell_between_two_sites_belongs_to_the_nearer_one() -> None:
    # Cell (4, 5) is centered at (8.5, 10.5): 1 px from the second, 2 px from the first site.
    maps = maps_from_positions(
        np.array([[8.5, 8.5], [8.5, 11.5]]), (32, 32), number=np.array([3, 7])
    )
    assert maps.number[4, 5] == 7
    assert maps.offset[:, 4, 5].tolist() == [0.0, 0.5]


def test_where_there_is_no_site_there_is_no_class() -> None:
    maps = maps_from_positions(np.empty((0, 2)), (32, 48))
    assert maps.center.shape == (16, 24)
    assert not maps.center.any()
    assert (maps.number == -1).all()
    assert len(positions_from_maps(maps.center, maps.offset).position) == 0


def test_sites_beyond_the_frame_count_where_they_reach_in() -> None:
    maps = maps_from_positions(np.array([[-1.0, 15.0], [40.0, 15.0]]), (32, 32))
    assert maps.center[0].sum() > 0
    assert maps.center[1:].sum() == 0
    assert maps.offset[0, 0, 7] == pytest.approx(-0.75)


def test_cells_that_point_elsewhere_do_not_move_a_site() -> None:
    maps = maps_from_positions(np.array([[16.5, 16.5]]), (32, 32))
    maps.offset[:, 8, 9] = 5.0
    found = positions_from_maps(maps.center, maps.offset)
    np.testing.assert_allclose(found.position, [[16.5, 16.5]], atol=1e-6)


def test_the_score_is_the_probability_at_the_site() -> None:
    maps = maps_from_positions(np.array([[16.5, 16.5], [40.5, 40.5]]), (64, 64))
    center = maps.center.copy()
    center[15:] *= 0.4
    found = positions_from_maps(center, maps.offset)
    np.testing.assert_allclose(found.score, [1.0, 0.4], atol=1e-6)
    assert len(positions_from_maps(center, maps.offset, least=0.5).position) == 1
