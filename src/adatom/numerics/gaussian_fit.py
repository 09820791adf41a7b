"""Joint fit of many overlapping Gaussians and a smooth background to one image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from adatom.numerics.coloring import color_graph
from adatom.numerics.gaussians import (
    AMPLITUDE,
    BACKGROUND,
    LOG_WIDTH,
    N_PARAMETERS,
    X,
    Y,
    gaussian_equations,
    gaussian_jacobian,
    gaussian_overlaps,
    gaussian_profiles,
    gaussian_windows,
)
from adatom.numerics.least_squares import (
    DAMPING_START,
    covariance_from_curvature,
    next_damping,
)

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

_SITE: Final = slice(0, BACKGROUND)
"""Columns of the parameters that a site has for itself."""

# 3.5 widths from its center a Gaussian is at 0.2 % of its height: below the noise worth fitting.
_WINDOW_IN_WIDTHS: Final = 7.0
# Windows of a chunk stay in the processor's cache.
_CHUNK_PIXELS: Final = 60_000
# A start is settled when no fit wants to move by more than a third of its standard error ...
_COARSE: Final = 0.1
# ... and the answer when it is 3 %, which adds 0.05 % to the error.
_FINE: Final = 1e-3
_MAX_STEPS: Final = 25
# The background bends on the scale of three sites: fewer would be taken for sites.
_KNOTS_IN_SPACINGS: Final = 3.0
# Logarithm of the width: atoms of one image are alike within a quarter unless they show otherwise.
_WIDTH_SPREAD: Final = 0.25
# Three times as wide or narrow as the others is not the same kind of thing.
_WIDTH_RANGE: Final = 1.1
# Below a hundredth of the typical height there is no site.
_LEAST_AMPLITUDE: Final = 0.01
# Overlap of two Gaussians farther apart changes no error by a thousandth.
_OVERLAP_IN_WIDTHS: Final = 6.0
_SAMPLE: Final = 600
_STIFFNESS: Final = 1e-4
# Overlaps are known to half a percent; this keeps the joint curvature positive.
_LEAST_DAMPING: Final = 0.02
# Steps of a joint fit need only be right to a few percent, the next one makes up for the rest.
_STEP_PRECISION: Final = 0.03
_MAX_STEP_ITERATIONS: Final = 60


@dataclass(frozen=True)
class GaussianFit:
    """Result of `fit_gaussians`, everything along site; lengths in mean pixels.

    Attributes
    ----------
    position : array, shape (site, axis)
    covariance : array, shape (site, axis, axis)
        Of the position.
    amplitude, background : array, shape (site,)
        In the unit of the image.
    width : array, shape (site,)
        Standard deviation of the Gaussian.
    quality : array, shape (site,)
        Reduced chi squared against the noise of the whole image.
    ok : array of bool, shape (site,)
    """

    position: Floats
    covariance: Floats
    amplitude: Floats
    background: Floats
    width: Floats
    quality: Floats
    ok: Bools


class _Layout(NamedTuple):
    """Where every site's window lies, and which windows do not overlap."""

    row: Ints
    column: Ints
    shape: tuple[int, int]
    edges: Ints
    batches: list[Ints]


class _Hats(NamedTuple):
    """Piecewise linear functions along y and x whose products carry the background."""

    along_y: Floats
    along_x: Floats


@dataclass
class _Scene:
    """The image with a rim of padding, and the state of the model of it.

    Values are in heights of a typical site above `level`, so that
    amplitudes are near 1 and positive; lengths are in mean pixels from the
    first pixel of the padding.
    """

    image: Floats
    usable: Floats
    step: tuple[float, float]
    start: Floats
    max_shift: float
    level: float
    scale: float
    parameters: Floats
    hats: _Hats
    knots: Floats
    log_width: float
    spread: float = 2 * _WIDTH_SPREAD


