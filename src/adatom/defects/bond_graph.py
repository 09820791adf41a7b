"""Bonds between the atoms of a sheet, by lengths that their elements and the sheet tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtr

from adatom.defects.sheets import Sheet, expected_bond
from adatom.defects.species import UNKNOWN
from adatom.errors import TooFewSitesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# Of the expected length: of a honeycomb the geometric mean of the first and second shell is 1.32;
# of four neighbors around a divacancy the second shell begins at 1.36 of the first.
LONGEST: Final = 1.25
# An atom of the host that has its three bonds in the sheet has a fourth to an impurity only if that
# is no longer than this, as where the impurity lies on top of the sheet.
FAR: Final = 1.1
# Within which share of the limit a bond is in doubt: bonds of one kind differ by a twentieth.
_SPREAD: Final = 0.05
# A bond of the host differs from the usual by no more in any defect that is known (0.95 to 1.2).
_HOST_RANGE: Final = (0.7, 1.3)
_FEWEST: Final = 6
_VALENCE: Final = 4
_THREE: Final = 3
_SHARP: Final = np.radians(55.0)


class Bonds(NamedTuple):
    """Pairs (bond, 2) of atoms, lengths in bonds of the host, and how sure each is.

    `doubt_pairs` and `doubt` are pairs beyond the limit and how likely they are bonded yet.
    """

    pairs: Ints
    length: Floats
    probability: Floats
    doubt_pairs: Ints
    doubt: Floats


def bond_of_host(place: Floats, is_host: Bools, guess: float, /) -> float:
    """Measure the distance between neighbors of the host, from a guess within a fourth of it."""
    own = place[is_host]
    if len(own) < _FEWEST:
        msg = f"{len(own)} atoms of the host, {_FEWEST} or more are needed to tell its bonds"
        raise TooFewSitesError(msg)
    bond = guess
    tree = cKDTree(own)
    for _ in range(2):
        pairs = tree.query_pairs(_HOST_RANGE[1] * bond, output_type="ndarray")
        length = np.linalg.norm(own[pairs[:, 0]] - own[pairs[:, 1]], axis=1)
        length = length[length > _HOST_RANGE[0] * bond]
        if not len(length):
            msg = (
                f"no two atoms of the host are about {guess:.3g} apart, as attrs['spacing'] says: "
                "find them anew, or correct the spacing"
            )
            raise TooFewSitesError(msg)
        bond = float(np.median(length))
    return bond


def bonds_of_atoms(
    place: Floats, species: NDArray[np.str_], sheet: Sheet, error: Floats, /
) -> Bonds:
    """Bond atoms nearer than 1.25 times the length that their elements let expect.

    `place` (atom, 2) and `error` (atom,) are in bonds of the host.
    """
    names, number = np.unique(species, return_inverse=True)
    known = [sheet.element if name in {UNKNOWN, ""} else str(name) for name in names]
    limit = LONGEST * np.array([[expected_bond(sheet, a, b) for b in known] for a in known])
    reach = float(limit.max(initial=LONGEST)) * (1 + 3 * _SPREAD)
    pairs = cKDTree(place).query_pairs(reach, output_type="ndarray").astype(np.int64)
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    length = np.linalg.norm(place[pairs[:, 0]] - place[pairs[:, 1]], axis=1)
    its_limit = limit[number[pairs[:, 0]], number[pairs[:, 1]]]
    spread = np.hypot(_SPREAD * its_limit, np.hypot(error[pairs[:, 0]], error[pairs[:, 1]]))
    probability = ndtr((its_limit - length) / spread)
    bonded = length <= its_limit
    bonded &= ~_beyond_valence(pairs, length / its_limit, bonded, species != sheet.element)
    bonded &= ~_beyond_host(pairs, length / its_limit, bonded, species != sheet.element)
    bonded[_sharp(place, pairs, bonded, species != sheet.element)] = False
    doubtful = ~bonded & (probability > 0.01)
    return Bonds(
        pairs[bonded], length[bonded], probability[bonded], pairs[doubtful], probability[doubtful]
    )


def _beyond_valence(pairs: Ints, relative: Floats, bonded: Bools, foreign: Bools) -> Bools:
    """Tell which bonds of an impurity come after its four shortest: none in a sheet has more."""
    number = np.flatnonzero(bonded)
    ends = np.concatenate([pairs[number, 0], pairs[number, 1]])
    which = np.concatenate([number, number])
    order = np.lexsort((relative[which], ends))
    ends, which = ends[order], which[order]
    first = np.searchsorted(ends, ends)
    over = np.zeros(len(pairs), dtype=bool)
    over[which[(np.arange(len(ends)) - first >= _VALENCE) & foreign[ends]]] = True
    return over


def _beyond_host(pairs: Ints, relative: Floats, bonded: Bools, foreign: Bools) -> Bools:
    """Tell which long bonds to impurities come after three bonds of an atom of the host."""
    kind = foreign[pairs].sum(axis=1)
    full = degrees(pairs[bonded & (kind == 0)], len(foreign)) >= _THREE
    long = bonded & (kind == 1) & (relative > FAR / LONGEST)
    return np.asarray(long & full[pairs].any(axis=1))


def _sharp(place: Floats, pairs: Ints, bonded: Bools, foreign: Bools) -> Ints:
    """List bonds of impurities to drop, where two of the host's atoms are seen under 55 deg.

    Atoms that near would be bonded to one another as well, and one of them is none. The bond
    without which the others are spread most evenly is the one to drop.
    """
    drop: list[int] = []
    of_atom = PairsOfNodes(pairs, len(place))
    for atom in np.flatnonzero(foreign):
        here = of_atom.at(int(atom))
        here = here[bonded[here]]
        other = pairs[here].sum(axis=1) - atom
        here, other = here[~foreign[other]], other[~foreign[other]]
        while len(here) > _THREE:
            to = place[other] - place[atom]
            angle = np.arctan2(to[:, 0], to[:, 1])
            if _narrowest(angle) > _SHARP:
                break
            evenness = [_narrowest(np.delete(angle, k)) for k in range(len(angle))]
            worst = int(np.argmax(evenness))
            drop.append(int(here[worst]))
            here, other = np.delete(here, worst), np.delete(other, worst)
    return np.array(drop, dtype=np.int64)


def _narrowest(angle: Floats) -> float:
    ordered = np.sort(angle)
    return float(np.diff(ordered, append=ordered[0] + 2 * np.pi).min())


def degrees(pairs: Ints, n_atoms: int, /) -> Ints:
    """Count the bonds of every atom."""
    return np.bincount(pairs.ravel(), minlength=n_atoms).astype(np.int64)


class PairsOfNodes:
    """Pairs (pair, 2) sorted by node, to list those at a node, or within a set of nodes."""

    def __init__(self, pairs: Ints, n_nodes: int, /) -> None:
        both = np.concatenate([pairs[:, 0], pairs[:, 1]])
        self._order = np.argsort(both, kind="stable") % max(len(pairs), 1)
        self._bounds = np.searchsorted(np.sort(both), np.arange(n_nodes + 1))

    def at(self, node: int, /) -> Ints:
        """Give the numbers of the pairs that end at a node, in their order."""
        return np.sort(self._order[self._bounds[node] : self._bounds[node + 1]]).astype(np.int64)

    def within(self, nodes: Ints, /) -> Ints:
        """Give the numbers of the pairs both of whose ends are among the nodes."""
        near = [self._order[self._bounds[k] : self._bounds[k + 1]] for k in nodes]
        number, count = np.unique(np.concatenate(near), return_counts=True)
        return np.asarray(number[count == 2], dtype=np.int64)
