"""Defects of an image taken apart into rows, and rows put together again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.defects.records import MISSING, ROLES, Defects, check_defects
from adatom.errors import KindError
from adatom.schema import (
    SITES,
    TABLE,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Coordinates of the same analysis on another machine agree to far less than a picometer.
_DECIMALS: Final = 6

UNKNOWN: Final = "?"
"""Spells an atom whose element is not known."""

UNKNOWN_NUMBER: Final = 999
"""Stands for its atomic number."""

MEMBER_COLUMNS: Final = (
    "y", "x", "y_error", "x_error", "species_probability", "atom", "role", "number",
)  # fmt: skip
"""Of a packed member; y, x and their errors in nm, the role by its place in `ROLES`, the atomic
number, 0 for a missing one, `UNKNOWN_NUMBER` where
the element is not known."""

BOND_COLUMNS: Final = ("first", "second", "length", "length_error")
"""Of a packed bond; numbers of members of the same defect, lengths in nm."""


@dataclass(frozen=True)
class DefectRow:
    """One defect as it stands in the database; lengths in nm."""

    name: str
    kind: str
    class_key: str
    formula: str
    chirality: int
    orientation: float
    extent: float
    confidence: float
    y: float
    x: float
    n_core: int
    n_neighbors: int
    n_missing: int
    members: NDArray[np.float64]
    """(member, column), columns `MEMBER_COLUMNS`."""
    bonds: NDArray[np.float64]
    """(bond, column), columns `BOND_COLUMNS`."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Atomic numbers of its members."""
        return self.members[:, 7].astype(np.int64)

    @property
    def places(self) -> NDArray[np.float64]:
        """Positions of its members (member, axis), axis y, x."""
        return self.members[:, :2]


def symbols_of_numbers(numbers: NDArray[np.int64], /) -> list[str]:
    """Give elements by atomic number, 0 is a missing atom."""
    from ase.data import chemical_symbols

    return [
        UNKNOWN if number == UNKNOWN_NUMBER else chemical_symbols[number]
        for number in numbers.tolist()
    ]


def formula_of_symbols(symbols: Sequence[str], /) -> str:
    """Spell a composition in the order of the alphabet, missing atoms last: ``C3Si1``.

    Examples
    --------
    >>> formula_of_symbols(["Si", "C", "C", "X"])
    'C2Si1X1'
    """
    counts = {symbol: symbols.count(symbol) for symbol in set(symbols)}
    order = sorted(counts, key=lambda symbol: (symbol in {MISSING, UNKNOWN}, symbol))
    return "".join(f"{symbol}{counts[symbol]}" for symbol in order)


def check_found(found: object, /) -> Defects:
    """Give defects as such; a clear error for anything else."""
    if not isinstance(found, tuple) or len(found) != 3:
        msg = f"found {type(found).__name__}, need Defects: take what find_defects gives"
        raise KindError(msg)
    defects, members, bonds = found
    SITES.check(defects, name="defects")
    SITES.check(members, name="members")
    TABLE.check(bonds, name="bonds")
    check_defects(defects, members, bonds)
    for name, sites in (("defects", defects), ("members", members)):
        lost = np.flatnonzero(~np.isfinite(positions(sites)).all(axis=1))
        if lost.size:
            msg = f"{name} {lost[:5].tolist()} have no place (NaN): leave them out"
            raise KindError(msg)
    if "frame" in defects.coords and np.unique(defects.coords["frame"].values).size > 1:
        msg = "defects of several frames: add them frame by frame, each with its image"
        raise KindError(msg)
    return Defects(defects, members, bonds)


def nm_per_unit(sites: xr.Dataset, /) -> float:
    """Give the length of the unit of sites.

    Raises
    ------
    KindError
        If the sites are in px and their scale is not told.
    """
    unit = space_unit(sites)
    scale = {"nm": 1.0, "mm": 1e6}.get(unit, sites.attrs.get("nm_per_unit", np.nan))
    if not (np.isfinite(scale) and scale > 0):
        msg = (
            f"defects are in {unit} and attrs['nm_per_unit'] is {scale}: a library holds lengths "
            "in nm, calibrate the image or name the host"
        )
        raise KindError(msg)
    return float(scale)


