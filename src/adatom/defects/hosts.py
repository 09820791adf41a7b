"""Sheets that hold defects: their cells, and the columns of atoms seen from above."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import SettingError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Host:
    """A sheet with a hexagonal cell.

    Attributes
    ----------
    name : str
        Its formula, or "graphene".
    lattice_constant : float
        Measured, in angstrom.
    thickness : float
        Distance of its outermost atoms, in angstrom.
    anion : str
        The element whose elemental form fixes the chemical potentials of a compound; empty for
        an element.
    is_semimetal : bool
        Its bands touch at the corners of the zone, which cells that are multiples of three
        fold onto its center.
    """

    name: str
    lattice_constant: float
    thickness: float = 0.0
    anion: str = ""
    is_semimetal: bool = False

    def cell(self) -> Atoms:
        """Give the atoms of one cell, without repeats and without vacuum."""
        from ase.build import graphene, mx2

        made: Any
        if self.thickness:
            settings = {"a": self.lattice_constant, "thickness": self.thickness}
            made = mx2(self.name, kind="2H", **settings)  # type: ignore[no-untyped-call]
        else:
            formula = "C2" if self.name == "graphene" else self.name
            made = graphene(formula, a=self.lattice_constant)  # type: ignore[no-untyped-call]
        return made  # type: ignore[no-any-return]

    @property
    def bond(self) -> float:
        """Distance of neighboring columns in projection, in angstrom."""
        return self.lattice_constant / float(np.sqrt(3.0))


HOSTS: Final = {
    host.name: host
    for host in (
        # Lattice constants and thicknesses of crystals: R. Murray and B. Evans, J. Appl. Cryst.
        # 12, 312 (1979) and W. Schutte et al., J. Solid State Chem. 70, 207 (1987), rounded.
        Host("graphene", 2.46, is_semimetal=True),
        Host("BN", 2.504, anion="N"),
        Host("MoS2", 3.16, 3.17, anion="S"),
        Host("MoSe2", 3.29, 3.34, anion="Se"),
        Host("MoTe2", 3.52, 3.60, anion="Te"),
        Host("WS2", 3.153, 3.14, anion="S"),
        Host("WSe2", 3.282, 3.34, anion="Se"),
    )
}
"""Sheets in which defects can be embedded."""


def host_of_name(name: str, /) -> Host:
    """Give the host of a name.

    Raises
    ------
    SettingError
        If there is none of this name.
    """
    if name not in HOSTS:
        msg = f"host {name!r} is not known: it is one of {', '.join(HOSTS)}"
        raise SettingError(msg)
    return HOSTS[name]


class Columns(NamedTuple):
    """Columns of a host's cell, seen from above.

    Attributes
    ----------
    lattice : array (2, 2)
        Lattice vectors as rows, x and y, in angstrom.
    places : array (column, 2)
        x and y, in angstrom.
    elements : tuple of str
        Element of each column.
    atoms : tuple of tuple of int
        Numbers of the atoms of each column in the host's cell, the topmost first.
    """

    lattice: NDArray[np.float64]
    places: NDArray[np.float64]
    elements: tuple[str, ...]
    atoms: tuple[tuple[int, ...], ...]


@cache
def columns_of_host(name: str, /) -> Columns:
    """Give the columns of a host's cell."""
    cell: Any = host_of_name(name).cell()
    flat = cell.positions[:, :2]
    groups: list[list[int]] = []
    for atom in range(len(cell)):
        # Atoms over one another differ by rounding only.
        same = [group for group in groups if np.allclose(flat[group[0]], flat[atom], atol=1e-6)]
        if same:
            same[0].append(atom)
        else:
            groups.append([atom])
    ordered = [sorted(group, key=lambda atom: -cell.positions[atom, 2]) for group in groups]
    return Columns(
        np.array(cell.cell[:2, :2]),
        np.array([flat[group[0]] for group in ordered]),
        tuple(str(cell.symbols[group[0]]) for group in ordered),
        tuple(tuple(group) for group in ordered),
    )
