"""Real videos: every frame is the one that a plain decoding gives, in any order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from adatom.errors import ReadError
from adatom.io import read_movie

DATA = Path(os.environ.get("ADATOM_DATA", ""))
IMAGING = DATA / "imaging"
WATER = IMAGING / "trackpy_tests/water/bulk-water.mov"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _decoded(path: Path, color: int) -> list[np.ndarray[Any, Any]]:
    """Decode a video from its first frame to its last."""
    import av

    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="rgb24")[..., color] for frame in video.decode(video=0)]


def test_a_movie_of_silicon_has_its_frames_and_times() -> None:
    path = IMAGING / "si_moving_movies/moving-Si-1.mp4"
    movie = read_movie(path, channel="red")
    assert movie.sizes == {"frame": 30, "y": 256, "x": 256}
    assert movie.time.values == pytest.approx(np.arange(30) / 5)
    assert np.array_equal(movie.values, np.stack(_decoded(path, 0)))
    with pytest.raises(ReadError, match='channel="red"'):
        read_movie(path)


def test_frames_between_others_are_found_in_any_order() -> None:
    # H.264 with frames that need later ones, and three key frames only.
    movie = read_movie(WATER, channel="green")
    assert movie.sizes == {"frame": 480, "y": 424, "x": 640}
    assert np.diff(movie.time.values) == pytest.approx(np.full(479, 1001 / 24000))
    truth = _decoded(WATER, 1)
    for number in (479, 0, 1, 2, 250, 249, 251, 5, 160, 159, 161, 320, 100):
        assert np.array_equal(movie[number].values, truth[number]), number


def test_pictures_of_a_movie_are_its_frames() -> None:
    """The authors of trackpy saved the first six frames of the movie as png."""
    pictures = read_movie(IMAGING / "trackpy_examples/bulk_water", channel="green")
    video = read_movie(WATER, channel="green")
    assert pictures.sizes == {"frame": 6, "y": 424, "x": 640}
    assert np.array_equal(pictures.values, video[:6].values)


def test_a_folder_of_pictures_is_a_movie() -> None:
    folder = IMAGING / "trackpy_tests/video/image_sequence"
    movie = read_movie(folder)
    assert movie.sizes == {"frame": 5, "y": 424, "x": 640}
    for number in range(5):
        saved = np.asarray(Pillow.open(folder / f"T76S3F0000{number + 1}.png"))
        assert np.array_equal(movie[number].values, saved)


def test_a_folder_of_all_sorts_is_refused() -> None:
    with pytest.raises(ReadError, match=r"1 \.csv, 37 \.jpg, 1 \.json"):
        read_movie(IMAGING / "stm_wse2_mlstm")
