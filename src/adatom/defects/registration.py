"""Where atoms of an image lie on the ideal lattice of their host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.defects.hosts import Columns

# Half the width of the basin of attraction of the refinement is some 15 deg and a third of a
# bond, so that these steps put several starts into each basin.
_DEGREES: Final = np.arange(0.0, 120.0, 4.0)
_STEPS: Final = 10
_STARTS: Final = 80
_ROUNDS: Final = 8
# An ideal atom nearer to a foreign one than this share of the bond has made room for it: a foreign
# atom in the middle of a bond is half a bond from two, and a bonded neighbor is a whole one away.
CROWDED: Final = 0.75
# An atom this near to a foreign one is bonded to it, and would have been named as a neighbor.
_BONDED: Final = 1.5


class Registration(NamedTuple):
    """Atoms of a defect on the lattice of their host.

    Attributes
    ----------
    places : array (atom, 2)
        Observed places, turned and shifted onto the lattice, in angstrom.
    column : array of int (atom,)
        The column of the cell on which each stands, -1 where it stands on none.
    cell : array of int (atom, 2)
        The cell in which it does so.
    emptied : list of (int, int, int)
        Column and cell of ideal columns that make room for foreign atoms or are missing.
    residual : float
        Root mean square distance of the atoms of the host from their places, in angstrom.
    unexplained : int
        Ideal atoms beside a foreign one that were not observed.
    """

    places: NDArray[np.float64]
    column: NDArray[np.int64]
    cell: NDArray[np.int64]
    emptied: list[tuple[int, int, int]]
    residual: float
    unexplained: int


def register(
    points: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    is_foreign: NDArray[np.bool_],
    columns: Columns,
    /,
    *,
    bond: float,
    replaces: bool,
) -> Registration:
    """Find the turn and shift that put a defect's atoms onto the lattice of their host.

    Parameters
    ----------
    points : array (atom, 2)
        x and y of the observed atoms and missing places, in angstrom of the host.
    allowed : array of bool (atom, column)
        On which columns of the cell an atom may stand.
    is_foreign : array of bool (atom,)
        Atoms that the ideal crystal has not.
    columns : Columns
    bond : float
        Distance of neighboring columns, in angstrom.
    replaces : bool
        Foreign atoms stand in for atoms of the host, and not on top of these.
    """
    weights = np.where(is_foreign, 0.5 if replaces else 0.0, 1.0)
    if not weights.any():
        weights = np.ones(len(points))
    best: tuple[float, Registration] | None = None
    for turn, shift in _starts(points, allowed, is_foreign, weights, columns):
        found = _refined(points, allowed, is_foreign, columns, bond, turn, shift, replaces)
        # A neighbor that nobody saw costs as much as one that is half a bond away.
        cost = found.residual**2 + found.unexplained * (bond / 2.0) ** 2
        if best is None or cost < best[0] - 1e-9:
            best = cost, found
    assert best is not None  # noqa: S101 -- there are always starts
    return best[1]


def turned(points: NDArray[np.float64], degrees: float, /) -> NDArray[np.float64]:
    """Turn points about the origin."""
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float64] = points @ matrix.T
    return moved


def _starts(
    points: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    is_foreign: NDArray[np.bool_],
    weights: NDArray[np.float64],
    columns: Columns,
) -> Sequence[tuple[float, NDArray[np.float64]]]:
    """Give the best turns and shifts of a grid over all that differ."""
    centered = points - points.mean(axis=0)
    steps = np.stack(np.meshgrid(*[np.arange(_STEPS) / _STEPS] * 2, indexing="ij"), -1)
    shifts = steps.reshape(-1, 2) @ columns.lattice
    targets = _targets(columns)
    costs = np.empty((len(_DEGREES), len(shifts)))
    for number, degrees in enumerate(_DEGREES):
        moved = turned(centered, degrees)[None] + shifts[:, None]
        squared = np.stack([_squared(moved, target, columns.lattice) for target in targets], -1)
        host = np.where(allowed, squared[..., :-1], np.inf).min(axis=-1)
        # A foreign atom takes the place of one atom, or of the two of a bond.
        foreign = squared.min(axis=-1)
        costs[number] = (np.where(is_foreign, foreign, host) * weights).sum(axis=-1)
    order = np.argsort(costs, axis=None, kind="stable")[:_STARTS]
    chosen = [np.unravel_index(one, costs.shape) for one in order]
    middle = points.mean(axis=0)
    return [
        (float(_DEGREES[i]), shifts[j] - turned(middle[None], float(_DEGREES[i]))[0])
        for i, j in chosen
    ]


def _targets(columns: Columns) -> list[NDArray[np.float64]]:
    """Give the places of each column, then those of the middles of bonds."""
    near = (columns.places[None] + _images(columns.lattice)[:, None]).reshape(-1, 2)
    home = columns.places[0]
    gaps = np.linalg.norm(near - home, axis=1)
    bonded = near[(gaps > 1e-6) & (gaps < gaps[gaps > 1e-6].min() * 1.01)]
    return [*(place[None] for place in columns.places), (bonded + home) / 2.0]


def _images(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 2)
    return steps @ lattice


def _squared(
    points: NDArray[np.float64], target: NDArray[np.float64], lattice: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the squared distance of points from the nearest image of several targets."""
    best = np.full(points.shape[:-1], np.inf)
    for place in target:
        share = (points - place) @ np.linalg.inv(lattice)
        rest = (share - np.round(share)) @ lattice
        for image in _images(lattice):
            best = np.minimum(best, ((rest + image) ** 2).sum(axis=-1))
    return best


