"""Which impurities, missing atoms and odd rings make one defect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from adatom.defects.odd_rings import OddRings, odd_rings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.defects.sheet_atoms import SheetAtoms
    from adatom.defects.sheets import Sheet

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

CORE: Final = 0
NEIGHBOR: Final = 1
GONE: Final = 2


class Groups(NamedTuple):
    """Members of defects: `defect`, `node` (number along the atoms of the sheet) and `role`."""

    defect: Ints
    node: Ints
    role: Ints
    n_defects: int
    rings: OddRings
    ring_defect: Ints


def group_defects(atoms: SheetAtoms, sheet: Sheet, /) -> Groups:
    """Join impurities that are bonded or share a bonded atom, missing atoms, and odd rings.

    Impurities are of one defect if they are bonded to one another or to a
    common atom of the host, missing atoms if they are next to one another or
    to an impurity, odd rings if they share an atom.
    """
    n = len(atoms.place)
    host = atoms.species == sheet.element
    foreign = ~host & ~atoms.missing
    ordinary = host & (atoms.atom >= 0)
    special = ~host
    rings = odd_rings(atoms.place, atoms.pairs, ordinary)
    links = [_between(atoms.pairs, special), _through(atoms.pairs, foreign, host)]
    label = _components(n, links)
    roles = np.full(n, -1)
    roles[foreign], roles[atoms.missing] = CORE, GONE
    node, defect = _numbered(label, special)
    n_point = int(defect.max(initial=-1)) + 1
    owner = np.full(n, -1, dtype=np.int64)
    owner[node] = defect
    near_node, near_defect = _neighbors(atoms.pairs, owner, host)
    ring_node, ring_member_defect, ring_defect = _ring_groups(rings, n)
    return Groups(
        np.concatenate([defect, near_defect, ring_member_defect + n_point]),
        np.concatenate([node, near_node, ring_node]),
        np.concatenate(
            [roles[node], np.full(len(near_node), NEIGHBOR), np.full(len(ring_node), CORE)]
        ),
        n_point + int(ring_defect.max(initial=-1)) + 1,
        rings,
        ring_defect + n_point,
    )


def _between(pairs: Ints, special: Bools) -> Ints:
    return pairs[special[pairs].all(axis=1)]


def _through(pairs: Ints, foreign: Bools, host: Bools) -> Ints:
    """Link the impurities that are bonded to one atom of the host."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[foreign[both[:, 0]] & host[both[:, 1]]]
    both = both[np.argsort(both[:, 1], kind="stable")]
    same = both[1:, 1] == both[:-1, 1]
    return np.stack([both[:-1, 0][same], both[1:, 0][same]], axis=1)


def _components(n: int, links: list[Ints]) -> Ints:
    pairs = np.concatenate(links)
    graph = coo_array((np.ones(len(pairs)), pairs.T), (n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _numbered(label: Ints, special: Bools) -> tuple[Ints, Ints]:
    node = np.flatnonzero(special)
    _, defect = np.unique(label[node], return_inverse=True)
    return node, defect.astype(np.int64)


def _neighbors(pairs: Ints, owner: Ints, host: Bools) -> tuple[Ints, Ints]:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[(owner[both[:, 0]] >= 0) & host[both[:, 1]]]
    if not len(both):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    rows = np.unique(np.stack([owner[both[:, 0]], both[:, 1]], axis=1), axis=0)
    return rows[:, 1], rows[:, 0]


def _ring_groups(rings: OddRings, n: int) -> tuple[Ints, Ints, Ints]:
    """Give nodes and their defect, and the defect of every ring, of rings that share an atom."""
    n_rings = len(rings.size)
    if not n_rings:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    ring, at = np.nonzero(rings.members >= 0)
    node = rings.members[ring, at]
    belongs = coo_array((np.ones(len(node)), (ring, node)), (n_rings, n)).tocsr()
    _, group = connected_components(belongs @ belongs.T, directed=False)
    rows = np.unique(np.stack([group[ring], node], axis=1), axis=0).astype(np.int64)
    return rows[:, 1], rows[:, 0], group.astype(np.int64)
