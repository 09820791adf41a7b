"""Cells of crystals seen along the beam, by name: where their columns lie and what is in them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from adatom.errors import SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LatticeName = Literal[
    "square",
    "hexagonal",
    "honeycomb",
    "rectangular",
    "oblique",
    "kagome",
    "hbn",
    "tmd",
    "tmd_janus",
    "tmd_1t",
    "fcc_100",
    "fcc_110",
    "fcc_111",
    "bcc_100",
    "bcc_110",
    "rocksalt_100",
    "rocksalt_110",
    "zincblende_100",
    "zincblende_110",
    "wurtzite_110",
    "perovskite_100",
    "perovskite_110",
    "ruddlesden_popper",
    "tungsten_bronze",
]

Pair = tuple[float, float]
Composition = tuple[tuple[str, float], ...]

Z_EXPONENT: Final = 1.64
"""Intensity of an atom grows as its number to this power, as in an annular dark field at 60 kV."""
_CARBON: Final = 6
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Cell:
    """A cell of a crystal, projected along the beam.

    Attributes
    ----------
    vectors : pair of (y, x)
        In distances of the nearest columns.
    places : tuple of (y, x)
        Where the columns lie, in distances of the nearest columns.
    columns : tuple
        What is in each column: pairs of an element and the number of its
        atoms in one period along the beam.
    distance : float
        Of the nearest columns, in nm, where it is known; NaN if not.
    name : str
        Of the crystal.
    """

    vectors: tuple[Pair, Pair]
    places: tuple[Pair, ...]
    columns: tuple[Composition, ...]
    distance: float = math.nan
    name: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns by what is in them, such as "TiO" or "S2"."""
        return tuple(column_name(column) for column in self.columns)

    def counts(self) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Elements of the cell, and how many atoms (column, element) of each a column holds."""
        elements = tuple(dict.fromkeys(part[0] for column in self.columns for part in column))
        counts = np.zeros((len(self.columns), len(elements)))
        for row, column in enumerate(self.columns):
            for element, n in column:
                counts[row, elements.index(element)] += n
        return elements, counts

    def brightness(self, exponent: float = Z_EXPONENT) -> NDArray[np.float64]:
        """Intensity of every column relative to one carbon atom, atoms adding up as Z**exponent."""
        return np.array([column_brightness(column, exponent) for column in self.columns])


def measured_cell(
    vectors: tuple[Pair, Pair],
    places: list[Pair],
    columns: tuple[Composition, ...],
    *,
    unit: float = math.nan,
    name: str = "",
) -> Cell:
    """Make a cell from lengths in some unit (of so many nm): measure its nearest distance."""
    nearest = nearest_distance(np.asarray(vectors), np.asarray(places))
    # Cells told in nearest distances stay so to the last bit.
    nearest = 1.0 if abs(nearest - 1.0) < _ROUNDING else nearest
    (a_y, a_x), (b_y, b_x) = (np.asarray(vectors) / nearest).tolist()
    scaled = tuple((y, x) for y, x in (np.asarray(places) / nearest).tolist())
    return Cell(((a_y, a_x), (b_y, b_x)), scaled, columns, unit * nearest, name)


def nearest_distance(vectors: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    """Measure the distance of the nearest columns of a cell that is not far from reduced."""
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    apart = places[:, None] - places + (steps @ vectors)[:, None, None]
    squared = (apart**2).sum(axis=-1)
    # A column is no neighbor of itself.
    squared[(steps == 0).all(axis=1)] += np.where(np.eye(len(places), dtype=bool), np.inf, 0.0)
    return math.sqrt(float(squared.min()))


def column_name(column: Sequence[tuple[str, float]]) -> str:
    """Name a column by its elements, the brightest first: "TiO", "S2", "Sr0.5"."""
    ordered = sorted(column, key=lambda part: -column_brightness((part,), Z_EXPONENT))
    return "".join(f"{element}{'' if n == 1 else f'{n:g}'}" for element, n in ordered)


def column_brightness(column: Sequence[tuple[str, float]], exponent: float) -> float:
    """Add up the intensity of a column's atoms, relative to one carbon atom."""
    return math.fsum(n * (atomic_number(part) / _CARBON) ** exponent for part, n in column)


