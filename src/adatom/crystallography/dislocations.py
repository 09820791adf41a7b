"""Dislocations: circuits around which the steps of the lattice do not close."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from adatom.crystallography.checked import numbers_of_frames
from adatom.crystallography.nets import Net
from adatom.crystallography.walk import slot_walk
from adatom.numerics.faces import Faces, trace_faces
from adatom.numerics.groups import sums_by_group
from adatom.schema import Sites, add_note, positions, sites_from_positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.unwrapping import Links


class Cores(NamedTuple):
    """Circuits that do not close: place and Burgers index (core, 2), area, and one of their sites."""

    place: NDArray[np.float64]
    burgers: NDArray[np.int64]
    area: NDArray[np.float64]
    site: NDArray[np.int64]


def find_dislocations(sites: Sites, /) -> Sites:
    """Find dislocations and their Burgers vectors.

    Around every mesh of the net that neighbors make, the steps from cell to
    cell are summed. Where they do not close there is a dislocation, and what
    is lacking is its Burgers vector [1]_, exact in lattice vectors. Meshes
    beside one another whose sums cancel are a neighbor taken for another, by
    noise, and no dislocations.

    Parameters
    ----------
    sites : Sites
        From `descriptors.neighbor_vectors`, of the sites among themselves, or
        from `assign_lattice_indices`. Frames of a movie are taken one by one.

    Returns
    -------
    Sites
        The cores, in the middle of the mesh that does not close, with
        ``burgers_index`` (site, direction), in lattice vectors of the
        positions; ``burgers_vector`` (site, axis) and ``burgers_magnitude`` in
        the unit of the sites; and ``core_area`` of the mesh, within which the
        core is not placed more closely. ``attrs["lattice_vectors"]`` holds
        the lattice vectors (crystal, direction, axis), of all grains whose
        stars are alike, and ``crystal`` (site) which they are.
        The Burgers vector is the displacement, relative to the perfect
        lattice, gained on a circuit that turns from +x towards +y. Its sign
        changes with the sense of the circuit.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or neighbors of other sites.
    NoLatticeError
        If the slots have no lattice in common.

    References
    ----------
    .. [1] J. P. Hirth and J. Lothe, Theory of Dislocations, 2nd ed. (Wiley, 1982), sec. 1.5.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.mgrid[-9.5:10, -9.5:10]
    >>> slip = np.arctan2(y, x) / (2 * np.pi)
    >>> slipped = sites_from_positions(y.ravel(), (x + slip).ravel(), unit="nm")
    >>> found = find_dislocations(neighbor_vectors(slipped))
    >>> found["burgers_index"].values
    array([[0, 1]])
    """
    walk = slot_walk(sites)
    place = positions(sites)
    cores = open_circuits(place, walk.links)
    crystal = walk.net.family[walk.star[cores.site]]
    return _described(sites, cores, crystal, walk.net)


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
    return Cores(middle, -total[core], area, site)


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


def _described(sites: Sites, cores: Cores, crystal: NDArray[np.int64], net: Net) -> Sites:
    unit = space_unit(sites)
    frame = numbers_of_frames(sites)[0][cores.site] if "frame" in sites.coords else None
    found = sites_from_positions(
        cores.place[:, 0],
        cores.place[:, 1],
        unit=unit,
        frame=frame,
        spacing=sites.attrs.get("spacing"),
        extent=sites.attrs.get("extent"),
    )
    vector = np.einsum("ck,cka->ca", cores.burgers.astype(float), net.vectors[crystal])
    found.coords["axis"] = ("axis", np.array(["y", "x"]))
    found.coords["direction"] = ("direction", np.array(["i", "j"]))
    found["burgers_index"] = (("site", "direction"), cores.burgers)
    found["burgers_vector"] = (("site", "axis"), vector, {"units": unit})
    found["burgers_magnitude"] = ("site", np.linalg.norm(vector, axis=1), {"units": unit})
    found["core_area"] = ("site", cores.area, {"units": f"{unit}^2"})
    found["crystal"] = ("site", crystal)
    found.attrs["lattice_vectors"] = net.vectors.tolist()
    n = len(crystal)
    add_note(found, f"{n} dislocation{'' if n == 1 else 's'} in {sites.sizes['site']} sites.")
    return found
