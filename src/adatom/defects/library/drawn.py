"""Defects of which only elements and places of atoms are known, as other libraries hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.defects.library.packing import DefectRow, defects_of_rows, formula_of_symbols
from adatom.defects.records import ROLES
from adatom.errors import KindError
from adatom.numerics.plane_graphs import key_of_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.defects.records import Defects

# Of the sum of covalent radii: bonds of silicon in graphene reach 1.15, second neighbors begin at
# 1.6. Coordinates of an image are uncertain by some hundredths more.
_BOND_REACH: Final = 1.3


class DrawnDefect(NamedTuple):
    """Elements and places (atom, axis y, x) in nm of the atoms of a defect."""

    symbols: Sequence[str]
    places: NDArray[np.float64]


def defects_of_drawings(
    drawings: Sequence[DrawnDefect], /, *, host: str, element: str, attrs: dict[str, object]
) -> Defects:
    """Make defects of drawings: all atoms but those of the host's element are core.

    Parameters
    ----------
    drawings : sequence of DrawnDefect
    host, element : str
        Name of the crystal and its element, such as "graphene" and "C".
    attrs : dict
        Further attributes of the defects.
    """
    rows = [_row(drawing, element) for drawing in drawings]
    return defects_of_rows(rows, attrs={"host": host, "nm_per_unit": 1.0, **attrs})


def _row(drawing: DrawnDefect, element: str) -> DefectRow:
    from ase.data import atomic_numbers

    symbols, places = list(drawing.symbols), drawing.places
    odd = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if odd:
        msg = f"{odd[0]!r} is no element"
        raise KindError(msg)
    numbers = np.array([atomic_numbers[symbol] for symbol in symbols])
    is_core = np.array([symbol != element for symbol in symbols])
    if not is_core.any():
        msg = f"all atoms are {element}: nothing tells the defect from the crystal"
        raise KindError(msg)
    bonds = _bonds(numbers, places)
    key, chirality = key_of_graph(places, symbols, bonds[:, :2].astype(np.int64))
    center = places[is_core].mean(axis=0)
    unknown = np.full(len(places), np.nan)
    members = np.column_stack([
        places, unknown, unknown, unknown, np.full(len(places), -1.0),
        np.where(is_core, ROLES.index("core"), ROLES.index("neighbor")), numbers,
    ]).astype(np.float64)  # fmt: skip
    return DefectRow(
        name=_label(symbols, element),
        kind="substitution" if is_core.sum() == 1 else "cluster",
        class_key=key,
        formula=formula_of_symbols(symbols),
        chirality=chirality,
        orientation=float("nan"),
        extent=float(np.max(np.linalg.norm(places[:, None] - places, axis=2))),
        # Labels that people have looked over do not say how sure they are.
        confidence=float("nan"),
        y=float(center[0]),
        x=float(center[1]),
        n_core=int(is_core.sum()),
        n_neighbors=int((~is_core).sum()),
        n_missing=0,
        members=members,
        bonds=bonds,
    )


def _label(symbols: list[str], element: str) -> str:
    foreign = sorted(set(symbols) - {element})
    order = [*foreign, element] if element in symbols else foreign
    return "".join(f"{symbol}{symbols.count(symbol)}" for symbol in order)


def _bonds(numbers: NDArray[np.int64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bond atoms by the sum of their covalent radii: first, second, length, its error."""
    from ase.data import covalent_radii

    first, second = np.triu_indices(len(numbers), k=1)
    length = np.linalg.norm(places[first] - places[second], axis=1)
    limit = _BOND_REACH * (covalent_radii[numbers[first]] + covalent_radii[numbers[second]]) / 10
    near = length <= limit
    return np.column_stack(
        [first[near], second[near], length[near], np.full(int(near.sum()), np.nan)]
    ).astype(np.float64)
