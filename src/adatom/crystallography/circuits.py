"""Circuits around the meshes of a net of links, and those that do not close."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from adatom.numerics.faces import Faces, trace_faces
from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.unwrapping import Links


class Cores(NamedTuple):
    """Circuits that do not close.

    Attributes
    ----------
    place : ndarray, shape (core, 2)
        Middle of the circuit.
    burgers : ndarray of int, shape (core, 2)
        Burgers vector in lattice vectors.
    area : ndarray, shape (core,)
        Of the meshes within.
    site : ndarray of int, shape (core,)
        One of the sites around it.
    around : ndarray of int, shape (member,)
        All sites around all of them.
    """

    place: NDArray[np.float64]
    burgers: NDArray[np.int64]
    area: NDArray[np.float64]
    site: NDArray[np.int64]
    around: NDArray[np.int64]


def open_circuits(place: NDArray[np.float64], links: Links, /) -> Cores:
    """Find the meshes of the net of links around which the steps do not close."""
    edges = np.stack([links.first, links.second], axis=1)
    faces = trace_faces(place, edges)
    step = np.concatenate([links.step, -links.step])
    sums = sums_by_group(step, faces.face, n_groups=len(faces.size))
    # Beyond the outer face nothing is known; what is beside it may be closed there.
    outer = faces.area <= 0
    open_ = sums.any(axis=1) | outer
    group = _groups_of_open(faces, open_, len(links.first))
    n_groups = int(group.max(initial=-1)) + 1
    total = np.rint(sums_by_group(sums, group, n_groups=n_groups)).astype(np.int64)
    touches = np.bincount(group[open_], weights=outer[open_], minlength=n_groups) > 0
    core = np.flatnonzero(total.any(axis=1) & ~touches)
    rank = np.full(n_groups, -1)
    rank[core] = np.arange(len(core))
    core_of = np.where(group >= 0, rank[group], -1)
    of_half = core_of[faces.face]
    half = np.flatnonzero(of_half >= 0)
    start = np.concatenate([links.first, links.second])[half]
    count = np.bincount(of_half[half], minlength=len(core))
    middle = sums_by_group(place[start], of_half[half], n_groups=len(core)) / count[:, None]
    site = np.zeros(len(core), dtype=np.int64)
    site[of_half[half]] = start
    area = sums_by_group(faces.area, core_of, n_groups=len(core))
    # What the ideal steps lack is what the displacements gain.
    return Cores(middle, -total[core], area, site, np.unique(start))


def _groups_of_open(faces: Faces, open_: NDArray[np.bool_], n_links: int) -> NDArray[np.int64]:
    """Give the group of every open face, faces that share a link in one; -1 of closed faces."""
    one, other = faces.face[:n_links], faces.face[n_links:]
    both = open_[one] & open_[other]
    n = len(open_)
    shared = csr_array((np.ones(int(both.sum()), dtype=np.int8), (one[both], other[both])), (n, n))
    _, group = connected_components(shared, directed=False)
    group = np.where(open_, group, -1)
    _, group[open_] = np.unique(group[open_], return_inverse=True)
    return np.asarray(group, dtype=np.int64)
