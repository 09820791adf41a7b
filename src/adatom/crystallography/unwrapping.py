"""Walk along slots from site to site: lattice indices as a phase is unwrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from adatom.numerics.stars import capture_radii, squared_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.nets import Net


class Links(NamedTuple):
    """Pairs of sites that fill a slot of one another, each once.

    Attributes
    ----------
    first, second : ndarray of int, shape (link,)
        Sites.
    step : ndarray of int, shape (link, 2)
        Cells from the first to the second.
    misfit : ndarray, shape (link,)
        Distance from the slot in units of its radius of capture.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    step: NDArray[np.int64]
    misfit: NDArray[np.float64]


def links_of_net(
    net: Net,
    stars: NDArray[np.float64],
    star: NDArray[np.int64],
    point: NDArray[np.int64],
    vector: NDArray[np.float64],
    /,
) -> Links:
    """List the pairs of sites that see one another where the net says so."""
    radius = capture_radii(stars)
    parts = []
    for k in range(point.shape[1]):
        # Of a slot and the one that leads back, one is enough.
        arc = net.target * stars.shape[1] + net.back
        own = np.arange(len(stars)) * stars.shape[1] + k
        counted = (net.target[:, k] >= 0) & (own < arc[:, k])
        site = np.flatnonzero(counted[star] & (point[:, k] >= 0))
        s, other = star[site], point[site, k]
        seen = (star[other] == net.target[s, k]) & (point[other, net.back[s, k]] == site)
        site, s, other = site[seen], s[seen], other[seen]
        misfit = np.sqrt(squared_distance(vector[site, k], stars[s, k])) / radius[s, k]
        parts.append(Links(site, other, net.step[s, k], misfit))
    return Links(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def unwrap_links(links: Links, n_sites: int, /) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the connected component of every site, and its cell (site, 2) from a root.

    Sites are joined along the links that fit best (a least spanning tree, as
    in quality-guided phase unwrapping [1]_): a neighbor that fills a slot by
    mistake misfits, and no step is taken along it where another way leads
    there.

    References
    ----------
    .. [1] D. C. Ghiglia and M. D. Pritt, Two-Dimensional Phase Unwrapping (Wiley, 1998), ch. 4.
    """
    # A weight of zero would be no link.
    graph = csr_array((1 + links.misfit, (links.first, links.second)), shape=(n_sites, n_sites))
    tree = minimum_spanning_tree(graph).tocoo()
    _, component = connected_components(tree, directed=False)
    _, roots = np.unique(component, return_index=True)
    # One more node above all roots makes one tree of them.
    above = np.full(len(roots), n_sites)
    whole = csr_array(
        (
            np.ones(len(tree.row) + len(roots)),
            (np.concatenate([tree.row, above]), np.concatenate([tree.col, roots])),
        ),
        shape=(n_sites + 1, n_sites + 1),
    )
    _, before = breadth_first_order(whole, n_sites, directed=False)
    before = before[:n_sites].astype(np.int64)
    before[roots] = roots
    return component.astype(np.int64), _cells_from_roots(_steps_to(before, links), before)


def _steps_to(before: NDArray[np.int64], links: Links) -> NDArray[np.int64]:
    """Give the step (site, 2) that leads to every site from the one before it; 0 to a root."""
    step = np.zeros((len(before), 2), dtype=np.int64)
    onward = before[links.second] == links.first
    step[links.second[onward]] = links.step[onward]
    backward = before[links.first] == links.second
    step[links.first[backward]] = -links.step[backward]
    return step


def _cells_from_roots(step: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum steps up to the root, over twice as long a way in every round."""
    cell = step.copy()
    while True:
        farther = before[before]
        cell += cell[before]
        if np.array_equal(farther, before):
            return cell
        before = farther
