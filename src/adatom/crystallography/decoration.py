"""Lattices whose sites are of several kinds: the cell that repeats the kinds as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.nets import conventional_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Half way between kinds put at random in equal parts, which join like sites in half of the pairs,
# and perfect order; walls between domains and single sites of a wrong kind part a few pairs.
_REPEATS: Final = 0.75
# Shares of pairs are known to 0.01 then.
_SAMPLE: Final = 10_000
# Multiples of the lattice vectors that are looked at, in the order of the cells they make.
_LARGEST: Final = 4


class Indexed(NamedTuple):
    """Cell (site, 2), sublattice and grain of every site; grain -1: not indexed."""

    cell: NDArray[np.int64]
    sublattice: NDArray[np.int64]
    grain: NDArray[np.int64]


def decorated(
    found: Indexed, vectors: NDArray[np.float64], kind: NDArray[np.int64], /
) -> tuple[Indexed, NDArray[np.float64]]:
    """Take for every grain the smallest cell that repeats the kinds of its sites.

    Grains that have none keep their cell. Sublattices are numbered anew, in
    the order of the kind that most of their sites have.
    """
    cell, sublattice, grain = (part.copy() for part in found)
    vectors = vectors.copy()
    for number in range(len(vectors)):
        here = np.flatnonzero(grain == number)
        repeat = _smallest_repeat(cell[here], sublattice[here], kind[here])
        if repeat is None:
            continue
        repeat = conventional_turn(repeat @ vectors[number]) @ repeat
        vectors[number] = repeat @ vectors[number]
        cell[here], part = _in_larger_cell(cell[here], repeat)
        n_parts = abs(round(float(np.linalg.det(repeat))))
        sublattice[here] = _by_kind(sublattice[here] * n_parts + part, kind[here])
    return Indexed(cell, sublattice, grain), vectors


def _smallest_repeat(
    cell: NDArray[np.int64], sublattice: NDArray[np.int64], kind: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Give the basis (2, 2), in lattice vectors, of the smallest cell that repeats the kinds."""
    if len(np.unique(kind)) == 1:
        return np.eye(2, dtype=np.int64)
    reach = range(-_LARGEST, _LARGEST + 1)
    shifts = [(i, j) for i in reach for j in reach if (i, j) > (0, 0)]
    share = dict(zip(shifts, _alike(cell, sublattice, kind, shifts), strict=True))
    for size in range(1, _LARGEST + 1):
        for basis in _cells_of_size(size):
            # Either vector, and their sum, or kinds that repeat by chance would be taken.
            needed = [basis[0], basis[1], basis[0] + basis[1]]
            if all(share.get(_upward(v), 1.0) >= _REPEATS for v in needed):
                return basis
    return None


def _upward(vector: NDArray[np.int64]) -> tuple[int, int]:
    i, j = int(vector[0]), int(vector[1])
    return (i, j) if (i, j) > (0, 0) else (-i, -j)


def _cells_of_size(size: int) -> list[NDArray[np.int64]]:
    """List every sublattice of an index once, by its Hermite normal form."""
    return [
        np.array([[d, b], [0, size // d]])
        for d in range(1, size + 1)
        if size % d == 0
        for b in range(size // d)
    ]


def _alike(
    cell: NDArray[np.int64],
    sublattice: NDArray[np.int64],
    kind: NDArray[np.int64],
    shifts: list[tuple[int, int]],
) -> list[float]:
    """Give for every shift the share of pairs of sites that are of one kind; NaN without pairs."""
    low = cell.min(axis=0) - _LARGEST
    size = cell.max(axis=0) + _LARGEST + 1 - low

    def key(cells: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.int64]:
        moved = cells - low
        numbers: NDArray[np.int64] = (of * size[0] + moved[:, 0]) * size[1] + moved[:, 1]
        return numbers

    keys = key(cell, sublattice)
    order = np.argsort(keys)
    ranked = keys[order]
    every = slice(None, None, -(-len(cell) // _SAMPLE))
    sample, own, mine = cell[every], sublattice[every], kind[every]
    shares = []
    for shift in shifts:
        wanted = key(sample + np.array(shift), own)
        at = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
        met = ranked[at] == wanted
        same = kind[order[at[met]]] == mine[met]
        shares.append(float(same.mean()) if met.any() else float("nan"))
    return shares


def _in_larger_cell(
    cell: NDArray[np.int64], repeat: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the larger cell (site, 2) of every cell, and which part of it that is."""
    exact = cell @ np.linalg.inv(repeat)
    # Whole numbers divided by a size up to 4: a thousandth is far from the next.
    larger = np.floor(exact + 1e-3).astype(np.int64)
    rest = cell - larger @ repeat
    _, part = np.unique(rest, axis=0, return_inverse=True)
    return larger, part.ravel().astype(np.int64)


def _by_kind(sublattice: NDArray[np.int64], kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give sublattices numbers in the order of the kind that most of their sites have."""
    _, of = np.unique(sublattice, return_inverse=True)
    _, rank = np.unique(kind, return_inverse=True)
    count = np.zeros((of.max() + 1, rank.max() + 1), dtype=np.int64)
    np.add.at(count, (of, rank), 1)
    order = np.argsort(count.argmax(axis=1), kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[of]
