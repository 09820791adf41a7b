"""The format of a file, by what it holds rather than by what it is called."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from adatom.io.guard import read_error

_HEAD_BYTES: Final = 560

_MAGIC: Final = (
    (b"\x93NUMPY", "npy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
    (b"II+\x00", "tif"),
    (b"MM\x00+", "tif"),
    (b"II\x97\x01", "ser"),
    (b"\x00\x00\x00\x03", "dm"),
    (b"\x00\x00\x00\x04", "dm"),
)
_BY_ENDING: Final = {".mrc": "mrc", ".emi": "ser", ".zspy": "zspy"}

_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
# Kinds of files that people try, with what helps.
_FOREIGN: Final = (
    (b"%PDF", "a PDF document", "Export the picture itself as tif or png"),
    (b"<!DOCTYPE html", "a web page", "The download gave a page, not the file: download it again"),
    (b"<html", "a web page", "The download gave a page, not the file: download it again"),
    (b"{", "JSON text", "Give the array file; a calibration beside an array is found by itself"),
    (b"\x1f\x8b", "gzip-compressed", "Unpack it first"),
    (b"\x80\x04\x95", "a Python pickle, which can run any code", "Save arrays with numpy.save"),
    (b"\x80\x05\x95", "a Python pickle, which can run any code", "Save arrays with numpy.save"),
    (b"BM", "a bmp picture", "Save it as png or tif"),
    (b"GIF8", "a gif picture", "Save it as png or tif"),
)
# Formats of instruments that are told apart from damage, but not read.
_NOT_READ: Final = {
    ".sxm": "Nanonis",
    ".3ds": "Nanonis grid",
    ".gwy": "Gwyddion",
    ".ibw": "Igor",
    ".asd": "high-speed AFM",
    ".spm": "Bruker AFM",
    ".jpk": "JPK",
    ".jpk-force": "JPK",
    ".jpk-force-map": "JPK",
    ".jpk-qi-data": "JPK",
    ".jpk-qi-series": "JPK",
    ".top": "WSxM",
    ".stp": "WSxM",
    ".mtrx": "Omicron Matrix",
    ".mat": "MATLAB",
    ".bcf": "Bruker EDS",
    ".blo": "NanoMEGAS",
    ".mib": "Merlin",
    ".sur": "Digital Surf",
    ".wdf": "Renishaw",
    ".img": "Hamamatsu",
    ".imzml": "imzML",
    ".ibd": "imzML",
    ".axz": "Anasys",
    ".rda": "R",
    ".csv": "table",
    ".txt": "text",
    ".dat": "text",
}


FORMATS_HINT: Final = (
    "`adatom formats` lists what is read; the instrument's software, Gwyddion or "
    "Fiji can export most others as tif, hspy or npy"
)


def family_of_file(path: Path, /) -> str:
    """Name the family of formats that a file belongs to.

    Raises
    ------
    ReadError
        If there is no file, it is empty, a stand-in for one, or of no
        format that is read.
    """
    if path.is_dir():
        return _family_of_folder(path)
    if not path.exists():
        raise read_error(path, "there is no such file", _neighbours(path))
    head = _head(path)
    if not head:
        raise read_error(path, "the file is empty", "Copy it again from where it was measured")
    if head.startswith(_LFS_POINTER):
        reason = "it is a Git LFS pointer, the name of a file that was not downloaded"
        raise read_error(path, reason, "Run `git lfs pull` in its repository, then read it again")
    return _family_of_head(path, head)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        raise read_error(path, reason, "Check that you may read it") from error


def _family_of_head(path: Path, head: bytes) -> str:
    for magic, family in _MAGIC:
        if head.startswith(magic):
            return family
    if head.startswith(b"PK\x03\x04"):
        return _family_of_zip(path)
    if head[208:212] in {b"MAP ", b"MAP\x00"}:
        return "mrc"
    if head.startswith(b"JL"):
        return "ser"
    ending = path.suffix.lower()
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    if head[4:8] == b"ftyp":
        raise read_error(path, "it is a video", "Export its frames as a tif stack, without loss")
    _refuse_unread(path)
    for magic, what, remedy in _FOREIGN:
        if head.lower().startswith(magic.lower()):
            raise read_error(path, f"it is {what}", remedy)
    reason = f"its format is not known (ending {ending or 'none'!r}, first bytes {head[:8]!r})"
    raise read_error(path, reason, FORMATS_HINT)


def _refuse_unread(path: Path) -> None:
    sort = _NOT_READ.get(path.suffix.lower())
    if sort:
        reason = f"adatom does not read {sort} files ({path.suffix})"
        raise read_error(path, reason, FORMATS_HINT)


def _family_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        reason = f"its table of contents is damaged ({error})"
        raise read_error(path, reason, "The file is cut off or damaged: copy it again") from error
    if any(Path(name).name in {".zgroup", "zarr.json"} for name in names):
        return "zspy"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    _refuse_unread(path)
    shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    raise read_error(path, f"it is a zip archive of {shown or 'nothing'}", "Unpack it first")


def _family_of_folder(path: Path) -> str:
    if (path / ".zgroup").exists() or (path / "zarr.json").exists():
        return "zspy"
    raise read_error(path, "it is a folder", "Give a file in it")


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {str(path.parent)!r} either: check the path"
    alike = sorted(
        other.name for other in path.parent.iterdir() if other.stem.lower() == path.stem.lower()
    )
    return f"There is {', '.join(alike[:5])}" if alike else "Check the path"
