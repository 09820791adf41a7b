"""Crystals whose lattice, sublattices, grains and dislocations are known."""

from __future__ import annotations

import warnings
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.descriptors import neighbor_vectors
from adatom.errors import AdatomWarning
from adatom.schema import Sites, sites_from_positions

ROOT3: Final = float(np.sqrt(3))

# Vectors i, j (y, x) in nearest-neighbor distances, and the sublattices in fractions of them.
CRYSTALS: Final = {
    "square": (((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0),)),
    "hexagonal": (((ROOT3 / 2, 0.5), (0.0, 1.0)), ((0.0, 0.0),)),
    "rectangular": (((1.8, 0.0), (0.0, 1.0)), ((0.0, 0.0),)),
    "oblique": (((1.2, 0.3), (0.0, 1.0)), ((0.0, 0.0),)),
    "honeycomb": (((1.5, ROOT3 / 2), (0.0, ROOT3)), ((0.0, 0.0), (1 / 3, 1 / 3))),
    "kagome": (((ROOT3, 1.0), (0.0, 2.0)), ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5))),
}


class Planted(NamedTuple):
    """Places (site, 2), with the cell (site, 2) and sublattice of each."""

    place: NDArray[np.float64]
    cell: NDArray[np.int64]
    sublattice: NDArray[np.int64]

    def those(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Planted:
        """Take some of the sites, or all in another order."""
        return Planted(self.place[keep], self.cell[keep], self.sublattice[keep])

    def noisy(self, noise: float, seed: int) -> Planted:
        """Scatter the places along either axis."""
        scatter = np.random.default_rng(seed).normal(scale=noise, size=self.place.shape)
        return self._replace(place=self.place + scatter)

    def with_vacancies(self, share: float, seed: int) -> Planted:
        """Leave out sites at random."""
        return self.those(np.random.default_rng(seed).random(len(self.place)) > share)


def planted(name: str, *, half_width: float = 15.0, angle: float = 0.0) -> Planted:
    """Make a crystal turned by an angle in deg, in a square frame, its sites in random order."""
    vectors, fractions = (np.array(part) for part in CRYSTALS[name])
    reach = np.arange(-int(3 * half_width), int(3 * half_width))
    cell = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    sublattice = np.repeat(np.arange(len(fractions)), len(cell))
    cell = np.tile(cell, (len(fractions), 1))
    place = (cell + fractions[sublattice]) @ vectors @ turn(angle)
    inside = (np.abs(place) < half_width).all(axis=1)
    order = np.random.default_rng(7).permutation(int(inside.sum()))
    return Planted(*(part[inside][order] for part in (place, cell, sublattice)))


def turn(angle: float) -> NDArray[np.float64]:
    """Give the matrix that turns rows (y, x) from +x towards +y by an angle in deg."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return np.array([[cosine, -sine], [sine, cosine]])


def edge_dislocation(
    place: NDArray[np.float64], at: tuple[float, float], burgers: float, poisson: float = 0.3
) -> NDArray[np.float64]:
    """Give the isotropic elastic displacement (Hirth and Lothe, eqs. 3-45, 3-46), b along x."""
    y, x = (place - np.array(at)).T
    squared = x**2 + y**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - poisson) * squared)
    across = (1 - 2 * poisson) * np.log(squared) + (x**2 - y**2) / squared
    return burgers / (2 * np.pi) * np.stack([-across / (4 * (1 - poisson)), along], axis=1)


def bicrystal(
    name: str, angle: float, noise: float, seed: int
) -> tuple[Planted, NDArray[np.int64]]:
    """Make two grains turned by an angle; give the side (site,) too, -1 near the wall."""
    parts = []
    for side, sign in ((0, -0.5), (1, 0.5)):
        part = planted(name, half_width=22.0, angle=3.0 + sign * angle)
        across = _across_wall(part.place)
        parts.append((part.those((across < 0) == (side == 0)), side))
    whole = Planted(
        *(np.concatenate(columns) for columns in zip(*(p for p, _ in parts), strict=True))
    )
    # At the wall, two sites nearer than 0.7 distances are one.
    near = cKDTree(whole.place).query_pairs(0.7, output_type="ndarray")
    keep = np.ones(len(whole.place), dtype=bool)
    keep[near[:, 1]] = False
    whole = whole.those(keep)
    across = _across_wall(whole.place)
    side_of = np.where(np.abs(across) < 1.5, -1, (across >= 0).astype(np.int64))
    return whole.noisy(noise, seed), side_of


def _across_wall(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return place[:, 1] + 0.15 * place[:, 0] + 0.3


def with_neighbors(planted_sites: Planted) -> Sites:
    """Give the sites with their neighbors; of noise the program may warn."""
    sites = sites_from_positions(*planted_sites.place.T, unit="nm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        return neighbor_vectors(sites)


def wrong_indices(found: Sites, truth: Planted, of: NDArray[np.bool_]) -> int:
    """Count the sites whose cell is not that of the truth in some other basis and origin."""
    cell = found["lattice_index"].values[of]
    kind = np.eye(truth.sublattice.max() + 1)[truth.sublattice[of]]
    design = np.column_stack([truth.cell[of], kind])
    # Median-like: few wrong ones do not turn a fit whose answer is whole numbers.
    basis = np.rint(np.linalg.lstsq(design, cell, rcond=None)[0])
    assert abs(np.linalg.det(basis[:2])) == 1
    return int((design @ basis != cell).any(axis=1).sum())