def fit_gaussians(
    values: NDArray[np.generic],
    usable: Bools,
    start: Floats,
    /,
    *,
    step: tuple[float, float],
    spacing: float,
    side: float | None = None,
    max_shift: float,
    sign: int | None = None,
) -> GaussianFit:
    """Fit one round Gaussian a site and a smooth background, all at once.

    Parameters
    ----------
    values : array, shape (y, x)
    usable : array of bool, shape (y, x)
    start : array, shape (site, axis)
        In mean pixels from the center of the first pixel.
    step : tuple of float
        Height and width of a pixel, in mean pixels.
    spacing : float
        Typical distance to the next site.
    side : float, optional
        Of the window of a site; 7 fitted widths if left out.
    max_shift : float
        How far a site may go from its start.
    sign : {1, -1}, optional
        Of the amplitudes; that of most sites if left out.
    """
    # Rows first: neighbors in the image are neighbors in memory, and the answer
    # does not depend on the order in which sites were given.
    order = np.lexsort((start[:, 1], start[:, 0]))
    order = order[_inside(start[order], values.shape, step)]
    fit = _failed(len(start))
    if not order.size or not usable.any():
        return fit
    widest = side or 3 * spacing
    pad = int(np.ceil(widest / 2 / min(step))) + 2
    scene = _first_look(values, usable, start[order], pad, step, spacing, max_shift, sign)
    if scene is None:
        return fit

    layout = _layout(scene, side or min(_WINDOW_IN_WIDTHS * np.exp(scene.log_width), widest))
    solution = _solve(scene, layout, _covered(scene, layout), tolerance=_COARSE, rough=True)
    _learn_widths(scene)
    layout = _layout(scene, side or min(_WINDOW_IN_WIDTHS * _upper_width(scene), widest))
    weight = _weight(scene, layout, solution)
    solution = _solve(scene, layout, weight, tolerance=_FINE)
    found = _conclude(scene, layout, solution, pad)
    for name in ("position", "covariance", "amplitude", "background", "width", "quality", "ok"):
        getattr(fit, name)[order] = getattr(found, name)
    return fit


def _failed(n_sites: int) -> GaussianFit:
    def nothing(*shape: int) -> Floats:
        return np.full((n_sites, *shape), np.nan)

    return GaussianFit(
        position=nothing(2),
        covariance=nothing(2, 2),
        amplitude=nothing(),
        background=nothing(),
        width=nothing(),
        quality=nothing(),
        ok=np.zeros(n_sites, dtype=bool),
    )


def _inside(start: Floats, shape: tuple[int, ...], step: tuple[float, float]) -> Bools:
    upper = (np.array(shape) - 0.5) * np.array(step)
    return np.asarray(((start >= -0.5 * np.array(step)) & (start <= upper)).all(axis=1))


# ---- layout


