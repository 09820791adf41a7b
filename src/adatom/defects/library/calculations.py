"""Calculations of defects: which are still to do, and what they gave."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.library.ase_rows import AseRows
from adatom.defects.library.pictures import get_array, list_arrays, put_arrays
from adatom.defects.library.sessions import insertion
from adatom.errors import SettingError, StoreError
from adatom.schema import STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from adatom.defects.library.opening import Library
    from adatom.defects.library.queries import DefectQuery
    from adatom.schema import Structure

_COLUMNS: Final = (
    "id", "defect_id", "calculation_key", "calculator", "settings", "version", "energy",
    "formation_energy", "rmsd_nm", "results", "arrays", "made",
)  # fmt: skip


class ToCompute(NamedTuple):
    """A defect that stands for its class in a calculation."""

    id: int
    name: str
    class_key: str
    host: str


class Calculation(NamedTuple):
    """What a calculation of a defect gave.

    Attributes
    ----------
    id : int
        Its row, in the ASE database too: there stands the relaxed structure.
    defect_id : int
        Row of the defect.
    calculator, settings, version
        By what it was made.
    energy, formation_energy : float
        In eV, NaN where unknown.
    rmsd : float
        Distance of the relaxed from the observed geometry in nm, NaN where unknown.
    results : mapping
        Further numbers and texts.
    arrays : str
        Hash of its arrays, empty if it has none: `read_calculation_array` reads them.
    made : str
        When, in UTC.
    """

    id: int
    defect_id: int
    calculator: str
    settings: Mapping[str, Any]
    version: str
    energy: float
    formation_energy: float
    rmsd: float
    results: Mapping[str, Any]
    arrays: str
    made: str


def calculation_key(calculator: str, settings: Mapping[str, Any], version: str, /) -> str:
    """Hash by what a calculation is made: equal keys need not be computed twice."""
    try:
        text = json.dumps([calculator, dict(settings), version], sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"settings of {calculator} must be what JSON can hold ({error})"
        raise SettingError(msg) from error
    return hashlib.sha256(text.encode()).hexdigest()


def rows_to_compute(
    library: Library,
    /,
    *,
    calculator: str,
    settings: Mapping[str, Any],
    version: str,
    query: DefectQuery | None = None,
    one_per_class: bool = True,
) -> list[ToCompute]:
    """List the defects that were not yet computed so.

    Parameters
    ----------
    library : Library
    calculator, settings, version
        By what they will be computed; see `store_calculation`.
    query : DefectQuery, optional
        Only these defects.
    one_per_class : bool
        Only the surest one of every class of a host: all relax to the same
        structure. A class of which any defect is computed is done.

    Returns
    -------
    list of ToCompute
        In the order of their rows.
    """
    from adatom.defects.library.queries import DefectQuery, condition_of_query

    key = calculation_key(calculator, settings, version)
    where, values = condition_of_query(library, query or DefectQuery())
    told = library.session.rows(
        "SELECT d.id, d.name, d.class_key, i.host, d.confidence, c.id "  # noqa: S608
        "FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id "
        "LEFT JOIN adatom_calculations c ON c.defect_id = d.id AND c.calculation_key = ? "
        f"WHERE {where} ORDER BY d.id",
        (key, *values),
    )
    if not one_per_class:
        return [ToCompute(*row[:4]) for row in told if row[5] is None]
    done = {(row[3], row[2]) for row in told if row[5] is not None}
    best: dict[tuple[str, str], Any] = {}
    for row in told:
        of = (row[3], row[2])
        if of not in done and (of not in best or (row[4] or 0) > (best[of][4] or 0)):
            best[of] = row
    return sorted(ToCompute(*row[:4]) for row in best.values())


def store_calculation(
    library: Library,
    defect_id: int,
    /,
    *,
    calculator: str,
    settings: Mapping[str, Any],
    version: str,
    energy: float | None = None,
    formation_energy: float | None = None,
    rmsd_nm: float | None = None,
    structure: Structure | None = None,
    results: Mapping[str, Any] | None = None,
    arrays: Mapping[str, ArrayLike] | None = None,
) -> int:
    """Store what a calculation gave beside its defect, in one transaction.

    The relaxed structure becomes a row of the ASE database, with calculator
    and energy. The same calculation again takes the place of the one before.

    Parameters
    ----------
    library : Library
    defect_id : int
        Row of the defect.
    calculator : str
        Such as "tblite" or "gpaw".
    settings : mapping
        Of the calculator; what JSON can hold.
    version : str
        Of the calculator.
    energy, formation_energy : float, optional
        In eV.
    rmsd_nm : float, optional
        Distance of the relaxed from the observed geometry.
    structure : Structure, optional
        As relaxed, with its cell; positions in angstrom, as ASE has them.
    results : mapping, optional
        Further numbers and texts; what JSON can hold.
    arrays : mapping of str to array, optional
        Such as the density of states; kept in the store of pictures.

    Returns
    -------
    int
        Row of the calculation.

    Raises
    ------
    StoreError
        If there is no such defect, or arrays are given and the library has no store.
    """
    from ase import Atoms

    if structure is not None:
        STRUCTURE.check(structure)
    kept = _kept_arrays(library, arrays or {})
    key = calculation_key(calculator, settings, version)
    settings_text = json.dumps(dict(settings), sort_keys=True)
    session = library.session
    with session.transaction():
        session.lock(f"calculation {defect_id}")
        known = session.rows("SELECT name FROM adatom_defects WHERE id = ?", (defect_id,))
        if not known:
            msg = f"there is no defect {defect_id} in {library!r}"
            raise StoreError(msg)
        remove_calculation(library, defect_id, key)
        number = session.new_ids("systems", 1)[0]
        ase_rows = AseRows(library.place)
        values: dict[str, str | float] = {"adatom": "calculation", "defect": defect_id}
        if known[0][0]:
            values["name"] = known[0][0]
        # NaN, an energy that is not known, is no value of JSON.
        formed = _real(formation_energy)
        if formed is not None:
            values["formation_energy"] = formed
        ase_rows.add(
            number,
            structure if structure is not None else Atoms(),
            values,
            unique=f"calculation {library.id} {defect_id} {key}",
            calculator=(calculator.lower(), settings_text, _real(energy)),
        )
        ase_rows.write(session)
        session.many(
            insertion("adatom_calculations", _COLUMNS),
            [(
                number, defect_id, key, calculator, settings_text, version, _real(energy),
                formed, _real(rmsd_nm),
                json.dumps(dict(results or {}), sort_keys=True), kept,
                datetime.now(UTC).isoformat(timespec="seconds"),
            )],
        )  # fmt: skip
    return number


def _kept_arrays(library: Library, arrays: Mapping[str, ArrayLike]) -> str:
    if not arrays:
        return ""
    if library.store is None:
        msg = f"{library!r} has no store for arrays: make it with store=FOLDER"
        raise StoreError(msg)
    return put_arrays(library.store, {name: np.asarray(part) for name, part in arrays.items()})


def _real(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def remove_calculation(library: Library, defect_id: int, key: str, /) -> None:
    """Remove a calculation, inside of a transaction, if it is there."""
    session = library.session
    found = session.rows(
        "SELECT id FROM adatom_calculations WHERE defect_id = ? AND calculation_key = ?",
        (defect_id, key),
    )
    for (number,) in found:
        session.execute("DELETE FROM adatom_calculations WHERE id = ?", (number,))
        for table in ("keys", "text_key_values", "number_key_values", "species", "systems"):
            session.execute(f"DELETE FROM {table} WHERE id = ?", (number,))  # noqa: S608


def read_calculations(library: Library, /, *, defect_id: int | None = None) -> list[Calculation]:
    """Read the calculations of a defect, or all of them, in the order of their rows."""
    where = "" if defect_id is None else "WHERE defect_id = ?"
    told = library.session.rows(
        f"SELECT {', '.join(_COLUMNS)} FROM adatom_calculations {where} ORDER BY id",  # noqa: S608
        () if defect_id is None else (defect_id,),
    )
    return [_calculation(dict(zip(_COLUMNS, row, strict=True))) for row in told]


def _calculation(told: Mapping[str, Any]) -> Calculation:
    numbers = {
        key: np.nan if told[column] is None else float(told[column])
        for key, column in (
            ("energy", "energy"), ("formation_energy", "formation_energy"), ("rmsd", "rmsd_nm"),
        )
    }  # fmt: skip
    return Calculation(
        id=told["id"],
        defect_id=told["defect_id"],
        calculator=told["calculator"],
        settings=json.loads(told["settings"]),
        version=told["version"],
        results=json.loads(told["results"]),
        arrays=told["arrays"],
        made=told["made"],
        **numbers,
    )


def read_calculated_structure(library: Library, number: int, /) -> Structure:
    """Read the structure of a calculation by the number of its row."""
    from adatom.defects.library.opening import ase_database

    atoms: Structure = ase_database(library.place).get_atoms(id=int(number))
    # Energy and settings stand in the calculation; a calculator cannot be stored with a result.
    atoms.calc = None
    return atoms


def read_calculation_array(
    library: Library, calculation: Calculation, name: str, /
) -> NDArray[Any]:
    """Read an array of a calculation, such as its density of states."""
    if not calculation.arrays or library.store is None:
        msg = f"calculation {calculation.id} has no arrays"
        raise StoreError(msg)
    return get_array(library.store, calculation.arrays, name)


def copy_calculations(library: Library, other: Library, facts: Mapping[str, Any], /) -> int:
    """Take over calculations of the defects of an analysis that are missing here.

    Parameters
    ----------
    library, other : Library
        To and from.
    facts : mapping
        What is known of the analysis in the other library.

    Returns
    -------
    int
        Number of those taken over.
    """
    told = other.session.rows(
        "SELECT d.id, d.number FROM adatom_calculations c "
        "JOIN adatom_defects d ON d.id = c.defect_id WHERE d.image_id = ?",
        (facts["id"],),
    )
    if not told:
        return 0
    here = dict(
        library.session.rows(
            "SELECT d.number, d.id FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id "
            "WHERE i.image_hash = ? AND i.analysis_key = ?",
            (facts["image_hash"], facts["analysis_key"]),
        )
    )
    return sum(
        _copy_calculation(library, other, one, here[place])
        for defect_id, place in sorted(set(told))
        for one in read_calculations(other, defect_id=defect_id)
    )


def _copy_calculation(library: Library, other: Library, one: Calculation, defect_id: int) -> bool:
    key = calculation_key(one.calculator, one.settings, one.version)
    known = library.session.rows(
        "SELECT 1 FROM adatom_calculations WHERE defect_id = ? AND calculation_key = ?",
        (defect_id, key),
    )
    if known:
        return False
    arrays = {}
    if one.arrays and other.store is not None and library.store is not None:
        names = list_arrays(other.store, one.arrays)
        arrays = {name: read_calculation_array(other, one, name) for name in names}
    atoms = read_calculated_structure(other, one.id)
    store_calculation(
        library,
        defect_id,
        calculator=one.calculator,
        settings=one.settings,
        version=one.version,
        energy=one.energy,
        formation_energy=_real(one.formation_energy),
        rmsd_nm=one.rmsd,
        structure=atoms if len(atoms) else None,
        results=one.results,
        arrays=arrays,
    )
    return True
