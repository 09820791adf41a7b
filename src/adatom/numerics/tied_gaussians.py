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
    return _form(shape, _parts(shape, patch, atoms))


def _parts(shape: Shape, patch: Patch, atoms: Floats) -> list[tuple[Floats, Floats]]:
    """Give core and, if there is one, tail of every atom, along y and along x."""
    widths = (shape.width, shape.tail_width) if shape.tail else (shape.width,)
    return [_along(patch, atoms, width) for width in widths]


def _form(shape: Shape, parts: list[tuple[Floats, Floats]]) -> Floats:
    form: Floats = parts[0][0] * parts[0][1]
    for along_y, along_x in parts[1:]:
        form += shape.tail * along_y * along_x
    return form


def _slopes(
    shape: Shape, patch: Patch, atoms: Floats, parts: list[tuple[Floats, Floats]]
) -> Floats:
    """Give how shapes change as atoms move (pixel, 2 * atom), along y and x in turn."""
    slope = np.empty((len(patch.value), len(atoms), 2))
    heights = zip((shape.width, shape.tail_width), (1.0, shape.tail), parts, strict=False)
    for number, (width, height, along) in enumerate(heights):
        for axis in range(2):
            away = (patch.ticks[axis][:, None] - atoms[None, :, axis]) / width**2
            rising = height * away * _on_ticks(patch, atoms, width, axis)
            part = rising[patch.tick[:, axis]] * along[1 - axis]
            if number:
                slope[..., axis] += part
            else:
                slope[..., axis] = part
    return slope.reshape(len(slope), -1)


def _along(patch: Patch, atoms: Floats, width: float) -> tuple[Floats, Floats]:
    """Give Gaussians along y and along x (pixel, atom), whose product is the whole."""
    along = [_on_ticks(patch, atoms, width, axis)[patch.tick[:, axis]] for axis in range(2)]
    return along[0], along[1]


def _on_ticks(patch: Patch, atoms: Floats, width: float, axis: int) -> Floats:
    away = (patch.ticks[axis][:, None] - atoms[None, :, axis]) / width
    return np.asarray(np.exp(-0.5 * away**2))


def fit_tied(
    patch: Patch,
    shape: Shape,
    start: Floats,
    free_height: Bools,
    usual: tuple[float, float],
    springs: Springs,
    anchor: Floats,
    /,
    *,
    relative: Floats | None = None,
    n_steps: int | None = None,
) -> Tied:
    """Fit places of all atoms, one height for those tied, one each for the others, and a plane.

    `usual` is the height of those tied, beforehand, with its spread; `anchor`
    (atom,) is how far each atom may be from its start: zero for those that stay.
    These are tied all; how high they are beside others that are tied tells `relative` (atom,).
    No more than `n_steps` are made, or as many as are worth it.
    """
    moves = anchor > 0
    beside = np.ones(len(start)) if relative is None else relative
    around = profiles(shape, patch, start[~moves]) @ beside[~moves]
    linear = _Linear(patch, around, free_height[moves], usual)
    firm = 1 / anchor[moves] ** 2
    whole = start.copy()

    firm_along = np.repeat(firm, 2)

    def state(place: Floats) -> _State:
        whole[moves] = place
        parts = _parts(shape, patch, place)
        form = _form(shape, parts)
        columns, normal_of_heights = linear.columns(form, beside[moves])
        solved = linear.solve(columns, normal_of_heights, beside[moves])
        rows, left = _spring_rows(whole, springs, moves)
        away = (place - start[moves]).ravel()
        strain = 0.5 * float(left @ left) + 0.5 * float(firm_along @ away**2)
        return _State(
            place, parts, solved, strain, solved.cost + strain, (columns, normal_of_heights),
            rows.T @ rows + np.diag(firm_along), -rows.T @ left - firm_along * away,
        )  # fmt: skip

    def pixels_pull(at: _State) -> tuple[Floats, Floats]:
        """Give the normal equations of places, with heights and plane following them."""
        slope = _slopes(shape, patch, at.place, at.parts)
        columns, normal = at.columns
        scale = np.repeat(at.solved.height, 2)
        shared = columns.T @ slope
        own = slope.T @ slope - shared.T @ np.linalg.solve(normal, shared)
        pull = slope.T @ at.solved.rest
        pull -= shared.T @ np.linalg.solve(normal, columns.T @ at.solved.rest)
        return patch.weight * own * np.outer(scale, scale), patch.weight * pull * scale

    best, damping, gain = state(start[moves]), 1e-3, np.inf
    normal, pull = np.zeros(0), np.zeros(0)
    for _ in range(n_steps or _STEPS):
        # Where a step was refused, the slopes are still those of the place before it.
        if gain > 0:
            of_pixels, pull = pixels_pull(best)
            normal, pull = of_pixels + best.stiffness, pull + best.pull
        damped = normal + np.diag(damping * normal.diagonal())
        move = np.linalg.solve(damped, pull).reshape(-1, 2)
        tried = state(best.place + np.clip(move, -_LONGEST, _LONGEST))
        gain = best.cost - tried.cost
        if gain < 0:
            damping *= 10
            if damping > _STIFFEST:
                break
            continue
        best = tried
        if gain < _DONE:
            break
        damping = max(damping / 5, 1e-4)
    whole[moves] = best.place
    height = best.solved.tied * beside
    height[moves] = best.solved.height
    return Tied(whole, height, best.solved.rest, best.solved.cost, best.strain)


class _Solved(NamedTuple):
    """Heights of the atoms that move, the height of those tied, what is left, and its cost."""

    height: Floats
    tied: float
    rest: Floats
    cost: float


class _State(NamedTuple):
    """Atoms at a step, the cost there, and how springs hold them.

    `parts` are the Gaussians of the atoms, `columns` what heights and plane multiply,
    with their sums of products; `stiffness` and `pull` are of the springs.
    """

    place: Floats
    parts: list[tuple[Floats, Floats]]
    solved: _Solved
    strain: float
    cost: float
    columns: tuple[Floats, Floats]
    stiffness: Floats
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

    def columns(self, form: Floats, beside: Floats) -> tuple[Floats, Floats]:
        """Give what heights and plane multiply (pixel, unknown), and its sums of products."""
        tied = self.around + form[:, ~self.free] @ beside[~self.free]
        columns = np.column_stack([tied, form[:, self.free], self.plane])
        normal = columns.T @ columns
        normal[np.diag_indices(len(normal))] += _RIDGE * normal.diagonal().max()
        return columns, normal

    def solve(self, columns: Floats, normal: Floats, beside: Floats) -> _Solved:
        """Find what fits best."""
        weight = self.patch.weight
        normal = weight * normal
        target = weight * columns.T @ self.patch.value
        normal[0, 0] += 1 / self.spread**2
        target[0] += self.usual / self.spread**2
        found = np.linalg.solve(normal, target)
        height = found[0] * beside
        height[self.free] = found[1 : 1 + int(self.free.sum())]
        rest = self.patch.value - columns @ found
        cost = 0.5 * weight * float(rest @ rest)
        cost += 0.5 * ((found[0] - self.usual) / self.spread) ** 2
        return _Solved(height, float(found[0]), rest, cost)


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
