"""Random cells of two-dimensional lattices of columns, by family."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Cell:
    """A cell whose columns are nowhere closer than 1.

    Attributes
    ----------
    vectors : ndarray, shape (2, axis)
        Rows are the lattice vectors, axis y, x.
    basis : ndarray, shape (column, axis)
        Places of the columns.
    species : tuple of str
        Of each column; columns of one species are equally bright.
    numbers : tuple of float
        Atomic number, or sum over a column of several atoms taken to the
        power of the contrast; 0 where brightness is to be drawn freely.
    """

    vectors: NDArray[np.float64]
    basis: NDArray[np.float64]
    species: tuple[str, ...]
    numbers: tuple[float, ...]


_R3: Final = math.sqrt(3.0)
_TRANSITION_METALS: Final = {"Ti": 22, "V": 23, "Nb": 41, "Mo": 42, "Re": 75, "W": 74}
_CHALCOGENS: Final = {"S": 16, "Se": 34, "Te": 52}
_A_SITES: Final = {"Ca": 20, "Sr": 38, "Ba": 56, "La": 57, "Pb": 82, "Bi": 83}
_B_SITES: Final = {"Ti": 22, "Mn": 25, "Fe": 26, "Zr": 40, "Nb": 41, "Ru": 44}
_ROCKSALT: Final = {"Mg": 12, "Ni": 28, "Na": 11, "Pb": 82, "Cl": 17, "O": 8, "Se": 34}
_DUMBBELLS: Final = {"Si": 14, "Ga": 31, "As": 33, "Cd": 48, "Te": 52, "In": 49, "Zn": 30, "S": 16}


def _named(rng: np.random.Generator, elements: dict[str, int]) -> tuple[str, float]:
    name = str(rng.choice(list(elements)))
    return name, float(elements[name])


def _cell(vectors: object, basis: object, *columns: tuple[str, float]) -> Cell:
    names, numbers = zip(*columns, strict=True)
    return Cell(np.asarray(vectors, dtype=float), np.asarray(basis, dtype=float), names, numbers)


_HONEYCOMB: Final = (((0.0, _R3), (1.5, _R3 / 2)), ((0.0, 0.0), (1.0, 0.0)))


def _honeycomb(rng: np.random.Generator) -> Cell:
    del rng
    return _cell(*_HONEYCOMB, ("C", 6.0), ("C", 6.0))


def _hbn_like(rng: np.random.Generator) -> Cell:
    del rng
    return _cell(*_HONEYCOMB, ("B", 5.0), ("N", 7.0))


def _tmd(rng: np.random.Generator) -> Cell:
    name, number = _named(rng, _CHALCOGENS)
    # Two chalcogens lie over one another; as one column they scatter as twice one.
    return _cell(*_HONEYCOMB, _named(rng, _TRANSITION_METALS), (f"{name}2", -number))


def _janus(rng: np.random.Generator) -> Cell:
    upper, lower = rng.choice(list(_CHALCOGENS), 2, replace=False)
    mean = (_CHALCOGENS[upper] + _CHALCOGENS[lower]) / 2
    return _cell(*_HONEYCOMB, _named(rng, _TRANSITION_METALS), (f"{upper}{lower}", -mean))


def _square(rng: np.random.Generator) -> Cell:
    del rng
    return _cell(((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0),), ("A", 0.0))


def _hexagonal(rng: np.random.Generator) -> Cell:
    del rng
    return _cell(((0.0, 1.0), (_R3 / 2, 0.5)), ((0.0, 0.0),), ("A", 0.0))


def _oblique(rng: np.random.Generator) -> Cell:
    angle, ratio = math.radians(rng.uniform(62.0, 90.0)), rng.uniform(1.0, 1.6)
    second = (ratio * math.sin(angle), ratio * math.cos(angle))
    return _scaled(_cell(((0.0, 1.0), second), ((0.0, 0.0),), ("A", 0.0)))


def _perovskite_100(rng: np.random.Generator) -> Cell:
    a = math.sqrt(2.0)
    columns = (_named(rng, _A_SITES), _named(rng, _B_SITES))
    return _cell(((a, 0.0), (0.0, a)), ((0.0, 0.0), (a / 2, a / 2)), *columns)


def _perovskite_110(rng: np.random.Generator) -> Cell:
    columns = (_named(rng, _A_SITES), _named(rng, _B_SITES))
    return _cell(((0.0, math.sqrt(2.0)), (2.0, 0.0)), ((0.0, 0.0), (1.0, 0.0)), *columns)


def _rocksalt(rng: np.random.Generator) -> Cell:
    # Along [110] each column holds one element; columns make a centered rectangle.
    height, width = 1.0, math.sqrt(2.0)
    columns = (_named(rng, _ROCKSALT), _named(rng, _ROCKSALT))
    vectors = ((height, width / 2), (height, -width / 2))
    return _scaled(_cell(vectors, ((0.0, 0.0), (height, 0.0)), *columns))


def _dumbbells(rng: np.random.Generator) -> Cell:
    # Zinc blende along [110]: a / 4 between the columns of a dumbbell.
    first = _named(rng, _DUMBBELLS)
    second = first if rng.random() < 0.3 else _named(rng, _DUMBBELLS)
    a = 4.0
    vectors = ((a / 2, a / math.sqrt(8)), (a / 2, -a / math.sqrt(8)))
    return _cell(vectors, ((0.0, 0.0), (1.0, 0.0)), first, second)


def _kagome(rng: np.random.Generator) -> Cell:
    del rng
    basis = ((0.0, 0.0), (0.0, 1.0), (_R3 / 2, 0.5))
    return _cell(((0.0, 2.0), (_R3, 1.0)), basis, *[("A", 0.0)] * 3)


def _snub_square(rng: np.random.Generator) -> Cell:
    # Two squares and three triangles round each column, as in sigma phases.
    del rng
    a = (1 + _R3) / math.sqrt(2) * 1.0
    u = math.sin(math.radians(15)) / math.sqrt(2) / a * math.sqrt(2)
    places = a * np.array([(u, 0.5 - u), (0.5 - u, 1 - u), (1 - u, 0.5 + u), (0.5 + u, u)])
    return _scaled(_cell(((a, 0.0), (0.0, a)), places, *[("A", 0.0)] * 4))


def _random(rng: np.random.Generator) -> Cell:
    return _random_cell(rng, int(rng.integers(1, 7)))


def _complex(rng: np.random.Generator) -> Cell:
    return _random_cell(rng, int(rng.integers(7, 17)))


def _random_cell(rng: np.random.Generator, n_columns: int) -> Cell:
    """Columns at random but nowhere closer than 1, in a random cell of common density."""
    n_species = int(rng.integers(1, min(n_columns, 4) + 1))
    while True:
        area = n_columns * rng.uniform(1.15, 1.9)
        ratio, angle = (
            rng.uniform(1.0, 1.8),
            math.radians(rng.choice([90.0, 60.0, rng.uniform(65, 90)])),
        )
        short = math.sqrt(area / ratio / math.sin(angle))
        second = (short * ratio * math.sin(angle), short * ratio * math.cos(angle))
        vectors = np.array([(0.0, short), second])
        shares = _spread_shares(rng, n_columns, vectors)
        if shares is not None:
            break
    species = [f"{'ABCD'[k % n_species]}" for k in range(n_columns)]
    return _scaled(_cell(vectors, shares @ vectors, *[(name, 0.0) for name in species]))


def _spread_shares(
    rng: np.random.Generator, n_columns: int, vectors: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Shares of the vectors of columns thrown into the cell one by one; None if no room is left."""
    images = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=float)
    own = images[(images != 0).any(axis=1)] @ vectors
    if (np.hypot(*own.T) < 1).any():
        return None
    placed: list[NDArray[np.float64]] = [np.zeros(2)]
    for thrown in rng.uniform(0.0, 1.0, (60 * n_columns, 2)):
        if len(placed) == n_columns:
            break
        apart = (np.asarray(placed)[:, None, :] - thrown + images) @ vectors
        if (np.hypot(apart[..., 0], apart[..., 1]) >= 1).all():
            placed.append(thrown)
    return np.asarray(placed) if len(placed) == n_columns else None


def _scaled(cell: Cell) -> Cell:
    """Bring the shortest distance between columns to 1."""
    steps = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=float)
    many = (cell.basis[:, None, :] + steps @ cell.vectors).reshape(-1, 2)
    nearest = KDTree(many).query(cell.basis, k=2)[0][:, 1].min()
    return Cell(cell.vectors / nearest, cell.basis / nearest, cell.species, cell.numbers)


FAMILIES: Final[dict[str, Callable[[np.random.Generator], Cell]]] = {
    "honeycomb": _honeycomb,
    "hbn_like": _hbn_like,
    "tmd": _tmd,
    "janus": _janus,
    "square": _square,
    "hexagonal": _hexagonal,
    "oblique": _oblique,
    "perovskite_100": _perovskite_100,
    "perovskite_110": _perovskite_110,
    "rocksalt": _rocksalt,
    "dumbbells": _dumbbells,
    "kagome": _kagome,
    "snub_square": _snub_square,
    "random": _random,
    "complex": _complex,
}
