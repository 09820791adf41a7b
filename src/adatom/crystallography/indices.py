"""Lattice indices, sublattices and grains of sites, by a walk along neighbor slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.crystallography.decoration import Indexed, decorated
from adatom.crystallography.nets import Net
from adatom.crystallography.splitting import coherent_links
from adatom.crystallography.unwrapping import unwrap_links
from adatom.crystallography.walk import slot_walk
from adatom.numerics.groups import counts_by_group, sums_by_group
from adatom.schema import Sites, add_note, positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A grain has at least one site with all neighbors of a hexagonal lattice and some beyond.
_LEAST_GRAIN: Final = 10


def assign_lattice_indices(sites: Sites, /) -> Sites:
    """Assign cells of the lattice under the sites to them, sublattices and grains.

    The walk goes along the slots of `descriptors.neighbor_vectors`, from site
    to site. The lattice is that of the positions: vectors that lead from a
    sublattice back to it, along one slot or several (of a honeycomb two), are
    lattice vectors. Sites whose neighbors do not see them in return, as at a
    vacancy, an edge or a wall between grains, are walked around; where a site
    can be reached by several ways, the one whose neighbors fit their slots
    best counts [1]_.

    Grains that are turned against one another by more than about 14 deg have
    stars, and with them walks, of their own; those turned by less are parted
    where the lattice turns and dislocations stand densely enough to let it
    turn [2]_. Walls through which the lattice goes on, as between ferroelastic
    domains, part no grains.

    Parameters
    ----------
    sites : Sites
        From `descriptors.neighbor_vectors`, of the sites among themselves.
        Frames of a movie are indexed one by one: a grain is of one frame.

    Returns
    -------
    Sites
        With ``lattice_index`` (site, direction), the cell along the lattice
        vectors i and j, unique within a grain and sublattice; ``sublattice``
        (site), from 0; and ``grain`` (site), from 0 by falling number of
        sites. Sites that are not indexed have grain -1, sublattice -1 and the
        index 0, which then means nothing. ``attrs["lattice_vectors"]`` holds
        the vectors (grain, direction, axis) in the unit of the sites: the
        shortest, j nearest to +x and i turned from it towards +y.

        Where the sites come with a ``sublattice``, as by `find_atoms` that of
        brighter and dimmer columns, and it repeats itself along the lattice
        of the positions, the cell is as large as it must be to repeat it, and
        sublattices are in its order (0 the brightest). A sublattice follows
        from the place in the cell: across an antiphase boundary it is no
        longer that of the brightness.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or neighbors of other sites.
    NoLatticeError
        If the slots have no lattice in common.

    References
    ----------
    .. [1] D. C. Ghiglia and M. D. Pritt, Two-Dimensional Phase Unwrapping (Wiley, 1998), ch. 4.
    .. [2] W. T. Read and W. Shockley, Phys. Rev. 78, 275 (1950), eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[:5, :5]
    >>> square = neighbor_vectors(sites_from_positions(y.ravel(), x.ravel(), unit="nm"))
    >>> indexed = assign_lattice_indices(square)
    >>> indexed["lattice_index"].sel(site=[0, 6, 24]).values.tolist()
    [[0, 0], [1, 1], [4, 4]]
    >>> np.round(indexed.attrs["lattice_vectors"], 6).tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    net, star, point, links = slot_walk(sites)
    component, cell = unwrap_links(links, len(star))
    # Where all links close, every circuit does, and there are no dislocations to look for.
    if (cell[links.second] - cell[links.first] != links.step).any():
        stars = np.array(sites.attrs["stars"], dtype=float)
        links = coherent_links(links, net, stars, star, point, positions(sites))
        component, cell = unwrap_links(links, len(star))
    found = _numbered(component, cell, net, star)
    found = _with_left_over(found, net, star, point)
    found = _by_size(found)
    vectors = net.vectors[_family_of_grains(found, net, star)]
    if "sublattice" in sites:
        found, vectors = decorated(found, vectors, sites["sublattice"].values)
    return _described(sites, _unique(found), vectors)


def _numbered(
    component: NDArray[np.int64], cell: NDArray[np.int64], net: Net, star: NDArray[np.int64]
) -> Indexed:
    """Call components large enough grains."""
    size = np.bincount(component)
    large = (size >= min(_LEAST_GRAIN, int(size.max())))[component] & (net.family[star] >= 0)
    grain = np.where(large, component, -1)
    return Indexed(cell, np.where(large, net.sublattice[star], -1), grain)


def _with_left_over(
    found: Indexed, net: Net, star: NDArray[np.int64], point: NDArray[np.int64]
) -> Indexed:
    """Index sites that fit no star, as in corners, where most neighbors see them in a slot."""
    cell, sublattice, grain = (part.copy() for part in found)
    to = np.where((grain >= 0)[:, None] & (net.target[star] >= 0), point, -1)
    open_ = (to >= 0) & (grain[to] < 0)
    site, slot = np.nonzero(open_)
    to, s = to[open_], star[site]
    there = cell[site] + net.step[s, slot]
    votes = np.column_stack([to, grain[site], net.sublattice[net.target[s, slot]], there])
    kept, count = np.unique(votes, axis=0, return_counts=True)
    total = np.bincount(kept[:, 0], weights=count, minlength=len(star))
    new = kept[2 * count > total[kept[:, 0]]]
    grain[new[:, 0]], sublattice[new[:, 0]], cell[new[:, 0]] = new[:, 1], new[:, 2], new[:, 3:]
    return Indexed(cell, sublattice, grain)


