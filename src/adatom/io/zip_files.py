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
from adatom.io.claims import HEAD_BYTES, Beginning
from adatom.io.guard import check_size, read_error
from adatom.io.signals import RawFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adatom.io.signals import RawPart

_MAX_MEMBERS: Final = 2000
_MAX_UNPACKED: Final = 4 * 2**30
_COPIED_AT_ONCE: Final = 2**20
_ENCRYPTED: Final = 1
_ZIP: Final = b"PK\x03\x04"


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read all measurements of an archive; arrays are read from the unpacked files."""
    from adatom.io.opening import open_file

    parts: list[RawPart] = []
    failures = []
    folder = unpacked_archive(path)
    for name in _measurements(path):
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


def holds_measurements(beginning: Beginning, /) -> bool:
    """Claim archives in which a file is of a known format, but no documents of an office."""
    if not beginning.members or "[Content_Types].xml" in beginning.members:
        return False
    return next(_measurements(beginning.path), None) is not None


def _measurements(path: Path) -> Iterator[str]:
    """Name the members that a format claims, by their first bytes or their ending."""
    from adatom.io.formats import claimants

    with zipfile.ZipFile(path) as archive:
        for info in sorted(_files(archive), key=lambda info: info.filename)[:_MAX_MEMBERS]:
            with archive.open(info) as file:
                head = file.read(HEAD_BYTES)
            # An archive in an archive could hold itself.
            if not head or head.startswith(_ZIP):
                continue
            # There is no such file: whoever needs more than its beginning makes no claim.
            if claimants(Beginning(Path(info.filename), head)):
                yield info.filename


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """List members that are files and can be read, below their folder, but none of macOS."""
    return [
        info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.flag_bits & _ENCRYPTED
        and not info.filename.startswith(("/", "\\", "__MACOSX/"))
        and ".." not in PurePosixPath(info.filename.replace("\\", "/")).parts
        and ":" not in info.filename
    ]


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
        members = _files(archive)
        total = sum(info.file_size for info in members)
        if len(members) > _MAX_MEMBERS or total > _MAX_UNPACKED:
            reason = f"it is an archive of {len(members)} files, {total} bytes when unpacked"
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
