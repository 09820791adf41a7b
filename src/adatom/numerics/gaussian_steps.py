"""Joint Gauss-Newton steps of all Gaussians of an image and of its background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from adatom.numerics.executors import each_in_threads
from adatom.numerics.gaussian_scene import (
    Layout,
    Scene,
    chunks_of,
    knot_curvature,
    parameters_in_windows,
    residual_of,
    site_knot_curvature,
    window_pixels,
    windows_of,
)
from adatom.numerics.gaussians import (
    AMPLITUDE,
    BACKGROUND,
    LOG_WIDTH,
    N_PARAMETERS,
    X,
    Y,
    gaussian_curvature,
    gaussian_gradient,
    gaussian_overlaps,
    gaussian_overlaps_in_windows,
    gaussian_profiles,
)
from adatom.numerics.least_squares import DAMPING_START, covariance_from_curvature, next_damping

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]

SITE: Final = slice(0, BACKGROUND)
"""Columns of the parameters that a site has for itself."""

# Overlap of two Gaussians farther apart changes no error by a thousandth.
_OVERLAP_IN_WIDTHS: Final = 6.0
# Overlaps are known to half a percent, and in the narrower windows of the start to a few: so
# much damping keeps the joint curvature positive.
_LEAST_DAMPING: Final = 0.005
_START_DAMPING: Final = 0.05
# Steps need only be right to a few percent, the next one makes up for the rest.
_STEP_PRECISION: Final = 0.05
# Neighbors that double a variance overlap one another, too.
_CROWDED: Final = 1.6
# A site with the two shells around it in a square, or one and a half in a hexagon.
_CLUSTER: Final = 9
_MAX_STEP_ITERATIONS: Final = 40
_MAX_STEPS: Final = 30
_START_STEPS: Final = 3
# Smaller steps, in squared standard errors, leave the curvature as it was.
_LARGE_STEP: Final = 0.3
# In units of the noise.
_HAIR: Final = 0.1
# Damping of all sites after a step that was taken back as a whole.
_RETREAT: Final = 0.05
# A center farther outside the image than one width says nothing about the atom there.
_RIM_IN_WIDTHS: Final = 1.0
# The others do not wait for the last sites to arrive; those still far are flagged.
_STRAGGLERS: Final = 0.03
# A step is not worth taking that gains less than this part of what is tolerated. Where several
# do not halve what the next has to gain, the data leave open where to go: going on follows the
# noise, and atoms of which the truth is known end farther from it.
_WORTHLESS: Final = 0.5
_STALLED: Final = 0.5
_STALL_STEPS: Final = 5
# Unless more than one in a thousand is still on its way, two standard errors or more at a step: a
# peak on the flank of a bright atom takes many steps to arrive on it.
_ON_THE_WAY: Final = 0.001
_STRIDE: Final = 4.0
# Below a hundredth of the typical height there is no site.
LEAST_AMPLITUDE: Final = 0.01
# Three times as wide or narrow as the others is not the same kind of thing.
WIDTH_RANGE: Final = 1.1
# Of blocks scaled to a diagonal of one: far above rounding, far below what noise tells.
_REGULAR: Final = 1e-10


@dataclass
class State:
    """How far the model is from the image.

    Attributes
    ----------
    residual : array, shape (row, column)
    cost : float
        Weighted sum of squares over the image.
    site_cost : array, shape (site,)
        The same over the window of each site.
    gradient : array, shape (site, 5)
    """

    residual: Floats
    cost: float
    site_cost: Floats
    gradient: Floats


@dataclass
class Solution:
    """Where the steps ended.

    Attributes
    ----------
    state : State
    weight : array, shape (row, column)
    curvature : array, shape (site, 5, 5)
    pairs : array of int, shape (pair, 2)
        Sites that overlap.
    noise : array, shape (site,)
        Variance of the residuals of each window, in units of 1 / weight.
    n_pixels, freedom : array, shape (site,)
        Pixels of each window that count, and those less what was fitted.
    decrement : array, shape (site,)
        Square of the last step in standard errors.
    """

    state: State
    weight: Floats
    curvature: Floats
    pairs: Ints
    noise: Floats
    n_pixels: Floats
    freedom: Floats
    decrement: Floats


@dataclass
class _Normal:
    """Joint normal matrix, scaled to a unit diagonal of the sites."""

    curvature: Floats
    scale: Floats
    blocks: Floats
    sites: Any
    coupling: sparse.csr_array
    turned: sparse.csr_array
    background: sparse.csr_array
    factor: Any


def solve_jointly(
    scene: Scene, layout: Layout, weight: Floats, /, *, tolerance: float, from_start: bool = False
) -> Solution:
    """Take damped steps of all parameters at once until they are small.

    Parameters
    ----------
    scene : Scene
        Its parameters and knots are moved.
    layout : Layout
    weight : array, shape (row, column)
    tolerance : float
        Square of the step, in standard errors, at which a site has arrived;
        also what is not worth another step, if a site has no more to gain
        from it on average, in units of the noise.
    from_start : bool
        Nothing is known yet: heights and background, which are linear, go
        first, and few steps show how wide the windows must be.
    """
    n_sites = len(scene.parameters)
    pairs = _overlapping(scene, layout)
    background, stiffness = knot_curvature(scene, weight)
    background = sparse.csr_array(background + stiffness)
    n_pixels = _sums(layout, (weight > 0).astype(np.float64))
    cut = _cut_sites(layout, n_pixels)
    freedom = np.maximum(n_pixels - parameters_in_windows(scene, layout), 1)
    least = _START_DAMPING if from_start else _LEAST_DAMPING
    damping = np.full(n_sites, DAMPING_START)
    state = _evaluate(scene, layout, weight)
    held = from_start
    moved = True
    last = np.nan
    gains: list[float] = []
    for _ in range(_START_STEPS if from_start else _MAX_STEPS):
        noise = np.maximum(state.site_cost / freedom, 1e-6)
        pull = float(np.median(noise)) / scene.spread**2
        if moved:
            curvature = _curvatures(scene, layout, weight)
            normal = _assemble(
                scene, layout, weight, curvature, pairs, cut, background, pull, held=held
            )
        on_knots = scene.hats.along_y.T @ (weight * state.residual) @ scene.hats.along_x
        on_knots = on_knots.ravel() - stiffness @ scene.knots.ravel()
        equations = _Equations(normal, np.maximum(damping, least), pull)
        step, knot_step = _joint_step(scene, state, equations, on_knots, pull)
        gains.append(_typical_gain(scene, state, step, pull, noise))
        before = scene.parameters
        scene.parameters = _within_bounds(before, before + step, scene)
        scene.knots = scene.knots + knot_step
        moves, decrement = _decrement(scene.parameters - before, normal.curvature, noise)
        then, damping = _accept(
            scene, layout, weight, state, before, knot_step, damping, pull, noise
        )
        large = float(np.mean(decrement > _LARGE_STEP))
        moved = held or (then is not state and large > _STRAGGLERS)
        state = then
        idle = gains[-1] <= _WORTHLESS * tolerance or _is_stalled(gains)
        if not held and idle and np.mean(moves > _STRIDE) <= _ON_THE_WAY:
            break
        total = float(np.median(decrement))
        decrement = decrement * _what_remains(total, last)
        if not held and np.mean(decrement > tolerance) <= _STRAGGLERS:
            break
        last = total
        held = False
    return Solution(
        state=state,
        weight=weight,
        curvature=_curvatures(scene, layout, weight),
        pairs=pairs,
        noise=np.maximum(state.site_cost / freedom, 1e-6),
        n_pixels=n_pixels,
        freedom=freedom,
        decrement=decrement,
    )


class SiteErrors(NamedTuple):
    """What noise does to sites, in units of the noise.

    Attributes
    ----------
    covariance : array, shape (site, axis, axis)
        Of positions.
    volume : array, shape (site,)
        Standard deviation of the logarithm of amplitude times width squared.
    """

    covariance: Floats
    volume: Floats


def site_errors(scene: Scene, layout: Layout, solution: Solution, /) -> SiteErrors:
    """Give the covariance of positions and the relative errors of volumes.

    From every site's curvature each neighbor is eliminated by itself. What
    neighbors share with one another and with the background is eliminated
    for a sample of sites by solving the joint equations, and widens all
    errors of a kind alike: those of positions by 1 to 5 % where sites are
    dense, those of volumes, which the background resembles, by a quarter.
    """
    covariance = _covariances(scene, solution)
    along = np.zeros((len(covariance), 4, 2))
    along[:, Y, 0] = along[:, X, 1] = 1.0
    place = covariance[:, Y : X + 1, Y : X + 1]
    volume = np.zeros((len(covariance), 4, 1))
    volume[:, AMPLITUDE, 0] = 1 / np.maximum(scene.parameters[:, AMPLITUDE], LEAST_AMPLITUDE)
    volume[:, LOG_WIDTH, 0] = 2.0
    variance = (np.swapaxes(volume, 1, 2) @ covariance @ volume)[:, 0, 0]
    widening = _joint_widening(
        scene,
        layout,
        solution,
        [(along, np.diagonal(place, axis1=1, axis2=2)), (volume, variance[:, None])],
    )
    return SiteErrors(place * widening[0], np.sqrt(np.maximum(variance * widening[1], 0.0)))


def _covariances(scene: Scene, solution: Solution) -> Floats:
    """Give the covariance of the parameters of sites, (site, 4, 4), each neighbor eliminated."""
    curvature = solution.curvature[:, SITE, SITE].copy()
    curvature[:, LOG_WIDTH, LOG_WIDTH] += solution.noise / scene.spread**2
    inverse = covariance_from_curvature(curvature)
    overlaps = _overlaps(scene.parameters, solution.curvature, solution.pairs)
    turned = np.swapaxes(overlaps, 1, 2)
    i, j = solution.pairs[:, 0], solution.pairs[:, 1]
    np.subtract.at(curvature, i, overlaps @ inverse[j] @ turned)
    np.subtract.at(curvature, j, turned @ inverse[i] @ overlaps)
    covariance = covariance_from_curvature(curvature)
    place = np.s_[:, Y : X + 1, Y : X + 1]
    with np.errstate(invalid="ignore"):
        growth = np.trace(covariance[place], axis1=1, axis2=2) / np.trace(
            inverse[place], axis1=1, axis2=2
        )
    crowded = np.flatnonzero(~(growth < _CROWDED))
    clustered = _in_clusters(scene, solution, overlaps, crowded)
    # Cut sites at the border overlap less than whole ones, for which overlaps are computed.
    known = np.isfinite(clustered[place]).all(axis=(1, 2), keepdims=True)
    covariance[crowded] = np.where(known, clustered, _CROWDED * inverse[crowded])
    return covariance


def _in_clusters(scene: Scene, solution: Solution, overlaps: Floats, sites: Ints) -> Floats:
    """Invert the curvature of sites together with those that they overlap most.

    Where neighbors overlap one another they must not be eliminated one by one.
    """
    n_sites = len(solution.curvature)
    pairs = solution.pairs
    place = scene.parameters[:, [Y, X]]
    n_members = min(_CLUSTER, n_sites)
    _, members = cKDTree(place).query(place[sites], k=range(1, n_members + 1))
    order = np.argsort(pairs[:, 0] * n_sites + pairs[:, 1])
    keys = (pairs[:, 0] * n_sites + pairs[:, 1])[order]
    covariance = np.empty((sites.size, 4, 4))
    for at in range(0, sites.size, 512):
        cluster = members[at : at + 512]
        block = np.zeros((len(cluster), n_members, 4, n_members, 4))
        for a in range(n_members):
            own = solution.curvature[cluster[:, a]][:, SITE, SITE]
            own[:, LOG_WIDTH, LOG_WIDTH] += solution.noise[cluster[:, a]] / scene.spread**2
            block[:, a, :, a] = own
            for b in range(a + 1, n_members):
                one, other = cluster[:, a], cluster[:, b]
                low, high = np.minimum(one, other), np.maximum(one, other)
                found, turned = _find_pairs(keys, low * n_sites + high, high * n_sites + low)
                both = np.where(found[:, None, None] >= 0, overlaps[order[found]], 0.0)
                swap = turned != (one > other)
                both = np.where(swap[:, None, None], np.swapaxes(both, 1, 2), both)
                block[:, a, :, b] = both
                block[:, b, :, a] = np.swapaxes(both, 1, 2)
        whole = block.reshape(len(cluster), 4 * n_members, 4 * n_members)
        inverse = covariance_from_curvature(whole)
        covariance[at : at + 512] = inverse[:, :4, :4]
    return covariance


def _find_pairs(keys: Ints, forward: Ints, backward: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Look pairs up in sorted keys: their place or -1, and whether they stand backward."""
    found = np.full(len(forward), -1)
    turned = np.zeros(len(forward), dtype=bool)
    if keys.size:
        for wanted, is_backward in ((forward, False), (backward, True)):
            place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
            hit = keys[place] == wanted
            found[hit] = place[hit]
            turned[hit] = is_backward
    return found, turned


