"""Groups of impurities, missing atoms and rings as defects: their names, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.defects.bond_graph import PairsOfNodes, degrees
from adatom.defects.grouping import CORE, GONE, NEIGHBOR, Groups
from adatom.defects.naming import Name, name_of_points, name_of_rings
from adatom.defects.sheet_atoms import SheetAtoms
from adatom.defects.sheets import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_THREE: Final = 3
# Atoms of the host within so many bonds tell whether a defect is in the sheet.
_AROUND: Final = 3.2
# Of points strewn at random one in eight has three bonds of the right length; in a sheet seen
# through noise half of the atoms and more.
_LEAST_ORDER: Final = 0.25
_FULL_ORDER: Final = 0.6
_HEXAGON: Final = 6
_SMALLEST_RING: Final = 5
# The ring around a missing atom whose neighbors have not moved together.
_VACANT_RING: Final = 12


class Draft(NamedTuple):
    """One defect: its members (numbers along the atoms), their roles, and what it is."""

    node: Ints
    role: Ints
    pairs: Ints
    name: Name
    confidence: float


def drafts_of_groups(atoms: SheetAtoms, groups: Groups, sheet: Sheet, /) -> list[Draft]:
    """Name the members of every group, and leave out those that are no defect of a sheet.

    Left out are groups with no ordered sheet around them, and rings that no sheet has.
    """
    order = np.argsort(groups.defect, kind="stable")
    bounds = np.searchsorted(groups.defect[order], np.arange(groups.n_defects + 1))
    by_node = PairsOfNodes(atoms.pairs, len(atoms.place))
    degree = degrees(atoms.pairs, len(atoms.place))
    ring_order = np.argsort(groups.ring_defect, kind="stable")
    ring_bounds = np.searchsorted(groups.ring_defect[ring_order], np.arange(groups.n_defects + 1))
    doubts = _doubts(atoms)
    orderly = _orderly(atoms, degree, sheet)
    drafts = []
    for defect in range(groups.n_defects):
        here = order[bounds[defect] : bounds[defect + 1]]
        node, role = groups.node[here], groups.role[here]
        pairs = by_node.within(node)
        rings = groups.rings.size[ring_order[ring_bounds[defect] : ring_bounds[defect + 1]]]
        if len(rings) and not _possible(rings):
            continue
        name = (
            name_of_rings(rings.tolist())
            if len(rings)
            else _point_name(atoms, degree, node, role, pairs, sheet)
        )
        around = orderly(node[role != NEIGHBOR])
        if around < _LEAST_ORDER and name.kind != "edge":
            continue
        name, cut = _cut_name(atoms, degree, node, role, name)
        sure = _confidence(atoms, node, role, pairs, doubts)
        sure *= min(1.0, around / _FULL_ORDER) * (0.5 if cut or not name.name else 1.0)
        drafts.append(Draft(node, role, pairs, name, sure))
    return drafts


def _possible(rings: Ints) -> bool:
    """Tell whether rings can be in a sheet, which stays flat around a point defect.

    Others, and rings of less than five, come of atoms that were missed or are none. A ring of
    twelve or more, and the nine of V1(5-9), have members with two bonds, which do not count for
    the disclination.
    """
    if rings.min() < _SMALLEST_RING:
        return False
    if rings.max() >= _VACANT_RING or name_of_rings(rings.tolist()).kind == "vacancy":
        return True
    return int((rings - _HEXAGON).sum()) == 0


def _doubts(atoms: SheetAtoms) -> Floats:
    """Give the probability (atom,) that no pair beyond the limit is a bond of the atom."""
    free = np.ones(len(atoms.place))
    for end in (0, 1):
        np.multiply.at(free, atoms.doubt_pairs[:, end], 1 - atoms.doubt)
    return free


def _orderly(atoms: SheetAtoms, degree: Ints, sheet: Sheet) -> Callable[[Ints], float]:
    """Give a function: of places, the share of the host's atoms around that have three bonds."""
    host = (atoms.species == sheet.element) & atoms.inside
    numbers = np.flatnonzero(host)
    good = degree[numbers] == _THREE
    tree = cKDTree(atoms.place[numbers]) if len(numbers) else None

    def share(node: Ints) -> float:
        if tree is None:
            return 0.0
        near = np.unique(np.concatenate(tree.query_ball_point(atoms.place[node], _AROUND)))
        return float(good[near.astype(int)].mean()) if len(near) >= _THREE else 0.0

    return share


def _point_name(
    atoms: SheetAtoms, degree: Ints, node: Ints, role: Ints, pairs: Ints, sheet: Sheet
) -> Name:
    core = node[role == CORE]
    both = atoms.pairs[pairs]
    to_core = np.isin(both, core)
    bonded = np.unique(both[to_core.any(axis=1)])
    bonded = bonded[np.isin(bonded, node[role == NEIGHBOR])]
    around = degree[bonded]
    to_foreign = np.array([int((both[to_core.any(axis=1)] == k).any(axis=1).sum()) for k in bonded])
    whole = bool(len(bonded)) and bool((around - to_foreign >= _THREE).mean() > 0.5)
    return name_of_points(
        [str(name) for name in atoms.species[core]],
        sheet.element,
        len(bonded),
        int((role == GONE).sum()),
        whole,
    )


def _cut_name(
    atoms: SheetAtoms, degree: Ints, node: Ints, role: Ints, name: Name
) -> tuple[Name, bool]:
    """Take the name away where neighbors may lie beyond the border."""
    core = node[role == CORE]
    outside = ~atoms.inside[core]
    if not outside.any() or name.kind == "ring":
        return name, bool(outside.any())
    bonds = degree[core]
    if (outside & (bonds < _THREE)).any():
        return Name("", "edge"), True
    return name, False


def _confidence(atoms: SheetAtoms, node: Ints, role: Ints, pairs: Ints, doubts: Floats) -> float:
    special = node[role != NEIGHBOR]
    of_special = np.isin(atoms.pairs[pairs], special).any(axis=1)
    sure = float(np.prod(atoms.chance[special])) * float(np.prod(atoms.weight[special]))
    sure *= float(np.prod(atoms.sureness[pairs][of_special]))
    sure *= float(np.prod(doubts[node[role == CORE]]))
    near = node[role == NEIGHBOR]
    sure *= float(np.prod(atoms.weight[near])) ** 0.5
    return float(np.clip(sure, 0.0, 1.0))
