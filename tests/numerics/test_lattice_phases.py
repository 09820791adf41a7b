"""The phases of a lattice's waves: shifts modulo the cell, and columns of the mean cell."""

import numpy as np
import pytest

from adatom.numerics.lattice_phases import (
    ORDERS,
    cell_shift,
    columns_of_cell,
    moved_waves,
    wave_amplitudes,
)

MATRIX = np.array([[0.008, 0.066], [0.072, 0.029]])


@pytest.mark.parametrize("parts", [(0.0, 0.0), (0.13, -0.31), (0.49, 0.2)])
def test_a_shift_is_found_in_parts_of_the_cell(parts: tuple[float, float]) -> None:
    place = np.array([[0.2, 0.7], [0.5, 0.3]])
    waves = np.exp(-2j * np.pi * ORDERS @ place.T).sum(axis=1)
    moved = moved_waves(waves, -np.array(parts))
    np.testing.assert_allclose(cell_shift(moved, waves), parts, atol=1e-9)


def test_whole_vectors_of_the_cell_are_no_shift() -> None:
    waves = np.exp(-2j * np.pi * ORDERS @ np.array([0.2, 0.7]))
    moved = moved_waves(waves, np.array([1.0, -2.0]))
    np.testing.assert_allclose(cell_shift(moved, waves), 0, atol=1e-9)


def test_waves_of_an_image_move_with_it() -> None:
    y, x = np.mgrid[:160, :160].astype(float)

    def picture(dy: float, dx: float) -> np.ndarray:
        total = np.zeros((160, 160))
        for order in ((1, 0), (0, 1), (1, 1)):
            wave = MATRIX @ np.array(order)
            total += np.cos(2 * np.pi * (wave[0] * (y - dy) + wave[1] * (x - dx)))
        return total

    still, moved = (wave_amplitudes(picture(*d), MATRIX, ORDERS) for d in ((0, 0), (1.5, -2.0)))
    shift = np.linalg.inv(MATRIX).T @ cell_shift(moved, still)
    np.testing.assert_allclose(shift, [1.5, -2.0], atol=0.02)


def test_columns_of_a_honeycomb_are_two() -> None:
    place = np.array([[1 / 3, 1 / 3], [2 / 3, 2 / 3]])
    fade = np.exp(-0.3 * (ORDERS**2).sum(axis=1))
    waves = fade * np.exp(-2j * np.pi * ORDERS @ place.T).sum(axis=1)
    found = columns_of_cell(waves)
    assert len(found) == 2
    apart = (found[:, None] - place + 0.5) % 1 - 0.5
    assert np.abs(apart).max(axis=-1).min(axis=1).max() < 0.03
