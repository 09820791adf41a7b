"""Members of zip archives, whose sizes are checked before they are unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adatom.io.guard import read_error

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

# Deflate packs no more than 1032 bytes into one.
_PACKING: Final = 1032


def check_member(path: Path, info: zipfile.ZipInfo, /) -> None:
    """Refuse a member that cannot be in its archive: Python takes memory for what is declared.

    Raises
    ------
    ReadError
        If it is packed into more bytes than the archive has, or unpacks to
        more than those can hold.
    """
    possible = info.compress_size <= path.stat().st_size
    if not possible or info.file_size > _PACKING * info.compress_size + 64:
        reason = (
            f"its member {info.filename!r} cannot be {info.file_size} bytes long, packed into "
            f"{info.compress_size}"
        )
        raise read_error(path, reason, "The file is damaged: copy it again")
