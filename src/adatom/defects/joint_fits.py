"""Impurities and the atoms around them, fitted to the pixels together: which are there, and where.

A finder looks for atoms one by one. Beside an impurity, several times as bright, it misses some and
takes slopes for others, and heights at its places are wrong by what the impurity's own shape is
wrong. Here all atoms around an impurity are one model: the shape of atoms as this image has it, the
height of the host's atoms, bonds as springs. Atoms come and go as long as the model gains by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from adatom.defects.bond_graph import FAR
from adatom.defects.sheets import Sheet, expected_bond
from adatom.numerics.honeycomb_waves import fit_honeycomb
from adatom.numerics.matching import match_points
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.pixel_bins import average_pixels
from adatom.numerics.tied_gaussians import (
    Patch,
    Shape,
    Springs,
    Tied,
    fit_tied,
    patch_of_pixels,
    profiles,
)
from adatom.schema import Image, extent, pixel_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# All lengths in bonds of the host. Impurities nearer than the first are fitted together; atoms
# within the second of one are free, within the third held where they were found; pixels within the
# fourth count.
_TOGETHER: Final = 2.6
_FREE: Final = 2.3
_HELD: Final = 3.7
_SEEN: Final = 2.6
# More impurities in one piece are contamination.
_MOST: Final = 8
_LOOSE: Final = 0.6
_TIGHT: Final = 0.12
# Of those held, how far from an impurity they may move that little; farther out they stay.
_MOVING: Final = 3.1
_RELINKED: Final = 2
# Noise searched for a lattice gives a power of 11 at most.
_LEAST_POWER: Final = 20.0
# A place of the lattice nearer to an impurity is taken by it; in the middle of two it takes both.
_OWN: Final = 0.72
_SAME: Final = 0.5
# Around an impurity atoms come and go.
SHELL: Final = 1.75
# Bonds end at this much of their length; spreads of bonds and of next neighbors in relaxed sheets.
_LONGEST: Final = 1.28
_BOND_SPREAD: Final = (0.08, 0.12, 0.2)
_NEXT_SPREAD: Final = 0.2
_ANGLE: Final = np.radians(120.0)
_LEAST_NEXT: Final = 1.5
_LEAST_NEXT_SPREAD: Final = 0.12
_ALONE: Final = 0.6
# Nats by which a bond too few or too many is less likely: one atom of a sheet in a hundred or so
# lacks one, and the atoms around a vacancy are three.
_VALENCE: Final = 2.0
_THREE: Final = 3
_FOUR: Final = 4
# A finder is right about nine in ten places beside an impurity.
_CHANGE: Final = 2.2
_HEIGHT_SPREAD: Final = 0.15
_ROUNDS: Final = 8
_CANDIDATES: Final = 4
_GRID: Final = 0.15
_SEEN_SHARE: Final = 0.6
# Neighborhoods that tell shape and noise.
_SAMPLE: Final = 24
# A change that looks worse by more nats than these before atoms move is not tried.
_HOPE: Final = 8.0
# Around more impurities than these a change is first tried with the atoms near it alone, and
# as many of the best are then fitted with all atoms.
_WHOLE: Final = 2
_TRIED_WHOLE: Final = 3
_PER_WIDTH: Final = 2.0
_FEWEST_PIXELS: Final = 60
_TAIL_WIDTH: Final = 2.6
_WIDTHS: Final = np.geomspace(0.2, 0.46, 10)
_TAILS: Final = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2])


class JointFit(NamedTuple):
    """Places of atoms, which of them are none, further ones, and what was settled.

    `settled` (impurity, 2) are the impurities around which nothing is left to be asked.
    """

    place: Floats
    is_none: Bools
    added: Floats
    settled: Floats


@dataclass(frozen=True)
class _Model:
    """Atoms of one neighborhood: places, which are impurities, and which are held."""

    place: Floats
    heavy: Bools
    held: Bools
    number: Ints
    """Along all atoms; -1 where it came."""


class _Ground(NamedTuple):
    """What all neighborhoods share."""

    pixels: _Pixels
    shape: Shape
    height: float
    weight: float
    reach: Floats
    bounds: Floats


class _Pixels(NamedTuple):
    """An image, averaged to pixels as fine as the shape needs; lengths in bonds."""

    value: Floats
    origin: Floats
    step: Floats

    def around(self, centers: Floats, radius: float) -> Patch | None:
        """Give the pixels nearer to a center than a radius."""
        low = np.floor((centers.min(axis=0) - radius - self.origin) / self.step).astype(int)
        high = np.ceil((centers.max(axis=0) + radius - self.origin) / self.step).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, self.value.shape)
        ranges = [np.arange(one, other) for one, other in zip(low, high, strict=True)]
        index = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 2)
        distance, _ = cKDTree(centers).query(index * self.step + self.origin)
        index = index[(distance < radius) & np.isfinite(self.value[tuple(index.T)])]
        if len(index) < _FEWEST_PIXELS:
            return None
        return patch_of_pixels(index, self.value[tuple(index.T)], self.origin, self.step)


class _Change(NamedTuple):
    """A model of an atom less or more, and where; by how much pixels fit worse before all moves.

    `kept` are the numbers of its atoms before; one that came has the next number.
    """

    model: _Model
    place: Floats
    kept: Ints
    loss: float


def fit_neighborhoods(
    place: Floats,
    heavy: Bools,
    image: Image,
    sheet: Sheet,
    impurity: str,
    /,
    *,
    bond: float,
    width: float,
) -> JointFit:
    """Fit every impurity with the atoms around it; `place` in bonds, `bond` in the image's unit.

    `width` of atoms, of which that fitted differs by no more than half.
    """
    groups = list(_groups(place, heavy))
    none = JointFit(place, np.zeros(len(place), dtype=bool), np.zeros((0, 2)), np.zeros((0, 2)))
    if not groups:
        return none
    pixels = _pixels(image, bond, width)
    models = [_model(place, heavy, group) for group in groups]
    lattice = _lattice(image, bond)
    ground = _ground(pixels, models, sheet, impurity, width)
    if ground is None:
        return none
    out, gone = place.copy(), np.zeros(len(place), dtype=bool)
    added, settled = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for model in models:
        fitted = _best([model, *_on_lattice(model, lattice)], ground)
        if fitted is None:
            continue
        best, tied = fitted
        old = best.number >= 0
        free = ~best.held
        out[best.number[old & free]] = tied.place[old & free]
        mine = model.number[~model.held]
        gone[np.setdiff1d(mine, best.number)] = True
        added.append(tied.place[~old & free])
        settled.append(tied.place[best.heavy])
    return JointFit(out, gone, np.concatenate(added), np.concatenate(settled))


def _groups(place: Floats, heavy: Bools) -> Iterator[Ints]:
    """List the impurities of each neighborhood."""
    number = np.flatnonzero(heavy)
    if not len(number):
        return
    near = cKDTree(place[number]).query_pairs(_TOGETHER, output_type="ndarray")
    joined = coo_array((np.ones(len(near)), near.T), (len(number), len(number)))
    _, label = connected_components(joined, directed=False)
    for group in range(int(label.max()) + 1):
        own = number[label == group]
        if len(own) <= _MOST:
            yield own


def _model(place: Floats, heavy: Bools, group: Ints) -> _Model:
    distance, _ = cKDTree(place[group]).query(place)
    held = (distance >= _FREE) | heavy
    held[group] = False
    # Of an atom between two neighborhoods the nearer one decides.
    others = np.setdiff1d(np.flatnonzero(heavy), group)
    if len(others):
        held |= cKDTree(place[others]).query(place)[0] < distance
    number = np.flatnonzero(distance < _HELD)
    return _Model(place[number], heavy[number], held[number], number)


def _lattice(image: Image, bond: float) -> Floats:
    """Give the places of the host's lattice, as its waves have it, in bonds."""
    step = np.array(pixel_size(image))
    values = np.asarray(image.values, dtype=float)
    values = np.where(np.isfinite(values), values, np.nanmedian(values))
    waves = fit_honeycomb(values, bond / float(np.sqrt(step.prod())))
    if waves.power < _LEAST_POWER:
        return np.zeros((0, 2))
    return np.asarray((waves.place * step + np.array(extent(image)[::2])) / bond)


