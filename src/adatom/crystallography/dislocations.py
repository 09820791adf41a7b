"""Dislocations: circuits around which the steps of the lattice do not close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.crystallography.checked import numbers_of_frames
from adatom.crystallography.circuits import Cores, open_circuits
from adatom.crystallography.nets import Net
from adatom.crystallography.walk import slot_walk
from adatom.schema import Sites, add_note, positions, sites_from_positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
