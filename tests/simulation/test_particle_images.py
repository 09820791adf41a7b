"""Simulated particles that point somewhere."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation import ParticleImages, simulate_particle_image

CLEAR = {"snr": (1e6, 1e6), "scale": (1.0, 1.0), "spacing": (24.0, 24.0)}


@pytest.mark.parametrize("index", range(3))
def test_a_rod_points_where_its_orientation_says(index: int) -> None:
    images = ParticleImages(size=160, aspect=(4.0, 4.0), length=(0.6, 0.6), **CLEAR)  # type: ignore[arg-type]
    made = simulate_particle_image(images=images, seed=4, index=index)
    values = made.image.values - np.median(made.image.values, axis=1, keepdims=True)
    errors = []
    for place, angle in zip(positions(made.sites), made.sites["orientation"].values, strict=True):
        row, column = np.rint(place).astype(int)
        if not (10 < row < 149 and 10 < column < 149):
            continue
        window = values[row - 8 : row + 9, column - 8 : column + 9].clip(0.3) - 0.3
        y, x = np.mgrid[-8:9, -8:9]
        yy, xx, xy = (float((window * part).sum()) for part in (y * y, x * x, x * y))
        # The long axis of the second moments.
        axis = np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy))
        errors.append((axis - angle + 90) % 180 - 90)
    assert len(errors) > 15
    assert np.median(np.abs(errors)) < 4


def test_images_depend_on_seed_and_index_alone() -> None:
    one, same, other = (
        simulate_particle_image(images=ParticleImages(size=64), seed=1, index=index)
        for index in (3, 3, 4)
    )
    assert one.image.identical(same.image)
    assert one.sites.identical(same.sites)
    assert one.image.shape != other.image.shape or not one.image.equals(other.image)


@pytest.mark.parametrize(("shape", "fold"), [("rod", 2), ("triangle", 3), ("hexagon", 6)])
def test_orientations_are_told_up_to_the_symmetry(shape: str, fold: int) -> None:
    images = ParticleImages(shape=shape, size=96)  # type: ignore[arg-type]
    made = simulate_particle_image(images=images, seed=2)
    angle = made.sites["orientation"].values
    assert images.symmetry == fold
    assert angle.max() < 360 / fold
    assert angle.max() > 0.6 * 360 / fold


def test_shapes_that_are_not_known_are_refused() -> None:
    with pytest.raises(SettingError, match="shape='star' is not known: use one of rod"):
        ParticleImages(shape="star")  # type: ignore[arg-type]


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(SettingError, match="seed=-1 and index=0 must be 0 or more"):
        simulate_particle_image(seed=-1)
