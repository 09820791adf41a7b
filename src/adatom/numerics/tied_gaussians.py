"""Atoms of one shape fitted to pixels together, held by springs, with the heights of many tied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_STEPS: Final = 14
_DONE: Final = 0.02
# Position steps are no longer than this, in the unit of places.
_LONGEST: Final = 0.15
_SHORTEST: Final = 0.03
_STIFFEST: Final = 1e3
_RIDGE: Final = 1e-9


class Shape(NamedTuple):
    """An atom: a Gaussian core of height 1 and a wider one, `tail` of the core's height."""

    width: float
    tail: float
    tail_width: float


class Patch(NamedTuple):
    """Pixels around a place: `place` (pixel, 2), `value` (pixel,), `weight`, 1 / variance.

    `ticks` are the different places along y and along x, and `tick` (pixel, 2) which of them.
    """

    place: Floats
    value: Floats
    weight: float
    ticks: tuple[Floats, Floats]
    tick: Ints


def patch_of_pixels(index: Ints, value: Floats, origin: Floats, step: Floats, /) -> Patch:
    """Make a patch of some pixels (pixel, 2) of a grid, with the weight 1."""
    low = index.min(axis=0)
    counts = index.max(axis=0) - low + 1
    ticks = [origin[k] + step[k] * (low[k] + np.arange(counts[k])) for k in range(2)]
    return Patch(index * step + origin, value, 1.0, (ticks[0], ticks[1]), index - low)


class Springs(NamedTuple):
    """What holds atoms: `pairs` (spring, 2), lengths, stiffness; `is_stop` ones only push."""

    pairs: Ints
    length: Floats
    spread: Floats
    is_stop: Bools


class Tied(NamedTuple):
    """Atoms that were fitted, the pixels less them, and half of chi squared, of pixels and springs.

    Of springs between atoms that stay nothing counts.
    """

    place: Floats
    height: Floats
    rest: Floats
    pixels: float
    strain: float

    @property
    def cost(self) -> float:
        """Negative logarithm of the posterior, but for a constant."""
        return self.pixels + self.strain


def profiles(shape: Shape, patch: Patch, atoms: Floats, /) -> Floats:
    """Give the shape of every atom at every pixel (pixel, atom)."""
    core, wide = (_along(patch, atoms, width) for width in (shape.width, shape.tail_width))
    form: Floats = core[0] * core[1]
    if shape.tail:
        form += shape.tail * wide[0] * wide[1]
    return form


def _profiles_and_slopes(shape: Shape, patch: Patch, atoms: Floats) -> tuple[Floats, Floats]:
    """Give shapes, and their slopes (pixel, atom, axis) as atoms move."""
    form = np.zeros((len(patch.value), len(atoms)))
    slope = np.zeros((*form.shape, 2))
    for width, height in ((shape.width, 1.0), (shape.tail_width, shape.tail)):
        if not height:
            continue
        along_y, along_x = _along(patch, atoms, width)
        part = height * along_y * along_x
        form += part
        for axis in range(2):
            away = (patch.ticks[axis][:, None] - atoms[None, :, axis]) / width**2
            slope[..., axis] += part * away[patch.tick[:, axis]]
    return form, slope


def _along(patch: Patch, atoms: Floats, width: float) -> tuple[Floats, Floats]:
    """Give Gaussians along y and along x (pixel, atom), whose product is the whole."""
    along = []
    for axis in range(2):
        away = (patch.ticks[axis][:, None] - atoms[None, :, axis]) / width
        along.append(np.exp(-0.5 * away**2)[patch.tick[:, axis]])
    return along[0], along[1]


