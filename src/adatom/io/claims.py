"""Which formats claim a file: by what it holds, or only by what it is called."""

from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from adatom.io.zip_members import table_of_contents

HEAD_BYTES: Final = 2048
PICTURES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_FILES: Final = 2000
_MAX_MEMBERS: Final = 200_000
_ENCRYPTED: Final = 1
_ZIP: Final = b"PK\x03\x04"
# What marks a file stands near its beginning.
_MAX_OBJECTS: Final = 2000


@dataclass(frozen=True)
class Beginning:
    """What is known of a file before a format is chosen.

    Attributes
    ----------
    path : pathlib.Path
        The file, or a folder.
    head : bytes
        The first 2048 bytes; empty of a folder.
    """

    path: Path
    head: bytes

    @cached_property
    def name(self) -> str:
        """Name in lower case, by which endings are told."""
        return self.path.name.lower()

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Names of the members if this is a zip archive.

        Raises
        ------
        zipfile.BadZipFile
            If its table of contents is damaged.
        """
        if not self.head.startswith(b"PK\x03\x04"):
            return ()
        return tuple(info.filename for info in table_of_contents(self.path)[:_MAX_MEMBERS])

    @cached_property
    def is_hdf5(self) -> bool:
        """Whether it is an HDF5 file, perhaps behind a block of a user (MATLAB 7.3)."""
        magic = b"\x89HDF\r\n\x1a\n"
        return self.head.startswith(magic) or self.head[512:520] == magic

    @cached_property
    def text(self) -> str:
        """The head as text, in UTF-8 or UTF-16 if it starts with a mark of it."""
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return self.head[: len(self.head) // 2 * 2].decode("utf-16", "replace")
        return self.head.decode("utf-8-sig", "replace")

    def ends(self, endings: str) -> bool:
        """Tell whether the name has one of the endings, written ".dm3 .dm4"."""
        return self.name.endswith(tuple(endings.lower().split()))


Claim = Callable[[Beginning], bool]


def starts_with(*magic: bytes) -> Claim:
    """Claim files that start with one of these bytes."""
    return lambda beginning: beginning.head.startswith(magic)


def holds_at(offset: int, *magic: bytes) -> Claim:
    """Claim files that hold one of these bytes at an offset."""
    return lambda beginning: beginning.head.startswith(magic, offset)


def says(*words: str) -> Claim:
    """Claim text files whose first lines hold all of these words, in any case."""
    lowered = [word.lower() for word in words]

    def claim(beginning: Beginning) -> bool:
        text = beginning.text.lower()
        return all(word in text for word in lowered)

    return claim


def member(*endings: str) -> Claim:
    """Claim zip archives with a member whose path ends so."""
    return lambda beginning: any(name.endswith(endings) for name in beginning.members)


def zipped_text(*words: str) -> Claim:
    """Claim zip archives of csv texts, the first of which begins with all of these words."""

    def claim(beginning: Beginning) -> bool:
        texts = sorted(name for name in beginning.members if name.lower().endswith(".csv"))
        if not texts:
            return False
        with zipfile.ZipFile(beginning.path) as archive, archive.open(texts[0]) as file:
            text = file.read(HEAD_BYTES).decode("utf-8", "replace")
        return all(word in text for word in words)

    return claim


def high_speed_afm(beginning: Beginning) -> bool:
    """Claim movies whose header names a channel where versions 0, 1 and 2 of ASD do."""
    version, at = int.from_bytes(beginning.head[:4], "little"), 24
    if version == 0:
        at = 4
    return version in {0, 1, 2} and beginning.head[at : at + 2] in {b"TP", b"ER", b"PH"}


def zipped_nanonis(beginning: Beginning) -> bool:
    """Claim zip archives of Nanonis' texts."""
    texts = [
        name
        for name in beginning.members
        if name.lower().endswith(".dat") and not name.startswith("__MACOSX")
    ]
    if not texts:
        return False
    # Maps of other instruments hold ten thousands of files of this ending.
    if any(name.endswith("header.properties") for name in beginning.members):
        return False
    with zipfile.ZipFile(beginning.path) as archive, archive.open(texts[0]) as file:
        return file.read(11) == b"Experiment\t"


