"""Files that unpack, or promise to unpack, to far more than they are."""

from __future__ import annotations

import bz2
import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from fuzz_child import FuzzChild

GIGABYTES = 2 * 2**30
_BLOCK = bytes(2**20)


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzChild]:
    one = FuzzChild(tmp_path_factory.mktemp("child"))
    yield one
    one.close()


def _npy_header(side: int) -> bytes:
    header = repr({"descr": "<f4", "fortran_order": False, "shape": (side, side)}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n"


def _zip(path: Path, name: str, head: bytes = b"") -> Path:
    """Write an archive of one member of 2 GB of zeros, 2 MB packed."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        member.write(head)
        for _ in range(GIGABYTES // len(_BLOCK)):
            member.write(_BLOCK)
    return path


def npz(folder: Path) -> Path:
    return _zip(folder / "bomb.npz", "image.npy", _npy_header(23000))


def npz_in_a_zip(folder: Path) -> Path:
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(npz(folder), "inner.npz")
    return path


def text_in_a_zip(folder: Path) -> Path:
    return _zip(folder / "bomb.zip", "table.csv", b"y,x\n1,2\n")


def force_map(folder: Path) -> Path:
    return _zip(folder / "bomb.jpk-force-map", "data0/segments/0/segment-header.properties")


def zipped_zarr(folder: Path) -> Path:
    return _zip(folder / "bomb.zspy", ".zgroup")


def openraster(folder: Path) -> Path:
    return _zip(folder / "bomb.ora", "mergedimage.png", b"\x89PNG\r\n\x1a\n")


def gzipped_analysis(folder: Path) -> Path:
    path = folder / "bomb.axz"
    with gzip.open(path, "wb") as file:
        file.write("<?xml version='1.0'?><Document DocType='IR'>".encode("utf-16"))
        for _ in range(GIGABYTES // len(_BLOCK)):
            file.write(_BLOCK)
    return path


def r_by_bzip2(folder: Path) -> Path:
    path = folder / "bomb.rda"
    # Zeros pack to almost nothing: 2 GB in streams of 64 MB, one after the other.
    stream = bz2.compress(bytes(2**26))
    path.write_bytes(bz2.compress(b"RDX2\nX\n") + stream * 32)
    return path


def matlab(folder: Path) -> Path:
    path = folder / "bomb.mat"
    packer = zlib.compressobj(9)
    name = struct.pack("<HH4s", 1, 1, b"m")
    size = 2**31 - 2**20
    head = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, 2**14, 2**14 - 2**7)
    head += name + struct.pack("<II", 9, size - 48)
    packed = packer.compress(struct.pack("<II", 14, size) + head)
    packed += b"".join(packer.compress(_BLOCK) for _ in range(size // len(_BLOCK)))
    packed += packer.flush()
    text = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(text + struct.pack("<II", 15, len(packed)) + packed)
    return path


def tif(folder: Path) -> Path:
    path = folder / "bomb.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        places = [tags[name].offset + 8 for name in ("ImageWidth", "ImageLength", "RowsPerStrip")]
    for place in places:
        content[place - 8 + 2 : place - 8 + 4] = struct.pack("<H", 4)
        content[place : place + 4] = struct.pack("<I", 100_000)
    path.write_bytes(bytes(content))
    return path


def _png_chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(folder: Path) -> Path:
    path = folder / "bomb.png"
    head = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    pixels = _png_chunk(b"IDAT", zlib.compress(bytes(2**24)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + pixels + _png_chunk(b"IEND", b""))
    return path


def hdf5_chunk(folder: Path) -> Path:
    path = folder / "bomb.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("map", (2**15, 2**15), "f4", chunks=(2**12, 2**12),
                                   compression="gzip")  # fmt: skip
        made[0, 0] = 1.0
    return path


def entities(folder: Path) -> Path:
    lines = ["<!ENTITY a0 'ha'>"]
    lines += [f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12)]
    path = folder / "bomb.imzML"
    path.write_text(
        f"<?xml version='1.0'?><!DOCTYPE mzML [{''.join(lines)}]>"
        "<mzML xmlns='http://psi.hupo.org/ms/mzml'><cvList>&a11;</cvList></mzML>"
    )
    path.with_suffix(".ibd").write_bytes(bytes(64))
    return path


def foreign_entity(folder: Path) -> Path:
    (folder / "secret").write_text("kept to oneself")
    path = folder / "bomb.xml"
    place = (folder / "secret").as_uri()
    path.write_text(
        f"<?xml version='1.0'?><!DOCTYPE Tracks [<!ENTITY s SYSTEM '{place}'>]>"
        "<Tracks nTracks='1' spaceUnits='&s;'><particle nSpots='1'>"
        "<detection t='0' x='1' y='1' z='0'/></particle></Tracks>"
    )
    return path


BOMBS: list[Callable[[Path], Path]] = [
    npz, npz_in_a_zip, text_in_a_zip, force_map, zipped_zarr, openraster, gzipped_analysis,
    r_by_bzip2, matlab, tif, png, hdf5_chunk, entities, foreign_entity,
]  # fmt: skip
_SLOW_TO_WRITE = {npz, npz_in_a_zip, text_in_a_zip, force_map, zipped_zarr, openraster,
                  gzipped_analysis, matlab}  # fmt: skip

# Zeros, but as many as are promised: whoever has the memory may read them.
_REALLY_THERE = {npz, matlab, hdf5_chunk}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(one, id=one.__name__, marks=[pytest.mark.slow] * (one in _SLOW_TO_WRITE))
        for one in BOMBS
    ],
)
def test_a_bomb_is_refused_before_it_unpacks(
    write: Callable[[Path], Path], child: FuzzChild, tmp_path: Path
) -> None:
    path = write(tmp_path)
    assert path.stat().st_size < 2**23
    outcome = child.read(path)
    allowed = {"refused", "memory", "read"} if write in _REALLY_THERE else {"refused"}
    assert outcome.status in allowed, outcome.text
    assert "kept to oneself" not in outcome.text
