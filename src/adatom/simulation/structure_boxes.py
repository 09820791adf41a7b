"""Rectangular boxes of atoms, taken from a structure of any cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import SettingError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

_ANGSTROMS: Final = 10.0


class Box(NamedTuple):
    """A rectangular cell that is computed, and where the image lies in it."""

    atoms: Atoms
    origin: tuple[float, float]
    """Place of the image's first pixel, y and x, in nm."""
    period: tuple[float, float] | None
    """Height and width in nm if the image may repeat the box."""


def boxed(structure: Atoms, field: tuple[float, float], margin: float) -> Box:
    """Take the cell of a structure, or cut the field out of it with a margin around."""
    if not len(structure):
        msg = "the structure has no atoms"
        raise SettingError(msg)
    cell = np.array(structure.cell)
    periodic = bool(np.all(structure.pbc[:2]))
    if periodic and np.abs(cell[:2, 2]).max() > 1e-6 * np.abs(cell).max():
        msg = (
            "the first two vectors of the cell do not lie in the plane of the image: rotate the "
            "structure until the beam is along z and cut a cell in that plane, as "
            "ase.build.surface and ase.build.make_supercell do"
        )
        raise SettingError(msg)
    upright = np.abs([cell[0, 1], cell[1, 0]]).max() <= 1e-6 * np.abs(cell).max()
    if periodic and upright:
        height, width = cell[1, 1] / _ANGSTROMS, cell[0, 0] / _ANGSTROMS
        return Box(structure.copy(), (0.0, 0.0), (height, width))  # type: ignore[no-untyped-call]
    cut = _cut(structure, field, margin, periodic=periodic)
    return Box(cut, (margin, margin), None)


def _cut(structure: Atoms, field: tuple[float, float], margin: float, *, periodic: bool) -> Atoms:
    from ase import Atoms as AseAtoms

    low = -margin * _ANGSTROMS
    high = (np.array(field[::-1]) + margin) * _ANGSTROMS
    places, number = structure.positions, np.arange(len(structure))
    if periodic:
        shifts = _shifts(np.array(structure.cell)[:2, :2], places[:, :2], low, high)
        places = (places + np.pad(shifts, ((0, 0), (0, 1)))[:, None, :]).reshape(-1, 3)
        number = np.tile(number, len(shifts))
    # Half open, so that no atom lies on both of two borders that meet.
    inside = ((places[:, :2] >= low) & (places[:, :2] < high)).all(axis=1)
    if not inside.any():
        msg = f"no atom of the structure lies in the {field=} in nm, which begins at x = y = 0"
        raise SettingError(msg)
    kept = number[inside]
    atoms = AseAtoms(
        numbers=structure.numbers[kept],
        positions=places[inside] - [low, low, 0.0],
        cell=[*(high - low), 1.0],
    )
    if "class" in structure.arrays:
        atoms.set_array("class", structure.arrays["class"][kept])  # type: ignore[no-untyped-call]
    return atoms


def _shifts(
    vectors: NDArray[np.float64],
    places: NDArray[np.float64],
    low: float,
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give all shifts by the cell that may bring an atom to between low and high."""
    corners = np.array([[x, y] for x in (low, high[0]) for y in (low, high[1])])
    inverse = np.linalg.inv(vectors)
    wanted, given = corners @ inverse, places @ inverse
    ranges = [
        np.arange(math.floor(w.min() - g.max()), math.ceil(w.max() - g.min()) + 1)
        for w, g in zip(wanted.T, given.T, strict=True)
    ]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 2)
    shifts: NDArray[np.float64] = steps @ vectors
    return shifts
