"""Movies kept as a folder of pictures, one a frame."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from adatom.io.claims import PICTURES
from adatom.io.guard import collected_chatter, read_error
from adatom.io.lazy import rows_array
from adatom.io.signals import RawAxis, RawFile, RawSignal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_FILES: Final = 1_000_000
_NUMBER: Final = re.compile(r"(\d+)")
# What systems leave in every folder.
_LITTER: Final = {"thumbs.db", "desktop.ini"}


def read_parts(path: Path, key: str, /) -> RawFile:
    """Read the first picture; the others when they are needed."""
    files = _pictures(path)
    _require_equal(path, files)
    first = _signal(files[0])
    if len(first.axes) != 2:
        reason = f"its picture {files[0].name!r} has {len(first.axes)} axes, not two"
        raise read_error(path, reason, "Read its files one by one")
    shape = (len(files), *first.values.shape)
    names = tuple(file.name for file in files)
    read = partial(_frames, path, names, shape[1:], first.dtype)
    notes = (*first.notes, f"{len(files)} pictures, {names[0]} to {names[-1]}, make the frames")
    signal = RawSignal(
        rows_array(shape, first.dtype, read),
        (RawAxis("frame", stored="stack"), *first.axes),
        path.name,
        colors=first.colors,
        unit=first.unit,
        metadata=first.metadata,
        notes=notes,
    )
    return RawFile(path, key, [signal])


def natural_order(name: str, /) -> tuple[tuple[int, str | int], ...]:
    """Give the key by which frame 2 comes before frame 10.

    Examples
    --------
    >>> sorted(["f10.png", "f2.png"], key=natural_order)
    ['f2.png', 'f10.png']
    """
    parts = _NUMBER.split(name.lower())
    return tuple((1, int(part)) if part.isdecimal() else (0, part) for part in parts)


def _pictures(path: Path) -> list[Path]:
    files = [
        file
        for file in path.iterdir()
        if not file.name.startswith(".") and file.name.lower() not in _LITTER
    ]
    endings = Counter("folder" if file.is_dir() else file.suffix.lower() for file in files)
    if len(endings) != 1 or set(endings) - set(PICTURES):
        listed = ", ".join(
            f"{count} {ending or 'without ending'}" for ending, count in sorted(endings.items())
        )
        reason = f"it is a folder of different things: {listed}"
        raise read_error(path, reason, "Give one file, or a folder that holds equal pictures only")
    if len(files) > _MAX_FILES:
        raise read_error(path, f"it holds {len(files)} pictures", f"Give {_MAX_FILES} at most")
    return sorted(files, key=lambda file: (natural_order(file.name), file.name))


def _require_equal(path: Path, files: Sequence[Path]) -> None:
    """Compare the headers of all pictures with the first."""
    found: dict[tuple[int, int, str], list[str]] = {}
    with collected_chatter():
        for file in files:
            with Pillow.open(file, formats=("PNG", "JPEG", "TIFF")) as picture:
                one = (picture.height, picture.width, picture.mode)
            found.setdefault(one, []).append(file.name)
    if len(found) > 1:
        listed = ", ".join(
            f"{len(names)} of {height} x {width} {mode} ({names[0]} ...)"
            for (height, width, mode), names in list(found.items())[:6]
        )
        reason = f"its pictures differ: {listed}"
        raise read_error(path, reason, "Give a folder of equal pictures, or read them one by one")


def _signal(file: Path) -> RawSignal:
    from adatom.io.opening import open_file

    parts = open_file(file).parts
    if len(parts) != 1 or not isinstance(parts[0], RawSignal):
        raise read_error(file, f"it holds {len(parts)} datasets", "Read the files one by one")
    return parts[0]


def _frames(
    path: Path,
    names: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    numbers: Sequence[int],
) -> Iterator[NDArray[Any]]:
    for number in numbers:
        file = path / names[number]
        values = np.asarray(_signal(file).values)
        if values.shape != shape or values.dtype != dtype:
            reason = f"it is {values.shape} {values.dtype}, the first one {shape} {dtype}"
            raise read_error(file, reason, "Give a folder of equal pictures")
        yield values
