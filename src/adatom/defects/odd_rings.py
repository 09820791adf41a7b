"""Rings of bonds that are not hexagons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.defects.bond_graph import degrees
from adatom.numerics.faces import members_of_faces, trace_faces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_HEXAGON: Final = 6
_SMALLEST: Final = 3
# The ring about two missing atoms has 14; what is larger is a hole.
_LARGEST: Final = 14


class OddRings(NamedTuple):
    """Members (ring, member) in order, -1 beyond the last, and size (ring,)."""

    members: Ints
    size: Ints


def odd_rings(place: Floats, bonds: Ints, ordinary: Bools, /) -> OddRings:
    """Find rings other than hexagons all of whose members are ordinary."""
    bonds = _without_dead_ends(bonds, len(place))
    faces = trace_faces(place, bonds)
    odd = (faces.area > 0) & (faces.size != _HEXAGON)
    odd &= (faces.size >= _SMALLEST) & (faces.size <= _LARGEST)
    members = members_of_faces(faces, bonds, np.flatnonzero(odd))
    there = members >= 0
    good = (ordinary[np.maximum(members, 0)] | ~there).all(axis=1)
    members = members[good]
    return OddRings(members, (members >= 0).sum(axis=1))


def _without_dead_ends(bonds: Ints, n_atoms: int) -> Ints:
    while True:
        kept = (degrees(bonds, n_atoms)[bonds] > 1).all(axis=1)
        if kept.all():
            return bonds
        bonds = bonds[kept]
