"""Cells drawn at random by family: which columns lie where, and how bright they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.simulation.cells import LATTICES, Cell, materials_of, named_cell, nearest_distance
from adatom.simulation.chances import Chance
from adatom.simulation.crystals import random_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILIES: Final[tuple[str, ...]] = (*LATTICES, "random", "complex")
"""Structures to draw from: those by name, random cells of 1 to 6 columns, and of 7 to 16."""

# Fainter columns than this beside the brightest are not asked for: nobody sees
# the oxygen beside heavy atoms in a dark field. They are drawn all the same.
FAINTEST: Final = 0.12
_FAINTEST_DRAWN: Final = 0.15


@dataclass(frozen=True)
class DrawnCell:
    """A cell whose columns that are seen are nowhere closer than 1.

    Attributes
    ----------
    vectors : ndarray, shape (2, axis)
        Rows are the lattice vectors, axis y, x.
    basis : ndarray, shape (column, axis)
        Places of the columns.
    names : ndarray of str, shape (column,)
        Of what is in them, such as "TiO".
    peaks : ndarray, shape (column,)
        Brightness; that of the brightest is 1.
    """

    vectors: NDArray[np.float64]
    basis: NDArray[np.float64]
    names: NDArray[np.str_]
    peaks: NDArray[np.float64]


def draw_cell(chance: Chance, family: str) -> DrawnCell:
    """Draw a cell of a family, its materials and its contrast."""
    if family == "random":
        cell = random_cell(chance.rng)
    elif family == "complex":
        cell = random_cell(chance.rng, n_columns=int(chance.rng.integers(7, 17)))
    else:
        materials = materials_of(family)
        cell = named_cell(family, materials[int(chance.rng.integers(len(materials)))])
    peaks = _peaks(chance, cell)
    names = np.asarray(cell.classes)
    brightness = {name: float(peaks[names == name][0]) for name in sorted(set(cell.classes))}
    chance.note(columns=brightness, columns_in_cell=len(names))
    # Distances are those of the columns that one sees.
    vectors, places = np.asarray(cell.vectors), np.asarray(cell.places)
    nearest = nearest_distance(vectors, places[peaks >= FAINTEST])
    return DrawnCell(vectors / nearest, places / nearest, names, peaks)


def _peaks(chance: Chance, cell: Cell) -> NDArray[np.float64]:
    """Relative brightness of the columns: by their atoms, or one of any for each kind."""
    if len(set(cell.classes)) == 1:
        return np.ones(len(cell.columns))
    if chance.rng.random() < 0.75:
        # Dark fields from medium to high angles.
        peaks = cell.brightness(chance.between(1.3, 2.0))
    else:
        kinds, kind = np.unique(cell.classes, return_inverse=True)
        peaks = np.exp(chance.rng.uniform(math.log(_FAINTEST_DRAWN), 0.0, len(kinds)))[kind]
    found: NDArray[np.float64] = peaks / peaks.max()
    return found
