"""Defects of a sheet: impurities, missing atoms and odd rings, found and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.defects.bond_graph import degrees
from adatom.defects.grouping import CORE, GONE, NEIGHBOR, Groups, group_defects
from adatom.defects.naming import Name, name_of_points, name_of_rings, orientation_of_defect
from adatom.defects.records import ROLES, Defects, check_defects
from adatom.defects.sheet_atoms import SheetAtoms, check_units, sheet_atoms
from adatom.defects.sheets import Sheet, sheet_of_name
from adatom.errors import KindError
from adatom.numerics.plane_graphs import key_of_graph
from adatom.schema import (
    IMAGE,
    MASK,
    SITES,
    Image,
    Mask,
    Sites,
    Table,
    add_note,
    pixel_size,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

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


def find_defects(
    sites: Sites,
    image: Image | None = None,
    regions: Mask | None = None,
    /,
    *,
    host: str = "graphene",
) -> Defects:
    """Find the defects of a sheet, and name them by what they are made of.

    Atoms are bonded if they are nearer than 1.25 times the length that their
    covalent radii [1]_ and the bonds of the host, measured on these sites, let
    expect. With an image, impurities twice as bright as the host and more are first
    fitted to the pixels together with the atoms around them, with bonds as springs:
    atoms that a finder missed or invented beside them come and go by what explains
    the pixels best. Where two atoms or more with two bonds each point to one place at
    which no atom was found, one is missing, or, if the pixels show it, was
    overlooked; then it is a member with ``atom`` -1. Impurities, missing atoms,
    and rings that are no hexagons are joined to defects: impurities that are
    bonded or share a bonded atom, missing atoms that are next to one another or
    to an impurity, rings that share an atom (so that a boundary between grains
    is as many defects as it has separate chains of rings).

    What only the border of the frame or of the regions makes look odd is no
    defect; impurities of which neighbors may lie beyond it are left without a
    name. More than eight atoms missing in one piece are a hole, kind "edge".

    Parameters
    ----------
    sites : Sites
        Atoms of one image with the ``species`` that `assign_species` gives,
        and ``attrs["spacing"]``.
    image : Image, optional
        To ask the pixels whether atoms are missing or were overlooked. About a fourth of a
        second an impurity.
    regions : Mask, optional
        Where atoms were sought: beyond its border nothing is known.
    host : str
        The sheet: "graphene".

    Returns
    -------
    Defects
        Names are compositions in the field's way: "Si1C3" is one Si and the
        three C bonded to it, whatever is missing beside it; "V1", "V2" are
        missing atoms; "SW(55-77)" and the like rings. The ``class_key`` is of the
        graph of members and bonds as drawn in the plane. ``confidence`` is the
        probability of the species, of bonds near the limit, of missing atoms,
        and that there is a sheet around, as if these were independent.

    Raises
    ------
    KindError
        If the sites have no species, are of several frames, or in another unit than the image.
    SettingError
        If the host is not known.
    TooFewSitesError
        If fewer than six atoms are of the host.

    References
    ----------
    .. [1] B. Cordero et al., Dalton Trans., 2832 (2008).

    Examples
    --------
    >>> from adatom.simulation import Flake, build_graphene
    >>> flake = Flake(threefold=0.01, fourfold=0.0, vacancies=0.0, divacancies=0.0)
    >>> atoms = build_graphene(flake=flake, field=(3.0, 3.0)).atoms
    >>> sorted(set(find_defects(atoms).defects["name"].values.tolist()))
    ['Si1C3']
    """
    SITES.check(sites, name="sites")
    sheet = sheet_of_name(host)
    _check(sites, image, regions)
    atoms = sheet_atoms(sites, image, regions, sheet)
    groups = group_defects(atoms, sheet)
    drafts = _drafts(atoms, groups, sheet)
    return _described(sites, regions, atoms, drafts, sheet, groups.n_defects - len(drafts))


def _check(sites: Sites, image: Image | None, regions: Mask | None) -> None:
    if image is not None:
        IMAGE.check(image, name="image")
    if regions is not None:
        MASK.check(regions, name="regions")
    if "species" not in sites:
        msg = "the sites have no species: assign_species(sites, image) tells them"
        raise KindError(msg)
    if "frame" in sites.coords and len(np.unique(sites["frame"].values)) > 1:
        msg = "the sites are of several frames: choose one, as by sites.isel(site=frame == 0)"
        raise KindError(msg)
    check_units(sites, image, regions)


class _Draft(NamedTuple):
    """One defect: its members (numbers along the atoms), their roles, and what it is."""

    node: Ints
    role: Ints
    pairs: Ints
    name: Name
    confidence: float


def _drafts(atoms: SheetAtoms, groups: Groups, sheet: Sheet) -> list[_Draft]:
    order = np.argsort(groups.defect, kind="stable")
    bounds = np.searchsorted(groups.defect[order], np.arange(groups.n_defects + 1))
    by_node = _PairsOfNodes(atoms.pairs, len(atoms.place))
    doubts = _doubts(atoms)
    orderly = _orderly(atoms, sheet)
    drafts = []
    for defect in range(groups.n_defects):
        here = order[bounds[defect] : bounds[defect + 1]]
        node, role = groups.node[here], groups.role[here]
        pairs = by_node.within(node)
        rings = groups.rings.size[groups.ring_defect == defect]
        if len(rings) and not _possible(rings):
            continue
        name = (
            name_of_rings(rings.tolist())
            if len(rings)
            else _point_name(atoms, node, role, pairs, sheet)
        )
        around = orderly(node[role != NEIGHBOR])
        if around < _LEAST_ORDER and name.kind != "edge":
            continue
        name, cut = _cut_name(atoms, node, role, name)
        sure = _confidence(atoms, node, role, pairs, doubts)
        sure *= min(1.0, around / _FULL_ORDER) * (0.5 if cut or not name.name else 1.0)
        drafts.append(_Draft(node, role, pairs, name, sure))
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


class _PairsOfNodes:
    """Pairs sorted by node, to list those within a set of nodes."""

    def __init__(self, pairs: Ints, n_nodes: int) -> None:
        both = np.concatenate([pairs[:, 0], pairs[:, 1]])
        self.order = np.argsort(both, kind="stable") % max(len(pairs), 1)
        self.bounds = np.searchsorted(np.sort(both), np.arange(n_nodes + 1))
        self.pairs = pairs

    def within(self, nodes: Ints) -> Ints:
        """Give the numbers of the pairs both of whose ends are among the nodes."""
        near = [self.order[self.bounds[k] : self.bounds[k + 1]] for k in nodes]
        number, count = np.unique(np.concatenate(near), return_counts=True)
        return np.asarray(number[count == 2], dtype=np.int64)


def _doubts(atoms: SheetAtoms) -> Floats:
    """Give the probability (atom,) that no pair beyond the limit is a bond of the atom."""
    free = np.ones(len(atoms.place))
    for end in (0, 1):
        np.multiply.at(free, atoms.doubt_pairs[:, end], 1 - atoms.doubt)
    return free


def _orderly(atoms: SheetAtoms, sheet: Sheet) -> Callable[[Ints], float]:
    """Give a function: of places, the share of the host's atoms around that have three bonds."""
    n = len(atoms.place)
    host = (atoms.species == sheet.element) & atoms.inside
    numbers = np.flatnonzero(host)
    good = degrees(atoms.pairs, n)[numbers] == _THREE
    tree = cKDTree(atoms.place[numbers]) if len(numbers) else None

    def share(node: Ints) -> float:
        if tree is None:
            return 0.0
        near = np.unique(np.concatenate(tree.query_ball_point(atoms.place[node], _AROUND)))
        return float(good[near.astype(int)].mean()) if len(near) >= _THREE else 0.0

    return share


