"""Numbers of a defect that neither turning nor mirroring it changes: bonds, angles, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.defects.library.packing import symbols_of_numbers

if TYPE_CHECKING:
    from adatom.defects.library.packing import DefectRow
    from numpy.typing import NDArray

MOST_PAIRED: Final = 48
"""Largest number of atoms of which all distances are kept: 1128 of them."""


class Measure(NamedTuple):
    """All bonds of one pair of elements, or all angles of one triple, of a defect."""

    what: str
    """Elements in the order of the alphabet, ``C-Si``; of an angle its vertex in the middle."""
    number: int
    smallest: float
    mean: float
    largest: float


def measures_of_row(row: DefectRow, /) -> list[Measure]:
    """Sum up lengths (nm) and angles (deg) of the bonds of a defect, by elements."""
    symbols = symbols_of_numbers(row.numbers)
    found: dict[str, list[float]] = {}
    for first, second, length, _ in row.bonds.tolist():
        ends = sorted((symbols[int(first)], symbols[int(second)]))
        found.setdefault("-".join(ends), []).append(length)
    for what, angle in _angles(row, symbols):
        found.setdefault(what, []).append(angle)
    return [
        Measure(what, len(values), min(values), sum(values) / len(values), max(values))
        for what, values in found.items()
    ]


def _angles(row: DefectRow, symbols: list[str]) -> list[tuple[str, float]]:
    """Give the angles between bonds that are next to one another around their common atom."""
    partners: dict[int, list[int]] = {}
    for one, other in row.bonds[:, :2].astype(int).tolist():
        partners.setdefault(one, []).append(other)
        partners.setdefault(other, []).append(one)
    angles = []
    for vertex, around in partners.items():
        if len(around) < 2:
            continue
        steps = row.places[around] - row.places[vertex]
        direction = np.degrees(np.arctan2(steps[:, 0], steps[:, 1]))
        order = np.argsort(direction, kind="stable")
        gaps = np.diff(direction[order], append=direction[order[0]] + 360)
        # Of two bonds the angle between them, not the rest of the circle.
        number = range(len(around)) if len(around) > 2 else [int(np.argmin(gaps))]
        for place in number:
            ends = (around[order[place]], around[order[(place + 1) % len(around)]])
            left, right = sorted(symbols[end] for end in ends)
            angles.append((f"{left}-{symbols[vertex]}-{right}", float(gaps[place])))
    return angles


def shape_vector(numbers: NDArray[np.int64], places: NDArray[np.float64], /) -> NDArray[np.float32]:
    """List the distances within a set of atoms, sorted for every pair of species.

    For equal compositions the difference of two such lists bounds the
    aligned RMSD from below, see `lower_bounds`. Of more than `MOST_PAIRED`
    atoms the distances from their center stand instead.

    Parameters
    ----------
    numbers : array (atom)
        Atomic numbers.
    places : array (atom, axis)
    """
    order = np.argsort(numbers, kind="stable")
    kinds, here = numbers[order], places[order]
    if len(here) > MOST_PAIRED:
        radii = np.linalg.norm(here - here.mean(axis=0), axis=1)
        return radii[np.lexsort((radii, kinds))].astype(np.float32)
    first, second = np.triu_indices(len(here), k=1)
    distances = np.linalg.norm(here[first] - here[second], axis=1)
    # Sorted by species, the first of a pair never has the larger number.
    return distances[np.lexsort((distances, kinds[second], kinds[first]))].astype(np.float32)


def lower_bounds(
    shapes: NDArray[np.float32], wanted: NDArray[np.float32], n_atoms: int, /
) -> NDArray[np.float64]:
    r"""Give the least aligned RMSD that each shape can have with the wanted one.

    Let :math:`e_i` be what remains of atom i after the best alignment. Then
    :math:`|d_{ij} - d'_{ij}| \le |e_i| + |e_j|`, and summed over all pairs
    :math:`\sum (d - d')^2 \le 2 (N - 1) \sum e_i^2 = 2 N (N - 1) \mathrm{RMSD}^2`.
    Sorting within a pair of species makes the left side no larger. Distances
    from the center change by :math:`|e_i|` at most: there
    :math:`\sum (r - r')^2 \le N \mathrm{RMSD}^2`.

    Parameters
    ----------
    shapes : array (defect, distance)
    wanted : array (distance)
    n_atoms : int
    """
    squares = np.sum((shapes - wanted).astype(np.float64) ** 2, axis=1)
    paired = n_atoms <= MOST_PAIRED
    most = 2 * n_atoms * (n_atoms - 1) if paired else n_atoms
    return np.sqrt(squares / max(most, 1))
