"""Fit of many overlapping Gaussians and a smooth background to one image."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.gaussian_scene import (
    Hats,
    Layout,
    Scene,
    background_at_sites,
    chunks_of,
    covered_pixels,
    hats_along,
    layout_windows,
    window_pixels,
    windows_of,
)
from adatom.numerics.gaussian_steps import (
    LEAST_AMPLITUDE,
    SITE,
    WIDTH_RANGE,
    Solution,
    site_errors,
    solve_jointly,
)
from adatom.numerics.gaussians import (
    AMPLITUDE,
    LOG_WIDTH,
    N_PARAMETERS,
    X,
    Y,
    gaussian_jacobian,
    gaussian_profiles,
    gaussian_windows,
)
from adatom.numerics.least_squares import covariance_from_curvature
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.peaks import thin_out
from adatom.numerics.pixel_bins import MOSTLY, average_pixels

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

# 3.5 widths from its center a Gaussian is at 0.2 % of its height: below the noise worth fitting.
_WINDOW_IN_WIDTHS: Final = 7.0
# A start is settled when no fit wants to move by more than half its standard error ...
_COARSE: Final = 0.25
# ... and the answer when it is 4 %, which adds 0.1 % to the error.
_FINE: Final = 2e-3
# Pixels per width that are enough; finer ones are averaged. Of the error of a place this costs
# up to 2 %: half the variance of a place in a pixel, 1/12, over that of the Gaussian.
_PER_WIDTH: Final = 1.5
# Each leaves fewer sites that lie on one another.
_MOST_FITS: Final = 5
_LEAST_KEPT: Final = 0.95
# A window with fewer pixels along a side than this tells too little of five parameters.
_LEAST_SIDE: Final = 5
# The background bends on the scale of three sites: fewer would be taken for sites.
_KNOTS_IN_SPACINGS: Final = 3.0
# Logarithm of the width: atoms of one image are alike within a quarter unless they show otherwise.
_WIDTH_SPREAD: Final = 0.25
# What the best place within reach in pure noise has by chance.
_LEAST_SIGNIFICANCE: Final = 3.0
_SAMPLE: Final = 600


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
    volume_error : array, shape (site,)
        Of the logarithm of amplitude times width squared.
    quality : array, shape (site,)
        Reduced chi squared against the noise of the whole image.
    ok : array of bool, shape (site,)
    single : array of bool, shape (site,)
        False where a site came to lie on a brighter one, and was left out.
    """

    position: Floats
    covariance: Floats
    amplitude: Floats
    background: Floats
    width: Floats
    volume_error: Floats
    quality: Floats
    ok: Bools
    single: Bools


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
    apart: float | None = None,
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
    apart : float, optional
        Of two sites that come to lie nearer than this the fainter one is left
        out, and what it had taken goes to the other.
    """
    # Rows first: neighbors in the image are neighbors in memory, and the answer
    # does not depend on the order in which sites were given.
    order = np.lexsort((start[:, 1], start[:, 0]))
    order = order[_inside(start[order], values.shape, step)]
    fit = _failed(len(start))
    if not order.size or not usable.any():
        return fit
    task = _Task(
        values=values,
        share=usable.astype(np.float64),
        start=start[order],
        step=step,
        spacing=spacing,
        side=side,
        max_shift=max_shift,
        sign=sign,
        apart=apart,
    )
    with single_threaded_blas():
        scene = _first_look(task)
        if scene is None:
            return fit
        coarse = _averaged(task, float(np.exp(scene.log_width)))
        if coarse is None:
            found = _fit_scene(scene, task)
        else:
            scene = _first_look(coarse)
            if scene is None:
                return fit
            found = _on_pixels_of(task, coarse, _fit_scene(scene, coarse))
    for field in fields(GaussianFit):
        getattr(fit, field.name)[order] = getattr(found, field.name)
    return fit


@dataclass(frozen=True)
class _Task:
    """What `fit_gaussians` is asked, the sites in order, and pixels that may count in part."""

    values: NDArray[np.generic]
    share: Floats
    start: Floats
    step: tuple[float, float]
    spacing: float
    side: float | None
    max_shift: float
    sign: int | None
    apart: float | None

    @property
    def widest(self) -> float:
        """Give the largest side of a window."""
        return self.side or 3 * self.spacing

    @property
    def pad(self) -> int:
        """Give the pixels by which windows reach beyond the image."""
        return int(np.ceil(self.widest / 2 / min(self.step))) + 2


def _averaged(task: _Task, width: float) -> _Task | None:
    """Average pixels that are much finer than the Gaussians; None if they are not.

    Lengths are then in the new mean pixels, from the center of the first of them.
    """
    most = width / _PER_WIDTH
    if task.side is not None:
        most = min(most, task.side / _LEAST_SIDE)
    factors = tuple(max(1, int(most / step)) for step in task.step)
    if max(factors) == 1:
        return None
    values, share = average_pixels(task.values, task.share > 0, (factors[0], factors[1]))
    known = np.where(share >= MOSTLY, share, 0.0)
    # Where pixels are missing all over the image, averages would waste too many.
    if known.sum() < _LEAST_KEPT * share.sum():
        return None
    unit = float(np.sqrt(factors[0] * factors[1]))
    return _Task(
        values=values,
        share=known,
        start=(task.start - _first_center(task, factors)) / unit,
        step=(task.step[0] * factors[0] / unit, task.step[1] * factors[1] / unit),
        spacing=task.spacing / unit,
        side=None if task.side is None else task.side / unit,
        max_shift=task.max_shift / unit,
        sign=task.sign,
        apart=None if task.apart is None else task.apart / unit,
    )


def _first_center(task: _Task, factors: tuple[int, ...]) -> Floats:
    center: Floats = 0.5 * (np.array(factors) - 1) * np.array(task.step)
    return center


def _on_pixels_of(task: _Task, coarse: _Task, fit: GaussianFit) -> GaussianFit:
    """Bring a fit to averaged pixels back to those of the image.

    The mean over a pixel makes a Gaussian wider by the variance of a place in the pixel, and
    leaves its volume as it is.
    """
    unit = task.spacing / coarse.spacing
    steps = [np.array(t.step) * u for t, u in ((task, 1.0), (coarse, unit))]
    blur = float(np.mean(steps[1] ** 2 - steps[0] ** 2)) / 12
    seen = fit.width * unit
    width = np.sqrt(np.maximum(seen**2 - blur, 0.25 * seen**2))
    position = fit.position * unit + 0.5 * (steps[1] - steps[0])
    return replace(
        fit,
        position=position,
        covariance=fit.covariance * unit**2,
        amplitude=fit.amplitude * (seen / width) ** 2,
        width=width,
        ok=fit.ok & _inside(position, task.values.shape, task.step),
    )


def _fit_scene(scene: Scene, task: _Task) -> GaussianFit:
    n_sites = len(scene.parameters)
    kept = np.arange(n_sites)
    _settle(scene, task, from_start=True)
    # Sites that still come together after so many fits are left as they are.
    for is_last in (False,) * (_MOST_FITS - 1) + (True,):
        solution = _settle(scene, task, from_start=False)
        single = _singles(scene, task)
        if is_last or single.size == kept.size:
            layout = _laid_out(scene, task)
            weight = covered_pixels(scene, layout) / _variance(scene, layout, solution)
            solution = solve_jointly(scene, layout, weight, tolerance=_FINE)
            single = _singles(scene, task)
            if is_last or single.size == kept.size:
                break
        scene, kept = _with_sites(scene, single), kept[single]
    return _among(_conclude(scene, layout, solution, task.pad), kept, n_sites)


def _singles(scene: Scene, task: _Task) -> Ints:
    """List the sites that do not lie on a brighter one; those that ran away count as at start."""
    if task.apart is None:
        return np.arange(len(scene.parameters))
    place = scene.parameters[:, [Y, X]]
    far = np.linalg.norm(place - scene.start, axis=1) >= scene.max_shift * (1 - 1e-6)
    place = np.where(far[:, None], scene.start, place)
    return np.sort(thin_out(place, scene.parameters[:, AMPLITUDE], distance=task.apart))


def _with_sites(scene: Scene, sites: Ints) -> Scene:
    return replace(scene, start=scene.start[sites], parameters=scene.parameters[sites])


def _among(fit: GaussianFit, kept: Ints, n_sites: int) -> GaussianFit:
    """Put the fit of some sites among all of them."""
    whole = _failed(n_sites)
    for field in fields(GaussianFit):
        getattr(whole, field.name)[kept] = getattr(fit, field.name)
    whole.single[np.setdiff1d(np.arange(n_sites), kept)] = False
    return whole


def _settle(scene: Scene, task: _Task, *, from_start: bool) -> Solution:
    layout = _laid_out(scene, task)
    covered = covered_pixels(scene, layout)
    solution = solve_jointly(scene, layout, covered, tolerance=_COARSE, from_start=from_start)
    _learn_widths(scene)
    return solution


def _laid_out(scene: Scene, task: _Task) -> Layout:
    return layout_windows(scene, task.side or min(_window(scene), task.widest))


def _failed(n_sites: int) -> GaussianFit:
    def nothing(*shape: int) -> Floats:
        return np.full((n_sites, *shape), np.nan)

    return GaussianFit(
        position=nothing(2),
        covariance=nothing(2, 2),
        amplitude=nothing(),
        background=nothing(),
        width=nothing(),
        volume_error=nothing(),
        quality=nothing(),
        ok=np.zeros(n_sites, dtype=bool),
        single=np.ones(n_sites, dtype=bool),
    )


def _inside(start: Floats, shape: tuple[int, ...], step: tuple[float, float]) -> Bools:
    upper = (np.array(shape) - 0.5) * np.array(step)
    return np.asarray(((start >= -0.5 * np.array(step)) & (start <= upper)).all(axis=1))


def _first_look(task: _Task) -> Scene | None:
    """Find the common width, the sign and the height by linear fits at the start."""
    values, start, step, spacing = task.values, task.start, task.step, task.spacing
    usable, pad = task.share > 0, task.pad
    known = np.asarray(values[usable], dtype=np.float64)
    level, scale = float(np.median(known)), float(np.std(known))
    if not scale > 0:
        return None
    image = np.pad(
        np.where(usable, (np.asarray(values, dtype=np.float64) - level) / scale, 0.0), pad
    )
    distance = _KNOTS_IN_SPACINGS * spacing
    hats = Hats(*(hats_along(n, pad, distance / h) for n, h in zip(image.shape, step, strict=True)))
    scene = Scene(
        image=image,
        usable=np.pad(task.share, pad),
        step=step,
        start=start + pad * np.array(step),
        max_shift=task.max_shift,
        level=level,
        scale=scale,
        parameters=np.zeros((len(start), N_PARAMETERS)),
        hats=hats,
        knots=np.zeros((hats.along_y.shape[1], hats.along_x.shape[1])),
        lowest=(pad - 0.5) * np.array(step),
        highest=(pad - 0.5 + np.array(values.shape)) * np.array(step),
        log_width=0.0,
        spread=2 * _WIDTH_SPREAD,
    )
    scene.parameters[:, [Y, X]] = scene.start
    look = layout_windows(scene, min(max(spacing, 5 * max(step)), 2 * pad * min(step)))
    sample = np.arange(len(start))[:: -(-len(start) // _SAMPLE)]
    best = 0.0
    for width in spacing * np.geomspace(0.05, 0.5, 12):
        if width < 0.4:
            continue
        amplitude, explained = _linear_fit(scene, look, sample, np.log(width))
        towards = task.sign or int(np.sign(np.median(amplitude))) or 1
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
    scene: Scene, layout: Layout, sites: Ints, log_width: float
) -> tuple[Floats, Floats]:
    """Fit amplitude and background with place and width held; also what they explain."""
    parameters = scene.parameters[sites].copy()
    parameters[:, LOG_WIDTH] = log_width
    profiles = gaussian_profiles(parameters, *window_pixels(scene, layout, sites))
    shape = gaussian_windows(np.ones(len(sites)), profiles)
    where = layout.row[sites], layout.column[sites]
    weight = windows_of(scene.usable, layout)[where]
    image = windows_of(scene.image, layout)[where]
    n_pixels = np.maximum(weight.sum(axis=(1, 2)), 1)
    shape -= (np.sum(weight * shape, axis=(1, 2)) / n_pixels)[:, None, None]
    covariation = np.sum(weight * shape * image, axis=(1, 2))
    amplitude = covariation / np.maximum(np.sum(weight * shape * shape, axis=(1, 2)), 1e-6)
    return amplitude, amplitude * covariation


def _learn_widths(scene: Scene) -> None:
    """Take what is known of the widths from all fits so far."""
    log_widths = scene.parameters[:, LOG_WIDTH]
    scene.log_width = float(np.median(log_widths))
    deviation = SIGMA_OF_MAD * float(np.median(np.abs(log_widths - scene.log_width)))
    scene.spread = max(_WIDTH_SPREAD, deviation)


def _window(scene: Scene) -> float:
    """Give the side of a window that holds the wider sites, too."""
    return _WINDOW_IN_WIDTHS * float(np.exp(np.quantile(scene.parameters[:, LOG_WIDTH], 0.75)))


def _variance(scene: Scene, layout: Layout, solution: Solution) -> Floats:
    """Find how the variance grows with the signal, and give it for every pixel.

    Squared residuals are divided by one minus their leverage, the share of
    noise that the fit has swallowed, largest where the sites are bright.
    """
    settled = np.flatnonzero(solution.decrement < _COARSE)
    if not settled.size:
        settled = np.arange(len(scene.parameters))
    sample = settled[:: -(-settled.size // _SAMPLE)]
    inverse = covariance_from_curvature(solution.curvature[sample][:, SITE, SITE])
    signal, square = [], []
    for chunk in chunks_of(layout, sample.size):
        part = sample[chunk]
        where = layout.row[part], layout.column[part]
        profiles = gaussian_profiles(scene.parameters[part], *window_pixels(scene, layout, part))
        residual, image, weight = (
            windows_of(values, layout)[where].reshape(len(part), -1)
            for values in (solution.state.residual, scene.image, solution.weight)
        )
        jacobian = gaussian_jacobian(scene.parameters[part], profiles)[..., SITE]
        jacobian = jacobian.reshape(len(part), -1, 4)
        leverage = np.sum(np.matmul(jacobian, inverse[chunk]) * jacobian, axis=-1)
        # Pixels that count in part are noisier.
        keep = (weight > 0.99) & (leverage < 0.9)
        signal.append((image - residual)[keep])
        square.append(residual[keep] ** 2 / (1 - leverage[keep]))
    # Neighbors have swallowed some of the noise, too.
    neighbors = float(np.sum(solution.n_pixels - 4) / np.sum(solution.freedom))
    offset, gain, floor = _line_of_variance(
        np.concatenate(signal), np.concatenate(square) * neighbors
    )
    variance: Floats = np.maximum(offset + gain * (scene.image - solution.state.residual), floor)
    return variance


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


def _significance(scene: Scene, solution: Solution) -> Floats:
    """Give heights in standard errors."""
    curvature = solution.curvature[:, SITE, SITE]
    error = np.sqrt(covariance_from_curvature(curvature)[:, AMPLITUDE, AMPLITUDE] * solution.noise)
    return np.nan_to_num(scene.parameters[:, AMPLITUDE] / error, nan=0.0)


def _conclude(scene: Scene, layout: Layout, solution: Solution, pad: int) -> GaussianFit:
    parameters, quality = scene.parameters, solution.noise
    errors = site_errors(scene, layout, solution)
    covariance = errors.covariance * quality[:, None, None]
    shift = np.linalg.norm(parameters[:, [Y, X]] - scene.start, axis=1)
    error = np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    excess = np.abs(parameters[:, LOG_WIDTH] - scene.log_width)
    place = parameters[:, [Y, X]] - pad * np.array(scene.step)
    n_pixels = np.array(scene.image.shape) - 2 * pad
    ok = (
        _inside(place, (int(n_pixels[0]), int(n_pixels[1])), scene.step)
        & (solution.decrement < _COARSE)
        & (shift < scene.max_shift * (1 - 1e-6))
        & (parameters[:, AMPLITUDE] > LEAST_AMPLITUDE * (1 + 1e-6))
        & (excess < WIDTH_RANGE * (1 - 1e-6))
        & (error < scene.max_shift)
        & (_significance(scene, solution) > _LEAST_SIGNIFICANCE)
    )
    return GaussianFit(
        position=place,
        covariance=covariance,
        amplitude=scene.scale * parameters[:, AMPLITUDE],
        background=scene.level + scene.scale * background_at_sites(scene),
        width=np.exp(parameters[:, LOG_WIDTH]),
        volume_error=errors.volume * np.sqrt(quality),
        quality=quality,
        ok=ok,
        single=np.ones(len(ok), dtype=bool),
    )
