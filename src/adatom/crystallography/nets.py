"""Periodic nets: how the slots of reference stars join the sites of a crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from adatom.numerics.stars import capture_radii, squared_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A slot leads to the star that most of its neighbors have; walls and edges take fewer than half.
_MOST: Final = 0.5
# Loops of slots close to a lattice vector within this share of the shortest slot: stars are means
# over a region that may be strained, and 0.15 spacings of displacement are averaged over domains.
_CLOSED: Final = 0.2
# Vectors whose lengths differ by less than this are equally short.
_ALIKE: Final = 1.05
# Straight up and down may be noise on either side of it.
_RIGHTWARDS: Final = 90.5


class Net(NamedTuple):
    """Stars joined to crystals.

    Attributes
    ----------
    family : ndarray of int, shape (star,)
        Crystal (orientation) to which the star belongs, -1: none, by number of sites.
    sublattice : ndarray of int, shape (star,)
        Of the star within its family.
    target : ndarray of int, shape (star, slot)
        Star of the site to which a slot leads, -1: not told.
    back : ndarray of int, shape (star, slot)
        Slot of that site that leads back.
    step : ndarray of int, shape (star, slot, 2)
        Cells by which a slot leads on.
    offset : ndarray, shape (star, 2)
        Place of the sublattice in the cell.
    vectors : ndarray, shape (family, 2, 2)
        Lattice vectors (direction, axis) of every family.
    """

    family: NDArray[np.int64]
    sublattice: NDArray[np.int64]
    target: NDArray[np.int64]
    back: NDArray[np.int64]
    step: NDArray[np.int64]
    offset: NDArray[np.float64]
    vectors: NDArray[np.float64]


def join_stars(
    stars: NDArray[np.float64], star: NDArray[np.int64], point: NDArray[np.int64], /
) -> Net:
    """Find to which star every slot leads, and the lattice that all slots have in common.

    Parameters
    ----------
    stars : ndarray, shape (star, slot, 2)
        Vectors of the slots.
    star : ndarray of int, shape (site,)
        Star of every site.
    point : ndarray of int, shape (site, slot)
        Site in every slot, -1: none.
    """
    n_stars, n_slots = stars.shape[:2]
    target = _targets(star, point, n_stars)
    back = _slots_back(stars, target)
    s, k = np.nonzero(back >= 0)
    mutual = np.zeros(target.shape, dtype=bool)
    mutual[s, k] = target[target[s, k], back[s, k]] == s
    target, back = np.where(mutual, target, -1), np.where(mutual, back, -1)
    family, order = _families(target, star)
    step = np.zeros((n_stars, n_slots, 2), dtype=np.int64)
    offset = np.zeros((n_stars, 2))
    vectors: list[NDArray[np.float64]] = []
    sublattice = np.full(n_stars, -1, dtype=np.int64)
    for old in order:
        members = np.flatnonzero(family == old)
        solved = _solve_family(stars, target, members)
        if solved is None:
            family[members] = -1
            continue
        basis, step[members], offset[members] = solved
        sublattice[members] = np.arange(len(members))
        vectors.append(basis)
        family[members] = n_stars + len(vectors) - 1
    family = np.where(family >= n_stars, family - n_stars, -1)
    gone = family < 0
    target[gone], back[gone] = -1, -1
    return Net(family, sublattice, target, back, step, offset, np.array(vectors).reshape(-1, 2, 2))


def _targets(star: NDArray[np.int64], point: NDArray[np.int64], n_stars: int) -> NDArray[np.int64]:
    """Give the star (star, slot) to which most slots of a kind lead, -1: to no one most."""
    n_slots = point.shape[1]
    count = np.zeros((n_stars, n_slots, n_stars), dtype=np.int64)
    for k in range(n_slots):
        filled = point[:, k] >= 0
        pair = star[filled] * n_stars + star[point[filled, k]]
        count[:, k] = np.bincount(pair, minlength=n_stars**2).reshape(n_stars, n_stars)
    most = count.argmax(axis=2)
    enough = count.max(axis=2) > _MOST * np.maximum(count.sum(axis=2), 1)
    return np.where(enough, most, -1)


def _slots_back(stars: NDArray[np.float64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    there = stars[np.maximum(target, 0)]
    squared = squared_distance(there, -stars[:, :, None])
    back = squared.argmin(axis=2)
    nearest = np.take_along_axis(squared, back[..., None], axis=2)[..., 0]
    radius = np.take_along_axis(capture_radii(there), back[..., None], axis=2)[..., 0]
    return np.where((target >= 0) & (nearest < radius**2), back, -1)


def _families(
    target: NDArray[np.int64], star: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the family of every star, and the families by number of their sites."""
    n_stars = len(target)
    s, k = np.nonzero(target >= 0)
    joined = csr_array((np.ones(len(s)), (s, target[s, k])), shape=(n_stars, n_stars))
    _, family = connected_components(joined, directed=False)
    sites = np.bincount(family[star], minlength=family.max() + 1)
    return family.astype(np.int64), np.argsort(-sites, kind="stable")


