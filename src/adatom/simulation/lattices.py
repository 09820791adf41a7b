"""Perfect and disordered lattices as sites."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import SettingError, UnitError
from adatom.schema import Sites, sites_from_positions
from adatom.simulation.cells import Cell, LatticeName, check_lattice, named_cell
from adatom.simulation.columns import set_columns
from adatom.simulation.crystals import crystal_positions, laid_out_vectors
from adatom.units import LENGTH, SPACE_UNITS, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Crystal:
    """A lattice and what disturbs it.

    Attributes
    ----------
    lattice : str
        Plain: "square", "hexagonal", "honeycomb", "oblique", "kagome",
        "rectangular" (two species, as the cations of SrTiO3 along [110]).
        Sheets: "hbn", "tmd" (2H), "tmd_janus", "tmd_1t". Crystals along an axis:
        "fcc_100", "fcc_110", "fcc_111", "bcc_100", "bcc_110", "rocksalt_100",
        "rocksalt_110", "zincblende_100", "zincblende_110", "wurtzite_110"
        (that is [11-20]), "perovskite_100", "perovskite_110",
        "ruddlesden_popper", "tungsten_bronze".
    spacing : length
        Between nearest columns, in nm, mm or px; those of a dim element, such
        as oxygen, count as well. "1 d" is the true distance in the material.
    rotation : float
        In deg, from +x towards +y. Not 0 by default, so that rows of atoms
        do not lie along rows of pixels, as they never do in a real image.
    displacement : float
        Standard deviation of random displacements, per axis, in spacings.
    vacancies : float
        Fraction of the sites that are empty.
    strain : float
        Relative elongation along x.
    species : tuple of str
        Elements, such as ("W", "Se") for a "tmd"; left out, those of a common
        material, and carbon in plain lattices.
    """

    lattice: LatticeName = "square"
    spacing: Length = "20 px"
    rotation: float = 7.0
    displacement: float = 0.0
    vacancies: float = 0.0
    strain: float = 0.0
    species: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_lattice(self.lattice, tuple(self.species))
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
        With ``species``, the element that scatters most; ``class``, what the column
        holds, such as "TiO"; ``sublattice``, a number for every class if
        there are several; ``occupancy``, atoms of the column in one period along
        the beam, if any is not 1; ``composition`` (site, element), shares of the
        elements, if any column holds several. ``attrs["cell_vectors"]`` are those
        of the cell, each y, x.

    Raises
    ------
    SettingError
        If "1 d" is asked of a lattice that is no known material's.
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
    cell = named_cell(crystal.lattice, tuple(crystal.species))
    spacing = spacing_of_crystal(crystal, unit)
    rng = np.random.default_rng(seed)
    positions, number = lattice_positions(crystal, spacing, field=field, margin=margin, rng=rng)
    sites = sites_from_positions(*positions.T, unit=unit, spacing=spacing)
    vectors = laid_out_vectors(cell, spacing, rotation=crystal.rotation, strain=crystal.strain)
    sites.attrs["cell_vectors"] = vectors.tolist()
    return with_columns(sites, cell, number)


def with_columns(sites: Sites, cell: Cell, number: NDArray[np.int64], /) -> Sites:
    """Say of every site what its column holds."""
    sites["class"] = ("site", np.asarray(cell.classes)[number])
    names = list(dict.fromkeys(cell.classes))
    if len(names) > 1:
        orbit = np.array([names.index(name) for name in cell.classes])
        sites["sublattice"] = ("site", orbit[number])
    elements, counts = cell.counts()
    set_columns(sites, elements, counts[number])
    return sites


def spacing_of_crystal(crystal: Crystal, unit: str, *, pixel_size: float | None = None) -> float:
    """Give the distance of the nearest columns in `unit`; "1 d" is that in the material."""
    distance = named_cell(crystal.lattice, tuple(crystal.species)).distance
    in_distances = LENGTH.check(crystal.spacing, name="spacing").unit == "d"
    if in_distances and math.isnan(distance):
        of = ", ".join(crystal.species) or "no material"
        msg = (
            f"spacing={crystal.spacing!r}: {crystal.lattice} of {of} has no known distance: "
            "give it in nm or px"
        )
        raise SettingError(msg)
    if in_distances and unit == "px":
        msg = (
            f"spacing={crystal.spacing!r}: here nothing tells how many nm a pixel is: give it in px"
        )
        raise UnitError(msg)
    return length_from_setting(
        crystal.spacing,
        unit=unit,
        pixel_size=pixel_size,
        spacing=distance * (1e-6 if unit == "mm" else 1.0),
        name="spacing",
    )


def lattice_positions(
    crystal: Crystal,
    spacing: float,
    *,
    field: tuple[float, float],
    margin: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Positions (site, axis) of a disturbed lattice, and which column of the cell each is."""
    perfect, number, _ = crystal_positions(
        named_cell(crystal.lattice, tuple(crystal.species)),
        spacing,
        field=field,
        margin=margin,
        rotation=crystal.rotation,
        rng=rng,
        strain=crystal.strain,
    )
    moved, kept = disturbed(crystal, perfect, spacing, rng)
    return moved[kept], number[kept]


def disturbed(
    crystal: Crystal, perfect: NDArray[np.float64], spacing: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Displace all columns, and tell which are no vacancies."""
    kept = np.ones(len(perfect), dtype=bool)
    kept[rng.permutation(len(perfect))[: round(crystal.vacancies * len(perfect))]] = False
    moved = perfect + rng.normal(0.0, 1.0, perfect.shape) * crystal.displacement * spacing
    return moved, kept