def _on_lattice(model: _Model, lattice: Floats) -> list[_Model]:
    """Give the neighborhood with all of the host's atoms on their lattice, if it has one."""
    if not len(lattice):
        return []
    own = model.place[model.heavy & ~model.held]
    distance, _ = cKDTree(own).query(lattice)
    away, _ = cKDTree(model.place[model.heavy]).query(lattice)
    place = lattice[(distance < _HELD) & (away > _OWN)]
    light = np.flatnonzero(~model.heavy)
    if not len(place):
        return []
    number = np.full(len(place), -1)
    match = match_points(model.place[light], place, max_distance=_SAME)
    number[match.right] = model.number[light[match.left]]
    held = distance[(distance < _HELD) & (away > _OWN)] >= _FREE
    # What belongs to another neighborhood is held there as well.
    held[match.right] = model.held[light[match.left]]
    heavy = model.heavy
    return [
        _Model(
            np.concatenate([model.place[heavy], place]),
            np.append(np.ones(int(heavy.sum()), dtype=bool), np.zeros(len(place), dtype=bool)),
            np.concatenate([model.held[heavy], held]),
            np.concatenate([model.number[heavy], number]),
        )
    ]


def _pixels(image: Image, bond: float, width: float) -> _Pixels:
    step = np.array(pixel_size(image)) / bond
    factor = np.maximum(1, np.rint(width / _PER_WIDTH / step)).astype(int)
    values = np.asarray(image.values)
    means, share = average_pixels(values, np.isfinite(values), (int(factor[0]), int(factor[1])))
    value = np.where(share == 1, means, np.nan)
    origin = np.array(extent(image)[::2]) / bond + 0.5 * (factor - 1) * step
    return _Pixels(value, origin, step * factor)


