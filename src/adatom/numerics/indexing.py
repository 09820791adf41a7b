"""Reflections of an image as multiples of two vectors of a cell of known shape."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Scans stretch one direction against another by up to 15 % in the images that were looked at;
# at 1.41 a square would pass for the rectangle of a perovskite along [110].
MOST_STRETCH = 1.3
# So many of the strongest reflections are tried as the two that span the lattice.
MOST_TRIED = 9
# Reflections of so many orders are tried for them.
ORDERS = 2
# A reflection belongs to a place of the lattice within so many bins ...
WITHIN_BINS = 1.3
# ... or this share of its length, since scans are distorted, but never farther than this
# share of the way to the next place.
WITHIN_SHARE = 0.03
WITHIN_CELL = 0.25
# Reflections with this share of the power of the strongest are expected to fill the lattice.
STRONG = 0.05


class Cell(NamedTuple):
    """A cell that explains reflections.

    Attributes
    ----------
    matrix : ndarray, shape (2, 2)
        Columns are the two reciprocal vectors of the image, in cycles per pixel.
    indices : ndarray of int, shape (spot, 2)
        Of the reflections in terms of them.
    belongs : ndarray of bool, shape (spot,)
        Which reflections are explained.
    explained : float
        Share of the power that they hold.
    """

    matrix: Floats
    indices: NDArray[np.int64]
    belongs: NDArray[np.bool_]
    explained: float


def candidate_cells(
    frequency: Floats, power: Floats, ideal: Floats, size: tuple[int, int], /
) -> list[Cell]:
    """List the cells of a shape that two of the strongest reflections span.

    Parameters
    ----------
    frequency : ndarray, shape (spot, 2)
        In cycles per pixel, the strongest first.
    power : ndarray, shape (spot,)
    ideal : ndarray, shape (2, 2)
        Columns are the reciprocal vectors of the primitive cell.
    size : tuple of two int
        Of the image, whose inverse is a bin.

    Returns
    -------
    list of Cell
        Stretched against the ideal by no more than `MOST_STRETCH` and not mirrored.
    """
    orders = range(-ORDERS, ORDERS + 1)
    places = np.array([place for place in product(orders, orders) if any(place)], dtype=float)
    pairs = np.array([(a, b) for a in places for b in places if _spans(a, b)])
    spanned = np.linalg.inv(np.einsum("ij,nkj->nik", ideal, pairs))
    found = []
    for first, second in combinations(range(min(len(power), MOST_TRIED)), 2):
        corner = np.column_stack([frequency[first], frequency[second]])
        maps = corner @ spanned
        values = np.linalg.svd(maps, compute_uv=False)
        fits = (values[:, 0] < MOST_STRETCH * values[:, 1]) & (np.linalg.det(maps) > 0)
        found += [indexed(one @ ideal, frequency, power, size) for one in maps[fits]]
    return found


def _spans(first: Floats, second: Floats) -> bool:
    return bool(abs(first[0] * second[1] - first[1] * second[0]) > 0)


def indexed(matrix: Floats, frequency: Floats, power: Floats, size: tuple[int, int], /) -> Cell:
    """Count the reflections in terms of two vectors."""
    indices = np.rint(frequency @ np.linalg.inv(matrix).T)
    away = (indices @ matrix.T - frequency) * np.array(size)
    lengths = np.linalg.norm(frequency * np.array(size), axis=1)
    most = WITHIN_CELL * float(np.linalg.norm(matrix * np.array(size)[:, None], axis=0).min())
    within = np.minimum(np.maximum(WITHIN_BINS, WITHIN_SHARE * lengths), most)
    belongs = (np.linalg.norm(away, axis=1) <= within) & indices.any(axis=1)
    return Cell(
        matrix, indices.astype(np.int64), belongs, float(power[belongs].sum() / power.sum())
    )


def filling(cell: Cell, power: Floats, /) -> float:
    """Tell which share of the places within reach of the strong reflections is taken by them.

    A cell that is too large has a place near any reflection, most of which stay empty.
    """
    strong = cell.belongs & (power >= STRONG * power[cell.belongs].max(initial=0.0))
    if not strong.any():
        return 0.0
    reach = float(np.linalg.norm(cell.indices[strong] @ cell.matrix.T, axis=1).max())
    # A place is no farther along an index than the reach over the height of the cell.
    most = np.floor(reach * np.linalg.norm(np.linalg.inv(cell.matrix), axis=1) + 1e-6).astype(int)
    h, k = np.meshgrid(*(np.arange(-one, one + 1) for one in most), indexing="ij")
    places = np.stack([h, k], axis=-1) @ cell.matrix.T
    within = int((np.linalg.norm(places, axis=-1) <= reach * (1 + 1e-6)).sum()) // 2
    taken = len({max(tuple(one), tuple(-one)) for one in cell.indices[strong]})
    return taken / max(within, 1)


def unseen_factor(indices: NDArray[np.int64], /) -> int:
    """Tell how many times smaller the cell is that the reflections need: 1 if none is missing.

    The largest divisor that the areas spanned by pairs of them have in common.
    """
    areas = [int(a[0] * b[1] - a[1] * b[0]) for a, b in combinations(indices, 2)]
    return int(np.gcd.reduce(areas)) if areas else 0


def fitted_matrix(frequency: Floats, indices: NDArray[np.int64], weight: Floats, /) -> Floats:
    """Fit the two reciprocal vectors to indexed reflections by weighted least squares."""
    root = np.sqrt(weight)[:, None]
    solution = np.linalg.lstsq(indices * root, frequency * root)[0]
    return np.asarray(solution.T)
