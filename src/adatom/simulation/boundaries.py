"""Tilt grain boundaries of graphene: a closed network of pentagons to heptagons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import Delaunay, KDTree, Voronoi

from adatom.errors import SettingError
from adatom.schema import Sites, sites_from_positions
from adatom.simulation.graphene import BOND
from adatom.simulation.lattices import Crystal, lattice_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RING_DISTANCE: Final = 0.246
# Centers of rings of the two grains closer than this share of their usual distance become one.
_MERGED: Final = 0.75
# Half width of the band round the boundary in which rings, then atoms, are
# moved, in nm; beyond it both grains are perfect.
_RING_BAND: Final = 0.8
_ATOM_BAND: Final = 1.2
_ROUNDS: Final = 20
# Stiffness of angles relative to bonds: of the order of that in graphene, where
# bending is several times softer than stretching.
_BENDING: Final = 0.2


def build_grain_boundary(
    *,
    misorientation: float = 21.8,
    rotation: float = 5.0,
    field: tuple[float, float] = (6.0, 6.0),
    margin: float = 0.8,
    seed: int = 0,
) -> Sites:
    """Lay out two grains of graphene that meet along the middle of the field.

    A honeycomb is the dual of the lattice of its rings: centers of rings of
    both grains are laid out, those that meet are merged and spread evenly, and
    an atom is put between every three of them [1]_. So all atoms have three
    neighbors, and the boundary is made of rings of five to seven atoms.
    Springs between neighbors and second neighbors then even out bonds and angles.

    Parameters
    ----------
    misorientation : float
        Angle between the grains in deg, up to 30 either way where it repeats.
        At 21.8 deg, the coincidence of lowest order, pairs of five- and
        seven-membered rings stand in a closed row.
    rotation : float
        Mean orientation of the grains, in deg, from +x towards +y.
    field : tuple of two floats
        Height and width in nm; the boundary runs along y through the middle.
    margin : float
        Sites are laid out as far as this beyond the field, in nm.
    seed : int
        Of the translation of the grains.

    Returns
    -------
    Sites
        With ``species`` and ``class``: "C", or "C at boundary" for the
        atoms of a ring that has not six of them.

    Raises
    ------
    SettingError
        If the field has no size or the misorientation is out of range.

    References
    ----------
    .. [1] C. Ophus et al., Phys. Rev. B 92 (2015), arXiv:1508.00497: measured
       boundaries of graphene, and an algorithm that generates such.

    Examples
    --------
    >>> sites = build_grain_boundary(misorientation=21.8, field=(3.0, 3.0))
    >>> sorted(set(sites["class"].values.tolist()))
    ['C', 'C at boundary']
    """
    if not abs(misorientation) <= 30:
        msg = f"{misorientation=} must lie between -30 and 30 deg: beyond, the same angles repeat"
        raise SettingError(msg)
    if min(field) <= 0 or margin < 0:
        msg = f"{field=} and {margin=} hold no atoms: a field has positive height and width in nm"
        raise SettingError(msg)
    rng = np.random.default_rng(seed)
    middle = field[1] / 2
    # The rim of a tessellation is not like its inside, so it lies beyond the margin.
    rim = margin + 1.0
    centers = _ring_centers(misorientation, rotation, field, rim, rng)
    off_rim = (centers[:, 0] > -margin - 0.5) & (centers[:, 0] < field[0] + margin + 0.5)
    centers = _spread_evenly(centers, off_rim & (np.abs(centers[:, 1] - middle) < _RING_BAND))
    mesh = Delaunay(centers)
    atoms = centers[mesh.simplices].mean(axis=1)
    atoms = _relaxed(atoms, mesh.neighbors, np.abs(atoms[:, 1] - middle) < _ATOM_BAND)
    ring_sizes = np.bincount(mesh.simplices.ravel(), minlength=len(centers))
    odd = (ring_sizes[mesh.simplices] != 6).any(axis=1)
    inside = ((atoms >= -margin) & (atoms <= np.asarray(field) + margin)).all(axis=1)
    sites = sites_from_positions(*atoms[inside].T, unit="nm", spacing=float(BOND))
    sites["species"] = ("site", np.full(int(inside.sum()), "C"))
    sites["class"] = ("site", np.where(odd[inside], "C at boundary", "C"))
    return sites


def _ring_centers(
    misorientation: float,
    rotation: float,
    field: tuple[float, float],
    rim: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Centers of the rings of both grains, merged where they meet."""
    grains = []
    for side in (-1, 1):
        crystal = Crystal("hexagonal", rotation=rotation + side * misorientation / 2)
        places, _ = lattice_positions(crystal, _RING_DISTANCE, field=field, margin=rim, rng=rng)
        grains.append(places[side * (places[:, 1] - field[1] / 2) > 0])
    left, right = grains
    distance, partner = KDTree(right).query(left)
    close = np.flatnonzero(distance < _MERGED * _RING_DISTANCE)
    # A center of the right grain takes only the nearest of the left ones.
    close = close[np.argsort(distance[close], kind="stable")]
    _, first = np.unique(partner[close], return_index=True)
    close = close[first]
    merged = (left[close] + right[partner[close]]) / 2
    return np.concatenate(
        [np.delete(left, close, axis=0), np.delete(right, partner[close], axis=0), merged]
    )


