"""Defects of a sheet: impurities, missing atoms and odd rings, with their names and atoms."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.grouping import CORE, GONE, NEIGHBOR, Groups, group_defects
from adatom.defects.records import MISSING, Defects
from adatom.defects.sheet_atoms import SheetAtoms, check_units, sheet_atoms
from adatom.defects.sheets import Sheet, sheet_of_name
from adatom.defects.species import UNKNOWN
from adatom.errors import KindError
from adatom.numerics.plane_graphs import key_of_graph
from adatom.schema import (
    IMAGE,
    MASK,
    SITES,
    Image,
    Mask,
    Sites,
    add_note,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.schema import Table

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_ROLES: Final = {CORE: "core", NEIGHBOR: "neighbor", GONE: "missing"}
_HEXAGON: Final = 6
# A defect whose atoms reach the border, or what is not known, may have more of them there.
_CUT: Final = 0.5
# The scale of a file that differs by more from the host's bond is told to be doubtful.
_SCALE_OFF: Final = 0.08


def find_defects(
    sites: Sites,
    image: Image | None = None,
    regions: Mask | None = None,
    /,
    *,
    host: str = "graphene",
) -> Defects:
    """Find the defects of a sheet and name them.

    Atoms are bonded up to 1.25 times the length that their elements let
    expect (Si-C is longer than C-C), the length of the host's bonds being that
    of the image. An atom with two bonds points to where a third should be:
    places to which two or more point are missing atoms, unless the image shows
    that the finder overlooked one. Impurities that are bonded, or share a
    bonded atom, are one defect; so are missing atoms next to one another or
    to an impurity, and rings other than hexagons that share an atom.

    Names are compositions, of the impurities and the host's atoms bonded to them: "Si1C3",
    "Si2C6" [1]_; "V1", "V2" for missing atoms, "Si1C3+V1" for both; "SW" for two
    fives and two sevens (Stone and Wales), "5-8-5" for other rings. A defect
    with an atom of no known element has no name.

    Parameters
    ----------
    sites : Sites
        Atoms with ``species``, from `assign_species`.
    image : Image, optional
        Where they were found: it tells a missing atom from one that was overlooked.
    regions : Mask, optional
        Where there is a lattice. Beyond it, and beyond the frame, nothing is known: an
        atom there lacks no neighbor.
    host : str
        The sheet: "graphene".

    Returns
    -------
    Defects

    Raises
    ------
    KindError
        If the sites have no species, or image or regions are in another unit.
    TooFewSitesError
        If there are too few atoms of the host to tell its bonds.
    SettingError
        If the host is not known.

    References
    ----------
    .. [1] M. Ziatdinov et al., Sci. Adv. 5, eaaw8989 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.defects import assign_species
    >>> from adatom.simulation import Flake, build_graphene
    >>> flake = Flake(threefold=0.02, fourfold=0.0, vacancies=0.0, divacancies=0.0)
    >>> atoms = build_graphene(flake=flake, field=(3.0, 3.0), seed=2).atoms
    >>> atoms["amplitude"] = ("site", np.where(atoms["species"] == "Si", 4.1, 1.0))
    >>> found = find_defects(assign_species(atoms))
    >>> sorted(set(found.defects["name"].values.tolist()))
    ['Si1C3']
    """
    SITES.check(sites)
    if image is not None:
        IMAGE.check(image, name="image")
    if regions is not None:
        MASK.check(regions, name="regions")
    if "species" not in sites:
        msg = "the sites have no species: take those of assign_species"
        raise KindError(msg)
    check_units(sites, image, regions)
    sheet = sheet_of_name(host)
    atoms = sheet_atoms(sites, image, regions, sheet)
    groups = group_defects(atoms, sheet)
    order = np.argsort(groups.defect, kind="stable")
    bounds = np.searchsorted(groups.defect[order], np.arange(groups.n_defects + 1))
    parts = [
        _part(atoms, groups, order[bounds[k] : bounds[k + 1]], k, sheet)
        for k in range(groups.n_defects)
    ]
    kept = [part for part in parts if part is not None]
    return _defects(sites, image, regions, atoms, sheet, kept)


class _Part(NamedTuple):
    told: dict[str, Any]
    nodes: Ints
    role: Ints
    pairs: Ints
    """Bonds, by numbers among the nodes."""


def _part(atoms: SheetAtoms, groups: Groups, rows: Ints, number: int, sheet: Sheet) -> _Part | None:
    """Describe a defect; nothing for rings that one atom in the wrong place explains."""
    # Core and missing first, in the order of the atoms: a node is in one role only.
    rows = rows[np.lexsort((groups.node[rows], groups.role[rows] == NEIGHBOR))]
    nodes, role = groups.node[rows], groups.role[rows]
    sizes = np.sort(groups.rings.size[groups.ring_defect == number])
    if len(sizes) and not _balanced(sizes):
        return None
    center = nodes[role != NEIGHBOR]
    pairs = _pairs_among(atoms, nodes)
    key = key_of_graph(atoms.place[nodes], atoms.species[nodes].tolist(), pairs)
    told = {
        "place": atoms.place[center].mean(axis=0) * atoms.bond,
        "name": _ring_name(sizes) if len(sizes) else _name(atoms, nodes, role, sheet),
        "kind": "ring" if len(sizes) else _kind(atoms, nodes, role),
        "class_key": key.key,
        "chirality": key.chirality,
        "orientation": _orientation(atoms.place[nodes], role, pairs),
        "extent": _extent(atoms.place[nodes]) * atoms.bond,
        "confidence": _confidence(atoms, nodes, role),
    }
    return _Part(told, nodes, role, pairs)


def _balanced(sizes: Ints) -> bool:
    """Tell whether rings make up for one another, as those of a defect within a sheet do.

    The sum of what they are larger than hexagons is zero around any defect that leaves the
    sheet whole (Euler); a lone five or seven is a bond too many or too few.
    """
    return len(sizes) > 1 and int((sizes - _HEXAGON).sum()) == 0


def _pairs_among(atoms: SheetAtoms, nodes: Ints) -> Ints:
    number = np.full(len(atoms.place), -1, dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    pairs = number[atoms.pairs]
    pairs = np.sort(pairs[(pairs >= 0).all(axis=1)], axis=1)
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def _name(atoms: SheetAtoms, nodes: Ints, role: Ints, sheet: Sheet) -> str:
    """Write the composition: impurities by their symbols, then the host's atoms around them."""
    foreign = Counter(str(name) for name in atoms.species[nodes[role == CORE]])
    if UNKNOWN in foreign:
        return ""
    n_missing = int((role == GONE).sum())
    if not foreign:
        return f"V{n_missing}"
    center = nodes[role == CORE]
    bonded = atoms.pairs[np.isin(atoms.pairs, center).any(axis=1)]
    around = np.setdiff1d(np.unique(bonded), center)
    n_host = int((atoms.species[around] == sheet.element).sum())
    first = "".join(f"{name}{n}" for name, n in sorted(foreign.items()))
    whole = f"{first}{sheet.element}{n_host}"
    return f"{whole}+V{n_missing}" if n_missing else whole


