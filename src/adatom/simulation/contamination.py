"""Amorphous carbon that lies on the sample and hides its lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.schema import positions
from adatom.simulation.lattices import Crystal, lattice_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAVES: Final = 24
_LAYERS: Final = 4
# Relative to the field: how far from a corner of the sample the film reaches
# further inwards, and how rugged its edge is.
_RUGGEDNESS: Final = 0.22


@dataclass(frozen=True)
class Film:
    """Thickness of a film, as a smooth function of the place on the sample.

    Attributes
    ----------
    waves : ndarray, shape (wave, axis)
        Wave vectors of the random part.
    phases, heights : ndarray, shape (wave,)
        Of the random part.
    corner : ndarray, shape (axis,)
        Where the film is thickest.
    scale : float
        Length over which it thins out.
    level : float
        Below it the sample is bare.
    """

    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    heights: NDArray[np.float64]
    corner: NDArray[np.float64]
    scale: float
    level: float

    def height(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height over the level; the film lies where it is positive."""
        random = np.zeros(np.broadcast_shapes(y.shape, x.shape))
        for (ky, kx), phase, amplitude in zip(self.waves, self.phases, self.heights, strict=True):
            random += amplitude * np.cos(ky * y + kx * x + phase)
        distance = np.hypot(y - self.corner[0], x - self.corner[1]) / self.scale
        height: NDArray[np.float64] = random - distance - self.level
        return height


def random_film(field: tuple[float, float], *, coverage: float, rng: np.random.Generator) -> Film:
    """Draw a film that lies in one corner of the field and covers a share of it."""
    size = max(field)
    # Wave lengths from the whole field down to a sixth of it.
    lengths = size / rng.uniform(1.0, 6.0, _WAVES)
    turns = rng.uniform(0.0, 2 * math.pi, _WAVES)
    waves = 2 * math.pi / lengths[:, None] * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    heights = rng.normal(0.0, 1.0, _WAVES) * lengths / size
    heights *= _RUGGEDNESS / math.sqrt((heights**2).sum() / 2)
    corner = rng.integers(0, 2, 2) * np.asarray(field)
    phases = rng.uniform(0.0, 2 * math.pi, _WAVES)
    film = Film(waves, phases, heights, corner, size, level=0.0)
    y = np.linspace(0.0, field[0], 101)[:, None]
    x = np.linspace(0.0, field[1], 101)[None, :]
    level = float(np.quantile(film.height(y, x), 1.0 - coverage))
    return Film(waves, phases, heights, corner, size, level)


def film_atoms(
    film: Film, field: tuple[float, float], *, margin: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Places (atom, axis) of the film's carbon atoms.

    Every layer is a strongly disordered hexagonal lattice at a random angle:
    amorphous, but without the clumps that independent places would have. The
    first layer lies wherever there is film, the last where it is thickest.
    """
    highest = 0.35
    places = []
    for layer in range(_LAYERS):
        # 0.17 nm in a hexagonal lattice is 40 atoms per nm^2, as dense as graphene.
        crystal = Crystal(
            "hexagonal",
            spacing="0.17 nm",
            rotation=float(rng.uniform(0.0, 60.0)),
            displacement=0.3,
        )
        sites = lattice_sites(
            crystal=crystal, field=field, unit="nm", margin=margin, seed=int(rng.integers(2**31))
        )
        place = positions(sites)
        here = film.height(place[:, 0], place[:, 1]) > layer / _LAYERS * highest
        places.append(place[here])
    return np.concatenate(places)
