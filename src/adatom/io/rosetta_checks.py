"""What headers promise, compared with the size of the file before RosettaSciIO takes memory."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

import h5py
import numpy as np

from adatom.io.guard import check_size, read_error

_DAMAGED: Final = "The file is cut off or damaged: copy it again"
_LABELS: Final = "DIMENSION_LABELS"
_MAX_TEXT: Final = 2**16
_LITTLE_ENDIAN: Final = 0x4949
_LAST_NARROW: Final = 528
_SPECTRA: Final = 0x4120
_SER_BYTES: Final = {1: 1, 2: 2, 3: 4, 4: 1, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 16}
_MAX_JSON: Final = 2**22
_MRC_BYTES: Final = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 6: 2, 12: 2}
_MERLIN_BYTES: Final = {"U08": 1, "U16": 2, "U32": 4}
# A frame of EMPAD: 128 rows of 128 numbers, and two rows of its own.
_EMPAD_FRAME: Final = 130 * 128 * 4


def check_blockfile(path: Path, /) -> None:
    """Compare the patterns of a blockfile with its size; six bytes go before each."""
    size = path.stat().st_size
    head = _unpacked(path, "<6sHIIIHHHH", 0)
    start, patterns, side, columns, rows = head[2], head[3], head[5], head[7], head[8]
    if start > size or patterns > size:
        raise read_error(path, f"its data are to begin at byte {patterns} of {size}", _DAMAGED)
    check_size(path, (rows, columns, side * side + 6), 1, stored=size - patterns, packed=False)


def check_mrc(path: Path, /) -> None:
    """Compare the sections of an MRC or MRCZ file with its size."""
    columns, rows, sections, mode = _unpacked(path, "<4i", 0)
    (extended,) = _unpacked(path, "<i", 92)
    shape = (sections, rows, columns)
    if min(shape) < 0 or extended < 0:
        raise read_error(path, f"its header gives shape {shape}", _DAMAGED)
    # MRCZ adds a thousand for each of its ways to compress.
    compressed, mode = divmod(mode, 1000)
    stored = path.stat().st_size - 1024 - extended
    check_size(path, shape, _MRC_BYTES.get(mode, 1), stored=stored, packed=bool(compressed))


def check_merlin(path: Path, /) -> str:
    """Tell of a last frame of Merlin that was not written to its end."""
    with path.open("rb") as file:
        fields = file.read(384).decode("ascii", "replace").split(",")
    head, columns, rows = (int(fields[i]) for i in (2, 4, 5))
    frame = head + rows * columns * _MERLIN_BYTES.get(fields[6], 1)
    left = path.stat().st_size % frame
    return f"{left} bytes at the end are no whole frame and were not read" if left else ""


def check_renishaw(path: Path, /) -> None:
    """Walk along the blocks of a WiRE file, each of which gives its own size."""
    size = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[8:16], "little") if len(head) == 16 else 0
            if length < 16 or place + length > size:
                raise read_error(path, f"its block at byte {place} of {size} is cut off", _DAMAGED)
            place += length


def check_spectra_of_edax(path: Path, /) -> None:
    """Compare the spectra of an EDAX map with its size; single spectra are small."""
    if path.suffix.lower() == ".spc":
        return
    columns, rows, channels, itemsize, start = _unpacked(path, "<5I", 24)
    stored = path.stat().st_size - start
    check_size(path, (rows, columns, channels), itemsize, stored=stored, packed=False)


def check_markup(path: Path, /) -> None:
    """Refuse XML that declares a document type, by which entities could grow without end."""

    def refuse(*_: object) -> None:
        raise read_error(path, "it declares a document type", "Measurements need none: delete it")

    def finish(*_: object) -> None:
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = finish
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except StopIteration:
        return


def check_empad(path: Path, /) -> None:
    """Find the numbers of an EMPAD measurement and compare their size with the scan."""
    check_markup(path)
    root = ET.parse(path).getroot()  # noqa: S314 -- without a document type
    place = root.find("raw_file")
    name = "" if place is None else place.get("filename", "")
    raw = _beside(path, name)
    frames = [root.findtext(f"scan_parameters/{key}") for key in ("series_count",)]
    frames += [root.findtext(key) for key in ("pix_y", "pix_x")]
    counts = [int(text) for text in frames if text is not None]
    check_size(path, counts, _EMPAD_FRAME, stored=raw.stat().st_size, packed=False)


def check_ripple(path: Path, /) -> None:
    """Find the numbers of a ripple file and compare their size with its text."""
    with path.open("rb") as file:
        text = file.read(_MAX_TEXT).decode("latin-1").lower()
    found = dict(re.findall(r"^\W*(?:mlx::)?([a-z-]+)[\s:]+(\d+)", text, re.MULTILINE))
    sizes = [int(found.get(key, "1")) for key in ("height", "width", "depth")]
    raw = _beside(path, path.with_suffix(".raw").name, path.with_suffix(".RAW").name)
    stored = raw.stat().st_size - int(found.get("offset", "0"))
    check_size(path, sizes, int(found.get("data-length", "1")), stored=stored, packed=False)


def check_hdf5(path: Path, /) -> None:
    """Compare every array of an HDF5 file with the bytes that are stored of it."""

    def compare(_: str, place: object) -> None:
        if isinstance(place, h5py.Dataset) and place.shape:
            stored = place.id.get_storage_size()
            check_size(path, place.shape, place.dtype.itemsize, stored=stored)
            # Labels that cannot be read let the HDF5 library crash when it is asked for one.
            labels = np.shape(place.attrs.get(_LABELS, np.empty(place.ndim)))
            if labels != (place.ndim,):
                raise read_error(path, f"{place.name} has labels of shape {labels}", _DAMAGED)

    with h5py.File(path, "r") as file:
        file.visititems(compare)


def check_members(path: Path, /) -> None:
    """Compare what the members of a zip archive unpack to with what is stored of them."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            check_size(path, (info.file_size,), 1, stored=info.compress_size)


