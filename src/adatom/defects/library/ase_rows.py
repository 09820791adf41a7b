"""Rows of the ASE database, written as ASE writes them but many at a time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.library.opening import ase_database
from adatom.defects.library.packing import UNKNOWN_NUMBER
from adatom.defects.library.sessions import insertion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms
    from numpy.typing import NDArray

    from adatom.defects.library.packing import DefectRow
    from adatom.defects.library.sessions import Session

ANGSTROM: Final = 10.0
"""Of a nm: structures of ASE are in angstrom."""

_COLUMNS: Final = (
    "id", "unique_id", "ctime", "mtime", "username", "numbers", "positions", "cell", "pbc", "tags",
    "calculator", "calculator_parameters", "energy", "key_value_pairs", "data", "natoms", "mass",
    "charge",
)  # fmt: skip
_INSERT: Final = insertion("systems", _COLUMNS)


class AseRows:
    """Rows to be written into the tables of ASE, all in the transaction of the caller."""

    def __init__(self, place: str) -> None:
        from ase.db.core import now

        self._database, self._time = ase_database(place), now()  # type: ignore[no-untyped-call]
        self._no_data = self._database.encode({}, binary=True)
        self._systems: list[tuple[Any, ...]] = []
        self._species: list[tuple[int, int, int]] = []
        self._keys: list[tuple[str, int]] = []
        self._texts: list[tuple[str, str, int]] = []
        self._numbers: list[tuple[str, float, int]] = []

    def add(
        self,
        number: int,
        atoms: Atoms | PlanarAtoms,
        values: Mapping[str, str | float],
        /,
        *,
        unique: str,
        calculator: tuple[str, str, float | None] | None = None,
    ) -> None:
        """Add a row.

        Parameters
        ----------
        number : int
            Its number in the database.
        atoms : Atoms or PlanarAtoms
            The structure.
        values : mapping
            Keys and values by which ASE finds it; text that looks like a
            number is refused by ASE, prefix it.
        unique : str
            What it is a row of; its hash is the row's ``unique_id``.
        calculator : tuple, optional
            Name, settings as JSON, and energy in eV.
        """
        from ase.data import atomic_masses

        name, settings, energy = calculator or (None, None, None)
        numbers = atoms.numbers.tolist()
        blob, encode = self._database.blob, self._database.encode
        self._systems.append((
            number,
            hashlib.sha256(unique.encode()).hexdigest()[:32],
            self._time,
            self._time,
            "adatom",
            blob(atoms.numbers),
            blob(atoms.positions),
            blob(np.asarray(atoms.cell)),
            int(np.dot(atoms.pbc, [1, 2, 4])),
            blob(atoms.arrays["tags"]) if "tags" in atoms.arrays else None,
            name,
            settings,
            energy,
            encode(dict(values)),
            self._no_data,
            len(numbers),
            float(atomic_masses[atoms.numbers].sum()),
            0.0,
        ))  # fmt: skip
        self._species += [(z, numbers.count(z), number) for z in sorted(set(numbers))]
        self._keys += [(key, number) for key in values]
        for key, value in values.items():
            if isinstance(value, str):
                self._texts.append((key, value, number))
            else:
                self._numbers.append((key, float(value), number))

    def write(self, session: Session, /) -> None:
        """Write all rows."""
        session.many(_INSERT, self._systems)
        session.many("INSERT INTO species (Z, n, id) VALUES (?, ?, ?)", self._species)
        session.many("INSERT INTO keys (key, id) VALUES (?, ?)", self._keys)
        insert = "INSERT INTO {}_key_values (key, value, id) VALUES (?, ?, ?)"
        session.many(insert.format("text"), self._texts)
        session.many(insert.format("number"), self._numbers)


class PlanarAtoms(NamedTuple):
    """What a row needs to know of the atoms of a defect; making ASE's takes three times as long."""

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    arrays: Mapping[str, NDArray[Any]]
    cell: NDArray[np.float64] = np.zeros((3, 3))
    pbc: tuple[bool, bool, bool] = (False, False, False)


def planar_atoms(row: DefectRow, /) -> PlanarAtoms:
    """Give the atoms of a defect in angstrom, y up, its center in the origin."""
    positions = np.zeros((len(row.members), 3))
    positions[:, 0] = (row.members[:, 1] - row.x) * ANGSTROM
    # Adding 0 makes -0.0 and 0.0 one.
    positions[:, 1] = (row.y - row.members[:, 0]) * ANGSTROM + 0.0
    # ASE has no sign for an element that is not known either.
    return PlanarAtoms(
        np.where(row.numbers == UNKNOWN_NUMBER, 0, row.numbers),
        positions,
        {"tags": row.members[:, 6].astype(np.int64)},
    )


def structure_of_row(row: DefectRow, /) -> Atoms:
    """Give the atoms of a defect in angstrom, its center in the origin.

    x runs to the right and y up, as one sees the image; what the image does
    not tell, z, is 0. Missing atoms, and those whose element is not known, are
    there as X. Tags are the places in `ROLES`: 0 core, 1 neighbor, 2 missing.
    """
    from ase import Atoms

    flat = planar_atoms(row)
    return Atoms(numbers=flat.numbers, positions=flat.positions, tags=flat.arrays["tags"])


def set_current(session: Session, image_id: int, value: int, /) -> None:
    """Mark the rows of an analysis as the one that counts (1) or an older one (0)."""
    for table, own in (("adatom_images", "id"), ("adatom_defects", "image_id")):
        session.execute(
            f"UPDATE {table} SET is_current = ? WHERE {own} = ?",  # noqa: S608 -- names of ours
            (value, image_id),
        )
    rows = "id IN (SELECT id FROM adatom_defects WHERE image_id = ?)"
    session.execute(
        f"UPDATE number_key_values SET value = ? WHERE key = 'current' AND {rows}",  # noqa: S608
        (value, image_id),
    )
    # ASE keeps keys a second time, as JSON.
    spelled = "replace(key_value_pairs, ?, ?)"
    if not session.is_sqlite:
        spelled = "replace(key_value_pairs::text, ?, ?)::jsonb"
    session.execute(
        f"UPDATE systems SET key_value_pairs = {spelled} WHERE {rows}",  # noqa: S608
        (f'"current": {1 - value}', f'"current": {value}', image_id),
    )
