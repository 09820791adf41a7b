"""Pictures in false color, read as places along their color map."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import read_image
from adatom.io.color_maps import COLOR_MAPS, _tree_of, place_on_color_map
from adatom.schema import notes


def _painted(path: Path, values: NDArray[np.float64], name: str) -> Path:
    colors = (mpl.colormaps[name](values)[..., :3] * 255).round().astype(np.uint8)
    Pillow.fromarray(colors).save(path)
    return path


@pytest.fixture
def values() -> NDArray[np.float64]:
    y, x = np.mgrid[:48, :64]
    wave: NDArray[np.float64] = 0.5 + 0.5 * np.sin(y / 5) * np.cos(x / 7)
    return wave


@pytest.mark.parametrize("name", ["viridis", "inferno", "gnuplot", "jet", "turbo"])
def test_values_come_back_from_the_color_map_that_painted_them(
    tmp_path: Path, values: NDArray[np.float64], name: str
) -> None:
    image = read_image(_painted(tmp_path / "map.png", values, name), channel="color map")
    # 256 colors rounded to whole levels.
    assert np.abs(image.values - values).max() < 0.012
    assert f"along the color map {name!r}" in notes(image)[0]


def test_a_map_that_is_asked_for_is_taken_and_the_nearest_named(
    tmp_path: Path, values: NDArray[np.float64]
) -> None:
    image = read_image(_painted(tmp_path / "map.png", values, "plasma"), channel="hot")
    assert "'hot', as asked for" in notes(image)[0]
    assert "nearest to the colors is 'plasma'" in notes(image)[0]


def test_colors_of_no_map_are_refused_with_the_distance(tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    Pillow.fromarray(colors).save(tmp_path / "photo.png")
    with pytest.raises(ReadError, match=r"no known color map.*of 255 levels away"):
        read_image(tmp_path / "photo.png", channel="color map")


def test_a_picture_in_color_names_the_way_by_its_color_map(
    tmp_path: Path, values: NDArray[np.float64]
) -> None:
    with pytest.raises(ReadError, match='false colors channel="color map"'):
        read_image(_painted(tmp_path / "map.png", values, "viridis"))


@pytest.mark.parametrize("name", COLOR_MAPS)
def test_every_map_goes_from_0_to_1_and_tells_all_its_places_apart(name: str) -> None:
    place = np.linspace(0, 1, 1021)
    found = place_on_color_map(_tree_of(name).data, name)
    assert np.abs(found - place).max() < 0.07
    assert np.median(np.abs(found - place)) < 0.002