def _ground(
    pixels: _Pixels,
    models: list[_Model],
    sheet: Sheet,
    impurity: str,
    width: float,
) -> _Ground | None:
    """Find the shape of atoms that explains most of all neighborhoods, and their noise."""
    seen = []
    for model in models[:: max(1, len(models) // _SAMPLE)]:
        own = model.place[model.heavy & ~model.held]
        patch = pixels.around(own, _SEEN)
        if patch is not None:
            seen.append((model, patch))
    if not seen:
        return None
    tried = []
    freedom = sum(len(p.value) - 4 - int(m.heavy.sum()) for m, p in seen)
    for one in _WIDTHS[np.abs(np.log(_WIDTHS / width)) < 0.5]:
        shape = Shape(float(one), 0.0, _TAIL_WIDTH * float(one))
        squares = [_squares(model, patch, shape) for model, patch in seen]
        for tail in _TAILS:
            fits = [_rest_with_tail(square, float(tail)) for square in squares]
            rest = sum(left for left, _ in fits)
            tried.append((rest, shape._replace(tail=float(tail)), [height for _, height in fits]))
    rest, shape, heights = min(tried, key=lambda one: one[0])
    height = float(np.median(heights))
    if not height > 0:
        return None
    bonds = np.array(
        [
            1.0,
            expected_bond(sheet, sheet.element, impurity),
            expected_bond(sheet, impurity, impurity),
        ]
    )
    last = pixels.origin + pixels.step * (np.array(pixels.value.shape) - 1)
    edges = np.stack([pixels.origin, last])
    white = _Ground(pixels, shape, height, max(freedom, 1) / rest, bonds, edges)
    return white._replace(weight=_weight(white, seen))


def _squares(model: _Model, patch: Patch, shape: Shape) -> Floats:
    """Give the sums of products of what makes up a neighborhood, of which its pixels are the last.

    First come the cores of the host's atoms together and of each impurity,
    then as many of the wider Gaussians under them, then a plane.
    """
    heavy = model.heavy
    parts = []
    for width in (shape.width, shape.tail_width):
        form = profiles(Shape(width, 0.0, width), patch, model.place)
        parts += [form[:, ~heavy].sum(axis=1), form[:, heavy]]
    middle = patch.place.mean(axis=0)
    columns = np.column_stack(
        [*parts, np.ones(len(patch.value)), patch.place - middle, patch.value]
    )
    return np.asarray(columns.T @ columns)


def _rest_with_tail(squares: Floats, tail: float) -> tuple[float, float]:
    """Fit heights with tails of some height; give the squares left, and the host's height."""
    n_atoms = (len(squares) - 4) // 2
    joined = np.zeros((len(squares), n_atoms + 4))
    number = np.arange(n_atoms)
    joined[number, number] = 1.0
    joined[n_atoms + number, number] = tail
    joined[2 * n_atoms + np.arange(4), n_atoms + np.arange(4)] = 1.0
    whole = joined.T @ squares @ joined
    normal, target = whole[:-1, :-1], whole[:-1, -1]
    found, *_ = np.linalg.lstsq(normal, target, rcond=None)
    return float(whole[-1, -1] - target @ found), float(found[0])


def _weight(white: _Ground, seen: list[tuple[_Model, Patch]]) -> float:
    """Measure the noise that an atom sees, by how far heights of the host's atoms differ.

    Noise of neighboring pixels is alike where an image was smoothed or resampled, and atoms differ.
    """
    off = [np.zeros(0)]
    for model, patch in seen:
        fitted, tied, _ = _fitted(model, patch._replace(weight=white.weight), white)
        light = np.flatnonzero(~fitted.heavy & ~fitted.held)
        form = profiles(white.shape, patch, tied.place[light])
        off.append((tied.rest @ form) / np.sqrt((form**2).sum(axis=0)))
    away = np.concatenate(off)
    variance = (SIGMA_OF_MAD * float(np.median(np.abs(away - np.median(away))))) ** 2
    return 1.0 / max(variance, 1.0 / white.weight)


def _best(starts: list[_Model], ground: _Ground) -> tuple[_Model, Tied] | None:
    """From each start let atoms come and go as long as the model gains; give the likeliest end."""
    own = starts[0].place[starts[0].heavy & ~starts[0].held]
    patch = ground.pixels.around(own, _SEEN)
    if patch is None:
        return None
    patch = patch._replace(weight=ground.weight)
    ends = [_improved(start, patch, ground) for start in starts]
    model, tied, _ = min(ends, key=lambda one: one[2])
    return model, tied


def _improved(start: _Model, patch: Patch, ground: _Ground) -> tuple[_Model, Tied, float]:
    model, tied, cost = _fitted(start, patch, ground)
    for _ in range(_ROUNDS):
        odd = _oddity(model, ground)
        changes = [
            change
            for change in _changed(model, tied, patch, ground)
            if change.loss + _oddity(change.model, ground) - odd < _HOPE
        ]
        is_chain = int((model.heavy & ~model.held).sum()) > _WHOLE
        if is_chain:
            changes = _best_nearby(changes, model, tied, patch, ground)
        tries = (_fitted(one.model, patch, ground, most=cost + _HOPE) for one in changes)
        if is_chain:
            # In order of what they promise: the first that keeps it will do.
            best = next((one for one in tries if one[2] < cost - _CHANGE), None)
        else:
            best = min(tries, key=lambda one: one[2], default=None)
        if best is None or best[2] > cost - _CHANGE:
            break
        model, tied, cost = best
    return model, tied, cost


def _best_nearby(
    changes: list[_Change], model: _Model, tied: Tied, patch: Patch, ground: _Ground
) -> list[_Change]:
    """Keep the changes that gain most where only atoms near them move, and the best together.

    What a change far away in a chain of impurities does to an atom is little, and
    fitting all of them together costs the cube of their number.
    """
    gains = []
    for change in changes:
        before = _nearby(model, tied.height, change.place, patch, ground, settled=True)
        height = np.append(tied.height, ground.height)[change.kept]
        after = _nearby(change.model, height, change.place, patch, ground, most=before + _HOPE)
        gains.append(before - after)
    order = np.argsort(-np.array(gains), kind="stable")
    good = [changes[k] for k in order if gains[k] > _CHANGE]
    chosen: list[_Change] = []
    for change in good:
        if all(np.linalg.norm(change.place - one.place) > _SEEN for one in chosen):
            chosen.append(change)
    together = [_together(chosen, model)] if len(chosen) > 1 else []
    return [*together, *good[:_TRIED_WHOLE]]


def _together(changes: list[_Change], model: _Model) -> _Change:
    """Make one change of several that are far from one another."""
    n = len(model.place)
    kept = np.arange(n)
    came = [change.place for change in changes if n in change.kept]
    for change in changes:
        kept = np.intersect1d(kept, change.kept)
    more = len(came)
    joined = _Model(
        np.concatenate([model.place[kept], np.reshape(came, (more, 2))]),
        np.append(model.heavy[kept], np.zeros(more, dtype=bool)),
        np.append(model.held[kept], np.zeros(more, dtype=bool)),
        np.append(model.number[kept], np.full(more, -1)),
    )
    return _Change(joined, changes[0].place, np.append(kept, np.full(more, n)), 0.0)


def _nearby(
    model: _Model,
    height: Floats,
    middle: Floats,
    patch: Patch,
    ground: _Ground,
    *,
    settled: bool = False,
    most: float = np.inf,
) -> float:
    """Fit the atoms near a place to the pixels near it; give what it costs.

    Where all atoms are `settled` already, a step tells what the pixels near the place alone
    would have.
    """
    distance = np.linalg.norm(model.place - middle, axis=1)
    part = replace(model, held=model.held | (distance >= _FREE))
    seen = np.linalg.norm(patch.place - middle, axis=1) < _SEEN
    pixels = patch._replace(place=patch.place[seen], value=patch.value[seen], tick=patch.tick[seen])
    relative = height / ground.height
    n_steps = 1 if settled else None
    return _fitted(part, pixels, ground, most=most, relative=relative, n_steps=n_steps)[2]


def _fitted(
    model: _Model,
    patch: Patch,
    ground: _Ground,
    *,
    most: float = np.inf,
    relative: Floats | None = None,
    n_steps: int | None = None,
) -> tuple[_Model, Tied, float]:
    """Fit a neighborhood; its bonds are followed unless it costs more than `most`."""
    own = model.place[model.heavy & ~model.held]
    distance, _ = cKDTree(own).query(model.place)
    anchor = np.where(model.held, np.where(distance < _MOVING, _TIGHT, 0.0), _LOOSE)
    usual = ground.height, _HEIGHT_SPREAD * ground.height

    def fit(springs: Springs) -> Tied:
        return fit_tied(
            patch, ground.shape, model.place, model.heavy, usual, springs, anchor,
            relative=relative, n_steps=n_steps,
        )  # fmt: skip

    springs = _springs(model, ground)
    tied = fit(springs)
    for _ in range(_RELINKED if n_steps is None else 0):
        model = replace(model, place=tied.place)
        if tied.cost + _oddity(model, ground) > most:
            break
        before, springs = springs, _springs(model, ground)
        # Bonds may be others where atoms now are.
        if np.array_equal(springs.pairs, before.pairs):
            break
        tied = fit(springs)
    model = replace(model, place=tied.place)
    return model, tied, tied.cost + _oddity(model, ground)


def _kind(model: _Model, pairs: Ints) -> Ints:
    """Count the impurities of each pair."""
    return np.asarray(model.heavy[pairs].sum(axis=1), dtype=np.int64)


def _bonds(model: _Model, ground: _Ground) -> tuple[Ints, Ints]:
    """Give bonded pairs and the number of impurities in each."""
    longest = _LONGEST * float(ground.reach.max())
    pairs = cKDTree(model.place).query_pairs(longest, output_type="ndarray").astype(np.int64)
    kind = _kind(model, pairs)
    length = np.linalg.norm(model.place[pairs[:, 0]] - model.place[pairs[:, 1]], axis=1)
    bonded = length < _LONGEST * ground.reach[kind]
    # An atom of the host with three bonds in the sheet has none to an impurity that is far.
    full = np.bincount(pairs[bonded & (kind == 0)].ravel(), minlength=len(model.place)) >= _THREE
    far = (kind == 1) & (length > FAR * ground.reach[kind])
    bonded &= ~(far & full[pairs].any(axis=1))
    return pairs[bonded], kind[bonded]


def _springs(model: _Model, ground: _Ground) -> Springs:
    pairs, kind = _bonds(model, ground)
    n = len(model.place)
    joined = np.zeros((n, n), dtype=bool)
    joined[pairs[:, 0], pairs[:, 1]] = joined[pairs[:, 1], pairs[:, 0]] = True
    through = joined & ~model.heavy[None]
    next_pairs = np.argwhere(np.triu((through.astype(int) @ joined.astype(int)) > 0, 1) & ~joined)
    of_two = _kind(model, next_pairs) < 2
    next_pairs = next_pairs[of_two]
    one, other = 1.0, ground.reach[_kind(model, next_pairs)]
    wide = np.sqrt(one + other**2 - 2 * other * np.cos(_ANGLE))
    # Whatever is not bonded keeps apart.
    near = cKDTree(model.place).query_pairs(_LEAST_NEXT, output_type="ndarray").astype(np.int64)
    near = near[~joined[near[:, 0], near[:, 1]]]
    return Springs(
        np.concatenate([pairs, next_pairs, near]),
        np.concatenate([ground.reach[kind], wide, np.full(len(near), _LEAST_NEXT)]),
        np.concatenate(
            [
                np.array(_BOND_SPREAD)[kind],
                np.full(len(next_pairs), _NEXT_SPREAD),
                np.full(len(near), _LEAST_NEXT_SPREAD),
            ]
        ),
        np.concatenate(
            [np.zeros(len(pairs) + len(next_pairs), dtype=bool), np.ones(len(near), dtype=bool)]
        ),
    )


def _oddity(model: _Model, ground: _Ground) -> float:
    """Count bonds too few and too many, and rings of three, in nats."""
    pairs, _ = _bonds(model, ground)
    degree = np.bincount(pairs.ravel(), minlength=len(model.place))
    inside = (
        (model.place > ground.bounds[0] + _LONGEST) & (model.place < ground.bounds[1] - _LONGEST)
    ).all(axis=1)
    few = np.maximum(_THREE - degree, 0)
    many = np.maximum(degree - np.where(model.heavy, _FOUR, _THREE), 0)
    odd = float((np.where(inside, few, 0) + many)[~model.held].sum())
    n = len(model.place)
    joined = np.zeros((n, n))
    joined[pairs[:, 0], pairs[:, 1]] = joined[pairs[:, 1], pairs[:, 0]] = 1
    light = pairs[_kind(model, pairs) < 2]
    odd += float((joined[light[:, 0]] * joined[light[:, 1]]).sum()) / 2
    return _VALENCE * odd


def _changed(model: _Model, tied: Tied, patch: Patch, ground: _Ground) -> Iterator[_Change]:
    """Give models of an atom less or more, and by how much pixels fit worse before all moves."""
    own = model.heavy & ~model.held
    distance, _ = cKDTree(tied.place[own]).query(tied.place)
    fair = np.flatnonzero(~model.held & ~model.heavy & (distance < SHELL))
    form = profiles(ground.shape, patch, tied.place[fair])
    loss = _loss(form, -tied.height[fair], tied, patch)
    every = np.arange(len(model.place))
    for atom, its_loss in zip(fair, loss, strict=True):
        keep = every[every != atom]
        less = _Model(model.place[keep], model.heavy[keep], model.held[keep], model.number[keep])
        yield _Change(less, model.place[atom], keep, float(its_loss))
    for place, its_loss in _candidates(model, tied, patch, ground):
        more = _Model(
            np.concatenate([model.place, place[None]]),
            np.append(model.heavy, False),
            np.append(model.held, False),
            np.append(model.number, -1),
        )
        yield _Change(more, place, np.append(every, len(every)), its_loss)


def _loss(form: Floats, height: Floats, tied: Tied, patch: Patch) -> Floats:
    """Give by how much pixels fit worse with atoms of such heights added, each alone."""
    return np.asarray(
        patch.weight * (0.5 * height**2 * (form**2).sum(axis=0) - height * (tied.rest @ form))
    )


def _candidates(
    model: _Model, tied: Tied, patch: Patch, ground: _Ground
) -> Iterator[tuple[Floats, float]]:
    """Give places near impurities that no atom fills and where the pixels would have one most."""
    own = tied.place[model.heavy & ~model.held]
    span = np.arange(-SHELL, SHELL + _GRID, _GRID)
    offsets = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
    offsets = offsets[np.linalg.norm(offsets, axis=1) < SHELL]
    spots = (own[:, None] + offsets).reshape(-1, 2)
    spots = spots[cKDTree(tied.place).query(spots)[0] > _ALONE]
    spots = spots[((spots > ground.bounds[0]) & (spots < ground.bounds[1])).all(axis=1)]
    form = profiles(ground.shape, patch, spots)
    # Where pixels are missing nothing is seen of an atom.
    seen = (form**2).sum(axis=0) > _SEEN_SHARE * _full(ground)
    spots, form = spots[seen], form[:, seen]
    loss = _loss(form, np.full(len(spots), ground.height), tied, patch)
    chosen: list[int] = []
    for k in np.argsort(loss):
        if all(np.linalg.norm(spots[k] - spots[j]) > _ALONE for j in chosen):
            chosen.append(int(k))
            yield spots[k], float(loss[k])
        if len(chosen) == _CANDIDATES:
            return


def _full(ground: _Ground) -> float:
    """Give what the squares of an atom's core add up to over all pixels."""
    return float(np.pi * ground.shape.width**2 / ground.pixels.step.prod())