def _by_size(found: Indexed) -> Indexed:
    """Give the largest grain the number 0, and so on."""
    cell, sublattice, grain = found
    known = grain >= 0
    _, grain_of, size = np.unique(grain[known], return_inverse=True, return_counts=True)
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(len(size))
    out = np.full(len(grain), -1, dtype=np.int64)
    out[known] = rank[grain_of]
    return Indexed(cell, sublattice, out)


def _unique(found: Indexed) -> Indexed:
    """Leave one site a place: around a dislocation the walk comes back to a place twice."""
    cell, sublattice, grain = found
    known = np.flatnonzero(grain >= 0)
    keys = np.column_stack([grain, sublattice, cell])[known]
    order = np.lexsort(keys.T)
    again = np.zeros(len(known), dtype=bool)
    again[order[1:]] = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    grain = grain.copy()
    grain[known[again]] = -1
    return Indexed(cell, sublattice, grain)


def _family_of_grains(found: Indexed, net: Net, star: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the family of every grain: that of most of its sites, others fit no star."""
    family = net.family[star]
    own = (found.grain >= 0) & (family >= 0)
    n = len(net.vectors)
    pair = found.grain[own] * n + family[own]
    count = np.bincount(pair, minlength=(int(found.grain.max()) + 1) * n)
    most: NDArray[np.int64] = count.reshape(-1, n).argmax(axis=1)
    return most


def _described(sites: Sites, found: Indexed, vectors: NDArray[np.float64]) -> Sites:
    cell, sublattice, grain = found
    known = grain >= 0
    cell = _from_corner(np.where(known[:, None], cell, 0), grain, len(vectors))
    sublattice = np.where(known, sublattice, -1)
    vectors = _fitted_vectors(positions(sites), cell, sublattice, grain, vectors)
    out = sites.copy()
    out = out.drop_dims("direction", errors="ignore")
    out.coords["direction"] = ("direction", np.array(["i", "j"]))
    out["lattice_index"] = (("site", "direction"), cell)
    out["sublattice"] = ("site", sublattice)
    out["grain"] = ("site", grain)
    out.attrs["lattice_vectors"] = vectors.tolist()
    _tell(out, found, vectors)
    return out


def _from_corner(
    cell: NDArray[np.int64], grain: NDArray[np.int64], n_grains: int
) -> NDArray[np.int64]:
    """Count cells from the least index of every grain, so that it does not depend on the walk."""
    known = grain >= 0
    least = np.full((n_grains, 2), np.iinfo(np.int64).max)
    np.minimum.at(least, grain[known], cell[known])
    out = cell.copy()
    out[known] -= least[grain[known]]
    return out


def _fitted_vectors(
    place: NDArray[np.float64],
    cell: NDArray[np.int64],
    sublattice: NDArray[np.int64],
    grain: NDArray[np.int64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit the lattice vectors of every grain by least squares, with an origin a sublattice."""
    known = np.flatnonzero(grain >= 0)
    n_sub = int(sublattice.max(initial=0)) + 1
    n_grains = len(start)
    set_ = grain[known] * n_sub + sublattice[known]
    both = np.column_stack([cell[known].astype(float), place[known]])
    count = np.maximum(counts_by_group(set_, n_groups=n_grains * n_sub), 1)
    both -= (sums_by_group(both, set_, n_groups=n_grains * n_sub) / count[:, None])[set_]
    index, to = both[:, :2], both[:, 2:]
    normal = sums_by_group(index[:, :, None] * index[:, None], grain[known], n_groups=n_grains)
    right = sums_by_group(index[:, :, None] * to[:, None], grain[known], n_groups=n_grains)
    # A single row of sites fixes one of its vectors only.
    enough = np.linalg.det(normal) > 0.5
    out = start.copy()
    out[enough] = np.linalg.solve(normal[enough], right[enough])
    return out


def _tell(sites: Sites, found: Indexed, vectors: NDArray[np.float64]) -> None:
    known = found.grain >= 0
    n_sub = int(sites["sublattice"].max()) + 1
    size = np.bincount(found.grain[known])
    unit = space_unit(sites)
    length = np.linalg.norm(vectors[0], axis=1)
    angle = np.degrees(np.arctan2(vectors[0, :, 0], vectors[0, :, 1]))
    between = abs((angle[0] - angle[1] + 180) % 360 - 180)
    grains = "one grain" if len(size) == 1 else f"{len(size)} grains, the largest of {size[0]}"
    add_note(
        sites,
        f"Lattice: {int(known.sum())} of {len(known)} sites indexed in {grains}, {n_sub} "
        f"sublattice{'s' if n_sub > 1 else ''}; of the largest |i| = {length[0]:.4g} {unit}, "
        f"|j| = {length[1]:.4g} {unit}, {between:.4g} deg between them.",
    )
