"""The places of a lattice on which defects hop, and which of them are neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from adatom.errors import SettingError, TooFewSitesError
from adatom.units import length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.kinetics import Kinetics

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

# Neighbors are as far as the nearest, to this factor: a strained lattice keeps its star.
_STAR: Final = 1.2
_TOLERANCE: Final = 1e-6


class Places(NamedTuple):
    """Places of a Bravais lattice.

    Attributes
    ----------
    position : ndarray, shape (place, axis)
        Axis y, x.
    star : ndarray, shape (direction, axis)
        Hops, in the unit of the positions.
    weight : ndarray, shape (direction,)
        Share of the hops that try each direction.
    neighbor : ndarray of int, shape (place, direction)
        Place that a hop leads to; -1 where there is none.
    crowd : list of list of int
        Places too near to each for both to hold a defect.
    spacing : float
        Distance of neighbors.
    """

    position: Floats
    star: Floats
    weight: Floats
    neighbor: Counts
    crowd: list[list[int]]
    spacing: float

    def diffusion_tensor(self, hop_rate: float, /) -> Floats:
        """Give the tensor (axis, axis) of a walk that nothing stops: k/2 <d d>."""
        return np.asarray(0.5 * hop_rate * (self.star.T * self.weight) @ self.star)


def places_of(position: Floats, kinetics: Kinetics, /, *, unit: str) -> Places:
    """Connect the places of a Bravais lattice.

    Raises
    ------
    TooFewSitesError
        If there are fewer than two places, or no two are neighbors.
    SettingError
        If the lattice does not allow the anisotropy.
    """
    if len(position) < 2:
        msg = f"the field holds {len(position)} places, hops need 2 or more: take a larger field"
        raise TooFewSitesError(msg)
    tree = KDTree(position)
    middle = position[tree.query(position.mean(axis=0))[1]]
    star = _star(position, middle)
    spacing = float(np.linalg.norm(star, axis=1).min())
    weight = _weights(star, kinetics.anisotropy, np.radians(kinetics.fast_axis))
    closest = length_from_setting(kinetics.closest, unit=unit, spacing=spacing, name="closest")
    crowd: list[list[int]] = [[] for _ in position]
    near = tree.query_pairs(closest * (1 - _TOLERANCE), output_type="ndarray")
    for one, other in near.tolist():
        crowd[one].append(other)
        crowd[other].append(one)
    return Places(position, star, weight, _neighbors(position, tree, star), crowd, spacing)


def _star(position: Floats, middle: Floats) -> Floats:
    """Give the vectors to the nearest neighbors and back, by their angle."""
    step = position - middle
    distance = np.linalg.norm(step, axis=1)
    near = distance < _STAR * distance[distance > 0].min()
    star = step[near & (distance > 0)]
    # A place at the rim lacks neighbors: every hop has its way back.
    star = np.concatenate([star, -star])
    _, first = np.unique((star / distance[distance > 0].min()).round(3), axis=0, return_index=True)
    star = star[first]
    return star[np.argsort(np.arctan2(star[:, 0], star[:, 1]))]


def _neighbors(position: Floats, tree: KDTree, star: Floats) -> Counts:
    reach = 0.2 * float(np.linalg.norm(star, axis=1).min())
    found = tree.query(position[:, None] + star, distance_upper_bound=reach)[1]
    return np.where(found < len(position), found, -1).astype(np.int64)


def _weights(star: Floats, anisotropy: float, axis: float) -> Floats:
    """Weigh directions by 1 + b cos 2(angle - axis), so that diffusion is as asked for."""
    angle = np.arctan2(star[:, 0], star[:, 1]) - axis
    length = np.linalg.norm(star, axis=1)
    along, across = length * np.cos(angle), length * np.sin(angle)
    wave = np.cos(2 * angle)
    # Diffusion along and across is linear in b: solve for their ratio.
    even = (along**2).sum() - anisotropy * (across**2).sum()
    odd = (wave * along**2).sum() - anisotropy * (wave * across**2).sum()
    weight = np.ones(len(star))
    if abs(even) > _TOLERANCE * (length**2).sum() and odd:
        weight -= even / odd * wave
    tensor = np.array([(weight * part).sum() for part in (along**2, across**2, along * across)])
    wrong = abs(tensor[0] - anisotropy * tensor[1]) + abs(tensor[2]) > 0.01 * tensor[0]
    # Equal weights need no symmetry: what diffusion they give is told by its tensor.
    if anisotropy == 1 and wrong:
        weight, wrong = np.ones(len(star)), False
    if wrong or weight.min() < -_TOLERANCE:
        msg = (
            f"{anisotropy=} at fast_axis={np.degrees(axis):.4g} deg is more than hops to "
            f"{len(star)} neighbors give: a hexagonal lattice allows 1/3 to 3 along any axis, a "
            "square one any ratio along its own axes, which lie at the `rotation` of the crystal"
        )
        raise SettingError(msg)
    weight = np.maximum(weight, 0.0)
    return np.asarray(weight / weight.sum())