def brightness_of_elements(elements: Sequence[str]) -> NDArray[np.float64]:
    """Give the intensity of one atom of each element relative to carbon."""
    return np.array([column_brightness(((element, 1.0),), Z_EXPONENT) for element in elements])


def atomic_number(element: str) -> int:
    """Give the number of an element, or an error that names it."""
    from ase.data import atomic_numbers

    if element not in atomic_numbers:
        msg = f"species {element!r} is no element: use symbols such as 'Si'"
        raise SettingError(msg)
    return int(atomic_numbers[element])


class _Family(NamedTuple):
    """Crystals of one structure, in units of their lattice constant.

    Vectors and places are (y, x). In the names of columns a letter is a role that
    an element plays, a number how many of it there are in one period along the beam.
    Materials are their elements in the order of the roles, and the constant in nm.
    """

    vectors: tuple[Pair, Pair]
    places: tuple[Pair, ...]
    columns: tuple[str, ...]
    roles: str
    materials: Mapping[tuple[str, ...], float]
    unit: float = 1.0


_ROOT_2: Final = math.sqrt(2.0)
_ROOT_3: Final = math.sqrt(3.0)
_HEXAGONAL: Final = ((0.0, 1.0), (_ROOT_3 / 2, 0.5))
_HONEYCOMB: Final = ((0.0, _ROOT_3), (1.5, _ROOT_3 / 2))
_DUMBBELL: Final = ((1.0, 0.0), (0.5, _ROOT_2 / 4))

_PEROVSKITES: Final[Mapping[tuple[str, ...], float]] = {
    ("Sr", "Ti", "O"): 0.3905,
    ("Ba", "Ti", "O"): 0.4000,
    ("Pb", "Ti", "O"): 0.3960,
    ("Bi", "Fe", "O"): 0.3960,
    ("La", "Al", "O"): 0.3790,
    ("La", "Mn", "O"): 0.3880,
    ("Sr", "Ru", "O"): 0.3930,
    ("K", "Ta", "O"): 0.3989,
}
_CHALCOGENIDES: Final[Mapping[tuple[str, ...], float]] = {
    ("Mo", "S"): 0.3160,
    ("W", "S"): 0.3153,
    ("Mo", "Se"): 0.3288,
    ("W", "Se"): 0.3282,
    ("Mo", "Te"): 0.3519,
}
_ROCKSALTS: Final[Mapping[tuple[str, ...], float]] = {
    ("Mg", "O"): 0.4212,
    ("Ni", "O"): 0.4177,
    ("Na", "Cl"): 0.5640,
    ("Pb", "Te"): 0.6462,
    ("Ti", "N"): 0.4240,
}
_ZINCBLENDES: Final[Mapping[tuple[str, ...], float]] = {
    ("Ga", "As"): 0.5653,
    ("Si", "Si"): 0.5431,
    ("C", "C"): 0.3567,
    ("Ga", "P"): 0.5451,
    ("In", "Sb"): 0.6479,
    ("Cd", "Te"): 0.6482,
    ("Zn", "Se"): 0.5668,
}
_FCC: Final[Mapping[tuple[str, ...], float]] = {
    ("Au",): 0.4078,
    ("Pt",): 0.3924,
    ("Cu",): 0.3615,
    ("Al",): 0.4050,
}
_BCC: Final[Mapping[tuple[str, ...], float]] = {("Fe",): 0.2866, ("W",): 0.3165, ("Cr",): 0.2885}


def _bronze_orbit(x: float, y: float) -> tuple[Pair, ...]:
    """Places (y, x) of a column in the plane group p4gm, that of P4bm along its axis."""
    half = 0.5
    orbit = [(x, y), (-x, -y), (-y, x), (y, -x)]
    orbit += [(x + half, half - y), (half - x, y + half), (half - y, half - x)]
    orbit += [(y + half, x + half)]
    places: list[Pair] = []
    for u, v in orbit:
        place = (round(v % 1.0, 9) % 1.0, round(u % 1.0, 9) % 1.0)
        if place not in places:
            places.append(place)
    return tuple(places)


# Columns of (Sr,Ba)Nb2O6 after Jamieson et al.: tunnels of four sides and of five,
# Nb with the O above it, and the four O round each.
_BRONZE: Final = {
    "A": _bronze_orbit(0.0, 0.0),
    "C": _bronze_orbit(0.1707, 0.6707),
    "BO": _bronze_orbit(0.0, 0.5) + _bronze_orbit(0.0746, 0.2114),
    "O": _bronze_orbit(0.3434, 0.0068)
    + _bronze_orbit(0.1393, 0.0692)
    + _bronze_orbit(0.2831, 0.7831),
}