def _joint_widening(
    scene: Scene,
    layout: Layout,
    solution: Solution,
    quantities: list[tuple[Floats, Floats]],
) -> list[float]:
    """Compare variances with those of the joint equations, on sites far from one another.

    Each of the quantities is given by its slopes (site, 4, number) and its
    variances (site, number).
    """
    background, stiffness = knot_curvature(scene, solution.weight)
    pull = float(np.median(solution.noise)) / scene.spread**2
    background = sparse.csr_array(background + stiffness)
    cut = _cut_sites(layout, solution.n_pixels)
    normal = _assemble(
        scene,
        layout,
        solution.weight,
        solution.curvature,
        solution.pairs,
        cut,
        background,
        pull,
        held=False,
    )
    n_sites = len(solution.curvature)
    lone = _Equations(normal, np.zeros(n_sites), pull)
    sample = _far_apart(scene, layout)
    widening = []
    for slopes, variances in quantities:
        ratios = []
        for slope, variance in zip(np.moveaxis(slopes, 2, 0), variances.T):
            own = normal.scale[sample] * slope[sample]
            right = np.zeros((n_sites, 4))
            right[sample] = own
            right = np.concatenate([right.ravel(), np.zeros(scene.knots.size)])
            answer = _conjugate_gradients(lone.apply, lone.precondition, right, precision=0.003)
            answers = answer[: 4 * n_sites].reshape(n_sites, 4)[sample]
            ratios.append((own * answers).sum(axis=1) / variance[sample])
        known = np.concatenate(ratios)
        known = known[np.isfinite(known)]
        # Elimination of more parameters never makes an error smaller.
        widening.append(max(1.0, float(np.median(known))) if known.size else 1.0)
    return widening


