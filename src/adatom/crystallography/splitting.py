"""Grains turned so little that they share a star: parted where dislocations let them turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from adatom.crystallography.circuits import Cores, open_circuits
from adatom.crystallography.unwrapping import Links
from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.nets import Net

# Medians over neighbors keep a jump where it is, and leave of noise of 5 % of the spacing 0.3 deg.
_ROUNDS: Final = 4
# In deg: turned by less, dislocations stand 40 cells apart, and strain turns as much.
_LEAST_TURN: Final = 1.5
_TIMES_NOISE: Final = 5.0
# Dislocations of a wall that turns by an angle t stand |b| / t apart, unevenly, and the outermost
# is not seen where the edge cuts its circuit.
_REACH: Final = 1.5
# In deg: ferroelastic walls turn by less, of a tetragonal crystal with c/a = 1.3 by 15; and
# dislocations this near to one another have no meshes of their own.
_SURE_TURN: Final = 15.0
# Links on either side of a wall, whose gaps they close.
_WIDTH: Final = 2
# As for grains: a site with all of its neighbors, and some more.
_LEAST_CORE: Final = 10
_MOSTLY: Final = 0.5


def coherent_links(
    links: Links,
    net: Net,
    stars: NDArray[np.float64],
    star: NDArray[np.int64],
    point: NDArray[np.int64],
    place: NDArray[np.float64],
    /,
) -> Links:
    """Leave out the links across walls at which the lattice turns by dislocations.

    A wall between two grains that turns the lattice by a small angle t is a
    row of dislocations at a distance |b| / t [1]_. Where the lattice turns and
    none is so near, it goes on without a break, as through a ferroelastic
    wall, and the link is kept.

    References
    ----------
    .. [1] W. T. Read and W. Shockley, Phys. Rev. 78, 275 (1950), eq. 1.
    """
    cores = open_circuits(place, links)
    turn = _smooth_turns(_turns(stars, star, point, place, net), point)
    cut = _turned_links(links, turn, place, cores, net, star)
    if not cut.any():
        return links
    part = _parts(links, cut, len(star))
    kept = part[links.first] == part[links.second]
    return Links(*(column[kept] for column in links))


def _turned_links(
    links: Links,
    turn: NDArray[np.float64],
    place: NDArray[np.float64],
    cores: Cores,
    net: Net,
    star: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell the links along which the lattice turns, and a dislocation is near enough for that."""
    jump = np.abs(turn[links.second] - turn[links.first])
    jump = np.where(np.isfinite(jump), jump, 0.0)
    noise = SIGMA_OF_MAD * float(np.median(jump))
    turned = np.flatnonzero(jump > max(_LEAST_TURN, _TIMES_NOISE * noise))
    cut = jump > _SURE_TURN
    if not len(cores.place):
        return cut
    middle = 0.5 * (place[links.first[turned]] + place[links.second[turned]])
    away, _ = cKDTree(place[cores.around]).query(middle)
    vectors = net.vectors[net.family[star[cores.site]]]
    burgers = np.linalg.norm(np.einsum("ck,cka->ca", cores.burgers.astype(float), vectors), axis=1)
    near = away < _REACH * float(np.median(burgers)) / np.radians(jump[turned])
    cut[turned[near]] = True
    return cut


def _parts(links: Links, cut: NDArray[np.bool_], n_sites: int) -> NDArray[np.int64]:
    """Part the sites where most of the links between two parts are cut.

    Noise leaves gaps in a wall. What is left where two links on either side
    of the wall are taken away as well are the cores of the parts, and these
    grow until they meet. Parts that meet along links most of which are not cut
    are one: a single dislocation cuts the links about it and parts nothing.
    """
    label = _grown(links, cut, _cores_of_parts(links, cut, n_sites))
    one, other = label[links.first], label[links.second]
    between = (one != other) & (one >= 0) & (other >= 0)
    n_parts = int(label.max(initial=-1)) + 1
    low, high = np.minimum(one, other)[between], np.maximum(one, other)[between]
    pair, pair_of = np.unique(low * n_parts + high, return_inverse=True)
    share = np.bincount(pair_of, weights=cut[between]) / np.maximum(np.bincount(pair_of), 1)
    whole = pair[share < _MOSTLY]
    joined = csr_array(
        (np.ones(len(whole)), np.divmod(whole, max(n_parts, 1))), shape=(n_parts, n_parts)
    )
    _, part = connected_components(joined, directed=False)
    # Sites that no part reached have no links but to one another.
    return np.where(label >= 0, np.append(part, 0)[label], -1).astype(np.int64)


def _cores_of_parts(links: Links, cut: NDArray[np.bool_], n_sites: int) -> NDArray[np.int64]:
    away = np.zeros(n_sites, dtype=bool)
    away[links.first[cut]] = away[links.second[cut]] = True
    for _ in range(_WIDTH):
        reached = away[links.first] | away[links.second]
        away[links.first[reached]] = away[links.second[reached]] = True
    kept = ~(away[links.first] | away[links.second])
    graph = csr_array(
        (np.ones(int(kept.sum())), (links.first[kept], links.second[kept])), (n_sites, n_sites)
    )
    _, component = connected_components(graph, directed=False)
    size = np.bincount(component, minlength=1)
    large = size[component] >= _LEAST_CORE
    label = np.full(n_sites, -1, dtype=np.int64)
    _, label[large] = np.unique(component[large], return_inverse=True)
    return label


def _grown(links: Links, cut: NDArray[np.bool_], label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let labels spread over links, over those that are cut only where no other leads on."""
    label = label.copy()
    ends = np.concatenate([links.first, links.second]), np.concatenate([links.second, links.first])
    for usable in (np.concatenate([~cut, ~cut]), np.ones(2 * len(cut), dtype=bool)):
        start, end = ends[0][usable], ends[1][usable]
        while True:
            new = (label[start] >= 0) & (label[end] < 0)
            if not new.any():
                break
            label[end[new]] = label[start[new]]
    return label


def _turns(
    stars: NDArray[np.float64],
    star: NDArray[np.int64],
    point: NDArray[np.int64],
    place: NDArray[np.float64],
    net: Net,
) -> NDArray[np.float64]:
    """Give the angle in deg by which the neighbors of a site are turned against its star."""
    along, across = np.zeros(len(star)), np.zeros(len(star))
    for k in range(point.shape[1]):
        site = np.flatnonzero((point[:, k] >= 0) & (net.target[star, k] >= 0))
        slot, to = stars[star[site], k], place[point[site, k]] - place[site]
        along[site] += (slot * to).sum(axis=1)
        across[site] += to[:, 0] * slot[:, 1] - to[:, 1] * slot[:, 0]
    angle = np.degrees(np.arctan2(across, along))
    return np.where((along == 0) & (across == 0), np.nan, angle)


def _smooth_turns(turn: NDArray[np.float64], point: NDArray[np.int64]) -> NDArray[np.float64]:
    for _ in range(_ROUNDS):
        around = np.where(point >= 0, turn[point], np.nan)
        turn = medians_of_rows(np.concatenate([turn[:, None], around], axis=1))
    return turn
