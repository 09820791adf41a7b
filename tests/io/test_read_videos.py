"""Frames of videos and of folders of pictures are those that were written, in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from written_sites import FRAMES, SITES, write_video

from adatom.errors import ReadError
from adatom.io import read_image, read_movie
from adatom.io.sequences import natural_order
from adatom.schema import notes

# The codec may change a grey by a few steps; frames differ by 20.
LOSS = 6


@pytest.mark.parametrize("key", ["mp4", "avi", "mkv"])
def test_grey_frames_come_back_with_their_times(tmp_path: Path, key: str) -> None:
    movie = read_movie(SITES[key](tmp_path))
    assert movie.sizes == {"frame": 7, "y": 32, "x": 48}
    assert movie.time.values == pytest.approx(np.arange(7) / 5, abs=1e-3)
    assert movie.time.units == "s"
    assert movie.chunks is not None
    difference = np.abs(movie.values.astype(int) - FRAMES)
    # Edges of the square ring in a lossy codec, flat parts do not.
    assert np.median(difference) <= LOSS
    assert np.abs(movie.values[:, 20:, 20:].astype(int) - FRAMES[:, 20:, 20:]).max() <= LOSS
    assert (movie[0].values[10:14, 10:14] > movie[0].values[20:24, 20:24] + 40).all()


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_any_order_of_frames_gives_the_same_frames(tmp_path: Path, codec: str) -> None:
    import av

    path = write_video(tmp_path, codec=codec)
    with av.open(str(path)) as video:
        truth = [frame.to_ndarray(format="rgb24")[..., 0] for frame in video.decode(video=0)]
    movie = read_movie(path, channel="red")
    for number in (6, 0, 3, 2, 5, 1, 4, 4):
        assert np.array_equal(movie[number].values, truth[number]), number
    assert np.array_equal(movie[::-2].values, np.stack(truth)[::-2])
    assert np.array_equal(read_image(path, channel="red", frame=5).values, truth[5])


def test_colored_frames_ask_for_a_channel(tmp_path: Path) -> None:
    import av

    path = tmp_path / "color.mp4"
    with av.open(str(path), "w") as video:
        stream: Any = video.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        frame = np.zeros((32, 48, 3), np.uint8)
        frame[..., 0] = 200
        for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
            video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    with pytest.raises(ReadError, match='channel="red"'):
        read_movie(path)
    assert np.abs(read_movie(path, channel="red").values.astype(int) - 200).max() < 12


def test_a_cut_off_video_is_refused(tmp_path: Path) -> None:
    path = SITES["mp4"](tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError):
        read_movie(path)


def test_pictures_are_frames_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    movie = read_movie(SITES["sequence"](tmp_path))
    # frame_8, frame_9, frame_10, frame_11
    assert np.array_equal(movie.values, FRAMES[:4])
    assert any("frame_8.png to frame_11.png" in note for note in notes(movie))
    assert np.array_equal(movie[2].values, FRAMES[2])


def test_numbers_count_in_the_natural_order() -> None:
    names = ["b2", "a10b1", "a2", "a10"]
    assert sorted(names, key=natural_order) == ["a2", "a10", "a10b1", "b2"]


def test_a_folder_of_different_things_is_refused_with_a_list(tmp_path: Path) -> None:
    folder = SITES["sequence"](tmp_path)
    (folder / "notes.txt").write_text("measured today")
    with pytest.raises(ReadError, match=r"different things: 4 \.png, 1 \.txt"):
        read_movie(folder)


def test_pictures_of_different_size_are_refused_with_a_list(tmp_path: Path) -> None:
    folder = SITES["sequence"](tmp_path)
    Pillow.fromarray(FRAMES[0, :16]).save(folder / "frame_12.png")
    with pytest.raises(ReadError, match=r"4 of 32 x 48 L.*1 of 16 x 48 L"):
        read_movie(folder)


def test_what_systems_leave_in_folders_does_not_matter(tmp_path: Path) -> None:
    folder = SITES["sequence"](tmp_path)
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "Thumbs.db").write_bytes(b"\0")
    assert read_movie(folder).sizes["frame"] == 4
