"""Joint fit of many overlapping Gaussians to one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
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
    NormalEquations,
    covariance_from_curvature,
    damped_step,
    next_damping,
)

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

# 3.5 widths from its center a Gaussian is at 0.2 % of its height: below the noise worth fitting.
_WINDOW_IN_WIDTHS: Final = 7.0
# Windows of a chunk stay in the processor's cache.
_CHUNK_PIXELS: Final = 60_000
# A start is settled when no fit wants to move by more than a third of its standard error ...
_COARSE: Final = 0.1
# ... and the answer when it is 3 %, which adds 0.05 % to the error.
_FINE: Final = 1e-3
_MAX_SWEEPS: Final = 40
# Logarithm of the width: atoms of one image are alike within a quarter unless they show otherwise.
_WIDTH_SPREAD: Final = 0.25
# Three times as wide or narrow as the others is not the same kind of thing.
_WIDTH_RANGE: Final = 1.1
# Below a hundredth of the typical height there is no site.
_LEAST_AMPLITUDE: Final = 0.01
_SAMPLE: Final = 600
# Overlap of two Gaussians farther apart changes no error by a thousandth.
_OVERLAP_IN_WIDTHS: Final = 5.5


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
    """Where every site's window lies, and which windows may be worked on together."""

    row: Ints
    column: Ints
    shape: tuple[int, int]
    edges: Ints
    batches: list[Ints]


@dataclass
class _Scene:
    """The image with a rim of padding, and the state of all sites in it.

    Values are in heights of a typical site above `level`, so that
    amplitudes are near 1 and positive; lengths are in mean pixels from the
    first pixel of the padding. `remainder` is the image minus all
    Gaussians; the backgrounds remain in it, for every window has its own.
    """

    image: Floats
    usable: Floats
    step: tuple[float, float]
    start: Floats
    max_shift: float
    level: float
    scale: float
    parameters: Floats
    log_width: float
    spread: float = 2 * _WIDTH_SPREAD