def _spread_evenly(centers: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Move free centers to the centroids of their cells, some times over."""
    # Cells of free centers depend on no center farther away than this.
    reach = KDTree(centers[free]).query(centers)[0] < 3 * _RING_DISTANCE
    near, free = centers[reach], free[reach]
    for _ in range(_ROUNDS):
        near[free] = _centroids(near)[free]
    centers = centers.copy()
    centers[reach] = near
    return centers


def _centroids(centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroids of the Voronoi cells; meaningless where a cell is open."""
    tessellation = Voronoi(centers)
    # Every edge between two cells makes a triangle with the center of each.
    edges = tessellation.vertices[np.asarray(tessellation.ridge_vertices)]
    total, area = np.zeros_like(centers), np.zeros(len(centers))
    for cell in tessellation.ridge_points.T:
        one, two = edges[:, 0] - centers[cell], edges[:, 1] - centers[cell]
        triangle = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
        np.add.at(area, cell, triangle)
        np.add.at(total, cell, triangle[:, None] * (one + two) / 3)
    return centers + total / area[:, None]


def _relaxed(
    atoms: NDArray[np.float64], neighbors: NDArray[np.int32], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Relax springs between neighbors and second neighbors of the free atoms."""
    atom = np.repeat(np.arange(len(atoms)), 3)
    bonded = neighbors.ravel()
    once = atom < bonded
    bonds = np.stack([atom[once], bonded[once]], axis=1)
    # Second neighbors are the pairs round an atom.
    pairs = np.concatenate([neighbors[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
    pairs = pairs[(pairs >= 0).all(axis=1)]
    springs = np.concatenate([bonds, pairs])
    lengths = np.concatenate([np.full(len(bonds), BOND), np.full(len(pairs), _RING_DISTANCE)])
    stiffness = np.concatenate([np.ones(len(bonds)), np.full(len(pairs), _BENDING)])
    touched = free[springs].any(axis=1)
    springs, lengths, stiffness = springs[touched], lengths[touched], stiffness[touched]
    places = atoms.copy()

    def energy(moved: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        places[free] = moved.reshape(-1, 2)
        apart = places[springs[:, 1]] - places[springs[:, 0]]
        length = np.hypot(*apart.T)
        strain = length - lengths
        pull = (2 * stiffness * strain / length)[:, None] * apart
        force = np.zeros_like(places)
        np.add.at(force, springs[:, 1], pull)
        np.add.at(force, springs[:, 0], -pull)
        return float((stiffness * strain**2).sum()), force[free].ravel()

    # In units of the bond the problem is well scaled for the solver's stop.
    best = minimize(
        energy, places[free].ravel(), jac=True, method="L-BFGS-B", options={"ftol": 1e-12}
    )
    places[free] = best.x.reshape(-1, 2)
    return places