def igor_wave(beginning: Beginning) -> bool:
    """Claim Igor waves of version 5: the sum of their header is 0 in 16 bits."""
    if beginning.head[:2] not in {b"\x05\x00", b"\x00\x05"} or len(beginning.head) < 384:
        return False
    order: Literal["little", "big"] = "little" if beginning.head[0] else "big"
    words = (int.from_bytes(beginning.head[at : at + 2], order) for at in range(0, 384, 2))
    return sum(words) % 2**16 == 0


def anasys_document(beginning: Beginning) -> bool:
    """Claim documents of Anasys, which are XML, mostly packed by gzip."""
    head = beginning.head
    if head.startswith(b"\x1f\x8b"):
        head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    # In UTF-16 every other byte is 0.
    return b"www.anasysinstruments.com" in head.replace(b"\0", b"")


def archive_of(known: Callable[[Beginning], object], /) -> Claim:
    """Claim zip archives with a known file in them, but no documents of an office."""

    def claim(beginning: Beginning) -> bool:
        if not beginning.members or "[Content_Types].xml" in beginning.members:
            return False
        return next(known_members(beginning.path, known), None) is not None

    return claim


def known_members(path: Path, known: Callable[[Beginning], object], /) -> Iterator[str]:
    """Name the members of a zip archive that are known by their first bytes or their ending."""
    with zipfile.ZipFile(path) as archive:
        for info in sorted(files_of_archive(archive), key=lambda info: info.filename):
            with archive.open(info) as file:
                head = file.read(HEAD_BYTES)
            # An archive in an archive could hold itself. There is no such file: whoever
            # needs more than its beginning makes no claim.
            is_archive = head.startswith(_ZIP)
            if head and not is_archive and known(Beginning(Path(info.filename), head)):
                yield info.filename


def files_of_archive(archive: zipfile.ZipFile, /) -> list[zipfile.ZipInfo]:
    """List the first 2001 members that can be read and stay below their folder."""
    found = (
        info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.flag_bits & _ENCRYPTED
        and not info.filename.startswith(("/", "\\", "__MACOSX/"))
        and ".." not in PurePosixPath(info.filename.replace("\\", "/")).parts
        and ":" not in info.filename
    )
    return list(islice(found, MAX_FILES + 1))


def igor_force_curve(beginning: Beginning) -> bool:
    """Claim Igor waves of a few columns, one of which is named as a deflection is."""
    if beginning.head[:2] not in {b"\x05\x00", b"\x00\x05"}:
        return False
    order: Literal["little", "big"] = "little" if beginning.head[0] else "big"
    columns, *more = (
        int.from_bytes(beginning.head[at : at + 4], order) for at in range(136, 148, 4)
    )
    if not 2 <= columns <= 32 or any(more):
        return False
    with beginning.path.open("rb") as file:
        file.seek(-min(2**16, beginning.path.stat().st_size), 2)
        return b"Defl\0" in file.read()


def tif_with_tag(code: int) -> Claim:
    """Claim TIFF files whose first page has a tag."""

    def claim(beginning: Beginning) -> bool:
        head = beginning.head
        if not head.startswith((b"II*\x00", b"MM\x00*")):
            return False
        order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
        with beginning.path.open("rb") as file:
            file.seek(int.from_bytes(head[4:8], order))
            entries = file.read(12 * int.from_bytes(file.read(2), order))
        return any(
            int.from_bytes(entries[at : at + 2], order) == code for at in range(0, len(entries), 12)
        )

    return claim