def _far_apart(scene: Scene, layout: Layout) -> Ints:
    """Take the first site of every cell of a wide grid, and skip every other cell."""
    side = 2 * np.array(layout.shape)
    row, column = layout.row // side[0], layout.column // side[1]
    inner = (row % 2 == 0) & (column % 2 == 0)
    _, first = np.unique(row * scene.image.shape[1] + column, return_index=True)
    chosen: Ints = first[inner[first]]
    return chosen


def _evaluate(scene: Scene, layout: Layout, weight: Floats) -> State:
    residual = residual_of(scene, layout)
    weighted = weight * residual
    n_sites = len(scene.parameters)
    gradient, site_cost = np.empty((n_sites, N_PARAMETERS)), np.empty(n_sites)
    windows, plain = windows_of(weighted, layout), windows_of(residual, layout)

    def differentiate(chunk: slice) -> None:
        where = layout.row[chunk], layout.column[chunk]
        profiles = gaussian_profiles(scene.parameters[chunk], *window_pixels(scene, layout, chunk))
        here = windows[where]
        gradient[chunk] = gaussian_gradient(scene.parameters[chunk], profiles, here)
        site_cost[chunk] = np.einsum("syx,syx->s", here, plain[where])

    each_in_threads(differentiate, chunks_of(layout, n_sites))
    return State(residual, float(np.vdot(weighted, residual)), site_cost, gradient)