def _point_name(atoms: SheetAtoms, node: Ints, role: Ints, pairs: Ints, sheet: Sheet) -> Name:
    core = node[role == CORE]
    both = atoms.pairs[pairs]
    to_core = np.isin(both, core)
    bonded = np.unique(both[to_core.any(axis=1)])
    bonded = bonded[np.isin(bonded, node[role == NEIGHBOR])]
    around = degrees(atoms.pairs, len(atoms.place))[bonded]
    to_foreign = np.array([int((both[to_core.any(axis=1)] == k).any(axis=1).sum()) for k in bonded])
    whole = bool(len(bonded)) and bool((around - to_foreign >= _THREE).mean() > 0.5)
    return name_of_points(
        [str(name) for name in atoms.species[core]],
        sheet.element,
        len(bonded),
        int((role == GONE).sum()),
        whole,
    )


def _cut_name(atoms: SheetAtoms, node: Ints, role: Ints, name: Name) -> tuple[Name, bool]:
    """Take the name away where neighbors may lie beyond the border."""
    core = node[role == CORE]
    outside = ~atoms.inside[core]
    if not outside.any() or name.kind == "ring":
        return name, bool(outside.any())
    bonds = degrees(atoms.pairs, len(atoms.place))[core]
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


def _described(
    sites: Sites,
    regions: Mask | None,
    atoms: SheetAtoms,
    drafts: list[_Draft],
    sheet: Sheet,
    n_left_out: int,
) -> Defects:
    unit, bond = space_unit(sites), atoms.bond
    attrs = _attributes(sites, regions, bond, sheet)
    defects = _defect_sites(drafts, atoms, unit, attrs, sites.attrs.get("extent"))
    node = np.concatenate([draft.node for draft in drafts]) if drafts else _none()
    role = np.concatenate([draft.role for draft in drafts]) if drafts else _none()
    sizes = np.array([len(draft.node) for draft in drafts], dtype=np.int64)
    members = sites_from_positions(
        *(atoms.place[node] * bond).T, unit=unit, spacing=bond, extent=sites.attrs.get("extent")
    )
    members["defect"] = ("site", np.repeat(np.arange(len(drafts)), sizes))
    members["species"] = ("site", atoms.species[node].astype("<U2"))
    members["role"] = ("site", np.array(ROLES)[role])
    members["atom"] = ("site", atoms.atom[node])
    members["species_probability"] = ("site", atoms.chance[node])
    for name in ("y_error", "x_error"):
        members[name] = ("site", atoms.error[node] * bond, {"units": unit})
    bonds = _bond_table(drafts, atoms, sizes, unit)
    _tell(defects, atoms, n_left_out)
    check_defects(defects, members, bonds)
    return Defects(defects, members, bonds)


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)


