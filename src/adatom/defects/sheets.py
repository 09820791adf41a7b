"""Sheets of one element, and what is known of the elements found in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adatom.errors import SettingError
from adatom.numerics.sheet_bonds import SHEET_BONDS


@dataclass(frozen=True)
class Sheet:
    """A flat honeycomb of one element.

    Attributes
    ----------
    name : str
    element : str
    bond : float
        Distance between neighbors in nm.
    """

    name: str
    element: str
    bond: float


_ELEMENTS: Final = {"graphene": "C"}
SHEETS: Final = {
    name: Sheet(name, element, SHEET_BONDS[name]) for name, element in _ELEMENTS.items()
}

EXPONENT: Final = 1.64
"""Brightness of an atom in an annular dark field goes as its atomic number to this power.

O. L. Krivanek et al., Nature 464, 571 (2010), measured on B, C, N and O.
"""


def sheet_of_name(name: str, /) -> Sheet:
    """Look up a host, or say which are known."""
    if name not in SHEETS:
        msg = f"host={name!r} is no sheet that is known here: {', '.join(SHEETS)}"
        raise SettingError(msg)
    return SHEETS[name]


def atomic_number(element: str, /) -> int:
    """Give the atomic number of an element."""
    from ase.data import atomic_numbers

    if element not in atomic_numbers or element == "X":
        msg = f"{element!r} is no element: write it as 'Si'"
        raise SettingError(msg)
    return int(atomic_numbers[element])


def expected_bond(sheet: Sheet, one: str, other: str, /) -> float:
    """Give how long a bond is, in bonds of the sheet.

    The sums of the covalent radii of ase.data (B. Cordero et al., Dalton
    Trans., 2832 (2008)), relative to that of the sheet's own element: Si-C
    1.23 (0.175 nm in graphene), Si-Si 1.46.
    """
    from ase.data import covalent_radii

    radius = [float(covalent_radii[atomic_number(name)]) for name in (one, other)]
    return sum(radius) / (2 * float(covalent_radii[atomic_number(sheet.element)]))
