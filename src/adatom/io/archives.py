"""Zip archives of measurements: unpacked to a temporary place, and read as what they hold."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from adatom.errors import ReadError
from adatom.io.claims import MAX_FILES, files_of_archive, known_members
from adatom.io.formats import claimants
from adatom.io.guard import check_size, read_error
from adatom.io.opening import open_file
from adatom.io.signals import RawFile

if TYPE_CHECKING:
    from adatom.io.signals import RawPart

_MAX_UNPACKED: Final = 4 * 2**30
_COPIED_AT_ONCE: Final = 2**20


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all measurements of an archive; arrays are read from the unpacked files."""
    parts: list[RawPart] = []
    failures = []
    folder = unpacked_archive(path)
    for name in known_members(path, claimants):
        try:
            found = open_file(folder / name)
        except ReadError as failure:
            # Nobody knows the temporary folder.
            reason = str(failure).partition("): ")[2]
            failures.append(read_error(path, f"of its file {name!r}: {reason}", ""))
            continue
        parts.extend(_of_member(part, name) for part in found.parts)
    if not parts:
        raise failures[0] if failures else _nothing_known(path)
    told = [f"one of its files could not be read: {failure}" for failure in failures[:3]]
    return RawFile(path, key, [replace(part, notes=(*part.notes, *told)) for part in parts])


def _of_member(part: RawPart, name: str) -> RawPart:
    place = PurePosixPath(name).name
    return replace(part, name=place if part.name == "unnamed" else f"{place}: {part.name}")


def unpacked_archive(path: Path, /) -> Path:
    """Unpack an archive to a temporary folder, which is deleted when Python ends.

    Returns
    -------
    Path
        The folder; the same for the same file.

    Raises
    ------
    ReadError
        If it holds more than 2000 files or unpacks to more than 4 GB, or to
        more than can be packed into it.
    """
    state = path.stat()
    return _unpacked(path.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _unpacked(path: Path, changed: int, size: int) -> Path:
    del changed  # Only tells one state of a file from the next.
    with zipfile.ZipFile(path) as archive:
        members = files_of_archive(archive)
        total = sum(info.file_size for info in members)
        if len(members) > MAX_FILES or total > _MAX_UNPACKED:
            more = " or more" if len(members) > MAX_FILES else ""
            reason = f"it is an archive of {len(members)} files{more}, {total} bytes when unpacked"
            raise read_error(path, reason, "Unpack it first")
        check_size(path, (total,), 1, stored=size)
        folder = Path(tempfile.mkdtemp(prefix="adatom-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for info in members:
            _unpack(path, archive, info, folder)
    return folder


def _unpack(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    place = folder / info.filename
    place.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with archive.open(info) as packed, place.open("wb") as file:
        while block := packed.read(_COPIED_AT_ONCE):
            left -= len(block)
            if left < 0:
                reason = f"its member {info.filename!r} is larger than it says"
                raise read_error(path, reason, "The file is damaged: copy it again")
            file.write(block)


def _nothing_known(path: Path) -> ReadError:
    return read_error(path, "it is a zip archive without a measurement", "Unpack it first")
