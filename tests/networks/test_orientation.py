"""Orientations travel with their pictures, are learned and read back."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.localization.heads import heads_at_cells
from adatom.localization.running import Maps
from adatom.networks.augmentation import Augmentation, LabeledArray, view_of_image
from adatom.networks.pictures import LabeledPicture, batch_from_pictures, cropped
from adatom.numerics.exported_network import Card
from adatom.numerics.heatmaps import angles_from_turns, maps_from_positions, turns_from_angles


def rod(angle: float, size: int = 64) -> LabeledPicture:
    """Draw one rod off the middle of a picture."""
    place = np.array([30.0, 35.0])
    y, x = np.mgrid[:size, :size] - place[:, None, None]
    turn = np.deg2rad(angle)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    values = np.exp(-((along / 6) ** 2) - (across / 2) ** 2).astype(np.float32)
    everywhere = np.ones(values.shape, bool)
    return LabeledPicture(
        values,
        place[None],
        np.zeros(1, np.int64),
        np.ones(1, bool),
        everywhere,
        everywhere,
        20.0,
        np.nan,
        np.array([angle]),
    )


def long_axis(values: np.ndarray, place: np.ndarray) -> float:
    """Measure the direction of the longest extent, in deg modulo 180."""
    y, x = np.indices(values.shape) - place[:, None, None]
    weight = np.maximum(values, 0)
    yy, xx, xy = (float((weight * part).sum()) for part in (y * y, x * x, x * y))
    return float(np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy)))


def apart(one: float, other: float) -> float:
    """Give the difference of two directions modulo 180 deg."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.parametrize("seed", range(8))
def test_a_turned_and_mirrored_crop_keeps_the_orientation_true(seed: int) -> None:
    crop = cropped(rod(20.0), 64, np.random.default_rng(seed))
    assert crop.angle is not None
    assert apart(long_axis(crop.picture, crop.position[0]), float(crop.angle[0])) < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_a_view_at_any_angle_keeps_the_orientation_true(seed: int) -> None:
    drawn = rod(70.0, size=128)
    array = LabeledArray(
        drawn.picture, drawn.position, drawn.number, drawn.lattice, 10.0, drawn.angle
    )
    plain = Augmentation(spacing=(10.0, 10.0), noise=0.0, blur=0.0, gamma=0.0)
    view = view_of_image(array, 128, plain, np.random.default_rng(seed))
    assert view.angle is not None
    near = np.hypot(*(np.indices(view.picture.shape) - view.position[0][:, None, None])) < 12
    axis = long_axis(view.picture * near, view.position[0])
    assert apart(axis, float(view.angle[0])) < 3


def test_orientations_come_back_from_the_maps() -> None:
    position = np.array([[12.5, 12.5], [30.2, 41.0], [50.0, 20.0]])
    angle = np.array([10.0, 100.0, np.nan])
    maps = maps_from_positions(position, (64, 64), turn=turns_from_angles(angle, 3))
    none = np.empty((0, 32, 32), np.float32)
    told = Maps(maps.center, maps.offset, maps.center, none, maps.turn)
    heads = heads_at_cells(told, (position - 0.5) / 2)
    card = Card(channels=("center", "offset_y", "offset_x", "lattice", "cos", "sin"), symmetry=3)
    found = heads.variables(card)["orientation"][1]
    np.testing.assert_allclose(found[:2], [10.0, 100.0], atol=1e-4)


def test_a_site_of_unknown_orientation_has_no_say() -> None:
    batch = batch_from_pictures([rod(20.0)._replace(angle=None)], symmetry=2)
    assert batch.center.any()
    assert not batch.turn.any()


@pytest.mark.network
def test_the_loss_of_orientations_has_no_jump_and_leaves_out_the_unknown() -> None:
    torch = pytest.importorskip("torch", reason="losses need torch: pip install 'adatom[train]'")
    from adatom.networks.losses import turn_loss

    def loss(found: float, true: float) -> float:
        target, guess = (
            torch.from_numpy(turns_from_angles(np.array([angle]), 2)).reshape(1, 2, 1, 1)
            for angle in (true, found)
        )
        return float(turn_loss(guess, target, torch.ones(1, 1, 1)))

    assert loss(179.0, 1.0) == pytest.approx(loss(3.0, 1.0), rel=1e-3)
    assert loss(90.0, 0.0) == pytest.approx(4.0)
    assert loss(90.0, np.nan) == 0.0


def test_angles_and_turns_are_inverse() -> None:
    angle = np.linspace(0, 59, 30)
    np.testing.assert_allclose(angles_from_turns(turns_from_angles(angle, 6), 6), angle, atol=1e-4)
