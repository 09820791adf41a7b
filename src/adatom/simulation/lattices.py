"""Perfect and disordered lattices as sites."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Sites, sites_from_positions
from adatom.units import LENGTH, SPACE_UNITS, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

LatticeName = Literal["square", "hexagonal", "honeycomb", "rectangular"]


class _Cell(NamedTuple):
    """Cell in nearest-neighbor distances; vectors and basis as (y, x)."""

    vectors: tuple[tuple[float, float], tuple[float, float]]
    basis: tuple[tuple[float, float], ...]
    species: tuple[str, ...]


_ROOT_3: Final = math.sqrt(3.0)
_CELLS: Final[dict[str, _Cell]] = {
    "square": _Cell(((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0),), ("C",)),
    "hexagonal": _Cell(((0.0, 1.0), (_ROOT_3 / 2, 0.5)), ((0.0, 0.0),), ("C",)),
    "honeycomb": _Cell(((0.0, _ROOT_3), (1.5, _ROOT_3 / 2)), ((0.0, 0.0), (1.0, 0.0)), ("C", "C")),
    # A perovskite along [110]: cell a/sqrt(2) wide and a high, A columns at
    # its corners, B columns midway between them along a.
    "rectangular": _Cell(
        ((0.0, math.sqrt(2.0)), (2.0, 0.0)), ((0.0, 0.0), (1.0, 0.0)), ("Sr", "Ti")
    ),
}


@dataclass(frozen=True)
class Crystal:
    """A lattice and what disturbs it.

    Attributes
    ----------
    lattice : {"square", "hexagonal", "honeycomb", "rectangular"}
        "rectangular" has two species, as SrTiO3 along [110].
    spacing : length
        Between nearest neighbors, in nm, mm or px.
    rotation : float
        In deg, from +x towards +y. Not 0 by default, so that rows of atoms
        do not lie along rows of pixels, as they never do in a real image.
    displacement : float
        Standard deviation of random displacements, per axis, in spacings.
    vacancies : float
        Fraction of the sites that are empty.
    strain : float
        Relative elongation along x.
    """

    lattice: LatticeName = "square"
    spacing: Length = "20 px"
    rotation: float = 7.0
    displacement: float = 0.0
    vacancies: float = 0.0
    strain: float = 0.0

    def __post_init__(self) -> None:
        if self.lattice not in _CELLS:
            msg = f"lattice={self.lattice!r} is not known: use one of {', '.join(_CELLS)}"
            raise SettingError(msg)
        if LENGTH.check(self.spacing, name="spacing").value <= 0:
            msg = f"spacing={self.spacing!r} must be more than 0"
            raise SettingError(msg)
        if not self.displacement >= 0:
            msg = f"displacement={self.displacement} must be 0 or more"
            raise SettingError(msg)
        if not 0 <= self.vacancies < 1:
            msg = f"vacancies={self.vacancies} is a fraction of the sites: 0 to less than 1"
            raise SettingError(msg)
        if not self.strain > -1:
            msg = f"strain={self.strain} must be more than -1"
            raise SettingError(msg)


def build_lattice(
    *,
    crystal: Crystal = Crystal(),
    field: tuple[float, float] = (256.0, 256.0),
    unit: str = "px",
    margin: float = 0.0,
    seed: int = 0,
) -> Sites:
    """Lay out the sites of a lattice over a rectangular field.

    Parameters
    ----------
    crystal : Crystal
        Which lattice, and what disturbs it.
    field : tuple of two floats
        Height and width of the field in `unit`; its first corner is the origin.
    unit : {"nm", "mm", "px"}
        Unit of the positions.
    margin : float
        Sites are laid out as far as this beyond the field, in `unit`, so
        that an image of the field has no dark edge.
    seed : int
        Of displacements, vacancies, and the origin of the lattice.

    Returns
    -------
    Sites
        With ``species``, ``class`` (as the species) and ``sublattice``.

    Raises
    ------
    UnitError
        If the spacing is not a length in `unit` or convertible to it.

    Examples
    --------
    >>> sites = build_lattice(crystal=Crystal("honeycomb", spacing="10 px"), field=(100.0, 100.0))
    >>> sites.attrs["spacing"]
    10.0
    """
    if unit not in SPACE_UNITS:
        msg = f"{unit=} must be one of {', '.join(SPACE_UNITS)}"
        raise SettingError(msg)
    spacing = length_from_setting(crystal.spacing, unit=unit, name="spacing")
    rng = np.random.default_rng(seed)
    positions, number = lattice_positions(crystal, spacing, field=field, margin=margin, rng=rng)
    sites = sites_from_positions(*positions.T, unit=unit, spacing=spacing)
    names = _CELLS[crystal.lattice].species
    species = np.asarray(names)[number]
    sites["species"] = ("site", species)
    sites["class"] = ("site", species.copy())
    if len(set(names)) > 1:
        sites["sublattice"] = ("site", number)
    return sites


def lattice_positions(
    crystal: Crystal,
    spacing: float,
    *,
    field: tuple[float, float],
    margin: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Positions (site, axis) of a disturbed lattice, and which atom of the cell each is."""
    perfect, number = _perfect_positions(crystal, spacing, field, margin, rng)
    kept = np.ones(len(perfect), dtype=bool)
    kept[rng.permutation(len(perfect))[: round(crystal.vacancies * len(perfect))]] = False
    moved = perfect + rng.normal(0.0, 1.0, perfect.shape) * crystal.displacement * spacing
    return moved[kept], number[kept]


def _perfect_positions(
    crystal: Crystal,
    spacing: float,
    field: tuple[float, float],
    margin: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    cell = _CELLS[crystal.lattice]
    turn = math.radians(crystal.rotation)
    # Angles run from +x towards +y, arrays are in the order y, x.
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    stretch = np.diag([1.0, 1.0 + crystal.strain])
    vectors = spacing * np.asarray(cell.vectors) @ rotation.T @ stretch
    basis = spacing * np.asarray(cell.basis) @ rotation.T @ stretch
    low = np.full(2, -margin)
    high = np.asarray(field) + margin
    corners = np.array([[y, x] for y in (low[0], high[0]) for x in (low[1], high[1])])
    origin = rng.uniform(0.0, 1.0, 2) @ vectors
    counts = (corners - origin) @ np.linalg.inv(vectors)
    ranges = [np.arange(math.floor(c.min()) - 1, math.ceil(c.max()) + 2) for c in counts.T]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    positions = (steps @ vectors + basis + origin).reshape(-1, 2)
    number = np.tile(np.arange(len(basis)), len(steps))
    inside = ((positions >= low) & (positions <= high)).all(axis=1)
    return positions[inside], number[inside]
