"""Cells doubled by classes that alternate, and the antiphase boundaries between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.crystallography.aligned import crystals_of
from adatom.crystallography.domain_votes import settled_domains
from adatom.crystallography.orbits import purity
from adatom.errors import KindError, SettingError
from adatom.numerics.cell_windows import CellGrid, grid_of_cells
from adatom.schema import (
    CLASSES,
    SITES,
    Classes,
    Sites,
    Table,
    add_note,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of pairs one cell apart, as many change to the same other class; boundaries take the rest.
_MOST: Final = 0.75
_N_DRAWS: Final = 99
_BLOCK: Final = 8
# Of each class.
_N_SITES: Final = 20_000
_STEPS: Final = {"i": (1, 0), "j": (0, 1)}


class Doubling(NamedTuple):
    """Superlattices among variants.

    Attributes
    ----------
    antiphase : Classes
        For every site of a doubled cell which of its classes stands at the
        origin of the lattice indices, from 0 by falling number of sites: the
        map of antiphase domains. -1 where no cell is doubled.
    statement : Table
        A row a set of classes that a translation exchanges, or a class alone.
    boundaries : Sites
        Antiphase boundaries: the middle between two neighboring cells of
        different antiphase domains, with the numbers of both sites.
    """

    antiphase: Classes
    statement: Table
    boundaries: Sites


def find_doubling(
    sites: Sites, variants: Classes, /, *, level: float = 0.05, seed: int = 0
) -> Doubling:
    """Find cells that are doubled, and antiphase boundaries, by translation replicas.

    Classes are compared with themselves one and two cells on along i and j. A
    cell is doubled along i where one cell on stands, nearly always, one and
    the same other class, and two cells on the same class again. Such classes
    are cells of a superlattice, not ferroic variants. The pairs that break the
    rule are antiphase boundaries, which single misjudged cells, outvoted by
    the eight around, are not.

    Parameters
    ----------
    sites : Sites
        With lattice indices of `crystallography.assign_lattice_indices`.
    variants : Classes
        Of the same sites, as of `find_variants`.
    level : float
        Alternations that labels drawn anew within blocks of 8 x 8 cells show
        as often as this are none.
    seed : int
        Of these draws.

    Returns
    -------
    Doubling
        ``statement`` has ``classes``, ``doubled`` ("no", "i", "j",
        "checkerboard", "i and j"), the shares ``exchanged_i``,
        ``exchanged_j`` (another class one cell on), ``kept_2i``, ``kept_2j``
        (the same class two cells on), ``p_value`` and ``n_boundaries``.

    Raises
    ------
    KindError
        If the sites have no lattice indices, or are not those of `variants`.
    SettingError
        If `level` is not between 0 and 1.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> import xarray as xr
    >>> i, j = np.indices((12, 12)).reshape(2, -1)
    >>> sites = sites_from_positions(i, j, unit="nm")
    >>> sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    >>> sites["sublattice"] = sites["grain"] = ("site", np.zeros(144, int))
    >>> classes = xr.Dataset({"label": ("site", (i + (i > 5)) % 2)})
    >>> found = find_doubling(sites, classes)
    >>> str(found.statement["doubled"].values[0]), found.boundaries.sizes["site"]
    ('i', 12)
    """
    SITES.check(sites, name="sites")
    CLASSES.check(variants, name="variants")
    _check(sites, variants, level)
    index = sites["lattice_index"].transpose("site", "direction").values.astype(np.int64)
    group = crystals_of(sites)[1]
    grid = grid_of_cells(index, group)
    label = np.where(group >= 0, variants["label"].values.astype(np.int64), -1)
    n = int(label.max(initial=-1)) + 1
    shares = {step: _translated(grid, label, n, step) for step in ((1, 0), (0, 1), (2, 0), (0, 2))}
    targets = {along: _targets(shares, along) for along in _STEPS}
    chance = {
        along: _chance(grid, label, group, n, targets[along], step, seed)
        for along, step in _STEPS.items()
    }
    for along, target in targets.items():
        # As often by chance: not a doubling.
        unsure = ~(chance[along] <= level)
        target[unsure] = np.flatnonzero(unsure)
    origin = _class_at_origin(label, index, targets)
    return _described(sites, variants, grid, origin, targets, shares, chance, label)


def _check(sites: Sites, variants: Classes, level: float) -> None:
    lacking = [n for n in ("lattice_index", "sublattice", "grain") if n not in sites]
    if lacking:
        msg = f"sites lack {', '.join(lacking)}: run crystallography.assign_lattice_indices"
        raise KindError(msg)
    if variants["label"].dims != ("site",) or variants.sizes["site"] != sites.sizes["site"]:
        found = dict(variants["label"].sizes)
        msg = f"variants have {found}, need a label for each of {sites.sizes['site']} sites"
        raise KindError(msg)
    if not 0 < level < 1:
        msg = f"{level=} must be between 0 and 1, such as 0.05"
        raise SettingError(msg)


def _translated(
    grid: CellGrid, label: NDArray[np.int64], n: int, step: tuple[int, int]
) -> NDArray[np.float64]:
    """Give T (class, class): the share of cells of one class with the other a step on."""
    to = grid.partners(step)
    pairs = np.flatnonzero((to >= 0) & (label >= 0))
    pairs = pairs[label[to[pairs]] >= 0]
    return np.nan_to_num(purity(label[pairs], label[to[pairs]], n))


def _targets(shares: dict[tuple[int, int], NDArray[np.float64]], along: str) -> NDArray[np.int64]:
    """Give the class that stands one cell on, the same where it does not alternate."""
    step = _STEPS[along]
    one, two = shares[step], shares[2 * step[0], 2 * step[1]]
    target = np.arange(len(one))
    for k in range(len(one)):
        other = int(one[k].argmax())
        alternates = one[k, other] >= _MOST and two[k, k] >= _MOST
        if other != k and alternates and int(one[other].argmax()) == k:
            target[k] = other
    # An exchange has two sides.
    alone = target[target] != np.arange(len(target))
    target[alone] = np.flatnonzero(alone)
    return target


def _chance(
    grid: CellGrid,
    label: NDArray[np.int64],
    group: NDArray[np.int64],
    n: int,
    target: NDArray[np.int64],
    step: tuple[int, int],
    seed: int,
) -> NDArray[np.float64]:
    """Give for each class how often labels drawn anew within blocks alternate as much."""
    block = np.floor_divide(grid.index, _BLOCK)
    block = block - block.min(axis=0)
    key = (group * (block[:, 0].max() + 1) + block[:, 0]) * (block[:, 1].max() + 1) + block[:, 1]
    p_value = np.ones(n)
    moving = np.flatnonzero(target != np.arange(n))
    rank = np.unique(key, return_inverse=True)[1]
    chosen = np.zeros(int(rank.max(initial=-1)) + 1, dtype=bool)
    for k in moving:
        # A million sites show it in any of their thousands of blocks.
        blocks = np.unique(rank[label == k])
        chosen[blocks[:: -(-int((label == k).sum()) // _N_SITES)]] = True
    taken = (label >= 0) & chosen[rank]
    held = np.flatnonzero(taken)
    to = grid.partners(step)
    pairs = np.flatnonzero((to >= 0) & taken)
    pairs = pairs[taken[to[pairs]]]
    if not len(moving) or not len(pairs):
        return p_value

    def alternating(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        first, second = drawn[pairs], drawn[to[pairs]]
        hits = np.bincount(first[second == target[first]], minlength=n)
        counts: NDArray[np.float64] = hits / np.maximum(np.bincount(first, minlength=n), 1)
        return counts

    rng = np.random.default_rng(seed)
    by_block = held[np.argsort(key[held], kind="stable")]
    found, reached = alternating(label), np.zeros(n)
    for _ in range(_N_DRAWS):
        shuffled = held[np.lexsort((rng.random(len(held)), key[held]))]
        drawn = label.copy()
        drawn[by_block] = label[shuffled]
        reached += alternating(drawn) >= found
    p_value[moving] = (1 + reached[moving]) / (1 + _N_DRAWS)
    return p_value


def _class_at_origin(
    label: NDArray[np.int64], index: NDArray[np.int64], targets: dict[str, NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Move every site's class to the cell 0, 0 of its domain; -1: not doubled."""
    every = np.arange(len(targets["i"]))
    doubled = np.any([targets[along] != every for along in _STEPS], axis=0)
    origin = np.full(len(label), -1)
    held = np.flatnonzero(label >= 0)
    origin[held] = _moved(label[held, None], index[held], targets, "ij")[:, 0]
    origin[held[~doubled[label[held]]]] = -1
    return origin


