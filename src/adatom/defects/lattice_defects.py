"""Defects of a layer whose every place was named: joined to complexes, with atoms and bonds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from adatom.defects.layers import Column, Layer, columns_of_layer, layer_of_name
from adatom.defects.records import MISSING, Defects
from adatom.errors import KindError, SettingError
from adatom.numerics.plane_graphs import key_of_graph
from adatom.schema import (
    SITES,
    Sites,
    add_note,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

# Between the first (1) and the second neighbors of a honeycomb of two sublattices (1.73).
_BONDED: Final = 1.35
_NEEDED: Final = ("column", "defect_name", "column_probability", "host_probability", "sublattice")


class _Layered(NamedTuple):
    """Places, what stands at each, and the bonds between places."""

    place: Floats
    columns: list[Column]
    """All that may stand somewhere."""
    number: Ints
    """Of the column at each place, -1 where nothing is known."""
    bonds: Ints
    bond: float
    ends: csr_array
    """Place by bond: 1 where the bond ends at the place."""

    @property
    def own_elements(self) -> frozenset[str]:
        """Give the elements of the host: one of them in the place of another is an antisite."""
        return frozenset(atom for one in self.columns if not one.name for atom in one.atoms)

    def column(self, place: int) -> Column | None:
        """Give what stands at a place, None where nothing is known."""
        number = int(self.number[place])
        return None if number < 0 else self.columns[number]

    def bonds_at(self, places: Ints) -> Ints:
        """Give the bonds that end at any of the places, in their order."""
        bonds: Ints = self.bonds[np.unique(self.ends[places].indices)]
        return bonds


def find_lattice_defects(sites: Sites, /, *, false_discovery: float = 0.05) -> Defects:
    """Find the places of a layer that do not hold what the crystal has there.

    Listed are as many places, the surest first, as keep the mean probability
    that the host's own column stands there below `false_discovery` [1]_. Such places
    that are bonded make one defect, as "V_Mo+V_S"; so do vacancies that
    share a neighbor ("2 V_S"). Isovalent substitutions side by side stay two.

    Parameters
    ----------
    sites : Sites
        From `assign_column_species`.
    false_discovery : float
        Share of what is listed that may be there by chance.

    Returns
    -------
    Defects
        The members of each are the atoms at its places (of a column of two
        both, at one place), missing ones, and the atoms of the places bonded
        to these. Bonds are as seen along the beam.

    Raises
    ------
    KindError
        If the sites do not say what stands at each.
    SettingError
        If `false_discovery` is not between 0 and 1.

    References
    ----------
    .. [1] M. A. Newton et al., Biostatistics 5, 155 (2004), eq. 9.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.defects import assign_column_species
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> sites = sites_from_positions(y, x, unit="nm")
    >>> of = (y + x).astype(int) % 2
    >>> height = np.where(of == 0, 1.0, 0.42) + 0.02 * np.sin(np.arange(64.0))
    >>> height[28] = 0.22
    >>> sites["sublattice"] = ("site", of)
    >>> sites["relative_intensity"] = ("site", height)
    >>> sites["relative_intensity_error"] = ("site", np.full(64, 0.02))
    >>> found = find_lattice_defects(assign_column_species(sites, host="MoS2"))
    >>> found.defects["name"].values
    array(['V_S'], dtype='<U3')
    """
    SITES.check(sites)
    lacking = [name for name in _NEEDED if name not in sites.variables]
    if lacking or "host" not in sites.attrs:
        msg = (
            f"the sites lack {', '.join(lacking) or 'a host'}: take those of assign_column_species"
        )
        raise KindError(msg)
    if not 0 < false_discovery < 1:
        msg = f"{false_discovery=} must be between 0 and 1"
        raise SettingError(msg)
    layer = layer_of_name(str(sites.attrs["host"]))
    layered = _layered(sites, layer)
    odd = _odd_places(sites, false_discovery)
    which = _complexes(layered, odd)
    parts = [_part(layered, core, sites) for core in _places_of_each(which)]
    return _defects(sites, layer, layered, parts, len(odd), false_discovery)


def _layered(sites: Sites, layer: Layer) -> _Layered:
    is_metal = sites["sublattice"].values == int(sites.attrs["metal_sublattice"])
    columns, number = _columns(sites, layer, is_metal)
    place = positions(sites)
    apart, _ = cKDTree(place[is_metal]).query(place[~is_metal])
    bond = float(np.median(apart))
    near = cKDTree(place[is_metal]).sparse_distance_matrix(
        cKDTree(place[~is_metal]), _BONDED * bond, output_type="coo_matrix"
    )
    pairs = np.stack([np.flatnonzero(is_metal)[near.row], np.flatnonzero(~is_metal)[near.col]], 1)
    bonds = pairs[np.lexsort(pairs.T[::-1])].astype(np.int64)
    of = np.repeat(np.arange(len(bonds)), 2)
    ends = csr_array((np.ones(len(of)), (bonds.ravel(), of)), shape=(len(place), len(bonds)))
    return _Layered(place, columns, number, bonds, bond, ends)


def _columns(sites: Sites, layer: Layer, is_metal: Flags) -> tuple[list[Column], Ints]:
    """List what may stand somewhere, the metal's first, and the number of what does."""
    kinds = columns_of_layer(layer, sites.attrs["metals"], sites.attrs["chalcogens"])
    labels, label = np.unique(sites["column"].values.astype(str), return_inverse=True)
    number = np.full(len(label), -1, dtype=np.int64)
    first = 0
    for columns, here in zip(kinds, (is_metal, ~is_metal), strict=True):
        known = {one.label: first + k for k, one in enumerate(columns)}
        number[here] = np.array([known.get(str(one), -1) for one in labels])[label[here]]
        first += len(columns)
    return [*kinds[0], *kinds[1]], number