def _layout(scene: _Scene, side: float) -> _Layout:
    """Center a window on every site and batch those that do not overlap."""
    h, w = (2 * int(np.ceil((side / step - 1) / 2)) + 1 for step in scene.step)
    n_rows, n_columns = scene.image.shape
    row, column = (
        np.clip(np.rint(scene.parameters[:, axis] / step).astype(np.intp) - size // 2, 0, limit)
        for axis, step, size, limit in (
            (Y, scene.step[0], h, n_rows - h),
            (X, scene.step[1], w, n_columns - w),
        )
    )
    tree = cKDTree(np.stack([row / h, column / w], axis=1))
    edges = tree.query_pairs(1 - 0.5 / max(h, w), p=np.inf, output_type="ndarray")
    color = color_graph(edges, len(row))
    per_batch = max(1, _CHUNK_PIXELS // (h * w))
    batches = []
    for number in range(int(color.max()) + 1):
        members = np.flatnonzero(color == number)
        batches += np.array_split(members, -(-members.size // per_batch))
    return _Layout(row, column, (h, w), edges, batches)


def _pixels(scene: _Scene, layout: _Layout, sites: Ints | slice) -> tuple[Floats, Floats]:
    """Give the places of the rows and columns of windows."""
    h, w = layout.shape
    rows = (layout.row[sites, None] + np.arange(h)) * scene.step[0]
    columns = (layout.column[sites, None] + np.arange(w)) * scene.step[1]
    return rows, columns


def _windows(image: Floats, layout: _Layout) -> Floats:
    return sliding_window_view(image, layout.shape, writeable=True)  # type: ignore[call-overload,no-any-return]


def _chunks(layout: _Layout) -> list[slice]:
    """Cut the sites in their order, for work that only reads."""
    per_chunk = max(1, _CHUNK_PIXELS // (layout.shape[0] * layout.shape[1]))
    return [slice(i, i + per_chunk) for i in range(0, len(layout.row), per_chunk)]


def _covered(scene: _Scene, layout: _Layout) -> Floats:
    """Give weight 1 to the usable pixels near sites: of others the model says nothing."""
    covered = np.zeros_like(scene.usable)
    for batch in layout.batches:
        _windows(covered, layout)[layout.row[batch], layout.column[batch]] = 1.0
    covered *= scene.usable
    return covered


# ---- background


def _hats(n_pixels: int, pad: int, distance: float) -> Floats:
    """Place knots evenly on the unpadded axis, two or more; (pixel, knot)."""
    last = n_pixels - 1 - 2 * pad
    n_knots = 1 + max(1, round(last / distance))
    place = np.clip((np.arange(n_pixels) - pad) / max(last, 1), 0, 1) * (n_knots - 1)
    hats: Floats = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n_knots)))
    return hats


def _background(scene: _Scene) -> Floats:
    background: Floats = scene.hats.along_y @ scene.knots @ scene.hats.along_x.T
    return background


def _site_knot_curvature(scene: _Scene, layout: _Layout, curvature: Floats) -> sparse.csr_array:
    """Give ``J^T W B`` between sites and background, (4 * site, knot).

    Gaussians and hats are products along y and x, so that sums over a
    window are products of sums over its rows and columns.
    """
    parameters = scene.parameters
    n_sites = len(parameters)
    profiles = gaussian_profiles(parameters, *_pixels(scene, layout, slice(None)))
    sums, knots = [], []
    for hats, first, size, t, profile in (
        (scene.hats.along_y, layout.row, layout.shape[0], profiles.v, profiles.along_y),
        (scene.hats.along_x, layout.column, layout.shape[1], profiles.u, profiles.along_x),
    ):
        reached = _knots_in_windows(hats, first, size)
        pixel = first[:, None] + np.arange(size)
        here = hats[pixel[:, :, None], reached[:, None, :]]
        powers = np.stack([profile, profile * t, profile * t * t], axis=1)
        sums.append(np.matmul(powers, here))
        knots.append(reached)
    s_y, s_x = sums[0][:, :, :, None], sums[1][:, :, None, :]
    amplitude = parameters[:, AMPLITUDE, None, None]
    width = np.exp(parameters[:, LOG_WIDTH])
    by_place = amplitude / width[:, None, None]
    entries = np.stack(
        [
            s_y[:, 0] * s_x[:, 0],
            by_place * s_y[:, 1] * s_x[:, 0],
            by_place * s_y[:, 0] * s_x[:, 1],
            amplitude * (s_y[:, 2] * s_x[:, 0] + s_y[:, 0] * s_x[:, 2]),
        ],
        axis=1,
    )
    weight = curvature[:, AMPLITUDE, AMPLITUDE] / (np.pi * width**2)
    entries *= weight[:, None, None, None]
    number = knots[0][:, :, None] * scene.knots.shape[1] + knots[1][:, None, :]
    columns = np.broadcast_to(number[:, None], entries.shape).ravel()
    per_row = number[0].size
    first = np.arange(4 * n_sites + 1) * per_row
    return sparse.csr_array(
        (entries.ravel(), columns, first), shape=(4 * n_sites, scene.knots.size)
    )


def _knots_in_windows(hats: Floats, first: Ints, size: int) -> Ints:
    """List the knots whose hats reach into windows, as many for every window."""
    n_knots = hats.shape[1]
    touched = np.argmax(hats > 0, axis=1), n_knots - 1 - np.argmax(hats[:, ::-1] > 0, axis=1)
    low, high = touched[0][first], touched[1][first + size - 1]
    n_reached = min(n_knots, int(np.max(high - low)) + 1)
    return np.minimum(low, n_knots - n_reached)[:, None] + np.arange(n_reached)


def _knot_curvature(scene: _Scene, weight: Floats) -> sparse.csr_array:
    """Give ``B^T W B`` of the background."""
    along_y, along_x = scene.hats
    k_y, k_x = along_y.shape[1], along_x.shape[1]
    number = np.arange(k_y * k_x).reshape(k_y, k_x)
    rows, columns, entries = [], [], []

    def add(first: Ints, second: Ints, values: Floats) -> None:
        rows.append(first.ravel())
        columns.append(second.ravel())
        entries.append(values.ravel())

    for i in (0, 1):
        pair_y = along_y[:, : k_y - i] * along_y[:, i:]
        inner = pair_y.T @ weight
        for j in (-1, 0, 1) if i else (0, 1):
            low = slice(0, k_x - abs(j))
            high = slice(abs(j), k_x)
            one, other = (low, high) if j >= 0 else (high, low)
            block = inner @ (along_x[:, one] * along_x[:, other])
            add(number[: k_y - i, one], number[i:, other], block)
            if i or j:
                add(number[i:, other], number[: k_y - i, one], block)
    where = np.concatenate(rows), np.concatenate(columns)
    curvature = sparse.csr_array((np.concatenate(entries), where), shape=(k_y * k_x,) * 2)
    return sparse.csr_array(curvature)


def _stiffness(scene: _Scene, curvature: sparse.csr_array) -> sparse.csr_array:
    """Give the hair of stiffness that carries the background over where no pixel counts."""
    k_y, k_x = scene.knots.shape
    number = np.arange(k_y * k_x).reshape(k_y, k_x)
    bonds = [(number[1:], number[:-1]), (number[:, 1:], number[:, :-1])]
    one = np.concatenate([a.ravel() for a, _ in bonds])
    other = np.concatenate([b.ravel() for _, b in bonds])
    graph = sparse.csr_array((np.ones(one.size), (one, other)), shape=(k_y * k_x,) * 2)
    laplacian = sparse.csgraph.laplacian(sparse.csr_array(graph + graph.T))
    return sparse.csr_array(laplacian * (_STIFFNESS * float(curvature.diagonal().mean())))


# ---- start


def _first_look(
    values: NDArray[np.generic],
    usable: Bools,
    start: Floats,
    pad: int,
    step: tuple[float, float],
    spacing: float,
    max_shift: float,
    sign: int | None,
) -> _Scene | None:
    """Find the common width, the sign and the height by linear fits at the start."""
    known = np.asarray(values[usable], dtype=np.float64)
    level, scale = float(np.median(known)), float(np.std(known))
    if not scale > 0:
        return None
    image = np.pad(np.where(usable, (values - level) / scale, 0.0), pad)
    distance = _KNOTS_IN_SPACINGS * spacing
    hats = _Hats(*(_hats(n, pad, distance / h) for n, h in zip(image.shape, step, strict=True)))
    scene = _Scene(
        image=image,
        usable=np.pad(usable.astype(np.float64), pad),
        step=step,
        start=start + pad * np.array(step),
        max_shift=max_shift,
        level=level,
        scale=scale,
        parameters=np.zeros((len(start), N_PARAMETERS)),
        hats=hats,
        knots=np.zeros((hats.along_y.shape[1], hats.along_x.shape[1])),
        log_width=0.0,
    )
    scene.parameters[:, [Y, X]] = scene.start
    look = _layout(scene, min(max(spacing, 5 * max(step)), 2 * pad * min(step)))
    sample = np.arange(len(start))[:: -(-len(start) // _SAMPLE)]
    best = 0.0
    for width in spacing * np.geomspace(0.05, 0.5, 12):
        if width < 0.4:
            continue
        amplitude, explained = _linear_fit(scene, look, sample, np.log(width))
        towards = sign or int(np.sign(np.median(amplitude))) or 1
        alike = amplitude * towards > 0
        total = float(np.sum(explained[alike]))
        if total > best:
            best = total
            height = towards * float(np.median(np.abs(amplitude[alike])))
            scene.log_width = float(np.log(width))
    if not best > 0:
        return None
    scene.image /= height
    scene.scale *= height
    scene.parameters[:, AMPLITUDE] = 1.0
    scene.parameters[:, LOG_WIDTH] = scene.log_width
    return scene


def _linear_fit(
    scene: _Scene, layout: _Layout, sites: Ints, log_width: float
) -> tuple[Floats, Floats]:
    """Fit amplitude and background with place and width held; also what they explain."""
    parameters = scene.parameters[sites].copy()
    parameters[:, LOG_WIDTH] = log_width
    profiles = gaussian_profiles(parameters, *_pixels(scene, layout, sites))
    shape = gaussian_windows(np.ones(len(sites)), profiles)
    where = layout.row[sites], layout.column[sites]
    weight = _windows(scene.usable, layout)[where]
    image = _windows(scene.image, layout)[where]
    n_pixels = np.maximum(weight.sum(axis=(1, 2)), 1)
    shape -= (np.sum(weight * shape, axis=(1, 2)) / n_pixels)[:, None, None]
    covariation = np.sum(weight * shape * image, axis=(1, 2))
    amplitude = covariation / np.maximum(np.sum(weight * shape * shape, axis=(1, 2)), 1e-6)
    return amplitude, amplitude * covariation


# ---- joint steps


@dataclass
class _State:
    """The model's residual over the image, and the normal equations of each site."""

    residual: Floats
    weight: Floats
    cost: float
    site_cost: Floats
    gradient: Floats
    curvature: Floats
    n_pixels: Ints

    @property
    def noise(self) -> Floats:
        """Variance of the residuals of each window, in units of 1 / weight."""
        return np.maximum(self.site_cost / np.maximum(self.n_pixels - 4, 1), 1e-12)


@dataclass
class _Solution:
    state: _State
    pairs: Ints
    decrement: Floats


def _evaluate(scene: _Scene, layout: _Layout, weight: Floats) -> _State:
    residual = scene.image - _background(scene)
    windows = _windows(residual, layout)
    parameters = scene.parameters
    for batch in layout.batches:
        profiles = gaussian_profiles(parameters[batch], *_pixels(scene, layout, batch))
        windows[layout.row[batch], layout.column[batch]] -= gaussian_windows(
            parameters[batch, AMPLITUDE], profiles
        )
    n_sites = len(parameters)
    state = _State(
        residual=residual,
        weight=weight,
        cost=float(np.sum(weight * residual * residual)),
        site_cost=np.empty(n_sites),
        gradient=np.empty((n_sites, N_PARAMETERS)),
        curvature=np.empty((n_sites, N_PARAMETERS, N_PARAMETERS)),
        n_pixels=np.empty(n_sites, dtype=np.intp),
    )
    weights = _windows(weight, layout)
    for chunk in _chunks(layout):
        where = layout.row[chunk], layout.column[chunk]
        profiles = gaussian_profiles(parameters[chunk], *_pixels(scene, layout, chunk))
        here = weights[where]
        state.site_cost[chunk], state.gradient[chunk], state.curvature[chunk] = gaussian_equations(
            parameters[chunk], profiles, windows[where], here
        )
        state.n_pixels[chunk] = np.count_nonzero(here, axis=(1, 2))
    return state


def _solve(
    scene: _Scene, layout: _Layout, weight: Floats, *, tolerance: float, rough: bool = False
) -> _Solution:
    """Take damped Gauss-Newton steps of all parameters at once until they are small."""
    n_sites = len(scene.parameters)
    background = _knot_curvature(scene, weight)
    stiffness = _stiffness(scene, background)
    normal = _Normal(
        pairs=_overlapping(scene, layout),
        background=sparse.csr_array(background + stiffness),
        stiffness=stiffness,
    )
    damping = np.full(n_sites, DAMPING_START)
    state = _evaluate(scene, layout, weight)
    decrement = np.full(n_sites, np.inf)
    for number in range(_MAX_STEPS):
        # Heights and background first: they are linear, and the start knows them least.
        held = rough and number == 0
        pull = float(np.median(state.noise)) / scene.spread**2
        step, knot_step = _joint_step(scene, layout, state, normal, damping, pull, held=held)
        now, knots = scene.parameters, scene.knots
        scene.parameters = _within_bounds(now, now + step, scene)
        scene.knots = knots + knot_step
        then = _evaluate(scene, layout, weight)
        taken = scene.parameters - now
        worse = then.site_cost > state.site_cost
        if _total(then, scene.parameters, scene, pull) > _total(state, now, scene, pull):
            scene.parameters, scene.knots = now, knots
            damping = np.where(worse, next_damping(damping, ~worse), damping)
        else:
            damping = next_damping(damping, ~worse) if not held else damping
            state = then
        decrement = _decrement(taken, state)
        if not held and np.count_nonzero(decrement > tolerance) <= n_sites // 1000:
            break
    return _Solution(state, normal.pairs, decrement)


def _decrement(step: Floats, state: _State) -> Floats:
    """Measure steps in standard errors, squared; of the height and width with a tenth."""
    diagonal = np.diagonal(state.curvature, axis1=1, axis2=2)
    squares = np.square(step) * diagonal / state.noise[:, None]
    return squares[:, Y] + squares[:, X] + 0.01 * (squares[:, AMPLITUDE] + squares[:, LOG_WIDTH])


def _total(state: _State, parameters: Floats, scene: _Scene, pull: float) -> float:
    excess = parameters[:, LOG_WIDTH] - scene.log_width
    return state.cost * (1 - 1e-12) + pull * float(np.sum(excess**2))


class _Normal(NamedTuple):
    """What the joint normal equations need beside those of each site."""

    pairs: Ints
    background: sparse.csr_array
    stiffness: sparse.csr_array


def _overlapping(scene: _Scene, layout: _Layout) -> Ints:
    place = scene.parameters[:, [Y, X]]
    width = np.exp(scene.parameters[:, LOG_WIDTH])
    first, second = layout.edges[:, 0], layout.edges[:, 1]
    apart = np.linalg.norm(place[first] - place[second], axis=1)
    near = apart < _OVERLAP_IN_WIDTHS * np.sqrt((width[first] ** 2 + width[second] ** 2) / 2)
    return layout.edges[near]


def _overlaps(parameters: Floats, curvature: Floats, pairs: Ints) -> Floats:
    """Give the off-diagonal blocks of the joint curvature, (pair, 4, 4).

    Weights and pixels that do not count are taken as they are, on average,
    at the two sites.
    """
    width = np.exp(parameters[:, LOG_WIDTH])
    weight = np.sqrt(curvature[:, AMPLITUDE, AMPLITUDE] / (np.pi * width**2))
    i, j = pairs[:, 0], pairs[:, 1]
    overlaps = gaussian_overlaps(parameters[i], parameters[j])
    return overlaps * (weight[i] * weight[j])[:, None, None]


def _joint_step(
    scene: _Scene,
    layout: _Layout,
    state: _State,
    normal: _Normal,
    damping: Floats,
    pull: float,
    *,
    held: bool,
) -> tuple[Floats, Floats]:
    """Solve the joint normal equations by conjugate gradients.

    Everything is scaled to a unit diagonal. The preconditioner solves each
    site and the background by themselves.
    """
    n_sites = len(scene.parameters)
    curvature = state.curvature[:, _SITE, _SITE].copy()
    gradient = state.gradient[:, _SITE].copy()
    gradient[:, LOG_WIDTH] -= pull * (scene.parameters[:, LOG_WIDTH] - scene.log_width)
    curvature[:, LOG_WIDTH, LOG_WIDTH] += pull
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 0.0)
    if held:
        scale[:, 1:] = 0
    number = np.arange(4)
    blocks = curvature * scale[:, :, None] * scale[:, None, :]
    blocks[:, number, number] = 1 + np.maximum(damping, _LEAST_DAMPING)[:, None]
    overlaps = _overlaps(scene.parameters, state.curvature, normal.pairs)
    i, j = normal.pairs[:, 0], normal.pairs[:, 1]
    overlaps *= scale[i, :, None] * scale[j, None, :]
    sites = _block_matrix(blocks, overlaps, normal.pairs)
    alone = _block_matrix(np.linalg.inv(blocks), overlaps[:0], normal.pairs[:0])
    coupling = _site_knot_curvature(scene, layout, state.curvature)
    coupling.data *= np.repeat(scale.ravel(), np.diff(coupling.indptr))
    turned = sparse.csr_array(coupling.T)
    factor = sparse.linalg.splu(sparse.csc_matrix(normal.background))
    cut = 4 * n_sites

    def apply(vector: Floats) -> Floats:
        site_part, knots = vector[:cut], vector[cut:]
        upper = sites @ site_part
        upper += coupling @ knots
        lower = normal.background @ knots
        lower += turned @ site_part
        return np.concatenate([upper, lower])

    def precondition(vector: Floats) -> Floats:
        return np.concatenate([alone @ vector[:cut], factor.solve(vector[cut:])])

    weighted = state.weight * state.residual
    on_knots = (scene.hats.along_y.T @ weighted @ scene.hats.along_x).ravel()
    on_knots -= normal.stiffness @ scene.knots.ravel()
    right = np.concatenate([(gradient * scale).ravel(), on_knots])
    step = _conjugate_gradients(apply, precondition, right)
    full = np.zeros((n_sites, N_PARAMETERS))
    full[:, _SITE] = step[:cut].reshape(-1, 4) * scale
    return full, step[cut:].reshape(scene.knots.shape)


def _block_matrix(blocks: Floats, overlaps: Floats, pairs: Ints) -> sparse.bsr_array:
    """Assemble the symmetric matrix of diagonal blocks and of one block a pair."""
    n_sites = len(blocks)
    own = np.arange(n_sites)
    row = np.concatenate([own, pairs[:, 0], pairs[:, 1]])
    column = np.concatenate([own, pairs[:, 1], pairs[:, 0]])
    entries = np.concatenate([blocks, overlaps, np.swapaxes(overlaps, 1, 2)])
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(n_sites + 1))
    return sparse.bsr_array(
        (entries[order], column[order], first), shape=(4 * n_sites, 4 * n_sites)
    )


def _conjugate_gradients(
    apply: Callable[[Floats], Floats], precondition: Callable[[Floats], Floats], right: Floats
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
        if size <= _STEP_PRECISION**2 * start:
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


def _within_bounds(now: Floats, then: Floats, scene: _Scene) -> Floats:
    """Keep steps short and fits from running away: those that end at a bound have failed."""
    width = np.exp(now[:, LOG_WIDTH])
    move = then[:, [Y, X]] - now[:, [Y, X]]
    length = np.maximum(np.linalg.norm(move, axis=1), 1e-12)
    then[:, [Y, X]] = now[:, [Y, X]] + move * np.minimum(1, 0.75 * width / length)[:, None]
    shift = then[:, [Y, X]] - scene.start
    length = np.maximum(np.linalg.norm(shift, axis=1), 1e-12)
    then[:, [Y, X]] = scene.start + shift * np.minimum(1, scene.max_shift / length)[:, None]
    then[:, AMPLITUDE] = np.maximum(then[:, AMPLITUDE], 0.3 * now[:, AMPLITUDE])
    then[:, AMPLITUDE] = np.maximum(then[:, AMPLITUDE], _LEAST_AMPLITUDE)
    change = np.clip(then[:, LOG_WIDTH] - now[:, LOG_WIDTH], -0.35, 0.35)
    low, high = scene.log_width - _WIDTH_RANGE, scene.log_width + _WIDTH_RANGE
    then[:, LOG_WIDTH] = np.clip(now[:, LOG_WIDTH] + change, low, high)
    return then


def _learn_widths(scene: _Scene) -> None:
    """Take the prior of the widths from all fits so far."""
    log_widths = scene.parameters[:, LOG_WIDTH]
    scene.log_width = float(np.median(log_widths))
    deviation = 1.4826 * float(np.median(np.abs(log_widths - scene.log_width)))
    scene.spread = max(_WIDTH_SPREAD, deviation)


def _upper_width(scene: _Scene) -> float:
    return float(np.exp(np.quantile(scene.parameters[:, LOG_WIDTH], 0.75)))


# ---- noise


def _weight(scene: _Scene, layout: _Layout, solution: _Solution) -> Floats:
    """Give the inverse variance of every pixel near sites, 0 where it is not usable."""
    offset, gain, floor = _noise_model(scene, layout, solution.state)
    variance = np.maximum(offset + gain * (scene.image - solution.state.residual), floor)
    weight: Floats = _covered(scene, layout) / variance
    return weight


def _noise_model(scene: _Scene, layout: _Layout, state: _State) -> tuple[float, float, float]:
    """Find how the variance grows with the signal: offset, gain and the lowest met.

    Squared residuals are divided by one minus their leverage, the share of
    noise that the fit has swallowed, largest where the sites are bright.
    """
    n_sites = len(scene.parameters)
    sample = np.arange(n_sites)[:: -(-n_sites // _SAMPLE)]
    inverse = covariance_from_curvature(state.curvature[sample][:, _SITE, _SITE])
    signal, square = [], []
    per_chunk = max(1, _CHUNK_PIXELS // (layout.shape[0] * layout.shape[1]))
    for at in range(0, sample.size, per_chunk):
        part = sample[at : at + per_chunk]
        where = layout.row[part], layout.column[part]
        parameters = scene.parameters[part]
        profiles = gaussian_profiles(parameters, *_pixels(scene, layout, part))
        residual = _windows(state.residual, layout)[where].reshape(len(part), -1)
        image = _windows(scene.image, layout)[where].reshape(len(part), -1)
        weight = _windows(state.weight, layout)[where].reshape(len(part), -1)
        jacobian = gaussian_jacobian(parameters, profiles)[..., _SITE].reshape(len(part), -1, 4)
        leverage = np.sum(np.matmul(jacobian, inverse[at : at + per_chunk]) * jacobian, axis=-1)
        keep = (weight > 0) & (leverage < 0.9)
        signal.append((image - residual)[keep])
        square.append(residual[keep] ** 2 / (1 - leverage[keep]))
    return _line_of_variance(np.concatenate(signal), np.concatenate(square))


def _line_of_variance(signal: Floats, square: Floats) -> tuple[float, float, float]:
    whole = max(float(np.mean(square)), 1e-12) if square.size else 1.0
    if signal.size < 1000:
        return whole, 0.0, whole
    low, high = np.quantile(signal, [0.005, 0.995])
    bins = np.linspace(low, high, 13)
    number = np.clip(np.searchsorted(bins, signal) - 1, 0, 11)
    count = np.bincount(number, minlength=12)
    good = count >= 50
    count = np.maximum(count, 1)
    center = (np.bincount(number, signal, minlength=12) / count)[good]
    variance = (np.bincount(number, square, minlength=12) / count)[good]
    count = count[good]
    if center.size < 3:
        return whole, 0.0, whole
    fitted = np.full(center.size, whole)
    design = np.stack([np.ones_like(center), center], axis=1)
    for _ in range(3):
        # The variance of a mean of squares of normal numbers is 2 variance^2 / n.
        precision = count / (2 * fitted**2)
        normal = design.T @ (precision[:, None] * design)
        offset, gain = np.linalg.solve(normal, design.T @ (precision * variance))
        fitted = np.maximum(offset + gain * center, 0.05 * whole)
    error = float(np.sqrt(np.linalg.inv(normal)[1, 1]))
    if gain < 4 * error or gain * (center[-1] - center[0]) < 0.1 * whole:
        return whole, 0.0, whole
    return float(offset), float(gain), max(0.5 * float(variance.min()), 0.05 * whole)


# ---- result


def _conclude(scene: _Scene, layout: _Layout, solution: _Solution, pad: int) -> GaussianFit:
    state, parameters = solution.state, scene.parameters
    pixel = np.rint(parameters[:, [Y, X]] / scene.step).astype(np.intp)
    pixel = np.clip(pixel, 0, np.array(scene.image.shape) - 1)
    background = _background(scene)[pixel[:, 0], pixel[:, 1]]
    quality = state.noise
    curvature = state.curvature[:, _SITE, _SITE].copy()
    curvature[:, LOG_WIDTH, LOG_WIDTH] += quality / scene.spread**2
    reduced = _without_neighbors(parameters, state, curvature, solution.pairs)
    covariance = covariance_from_curvature(reduced)[:, Y : X + 1, Y : X + 1]
    covariance *= quality[:, None, None]
    shift = np.linalg.norm(parameters[:, [Y, X]] - scene.start, axis=1)
    error = np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    excess = np.abs(parameters[:, LOG_WIDTH] - scene.log_width)
    ok = (
        (solution.decrement < _COARSE)
        & (shift < scene.max_shift * (1 - 1e-6))
        & (parameters[:, AMPLITUDE] > _LEAST_AMPLITUDE * (1 + 1e-6))
        & (excess < _WIDTH_RANGE * (1 - 1e-6))
        & (error < scene.max_shift)
    )
    return GaussianFit(
        position=parameters[:, [Y, X]] - pad * np.array(scene.step),
        covariance=covariance,
        amplitude=scene.scale * parameters[:, AMPLITUDE],
        background=scene.level + scene.scale * background,
        width=np.exp(parameters[:, LOG_WIDTH]),
        quality=quality,
        ok=ok,
    )


def _without_neighbors(parameters: Floats, state: _State, curvature: Floats, pairs: Ints) -> Floats:
    """Eliminate the parameters of the overlapping neighbors from each site's curvature.

    The Schur complement with respect to each neighbor by itself: exact where
    the neighbors of a site do not overlap one another.
    """
    inverse = covariance_from_curvature(curvature)
    overlaps = _overlaps(parameters, state.curvature, pairs)
    turned = np.swapaxes(overlaps, 1, 2)
    i, j = pairs[:, 0], pairs[:, 1]
    reduced = curvature.copy()
    np.subtract.at(reduced, i, overlaps @ inverse[j] @ turned)
    np.subtract.at(reduced, j, turned @ inverse[i] @ overlaps)
    return reduced
