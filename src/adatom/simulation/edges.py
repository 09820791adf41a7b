"""Edges and holes: where a crystal ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import SITES, Sites, add_note, positions, space_unit
from adatom.simulation.columns import spacing_of
from adatom.units import LENGTH, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAVES: Final = 6
# A column that had a neighbor up to this many spacings away, which is gone, is at the edge.
_NEIGHBOR: Final = 1.3


@dataclass(frozen=True)
class Edges:
    """Where a crystal ends.

    Attributes
    ----------
    vacuum : float
        Share of the sites that lie beyond an edge, and are taken away; along the
        lattice, to the nearest row.
    along : tuple of two int, optional
        Direction of the edge in vectors of the cell, such as (1, 0), the
        zigzag of "honeycomb"; by default any.
    roughness : length
        Standard deviation of the edge from a straight line; "0 d" is straight.
    wavelength : length
        Shortest wave of a rough edge; the longest is four times as long.
    holes : int
        Holes at random places.
    hole_radius : length
        Mean radius of the holes; they are not quite round.
    """

    vacuum: float = 0.0
    along: tuple[int, int] | None = None
    roughness: Length = "0 d"
    wavelength: Length = "10 d"
    holes: int = 0
    hole_radius: Length = "4 d"

    def __post_init__(self) -> None:
        if not 0 <= self.vacuum < 1:
            msg = f"vacuum={self.vacuum} is a share of the sites: 0 to less than 1"
            raise SettingError(msg)
        if self.along is not None and not any(self.along):
            msg = f"along={self.along} is no direction: give whole numbers, not both 0"
            raise SettingError(msg)
        if self.holes < 0:
            msg = f"holes={self.holes} must be 0 or more"
            raise SettingError(msg)
        for name, least in (("roughness", 0.0), ("wavelength", 1e-9), ("hole_radius", 0.0)):
            if not LENGTH.check(getattr(self, name), name=name).value >= least:
                msg = f"{name}={getattr(self, name)!r} must be positive (roughness may be 0)"
                raise SettingError(msg)


def apply_edges(sites: Sites, /, *, edges: Edges = Edges(vacuum=0.3), seed: int = 0) -> Sites:
    """Take away what lies beyond an edge, and in holes.

    Parameters
    ----------
    sites : Sites
        Of a crystal that fills its field.
    edges : Edges
        Edge, its shape, and holes.
    seed : int
        Of the side on which the edge lies, its waves, and the holes.

    Returns
    -------
    Sites
        Those that are left, with ``at_edge``: a neighbor was taken away.

    Raises
    ------
    SettingError
        If an edge along a direction of the cell is asked for, but the sites do not tell
        their cell in ``attrs["cell_vectors"]``, as builders do.

    Examples
    --------
    >>> from adatom.simulation import Crystal, build_lattice
    >>> sites = build_lattice(crystal=Crystal("honeycomb", spacing="10 px"))
    >>> flake = apply_edges(sites, edges=Edges(vacuum=0.5, along=(1, 0)), seed=4)
    >>> round(flake.sizes["site"] / sites.sizes["site"], 1)
    0.5
    """
    SITES.check(sites)
    edge_rng, hole_rng = np.random.default_rng(seed).spawn(2)
    places = positions(sites)
    gone = np.zeros(len(places), dtype=bool)
    if edges.vacuum:
        height = _height_over_edge(sites, places, edges, edge_rng)
        # Columns of a row along the lattice are as high but for rounding: they stay together.
        rounding = 1e-6 * spacing_of(sites)
        gone |= height > np.quantile(height, 1 - edges.vacuum) + rounding
    for _ in range(edges.holes):
        gone |= _in_hole(places, _length(sites, edges.hole_radius, "hole_radius"), hole_rng)
    kept = sites.isel(site=~gone)
    kept.attrs = dict(sites.attrs)
    at_edge = np.zeros(kept.sizes["site"], dtype=bool)
    if gone.any() and not gone.all():
        near, _ = KDTree(places[gone]).query(places[~gone])
        at_edge = near < _NEIGHBOR * spacing_of(sites)
    kept["at_edge"] = ("site", at_edge)
    add_note(kept, f"{int(gone.sum())} of {len(places)} columns taken away, beyond edges")
    return kept


def _length(sites: Sites, setting: Length, name: str) -> float:
    unit = space_unit(sites)
    return length_from_setting(setting, unit=unit, spacing=spacing_of(sites), name=name)


def _height_over_edge(
    sites: Sites, places: NDArray[np.float64], edges: Edges, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How far every place lies beyond a line of some height."""
    turn = float(rng.uniform(0.0, 2 * math.pi))
    along = np.array([math.sin(turn), math.cos(turn)])
    if edges.along is not None:
        if "cell_vectors" not in sites.attrs:
            msg = (
                f"along={edges.along} counts vectors of the cell, which these sites do not tell: "
                'give attrs["cell_vectors"], [[y, x], [y, x]], or build them by build_lattice'
            )
            raise SettingError(msg)
        along = np.asarray(edges.along) @ np.asarray(sites.attrs["cell_vectors"], dtype=float)
        along = along / np.hypot(*along) * rng.choice((-1.0, 1.0))
    height: NDArray[np.float64] = places @ np.array([along[1], -along[0]])
    roughness = _length(sites, edges.roughness, "roughness")
    if not roughness:
        return height
    lengths = _length(sites, edges.wavelength, "wavelength") * rng.uniform(1.0, 4.0, _WAVES)
    phases = rng.uniform(0.0, 2 * math.pi, _WAVES)
    waves = np.sin((places @ along)[:, None] * 2 * math.pi / lengths + phases)
    rough: NDArray[np.float64] = height + roughness * math.sqrt(2 / _WAVES) * waves.sum(axis=1)
    return rough


def _in_hole(
    places: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    low, high = places.min(axis=0), places.max(axis=0)
    middle = rng.uniform(low, high)
    distance, angle = np.hypot(*(places - middle).T), np.arctan2(*(places - middle).T)
    shape = np.ones(len(places))
    # Ellipse, triangle and square waves round it; together a quarter of the radius at most.
    for order in (2, 3, 4):
        shape += rng.uniform(0.0, 0.25 / 3) * np.sin(order * angle + rng.uniform(0, 2 * math.pi))
    inside: NDArray[np.bool_] = distance < radius * rng.uniform(0.7, 1.3) * shape
    return inside