def _odd_places(sites: Sites, false_discovery: float) -> Ints:
    """List places, the surest first, while the mean probability of the host's column is small."""
    own = sites["host_probability"].values
    candidates = np.flatnonzero((sites["defect_name"].values != "") & np.isfinite(own))
    order = candidates[np.argsort(own[candidates], kind="stable")]
    mean = np.cumsum(own[order]) / np.arange(1, len(order) + 1)
    listed: Ints = order[: int(np.searchsorted(mean, false_discovery, side="right"))]
    return listed


def _complexes(layered: _Layered, odd: Ints) -> Ints:
    """Join odd places to defects: give the number of each place's, -1 where there is none."""
    size = len(layered.place)
    is_odd = np.zeros(size, dtype=bool)
    is_odd[odd] = True
    bonded = layered.bonds[is_odd[layered.bonds].all(axis=1)]
    joined = np.concatenate([bonded, _sharing(layered, odd)])
    graph = coo_array((np.ones(len(joined)), joined.T.reshape(2, -1)), shape=(size, size))
    part = connected_components(graph, directed=False)[1].astype(np.int64)
    which = np.full(size, -1, dtype=np.int64)
    members = np.flatnonzero(is_odd)
    _, first, number = np.unique(part[members], return_index=True, return_inverse=True)
    which[members] = np.argsort(np.argsort(first))[number]
    return which


def _places_of_each(which: Ints) -> list[Ints]:
    """List the places of every defect, in the order of places."""
    order = np.argsort(which, kind="stable")
    first = np.searchsorted(which[order], np.arange(which.max(initial=-1) + 2))
    return np.split(order, first)[1:-1]


def _sharing(layered: _Layered, odd: Ints) -> Ints:
    """List pairs of places that lack an atom each and have a neighbor in common."""
    # What is not known, number -1, lacks nothing.
    n_missing = np.array([*(one.n_missing for one in layered.columns), 0])
    lacking = odd[n_missing[layered.number[odd]] > 0]
    # Places of one sublattice that share a neighbor are sqrt(3) bonds apart.
    pairs = cKDTree(layered.place[lacking]).query_pairs(
        np.sqrt(3) * _BONDED * layered.bond, output_type="ndarray"
    )
    # Of places and their neighbors: if a place is itself the neighbor, the two are bonded, and
    # one defect by that.
    around = layered.ends[lacking] @ layered.ends.T
    in_common = around[pairs[:, 0]].multiply(around[pairs[:, 1]]).sum(axis=1)
    joined: Ints = lacking[pairs[in_common > 0]]
    return joined