def _curvatures(scene: Scene, layout: Layout, weight: Floats) -> Floats:
    curvature = np.empty((len(scene.parameters), N_PARAMETERS, N_PARAMETERS))
    windows = windows_of(weight, layout)

    def curve(chunk: slice) -> None:
        parameters = scene.parameters[chunk]
        profiles = gaussian_profiles(parameters, *window_pixels(scene, layout, chunk))
        here = windows[layout.row[chunk], layout.column[chunk]]
        curvature[chunk] = gaussian_curvature(parameters, profiles, here)

    each_in_threads(curve, chunks_of(layout, len(curvature)))
    return curvature


def _sums(layout: Layout, values: Floats) -> Floats:
    """Sum an image over each window, by the sums of all pixels above and to the left."""
    running = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(values, axis=1, out=running[1:, 1:])
    # Row by row, which memory likes better than a cumulative sum along columns.
    for above, below in pairwise(running):
        np.add(above, below, out=below)
    top, left = layout.row, layout.column
    bottom, right = top + layout.shape[0], left + layout.shape[1]
    sums: Floats = running[bottom, right] - running[top, right]
    sums -= running[bottom, left] - running[top, left]
    # Rounding may leave a hair below nothing.
    return np.maximum(sums, 0.0)


def _accept(
    scene: Scene,
    layout: Layout,
    weight: Floats,
    state: State,
    before: Floats,
    knot_step: Floats,
    damping: Floats,
    pull: float,
    noise: Floats,
) -> tuple[State, Floats]:
    """Keep a step that lowers the cost; else take back the sites to blame, or all of it."""
    allowed = _total(state, before, pull) * (1 + 1e-9)
    then = _evaluate(scene, layout, weight)
    # A site is not to blame for the hair by which its neighbors change its cost.
    better = then.site_cost <= state.site_cost * (1 + 1e-9) + _HAIR * noise
    if _total(then, scene.parameters, pull) <= allowed:
        return then, next_damping(damping, better)
    damping = next_damping(damping, better)
    scene.parameters = np.where(better[:, None], scene.parameters, before)
    then = _evaluate(scene, layout, weight)
    if _total(then, scene.parameters, pull) <= allowed:
        return then, damping
    scene.parameters = before
    scene.knots = scene.knots - knot_step
    # Those to blame hold still in the next step, so that the others and the background may go.
    return state, np.maximum(damping, np.where(better, _RETREAT, 1.0))