def r_data(beginning: Beginning) -> bool:
    """Claim what R saves, whichever way it is packed."""
    head = beginning.head
    try:
        if head.startswith(b"BZh"):
            # A block of bzip2 is only unpacked as a whole.
            with beginning.path.open("rb") as file:
                head = bz2.BZ2Decompressor().decompress(file.read(2**20), 16)
        elif head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(31).decompress(head, 16)
        elif head.startswith(b"\xfd7zXZ"):
            head = lzma.LZMADecompressor(memlimit=2**27).decompress(head, 16)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return False
    marks = (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")
    return head.startswith((*marks, b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n"))


def hdf5_with(*paths: str) -> Claim:
    """Claim HDF5 files in which all of these groups, datasets or "@attributes" of the root are."""

    def claim(beginning: Beginning) -> bool:
        if not beginning.is_hdf5:
            return False
        import h5py

        with h5py.File(beginning.path, "r") as file:
            return all(
                path[1:] in file.attrs if path.startswith("@") else path in file for path in paths
            )

    return claim


def hdf5_holding(*attributes: str) -> Claim:
    """Claim HDF5 files in which a group or dataset has all of these attributes."""

    def claim(beginning: Beginning) -> bool:
        if not beginning.is_hdf5:
            return False
        import h5py

        seen = 0

        def visit(name: str, item: object) -> bool | None:
            nonlocal seen
            del name
            seen += 1
            if isinstance(item, h5py.Group | h5py.Dataset) and all(
                attribute in item.attrs for attribute in attributes
            ):
                return True
            return False if seen > _MAX_OBJECTS else None

        with h5py.File(beginning.path, "r") as file:
            return bool(file.visititems(visit))

    return claim


def both(*claims: Claim) -> Claim:
    """Claim what all of these claim."""
    return lambda beginning: all(claim(beginning) for claim in claims)


def either(*claims: Claim) -> Claim:
    """Claim what one of these claims."""
    return lambda beginning: any(claim(beginning) for claim in claims)


def ending(endings: str) -> Claim:
    """Claim files by their name alone, where the content has no mark."""
    return lambda beginning: beginning.ends(endings)


def never(beginning: Beginning) -> bool:
    """Claim nothing by content."""
    del beginning
    return False


def vasp_positions(beginning: Beginning) -> bool:
    """Claim POSCAR and CONTCAR: a title, a scale, and a cell of three lines of three numbers."""
    lines = beginning.text.splitlines()[1:7]
    if len(lines) < 6:
        return False
    counts = [len(_numbers(line)) for line in lines]
    return counts[0] in {1, 3} and counts[1:4] == [3, 3, 3]


def xyz_atoms(beginning: Beginning) -> bool:
    """Claim xyz: a number of atoms, a comment, then a symbol and three numbers a line."""
    lines = beginning.text.splitlines()[:3]
    if len(lines) < 3 or not lines[0].strip().isdecimal():
        return False
    symbol, *place = lines[2].split()[:4] or [""]
    return symbol.isalpha() and len(symbol) <= 2 and len(_numbers(" ".join(place))) == 3


def _numbers(line: str) -> list[float]:
    """Give the numbers of a line that holds nothing else."""
    try:
        return [float(part) for part in line.split()]
    except ValueError:
        return []


def written_zarr(beginning: Beginning) -> bool:
    """Claim zarr folders that adatom wrote."""
    place = beginning.path / "zarr.json"
    if not beginning.path.is_dir() or not place.is_file():
        return False
    # Keys of JSON are quoted, whatever the order of the attributes.
    with place.open("rb") as file:
        return b'"adatom":' in file.read(2**22)


def picture_folder(beginning: Beginning) -> bool:
    """Claim folders in which pictures lie."""
    path = beginning.path
    return path.is_dir() and any(
        file.suffix.lower() in PICTURES and not file.name.startswith(".")
        for file in islice(path.iterdir(), _MAX_MEMBERS)
    )
