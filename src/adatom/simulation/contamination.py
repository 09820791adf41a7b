"""Amorphous carbon that lies on the sample and hides its lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import map_coordinates

from adatom.simulation.lattices import Crystal, lattice_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAVES: Final = 24
_LAYERS: Final = 4
# In nm; a hexagonal lattice of this spacing has 40 atoms per nm^2, as dense as graphene.
_SPACING: Final = 0.17
# All heights are relative to the field: the film thins out by one field over one
# field, with hills of this standard deviation, and gains its last layer at this height.
_RUGGEDNESS: Final = 0.22
_FULL_HEIGHT: Final = 0.35
_NODES: Final = 128


@dataclass(frozen=True)
class Film:
    """Thickness of a film over the sample.

    Attributes
    ----------
    heights : ndarray, shape (y, x)
        On a grid of nodes; the film lies where its height is positive.
    origin : float
        Place y and x of the first node.
    step : float
        Distance of the nodes.
    """

    heights: NDArray[np.float64]
    origin: float
    step: float

    def height(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height at places on the sample, linear between nodes."""
        where = (np.stack(np.broadcast_arrays(y, x)) - self.origin) / self.step
        found: NDArray[np.float64] = map_coordinates(self.heights, where, order=1, mode="nearest")
        return found


def random_film(field: tuple[float, float], *, coverage: float, rng: np.random.Generator) -> Film:
    """Draw a film that lies in one corner of the field and covers a share of it."""
    size = max(field)
    # Wave lengths from the whole field down to a sixth of it.
    lengths = size / rng.uniform(1.0, 6.0, _WAVES)
    turns = rng.uniform(0.0, 2 * math.pi, _WAVES)
    phases = rng.uniform(0.0, 2 * math.pi, _WAVES)
    amplitudes = rng.normal(0.0, 1.0, _WAVES) * lengths / size
    amplitudes *= _RUGGEDNESS / math.sqrt((amplitudes**2).sum() / 2)
    corner = rng.integers(0, 2, 2) * np.asarray(field)
    # Nodes reach beyond the field, where drift and the margin of atoms need them.
    step = size / _NODES
    nodes = np.arange(-_NODES // 4, _NODES + _NODES // 4) * step
    waves = 2j * math.pi / lengths
    down = np.exp(waves * np.sin(turns) * nodes[:, None])
    across = np.exp(waves * np.cos(turns) * nodes[:, None] + 1j * phases)
    heights = ((down * amplitudes) @ across.T).real
    heights -= np.hypot(nodes[:, None] - corner[0], nodes - corner[1]) / size
    inside = heights[np.ix_((nodes >= 0) & (nodes < field[0]), (nodes >= 0) & (nodes < field[1]))]
    return Film(heights - np.quantile(inside, 1.0 - coverage), float(nodes[0]), step)


def film_atoms(
    film: Film, field: tuple[float, float], *, margin: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Places (atom, axis) of the film's carbon atoms.

    Every layer is a strongly disordered hexagonal lattice at a random angle:
    amorphous, but without the clumps that independent places would have. The
    first layer lies wherever there is film, the last where it is thickest.
    """
    places = []
    for layer in range(_LAYERS):
        turn = float(rng.uniform(0.0, 60.0))
        crystal = Crystal("hexagonal", rotation=turn, displacement=0.3)
        place, _ = lattice_positions(crystal, _SPACING, field=field, margin=margin, rng=rng)
        here = film.height(place[:, 0], place[:, 1]) > layer / _LAYERS * _FULL_HEIGHT
        places.append(place[here])
    return np.concatenate(places)
