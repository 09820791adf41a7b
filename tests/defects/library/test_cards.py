"""Classes of a library are summed up: how many, what they look like, how long their bonds are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_defects import BOND, simulated_defects

from adatom.defects import Defects, Drawing
from adatom.defects.library import add_defects, open_library
from adatom.defects.library.cards import cards_of_library
from adatom.schema import Image, image_from_array, positions

STEP = 0.01


def picture(found: Defects, seed: int) -> Image:
    """Draw every atom as a Gaussian of 0.04 nm on 6 nm, Si four times as bright as C."""
    axis = np.arange(600) * STEP
    values = np.random.default_rng(seed).normal(0, 0.1, (600, 600))
    for (y, x), species in zip(positions(found.members), found.members["species"].values):
        height = {"Si": 4.0, "C": 1.0}[str(species)]
        rows, columns = np.exp(-((axis - y) ** 2) / 0.0032), np.exp(-((axis - x) ** 2) / 0.0032)
        values += height * np.outer(rows, columns)
    return image_from_array(values.astype(np.float32), pixel_size=f"{STEP} nm")


def test_members_are_turned_alike_and_counted(tmp_path: Path) -> None:
    with open_library(tmp_path / "a.db", create=True) as library:
        for seed in range(3):
            found = simulated_defects(["Si1C3", "Si1C4", "Si1C3"], seed=seed, box=6.0)
            add_defects(library, found, picture(found, seed), source=f"folder/{seed}.tif")
        threefold, fourfold = cards_of_library(library)
    assert (threefold.name, threefold.count.value, threefold.n_images) == ("Si1C3", 6, 3)
    assert (fourfold.name, fourfold.count.value) == ("Si1C4", 3)
    assert threefold.density.value == pytest.approx(6 / (3 * 36.0))
    # F. Garwood (1936): six events leave 2.20 to 13.06 as their mean.
    assert (threefold.count.low, threefold.count.high) == pytest.approx((2.202, 13.06), abs=0.01)
    assert threefold.bond_lengths["C-Si"].mean() == pytest.approx(BOND, abs=0.004)
    assert threefold.captions[0].startswith(("0.tif", "1.tif", "2.tif"))
    assert_bright_where_drawn(threefold.mean_image, threefold.drawing)
    assert_bright_where_drawn(fourfold.mean_image, fourfold.drawing)


def assert_bright_where_drawn(image: Image | None, drawing: Drawing | None) -> None:
    """Atoms of the drawing must lie on bright spots of the mean image, other places be dark."""
    assert drawing is not None
    assert image is not None
    step = float(image["x"].values[1] - image["x"].values[0])
    at = np.round(drawing.places / step).astype(int) + image.shape[0] // 2
    values = image.values
    carbon = np.array([name == "C" for name in drawing.species])
    # Mirrored or turned the wrong way, carbon would lie beside the spots.
    assert values[at[carbon, 0], at[carbon, 1]].min() > 5 * np.nanmedian(np.abs(values))


def test_an_empty_library_has_no_cards(tmp_path: Path) -> None:
    with open_library(tmp_path / "a.db", create=True) as library:
        assert cards_of_library(library) == []


def test_a_class_is_counted_by_host_and_in_the_area_of_its_host(tmp_path: Path) -> None:
    with open_library(tmp_path / "a.db", create=True) as library:
        for seed, host in enumerate(["graphene", "graphene", "BN"]):
            found = simulated_defects(["Si1C3"], seed=seed, box=6.0)
            found.defects.attrs["host"] = host
            add_defects(library, found)
        cards = cards_of_library(library)
    assert [card.count.value for card in cards] == [2, 1]
    # Both have one in each image of 36 nm^2; those of the other host do not thin them out.
    assert [card.density.value for card in cards] == pytest.approx([1 / 36.0] * 2)


def test_a_caption_tells_no_confidence_that_is_not_known(tmp_path: Path) -> None:
    found = simulated_defects(["Si1C3"], seed=1, box=6.0)
    found.defects["confidence"][:] = np.nan
    with open_library(tmp_path / "a.db", create=True) as library:
        add_defects(library, found, picture(found, 1), source="folder/1.tif")
        (card,) = cards_of_library(library)
    assert card.captions == ("1.tif",)
