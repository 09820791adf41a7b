"""Numbers of a defect that neither turning nor mirroring it changes: bonds, angles, distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.defects.library.packing import symbols_of_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from adatom.defects.library.packing import DefectRow


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
    places = row.places.tolist()
    return [
        found
        for vertex, around in partners.items()
        if len(around) > 1
        for found in _angles_around(vertex, around, places, symbols)
    ]


def _angles_around(
    vertex: int, around: list[int], places: list[list[float]], symbols: list[str]
) -> Iterator[tuple[str, float]]:
    # Plain numbers: an atom has some three bonds, for which arrays would take longer.
    y, x = places[vertex]
    turns = sorted(
        (math.degrees(math.atan2(places[end][0] - y, places[end][1] - x)), end) for end in around
    )
    gaps = [
        ((later - turn) % 360, end, next_end)
        for (turn, end), (later, next_end) in zip(turns, [*turns[1:], turns[0]], strict=True)
    ]
    # Of two bonds the angle between them, not the rest of the circle.
    for gap, end, next_end in gaps if len(gaps) > 2 else [min(gaps)]:
        left, right = sorted((symbols[end], symbols[next_end]))
        yield f"{left}-{symbols[vertex]}-{right}", gap


def shape_of_atoms(
    numbers: NDArray[np.int64], places: NDArray[np.float64], /
) -> NDArray[np.float32]:
    """Give the places of atoms around their center, in the order of atomic numbers.

    Parameters
    ----------
    numbers : array (atom)
        Atomic numbers.
    places : array (atom, axis)
    """
    around = places - places.mean(axis=0)
    ordered: NDArray[np.float32] = around[np.argsort(numbers, kind="stable")].astype(np.float32)
    return ordered
