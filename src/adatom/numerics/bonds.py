"""Bonds between points of the plane, by their angles rather than by a distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import Delaunay

from adatom.numerics.stars import SHADOW_ANGLE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bonds_of_points(places: NDArray[np.float64], /) -> NDArray[np.int64]:
    """List the pairs (bond, 2) of points that no third point sees under more than 75 deg.

    These are the bonds of `numerics.stars.relative_neighbors`, of all points
    at once. On either side of an edge of the Delaunay triangulation no point
    sees it under a larger angle than the one that makes a triangle with it,
    and two points that make no edge are seen under more than 90 deg by some
    third; so two angles an edge are enough.

    Examples
    --------
    >>> bonds_of_points(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.1, 1.0]]))
    array([[0, 1],
           [0, 2],
           [1, 3],
           [2, 3]])
    """
    triangles = Delaunay(places).simplices.astype(np.int64)
    corner = places[triangles]
    opposite = np.stack([np.roll(triangles, 1, axis=1), np.roll(triangles, 2, axis=1)], axis=2)
    one = np.roll(corner, 1, axis=1) - corner
    other = np.roll(corner, 2, axis=1) - corner
    inner = (one * other).sum(axis=2)
    lengths = np.linalg.norm(one, axis=2) * np.linalg.norm(other, axis=2)
    hidden = inner < np.cos(np.radians(SHADOW_ANGLE)) * lengths
    pairs = np.sort(opposite.reshape(-1, 2), axis=1)
    key = pairs[:, 0] * len(places) + pairs[:, 1]
    order = np.argsort(key, kind="stable")
    key, hidden = key[order], hidden.ravel()[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    seen = ~np.logical_or.reduceat(hidden, first)
    return np.stack(np.divmod(key[first[seen]], len(places)), axis=1)
