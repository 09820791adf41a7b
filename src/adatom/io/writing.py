"""Write data of any kind to the files of other programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from adatom.errors import AdatomError, KindError, WriteError
from adatom.schema import (
    DiffractionMap,
    ForceCurves,
    Image,
    Movie,
    Sites,
    Spectra,
    SpectralMap,
    Structure,
    Table,
    kind_of_data,
)

_ARRAYS: Final = ("Image", "Movie", "SpectralMap", "Spectra", "DiffractionMap")
_TABLES: Final = ("Sites", "Table")
# Ending -> kinds that it holds, and the function of `write_formats` that writes it.
_WRITERS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    ".nc": ((*_ARRAYS, *_TABLES, "ForceCurves"), "write_netcdf"),
    ".h5": ((*_ARRAYS, *_TABLES, "ForceCurves"), "write_netcdf"),
    ".zarr": ((*_ARRAYS, *_TABLES, "ForceCurves"), "write_zarr"),
    ".hspy": (_ARRAYS, "write_hspy"),
    ".tif": (("Image", "Movie"), "write_tif"),
    ".tiff": (("Image", "Movie"), "write_tif"),
    ".csv": (_TABLES, "write_csv"),
    ".tsv": (_TABLES, "write_csv"),
    ".parquet": (_TABLES, "write_parquet"),
    ".extxyz": (("Structure", "Sites"), "write_extxyz"),
}


def write_file(
    data: Image
    | Movie
    | SpectralMap
    | Spectra
    | DiffractionMap
    | ForceCurves
    | Sites
    | Table
    | Structure,
    path: str | Path,
    /,
    *,
    overwrite: bool = False,
) -> Path:
    """Write data to a file, in the format of its ending.

    ======== ============================================================
    .nc, .h5 netCDF 4: everything but structures, exactly
    .zarr    a zarr folder: everything but structures, exactly
    .hspy    HyperSpy: images, movies, maps, spectra
    .tif     ImageJ: images and movies of uint8, uint16 and float32
    .csv     sites and tables, units in the header; .tsv with tabs
    .parquet sites and tables, with ``pip install 'adatom[parquet]'``
    .extxyz  structures; sites with ``species`` as flat structures
    ======== ============================================================

    Parameters
    ----------
    data : Image, Movie, SpectralMap, Spectra, DiffractionMap, ForceCurves, Sites, Table, Structure
        Lazy arrays are streamed: a movie need not fit in memory.
    path : str or Path
        Where to; nothing but a whole file ever appears there.
    overwrite : bool
        Whether a file of this name may be replaced; by default not, since a
        measurement may have no copy.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the format cannot hold the data as they are; the text names
        formats that can.

    Examples
    --------
    >>> import tempfile
    >>> from adatom.schema import image_from_array
    >>> folder = tempfile.TemporaryDirectory()
    >>> image = image_from_array([[0.0, 1.0]], pixel_size="0.5 nm")
    >>> write_file(image, f"{folder.name}/image.nc").name
    'image.nc'
    >>> folder.cleanup()
    """
    kind = kind_of_data(data)
    place = Path(path)
    if kind is None:
        msg = f"{type(data).__name__} is of no kind that files hold: see adatom.schema"
        raise KindError(msg)
    write = _writer(place, kind.name)
    if place.exists() and not overwrite:
        msg = f"{place} exists: give another name, or overwrite=True"
        raise WriteError(msg)
    if not place.parent.is_dir():
        msg = f"cannot write {place.name!r}: there is no folder {str(place.parent)!r}: make it"
        raise WriteError(msg)
    _write_whole(data, kind.name, place, write)
    return place


def _writer(place: Path, kind: str) -> Callable[[Any, str, Path], None]:
    from adatom.io import write_formats

    ending = place.suffix.lower()
    kinds, name = _WRITERS.get(ending, ((), ""))
    if kind not in kinds:
        fitting = [known for known, (others, _) in _WRITERS.items() if kind in others]
        found = f"no {kind} is written to {ending or 'files without ending'}"
        remedy = f"use {', '.join(fitting)}" if fitting else "convert it to a kind that is written"
        msg = f"cannot write {place.name!r}: {found}: {remedy}"
        raise WriteError(msg)
    found_writer: Callable[[Any, str, Path], None] = getattr(write_formats, name)
    return found_writer


def _write_whole(
    data: Any,  # noqa: ANN401 -- any kind
    kind: str,
    place: Path,
    write: Callable[[Any, str, Path], None],
) -> None:
    """Write beside the place, then rename, so that no half of a file is ever found."""
    beside = place.with_name(f".{uuid4().hex[:12]}-{place.name}")
    try:
        write(data, kind, beside)
        if place.is_dir() and not place.is_symlink():
            # A folder cannot be replaced in one go.
            shutil.rmtree(place)
        os.replace(beside, place)  # noqa: PTH105 -- Path.replace of a folder is the same call
    except AdatomError as error:
        if isinstance(error, WriteError):
            msg = f"cannot write {place.name!r}: {error}"
            raise WriteError(msg) from error
        raise
    except (OSError, ValueError, TypeError) as error:
        msg = f"cannot write {place.name!r} ({place.parent}): {type(error).__name__}: {error}"
        raise WriteError(msg) from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