class _Part(NamedTuple):
    """One defect: what is written of it, its members and bonds (within the members)."""

    told: dict[str, Any]
    members: dict[str, list[Any]]
    pairs: list[tuple[int, int]]


def _part(layered: _Layered, core: Ints, sites: Sites) -> _Part:
    at_core = set(core.tolist())
    bonds = layered.bonds_at(core)
    places = [*core.tolist(), *sorted(set(bonds.ravel().tolist()) - at_core)]
    number = {place: k for k, place in enumerate(places)}
    edges = np.array([[number[a], number[b]] for a, b in bonds.tolist()]).reshape(-1, 2)
    columns = [layered.column(place) for place in places]
    labels = [one.label if one else "?" for one in columns]
    key = key_of_graph(layered.place[places], labels, edges.astype(np.int64))
    members, atoms_at = _members(places, columns, len(core), sites)
    pairs = [
        (a, b) for one, other in edges.tolist() for a in atoms_at[one] for b in atoms_at[other]
    ]
    where = layered.place[members["place"]]
    reach = np.linalg.norm(where[:, None] - where[None], axis=2)
    told = {
        "place": layered.place[core].mean(axis=0),
        "name": _joined([str(sites["defect_name"].values[k]) for k in core]),
        "kind": _kind([one for one in columns[: len(core)] if one], layered.own_elements),
        "class_key": key.key,
        "chirality": key.chirality,
        "orientation": _orientation(layered, core, places),
        "extent": float(reach.max(initial=0.0)),
        "confidence": float(np.prod(sites["column_probability"].values[core])),
    }
    return _Part(told, members, pairs)


