"""Pictures made ready for a network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.numerics.network_input import normalized_picture, resampled_picture


def atoms(size: int = 160, period: float = 10.0) -> NDArray[np.float32]:
    """Make a square lattice."""
    y, x = np.mgrid[:size, :size] * (2 * np.pi / period)
    return np.asarray((1 + np.cos(y)) * (1 + np.cos(x)), dtype=np.float32)


@pytest.mark.parametrize("factor", [0.37, 0.5, 1.0, 1.7])
def test_a_spot_lies_where_the_scale_says(factor: float) -> None:
    y, x = np.mgrid[:90, :120]
    center = np.array([40.3, 71.8])
    spot = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * 6.0**2))
    resampled = resampled_picture(spot.astype(np.float32), factor)
    y, x = np.indices(resampled.picture.shape)
    weight = resampled.picture / resampled.picture.sum()
    centroid = np.array([[(y * weight).sum(), (x * weight).sum()]])
    np.testing.assert_allclose(resampled.positions_in_image(centroid)[0], center, atol=0.02)
    back = resampled.positions_in_image(resampled.positions_in_picture(centroid))
    np.testing.assert_allclose(back, centroid)


def test_the_picture_shows_all_of_the_image() -> None:
    resampled = resampled_picture(np.ones((101, 57), np.float32), 0.31)
    assert resampled.picture.shape == (31, 18)
    assert resampled.factor == (31 / 101, 18 / 57)


def test_making_a_picture_smaller_averages_its_noise() -> None:
    noise = np.random.default_rng(0).standard_normal((400, 400)).astype(np.float32)
    # A box of 4 x 4 pixels would leave 0.25; the cubic kernel keeps a little more.
    assert resampled_picture(noise, 0.25).picture.std() < 0.3


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan])
def test_a_scale_that_makes_no_picture_is_refused(factor: float) -> None:
    with pytest.raises(SettingError, match="must be positive"):
        resampled_picture(np.ones((8, 8), np.float32), factor)


def test_gain_offset_and_slope_do_not_reach_the_network() -> None:
    y, x = np.indices((160, 160))
    plain = normalized_picture(atoms())
    other = normalized_picture((7 * atoms() + 300 + 0.05 * y - 0.1 * x).astype(np.float32))
    inner = slice(20, -20)
    pair = (other[inner, inner].ravel(), plain[inner, inner].ravel())
    assert np.corrcoef(*pair)[0, 1] > 0.995
    assert plain.std() == pytest.approx(1, abs=0.15)


def test_atoms_beside_a_bright_particle_keep_their_contrast() -> None:
    image = atoms()
    image[60:100, 60:100] += 200
    contrast = normalized_picture(image)
    assert contrast[:, :30].std() > 0.8


def test_what_was_not_measured_is_zero_and_has_no_influence() -> None:
    usable = np.ones((160, 160), bool)
    usable[:, 120:] = False
    image = atoms()
    image[:, 120:] = 1e6
    picture = normalized_picture(image, usable)
    assert not picture[:, 120:].any()
    np.testing.assert_allclose(picture[:, :60], normalized_picture(atoms())[:, :60], atol=0.05)


def test_a_flat_image_stays_flat() -> None:
    flat = np.full((64, 64), 12345.678, np.float32)
    assert np.abs(normalized_picture(flat)).max() < 0.01
    assert not normalized_picture(0 * flat).any()


def test_pictures_of_one_pixel_and_of_odd_sizes_work() -> None:
    assert normalized_picture(np.ones((1, 1), np.float32)).shape == (1, 1)
    assert normalized_picture(atoms(61)).shape == (61, 61)