def _attributes(
    sites: Sites, regions: Mask | None, bond: float, sheet: Sheet
) -> dict[str, float | str]:
    unit = space_unit(sites)
    scale = {"nm": 1.0, "mm": 1e6}.get(unit, sheet.bond / bond)
    attrs: dict[str, float | str] = {
        "host": sheet.name,
        "nm_per_unit": scale,
        "scale_from": "host lattice" if unit == "px" else "file",
        "spacing": bond,
    }
    frame = sites.attrs.get("extent")
    if regions is not None:
        attrs["area"] = float(regions.values.sum() * np.prod(pixel_size(regions)))
    elif frame is not None:
        attrs["area"] = float((frame[1] - frame[0]) * (frame[3] - frame[2]))
    return attrs


def _defect_sites(
    drafts: list[_Draft],
    atoms: SheetAtoms,
    unit: str,
    attrs: dict[str, float | str],
    frame: list[float] | None,
) -> Sites:
    rows = [_row(draft, atoms) for draft in drafts]
    middle = np.array([row["middle"] for row in rows], dtype=float).reshape(-1, 2) * atoms.bond
    defects = sites_from_positions(*middle.T, unit=unit, extent=frame)
    for name in ("name", "kind", "class_key"):
        # As long as the longest: a chain of rings, as along a boundary, has a long name.
        defects[name] = ("site", np.array([row[name] for row in rows], dtype=np.str_))
    for name in ("chirality", "n_core", "n_neighbors", "n_missing"):
        defects[name] = ("site", np.array([row[name] for row in rows], dtype=np.int64))
    for name, its_unit in (("orientation", "deg"), ("extent", unit), ("confidence", "1")):
        numbers = np.array([row[name] for row in rows], dtype=float)
        defects[name] = ("site", numbers * (atoms.bond if name == "extent" else 1.0))
        defects[name].attrs["units"] = its_unit
    defects.attrs.update(attrs)
    return defects


def _row(draft: _Draft, atoms: SheetAtoms) -> dict[str, Any]:
    place = atoms.place[draft.node]
    inner = place[draft.role != NEIGHBOR]
    number = {int(node): k for k, node in enumerate(draft.node)}
    edges = np.array(
        [[number[int(a)], number[int(b)]] for a, b in atoms.pairs[draft.pairs]], dtype=np.int64
    ).reshape(-1, 2)
    key = key_of_graph(place, [str(name) for name in atoms.species[draft.node]], edges)
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    return {
        "middle": inner.mean(axis=0),
        "name": draft.name.name,
        "kind": draft.name.kind,
        "class_key": key.key,
        "chirality": key.chirality,
        "orientation": orientation_of_defect(inner, place[draft.role == NEIGHBOR]),
        "extent": float(apart.max()),
        "confidence": draft.confidence,
        "n_core": int((draft.role == CORE).sum()),
        "n_neighbors": int((draft.role == NEIGHBOR).sum()),
        "n_missing": int((draft.role == GONE).sum()),
    }


def _bond_table(drafts: list[_Draft], atoms: SheetAtoms, sizes: Ints, unit: str) -> Table:
    first, second = [_none()], [_none()]
    start = np.cumsum(sizes) - sizes
    for draft, offset in zip(drafts, start, strict=True):
        order = np.argsort(draft.node)
        ends = atoms.pairs[draft.pairs]
        at = order[np.searchsorted(draft.node[order], ends)] + offset
        first.append(at[:, 0])
        second.append(at[:, 1])
    node = np.concatenate([_none(), *(draft.node for draft in drafts)])
    one, two = node[np.concatenate(first)], node[np.concatenate(second)]
    length = np.linalg.norm(atoms.place[one] - atoms.place[two], axis=1)
    error = np.hypot(atoms.error[one], atoms.error[two])
    return table_from_columns(
        {
            "first": np.concatenate(first),
            "second": np.concatenate(second),
            "length": length * atoms.bond,
            "length_error": error * atoms.bond,
        },
        units={"length": unit, "length_error": unit},
    )


def _tell(defects: Sites, atoms: SheetAtoms, n_left_out: int) -> None:
    names, counts = np.unique(
        [name or f"unnamed {kind}" for name, kind in
         zip(defects["name"].values, defects["kind"].values, strict=True)],
        return_counts=True,
    )  # fmt: skip
    listed = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    inferred = int(((atoms.atom < 0) & ~atoms.missing).sum())
    add_note(
        defects,
        f"{defects.sizes['site']} defects: {listed or 'none'}; bonds of the host "
        f"{atoms.bond:.4g} {space_unit(defects)}; {inferred} atoms overlooked by the finder were "
        f"added, {atoms.n_no_atom} sites without an atom left out; {n_left_out} departures left "
        "out that have no ordered sheet around them, or are rings that no sheet has.",
    )
