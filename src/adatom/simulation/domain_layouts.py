"""Where the ferroic domains of a film lie, and how one goes over into the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pattern = Literal["stripes", "patches"]

# Of the pitch: seeds moved by more could come to lie on one another.
_SHIFT: Final = 0.3
# A neighbor farther behind the wall than this many widths adds less than 1e-5.
_NEIGHBORS: Final = 12


@dataclass(frozen=True)
class DomainLayout:
    """Domains as Voronoi cells: straight walls half way between the seeds of domains.

    Attributes
    ----------
    seeds : ndarray, shape (seed, axis)
        In nm, axis y, x.
    variant : ndarray of int, shape (seed,)
        Which variant the domain round the seed is of.
    wall_width : float
        In nm: across a wall the polarization goes as tanh(distance / width).
    """

    seeds: NDArray[np.float64]
    variant: NDArray[np.int64]
    wall_width: float

    def variant_at(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Variant (place) of the domain in which a place lies."""
        found: NDArray[np.int64] = self.variant[KDTree(self.seeds).query(places)[1]]
        return found

    def wall_distance(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance (place) to the nearest wall, infinite where there is none."""
        behind, nearest = self._behind_walls(places)
        other = self.variant[nearest] != self.variant[nearest[:, :1]]
        found: NDArray[np.float64] = np.where(other, behind, np.inf).min(axis=1)
        return found

    def mixed(
        self, of_variants: NDArray[np.float64], places: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Vectors (place, axis) that are those of the variants, and go over at walls.

        Of two domains at the distance s from the wall, the shares are
        (1 +- tanh(s / width)) / 2.
        """
        behind, nearest = self._behind_walls(places)
        share = np.exp(-2 * np.minimum(behind / self.wall_width, 300.0))
        share /= share.sum(axis=1, keepdims=True)
        found: NDArray[np.float64] = np.einsum(
            "pn,pna->pa", share, of_variants[self.variant[nearest]]
        )
        return found

    def _behind_walls(
        self, places: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """How far behind its wall each of the nearest seeds' domains begins; the own one: 0."""
        k = min(_NEIGHBORS, len(self.seeds))
        distance, nearest = KDTree(self.seeds).query(places, k=list(range(1, k + 1)))
        between = np.linalg.norm(self.seeds[nearest] - self.seeds[nearest[:, :1]], axis=2)
        difference = distance**2 - distance[:, :1] ** 2
        return difference / np.where(between > 0, 2 * between, 1.0), nearest


def draw_layout(
    pattern: Pattern,
    variants: tuple[int, ...],
    /,
    *,
    size: float,
    angle: float,
    wall_width: float,
    reach: float,
    rng: np.random.Generator,
) -> DomainLayout:
    """Draw domains over the disc of radius `reach` around the origin.

    Parameters
    ----------
    pattern : {"stripes", "patches"}
        Parallel walls, or walls in all directions.
    variants : tuple of int
        Those that occur: in this order in stripes, at random in patches.
    size : float
        Width of stripes, pitch of patches, in nm.
    angle : float
        Of the walls of stripes, in deg from +x towards +y.
    wall_width, reach : float
        In nm.
    rng : Generator
        Of where the domains lie.
    """
    n = math.ceil(reach / size) + 1
    if pattern == "stripes":
        turn = math.radians(angle)
        across = np.array([math.cos(turn), -math.sin(turn)])
        seeds = (np.arange(-n, n + 1) + rng.uniform(-0.5, 0.5))[:, None] * size * across
        order = np.arange(len(seeds)) + rng.integers(len(variants))
        return DomainLayout(seeds, np.asarray(variants)[order % len(variants)], wall_width)
    steps = np.arange(-n, n + 1)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).astype(float)
    grid += rng.uniform(-_SHIFT, _SHIFT, grid.shape)
    return DomainLayout(
        grid.reshape(-1, 2) * size, _unlike_neighbors(len(steps), variants, rng).ravel(), wall_width
    )


def _unlike_neighbors(
    n: int, variants: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Variants on a grid, unlike those above and to the left where there are three or more."""
    found = np.full((n, n), -1, dtype=np.int64)
    for row in range(n):
        for column in range(n):
            taken = {int(found[row - 1, column]), int(found[row, column - 1])}
            free = [variant for variant in variants if variant not in taken] or list(variants)
            found[row, column] = free[rng.integers(len(free))]
    return found
