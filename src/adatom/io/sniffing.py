"""Files that no format claims: what they are instead, and what helps."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Final

from adatom.errors import ReadError
from adatom.io.claims import HEAD_BYTES, Beginning
from adatom.io.guard import read_error

# Of two letters or more, unlike the drives of Windows; a path keeps one of two slashes.
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/")
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
# Kinds of files that people try, with what helps.
_FOREIGN: Final = (
    (b"%PDF", "a PDF document", "Export the picture itself as tif or png"),
    (b"<!DOCTYPE html", "a web page", "The download gave a page, not the file: download it again"),
    (b"<html", "a web page", "The download gave a page, not the file: download it again"),
    (b"{", "JSON text", "Give the array file; a calibration beside an array is found by itself"),
    (b"HDR,", "the header of a Merlin measurement", "Give the .mib file beside it"),
    (b"\x1f\x8b", "gzip-compressed", "Unpack it first"),
    (b"\x80\x04\x95", "a Python pickle, which can run any code", "Save arrays with numpy.save"),
    (b"\x80\x05\x95", "a Python pickle, which can run any code", "Save arrays with numpy.save"),
)

FORMATS_HINT: Final = (
    "`adatom formats` lists what is read; the instrument's software, Gwyddion or "
    "Fiji can export most others as tif, hspy or npy"
)


def beginning_of_file(path: Path, /) -> Beginning:
    """Read the beginning of a file.

    Raises
    ------
    ReadError
        If there is no file, it is empty, or a stand-in for one.
    """
    if path.is_dir():
        return Beginning(path, b"")
    if not path.exists():
        raise _missing(path)
    head = _head(path)
    if not head:
        raise read_error(path, "the file is empty", "Copy it again from where it was measured")
    if head.startswith(_LFS_POINTER):
        reason = "it is a Git LFS pointer, the name of a file that was not downloaded"
        raise read_error(path, reason, "Run `git lfs pull` in its repository, then read it again")
    return Beginning(path, head)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        raise read_error(path, reason, "Check that you may read it") from error


def unclaimed(beginning: Beginning, /) -> ReadError:
    """Make the error for a file that no format claims."""
    path, head = beginning.path, beginning.head
    if path.is_dir():
        return _unclaimed_folder(path)
    if head.startswith(b"PK\x03\x04"):
        return _unclaimed_zip(beginning)
    for magic, what, remedy in _FOREIGN:
        if head.lower().startswith(magic.lower()):
            return read_error(path, f"it is {what}", remedy)
    ending = path.suffix.lower()
    reason = f"its format is not known (ending {ending or 'none'!r}, first bytes {head[:8]!r})"
    return read_error(path, reason, FORMATS_HINT)


def _unclaimed_zip(beginning: Beginning) -> ReadError:
    path = beginning.path
    try:
        names = beginning.members
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        reason = f"its table of contents is damaged ({error})"
        return read_error(path, reason, "The file is cut off or damaged: copy it again")
    shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    return read_error(path, f"it is a zip archive of {shown or 'nothing'}", "Unpack it first")


def _unclaimed_folder(path: Path) -> ReadError:
    inside = sorted(file.name for file in path.iterdir() if not file.name.startswith("."))
    if not inside:
        return read_error(path, "it is an empty folder", "Check that the measurement was saved")
    return read_error(path, "it is a folder", f"Give a file in it, such as {inside[0]!r}")


def _missing(path: Path) -> ReadError:
    """Make the error for a path where there is nothing, which some mistakes explain."""
    if path.is_symlink():
        target = str(path.readlink())
        reason = f"it is a link to {target!r}, where there is nothing"
        return read_error(path, reason, "Copy the file itself, or mend the link")
    if _ADDRESS.match(str(path)):
        return read_error(path, "it is an address", "Download the file, then give its path")
    if path.parts[:1] == ("~",):
        remedy = f"Write {str(path.expanduser())!r}"
        return read_error(path, "'~' is understood by shells only", remedy)
    if "*" in path.name:
        return read_error(path, "there is no such file", "Give one file, or a folder of pictures")
    return read_error(path, "there is no such file", _neighbours(path))


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {str(path.parent)!r} either: check the path"
    alike = sorted(
        other.name for other in path.parent.iterdir() if other.stem.lower() == path.stem.lower()
    )
    return f"There is {', '.join(alike[:5])}" if alike else "Check the path"