def _ring_name(sizes: Ints) -> str:
    if sizes.tolist() == [5, 5, 7, 7]:
        return "SW"
    few, many = sizes[sizes < _HEXAGON].tolist(), sizes[sizes > _HEXAGON].tolist()
    if len(many) == 1 and len(few) == 2:
        return f"{few[0]}-{many[0]}-{few[1]}"
    return "-".join(map(str, sizes.tolist()))


def _kind(atoms: SheetAtoms, nodes: Ints, role: Ints) -> str:
    n_core, n_missing = int((role == CORE).sum()), int((role == GONE).sum())
    if not n_core:
        return "vacancy"
    if n_missing:
        return "complex"
    return "cluster" if n_core > 1 else "substitution"


def _orientation(place: Floats, role: Ints, pairs: Ints) -> float:
    """Give the long axis (0 to 180 deg), or of one atom with n bonds alike their direction."""
    center = np.flatnonzero(role != NEIGHBOR)
    if len(center) > 1:
        away = place[center] - place[center].mean(axis=0)
        axis = np.linalg.svd(away, full_matrices=False)[2][0]
        return float(np.degrees(np.arctan2(axis[0], axis[1])) % 180)
    bonded = pairs[(pairs == center[0]).any(axis=1)].sum(axis=1) - center[0]
    if not len(bonded):
        return float("nan")
    steps = place[bonded] - place[center[0]]
    turns = np.exp(1j * len(bonded) * np.arctan2(steps[:, 0], steps[:, 1])).mean()
    return float(np.degrees(np.angle(turns)) / len(bonded) % (360 / len(bonded)))


def _extent(place: Floats) -> float:
    return float(np.linalg.norm(place[:, None] - place[None], axis=2).max())


def _confidence(atoms: SheetAtoms, nodes: Ints, role: Ints) -> float:
    """Give the probability that elements and bonds are as told, taken as independent."""
    center = nodes[role != NEIGHBOR]
    bonds = np.isin(atoms.pairs, center).any(axis=1)
    doubtful = np.isin(atoms.doubt_pairs, center).any(axis=1)
    value = float(np.prod(np.clip(atoms.chance[center], 0, 1)))
    value *= float(np.prod(np.maximum(atoms.sureness[bonds], 0.5)))
    value *= float(np.prod(1 - atoms.doubt[doubtful]))
    return value if atoms.inside[center].all() else _CUT * value


