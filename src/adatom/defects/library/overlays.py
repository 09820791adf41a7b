"""How far one set of atoms is from many others of the same composition, laid over them best."""

from __future__ import annotations

from itertools import permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.numerics.point_alignment import align_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PERMUTATIONS: Final = 5040
"""Up to so many ways of pairing atoms by species all are tried: seven like atoms."""

# Numbers of one block, so that its products stay in a few tens of MB.
_BLOCK: Final = 2**22
# With equal compositions no atom is left alone: pairs count as far as they are.
_NO_PENALTY: Final = 1e3


def n_permutations(numbers: NDArray[np.int64], /) -> int:
    """Count the ways of pairing the atoms of two sets of this composition."""
    return prod(factorial(int(count)) for count in np.unique(numbers, return_counts=True)[1])


def least_rmsd(
    wanted: NDArray[np.floating],
    shapes: NDArray[np.floating],
    numbers: NDArray[np.int64],
    /,
    *,
    reflect: bool,
) -> NDArray[np.float64]:
    r"""Give the least RMSD of each shape from the wanted one.

    With places :math:`a_i, b_i` around their centers as complex numbers, the
    best turn for one pairing :math:`\pi` leaves
    :math:`N\,\mathrm{RMSD}^2 = \sum|a|^2 + \sum|b|^2 - 2 |\sum \bar a_i b_{\pi(i)}|`,
    and a mirror takes the conjugate of b. All pairings are tried where these
    are few, otherwise likely ones (`align_points`).

    Parameters
    ----------
    wanted : array (atom, axis)
        Around the center, in the order of atomic numbers. Of float32, RMSD are
        right to some 3e-4 of the size of the set only, which is enough to rank.
    shapes : array (shape, atom, axis)
        The same of each.
    numbers : array (atom)
        Atomic numbers in this order, those of all shapes.
    reflect : bool
        Whether mirror images are alike.
    """
    if n_permutations(numbers) > MOST_PERMUTATIONS:
        labels = np.broadcast_to(numbers, shapes.shape[:2])
        return align_points(
            wanted.astype(float),
            numbers,
            shapes.astype(float),
            labels,
            penalty=_NO_PENALTY,
            reflect=reflect,
        ).rmsd
    first, second, pairings = _pairings(numbers)
    own = wanted[:, 1] + 1j * wanted[:, 0]
    step = max(1, _BLOCK // pairings.shape[1])
    parts = [
        _by_all_pairings(own, shapes[start : start + step], first, second, pairings, reflect)
        for start in range(0, len(shapes), step)
    ]
    return np.concatenate(parts or [np.empty(0)])


def _pairings(
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Give the pairs of like atoms, and in which pairing (pair, pairing) each takes part."""
    groups = [np.flatnonzero(numbers == number).tolist() for number in np.unique(numbers)]
    first, second = np.nonzero(numbers[:, None] == numbers)
    place = {pair: k for k, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    every = list(product(*(permutations(group) for group in groups)))
    taken = np.zeros((len(first), len(every)), dtype=np.float32)
    order = [atom for group in groups for atom in group]
    for k, choice in enumerate(every):
        partners = [atom for group in choice for atom in group]
        taken[[place[pair] for pair in zip(order, partners, strict=True)], k] = 1
    return first, second, taken


def _by_all_pairings(
    own: NDArray[np.complexfloating],
    shapes: NDArray[np.floating],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    pairings: NDArray[np.float32],
    reflect: bool,
) -> NDArray[np.float64]:
    theirs = shapes[..., 1] + 1j * shapes[..., 0]
    pairings = pairings.astype(shapes.dtype, copy=False)
    largest = np.zeros(len(shapes))
    for other in (theirs, theirs.conj()) if reflect else (theirs,):
        terms = own[first].conj() * other[:, second]
        sums = np.hypot(terms.real @ pairings, terms.imag @ pairings)
        largest = np.maximum(largest, sums.max(axis=1))
    size = np.sum(np.abs(own.astype(complex)) ** 2) + np.sum(shapes.astype(float) ** 2, axis=(1, 2))
    # Of equal sets rounding may leave less than nothing.
    rmsd: NDArray[np.float64] = np.sqrt(np.maximum(size - 2 * largest, 0) / len(own))
    return rmsd


def lower_bounds(
    wanted: NDArray[np.float32], shapes: NDArray[np.float32], numbers: NDArray[np.int64], /
) -> NDArray[np.float64]:
    r"""Give the least RMSD that each shape can have, without pairing and turning.

    Laid over one another best, the centers coincide, and so
    :math:`\sum_{i<j} |(a_i - a_j) - (b_i - b_j)|^2 = N \sum |a_i - b_i|^2 = N^2 \mathrm{RMSD}^2`.
    A difference of two lengths is no longer than the difference of the
    vectors, and sorting the lengths of every pair of species makes their sum
    of squares least: :math:`\mathrm{RMSD} \ge \lVert d - d' \rVert / N`.

    Parameters
    ----------
    wanted, shapes, numbers
        As for `least_rmsd`.
    """
    own, theirs = _sorted_distances(wanted[None], numbers), _sorted_distances(shapes, numbers)
    return np.sqrt(np.sum((theirs - own) ** 2, axis=1, dtype=np.float64)) / len(numbers)


def _sorted_distances(
    shapes: NDArray[np.float32], numbers: NDArray[np.int64]
) -> NDArray[np.float32]:
    first, second = np.triu_indices(len(numbers), k=1)
    distances: NDArray[np.float32] = np.linalg.norm(shapes[:, first] - shapes[:, second], axis=2)
    _, kinds = np.unique(
        np.stack([numbers[first], numbers[second]], axis=1), axis=0, return_inverse=True
    )
    for kind in range(kinds.max(initial=-1) + 1):
        columns = np.flatnonzero(kinds == kind)
        distances[:, columns] = np.sort(distances[:, columns], axis=1)
    return distances