_FAMILIES: Final[dict[str, _Family]] = {
    # Plain lattices are no material's: their length is what one gives them.
    "square": _Family(((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0),), ("M",), "M", {("C",): math.nan}),
    "hexagonal": _Family(_HEXAGONAL, ((0.0, 0.0),), ("M",), "M", {("C",): math.nan}),
    "honeycomb": _Family(
        _HONEYCOMB,
        ((0.0, 0.0), (1.0, 0.0)),
        ("M", "M"),
        "M",
        {("C",): 0.2460},
        unit=1 / _ROOT_3,
    ),
    # A perovskite along [110] without its oxygen: cell a/sqrt(2) wide and a high,
    # A columns at its corners, B columns midway between them along a.
    "rectangular": _Family(
        ((0.0, _ROOT_2), (2.0, 0.0)),
        ((0.0, 0.0), (1.0, 0.0)),
        ("A", "B"),
        "AB",
        {elements[:2]: a for elements, a in _PEROVSKITES.items()},
        unit=0.5,
    ),
    "oblique": _Family(((0.0, 1.0), (1.15, 0.35)), ((0.0, 0.0),), ("M",), "M", {("C",): math.nan}),
    "kagome": _Family(
        ((0.0, 2.0), (_ROOT_3, 1.0)),
        ((0.0, 0.0), (0.0, 1.0), (_ROOT_3 / 2, 0.5)),
        ("M", "M", "M"),
        "M",
        {("C",): math.nan},
    ),
    "hbn": _Family(
        _HONEYCOMB,
        ((0.0, 0.0), (1.0, 0.0)),
        ("N", "B"),
        "NB",
        {("N", "B"): 0.2504},
        unit=1 / _ROOT_3,
    ),
    # 2H and its two-faced relative: both layers of X lie above one another. 1T: they do not.
    "tmd": _Family(
        _HONEYCOMB,
        ((0.0, 0.0), (1.0, 0.0)),
        ("M", "X2"),
        "MX",
        _CHALCOGENIDES,
        unit=1 / _ROOT_3,
    ),
    "tmd_janus": _Family(
        _HONEYCOMB,
        ((0.0, 0.0), (1.0, 0.0)),
        ("M", "XY"),
        "MXY",
        {("W", "S", "Se"): 0.3218, ("Mo", "S", "Se"): 0.3224, ("W", "Se", "Te"): 0.3402},
        unit=1 / _ROOT_3,
    ),
    "tmd_1t": _Family(
        _HONEYCOMB,
        ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0)),
        ("M", "X", "X"),
        "MX",
        {("Ti", "Se"): 0.3540, ("Pt", "Se"): 0.3728, ("Ta", "S"): 0.3365, ("Sn", "S"): 0.3648},
        unit=1 / _ROOT_3,
    ),
    "fcc_100": _Family(((0.5, 0.0), (0.0, 0.5)), ((0.0, 0.0),), ("M",), "M", _FCC),
    "fcc_110": _Family(((1.0, 0.0), (0.5, _ROOT_2 / 4)), ((0.0, 0.0),), ("M",), "M", _FCC),
    "fcc_111": _Family(_HEXAGONAL, ((0.0, 0.0),), ("M",), "M", _FCC, unit=1 / math.sqrt(6.0)),
    "bcc_100": _Family(((1.0, 0.0), (0.5, 0.5)), ((0.0, 0.0),), ("M",), "M", _BCC),
    "bcc_110": _Family(((0.5, 0.0), (0.0, _ROOT_2 / 2)), ((0.0, 0.0),), ("M",), "M", _BCC),
    "rocksalt_100": _Family(((0.5, 0.0), (0.0, 0.5)), ((0.0, 0.0),), ("MX",), "MX", _ROCKSALTS),
    "rocksalt_110": _Family(_DUMBBELL, ((0.0, 0.0), (0.5, 0.0)), ("M", "X"), "MX", _ROCKSALTS),
    "zincblende_100": _Family(
        ((0.5, 0.0), (0.0, 0.5)), ((0.0, 0.0), (0.25, 0.25)), ("M", "X"), "MX", _ZINCBLENDES
    ),
    "zincblende_110": _Family(_DUMBBELL, ((0.0, 0.0), (0.25, 0.0)), ("M", "X"), "MX", _ZINCBLENDES),
    # The ideal cell: c/a = sqrt(8/3), u = 3/8.
    "wurtzite_110": _Family(
        ((math.sqrt(8 / 3), 0.0), (0.0, _ROOT_3 / 2)),
        tuple(
            (z * math.sqrt(8 / 3), x * _ROOT_3 / 2)
            for z, x in ((0.0, 0.0), (0.5, 1 / 3), (0.375, 0.0), (0.875, 1 / 3))
        ),
        ("M", "M", "X", "X"),
        "MX",
        {("Ga", "N"): 0.3189, ("Zn", "O"): 0.3250, ("Al", "N"): 0.3112},
    ),
    "perovskite_100": _Family(
        ((1.0, 0.0), (0.0, 1.0)),
        ((0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (0.0, 0.5)),
        ("A", "BO", "O", "O"),
        "ABO",
        _PEROVSKITES,
    ),
    "perovskite_110": _Family(
        ((1.0, 0.0), (0.0, _ROOT_2 / 2)),
        ((0.0, 0.0), (0.5, 0.0), (0.5, _ROOT_2 / 4)),
        ("AO", "B", "O2"),
        "ABO",
        _PEROVSKITES,
    ),
    # A2BO4 along [100], c/a = 3.25: A at 0.355 c, apical O at 0.157 c from B.
    "ruddlesden_popper": _Family(
        ((1.625, 0.5), (0.0, 1.0)),
        tuple((3.25 * z, x) for z, x in ((0.355, 0.0), (-0.355, 0.0), (0.0, 0.0)))
        + tuple((3.25 * z, x) for z, x in ((0.0, 0.5), (0.157, 0.0), (-0.157, 0.0))),
        ("A", "A", "BO", "O", "O", "O"),
        "ABO",
        {("Sr", "Ti", "O"): 0.3880, ("La", "Cu", "O"): 0.3800, ("Sr", "Ru", "O"): 0.3870},
    ),
    "tungsten_bronze": _Family(
        ((1.0, 0.0), (0.0, 1.0)),
        tuple(place for orbit in _BRONZE.values() for place in orbit),
        tuple(name for name, orbit in _BRONZE.items() for _ in orbit),
        "ACBO",
        {("Sr", "Ba", "Nb", "O"): 1.2460, ("K", "Ba", "Nb", "O"): 1.2570},
    ),
}


