"""Atoms over one another become columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below, places are the same but for rounding.
_SAME: Final = 1e-6
# What is empty weighs nothing; without any weight a column has no place of its own.
_LEAST: Final = 1e-12


def grouped(
    flat: NDArray[np.float64], periodic: NDArray[np.float64] | None, reach: float
) -> NDArray[np.int64]:
    """Tell the column of every atom: no atom of it is farther than `reach` from its leader.

    Atoms lead in the order of how many others are near, unless one near them leads
    already, and take those nearest to them. Unlike in chains of
    neighbors, columns whose atoms stray towards one another stay apart.
    """
    pairs, distance = _near_pairs(flat, periodic, max(reach, _SAME))
    n_atoms = len(flat)
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    near = csr_array((np.tile(distance, 2), ends.T), shape=(n_atoms, n_atoms))
    leads = np.zeros(n_atoms, dtype=bool)
    led = np.zeros(n_atoms, dtype=bool)
    for atom in np.argsort(-np.diff(near.indptr), kind="stable").tolist():
        if not led[atom]:
            leads[atom] = True
            led[near.indices[near.indptr[atom] : near.indptr[atom + 1]]] = True
    leader = np.arange(n_atoms)
    owned = leads[ends[:, 1]] & ~leads[ends[:, 0]]
    order = np.argsort(-np.tile(distance, 2)[owned], kind="stable")
    # Of several values for one atom the last stays, that of the nearest leader.
    leader[ends[owned, 0][order]] = ends[owned, 1][order]
    _, group = np.unique(leader, return_inverse=True)
    return np.asarray(group, dtype=np.int64)


def _near_pairs(
    flat: NDArray[np.float64], periodic: NDArray[np.float64] | None, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find pairs nearer than `reach`, also across the borders of the cell, and how near."""
    index = np.arange(len(flat))
    if periodic is not None:
        inverse = np.linalg.inv(periodic)
        inner = flat @ inverse
        inner -= np.floor(inner)
        # A strip as wide as the reach, in shares of the cell, is repeated beyond each border.
        strip = reach * np.linalg.norm(inverse, axis=0) + 1e-12
        for axis in (0, 1):
            low = inner[:, axis] < strip[axis]
            step = np.eye(2)[axis]
            inner = np.concatenate([inner, inner[low] + step])
            index = np.concatenate([index, index[low]])
        flat = inner @ periodic
    found = KDTree(flat).query_pairs(reach, output_type="ndarray")
    distance = np.hypot(*(flat[found[:, 0]] - flat[found[:, 1]]).T)
    pairs = index[found].reshape(-1, 2)
    real = pairs[:, 0] != pairs[:, 1]
    return pairs[real], distance[real]


def _from_first(
    flat: NDArray[np.float64], group: NDArray[np.int64], periodic: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Give the vectors from the first atom of the group to each, the short way round."""
    _, first = np.unique(group, return_index=True)
    apart = flat - flat[first[group]]
    if periodic is not None:
        turns = np.rint(apart @ np.linalg.inv(periodic))
        apart = apart - turns @ periodic
    return apart


def middles_of_groups(
    flat: NDArray[np.float64],
    group: NDArray[np.int64],
    weight: NDArray[np.float64],
    periodic: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the weighted mean place (group, axis) of groups, and their variance per axis."""
    n_groups = int(group.max()) + 1
    weight = weight.clip(_LEAST)
    total = sums_by_group(weight, group, n_groups=n_groups)
    apart = _from_first(flat, group, periodic)
    mean = sums_by_group(apart * weight[:, None], group, n_groups=n_groups) / total[:, None]
    squared = ((apart - mean[group]) ** 2).sum(axis=-1)
    variance = sums_by_group(weight * squared, group, n_groups=n_groups) / total / 2
    _, first = np.unique(group, return_index=True)
    return flat[first] + mean, variance