def _refined(
    points: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    is_foreign: NDArray[np.bool_],
    columns: Columns,
    bond: float,
    degrees: float,
    shift: NDArray[np.float64],
    replaces: bool,
) -> Registration:
    """Assign atoms to columns and fit turn and shift, in turns, until nothing changes."""
    lattice_sites, of_column, cells = _sites_around(turned(points, degrees) + shift, columns)
    hosts = np.flatnonzero(~is_foreign)
    moved = turned(points, degrees) + shift
    taken = np.empty(0, dtype=np.int64)
    for _ in range(_ROUNDS):
        squared = ((moved[hosts, None] - lattice_sites[None]) ** 2).sum(axis=-1)
        forbidden = ~allowed[hosts][:, of_column]
        before = taken
        _, taken = linear_sum_assignment(np.where(forbidden, 1e6, squared))
        if np.array_equal(before, taken):
            break
        if len(hosts) > 1:
            moved = _fitted(points, points[hosts], lattice_sites[taken])
        elif len(hosts) == 1:
            moved = moved + (lattice_sites[taken[0]] - moved[hosts[0]])
    gaps = np.linalg.norm(moved[hosts] - lattice_sites[taken], axis=1)
    column = np.full(len(points), -1)
    index = np.zeros((len(points), 2), dtype=np.int64)
    column[hosts], index[hosts] = of_column[taken], cells[taken]
    emptied, unexplained = [], 0
    free = np.setdiff1d(np.arange(len(lattice_sites)), taken)
    if is_foreign.any() and replaces:
        far = np.linalg.norm(moved[is_foreign][:, None] - lattice_sites[free][None], axis=-1)
        nearest = far.min(axis=0)
        crowded = free[nearest < CROWDED * bond]
        emptied = [(int(of_column[k]), int(cells[k, 0]), int(cells[k, 1])) for k in crowded]
        beside = (nearest >= CROWDED * bond) & (nearest < _BONDED * bond)
        # Of a foreign atom alone it is only known that it takes the place of one atom.
        alone = abs(len(crowded) - int(is_foreign.sum()))
        unexplained = int(beside.sum()) if len(hosts) else alone
    residual = float(np.sqrt((gaps**2).mean())) if len(hosts) else 0.0
    return Registration(moved, column, index, emptied, residual, unexplained)


def _sites_around(
    points: NDArray[np.float64], columns: Columns
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Give ideal columns that reach beyond the points: places, columns, and cells."""
    share = points @ np.linalg.inv(columns.lattice)
    low, high = np.floor(share.min(axis=0)) - 2, np.ceil(share.max(axis=0)) + 2
    ranges = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 2).astype(np.int64)
    places = (cells @ columns.lattice)[:, None] + columns.places[None]
    n_columns = len(columns.places)
    return (
        places.reshape(-1, 2),
        np.tile(np.arange(n_columns), len(cells)),
        np.repeat(cells, n_columns, axis=0),
    )


def _fitted(
    points: NDArray[np.float64], those: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move all points as those are best turned and shifted onto their targets, unmirrored."""
    turn, source, goal = rigid_motion(those, targets)
    return (points - source) @ turn + goal


def rigid_motion(
    those: NDArray[np.float64], targets: NDArray[np.float64], /
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give turn, center and goal: ``(those - center) @ turn + goal`` is nearest to the targets.

    W. Kabsch, Acta Cryst. A 32, 922 (1976), in the plane and without reflection.
    """
    source, goal = those.mean(axis=0), targets.mean(axis=0)
    left, _, right = np.linalg.svd((those - source).T @ (targets - goal))
    handed = np.sign(np.linalg.det(left @ right)) or 1.0
    return left @ np.diag([1.0, handed]) @ right, source, goal
