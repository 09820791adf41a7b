"""Labeled images as networks see them: sites stay on what they label."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_trainings import lattice_picture

from adatom.errors import KindError, SettingError
from adatom.networks import Pictures
from adatom.networks.augmentation import Augmentation, LabeledArray, view_of_image
from adatom.networks.pictures import (
    LabeledPicture,
    batch_from_pictures,
    cropped,
    padded,
    picture_from_image,
)
from adatom.schema import image_from_array, sites_from_positions


def _spots(
    position: NDArray[np.float64], shape: tuple[int, int], sigma: float = 1.6
) -> NDArray[np.float64]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * sigma**2)) for a, b in position]
    return np.asarray(np.sum(spots, axis=0))


# Neither a lattice nor symmetric: turned or mirrored wrongly, sites lie beside the spots.
_PLACES = np.array([[20.0, 14.0], [31.3, 40.8], [50.2, 22.5], [60.0, 61.0], [12.5, 58.0]])


def _is_on_spots(labeled: LabeledPicture) -> bool:
    inside = ((labeled.position > 5) & (labeled.position < labeled.picture.shape[0] - 6)).all(1)
    place = np.rint(labeled.position[inside]).astype(int)
    off = [
        _centroid(labeled.picture[y - 4 : y + 5, x - 4 : x + 5]) - 4 + (y, x) - exactly
        for (y, x), exactly in zip(place, labeled.position[inside], strict=True)
    ]
    # Half of it is what rounding to the middle pixel of the window does to the centroid.
    return len(off) > 0 and bool(np.abs(off).max() < 0.6)


def _centroid(window: NDArray[np.float32]) -> NDArray[np.float64]:
    weight = np.clip(window, 0, None).astype(float)
    rows, columns = np.indices(window.shape)
    return np.array([(weight * rows).sum(), (weight * columns).sum()]) / float(weight.sum())


def test_an_image_is_brought_to_the_scale_of_a_network_with_its_sites() -> None:
    image = image_from_array(_spots(_PLACES, (72, 80)), pixel_size="0.02 nm")
    sites = sites_from_positions(*(_PLACES.T * 0.02), unit="nm", spacing=0.4)
    labeled = picture_from_image(image, sites)
    # 20 px apart: brought to the geometric mean of 6 and 14.
    assert labeled.spacing == pytest.approx(np.sqrt(84), rel=0.02)
    assert labeled.picture.shape == (33, 37)
    assert _is_on_spots(labeled)


def test_covered_sites_are_left_out_and_invisible_ones_are_not_sure() -> None:
    image = image_from_array(_spots(_PLACES, (72, 72)))
    sites = sites_from_positions(*_PLACES.T, unit="px", spacing=9.0)
    sites["covered"] = ("site", np.array([True, False, False, False, False]))
    sites["visible"] = ("site", np.array([False, False, True, True, True]))
    sites["species"] = ("site", np.array(["W", "W", "Se", "Se", "V"]))
    labeled = picture_from_image(image, sites, factor=1.0, classes=("Se", "W"))
    assert labeled.is_sure.tolist() == [False, True, True, True]
    assert labeled.number.tolist() == [1, 0, 0, -1]


def test_without_a_spacing_a_factor_is_needed() -> None:
    image = image_from_array(_spots(_PLACES, (72, 72)))
    with pytest.raises(KindError, match=r"no attrs.* give factor="):
        picture_from_image(image, sites_from_positions(*_PLACES.T, unit="px"))


def test_crops_keep_sites_on_their_spots_however_they_are_turned() -> None:
    image = image_from_array(_spots(_PLACES, (72, 72)))
    labeled = picture_from_image(
        image, sites_from_positions(*_PLACES.T, unit="px", spacing=9.0), factor=1.0
    )
    rng = np.random.default_rng(0)
    crops = [cropped(labeled, 64, rng) for _ in range(24)]
    assert all(map(_is_on_spots, crops))
    assert len({crop.picture.tobytes() for crop in crops}) > 8


def test_views_of_an_image_keep_sites_on_their_spots() -> None:
    image = LabeledArray(
        _spots(_PLACES, (72, 72)).astype(np.float32), _PLACES, np.zeros(5, np.int64),
        np.ones((72, 72), dtype=bool), 9.0,
    )  # fmt: skip
    rng = np.random.default_rng(1)
    calm = Augmentation(noise=0.0, spacing=(9.0, 12.0))
    views = [view_of_image(image, 96, calm, rng) for _ in range(24)]
    assert all(map(_is_on_spots, views))
    # Beyond the image nothing is judged.
    assert all(not view.usable.all() for view in views)
    assert all((view.picture[~view.usable] == 0).all() for view in views)


def test_views_differ_in_scale_as_asked() -> None:
    image = LabeledArray(
        _spots(_PLACES, (72, 72)).astype(np.float32), _PLACES, np.zeros(5, np.int64),
        np.ones((72, 72), dtype=bool), 9.0,
    )  # fmt: skip
    rng = np.random.default_rng(2)
    spacings = [view_of_image(image, 32, Augmentation(), rng).spacing for _ in range(40)]
    assert 6 <= min(spacings) < 7.5
    assert 12 < max(spacings) <= 14


def test_a_batch_judges_neither_unmeasured_nor_doubtful_parts() -> None:
    whole = lattice_picture(3)
    usable = np.ones((32, 32), dtype=bool)
    usable[:8] = False
    sure = np.ones(len(whole.position), dtype=bool)
    doubtful = int(np.argmin(np.abs(whole.position - 20.0).sum(axis=1)))
    sure[doubtful] = False
    made = batch_from_pictures([whole._replace(usable=usable, is_sure=sure)])
    assert (made.weight[0, :4] == 0).all()
    cell = tuple(np.rint((whole.position[doubtful] - 0.5) / 2).astype(int))
    assert made.weight[0][cell] == 0
    assert made.center[0][cell] == 0
    assert made.weight[0, 5:].mean() > 0.8


def test_pictures_smaller_than_a_crop_are_filled_up_with_nothing() -> None:
    small = padded(lattice_picture(1), (48, 40))
    assert small.picture.shape == (48, 48)
    assert not small.usable[32:].any()


@pytest.mark.parametrize("crop", [16, 100])
def test_crops_are_multiples_of_16(crop: int) -> None:
    with pytest.raises(SettingError, match="multiple of 16, 32 or more"):
        Pictures(crop=crop)


def test_an_augmentation_beyond_what_networks_see_is_refused() -> None:
    with pytest.raises(SettingError, match="within 3 and 28 px"):
        Augmentation(spacing=(2.0, 9.0))