def rows_of_defects(found: Defects, /) -> list[DefectRow]:
    """Take the defects of an image apart."""
    defects, members, bonds = found
    scale = nm_per_unit(defects)
    packed, owner = _packed_members(members, scale), members["defect"].values.astype(np.int64)
    # Members of a defect stand together, in their own order.
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(defects.sizes["site"] + 1))
    within = np.empty(len(order), dtype=np.int64)
    within[order] = np.arange(len(order)) - starts[owner[order]]
    bond_rows, bond_starts = _packed_bonds(bonds, scale, owner, within, defects.sizes["site"])
    facts = _facts(defects, scale)
    return [
        DefectRow(
            **facts[number],
            formula=formula_of_symbols(symbols_of_numbers(own[:, 7].astype(np.int64))),
            members=own,
            bonds=bond_rows[bond_starts[number] : bond_starts[number + 1]],
        )
        for number in range(defects.sizes["site"])
        for own in [packed[order[starts[number] : starts[number + 1]]]]
    ]


def _packed_members(members: xr.Dataset, scale: float) -> NDArray[np.float64]:
    from ase.data import atomic_numbers

    species, which = np.unique(members["species"].values.astype(str), return_inverse=True)
    known = {**atomic_numbers, UNKNOWN: UNKNOWN_NUMBER, "": UNKNOWN_NUMBER}
    odd = [symbol for symbol in species.tolist() if symbol not in known]
    if odd:
        msg = (
            f"species {odd[0]!r} is no element: name elements, {MISSING!r} for a missing atom and "
            f"{UNKNOWN!r} where it is not known"
        )
        raise KindError(msg)
    numbers = np.array([known[symbol] for symbol in species.tolist()], dtype=float)
    roles = _codes(members["role"].values.astype(str), ROLES, "role")
    unknown = np.full(members.sizes["site"], np.nan)
    errors = [members[key].values * scale if key in members else unknown
              for key in ("y_error", "x_error")]  # fmt: skip
    return np.column_stack([
        positions(members) * scale,
        *errors,
        members["species_probability"].values,
        members["atom"].values,
        roles,
        numbers[which] if len(numbers) else unknown,
    ]).astype(np.float64)  # fmt: skip


def _codes(values: NDArray[Any], known: Sequence[str], name: str) -> NDArray[np.int64]:
    odd = sorted(set(values.tolist()) - set(known))
    if odd:
        msg = f"{name} {odd[0]!r} is none of {', '.join(known)}"
        raise KindError(msg)
    return np.array([known.index(value) for value in values.tolist()], dtype=np.int64)


