"""Defects of AICrystallographer's library: one HDF5 file an image, one folder a class."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.library.drawn import DrawnDefect, defects_of_drawings
from adatom.errors import AdatomError, ReadError
from adatom.schema import image_from_array

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adatom.defects.records import Defects
    from adatom.schema import Image

_COORDINATES: Final = re.compile(r"defect_coord_(\d{1,6})")
_PM_PER_NM: Final = 1000.0
# Images of the library are of 128 and 256 px.
_MOST_PIXELS: Final = 2**28
_MOST_ATOMS: Final = 10_000


class Imported(NamedTuple):
    """One file: its image, its defects, and the name of its folder."""

    path: Path
    image: Image
    found: Defects
    label: str


def files_of_library(path: Path, /) -> list[Path]:
    """List the HDF5 files of a file or a folder and all folders in it."""
    if path.is_file():
        return [path]
    found = sorted(p for ending in ("hdf5", "h5") for p in path.rglob(f"*.{ending}"))
    if not found:
        why = "holds no .hdf5 files" if path.is_dir() else "is neither a file nor a folder"
        msg = f"{path} {why}: name a file or folder of AICrystallographer's library"
        raise ReadError(msg)
    return found


def read_aicrystallographer(path: Path, /) -> Imported:
    """Read a file of the library.

    ``nn_input`` (1, y, x, 1) is the image, its attribute ``scan size`` the
    width in pm; every ``defect_coord_<k>`` (atom, 3) holds x, y in px of the
    image and the element, all as text.

    Raises
    ------
    ReadError
        If the file is not of this layout; the text says where.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            image = _image(path, file)
            drawings = list(_drawings(path, file, image))
    except OSError as error:
        if isinstance(error, ReadError):
            raise
        msg = f"{path} cannot be read as HDF5: {error}"
        raise ReadError(msg) from error
    if not drawings:
        msg = f"{path} holds no defect_coord_<number>: is it of AICrystallographer's library?"
        raise ReadError(msg)
    # No area: only some defects of chosen images are labeled, which tells no density.
    attrs: dict[str, Any] = {
        "scale_from": "file",
        "source": f"{path.parent.name}/{path.name}",
        "notes": ["only some defects of an image are labeled in this library"],
    }
    try:
        found = defects_of_drawings(drawings, host="graphene", element="C", attrs=attrs)
    except AdatomError as error:
        msg = f"{path}: {error}"
        raise ReadError(msg) from error
    return Imported(path, image, found, path.parent.name)


def _image(path: Path, file: Any) -> Image:  # noqa: ANN401 -- h5py is not typed
    data = file.get("nn_input")
    shape: tuple[int, ...] = getattr(data, "shape", ())
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 1 or min(shape) < 1:
        msg = f"{path}: found nn_input of shape {shape}, need (1, y, x, 1)"
        raise ReadError(msg)
    if shape[1] * shape[2] > _MOST_PIXELS or min(shape[1:3]) < 2 or data.dtype.kind not in "uif":
        msg = f"{path}: nn_input of shape {shape} and type {data.dtype} is no image"
        raise ReadError(msg)
    size = _number(data.attrs.get("scan size"))
    if size is None or not size > 0:
        msg = f"{path}: scan size is {data.attrs.get('scan size')!r}, need the width in pm"
        raise ReadError(msg)
    step, source = size / _PM_PER_NM / shape[2], f"{path.parent.name}/{path.name}"
    values = data[0, :, :, 0].astype(np.float32)
    return image_from_array(values, pixel_size=f"{step!r} nm", attrs={"source": source})


def _number(value: object) -> float | None:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _drawings(path: Path, file: Any, image: Image) -> Iterator[DrawnDefect]:  # noqa: ANN401
    names = [(int(match[1]), name) for name in file if (match := _COORDINATES.fullmatch(name))]
    step = float(image.x.values[1])
    for _, name in sorted(names):
        data = file[name]
        shape: tuple[int, ...] = getattr(data, "shape", ())
        if len(shape) != 2 or shape[1] != 3 or not 0 < shape[0] <= _MOST_ATOMS:
            msg = f"{path}: found {name} of shape {shape}, need (atom, 3)"
            raise ReadError(msg)
        rows = [[_text(cell) for cell in row] for row in data[...].tolist()]
        places = [(_number(y), _number(x)) for x, y, _ in rows]
        if any(None in place for place in places):
            msg = f"{path}: {name} holds places that are no numbers"
            raise ReadError(msg)
        yield DrawnDefect(
            [symbol.strip() for _, _, symbol in rows], np.array(places, dtype=float) * step
        )


def _text(cell: object) -> str:
    return cell.decode("ascii", "replace") if isinstance(cell, bytes) else str(cell)
