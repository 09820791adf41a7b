"""Columns of atoms along the beam: where a structure is seen in an image, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.simulation.gathering import grouped, middles_of_groups

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

# In nm. Atoms nearer to one another in projection than this, less than any probe
# resolves, are one column.
ONE_COLUMN: Final = 0.03
# Weight of an atom in a column, as its brightness in a dark field.
_EXPONENT: Final = 1.64


class AtomColumns(NamedTuple):
    """Columns of a structure.

    Attributes
    ----------
    positions : ndarray, shape (column, axis)
        Mean place of the atoms, y and x, in nm, the heavier ones counting for more.
    species : ndarray of str, shape (column,)
        Element that scatters most of a column.
    names : ndarray of str, shape (column,)
        Elements of a column from heavy to light, such as "TiO", or the class
        that the structure gives in ``arrays["class"]``.
    occupancy : ndarray, shape (column,)
        Number of atoms of the species.
    """

    positions: NDArray[np.float64]
    species: NDArray[np.str_]
    names: NDArray[np.str_]
    occupancy: NDArray[np.float64]


def columns_of_atoms(
    atoms: Atoms,
    places: NDArray[np.float64],
    means: NDArray[np.float64] | None = None,
    /,
    *,
    box: tuple[float, float] | None,
) -> AtomColumns:
    """Gather atoms that lie behind one another.

    Parameters
    ----------
    atoms : Atoms
        For their elements, and ``arrays["class"]`` if there is one.
    places : ndarray, shape (atom, axis)
        Of the atoms in the image at rest, y and x in nm: these tell which atoms are
        one column.
    means : ndarray, shape (atom, axis), optional
        Where each atom was seen on average, near its place: these tell where the column is.
    box : tuple of two floats, or None
        Height and width over which the structure is periodic.
    """
    periodic = None if box is None else np.diag(np.asarray(box, dtype=float))
    label = grouped(places, periodic, ONE_COLUMN)
    number = np.asarray(atoms.numbers, dtype=float)
    mean, _ = middles_of_groups(
        places if means is None else means, label, number**_EXPONENT, periodic
    )
    symbols = np.array(atoms.get_chemical_symbols())  # type: ignore[no-untyped-call]
    given = atoms.arrays.get("class")
    species, names, occupancy = [], [], []
    for column in range(len(mean)):
        here = np.flatnonzero(label == column)
        elements, counts = np.unique(symbols[here], return_counts=True)
        heavy = np.array([number[here][symbols[here] == element][0] for element in elements])
        order = np.argsort(-heavy)
        most = int(np.argmax(counts * heavy**_EXPONENT))
        species.append(str(elements[most]))
        occupancy.append(float(counts[most]))
        name = "".join(elements[order].tolist()) if given is None else str(given[here[0]])
        names.append(name)
    return AtomColumns(mean, np.array(species), np.array(names), np.array(occupancy))


def repeated_columns(
    columns: AtomColumns, /, *, box: tuple[float, float] | None, frame: list[float]
) -> AtomColumns:
    """Give all columns within ``frame`` (y_min, y_max, x_min, x_max), with periodic copies."""
    shifts = np.zeros((1, 2))
    if box is not None:
        ranges = [
            np.arange(
                np.floor((low - place.max()) / length), np.ceil((high - place.min()) / length) + 1
            )
            for low, high, length, place in zip(
                frame[::2], frame[1::2], box, columns.positions.T, strict=True
            )
        ]
        shifts = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 2) * box
    places = (columns.positions + shifts[:, None, :]).reshape(-1, 2)
    number = np.tile(np.arange(len(columns.species)), len(shifts))
    inside = ((places >= frame[::2]) & (places <= frame[1::2])).all(axis=1)
    kept = number[inside]
    # As the image is read: row after row.
    order = np.lexsort(places[inside].T[::-1])
    return AtomColumns(
        places[inside][order],
        columns.species[kept][order],
        columns.names[kept][order],
        columns.occupancy[kept][order],
    )
