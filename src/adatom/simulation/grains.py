"""Grains and twins of any lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Sites, add_note, sites_from_positions
from adatom.simulation.cells import Cell, named_cell
from adatom.simulation.crystals import crystal_positions, laid_out_vectors, tiled
from adatom.simulation.lattices import Crystal, disturbed, spacing_of_crystal, with_columns
from adatom.units import SPACE_UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BORDER: Final = 1.5


@dataclass(frozen=True)
class Grains:
    """How a crystal is cut into grains.

    Attributes
    ----------
    n_grains : int
        Grains round random places: every site belongs to the nearest.
    misorientation : float, optional
        Standard deviation of the orientation of grains in deg, or for two grains the
        angle between them; by default every orientation is as likely.
    twin : tuple of two int, optional
        Two grains, mirrored at the middle of the field along this direction, in
        vectors of the cell; then there is no misorientation. (0, 1) of
        "fcc_110" is the common twin of gold.
    closest : float
        In spacings: of two columns of different grains that are closer, one
        is left out. By default three quarters, so that no atoms touch.
    """

    n_grains: int = 2
    misorientation: float | None = None
    twin: tuple[int, int] | None = None
    closest: float = 0.75

    def __post_init__(self) -> None:
        if self.n_grains < 1:
            msg = f"n_grains={self.n_grains} must be 1 or more"
            raise SettingError(msg)
        if self.twin is not None and (self.n_grains != 2 or self.misorientation is not None):
            msg = f"twin={self.twin} is of two grains whose orientation follows: leave out the rest"
            raise SettingError(msg)
        if self.twin is not None and not any(self.twin):
            msg = f"twin={self.twin} is no direction: give whole numbers, not both 0"
            raise SettingError(msg)
        if not 0 <= self.closest <= 1:
            msg = f"closest={self.closest} is in spacings, 0 to 1"
            raise SettingError(msg)


def build_grains(
    *,
    crystal: Crystal = Crystal(),  # noqa: B008 -- frozen
    grains: Grains = Grains(),
    field: tuple[float, float] = (256.0, 256.0),
    unit: str = "px",
    margin: float = 0.0,
    seed: int = 0,
) -> Sites:
    """Lay out grains of a lattice that meet along straight boundaries.

    Columns of different grains that come too close are left out, one of two; nothing
    relaxes. `build_grain_boundary` makes a boundary of graphene in which every
    atom has its three bonds.

    Parameters
    ----------
    crystal : Crystal
        The lattice of every grain; its rotation is that of the first of twins, and
        the mean one of grains with a misorientation.
    grains : Grains
        How many, and how they differ.
    field : tuple of two floats
        Height and width of the field in `unit`; its first corner is the origin.
    unit : {"nm", "mm", "px"}
        Unit of the positions.
    margin : float
        Sites are laid out as far as this beyond the field, in `unit`.
    seed : int
        Of places and orientations of the grains, and of the crystal's disorder.

    Returns
    -------
    Sites
        As of `build_lattice`, with ``grain``, a number; ``rotation`` of the
        grain in deg; and ``at_boundary``: closer than one and a half spacings
        to a column of another grain.

    Raises
    ------
    SettingError
        If the unit or a setting is not known.

    Examples
    --------
    >>> sites = build_grains(crystal=Crystal("hexagonal"), grains=Grains(n_grains=3), seed=2)
    >>> sorted(set(sites["grain"].values.tolist()))
    [0, 1, 2]
    """
    if unit not in SPACE_UNITS:
        msg = f"{unit=} must be one of {', '.join(SPACE_UNITS)}"
        raise SettingError(msg)
    spacing = spacing_of_crystal(crystal, unit)
    cell = named_cell(crystal.lattice, tuple(crystal.species))
    grain_rng, disorder_rng = np.random.default_rng(seed).spawn(2)
    if grains.twin is not None:
        tiles = _twins(crystal, cell, spacing, grains.twin, field, margin)
    else:
        tiles = _voronoi(crystal, cell, spacing, grains, field, margin, grain_rng)
    places, number, grain = (np.concatenate(part) for part in zip(*tiles.parts, strict=True))
    apart = _apart_across(places, grain, grains.closest * spacing)
    places, number, grain = places[apart], number[apart], grain[apart]
    at_boundary = _near_another(places, grain, _BORDER * spacing)
    moved, kept = disturbed(crystal, places, spacing, disorder_rng)
    sites = sites_from_positions(*moved[kept].T, unit=unit, spacing=spacing)
    vectors = laid_out_vectors(cell, spacing, rotation=tiles.rotations[0], strain=crystal.strain)
    sites.attrs["cell_vectors"] = vectors.tolist()
    with_columns(sites, cell, number[kept])
    sites["grain"] = ("site", grain[kept])
    sites["rotation"] = ("site", np.array(tiles.rotations)[grain[kept]], {"units": "deg"})
    sites["at_boundary"] = ("site", at_boundary[kept])
    if (~apart).any():
        add_note(sites, f"{int((~apart).sum())} columns too close to another grain were left out")
    return sites


class _Tiles(NamedTuple):
    """Of every grain its places, numbers in the cell and grain, and its rotation in deg."""

    parts: list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]
    rotations: list[float]


def _voronoi(
    crystal: Crystal,
    cell: Cell,
    spacing: float,
    grains: Grains,
    field: tuple[float, float],
    margin: float,
    rng: np.random.Generator,
) -> _Tiles:
    seeds = rng.uniform(0.0, 1.0, (grains.n_grains, 2)) * np.asarray(field)
    rotations = _rotations(crystal.rotation, grains, rng)
    parts = []
    for grain, rotation in enumerate(rotations):
        position, number, _ = crystal_positions(
            cell,
            spacing,
            field=field,
            margin=margin,
            rotation=rotation,
            rng=rng,
            strain=crystal.strain,
        )
        own = KDTree(seeds).query(position)[1] == grain
        parts.append((position[own], number[own], np.full(int(own.sum()), grain)))
    return _Tiles(parts, rotations)


def _rotations(mean: float, grains: Grains, rng: np.random.Generator) -> list[float]:
    if grains.misorientation is None:
        return [float(turn) for turn in rng.uniform(0.0, 360.0, grains.n_grains)]
    if grains.n_grains == 2:
        return [mean - grains.misorientation / 2, mean + grains.misorientation / 2]
    turns = mean + rng.normal(0.0, grains.misorientation, grains.n_grains)
    return [float(turn) for turn in turns]


def _twins(
    crystal: Crystal,
    cell: Cell,
    spacing: float,
    direction: tuple[int, int],
    field: tuple[float, float],
    margin: float,
) -> _Tiles:
    """Lay out a lattice with a column in the middle, and mirror it at a line through that."""
    vectors = laid_out_vectors(cell, spacing, rotation=crystal.rotation, strain=crystal.strain)
    basis = np.asarray(cell.places) @ np.linalg.solve(np.asarray(cell.vectors), vectors)
    middle = np.asarray(field) / 2
    along = np.asarray(direction) @ vectors
    along /= np.hypot(*along)
    across = np.array([along[1], -along[0]])
    # What is mirrored into the field comes from as far beyond it as it is wide.
    position, number = tiled(
        vectors, basis, middle - basis[0], field=field, margin=margin + float(max(field))
    )
    height = (position - middle) @ across
    # Columns on the line belong to the first grain.
    rounding = 1e-6 * spacing
    mirrored = position - 2 * height[:, None] * across
    line = math.degrees(math.atan2(along[0], along[1]))
    parts = []
    for grain, (places, own) in enumerate(
        ((position, height > -rounding), (mirrored, height > rounding))
    ):
        inside = ((places >= -margin) & (places <= np.asarray(field) + margin)).all(axis=1) & own
        parts.append((places[inside], number[inside], np.full(int(inside.sum()), grain)))
    return _Tiles(parts, [crystal.rotation, 2 * line - crystal.rotation])


def _apart_across(
    places: NDArray[np.float64], grain: NDArray[np.int64], distance: float
) -> NDArray[np.bool_]:
    """Tell which columns stay when of two of different grains that are too close one goes."""
    pairs = KDTree(places).query_pairs(distance, output_type="ndarray")
    pairs = np.sort(pairs[grain[pairs[:, 0]] != grain[pairs[:, 1]]], axis=1)
    kept = np.ones(len(places), dtype=bool)
    for one, two in pairs[np.lexsort(pairs.T[::-1])].tolist():
        if kept[one]:
            kept[two] = False
    return kept


def _near_another(
    places: NDArray[np.float64], grain: NDArray[np.int64], distance: float
) -> NDArray[np.bool_]:
    pairs = KDTree(places).query_pairs(distance, output_type="ndarray")
    across = pairs[grain[pairs[:, 0]] != grain[pairs[:, 1]]]
    near = np.zeros(len(places), dtype=bool)
    near[across] = True
    return near
