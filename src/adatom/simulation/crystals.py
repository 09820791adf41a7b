"""Columns of a crystal over a field, and cells that no one has seen: fast, for many images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.simulation.cells import Cell, Composition, Pair, measured_cell, named_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of light and heavy elements, so that columns differ by up to forty times in brightness.
_ELEMENTS: Final = ("C", "O", "Al", "Si", "S", "Ti", "Fe", "Ga", "Se", "Sr", "Mo", "Te", "Ba", "W")
# Disks dropped at random jam at 0.547 of the plane, that is 1.44 squared distances for
# each; above 2.4 holes as wide as two columns open.
_AREA_PER_COLUMN: Final = (1.5, 2.4)
_TRIES: Final = 40


class CrystalSites(NamedTuple):
    """Columns of a crystal.

    Attributes
    ----------
    position : ndarray, shape (site, axis)
        Axis y, x, in the unit of the spacing.
    number : ndarray of int, shape (site,)
        Which column of the cell each is.
    cell : Cell
        The cell that was repeated.
    """

    position: NDArray[np.float64]
    number: NDArray[np.int64]
    cell: Cell


def crystal_positions(
    crystal: str | Cell,
    spacing: float,
    *,
    field: tuple[float, float],
    margin: float,
    rotation: float,
    rng: np.random.Generator,
    strain: float = 0.0,
) -> CrystalSites:
    """Repeat the cell of a crystal over a field, without disorder.

    Parameters
    ----------
    crystal : str or Cell
        One of `LATTICES` (see `named_cell` for other elements in it), or a cell
        such as `random_cell` gives.
    spacing : float
        Distance of the nearest columns, in pixels or nm.
    field : tuple of two floats
        Height and width, in the unit of the spacing; the first corner is the origin.
    margin : float
        Columns are laid out as far as this beyond the field.
    rotation : float
        In deg, from +x towards +y.
    rng : Generator
        Of the origin of the crystal.
    strain : float
        Relative elongation along x of the field.
    """
    cell = named_cell(crystal) if isinstance(crystal, str) else crystal
    vectors = _laid_out(cell.vectors, spacing, rotation, strain)
    basis = _laid_out(cell.places, spacing, rotation, strain)
    origin = rng.uniform(0.0, 1.0, 2) @ vectors
    position, number = tiled(vectors, basis, origin, field=field, margin=margin)
    return CrystalSites(position, number, cell)


def laid_out_vectors(
    cell: Cell, spacing: float, *, rotation: float, strain: float = 0.0
) -> NDArray[np.float64]:
    """Vectors (vector, axis) of the cell as `crystal_positions` lays it out."""
    return _laid_out(cell.vectors, spacing, rotation, strain)


def _laid_out(
    places: tuple[Pair, ...], spacing: float, rotation: float, strain: float
) -> NDArray[np.float64]:
    """Bring places (y, x) of a cell to the scale and the orientation of the field."""
    turn = math.radians(rotation)
    # Angles run from +x towards +y, arrays are in the order y, x.
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    found: NDArray[np.float64] = spacing * np.asarray(places) @ turned.T
    return found @ np.diag([1.0, 1.0 + strain])


def tiled(
    vectors: NDArray[np.float64],
    basis: NDArray[np.float64],
    origin: NDArray[np.float64],
    *,
    field: tuple[float, float],
    margin: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Positions of all columns over the field and its margin, and their number in the cell."""
    low = np.full(2, -margin)
    high = np.asarray(field) + margin
    corners = np.array([[y, x] for y in (low[0], high[0]) for x in (low[1], high[1])])
    inverse = np.linalg.inv(vectors)
    counts = (corners - origin) @ inverse
    # Columns may lie outside the cell that repeats them.
    inner = basis @ inverse
    first = np.floor(counts.min(axis=0) - inner.max(axis=0).clip(1.0)).astype(int)
    last = np.ceil(counts.max(axis=0) - inner.min(axis=0).clip(None, -1.0)).astype(int)
    ranges = [np.arange(a, b + 1) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    positions = (steps @ vectors + basis + origin).reshape(-1, 2)
    number = np.tile(np.arange(len(basis)), len(steps))
    inside = ((positions >= low) & (positions <= high)).all(axis=1)
    return positions[inside], number[inside]


def random_cell(rng: np.random.Generator, *, n_columns: int | None = None) -> Cell:
    """Draw a cell of any shape with 1 to 6 columns in it that keep apart.

    One cell in two is a square, a rectangle or a rhombus of 60 deg, the others have
    an angle of 65 to 115 deg and sides that differ by up to 1.8 times. Columns are put
    one after the other where, of some random places, the others are farthest.
    """
    n = int(rng.integers(1, 7)) if n_columns is None else n_columns
    shape = rng.choice(("square", "rectangle", "rhombus", "oblique"), p=(0.15, 0.25, 0.1, 0.5))
    ratio = 1.0 if shape in {"square", "rhombus"} else math.exp(rng.uniform(0.0, math.log(1.8)))
    angle = {"square": 90.0, "rectangle": 90.0, "rhombus": 60.0}.get(shape, rng.uniform(65, 115))
    radians = math.radians(angle)
    area = n * rng.uniform(*_AREA_PER_COLUMN)
    a = math.sqrt(area / (ratio * math.sin(radians)))
    b = a * ratio
    vectors = np.array([[0.0, a], [b * math.sin(radians), b * math.cos(radians)]])
    places = _apart(vectors, n, rng)
    columns = _random_columns(n, rng)
    (a_y, a_x), (b_y, b_x) = vectors.tolist()
    pairs: list[Pair] = [(y, x) for y, x in places.tolist()]
    return measured_cell(((a_y, a_x), (b_y, b_x)), pairs, columns, name=f"random {shape}")


def _apart(vectors: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Places in a cell, each the one of some tries that is farthest from those before it."""
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    copies = (steps @ vectors)[:, None, None]
    places = np.zeros((1, 2))
    for _ in range(n - 1):
        tries = rng.uniform(0.0, 1.0, (_TRIES, 2)) @ vectors
        squared = ((tries[:, None] - places + copies) ** 2).sum(axis=-1)
        places = np.vstack([places, tries[squared.min(axis=(0, 2)).argmax()]])
    return places


def _random_columns(n: int, rng: np.random.Generator) -> tuple[Composition, ...]:
    """Elements of columns: one to three kinds, in columns of one or two atoms."""
    kinds = rng.choice(_ELEMENTS, int(rng.integers(1, min(n, 3) + 1)), replace=False)
    return tuple(
        ((str(kinds[rng.integers(len(kinds))]), float(rng.integers(1, 3))),) for _ in range(n)
    )