def _decrement(step: Floats, curvature: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Measure steps in standard errors, squared: of place, and with half those of the others."""
    squares = np.square(step) * np.diagonal(curvature, axis1=1, axis2=2) / noise[:, None]
    moves = squares[:, Y] + squares[:, X]
    return moves, moves + 0.25 * (squares[:, AMPLITUDE] + squares[:, LOG_WIDTH])


def _total(state: State, parameters: Floats, pull: float) -> float:
    return state.cost + pull * float(np.sum(_excess(parameters) ** 2))


def _typical_gain(scene: Scene, state: State, step: Floats, pull: float, noise: Floats) -> float:
    """Give what its part of a step promises a site on average, in units of the noise.

    Stragglers aside. Unlike steps in standard errors of each site by itself, this counts little
    what sites that overlap can do together at hardly any gain.
    """
    gain = np.abs(np.sum(_slope(scene, state, pull) * step[:, SITE], axis=1)) / noise
    kept = int(np.ceil((1 - _STRAGGLERS) * gain.size))
    return float(np.mean(np.sort(gain)[:kept]))


def _is_stalled(gains: list[float]) -> bool:
    return len(gains) > _STALL_STEPS + 1 and gains[-1] > _STALLED * gains[-1 - _STALL_STEPS]


def _what_remains(now: float, last: float) -> float:
    """Estimate the way still to go, over the step just made, both squared.

    Where sites are crowded, steps shorten slowly and add up to more than the last.
    """
    if not 0 < now < np.inf or not 0 < last < np.inf:
        return 1.0
    rate = min(np.sqrt(now / last), 0.9)
    return float(np.clip((rate / (1 - rate)) ** 2, 0.1, None))


def _overlapping(scene: Scene, layout: Layout) -> Ints:
    place = scene.parameters[:, [Y, X]]
    width = np.exp(scene.parameters[:, LOG_WIDTH])
    first, second = layout.edges[:, 0], layout.edges[:, 1]
    apart = np.linalg.norm(place[first] - place[second], axis=1)
    near = apart < _OVERLAP_IN_WIDTHS * np.sqrt((width[first] ** 2 + width[second] ** 2) / 2)
    pairs: Ints = layout.edges[near]
    return pairs


def _mean_weight(parameters: Floats, curvature: Floats) -> Floats:
    """Give the weight of a site's pixels on average, with those that do not count as 0."""
    area = np.pi * np.exp(2 * parameters[:, LOG_WIDTH])
    weight: Floats = curvature[:, AMPLITUDE, AMPLITUDE] / area
    return weight


def _overlaps(parameters: Floats, curvature: Floats, pairs: Ints) -> Floats:
    """Give the off-diagonal blocks of the joint curvature, (pair, 4, 4)."""
    weight = np.sqrt(_mean_weight(parameters, curvature))
    i, j = pairs[:, 0], pairs[:, 1]
    overlaps = gaussian_overlaps(parameters[i], parameters[j])
    overlaps *= (weight[i] * weight[j])[:, None, None]
    return overlaps


def _cut_sites(layout: Layout, n_pixels: Floats) -> Ints:
    """List the sites in whose windows pixels are missing."""
    return np.flatnonzero(n_pixels < layout.shape[0] * layout.shape[1] - 0.5)


def _mend_overlaps(
    overlaps: Floats, scene: Scene, layout: Layout, weight: Floats, pairs: Ints, cut: Ints
) -> None:
    """Sum the overlaps with cut sites over the pixels that count.

    Those of whole Gaussians with what is left of another make the joint
    curvature indefinite, and steps at the border wild.
    """
    is_cut = np.zeros(len(scene.parameters), dtype=bool)
    is_cut[cut] = True
    wanted = np.flatnonzero(is_cut[pairs].any(axis=1))
    windows = windows_of(weight, layout)
    for chunk in chunks_of(layout, wanted.size):
        i, j = pairs[wanted[chunk]].T
        pixels = window_pixels(scene, layout, i)
        first, second = scene.parameters[i], scene.parameters[j]
        overlaps[wanted[chunk]] = gaussian_overlaps_in_windows(
            first,
            second,
            gaussian_profiles(first, *pixels),
            gaussian_profiles(second, *pixels),
            windows[layout.row[i], layout.column[i]],
        )


def _assemble(
    scene: Scene,
    layout: Layout,
    weight: Floats,
    curvature: Floats,
    pairs: Ints,
    cut: Ints,
    background: sparse.csr_array,
    pull: float,
    *,
    held: bool,
) -> _Normal:
    """Assemble the joint normal matrix; `held` leaves heights and background only."""
    blocks = curvature[:, SITE, SITE].copy()
    blocks[:, LOG_WIDTH, LOG_WIDTH] += pull
    diagonal = np.diagonal(blocks, axis1=1, axis2=2)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 0.0)
    if held:
        scale[:, 1:] = 0
    blocks *= scale[:, :, None] * scale[:, None, :]
    number = np.arange(4)
    blocks[:, number, number] = 1
    overlaps = _overlaps(scene.parameters, curvature, pairs)
    _mend_overlaps(overlaps, scene, layout, weight, pairs, cut)
    overlaps *= scale[pairs[:, 0], :, None] * scale[pairs[:, 1], None, :]
    mean_weight = _mean_weight(scene.parameters, curvature)
    coupling = site_knot_curvature(scene, layout, mean_weight, cut, weight)
    coupling.data *= np.repeat(scale.ravel(), np.diff(coupling.indptr))
    return _Normal(
        curvature=curvature,
        scale=scale,
        blocks=blocks,
        sites=_block_matrix(blocks, overlaps, pairs),
        coupling=coupling,
        turned=sparse.csr_array(coupling.T),
        background=background,
        factor=sparse.linalg.splu(sparse.csc_array(background)),
    )


