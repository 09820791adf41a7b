"""Videos: mp4, mov, avi and Matroska, frame by frame through PyAV."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.io.guard import read_error
from adatom.io.lazy import rows_array
from adatom.io.signals import COLORS, RawAxis, RawFile, RawSignal, axis_from_values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Only these demuxers: playlists and the like open other files and addresses.
_CONTAINERS: Final = {"mp4": "mov", "avi": "avi", "mkv": "matroska"}
_MAX_PIXELS: Final = 64_000_000
_MAX_FRAMES: Final = 50_000_000


@dataclass(frozen=True)
class _Index:
    """Where the frames of a video are.

    Attributes
    ----------
    container : str
        Name of FFmpeg's demuxer.
    stamps : tuple of int
        Time stamp of each frame in rising order; empty where the file has
        none, and frames are counted from the first.
    keys : tuple of (int, int)
        Time stamp, and place in the order of the file, of every frame that
        needs no other one.
    plane : str
        Pixels as they are asked of FFmpeg.
    """

    container: str
    stamps: tuple[int, ...]
    keys: tuple[tuple[int, int], ...]
    plane: str


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the stamps of all frames; pictures are decoded when they are needed."""
    container = _CONTAINERS[key]
    import av

    with av.open(str(path), format=container) as video:
        if not video.streams.video:
            raise read_error(path, "it holds sound, but no pictures", "Give a video")
        stream = video.streams.video[0]
        height, width = int(stream.codec_context.height), int(stream.codec_context.width)
        if not 0 < height * width <= _MAX_PIXELS:
            reason = f"its frames have {height} x {width} pixels"
            raise read_error(path, reason, f"Cut it to {_MAX_PIXELS} pixels or fewer")
        rate = float(stream.average_rate or 0)
        base = float(stream.time_base or 0)
        index, count = _index(path, video, stream, container)
        n_streams = len(video.streams.video)
    _require_frames(path, count)
    notes = ["frames of a video are compressed: their values are near those that were measured"]
    if n_streams > 1:
        notes.append(f"the first of its {n_streams} pictures side by side was read")
    time = _time_axis(index, count, base, rate, notes)
    axes = (time, RawAxis("y"), RawAxis("x"))
    grey = index.plane != "rgb24"
    shape = (count, height, width) if grey else (count, height, width, 3)
    dtype = np.dtype(np.uint16 if index.plane == "gray16le" else np.uint8)
    signal = RawSignal(
        rows_array(shape, dtype, partial(_frames, path, index, shape[1:])),
        axes,
        path.stem,
        colors=() if grey else COLORS[:3],
        notes=tuple(notes),
    )
    return RawFile(path, key, [signal])


def _index(path: Path, video: Any, stream: Any, container: str) -> tuple[_Index, int]:  # noqa: ANN401
    """Go through the packets, which is quick, since none is decoded."""
    stamps: list[int] = []
    keys: list[tuple[int, int]] = []
    count = 0
    stamped = True
    for packet in video.demux(stream):
        # The last, empty packet asks for what the decoder still holds.
        if not packet.size or packet.is_discard:
            continue
        count += 1
        if count > _MAX_FRAMES:
            raise read_error(path, f"it has more than {_MAX_FRAMES} frames", "Split it")
        if packet.pts is None:
            stamped = False
            continue
        stamps.append(int(packet.pts))
        if packet.is_keyframe:
            keys.append((int(packet.pts), int(packet.pts if packet.dts is None else packet.dts)))
    stamped = stamped and len(set(stamps)) == len(stamps)
    name = str(stream.codec_context.pix_fmt or "")
    plane = "rgb24"
    if name.startswith("gray"):
        plane = "gray" if name == "gray" else "gray16le"
    if not stamped:
        return _Index(container, (), (), plane), count
    return _Index(container, tuple(sorted(stamps)), tuple(sorted(keys)), plane), count


def _require_frames(path: Path, count: int) -> None:
    if not count:
        raise read_error(path, "it holds no frames", "The file may be cut off: copy it again")


def _time_axis(index: _Index, count: int, base: float, rate: float, notes: list[str]) -> RawAxis:
    """Give the times of frames: their own stamps, or by the rate of the file."""
    if index.stamps and base > 0:
        times = (np.array(index.stamps) - index.stamps[0]) * base
        axis = axis_from_values("time", "s", times)
        return RawAxis("time", "s", axis.scale, axis.offset, axis.values, stored="stack")
    if rate > 0:
        notes.append("frames have no times of their own: they were counted by the frame rate")
        return RawAxis("time", "s", 1 / rate, stored="stack")
    del count
    return RawAxis("frame", stored="stack")


def _frames(
    path: Path, index: _Index, shape: tuple[int, ...], numbers: Sequence[int]
) -> Iterator[NDArray[Any]]:
    """Give frames of some numbers, going on where the last one was if that is ahead."""
    import av

    with av.open(str(path), format=index.container) as video:
        stream = video.streams.video[0]
        stream.codec_context.thread_count = 1
        # Of a damaged frame FFmpeg would take the memory of whatever size it claims to be.
        most = 4 * shape[0] * shape[1] + 2**20
        stream.codec_context.options = {"max_pixels": str(most)}
        decoded = _decoded(video, stream, index, 0)
        at, frame = next(decoded)
        for number in numbers:
            if number < at or _has_key_between(index, at, number):
                decoded = _decoded(video, stream, index, number)
                at, frame = next(decoded)
            while at < number:
                at, frame = _following(decoded, number)
            if at != number:
                msg = f"frame {number} could not be found"
                raise ValueError(msg)
            picture = frame.to_ndarray(format=index.plane)
            if picture.shape != shape:
                msg = f"frame {number} has shape {picture.shape}, the first one {shape}"
                raise ValueError(msg)
            yield picture


def _following(decoded: Iterator[tuple[int, Any]], number: int) -> tuple[int, Any]:
    try:
        return next(decoded)
    except StopIteration:
        msg = f"the video ends before frame {number}"
        raise ValueError(msg) from None


def _has_key_between(index: _Index, at: int, number: int) -> bool:
    """Tell whether a frame that needs no other one lies ahead, so that a jump saves time."""
    if not index.stamps or number - at < 2:
        return False
    place = bisect_right(index.keys, (index.stamps[number], 2**63)) - 1
    return place >= 0 and index.keys[place][0] > index.stamps[at]


def _decoded(video: Any, stream: Any, index: _Index, number: int) -> Iterator[tuple[int, Any]]:  # noqa: ANN401
    """Decode from the key frame before a number on, telling the number of each frame."""
    if not index.stamps:
        # Frames without stamps can only be counted from the first.
        video.seek(0, stream=stream)
        yield from enumerate(video.decode(stream))
        return
    target = index.stamps[number]
    place = bisect_right(index.keys, (target, 2**63)) - 1
    numbers = {stamp: i for i, stamp in enumerate(index.stamps)}
    while True:
        # Frames stand in the order of decoding: those shown before a key frame may follow it.
        start = index.keys[place][1] if place >= 0 else index.stamps[0]
        video.seek(start, stream=stream, backward=True)
        frames = (one for one in video.decode(stream) if one.pts in numbers)
        first = next(frames, None)
        if first is not None and first.pts <= target:
            break
        if place < 0:
            msg = f"frame {number} could not be found"
            raise ValueError(msg)
        place -= 1
    yield numbers[first.pts], first
    for frame in frames:
        yield numbers[frame.pts], frame
