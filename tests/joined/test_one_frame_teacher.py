"""One frame teaches a network that finds the defects of all others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError, NoLatticeError, SettingError, UnitError
from adatom.networks import (
    Architecture,
    TrainedNetwork,
    Trainer,
    Training,
    export_network,
    labels_from_periodicity,
)
from adatom.networks.frame_crops import FrameCrops, LabeledFrame
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.matching import match_points
from adatom.pipelines import find_defects_in_movie, train_from_frame
from adatom.schema import Image, image_from_array, positions, sites_from_positions

SMALL = Architecture("unet", 4, ("missing", "extra"))
SHORT = Training(n_steps=2, batch_size=2, precision="float32")


def _lattice_with_defects(*, seed: int = 4, side: int = 128, bend: float = 0.0) -> Image:
    """Give square cells of 9 pixels, three atoms too dark and three too bright."""
    y, x = np.mgrid[:side, :side].astype(float)
    # Rows are displaced along x, and with them what stands in them.
    x = x - bend * np.sin(2 * np.pi * y / 90)
    values = np.cos(2 * np.pi * x / 9) + np.cos(2 * np.pi * y / 9)
    for sign, places in ((-1.6, DARK), (1.6, BRIGHT)):
        for row, column in places:
            values += sign * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 12)
    values += 0.15 * np.random.default_rng(seed).normal(size=y.shape)
    image: Image = image_from_array(values.astype(np.float32), pixel_size="0.02 nm")
    return image


DARK = [(27, 36), (63, 90), (99, 45)]
BRIGHT = [(36, 99), (72, 27), (108, 81)]


def _frame() -> LabeledFrame:
    rng = np.random.default_rng(0)
    place = rng.uniform(30, 170, (12, 2))
    y, x = np.mgrid[:200, :200]
    values = 0.1 * rng.standard_normal((200, 200), dtype=np.float32)
    for row, column in place:
        values += np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8).astype(np.float32)
    return LabeledFrame(
        values=values,
        position=place,
        number=np.zeros(12, np.int64),
        is_sure=np.ones(12, bool),
        lattice=np.ones((200, 200), bool),
        usable=np.ones((200, 200), bool),
        spacing=9.0,
        noise=0.0,
        empty=-0.1,
    )


def test_labels_of_a_crop_lie_on_what_they_label_however_it_is_turned_and_warped() -> None:
    crops = FrameCrops(_frame(), 96, 4, 0)
    away = []
    for index in range(30):
        made = crops.picture(index)
        inside = ((made.position > 6) & (made.position < 89)).all(axis=1) & made.is_sure
        for row, column in made.position[inside]:
            at = np.rint([row, column]).astype(int)
            part = made.picture[at[0] - 3 : at[0] + 4, at[1] - 3 : at[1] + 4]
            top = np.unravel_index(int(part.argmax()), part.shape)
            away.append(np.hypot(*(at + np.array(top) - 3 - (row, column))))
    assert len(away) > 30
    # Spots of 2 pixels, warped: their tops are on whole pixels.
    assert np.median(away) < 1.2


def test_a_batch_follows_from_its_number_and_the_seed() -> None:
    one, same, other = (FrameCrops(_frame(), 96, 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one(3).picture, same(3).picture)
    assert (one(3).picture != other(3).picture).any()
    assert (one(3).picture != one(4).picture).any()


def test_what_lies_beyond_the_frame_is_not_judged() -> None:
    frame = _frame()
    small = frame._replace(
        values=frame.values[:60, :60],
        lattice=frame.lattice[:60, :60],
        usable=frame.usable[:60, :60],
    )
    crops = FrameCrops(small, 96, 4, 0)
    shares = [crops.picture(index).usable.mean() for index in range(10)]
    # 60 of 96 pixels, at scales about one: two fifths of the area at most by much.
    assert 0.1 < np.mean(shares) < 0.6


@pytest.fixture(scope="module")
def untrained() -> ExportedNetwork:
    return export_network(
        train_from_frame(_lattice_with_defects(), architecture=SMALL, training=SHORT)
    )


@pytest.mark.network
def test_the_card_tells_how_large_pixels_are(untrained: ExportedNetwork) -> None:
    assert '"unit": "nm"' in untrained.card.trained_on
    assert untrained.card.classes == ("missing", "extra")
    with pytest.raises(UnitError, match=r"taught in nm, the movie is in px"):
        find_defects_in_movie(image_from_array(np.zeros((64, 64))), untrained)


@pytest.mark.network
def test_sites_tell_their_frame_and_an_image_has_none(untrained: ExportedNetwork) -> None:
    image = _lattice_with_defects()
    movie = xr.concat([image, image, image], dim="frame")
    one = find_defects_in_movie(image, untrained, least_score=0.0)
    all_frames = find_defects_in_movie(movie, untrained, least_score=0.0)
    assert "frame" not in one.sites.coords
    assert one.analyzed.dims == ("y", "x")
    for number in range(3):
        here = all_frames.sites.isel(site=all_frames.sites.frame.values == number)
        np.testing.assert_array_equal(positions(here), positions(one.sites))
    assert all_frames.counts["frame"].values.tolist() == [0, 1, 2]
    total = all_frames.counts["missing"] + all_frames.counts["extra"]
    assert int(total.sum()) == all_frames.sites.sizes["site"]


@pytest.mark.network
def test_a_network_that_no_frame_taught_is_refused() -> None:
    stranger = export_network(Trainer(Architecture(width=4)).untrained())
    with pytest.raises(SettingError, match=r"was not taught by one frame"):
        find_defects_in_movie(_lattice_with_defects(), stranger)
    with pytest.raises(KindError, match=r"need an ExportedNetwork"):
        find_defects_in_movie(_lattice_with_defects(), "network.onnx")  # type: ignore[arg-type]


@pytest.mark.network
def test_labels_may_be_told_instead() -> None:
    image = _lattice_with_defects()
    found = labels_from_periodicity(image).sites
    told = sites_from_positions(*(np.array(DARK[:1]) * 0.02).T, unit="nm")
    with pytest.raises(KindError, match=r"sites carry no 'class'"):
        train_from_frame(image, told, architecture=SMALL, training=SHORT)
    told["class"] = ("site", np.array(["missing"]))
    taught = train_from_frame(image, told, architecture=SMALL, training=SHORT)
    assert '"sites": {"extra": 0, "missing": 1}' in taught.card.trained_on
    assert found.sizes["site"] == 6


def test_a_frame_without_defects_teaches_nothing() -> None:
    y, x = np.mgrid[:96, :96] * (2 * np.pi / 8)
    rng = np.random.default_rng(0)
    flawless = image_from_array(np.cos(y) + np.cos(x) + 0.1 * rng.normal(size=y.shape))
    none = labels_from_periodicity(flawless, false_labels=1e-6).sites
    with pytest.raises(NoLatticeError, match=r"none is a point defect"):
        train_from_frame(flawless, none)


def test_a_frame_beyond_the_movie_is_refused() -> None:
    image = _lattice_with_defects()
    movie = xr.concat([image, image], dim="frame")
    with pytest.raises(SettingError, match=r"frame=7: the movie has 2 frames"):
        train_from_frame(movie, frame=7)
    with pytest.raises(SettingError, match=r"frame=1 of an image"):
        train_from_frame(image, frame=1)


@pytest.mark.network
@pytest.mark.slow
def test_a_network_taught_by_one_frame_finds_the_defects_of_a_bent_one() -> None:
    taught: TrainedNetwork = train_from_frame(
        _lattice_with_defects(),
        architecture=replace(SMALL, width=8),
        training=Training(n_steps=300, batch_size=8, peak_rate=4e-3, n_steps_per_score=150),
    )
    other = _lattice_with_defects(seed=9, bend=3.0)
    found = find_defects_in_movie(other, export_network(taught)).sites
    place = np.array(DARK + BRIGHT, dtype=float)
    place[:, 1] += 3.0 * np.sin(2 * np.pi * place[:, 0] / 90)
    truth = place * 0.02
    match = match_points(positions(found), truth, max_distance=0.08)
    assert len(match.left) >= 5
    assert found.sizes["site"] <= 8
    names = np.array(["missing"] * 3 + ["extra"] * 3)
    assert (found["class"].values[match.left] == names[match.right]).mean() > 0.8