def _members(
    places: Sequence[int], columns: Sequence[Column | None], n_core: int, sites: Sites
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    """List the atoms of all places and missing ones, and which of them bond at each place."""
    told: dict[str, list[Any]] = {key: [] for key in ("place", "species", "role", "probability")}
    atoms_at: list[list[int]] = []
    probability, sublattice = sites["column_probability"].values, sites["sublattice"].values
    layer, metal = layer_of_name(str(sites.attrs["host"])), int(sites.attrs["metal_sublattice"])
    for k, (place, column) in enumerate(zip(places, columns, strict=True)):
        here: list[int] = []
        own = layer.metal if sublattice[place] == metal else layer.chalcogen
        rows = [] if column is None else [
            *((name, "core" if k < n_core and name != own else "neighbor")
              for name in column.atoms),
            *((MISSING, "missing") for _ in range(column.n_missing if k < n_core else 0)),
        ]  # fmt: skip
        for name, role in rows:
            if role != "missing":
                here.append(len(told["place"]))
            told["place"].append(place)
            told["species"].append(name)
            told["role"].append(role)
            told["probability"].append(float(probability[place]))
        atoms_at.append(here)
    return told, atoms_at


def _joined(names: list[str]) -> str:
    """Write a complex: "V_Mo+V_S", "2 V_S"."""
    counts = Counter(names)
    return "+".join(f"{n} {name}" if n > 1 else name for name, n in sorted(counts.items()))


def _kind(columns: list[Column], own: frozenset[str]) -> str:
    if all(one.n_missing > 0 for one in columns):
        return "vacancy"
    if len(columns) > 1:
        return "complex"
    return "antisite" if own.issuperset(columns[0].atoms) else "substitution"


def _orientation(layered: _Layered, core: Ints, places: Sequence[int]) -> float:
    """Give the direction of the first bond, or of a complex from its first to its last place."""
    if len(core) > 1:
        step = layered.place[core[-1]] - layered.place[core[0]]
        return float(np.degrees(np.arctan2(step[0], step[1])) % 180)
    if len(places) < 2:
        return float("nan")
    steps = layered.place[list(places[1:])] - layered.place[core[0]]
    # Three bonds at 120 deg: their common direction is a third of the mean of three times it.
    turn = np.exp(3j * np.arctan2(steps[:, 0], steps[:, 1])).mean()
    return float(np.degrees(np.angle(turn)) / 3 % 120)


def _defects(
    sites: Sites, layer: Layer, layered: _Layered, parts: list[_Part], n_places: int, limit: float
) -> Defects:
    unit = space_unit(sites)
    center = np.array([part.told["place"] for part in parts]).reshape(-1, 2)
    defects = sites_from_positions(
        center[:, 0], center[:, 1], unit=unit, extent=sites.attrs.get("extent")
    )
    for name, dtype, units in (
        ("name", np.str_, None), ("kind", np.str_, None), ("class_key", np.str_, None),
        ("chirality", np.int64, None), ("orientation", np.float64, "deg"),
        ("extent", np.float64, unit), ("confidence", np.float64, "1"),
    ):  # fmt: skip
        values = np.array([part.told[name] for part in parts], dtype=dtype)
        defects[name] = ("site", values, {} if units is None else {"units": units})
    for name, role in (("n_core", "core"), ("n_neighbors", "neighbor"), ("n_missing", "missing")):
        counts = [part.members["role"].count(role) for part in parts]
        defects[name] = ("site", np.array(counts, dtype=np.int64))
    members, starts = _all_members(sites, layered, parts)
    defects.attrs |= _frame(sites, layer, layered)
    add_note(
        defects,
        f"{len(parts)} defects at {n_places} places, of which at most {100 * limit:.0f} % are by "
        "chance",
    )
    return Defects(defects, members, _bonds(members, parts, starts))


def _all_members(sites: Sites, layered: _Layered, parts: list[_Part]) -> tuple[Sites, Ints]:
    def every(name: str) -> list[Any]:
        return [value for part in parts for value in part.members[name]]

    place = np.array(every("place"), dtype=np.int64)
    where = layered.place[place].reshape(-1, 2)
    members = sites_from_positions(
        where[:, 0], where[:, 1], unit=space_unit(sites), spacing=layered.bond,
        extent=sites.attrs.get("extent"),
    )  # fmt: skip
    sizes = np.array([len(part.members["place"]) for part in parts], dtype=np.int64)
    role = np.array(every("role"), dtype=np.str_)
    members["defect"] = ("site", np.repeat(np.arange(len(parts)), sizes))
    members["species"] = ("site", np.array(every("species"), dtype=np.str_))
    members["role"] = ("site", role)
    members["atom"] = ("site", np.where(role == "missing", -1, place))
    members["species_probability"] = ("site", np.array(every("probability"), dtype=float))
    return members, np.cumsum(sizes) - sizes


def _bonds(members: Sites, parts: list[_Part], starts: Ints) -> Any:  # noqa: ANN401 -- a Table
    pairs = [
        (int(start) + a, int(start) + b)
        for part, start in zip(parts, starts, strict=True)
        for a, b in part.pairs
    ]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    where, unit = positions(members), space_unit(members)
    length = np.linalg.norm(where[ends[:, 0]] - where[ends[:, 1]], axis=1)
    # Places come from the lattice around: how far off they are is not known atom by atom.
    return table_from_columns(
        {
            "first": ends[:, 0], "second": ends[:, 1], "length": length,
            "length_error": np.full(len(length), np.nan),
        },
        units={"length": unit, "length_error": unit},
    )  # fmt: skip


def _frame(sites: Sites, layer: Layer, layered: _Layered) -> dict[str, Any]:
    """Give what a library needs: host, scale, area that was analyzed."""
    measured = int(np.isfinite(sites["host_probability"].values).sum())
    # Two places a cell, of which each is a hexagon of 3 sqrt(3) / 4 squared bonds.
    area = measured * 0.75 * np.sqrt(3) * layered.bond**2
    unit = space_unit(sites)
    scale = {"nm": 1.0, "mm": 1e6}.get(unit)
    by_host = layer.lattice_constant / (np.sqrt(3) * layered.bond)
    return {
        "host": layer.name,
        "spacing": layered.bond,
        "area": float(area),
        "nm_per_unit": float(by_host if scale is None else scale),
        "scale_from": "host lattice" if scale is None else "file",
        **{key: sites.attrs[key] for key in ("source",) if key in sites.attrs},
    }
