"""Members of zip archives, checked before they are unpacked, and read without the archive's table.

Python reads the whole table of contents whenever it opens an archive, which takes a second
for a map of ten thousand curves.
"""

from __future__ import annotations

import zipfile
import zlib
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from adatom.io.guard import read_error

if TYPE_CHECKING:
    from pathlib import Path

# Deflate packs no more than 1032 bytes into one.
_PACKING: Final = 1032
_LOCAL_HEADER: Final = 30


class Member(NamedTuple):
    """Where a member lies in its archive."""

    name: str
    start: int
    packed: int
    size: int
    method: int
    checksum: int


def table_of_contents(path: Path, /) -> tuple[zipfile.ZipInfo, ...]:
    """List the members of an archive; who claims it and who reads it parse its table once.

    Raises
    ------
    zipfile.BadZipFile
        If the table is damaged.
    """
    about = path.stat()
    return _table_of_contents(path, about.st_size, about.st_mtime_ns)


# One table is kept, which is small next to its archive, and known to be of this version of it.
@lru_cache(maxsize=1)
def _table_of_contents(path: Path, size: int, changed: int) -> tuple[zipfile.ZipInfo, ...]:
    del size, changed
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.infolist())


def member_of_info(path: Path, info: zipfile.ZipInfo, /, *, stored: int) -> Member:
    """Note where a member lies, and refuse one that cannot be in an archive of `stored` bytes.

    Raises
    ------
    ReadError
        If it is packed into more bytes than the archive has, unpacks to
        more than those can hold, or is encrypted.
    """
    possible = info.header_offset + info.compress_size <= stored
    if not possible or info.file_size > _PACKING * info.compress_size + 64:
        reason = (
            f"its member {info.filename!r} cannot be {info.file_size} bytes long, packed into "
            f"{info.compress_size}"
        )
        raise read_error(path, reason, "The file is damaged: copy it again")
    if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        reason = f"its member {info.filename!r} is encrypted or packed in an unknown way"
        raise read_error(path, reason, "Unpack it, and pack it again without a password")
    return Member(
        info.filename,
        info.header_offset,
        info.compress_size,
        info.file_size,
        info.compress_type,
        info.CRC,
    )


def read_member(path: Path, file: IO[bytes], member: Member, /) -> bytes:
    """Read and unpack a member from the opened archive.

    Raises
    ------
    ReadError
        If it is not what the table of contents said.
    """
    file.seek(member.start)
    head = file.read(_LOCAL_HEADER)
    if len(head) == _LOCAL_HEADER and head.startswith(b"PK\x03\x04"):
        # Name and what else stands before the bytes may be as long as it likes.
        file.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
        found = file.read(member.packed)
        if member.method == zipfile.ZIP_DEFLATED:
            found = zlib.decompressobj(-15).decompress(found, member.size + 1)
        if len(found) == member.size and zlib.crc32(found) == member.checksum:
            return found
    raise read_error(path, f"its member {member.name!r} is damaged", "Copy the file again")