def _solve_family(
    stars: NDArray[np.float64], target: NDArray[np.int64], members: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]] | None:
    """Give lattice vectors, steps (member, slot, 2) and offsets (member, 2) of a family."""
    rank = np.full(len(stars), -1)
    rank[members] = np.arange(len(members))
    s, k = np.nonzero(target[members] >= 0)
    if not len(s):
        return None
    slot, t = stars[members[s], k], rank[target[members[s], k]]
    offset = _tree_offsets(slot, s, t, len(members))
    loops = offset[s] + slot - offset[t]
    tolerance = _CLOSED * float(np.linalg.norm(stars[members], axis=2).min())
    basis = _common_basis(loops, tolerance)
    if basis is None:
        return None
    index = np.rint(loops @ np.linalg.inv(basis))
    basis, offset = _fitted(slot, s, t, index, len(members))
    turn = conventional_turn(basis)
    basis = turn @ basis
    step = np.zeros((len(members), stars.shape[1], 2), dtype=np.int64)
    step[s, k] = np.rint(index @ np.linalg.inv(turn))
    return basis, step, offset


def _tree_offsets(
    slot: NDArray[np.float64], s: NDArray[np.int64], t: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Place the stars of a family one by one, along slots from the first."""
    joined = csr_array((np.ones(len(s)), (s, t)), shape=(n, n))
    order, before = breadth_first_order(joined, 0, directed=False)
    offset = np.zeros((n, 2))
    for star in order[1:]:
        along = int(np.flatnonzero((s == before[star]) & (t == star))[0])
        offset[star] = offset[before[star]] + slot[along]
    return offset


def _common_basis(loops: NDArray[np.float64], tolerance: float) -> NDArray[np.float64] | None:
    """Find two short vectors of which all loops are whole multiples; nothing if there are none.

    Candidates are loops and differences of two; any pair of them spans a
    part of the lattice, and only a pair that spans all of it leaves no loop
    between its points.
    """
    pool = np.concatenate([loops, (loops[:, None] - loops[None]).reshape(-1, 2)])
    length = np.linalg.norm(pool, axis=1)
    pool, length = pool[length > tolerance], length[length > tolerance]
    order = np.argsort(length, kind="stable")
    pool = _distinct(pool[order], tolerance)[:60]
    one, other = np.triu_indices(len(pool), 1)
    pairs = np.stack([pool[one], pool[other]], axis=1)
    area = np.abs(np.linalg.det(pairs))
    long = np.linalg.norm(pairs, axis=2)
    # Of vectors less than 25 deg apart there is always a shorter pair.
    pairs = pairs[area > 0.4 * long.prod(axis=1)]
    if not len(pairs):
        return None
    index = loops @ np.linalg.inv(pairs)
    rest = np.linalg.norm((index - np.rint(index)) @ pairs, axis=2).max(axis=1)
    closed = pairs[rest < tolerance]
    if not len(closed):
        return None
    best: NDArray[np.float64] = closed[(closed**2).sum(axis=(1, 2)).argmin()]
    return best


def _distinct(pool: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Leave out vectors that are, but for their sign, like one before them."""
    near = np.minimum(
        squared_distance(pool[:, None], pool[None]), squared_distance(pool[:, None], -pool[None])
    )
    repeated = np.tril(near < tolerance**2, -1).any(axis=1)
    return pool[~repeated]


def _fitted(
    slot: NDArray[np.float64],
    s: NDArray[np.int64],
    t: NDArray[np.int64],
    index: NDArray[np.float64],
    n: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit slot = offset[t] - offset[s] + index . basis by least squares, offset[0] = 0."""
    rows = np.arange(len(slot))
    design = np.zeros((len(slot), 2 + n))
    design[:, :2] = index
    np.add.at(design, (rows, 2 + t), 1.0)
    np.add.at(design, (rows, 2 + s), -1.0)
    design = np.delete(design, 2, axis=1)
    found: NDArray[np.float64] = np.linalg.lstsq(design, slot, rcond=None)[0]
    return found[:2], np.concatenate([np.zeros((1, 2)), found[2:]])


def conventional_turn(basis: NDArray[np.float64], /) -> NDArray[np.int64]:
    """Give the whole numbers (2, 2) that turn a basis (direction, axis) to the shortest vectors.

    Of these j is nearest to +x, and i is turned from it towards +y, by 60 deg
    where 120 would do as well.

    Examples
    --------
    >>> conventional_turn(np.array([[0.0, 1.0], [1.0, 3.0]]))
    array([[-3,  1],
           [ 1,  0]])
    """
    grid = np.array([(a, b) for a in range(-3, 4) for b in range(-3, 4) if (a, b) != (0, 0)])
    places = grid @ basis
    length = np.linalg.norm(places, axis=1)
    across = np.abs(
        np.linalg.det(np.stack([np.broadcast_to(grid[length.argmin()], grid.shape), grid], axis=1))
    )
    second = length[across > 0].min()
    short = np.flatnonzero(length <= _ALIKE * second)
    angle = np.degrees(np.arctan2(places[:, 0], places[:, 1]))
    best: tuple[tuple[int, int, float], NDArray[np.int64]] | None = None
    for j in short[np.abs(angle[short]) <= _RIGHTWARDS]:
        for i in short:
            turn = (angle[i] - angle[j]) % 360
            if abs(np.linalg.det(grid[[i, j]])) != 1 or turn >= 180:
                continue
            # Rounded, so that noise does not decide between equals.
            key = (round(abs(angle[j]) / 5), round(abs(turn - 90) / 5), turn - angle[j] / 5)
            if best is None or key < best[0]:
                best = key, grid[[i, j]]
    return np.eye(2, dtype=np.int64) if best is None else best[1]