def check_ser(path: Path, /) -> None:
    """Compare the spectra or images of a TIA series, which is read at once, with its size.

    The layout is that of C. Boothroyd's description of TIA's series files.
    """
    size = path.stat().st_size
    order, _, version, kind, _, _, valid = _unpacked(path, "<HHHIIII", 0)
    # The data of an .emi lie in series files of their own.
    if order != _LITTLE_ENDIAN:
        return
    narrow = version <= _LAST_NARROW
    (table,) = _unpacked(path, "<I" if narrow else "<Q", 22)
    check_size(path, (valid, 4 if narrow else 8), 1, stored=max(size - table, 0), packed=False)
    _check_ser_texts(path, 26 if narrow else 30, size)
    if not valid:
        return
    (first,) = _unpacked(path, "<I" if narrow else "<Q", table)
    # A calibration (offset, step, element) for each axis stands before type and lengths.
    axes = 1 if kind == _SPECTRA else 2
    number, *lengths = _unpacked(path, f"<h{axes}i", first + 20 * axes)
    check_size(path, (valid, *lengths), _SER_BYTES.get(number, 1), stored=size, packed=False)


def _check_ser_texts(path: Path, offset: int, size: int) -> None:
    """Walk along the dimensions of a series: their names and units must lie within the file."""
    (dimensions,) = _unpacked(path, "<I", offset)
    check_size(path, (dimensions, 32), 1, stored=size, packed=False)
    offset += 4
    for _ in range(dimensions):
        # Length, calibration and element of the dimension come first.
        offset += 24
        for _ in ("name", "unit"):
            (length,) = _unpacked(path, "<I", offset)
            check_size(path, (length,), 1, stored=max(size - offset, 0), packed=False)
            offset += 4 + length


def check_zipped_zarr(path: Path, /) -> None:
    """Compare the arrays of a zipped zarr store, which is read at once, with its size."""
    if path.is_dir() or not zipfile.is_zipfile(path):
        return
    stored = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith((".zarray", "zarr.json")):
                continue
            with archive.open(name) as member:
                described = json.loads(member.read(_MAX_JSON))
            if "shape" in described:
                check_size(path, described["shape"], _item_bytes(described), stored=stored)


def _item_bytes(described: Mapping[str, Any]) -> int:
    """Give the bytes of a number of an array in version 2 or 3 of zarr; one of other things."""
    try:
        return int(np.dtype(described.get("dtype", described.get("data_type"))).itemsize)
    except TypeError:
        return 1


def _unpacked(path: Path, layout: str, offset: int) -> tuple[int, ...]:
    with path.open("rb") as file:
        file.seek(offset)
        head = file.read(struct.calcsize(layout))
    if len(head) < struct.calcsize(layout):
        raise read_error(path, "it ends within its header", _DAMAGED)
    return struct.unpack(layout, head)


def _beside(path: Path, *names: str) -> Path:
    """Find the file of numbers beside a header; a header may not point anywhere else."""
    for name in names:
        if name and Path(name).name == name and (path.parent / name).is_file():
            return path.parent / name
    reason = f"its numbers are in {names[0]!r}, which is not beside it"
    raise read_error(path, reason, "Copy both files into one folder")