def _moved(
    classes: NDArray[np.int64],
    index: NDArray[np.int64],
    targets: dict[str, NDArray[np.int64]],
    order: str,
) -> NDArray[np.int64]:
    """Move classes (site, class) of cells to the cell 0, 0, by exchanges in an order."""
    moved = classes.copy()
    for along in order:
        odd = index[:, list(_STEPS).index(along)] % 2 == 1
        moved[odd] = targets[along][moved[odd]]
    return moved


def _settled(
    grid: CellGrid,
    origin: NDArray[np.int64],
    variants: Classes,
    targets: dict[str, NDArray[np.int64]],
    sets: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give every site the likeliest class at the origin, among those of its set."""
    names = [name for name in ("probability_of_cell", "probability") if name in variants]
    if not names or variants[names[0]].sizes["class"] < len(sets):
        return settled_domains(grid, origin, sets)
    given = variants[names[0]].transpose("site", "class").values
    # Which class stands at a site if each stands at the origin: an exchange is its own inverse.
    here = _moved(np.tile(np.arange(len(sets)), (len(origin), 1)), grid.index, targets, "ji")
    return settled_domains(grid, origin, sets, np.take_along_axis(given, here, axis=1))


def _described(
    sites: Sites,
    variants: Classes,
    grid: CellGrid,
    origin: NDArray[np.int64],
    targets: dict[str, NDArray[np.int64]],
    shares: dict[tuple[int, int], NDArray[np.float64]],
    chance: dict[str, NDArray[np.float64]],
    label: NDArray[np.int64],
) -> Doubling:
    sets = _sets(targets)
    voted = _settled(grid, origin, variants, targets, sets)
    antiphase = np.full(len(voted), -1, dtype=np.int64)
    for number in np.unique(sets):
        members = np.flatnonzero(sets == number)
        counts = np.bincount(voted[voted >= 0], minlength=len(sets))[members]
        for rank, k in enumerate(members[np.argsort(-counts, kind="stable")]):
            antiphase[voted == k] = rank
    set_of_site = np.where(label >= 0, sets[np.maximum(label, 0)], -1) if len(sets) else label
    boundaries, of_set = _boundaries(sites, grid, antiphase, set_of_site)
    table = _table(sets, targets, shares, chance, label, of_set)
    names = [name for name in ("y", "x", "frame") if name in sites.coords]
    classes = xr.Dataset(
        {"label": ("site", antiphase.astype(np.int32))},
        coords={name: sites.coords[name] for name in names},
        attrs={k: v for k, v in sites.attrs.items() if k in ("spacing", "extent")},
    )
    changed = int((voted != origin).sum())
    add_note(classes, f"{changed} single cells outvoted by the eight around")
    return Doubling(classes, table, boundaries)


def _sets(targets: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    root = np.arange(len(targets["i"]))
    for _ in range(2):
        for target in targets.values():
            root = np.minimum(root, root[target])
    return np.asarray(np.unique(root, return_inverse=True)[1], dtype=np.int64)


def _boundaries(
    sites: Sites,
    grid: CellGrid,
    antiphase: NDArray[np.int64],
    set_of_site: NDArray[np.int64],
) -> tuple[Sites, NDArray[np.int64]]:
    ends = []
    for step in _STEPS.values():
        to = grid.partners(step)
        first = np.flatnonzero((to >= 0) & (antiphase >= 0))
        second = to[first]
        apart = (antiphase[second] >= 0) & (antiphase[second] != antiphase[first])
        apart &= set_of_site[second] == set_of_site[first]
        ends.append(np.stack([first[apart], second[apart]], axis=1))
    pairs = np.concatenate(ends)
    place = positions(sites)
    middle = place[pairs].mean(axis=1)
    frame = sites.coords["frame"].values[pairs[:, 0]] if "frame" in sites.coords else None
    made = sites_from_positions(
        middle[:, 0], middle[:, 1], unit=space_unit(sites), frame=frame,
        spacing=sites.attrs.get("spacing"), extent=sites.attrs.get("extent"),
    )  # fmt: skip
    made["between"] = (("site", "end"), pairs)
    made["antiphase"] = (("site", "end"), antiphase[pairs])
    return made, set_of_site[pairs[:, 0]]


def _table(
    sets: NDArray[np.int64],
    targets: dict[str, NDArray[np.int64]],
    shares: dict[tuple[int, int], NDArray[np.float64]],
    chance: dict[str, NDArray[np.float64]],
    label: NDArray[np.int64],
    of_set: NDArray[np.int64],
) -> Table:
    counts = np.bincount(label[label >= 0], minlength=len(sets)).astype(float)
    rows: list[dict[str, str | float | int]] = []
    for number in np.unique(sets):
        members = np.flatnonzero(sets == number)
        weight = counts[members] / max(counts[members].sum(), 1.0)
        moved = {along: bool((targets[along][members] != members).any()) for along in _STEPS}
        rows.append(
            {
                "classes": " ".join(map(str, members)),
                "doubled": _named(moved, len(members)),
                "exchanged_i": float(weight @ _off(shares[1, 0], members)),
                "exchanged_j": float(weight @ _off(shares[0, 1], members)),
                "kept_2i": float(weight @ np.diagonal(shares[2, 0])[members]),
                "kept_2j": float(weight @ np.diagonal(shares[0, 2])[members]),
                "p_value": float(min(chance[along][members].min() for along in _STEPS)),
                "n_boundaries": int((of_set == number).sum()),
            }
        )
    names = (
        "classes", "doubled", "exchanged_i", "exchanged_j", "kept_2i", "kept_2j", "p_value",
        "n_boundaries",
    )  # fmt: skip
    table = table_from_columns({name: np.array([row[name] for row in rows]) for name in names})
    told = [
        f"classes {row['classes']}: cell doubled, {row['doubled']} (p = {row['p_value']:.2g}), "
        f"{row['n_boundaries']} pairs of cells across antiphase boundaries"
        for row in rows
        if row["doubled"] != "no"
    ]
    table.attrs["statement"] = "; ".join(told) or "no cell is doubled"
    return table


def _off(share: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class that is followed by another of its set."""
    within = share[np.ix_(members, members)].copy()
    np.fill_diagonal(within, 0.0)
    total: NDArray[np.float64] = within.sum(axis=1)
    return total


def _named(moved: dict[str, bool], n_members: int) -> str:
    if moved["i"] and moved["j"]:
        return "checkerboard" if n_members == len(_STEPS) else "i and j"
    return "i" if moved["i"] else "j" if moved["j"] else "no"
