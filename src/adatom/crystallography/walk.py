"""What the walks over a lattice start from: the net of the stars, and its links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.checked import finite_positions
from adatom.crystallography.nets import Net, join_stars, slot_targets
from adatom.crystallography.unwrapping import Links, links_of_net
from adatom.errors import KindError, NoLatticeError
from adatom.schema import SITES, Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Neighbors move by a few per cent of a vector; of other sites it differs by a vector at least.
_STALE: Final = 1e-3
# As many as make a grain.
_LEAST_STAR: Final = 10


class SlotWalk(NamedTuple):
    """Stars joined to nets, star (site) and neighbor (site, slot) of every site, and the links."""

    stars: NDArray[np.float64]
    net: Net
    star: NDArray[np.int64]
    point: NDArray[np.int64]
    links: Links


def slot_walk(sites: Sites, /) -> SlotWalk:
    """Join the slots of sites to a lattice.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or neighbors of other sites.
    NoLatticeError
        If the slots have no lattice in common.
    """
    star, point, vector = neighbors_of_sites(sites)
    stars = np.array(sites.attrs["stars"], dtype=float)
    stars, star = _with_parted_stars(stars, star, point, vector)
    net = join_stars(stars, star, point)
    if not len(net.vectors):
        msg = (
            "the neighbors of the sites have no lattice in common: is this a crystal? Look at the "
            "sites with plotting, or restrict them to the crystalline part before neighbor_vectors"
        )
        raise NoLatticeError(msg)
    return SlotWalk(stars, net, star, point, links_of_net(net, stars, star, point, vector))


def _with_parted_stars(
    stars: NDArray[np.float64],
    star: NDArray[np.int64],
    point: NDArray[np.int64],
    vector: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Part stars that two grains share, where their neighbors have stars of either grain.

    Of two honeycombs turned by 20 deg, one sublattice of both may fit one
    star while the other has a star in each: then the neighbors tell the grain.
    """
    usual = slot_targets(star, point, len(stars))
    around = np.where(point >= 0, star[point], -1)
    found, parted = list(stars), star.copy()
    for s in range(len(usual)):
        for t in np.flatnonzero((usual == s).any(axis=1)):
            if t in usual[s]:
                continue
            filled = (around >= 0).sum(axis=1)
            mine = (star == s) & (2 * (around == t).sum(axis=1) > filled)
            if mine.sum() >= _LEAST_STAR:
                parted[mine] = len(found)
                found.append(_mean_star(vector[mine], stars[s]))
    return np.array(found), parted


def _mean_star(vector: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the slots (slot, 2) over sites; a slot that none of them fills stays as usual."""
    known = np.isfinite(vector)
    count = known.sum(axis=0)
    total = np.where(known, vector, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), usual)


def neighbors_of_sites(
    sites: Sites, /
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Give star (site), neighbor (site, slot) and vector (site, slot, 2), once they are checked.

    Raises
    ------
    KindError
        If they are missing, of other sites, or no longer true.
    """
    SITES.check(sites, name="sites")
    needed = ("neighbor_vector", "neighbor_index", "star_index")
    lacking = [name for name in needed if name not in sites]
    if lacking or "stars" not in sites.attrs:
        msg = (
            f"sites have no {', '.join(lacking or ['stars'])}: "
            "run descriptors.neighbor_vectors(sites) first"
        )
        raise KindError(msg)
    point = sites["neighbor_index"].values
    vector = sites["neighbor_vector"].values.astype(float)
    place = finite_positions(sites)
    filled = point >= 0
    outside = point >= len(place)
    to = place[np.where(outside | ~filled, 0, point)] - place[:, None]
    scale = float(np.nanmax(np.abs(vector), initial=0.0))
    # Vectors may be float32, and then are as exact as the positions allow.
    allowed = _STALE * scale + 4 * np.finfo(np.float32).eps * float(np.abs(place).max(initial=0.0))
    wrong = filled & (outside | ~(np.abs(to - vector).max(axis=2) <= allowed))
    if wrong.any():
        msg = (
            f"{int(wrong.sum())} of {int(filled.sum())} neighbors do not stand where "
            "neighbor_vector points: these are neighbors among other sites, or the sites were "
            "selected or moved since. Run descriptors.neighbor_vectors(sites) on these very sites"
        )
        raise KindError(msg)
    return sites["star_index"].values.astype(np.int64), point, vector
