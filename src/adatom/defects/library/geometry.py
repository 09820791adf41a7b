"""Numbers of a defect that neither turning nor mirroring it changes: bonds, angles, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.defects.library.packing import symbols_of_numbers

if TYPE_CHECKING:
    from adatom.defects.library.packing import DefectRow
    from numpy.typing import NDArray

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


def shape_of_atoms(numbers: NDArray[np.int64], places: NDArray[np.float64], /) -> NDArray[np.float32]:
    """Give the places of atoms around their center, in the order of atomic numbers.

    Parameters
    ----------
    numbers : array (atom)
        Atomic numbers.
    places : array (atom, axis)
    """
    around = places - places.mean(axis=0)
    return around[np.argsort(numbers, kind="stable")].astype(np.float32)