def fit_tied(
    patch: Patch,
    shape: Shape,
    start: Floats,
    free_height: Bools,
    usual: tuple[float, float],
    springs: Springs,
    anchor: Floats,
    /,
) -> Tied:
    """Fit places of all atoms, one height for those tied, one each for the others, and a plane.

    `usual` is the height of those tied, beforehand, with its spread; `anchor`
    (atom,) is how far each atom may be from its start: zero for those that stay.
    """
    moves = anchor > 0
    around = profiles(shape, patch, start[~moves])
    linear = _Linear(patch, around.sum(axis=1), free_height[moves], usual)
    firm = 1 / anchor[moves] ** 2
    whole = start.copy()

    def state(place: Floats) -> _State:
        whole[moves] = place
        form, slope = _profiles_and_slopes(shape, patch, place)
        columns, normal_of_heights = linear.columns(form)
        solved = linear.solve(form, columns, normal_of_heights)
        rows, left = _spring_rows(whole, springs, moves)
        away = place - start[moves]
        strain = 0.5 * float(left @ left) + 0.5 * float((away**2 * firm[:, None]).sum())
        slopes = slope * solved.height[None, :, None]
        slopes = linear.without(columns, normal_of_heights, slopes)
        normal = patch.weight * slopes.T @ slopes + rows.T @ rows
        normal[np.diag_indices(len(normal))] += np.repeat(firm, 2)
        pull = patch.weight * slopes.T @ solved.rest - rows.T @ left
        pull -= (away * firm[:, None]).ravel()
        return _State(place, solved, strain, solved.cost + strain, normal, pull)

    best, damping = state(start[moves]), 1e-3
    for _ in range(_STEPS):
        damped = best.normal + np.diag(damping * best.normal.diagonal())
        move = np.linalg.solve(damped, best.pull).reshape(-1, 2)
        tried = state(best.place + np.clip(move, -_LONGEST, _LONGEST))
        if tried.cost > best.cost:
            damping *= 10
            if damping > _STIFFEST:
                break
            continue
        gain, best = best.cost - tried.cost, tried
        if gain < _DONE:
            break
        damping = max(damping / 5, 1e-4)
    whole[moves] = best.place
    height = np.full(len(start), best.solved.tied)
    height[moves] = best.solved.height
    return Tied(whole, height, best.solved.rest, best.solved.cost, best.strain)


class _Solved(NamedTuple):
    """Heights of the atoms that move, the height of those tied, what is left, and its cost."""

    height: Floats
    tied: float
    rest: Floats
    cost: float


class _State(NamedTuple):
    """Atoms at a step, the cost there, and where it falls: `normal` equations and `pull`."""

    place: Floats
    solved: _Solved
    strain: float
    cost: float
    normal: Floats
    pull: Floats


class _Linear:
    """Heights and a plane, for given forms, with what is known of the tied height beforehand."""

    def __init__(
        self, patch: Patch, around: Floats, free_height: Bools, usual: tuple[float, float]
    ) -> None:
        self.patch, self.around, self.free = patch, around, free_height
        self.usual, self.spread = usual
        middle = patch.place.mean(axis=0)
        self.plane = np.column_stack([np.ones(len(patch.value)), patch.place - middle])

    def columns(self, form: Floats) -> tuple[Floats, Floats]:
        """Give what heights and plane multiply (pixel, unknown), and its sums of products."""
        tied = self.around + form[:, ~self.free].sum(axis=1)
        columns = np.column_stack([tied, form[:, self.free], self.plane])
        normal = columns.T @ columns
        normal[np.diag_indices(len(normal))] += _RIDGE * normal.diagonal().max()
        return columns, normal

    def solve(self, form: Floats, columns: Floats, normal: Floats) -> _Solved:
        """Find what fits best."""
        weight = self.patch.weight
        normal = weight * normal
        target = weight * columns.T @ self.patch.value
        normal[0, 0] += 1 / self.spread**2
        target[0] += self.usual / self.spread**2
        found = np.linalg.solve(normal, target)
        height = np.full(form.shape[1], found[0])
        height[self.free] = found[1 : 1 + int(self.free.sum())]
        rest = self.patch.value - columns @ found
        cost = 0.5 * weight * float(rest @ rest)
        cost += 0.5 * ((found[0] - self.usual) / self.spread) ** 2
        return _Solved(height, float(found[0]), rest, cost)

    def without(self, columns: Floats, normal: Floats, slope: Floats) -> Floats:
        """Take out of slopes (pixel, atom, axis) what heights and plane would take up."""
        flat = slope.reshape(len(slope), -1)
        return np.asarray(flat - columns @ np.linalg.solve(normal, columns.T @ flat))


def _spring_rows(place: Floats, springs: Springs, moves: Bools) -> tuple[Floats, Floats]:
    """Give the derivatives (spring, 2 * moving atom) of what springs pull, and how much."""
    one, two = springs.pairs.T
    along = place[one] - place[two]
    length = np.maximum(np.linalg.norm(along, axis=1), _SHORTEST)
    left = (length - springs.length) / springs.spread
    slack = springs.is_stop & (left > 0)
    left = np.where(slack, 0.0, left)
    unit = np.where(slack[:, None], 0.0, along / length[:, None] / springs.spread[:, None])
    rows = np.zeros((len(left), len(place), 2))
    number = np.arange(len(left))
    rows[number, one] += unit
    rows[number, two] -= unit
    return rows[:, moves].reshape(len(left), 2 * int(moves.sum())), left
