"""Places of a honeycomb at which no atom was found, told by the atoms around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from adatom.defects.bond_graph import degrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# Votes nearer than this, in bonds, are for one place: the next place is 1 away, and around a
# relaxed vacancy votes scatter by a fourth.
_ONE_PLACE: Final = 0.5
# A place nearer to an atom is filled by it.
_FILLED: Final = 0.6
# Rounds in which holes are filled inwards.
_ROUNDS: Final = 12
# Two bonds whose directions add up to less than this point nowhere: they are on a line.
_LEAST_PULL: Final = 0.35
_NEXT: Final = 1.35


class Vacant(NamedTuple):
    """Places without atoms (place, 2) in bonds, and the bonds that they would have.

    `to_atoms` (pair, 2) joins places to atoms, `to_places` places to places.
    """

    place: Floats
    to_atoms: Ints
    to_places: Ints


def vacant_places(
    place: Floats, pairs: Ints, reach: Floats, inside: NDArray[np.bool_], /
) -> Vacant:
    """Find places to which two atoms or more point that have two bonds each.

    An atom of a honeycomb with two bonds points to where its third neighbor
    would be. What was found counts as an atom in the next round, so that
    holes are filled inwards.

    Parameters
    ----------
    place : ndarray, shape (atom, 2)
        In bonds of the host.
    pairs : ndarray of int, shape (bond, 2)
    reach : ndarray, shape (atom,)
        Length of an atom's bond to the host.
    inside : ndarray of bool, shape (atom,)
        Whether all of an atom's neighbors would be seen.
    """
    n_atoms = len(place)
    points, bonds, length = place, pairs, reach
    sure = inside
    for _ in range(_ROUNDS):
        found = _voted(points, bonds, length, sure)
        if not len(found):
            break
        start = len(points)
        points = np.concatenate([points, found])
        length = np.concatenate([length, np.ones(len(found))])
        sure = np.concatenate([sure, np.ones(len(found), dtype=bool)])
        bonds = np.concatenate([bonds, _bonds_of_new(points, start)])
    new = bonds[(bonds >= n_atoms).any(axis=1)]
    low, high = np.sort(new, axis=1).T
    outward = low < n_atoms
    to_atoms = np.stack([high[outward] - n_atoms, low[outward]], axis=1)
    to_places = np.stack([low[~outward], high[~outward]], axis=1) - n_atoms
    return Vacant(points[n_atoms:], to_atoms, to_places)


def _voted(points: Floats, bonds: Ints, length: Floats, sure: Bools) -> Floats:
    target, _ = pointed_places(points, bonds, length, sure)
    if len(target) < 2:
        return np.zeros((0, 2))
    near = cKDTree(target).query_pairs(_ONE_PLACE, output_type="ndarray")
    joined = coo_array((np.ones(len(near)), near.T), (len(target), len(target)))
    _, group = connected_components(joined, directed=False)
    votes = np.bincount(group)
    middle = np.stack([np.bincount(group, column) / votes for column in target.T], axis=1)
    middle = middle[votes >= 2]
    distance, _ = cKDTree(points).query(middle)
    return np.asarray(middle[distance > _FILLED])


def pointed_places(
    points: Floats, bonds: Ints, length: Floats, sure: Bools, /
) -> tuple[Floats, Ints]:
    """Give the places to which atoms with two bonds point, and which atoms these are."""
    n = len(points)
    two = sure & (degrees(bonds, n) == 2)
    pull = np.zeros((n, 2))
    away = points[bonds[:, 1]] - points[bonds[:, 0]]
    unit = away / np.linalg.norm(away, axis=1)[:, None]
    for end, sign in ((0, 1.0), (1, -1.0)):
        np.add.at(pull, bonds[:, end], sign * unit)
    size = np.linalg.norm(pull, axis=1)
    who = np.flatnonzero(two & (size > _LEAST_PULL))
    return points[who] - length[who, None] * pull[who] / size[who, None], who


def _bonds_of_new(points: Floats, start: int) -> Ints:
    near = cKDTree(points).query_ball_point(points[start:], _NEXT)
    rows = [
        (k + start, other)
        for k, found in enumerate(near)
        for other in found
        if other < start or other > k + start
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)
