"""Defects of a library written to files of other programs."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from adatom.defects.library.packing import UNKNOWN_NUMBER, symbols_of_numbers
from adatom.defects.library.queries import DefectQuery
from adatom.defects.library.reading import StoredDefect, image_of_facts, read_defects
from adatom.defects.library.searching import search_library
from adatom.errors import SettingError, StoreError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from adatom.defects.library.opening import Library
    from adatom.schema import Structure, Table

Format = Literal["csv", "extxyz", "cif", "poscar", "hdf5"]

# Around a molecule in a periodic cell, in angstrom: nothing of a bond reaches so far.
_VACUUM: Final = 10.0
_PICOMETERS: Final = 1000.0


def export_defects(
    library: Library,
    path: Path,
    query: DefectQuery | None = None,
    /,
    *,
    file_format: Format,
) -> list[Path]:
    """Write defects to files; nothing that is there is replaced.

    Parameters
    ----------
    library : Library
    path : Path
        A new file for ``csv`` and ``extxyz``; a new or empty folder for
        ``cif``, ``poscar`` (a file a defect) and ``hdf5``, which gets the layout of
        AICrystallographer's LibraryNet: ``<name>/<image>.hdf5`` with ``nn_input``
        (1, y, x, 1) and its scan size in pm, and ``defect_coord_<k>`` (atom, 3) of
        x, y in px and the element as bytes.
    query : DefectQuery, optional
        These only.
    file_format : {"csv", "extxyz", "cif", "poscar", "hdf5"}
        Structures are in angstrom, y up. Missing atoms and those of no known
        element are X in ``extxyz`` and left out of ``cif``, ``poscar`` and ``hdf5``,
        whose readers know elements only.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    WriteError
        If something is there already, or the disk is full.
    SettingError
        If no defect fulfils the query.
    """
    table = search_library(library, query or DefectQuery())
    if not table.sizes["row"]:
        msg = "no defect fulfils the query: nothing to export"
        raise SettingError(msg)
    if file_format in {"csv", "extxyz"}:
        if path.exists():
            msg = f"{path} exists already: choose another name"
            raise WriteError(msg)
    elif path.is_file() or (path.is_dir() and any(path.iterdir())):
        msg = f"{path} exists already: a folder that is new or empty is needed"
        raise WriteError(msg)
    try:
        if file_format == "csv":
            return _write_csv(table, path)
        defects = read_defects(library, table["id"].values.tolist())
        if file_format == "extxyz":
            return _write_extxyz(defects, path)
        path.mkdir(parents=True, exist_ok=True)
        if file_format == "hdf5":
            return _write_hdf5(library, table, path)
        return _write_cells(defects, path, file_format)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        msg = f"cannot write {path}: {error.strerror or error}"
        raise WriteError(msg) from error


def _write_csv(table: Table, path: Path) -> list[Path]:
    units = {name: table[name].attrs.get("units") for name in table.variables}
    head = [f"{name} [{unit}]" if unit and unit != "1" else name for name, unit in units.items()]
    with path.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(zip(*(_spelled(table[name].values) for name in units), strict=True))
    return [path]


def _spelled(values: np.ndarray[Any, Any]) -> list[Any]:
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else repr(value) for value in values.tolist()]
    # A spreadsheet would run what begins like a formula.
    return [
        f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value
        for value in values.tolist()
    ]


def _write_extxyz(defects: Iterable[StoredDefect], path: Path) -> list[Path]:
    from ase.io import write

    with path.open("x", encoding="utf-8") as file:
        # One after the other: all at once would not fit where a library does.
        for one in defects:
            write(file, _with_facts(one), format="extxyz")
    return [path]


def _with_facts(one: StoredDefect) -> Structure:
    atoms, row = one.structure, one.row
    facts = {
        "defect": one.id,
        "name": row.name,
        "kind": row.kind,
        "class_key": f"class-{row.class_key}",
        "host": one.image["host"],
        "confidence": row.confidence,
        "image": f"image-{one.image['image_hash']}",
        "source": one.image["source"],
        "y_nm": row.y,
        "x_nm": row.x,
    }
    atoms.info = {key: value for key, value in facts.items() if value != ""}
    return atoms


def _write_cells(defects: Iterable[StoredDefect], path: Path, file_format: str) -> list[Path]:
    from ase.io import write

    written = []
    for one in defects:
        atoms = one.structure
        atoms = atoms[atoms.numbers > 0]
        atoms.center(vacuum=_VACUUM)
        atoms.pbc = True
        stem = f"{file_name(one.row.name or 'class-' + one.row.class_key[:8])}-{one.id}"
        if file_format == "cif":
            place = path / f"{stem}.cif"
            write(place, atoms, format="cif")
        else:
            # Programs that read POSCAR want all atoms of an element together.
            place = path / f"{stem}.POSCAR"
            write(place, atoms, format="vasp", sort=True, direct=True)
        written.append(place)
    return written


def file_name(text: str, /) -> str:
    """Make a name of a file of any text, such as that of a defect in a library of somebody else.

    Examples
    --------
    >>> file_name("Mo_W+V_S"), file_name("../a b")
    ('Mo_W+V_S', '_a_b')
    """
    return re.sub(r"[^\w.+-]", "_", text).lstrip(".") or "unnamed"


def _write_hdf5(library: Library, table: Table, path: Path) -> list[Path]:
    """Write one file an image and name, as the published library has them."""
    columns = (table[key].values.tolist() for key in ("id", "name", "class_key", "image_id"))
    groups: dict[tuple[str, int], list[int]] = {}
    for number, name, key, image_id in zip(*columns, strict=True):
        folder = file_name(name or f"class-{key[:8]}")
        groups.setdefault((folder, image_id), []).append(number)
    written = []
    for (folder, image_id), numbers in groups.items():
        members = list(read_defects(library, numbers))
        place = path / folder / f"{image_id}.hdf5"
        place.parent.mkdir(exist_ok=True)
        _write_hdf5_file(members, place)
        written.append(place)
    return written


def _write_hdf5_file(members: list[StoredDefect], place: Path) -> None:
    import h5py

    image = members[0].image
    values = image_of_facts(members[0].library, image)
    if values is None:
        msg = (
            f"the library keeps no image of {image['source'] or 'defect ' + str(members[0].id)}, "
            "which this layout needs: export extxyz instead"
        )
        raise SettingError(msg)
    with h5py.File(place, "x") as file:
        data = file.create_dataset("nn_input", data=np.asarray(values)[None, ..., None])
        data.attrs["scan size"] = str(values.sizes["x"] * image["step_x_nm"] * _PICOMETERS)
        facts = {"source": image["source"], "host": image["host"], "adatom": image["version"]}
        data.attrs["metadata"] = json.dumps(facts)
        for number, one in enumerate(members):
            file.create_dataset(f"defect_coord_{number}", data=_coordinates(one, image))


def _coordinates(
    one: StoredDefect,
    image: Mapping[str, Any],
) -> np.ndarray[Any, Any]:
    there = (one.row.numbers > 0) & (one.row.numbers != UNKNOWN_NUMBER)
    origin = np.array([image["origin_y"], image["origin_x"]])
    steps = np.array([image["step_y_nm"], image["step_x_nm"]])
    places = (one.row.places[there] - origin) / steps
    symbols = symbols_of_numbers(one.row.numbers[there])
    lines = [
        (repr(float(x)), repr(float(y)), symbol)
        for (y, x), symbol in zip(places, symbols, strict=True)
    ]
    return np.array(lines, dtype="S32")