def _block_matrix(blocks: Floats, overlaps: Floats, pairs: Ints) -> Any:  # noqa: ANN401
    """Assemble the symmetric sparse matrix of diagonal blocks and of one block a pair."""
    n_sites = len(blocks)
    own = np.arange(n_sites)
    row = np.concatenate([own, pairs[:, 0], pairs[:, 1]])
    column = np.concatenate([own, pairs[:, 1], pairs[:, 0]])
    entries = np.concatenate([blocks, overlaps, np.swapaxes(overlaps, 1, 2)])
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(n_sites + 1))
    shape = (4 * n_sites, 4 * n_sites)
    return sparse.bsr_array((entries[order], column[order], first), shape=shape)


class _Equations:
    """The damped joint equations, and their solution site by site as preconditioner."""

    def __init__(self, normal: _Normal, damping: Floats, pull: float) -> None:
        self.normal = normal
        self._cut = normal.scale.size
        self._damping = np.repeat(damping, 4)
        self._pull = pull / len(damping)
        number = np.arange(len(damping) + 1)
        # A hair keeps the blocks of sites regular of which hardly a pixel is seen; as a
        # preconditioner it leaves the solution as it is.
        inverse = np.linalg.inv(normal.blocks + (damping[:, None, None] + _REGULAR) * np.eye(4))
        self._alone = sparse.bsr_array((inverse, number[:-1], number), shape=(self._cut, self._cut))

    def apply(self, vector: Floats) -> Floats:
        normal = self.normal
        sites, knots = vector[: self._cut], vector[self._cut :]
        upper = normal.sites @ sites
        upper += self._damping * sites
        upper += normal.coupling @ knots
        # Widths are pulled to their mean, which is free itself.
        scale = normal.scale[:, LOG_WIDTH]
        upper[LOG_WIDTH::4] -= self._pull * float(scale @ sites[LOG_WIDTH::4]) * scale
        lower = normal.background @ knots
        lower += normal.turned @ sites
        return np.concatenate([upper, lower])

    def precondition(self, vector: Floats) -> Floats:
        sites, knots = vector[: self._cut], vector[self._cut :]
        return np.concatenate([self._alone @ sites, self.normal.factor.solve(knots)])