def _defects(
    sites: Sites,
    image: Image | None,
    regions: Mask | None,
    atoms: SheetAtoms,
    sheet: Sheet,
    parts: list[_Part],
) -> Defects:
    unit = space_unit(sites)
    center = np.array([part.told["place"] for part in parts]).reshape(-1, 2)
    defects = sites_from_positions(center[:, 0], center[:, 1], unit=unit, spacing=atoms.bond)
    for name, dtype, units in (
        ("name", np.str_, None), ("kind", np.str_, None), ("class_key", np.str_, None),
        ("chirality", np.int64, None), ("orientation", np.float64, "deg"),
        ("extent", np.float64, unit), ("confidence", np.float64, "1"),
    ):  # fmt: skip
        values = np.array([part.told[name] for part in parts], dtype=dtype)
        defects[name] = ("site", values, {} if units is None else {"units": units})
    for name, role in (("n_core", CORE), ("n_neighbors", NEIGHBOR), ("n_missing", GONE)):
        counts = [int((part.role == role).sum()) for part in parts]
        defects[name] = ("site", np.array(counts, dtype=np.int64))
    defects.attrs |= _frame(sites, image, regions, atoms, sheet)
    _tell(defects, atoms, sheet)
    members = _members(unit, atoms, parts)
    return Defects(defects, members, _bonds(unit, atoms, parts))


def _frame(
    sites: Sites, image: Image | None, regions: Mask | None, atoms: SheetAtoms, sheet: Sheet
) -> dict[str, Any]:
    unit = space_unit(sites)
    by_file = {"nm": 1.0, "mm": 1e6}.get(unit)
    frame: dict[str, Any] = {
        "host": sheet.name,
        "nm_per_unit": sheet.bond / atoms.bond if by_file is None else by_file,
        "scale_from": "host lattice" if by_file is None else "file",
        "area": _area(sites, regions, image),
    }
    source = sites.attrs.get("source", "" if image is None else image.attrs.get("source", ""))
    return {**frame, "source": source} if source else frame


def _area(sites: Sites, regions: Mask | None, image: Image | None) -> float:
    """Give the area in which defects were sought."""
    if regions is not None:
        step = [float(abs(np.diff(regions[dim].values[:2])[0])) for dim in ("y", "x")]
        return float(np.asarray(regions.values).sum()) * step[0] * step[1]
    if "extent" in sites.attrs:
        low_y, high_y, low_x, high_x = sites.attrs["extent"]
        return float((high_y - low_y) * (high_x - low_x))
    source = positions(sites) if image is None else np.stack([
        [float(image[dim].values[0]) for dim in ("y", "x")],
        [float(image[dim].values[-1]) for dim in ("y", "x")],
    ])  # fmt: skip
    return float(np.ptp(source, axis=0).prod())


def _tell(defects: Sites, atoms: SheetAtoms, sheet: Sheet) -> None:
    counts = Counter(defects["name"].values.tolist())
    named = ", ".join(f"{n} {name or 'without a name'}" for name, n in counts.most_common())
    add_note(defects, f"{defects.sizes['site']} defects: {named or 'none'}")
    if atoms.n_no_atom:
        add_note(defects, f"{atoms.n_no_atom} sites are too dim to be atoms, and were left out")
    if defects.attrs["scale_from"] == "file":
        seen = atoms.bond * defects.attrs["nm_per_unit"]
        if abs(seen / sheet.bond - 1) > _SCALE_OFF:
            add_note(
                defects,
                f"bonds of {sheet.name} are {seen:.4g} nm long by the scale of the file, "
                f"{sheet.bond} nm in truth: lengths are as the file says",
            )


def _members(unit: str, atoms: SheetAtoms, parts: list[_Part]) -> Sites:
    nodes = np.concatenate([np.zeros(0, dtype=np.int64), *(part.nodes for part in parts)])
    role = np.concatenate([np.zeros(0, dtype=np.int64), *(part.role for part in parts)])
    place = atoms.place[nodes] * atoms.bond
    members = sites_from_positions(place[:, 0], place[:, 1], unit=unit, spacing=atoms.bond)
    sizes = [len(part.nodes) for part in parts]
    members["defect"] = ("site", np.repeat(np.arange(len(parts)), sizes).astype(np.int64))
    members["species"] = ("site", np.where(role == GONE, MISSING, atoms.species[nodes]))
    members["role"] = ("site", np.array([_ROLES[int(one)] for one in role], dtype=np.str_))
    members["atom"] = ("site", atoms.atom[nodes])
    members["species_probability"] = ("site", atoms.chance[nodes])
    for name in ("y_error", "x_error"):
        members[name] = ("site", atoms.error[nodes] * atoms.bond, {"units": unit})
    return members


def _bonds(unit: str, atoms: SheetAtoms, parts: list[_Part]) -> Table:
    """List bonds between atoms that are there."""
    starts = np.cumsum([0, *(len(part.nodes) for part in parts)])
    rows = [
        np.stack([part.nodes[pairs].T, pairs.T + start]).reshape(4, -1)
        for part, start in zip(parts, starts)
        for pairs in [part.pairs[(part.role[part.pairs] != GONE).all(axis=1)].reshape(-1, 2)]
    ]
    one, other, first, second = np.concatenate([np.zeros((4, 0), dtype=np.int64), *rows], axis=1)
    length = np.linalg.norm(atoms.place[one] - atoms.place[other], axis=1) * atoms.bond
    error = np.hypot(atoms.error[one], atoms.error[other]) * atoms.bond
    return table_from_columns(
        {"first": first, "second": second, "length": length, "length_error": error},
        units={"length": unit, "length_error": unit},
    )