def check_lattice(name: str, species: tuple[str, ...] = ()) -> None:
    """Refuse the name of no lattice, and too few or too many elements for it."""
    if name not in _FAMILIES:
        msg = f"lattice={name!r} is not known: use one of {', '.join(LATTICES)}"
        raise SettingError(msg)
    roles = _FAMILIES[name].roles
    if species and len(species) != len(roles):
        example = next(iter(_FAMILIES[name].materials))
        msg = (
            f"{species=} are {len(species)} elements, {name} has {len(roles)}: "
            f"give them as {example}, or none for these"
        )
        raise SettingError(msg)
    for element in species:
        atomic_number(element)


@cache
def named_cell(name: str, species: tuple[str, ...] = ()) -> Cell:
    """Give the cell of a lattice, with these elements in its roles or those of a common material.

    The distance in nm is that of the material; NaN where these elements are none.
    """
    check_lattice(name, species)
    family = _FAMILIES[name]
    elements = species or next(iter(family.materials))
    constant = family.materials.get(elements, math.nan) * family.unit
    part_of = dict(zip(family.roles, elements, strict=True))
    columns = tuple(
        tuple(
            (part_of[role], float(number or 1))
            for role, number in re.findall(r"([A-Z])(\d*)", column)
        )
        for column in family.columns
    )
    return measured_cell(family.vectors, list(family.places), columns, unit=constant, name=name)


def materials_of(name: str) -> tuple[tuple[str, ...], ...]:
    """List the elements of the known materials of a lattice, in the order of its roles."""
    check_lattice(name)
    return tuple(_FAMILIES[name].materials)


LATTICES: Final[tuple[LatticeName, ...]] = get_args(LatticeName)
"""Names of all lattices."""