def _joint_step(
    scene: Scene, state: State, equations: _Equations, on_knots: Floats, pull: float
) -> tuple[Floats, Floats]:
    """Solve the joint normal equations for a step of sites and one of knots."""
    gradient = _slope(scene, state, pull)
    scale = equations.normal.scale
    right = np.concatenate([(gradient * scale).ravel(), on_knots])
    solution = _conjugate_gradients(
        equations.apply, equations.precondition, right, precision=_STEP_PRECISION
    )
    step = np.zeros((len(gradient), N_PARAMETERS))
    step[:, SITE] = solution[: gradient.size].reshape(-1, 4) * scale
    return step, solution[gradient.size :].reshape(scene.knots.shape)


def _slope(scene: Scene, state: State, pull: float) -> Floats:
    """Give the direction of descent (site, 4), with the pull on the widths."""
    slope = state.gradient[:, SITE].copy()
    slope[:, LOG_WIDTH] -= pull * _excess(scene.parameters)
    return slope


def _excess(parameters: Floats) -> Floats:
    """Give the logarithms of the widths beyond their mean."""
    log_widths = parameters[:, LOG_WIDTH]
    excess: Floats = log_widths - np.mean(log_widths)
    return excess


def _conjugate_gradients(
    apply: Callable[[Floats], Floats],
    precondition: Callable[[Floats], Floats],
    right: Floats,
    *,
    precision: float,
) -> Floats:
    """Solve a positive definite system; stop at the first direction without curvature [1]_.

    References
    ----------
    .. [1] T. Steihaug, SIAM J. Numer. Anal. 20, 626 (1983), algorithm 2.
    """
    solution = np.zeros_like(right)
    rest = right.copy()
    solved = precondition(rest)
    direction = solved.copy()
    size = start = float(rest @ solved)
    for _ in range(_MAX_STEP_ITERATIONS):
        if size <= precision**2 * start:
            break
        image = apply(direction)
        bend = float(direction @ image)
        if bend <= 0:
            break
        solution += size / bend * direction
        rest -= size / bend * image
        solved = precondition(rest)
        before, size = size, float(rest @ solved)
        direction = solved + size / before * direction
    return solution


def _within_bounds(now: Floats, then: Floats, scene: Scene) -> Floats:
    """Keep steps short and fits from running away: those that end at a bound have failed."""
    width = np.exp(now[:, LOG_WIDTH])
    move = _shortened(then[:, [Y, X]] - now[:, [Y, X]], 0.75 * width)
    shift = _shortened(now[:, [Y, X]] + move - scene.start, scene.max_shift)
    rim = _RIM_IN_WIDTHS * width[:, None]
    then[:, [Y, X]] = np.clip(scene.start + shift, scene.lowest - rim, scene.highest + rim)
    lowest = np.maximum(0.3 * now[:, AMPLITUDE], LEAST_AMPLITUDE)
    highest = 3 * np.maximum(now[:, AMPLITUDE], 1.0)
    then[:, AMPLITUDE] = np.clip(then[:, AMPLITUDE], lowest, highest)
    change = np.clip(then[:, LOG_WIDTH] - now[:, LOG_WIDTH], -0.35, 0.35)
    low, high = scene.log_width - WIDTH_RANGE, scene.log_width + WIDTH_RANGE
    then[:, LOG_WIDTH] = np.clip(now[:, LOG_WIDTH] + change, low, high)
    return then


def _shortened(vectors: Floats, longest: Floats | float) -> Floats:
    length = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-12)
    shortened: Floats = vectors * np.minimum(1, longest / length)[:, None]
    return shortened