@dataclass
class _Sweeps:
    """What changes while the sites take turns."""

    remainder: Floats
    weight: Floats
    damping: Floats
    decrement: Floats


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
    """Fit one round Gaussian a site, with those of all other sites subtracted.

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
    sweeps = _sweep(scene, layout, scene.usable, tolerance=_COARSE)
    _learn_widths(scene)
    layout = _layout(scene, side or min(_WINDOW_IN_WIDTHS * _upper_width(scene), widest))
    weight = _weight(scene, layout, sweeps)
    sweeps = _sweep(scene, layout, weight, tolerance=_FINE)
    found = _conclude(scene, layout, sweeps, pad)
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
    """Center a window on every site and let overlapping windows take turns."""
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


def _pixels(scene: _Scene, layout: _Layout, sites: Ints) -> tuple[Floats, Floats]:
    """Give the places of the rows and columns of windows."""
    h, w = layout.shape
    rows = (layout.row[sites, None] + np.arange(h)) * scene.step[0]
    columns = (layout.column[sites, None] + np.arange(w)) * scene.step[1]
    return rows, columns


def _windows(image: Floats, layout: _Layout) -> Floats:
    return sliding_window_view(image, layout.shape, writeable=True)  # type: ignore[call-overload,no-any-return]


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
    """Find the common width, the sign and the heights by linear fits at the start."""
    known = np.asarray(values[usable], dtype=np.float64)
    level, scale = float(np.median(known)), float(np.std(known))
    if not scale > 0:
        return None
    image = np.pad(np.where(usable, (values - level) / scale, 0.0), pad)
    scene = _Scene(
        image=image,
        usable=np.pad(usable.astype(np.float64), pad),
        step=step,
        start=start + pad * np.array(step),
        max_shift=max_shift,
        level=level,
        scale=scale,
        parameters=np.zeros((len(start), N_PARAMETERS)),
        log_width=0.0,
    )
    scene.parameters[:, [Y, X]] = scene.start
    look = _layout(scene, min(max(spacing, 5 * max(step)), 2 * pad * min(step)))
    sample = np.arange(len(start))[:: -(-len(start) // _SAMPLE)]
    best = -np.inf
    for width in spacing * np.geomspace(0.05, 0.5, 12):
        if width < 0.4:
            continue
        amplitude, _, explained = _linear_fit(scene, look, sample, np.log(width))
        towards = sign or int(np.sign(np.median(amplitude))) or 1
        total = float(np.sum(explained[amplitude * towards > 0]))
        if total > best:
            best, best_sign, scene.log_width = total, towards, float(np.log(width))
    if not best > 0:
        return None
    chunks = np.array_split(np.arange(len(start)), -(-len(start) * np.prod(look.shape) // 10**6))
    for part in chunks:
        amplitude, background, _ = _linear_fit(scene, look, part, scene.log_width)
        scene.parameters[part, AMPLITUDE] = best_sign * amplitude
        scene.parameters[part, BACKGROUND] = best_sign * background
    heights = scene.parameters[:, AMPLITUDE]
    height = float(np.median(heights[heights > 0]))
    scene.parameters[:, [AMPLITUDE, BACKGROUND]] /= height
    scene.image *= best_sign / height
    scene.scale *= best_sign * height
    np.maximum(heights, 0.2, out=heights)
    scene.parameters[:, LOG_WIDTH] = scene.log_width
    return scene


def _linear_fit(
    scene: _Scene, layout: _Layout, sites: Ints, log_width: float
) -> tuple[Floats, Floats, Floats]:
    """Fit amplitude and background with place and width held; also what they explain."""
    parameters = scene.parameters[sites].copy()
    parameters[:, LOG_WIDTH] = log_width
    profiles = gaussian_profiles(parameters, *_pixels(scene, layout, sites))
    shape = gaussian_windows(np.ones(len(sites)), profiles)
    where = layout.row[sites], layout.column[sites]
    weight = _windows(scene.usable, layout)[where]
    image = _windows(scene.image, layout)[where]
    n = np.maximum(weight.sum(axis=(1, 2)), 1)
    shape -= (np.sum(weight * shape, axis=(1, 2)) / n)[:, None, None]
    mean_shape = np.sum(weight * np.square(shape), axis=(1, 2))
    covariation = np.sum(weight * shape * image, axis=(1, 2))
    amplitude = covariation / np.maximum(mean_shape, 1e-6)
    full = gaussian_windows(amplitude, profiles)
    background = np.sum(weight * (image - full), axis=(1, 2)) / n
    return amplitude, background, amplitude * covariation


# ---- sweeps


def _sweep(scene: _Scene, layout: _Layout, weight: Floats, *, tolerance: float) -> _Sweeps:
    """Let sites take turns until none wants to move by much of its own error."""
    n_sites = len(scene.parameters)
    sweeps = _Sweeps(
        remainder=_remainder(scene, layout),
        weight=weight,
        damping=np.full(n_sites, DAMPING_START),
        decrement=np.full(n_sites, np.inf),
    )
    active = np.ones(n_sites, dtype=bool)
    first, second = layout.edges[:, 0], layout.edges[:, 1]
    for _ in range(_MAX_SWEEPS):
        for batch in layout.batches:
            turn = batch[active[batch]]
            if turn.size:
                _visit(scene, layout, sweeps, turn)
        moving = sweeps.decrement > tolerance
        active = moving.copy()
        active[second[moving[first]]] = True
        active[first[moving[second]]] = True
        if not moving.any():
            break
    return sweeps


def _remainder(scene: _Scene, layout: _Layout) -> Floats:
    remainder = scene.image.copy()
    windows = _windows(remainder, layout)
    for batch in layout.batches:
        parameters = scene.parameters[batch]
        profiles = gaussian_profiles(parameters, *_pixels(scene, layout, batch))
        windows[layout.row[batch], layout.column[batch]] -= gaussian_windows(
            parameters[:, AMPLITUDE], profiles
        )
    return remainder


def _visit(scene: _Scene, layout: _Layout, sweeps: _Sweeps, sites: Ints) -> None:
    """Take one damped step at sites whose windows do not overlap."""
    where = layout.row[sites], layout.column[sites]
    pixels = _pixels(scene, layout, sites)
    remainders = _windows(sweeps.remainder, layout)
    weight = _windows(sweeps.weight, layout)[where]
    here = remainders[where]
    now = scene.parameters[sites]
    profiles = gaussian_profiles(now, *pixels)
    residual = here - now[:, BACKGROUND, None, None]
    equations = gaussian_equations(now, profiles, residual, weight)
    noise = _noise(equations.cost, weight)
    equations, stiffness = _with_prior(equations, now, noise, scene)
    then = _within_bounds(now + damped_step(equations, sweeps.damping[sites]), sites, scene)
    here += gaussian_windows(now[:, AMPLITUDE], profiles)
    here -= gaussian_windows(then[:, AMPLITUDE], gaussian_profiles(then, *pixels))
    residual = here - then[:, BACKGROUND, None, None]
    cost = np.sum(weight * residual * residual, axis=(1, 2))
    cost += stiffness * (then[:, LOG_WIDTH] - scene.log_width) ** 2
    accepted = cost <= equations.cost * (1 + 1e-12)
    sweeps.damping[sites] = next_damping(sweeps.damping[sites], accepted)
    gain = np.sum(equations.gradient * (then - now), axis=1)
    sweeps.decrement[sites] = gain / noise
    scene.parameters[sites[accepted]] = then[accepted]
    remainders[where[0][accepted], where[1][accepted]] = here[accepted]


def _noise(cost: Floats, weight: Floats) -> Floats:
    """Estimate the variance of the residuals in units of 1 / weight."""
    n_pixels = np.count_nonzero(weight, axis=(1, 2))
    return np.maximum(cost / np.maximum(n_pixels - N_PARAMETERS, 1), 1e-12)


def _with_prior(
    equations: NormalEquations, parameters: Floats, noise: Floats, scene: _Scene
) -> tuple[NormalEquations, Floats]:
    """Add what is known of the width from the other sites."""
    stiffness = noise / scene.spread**2
    excess = parameters[:, LOG_WIDTH] - scene.log_width
    gradient, curvature = equations.gradient, equations.curvature
    gradient[:, LOG_WIDTH] -= stiffness * excess
    curvature[:, LOG_WIDTH, LOG_WIDTH] += stiffness
    cost = equations.cost + stiffness * excess**2
    return NormalEquations(cost, gradient, curvature), stiffness


def _within_bounds(parameters: Floats, sites: Ints, scene: _Scene) -> Floats:
    """Keep fits from running away: those that end at a bound have failed."""
    np.maximum(parameters[:, AMPLITUDE], _LEAST_AMPLITUDE, out=parameters[:, AMPLITUDE])
    low, high = scene.log_width - _WIDTH_RANGE, scene.log_width + _WIDTH_RANGE
    parameters[:, LOG_WIDTH] = np.clip(parameters[:, LOG_WIDTH], low, high)
    shift = parameters[:, [Y, X]] - scene.start[sites]
    distance = np.hypot(shift[:, 0], shift[:, 1])
    allowed = np.minimum(1, scene.max_shift / np.maximum(distance, 1e-12))
    parameters[:, [Y, X]] = scene.start[sites] + shift * allowed[:, None]
    return parameters


def _learn_widths(scene: _Scene) -> None:
    """Take the prior of the widths from all fits so far."""
    log_widths = scene.parameters[:, LOG_WIDTH]
    scene.log_width = float(np.median(log_widths))
    deviation = 1.4826 * float(np.median(np.abs(log_widths - scene.log_width)))
    scene.spread = max(_WIDTH_SPREAD, deviation)


def _upper_width(scene: _Scene) -> float:
    return float(np.exp(np.quantile(scene.parameters[:, LOG_WIDTH], 0.75)))


# ---- noise


def _weight(scene: _Scene, layout: _Layout, sweeps: _Sweeps) -> Floats:
    """Give the inverse variance of every pixel, 0 where it is not usable."""
    offset, gain, floor = _noise_model(scene, layout, sweeps)
    background = _background(scene, layout)
    signal = scene.image - sweeps.remainder + background
    variance = np.maximum(offset + gain * signal, floor)
    weight: Floats = scene.usable / variance
    return weight


def _noise_model(scene: _Scene, layout: _Layout, sweeps: _Sweeps) -> tuple[float, float, float]:
    """Find how the variance grows with the signal: offset, gain and the lowest met.

    Squared residuals are divided by one minus their leverage, the share of
    noise that the fit has swallowed, largest where the sites are bright.
    """
    n_sites = len(scene.parameters)
    sample = np.arange(n_sites)[:: -(-n_sites // _SAMPLE)]
    signal, square = [], []
    per_batch = max(1, _CHUNK_PIXELS // np.prod(layout.shape))
    for part in np.array_split(sample, -(-sample.size // per_batch)):
        where = layout.row[part], layout.column[part]
        parameters = scene.parameters[part]
        profiles = gaussian_profiles(parameters, *_pixels(scene, layout, part))
        weight = _windows(sweeps.weight, layout)[where]
        image = _windows(scene.image, layout)[where]
        residual = _windows(sweeps.remainder, layout)[where] - parameters[:, BACKGROUND, None, None]
        equations = gaussian_equations(parameters, profiles, residual, weight)
        inverse = covariance_from_curvature(equations.curvature)
        jacobian = gaussian_jacobian(parameters, profiles).reshape(len(part), -1, N_PARAMETERS)
        leverage = np.sum(np.matmul(jacobian, inverse) * jacobian, axis=-1)
        keep = (weight.reshape(leverage.shape) > 0) & (leverage < 0.9)
        signal.append((image - residual).reshape(leverage.shape)[keep])
        square.append((residual.reshape(leverage.shape)[keep] ** 2) / (1 - leverage[keep]))
    return _line_of_variance(np.concatenate(signal), np.concatenate(square))


def _line_of_variance(signal: Floats, square: Floats) -> tuple[float, float, float]:
    whole = float(np.mean(square)) if square.size else 1.0
    whole = max(whole, 1e-12)
    if signal.size < 1000:
        return whole, 0.0, whole
    low, high = np.quantile(signal, [0.005, 0.995])
    bins = np.linspace(low, high, 13)
    number = np.clip(np.searchsorted(bins, signal) - 1, 0, 11)
    count = np.bincount(number, minlength=12)
    good = count >= 50
    count = np.maximum(count, 1)
    center = np.bincount(number, signal, minlength=12) / count
    variance = np.bincount(number, square, minlength=12) / count
    center, variance, count = center[good], variance[good], count[good]
    if center.size < 3:
        return whole, 0.0, whole
    fitted = np.full(center.size, whole)
    for _ in range(3):
        # The variance of a mean of squares of normal numbers is 2 variance^2 / n.
        precision = count / (2 * fitted**2)
        design = np.stack([np.ones_like(center), center], axis=1)
        normal = design.T @ (precision[:, None] * design)
        offset, gain = np.linalg.solve(normal, design.T @ (precision * variance))
        fitted = np.maximum(offset + gain * center, 0.05 * whole)
    error = float(np.sqrt(np.linalg.inv(normal)[1, 1]))
    matters = gain * (center[-1] - center[0]) > 0.1 * whole
    if gain < 4 * error or not matters:
        return whole, 0.0, whole
    return float(offset), float(gain), max(0.5 * float(variance.min()), 0.05 * whole)


def _background(scene: _Scene, layout: _Layout) -> Floats:
    """Average the backgrounds of the windows that cover a pixel."""
    total, count = np.zeros_like(scene.image), np.zeros_like(scene.image)
    for batch in layout.batches:
        where = layout.row[batch], layout.column[batch]
        _windows(total, layout)[where] += scene.parameters[batch, BACKGROUND, None, None]
        _windows(count, layout)[where] += 1.0
    return np.divide(total, count, out=total, where=count > 0)


# ---- result


def _conclude(scene: _Scene, layout: _Layout, sweeps: _Sweeps, pad: int) -> GaussianFit:
    curvature, quality = _final_equations(scene, layout, sweeps)
    covariance = covariance_from_curvature(_without_neighbors(scene, layout, sweeps, curvature))
    covariance = covariance[:, Y : X + 1, Y : X + 1] * quality[:, None, None]
    parameters = scene.parameters
    shift = np.linalg.norm(parameters[:, [Y, X]] - scene.start, axis=1)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    excess = np.abs(parameters[:, LOG_WIDTH] - scene.log_width)
    ok = (
        (sweeps.decrement < _COARSE)
        & (shift < scene.max_shift * (1 - 1e-6))
        & (parameters[:, AMPLITUDE] > _LEAST_AMPLITUDE * (1 + 1e-6))
        & (excess < _WIDTH_RANGE * (1 - 1e-6))
        & (error < scene.max_shift)
    )
    return GaussianFit(
        position=parameters[:, [Y, X]] - pad * np.array(scene.step),
        covariance=covariance,
        amplitude=scene.scale * parameters[:, AMPLITUDE],
        background=scene.level + scene.scale * parameters[:, BACKGROUND],
        width=np.exp(parameters[:, LOG_WIDTH]),
        quality=quality,
        ok=ok,
    )


def _final_equations(scene: _Scene, layout: _Layout, sweeps: _Sweeps) -> tuple[Floats, Floats]:
    """Give the curvature of every site and its reduced chi squared."""
    n_sites = len(scene.parameters)
    curvature = np.empty((n_sites, N_PARAMETERS, N_PARAMETERS))
    quality = np.empty(n_sites)
    for sites in layout.batches:
        where = layout.row[sites], layout.column[sites]
        now = scene.parameters[sites]
        profiles = gaussian_profiles(now, *_pixels(scene, layout, sites))
        weight = _windows(sweeps.weight, layout)[where]
        residual = _windows(sweeps.remainder, layout)[where] - now[:, BACKGROUND, None, None]
        equations = gaussian_equations(now, profiles, residual, weight)
        quality[sites] = _noise(equations.cost, weight)
        curvature[sites] = _with_prior(equations, now, quality[sites], scene)[0].curvature
    return curvature, quality


def _without_neighbors(
    scene: _Scene, layout: _Layout, sweeps: _Sweeps, curvature: Floats
) -> Floats:
    """Eliminate the parameters of the overlapping neighbors from each site's curvature.

    The Schur complement with respect to each neighbor by itself: exact where
    the neighbors of a site do not overlap one another.
    """
    parameters = scene.parameters
    first, second = layout.edges[:, 0], layout.edges[:, 1]
    apart = np.linalg.norm(parameters[first][:, [Y, X]] - parameters[second][:, [Y, X]], axis=1)
    width = np.exp(parameters[:, LOG_WIDTH])
    near = apart < _OVERLAP_IN_WIDTHS * np.hypot(width[first], width[second]) / np.sqrt(2)
    pairs = layout.edges[near]
    inverse = covariance_from_curvature(curvature)
    reduced = curvature.copy()
    per_batch = max(1, _CHUNK_PIXELS // np.prod(layout.shape))
    for part in np.array_split(pairs, max(1, -(-len(pairs) // per_batch))):
        i, j = part[:, 0], part[:, 1]
        pixels = _pixels(scene, layout, i)
        weight = _windows(sweeps.weight, layout)[layout.row[i], layout.column[i]]
        profiles = [gaussian_profiles(parameters[k], *pixels) for k in (i, j)]
        overlap = gaussian_overlaps(parameters[i], profiles[0], parameters[j], profiles[1], weight)
        overlap[:, BACKGROUND] = 0
        turned = np.swapaxes(overlap, 1, 2)
        np.subtract.at(reduced, i, overlap @ inverse[j] @ turned)
        np.subtract.at(reduced, j, turned @ inverse[i] @ overlap)
    return reduced
