"""Tables of a defect library, beside those of the ASE database in the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adatom.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adatom.defects.library.sessions import Session

SCHEMA_VERSION: Final = 1
"""Number of the layout of the tables below."""

ASE_VERSION: Final = 9
"""Layout of the ASE database that rows are written in (`ase.db.sqlite.VERSION`)."""

# Types are those of SQLite; `Session.create` spells them for PostgreSQL.
_TABLES: Final = (
    "CREATE TABLE adatom_library (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # One row an analysis of an image; of several of one image the current one counts.
    """CREATE TABLE adatom_images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        image_hash TEXT NOT NULL,
        analysis_key TEXT NOT NULL,
        is_current INTEGER NOT NULL,
        source TEXT NOT NULL,
        source_sha256 TEXT NOT NULL,
        height INTEGER,
        width INTEGER,
        origin_y REAL,
        origin_x REAL,
        step_y_nm REAL,
        step_x_nm REAL,
        unit TEXT NOT NULL,
        nm_per_unit REAL NOT NULL,
        scale_from TEXT NOT NULL,
        host TEXT NOT NULL,
        spacing_nm REAL,
        area_nm2 REAL,
        n_defects INTEGER NOT NULL,
        pixels TEXT NOT NULL,
        recipe TEXT NOT NULL,
        recipe_sha256 TEXT NOT NULL,
        version TEXT NOT NULL,
        added TEXT NOT NULL,
        notes TEXT NOT NULL,
        UNIQUE (image_hash, analysis_key))""",
    # Its id is that of the row of the ASE database with the atoms.
    """CREATE TABLE adatom_defects (
        id INTEGER PRIMARY KEY,
        image_id INTEGER NOT NULL REFERENCES adatom_images(id),
        number INTEGER NOT NULL,
        is_current INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        class_key TEXT NOT NULL,
        formula TEXT NOT NULL,
        chirality INTEGER NOT NULL,
        orientation REAL,
        extent_nm REAL,
        confidence REAL,
        y_nm REAL NOT NULL,
        x_nm REAL NOT NULL,
        n_core INTEGER NOT NULL,
        n_neighbors INTEGER NOT NULL,
        n_missing INTEGER NOT NULL,
        members BLOB NOT NULL,
        bonds BLOB NOT NULL,
        UNIQUE (image_id, number))""",
    # Few formulas stand in many rows: conditions such as "Si>=2" are told on these.
    "CREATE TABLE adatom_formulas (formula TEXT PRIMARY KEY)",
    """CREATE TABLE adatom_geometry (
        defect_id INTEGER NOT NULL REFERENCES adatom_defects(id),
        what TEXT NOT NULL,
        number INTEGER NOT NULL,
        smallest REAL NOT NULL,
        mean REAL NOT NULL,
        largest REAL NOT NULL)""",
    """CREATE TABLE adatom_shapes (
        defect_id INTEGER PRIMARY KEY REFERENCES adatom_defects(id),
        places BLOB NOT NULL)""",
    """CREATE TABLE adatom_calculations (
        id INTEGER PRIMARY KEY,
        defect_id INTEGER NOT NULL REFERENCES adatom_defects(id),
        calculation_key TEXT NOT NULL,
        calculator TEXT NOT NULL,
        settings TEXT NOT NULL,
        version TEXT NOT NULL,
        energy REAL,
        formation_energy REAL,
        rmsd_nm REAL,
        results TEXT NOT NULL,
        arrays TEXT NOT NULL,
        made TEXT NOT NULL,
        UNIQUE (defect_id, calculation_key))""",
)

_INDICES: Final = (
    "CREATE UNIQUE INDEX adatom_one_current ON adatom_images(image_hash) WHERE is_current = 1",
    "CREATE INDEX adatom_by_formula ON adatom_defects(formula, is_current)",
    "CREATE INDEX adatom_by_name ON adatom_defects(name, is_current)",
    "CREATE INDEX adatom_by_class ON adatom_defects(class_key, is_current)",
    "CREATE INDEX adatom_geometry_of ON adatom_geometry(defect_id)",
    "CREATE INDEX adatom_by_geometry ON adatom_geometry(what, smallest, largest, defect_id)",
    "CREATE INDEX adatom_by_energy ON adatom_calculations(formation_energy)",
)

_MIGRATIONS: Final[Mapping[int, Callable[[Session], None]]] = {}
"""From the layout of the key to the next; a new layout adds its step here."""


def create_tables(session: Session, /, *, values: Mapping[str, str]) -> None:
    """Make the tables of an empty library and write what is known of it."""
    for statement in (*_TABLES, *_INDICES):
        session.create(statement)
    told = {"schema": str(SCHEMA_VERSION), **values}
    session.many("INSERT INTO adatom_library (name, value) VALUES (?, ?)", list(told.items()))


def read_values(session: Session, /, *, place: str) -> dict[str, str]:
    """Read what is known of a library; bring an older layout to this one.

    Raises
    ------
    StoreError
        If it is no library, or one of a newer adatom or another ASE.
    """
    if not session.has_table("adatom_library"):
        kind = "an ASE database" if session.has_table("systems") else "a database"
        msg = (
            f"{place} is {kind} without a defect library in it: choose another file, or read its "
            "structures with ASE"
        )
        raise StoreError(msg)
    values = {str(name): str(value) for name, value in session.rows("SELECT * FROM adatom_library")}
    version = _whole(values.get("schema", ""), place)
    if version > SCHEMA_VERSION:
        msg = (
            f"{place} is a library of layout {version}, this adatom knows layouts up to "
            f"{SCHEMA_VERSION}: update adatom"
        )
        raise StoreError(msg)
    _check_ase(session, place)
    for number in range(version, SCHEMA_VERSION):
        if number not in _MIGRATIONS:
            msg = f"{place} is a library of layout {version}, which no adatom has written"
            raise StoreError(msg)
        with session.transaction():
            _MIGRATIONS[number](session)
            session.execute(
                "UPDATE adatom_library SET value = ? WHERE name = 'schema'", (str(number + 1),)
            )
    return values


def _whole(text: str, place: str) -> int:
    if not text.isdecimal():
        msg = f"{place} is damaged: its layout is {text!r}, need a whole number"
        raise StoreError(msg)
    return int(text)


def _check_ase(session: Session, place: str) -> None:
    found = session.rows("SELECT value FROM information WHERE name = 'version'")
    if [tuple(row) for row in found] != [(str(ASE_VERSION),)]:
        msg = (
            f"{place} holds atoms in layout {[row[0] for row in found]} of the ASE database, "
            f"adatom writes layout {ASE_VERSION}: open it with the ASE that wrote it"
        )
        raise StoreError(msg)