def _packed_bonds(
    bonds: xr.Dataset,
    scale: float,
    owner: NDArray[np.int64],
    within: NDArray[np.int64],
    n_defects: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give bonds by the numbers of members within their defect, and where each defect's begin."""
    first, second = (bonds[key].values.astype(np.int64) for key in ("first", "second"))
    if np.any(owner[first] != owner[second]):
        msg = "a bond joins members of two defects: bonds are within each defect"
        raise KindError(msg)
    order = np.argsort(owner[first], kind="stable")
    packed = np.column_stack([
        within[first],
        within[second],
        bonds["length"].values * scale,
        bonds["length_error"].values * scale,
    ]).astype(np.float64)[order]  # fmt: skip
    return packed, np.searchsorted(owner[first][order], np.arange(n_defects + 1))


def _facts(defects: xr.Dataset, scale: float) -> list[dict[str, Any]]:
    places = positions(defects) * scale
    columns: dict[str, list[Any]] = {
        **{key: defects[key].values.astype(str).tolist() for key in ("name", "kind", "class_key")},
        "chirality": defects["chirality"].values.astype(int).tolist(),
        "orientation": defects["orientation"].values.astype(float).tolist(),
        "extent": (defects["extent"].values.astype(float) * scale).tolist(),
        "confidence": defects["confidence"].values.astype(float).tolist(),
        "y": places[:, 0].tolist(),
        "x": places[:, 1].tolist(),
        **{
            key: defects[key].values.astype(int).tolist()
            for key in ("n_core", "n_neighbors", "n_missing")
        },
    }
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def key_of_rows(rows: Sequence[DefectRow], host: str, nm_per_unit: float, /) -> str:
    """Hash what was found in an image, equal wherever and whenever it is found again."""
    digest = hashlib.sha256(f"{host} {nm_per_unit:.9g} {len(rows)}\n".encode())
    for row in rows:
        text = (row.name, row.kind, row.class_key, row.chirality, row.formula)
        digest.update(repr(text).encode())
        for values in (np.array([row.confidence, row.orientation]), row.members, row.bonds):
            # Adding 0 makes -0.0 and 0.0 one; NaN has a sign too, another one on each machine.
            rounded = np.round(values, _DECIMALS) + 0.0
            digest.update(np.where(np.isnan(rounded), np.nan, rounded).tobytes())
    return digest.hexdigest()


def defects_of_rows(rows: Sequence[DefectRow], /, *, attrs: dict[str, Any]) -> Defects:
    """Put rows together, in nm."""
    members = np.concatenate([row.members for row in rows] or [np.empty((0, 8))])
    owner = np.repeat(np.arange(len(rows)), [len(row.members) for row in rows])
    begins = np.cumsum([0, *(len(row.members) for row in rows)])
    bonds = np.concatenate(
        [row.bonds + np.array([start, start, 0, 0]) for row, start in zip(rows, begins)]
        or [np.empty((0, 4))]
    )
    table = table_from_columns(
        {
            "first": bonds[:, 0].astype(np.int64),
            "second": bonds[:, 1].astype(np.int64),
            "length": bonds[:, 2],
            "length_error": bonds[:, 3],
        },
        units={"length": "nm", "length_error": "nm"},
    )
    return Defects(_defects(rows, attrs), _members(members, owner), table)


def _defects(rows: Sequence[DefectRow], attrs: dict[str, Any]) -> xr.Dataset:
    sites = sites_from_positions([row.y for row in rows], [row.x for row in rows], unit="nm")
    for key in ("name", "kind", "class_key"):
        sites[key] = ("site", np.array([getattr(row, key) for row in rows], dtype=np.str_))
    for key in ("chirality", "n_core", "n_neighbors", "n_missing"):
        sites[key] = ("site", np.array([getattr(row, key) for row in rows], dtype=np.int64))
    for key, unit in (("orientation", "deg"), ("extent", "nm"), ("confidence", "1")):
        values = np.array([getattr(row, key) for row in rows], dtype=float)
        sites[key] = ("site", values, {"units": unit})
    sites.attrs.update(attrs)
    return sites


def _members(packed: NDArray[np.float64], owner: NDArray[np.int64]) -> xr.Dataset:
    sites = sites_from_positions(packed[:, 0], packed[:, 1], unit="nm")
    sites["defect"] = ("site", owner.astype(np.int64))
    symbols = symbols_of_numbers(packed[:, 7].astype(np.int64))
    sites["species"] = ("site", np.array(symbols, dtype=np.str_))
    roles = [ROLES[code] for code in packed[:, 6].astype(np.int64).tolist()]
    sites["role"] = ("site", np.array(roles, dtype=np.str_))
    sites["atom"] = ("site", packed[:, 5].astype(np.int64))
    sites["species_probability"] = ("site", packed[:, 4])
    for key, column in (("y_error", 2), ("x_error", 3)):
        sites[key] = ("site", packed[:, column], {"units": "nm"})
    return sites
