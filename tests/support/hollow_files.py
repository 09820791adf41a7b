"""Files of 4 GB that take no room, being holes, and what it costs to open them.

Run as a script, this file is the child that measures one of them: it reads a
small file of the same format first, so that imports are not counted.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import numpy as np
import tifffile
import zarr
from written_dm import write_dm4

SIDE: Final = 1024
FRAMES: Final = 2000
MOVIE: Final = (FRAMES, SIDE, SIDE)
"""2000 frames of 1024 x 1024 px in uint16: 4 GB."""


class Cost(NamedTuple):
    """What opening, listing and one frame or spectrum took; memory is beyond the imports."""

    seconds: float
    megabytes: float
    what: str


def _hollow(path: Path, head: bytes, size: int) -> Path:
    path.write_bytes(head)
    with path.open("r+b") as file:
        file.truncate(len(head) + size)
    return path


def _bytes(shape: tuple[int, ...], itemsize: int = 2) -> int:
    return int(np.prod(shape)) * itemsize


def hollow_dataset(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: str) -> Any:
    """Make a dataset whose room is taken in the file, but never written."""
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    layout.set_chunk((1, *shape[1:]))
    space, kind = h5py.h5s.create_simple(shape), h5py.h5t.py_create(np.dtype(dtype))
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, layout))


def large_npy(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    header = repr({"descr": "<u2", "fortran_order": False, "shape": shape}).encode()
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n"
    return _hollow(folder / "movie.npy", head, _bytes(shape))


def large_tif(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    path = folder / "movie.tif"
    tifffile.imwrite(path, shape=shape, dtype="u2", bigtiff=True, metadata={"axes": "TYX"})
    return path


def large_mrc(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    header = np.zeros(256, "<i4")
    header[:4] = *shape[::-1], 6
    header[7:10] = shape[::-1]
    header.view("<f4")[10:13] = 1e3
    header[16:19] = 1, 2, 3
    content = bytearray(header.tobytes())
    content[208:216] = b"MAP \x44\x44\x00\x00"
    return _hollow(folder / "movie.mrc", bytes(content), _bytes(shape))


def large_dm4(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    return write_dm4(folder / "movie.dm4", shape, "<u2", {"nm": 0.5, "nm ": 0.5, "s": 1.0})


def large_hdf5(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    path = folder / "movie.h5"
    with h5py.File(path, "w") as file:
        hollow_dataset(file, "movie", shape, "u2").dims[0].label = "frame"
    return path


def large_hspy(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    path = folder / "movie.hspy"
    with h5py.File(path, "w") as file:
        file.attrs.update(file_format="HyperSpy", file_format_version="3.3")
        signal = file.create_group("Experiments/movie")
        hollow_dataset(signal, "data", shape, "u2")
        for number, name in enumerate(("time", "y", "x")):
            signal.create_group(f"axis-{number}").attrs.update(
                name=name, units="nm" if number else "s", scale=0.5, offset=0.0,
                size=shape[number], navigate=number == 0,
            )  # fmt: skip
        signal.create_group("metadata/General").attrs["title"] = "movie"
        signal.create_group("original_metadata")
    return path


def large_zspy(folder: Path, shape: tuple[int, ...] = MOVIE) -> Path:
    path = folder / "movie.zspy"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update(file_format="ZSpy", file_format_version="3.3")
    signal = root.create_group("Experiments/movie")
    signal.create_array("data", shape=shape, chunks=(1, *shape[1:]), dtype="u2")
    for number, name in enumerate(("time", "y", "x")):
        signal.create_group(f"axis-{number}").attrs.update(
            name=name, units="nm" if number else "s", scale=0.5, offset=0.0,
            size=shape[number], navigate=number == 0,
        )  # fmt: skip
    signal.create_group("metadata/General").attrs["title"] = "movie"
    signal.create_group("original_metadata")
    return path


def large_blo(folder: Path, shape: tuple[int, ...] = (256, 256, 254, 254)) -> Path:
    rows, columns, side, _ = shape
    start = 0x1000
    head = struct.pack("<6sHIII", b"IMGBLO", 0x0102, start, start + rows * columns, 0)
    head += struct.pack("<5H", side, 0, columns, rows, 0)
    head += struct.pack("<ddIHId", 2.5, 2.5, 200_000, 4000, 1200, 42339.5)
    frames = rows * columns * (1 + 6 + side * side)
    return _hollow(folder / "patterns.blo", head.ljust(start, b"\0"), frames)


def large_ripple(folder: Path, shape: tuple[int, ...] = (1024, 1024, 2048)) -> Path:
    rows, columns, channels = shape
    lines = {
        "width": columns, "height": rows, "depth": channels, "offset": 0, "data-length": 2,
        "data-type": "unsigned", "byte-order": "little-endian", "record-by": "vector",
        "depth-name": "Energy", "depth-units": "eV", "depth-scale": 0.5, "depth-origin": 0,
    }  # fmt: skip
    text = "".join(f"{key}\t{value}\n" for key, value in {"key": "value", **lines}.items())
    path = folder / "map.rpl"
    path.write_text(text)
    _hollow(folder / "map.raw", b"", _bytes(shape))
    return path


def large_empad(folder: Path, rows: int = 254) -> Path:
    name = f"scan_x{rows}_y{rows}.raw"
    _hollow(folder / name, b"", rows * rows * 130 * 128 * 4)
    path = folder / "scan.xml"
    path.write_text(
        f'<?xml version="1.0"?><root><raw_file filename="{name}"/><pix_x>{rows}</pix_x>'
        f'<pix_y>{rows}</pix_y><timestamp isoformat="2019-06-07T08:09:10"/></root>'
    )
    return path


def large_nsid(folder: Path, shape: tuple[int, ...] = (1024, 1024, 2000)) -> Path:
    path = folder / "scan.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement_000/Channel_0/Channel_0")
        main = hollow_dataset(group, "Channel_0", shape, "u2")
        main.attrs.update(
            main_data_name="generic", data_type="SPECTRAL_IMAGE", quantity="Current", units="nA",
            modality="generic", source="generic",
        )  # fmt: skip
        for number, (name, unit, kind) in enumerate(
            [("y", "nm", "SPATIAL"), ("x", "nm", "SPATIAL"), ("Voltage", "V", "SPECTRAL")]
        ):
            group[name] = np.arange(shape[number], dtype=float)
            group[name].attrs.update(units=unit, dimension_type=kind, name=name)
            group[name].make_scale(name)
            main.dims[number].attach_scale(group[name])
    return path


LARGE: dict[str, Callable[[Path], Path]] = {
    "npy": large_npy,
    "tif": large_tif,
    "mrc": large_mrc,
    "dm": large_dm4,
    "hdf5": large_hdf5,
    "hspy": large_hspy,
    "zspy": large_zspy,
    "blo": large_blo,
    "ripple": large_ripple,
    "empad": large_empad,
    "nsid": large_nsid,
}
"""Key of the format -> writes a file of 4 GB into a folder and gives its path."""

STREAMED: dict[str, Callable[[Path, tuple[int, ...]], Path]] = {
    "npy": large_npy,
    "tif": large_tif,
    "mrc": large_mrc,
    "dm": large_dm4,
    "hdf5": large_hdf5,
    "hspy": large_hspy,
    "zspy": large_zspy,
}
"""Formats of movies -> writes one of some shape."""


def measured_cost(small: Path, large: Path, *, stream: int = 0) -> Cost:
    """Measure in a child what a large file costs, or a movie in blocks of `stream` frames."""
    done = subprocess.run(
        [sys.executable, __file__, str(stream), str(small), str(large)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return Cost(*json.loads(done.stdout))


def _peak() -> float:
    """Give the most memory since `_forget_peak`, in MB."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _open(path: str) -> str:
    from adatom.io import read_contents, read_data

    names = read_contents(path)["name"].values
    data: Any = read_data(path, dataset=str(names[0]))
    # A frame of a movie, a spectrum or a pattern of a map.
    middle = {"frame": 0.5} if "frame" in data.dims else {"y": 0.5, "x": 0.5}
    index = {dim: int(data.sizes[dim] * share) for dim, share in middle.items()}
    one = data.isel(index).compute()
    return f"{' x '.join(map(str, data.shape))} {data.dtype}, read {one.shape}"


def _stream(path: str, at_once: int) -> str:
    from adatom.io import read_movie

    movie = read_movie(path)
    total = 0.0
    for first in range(0, movie.sizes["frame"], at_once):
        total += float(movie[first : first + at_once].values.max())
    return f"{movie.sizes['frame']} frames, {total}"


def main() -> None:
    """Read the small file, then measure the large one."""
    at_once = int(sys.argv[1])
    work = partial(_stream, at_once=at_once) if at_once else _open
    work(sys.argv[2])
    _forget_peak()
    before, start = _peak(), time.perf_counter()
    what = work(sys.argv[3])
    seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps([round(seconds, 3), round(_peak() - before, 1), what]))


if __name__ == "__main__":
    main()
