"""Superlattices are found by their waves, and defects by what departs from the lattice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.descriptors import estimate_superlattice
from adatom.errors import SettingError
from adatom.schema import Image, image_from_array, notes

SIDE = 512
PERIOD = 12.0


def waves(angles: list[float], period: float) -> NDArray[np.float64]:
    y, x = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / period)
    each = [np.cos(y * np.sin(a) + x * np.cos(a)) for a in np.deg2rad(angles)]
    return np.asarray(np.sum(each, axis=0))


def surface(seed: int, *, superlattice: float, noise: float = 1.0) -> Image:
    """Give a hexagonal lattice, with a sqrt(3) superlattice in a disc in its middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    disc = np.hypot(y, x) < SIDE / 4
    image = waves([7, 67, 127], PERIOD)
    image += superlattice * disc * waves([37, 97, 157], PERIOD * np.sqrt(3))
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return image_from_array(image, pixel_size="0.02 nm")


def disc_of(found: Image) -> NDArray[np.float64]:
    """Give how far places are from the rim of the disc in nm, positive inside."""
    middle = SIDE / 2 * 0.02
    y, x = found["y"].values - middle, found["x"].values - middle
    return np.asarray(SIDE / 4 * 0.02 - np.hypot(y[:, None], x[None, :]))


def test_the_superlattice_is_named_and_lies_where_it_was_put() -> None:
    found = estimate_superlattice(surface(0, superlattice=0.5))
    chosen = found.waves["kind"].values == "superlattice"
    indices = np.column_stack([found.waves["h"].values, found.waves["k"].values])[chosen]
    # Three waves whose indices are thirds that differ by whole numbers.
    assert len(indices) == 3
    np.testing.assert_allclose((3 * indices) % 1, 0, atol=1e-9)
    np.testing.assert_allclose(
        found.waves["period"].values[chosen], PERIOD * np.sqrt(3) * 0.02, rtol=0.01
    )
    inside, label = disc_of(found.significance), found.classes["label"].values
    # The window is 0.31 nm wide: beyond that of the rim there is no doubt.
    assert (label[inside > 0.31] == 1).mean() > 0.99
    assert (label[inside < -0.62] == 1).mean() < 0.01


def test_amplitudes_are_those_of_the_waves() -> None:
    found = estimate_superlattice(surface(1, superlattice=0.5, noise=0.5))
    inside = disc_of(found.significance) > 0.9
    inner = found.amplitudes.values[inside].mean(axis=0)
    assert [str(name)[:4] for name in found.amplitudes["measure"].values] == ["wave"] * 6
    np.testing.assert_allclose(inner[:3], 1.0, atol=0.03)
    np.testing.assert_allclose(inner[3:], 0.5, atol=0.05)


def test_intervals_of_amplitudes_hold_the_truth_of_95_of_100() -> None:
    for amplitude in (0.5, 0.05):
        held, off = [], []
        for seed in range(3):
            image = waves([7, 67, 127], PERIOD)
            image += amplitude * waves([37, 97, 157], PERIOD * np.sqrt(3))
            image += np.random.default_rng(seed).normal(0, 1.0, image.shape)
            found = estimate_superlattice(image_from_array(image, pixel_size="0.02 nm")).amplitudes
            # Windows that are cut by the border let other waves in.
            found = found.isel(y=slice(8, -8), x=slice(8, -8))
            truth = np.array([1.0] * 3 + [amplitude] * 3)
            low, high = found["amplitude_lower"].values, found["amplitude_upper"].values
            held.append((low <= truth) & (truth <= high))
            off.append((found.values - truth) / found["amplitude_error"].values)
        # Places two to a width are some 1,000 independent ones in all.
        assert abs(np.mean(held) - 0.95) < 0.025
        assert abs(np.std(off) - 0.9) < 0.12


def test_without_a_superlattice_few_images_show_one() -> None:
    # Half a place an image is allowed, over all places of one.
    marked = [
        bool((estimate_superlattice(surface(seed, superlattice=0.0)).classes["label"] == 1).any())
        for seed in range(12)
    ]
    assert sum(marked) <= 9


def test_an_image_without_superlattice_is_told_so_or_shows_hardly_any() -> None:
    found = estimate_superlattice(surface(3, superlattice=0.0))
    assert float((found.classes["label"] == 1).mean()) < 0.01
    assert notes(found.waves)


def test_defects_stand_where_the_lattice_departs_and_nowhere_else() -> None:
    image = surface(4, superlattice=0.0, noise=0.7)
    y, x = np.mgrid[:SIDE, :SIDE]
    places = np.array([[100, 120], [256, 400], [400, 90], [430, 330]])
    values = image.values.copy()
    for row, column in places:
        values += 4 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 4.0**2))
    found = estimate_superlattice(image.copy(data=values)).defects
    at = np.column_stack([found["y"].values, found["x"].values]) / 0.02
    distance = np.linalg.norm(at[:, None] - places, axis=2)
    # Within the window, 15 pixels; one more may stand there by chance.
    assert (distance.min(axis=0) < 12).all()
    assert (distance.min(axis=1) > 12).sum() <= 1


def test_borders_are_no_defects() -> None:
    n_at_border, n_found = 0, 0
    for seed in range(10):
        found = estimate_superlattice(surface(seed, superlattice=0.0))
        n_found += found.defects.sizes["site"]
        for dim in ("y", "x"):
            places = found.departure[dim].values
            n_at_border += int(np.isin(found.defects[dim].values, places[[0, -1]]).sum())
    # Half a defect an image is allowed. 8 were seen, 2 of them at a border; 14 and 14 where a
    # window that the border cuts passed for a whole one.
    assert n_found <= 11
    assert n_at_border <= 4


def test_gaps_are_not_looked_at() -> None:
    image = surface(5, superlattice=0.5)
    values = image.values.copy()
    values[:200, :150] = np.nan
    found = estimate_superlattice(image.copy(data=values))
    assert (found.classes["label"].values[:15, :10] == -1).all()
    inside = (disc_of(found.significance) > 0.31) & (found.classes["label"].values >= 0)
    assert (found.classes["label"].values[inside] == 1).mean() > 0.98


def test_noise_alone_has_no_lattice() -> None:
    noise = np.random.default_rng(0).normal(size=(128, 128))
    with pytest.raises(SettingError, match="shows no lattice"):
        estimate_superlattice(image_from_array(noise))


def test_windows_without_room_are_refused() -> None:
    with pytest.raises(SettingError, match="width='4 nm' is 200 pixels"):
        estimate_superlattice(surface(0, superlattice=0.5), width="4 nm")
    with pytest.raises(SettingError, match="false_regions=0"):
        estimate_superlattice(surface(0, superlattice=0.5), false_regions=0)
