"""The zero-loss peak of every spectrum of a low-loss map, to a fraction of a channel."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from adatom.correction.shifts import Ends, correct_shifts, interpolated
from adatom.errors import SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import channel_axis_of
from adatom.numerics.measures import measures_by_rows
from adatom.numerics.moments import moments_of, sample_of
from adatom.schema import FEATURES, SPECTRAL_MAP, Features, SpectralMap, add_note

_SAMPLE_ROWS: Final = 1024
# So many full widths at half maximum on both sides of the peak are fitted: beyond lie plasmons.
_HALF_WIDTHS: Final = 1.0
_LEAST_HALF: Final = 2
_TEMPLATE_PASSES: Final = 3
_NEWTON_STEPS: Final = 6


class ZeroLossCorrection(NamedTuple):
    """Spectra with their zero loss at zero, and where it was."""

    low_loss: SpectralMap
    core_loss: SpectralMap | None
    """The map that was moved along; None where none was given."""
    positions: Features
    """(y, x, measure): where the zero loss of each spectrum was, in the unit of the axis."""


def estimate_zero_loss(low_loss: Features, /) -> Features:
    """Find where the zero-loss peak of every spectrum lies, to a fraction of a channel.

    The largest value of a row is the start; the peak of all rows, moved onto
    one another, is the shape; its height and place are then fitted to the
    counts of each row within one full width on both sides, weighted as
    counts, which uses all of the peak and so comes near to the smallest
    error that counts allow [1]_.

    Parameters
    ----------
    low_loss : Features
        Counts with an axis of equal steps; the zero loss is the highest of
        each row (take spikes off before). Numpy gives numpy; dask gives dask.

    Returns
    -------
    Features
        (..., measure) in the unit of the axis: the maximum of the fitted
        peak. NaN where a row has no peak in the range, or is not measured.

    Raises
    ------
    SettingError
        If no row has a peak.

    Examples
    --------
    >>> energy = np.arange(-5.0, 10.0, 0.5)
    >>> peak = 1000 * np.exp(-(((energy - [[0.3], [-0.4]]) / 0.9) ** 2))
    >>> rows = xr.DataArray(peak, dims=("site", "energy"),
    ...     coords={"energy": ("energy", energy, {"units": "eV"})})
    >>> estimate_zero_loss(rows).values.ravel().round(2)
    array([ 0.3, -0.4])

    References
    ----------
    .. [1] S. M. Kay, Fundamentals of Statistical Signal Processing: Estimation Theory (Prentice
       Hall 1993), sec. 3.5: the least error of a delay.
    """
    FEATURES.check(low_loss)
    axis, unit = channel_axis_of(low_loss)
    step = _step(axis)
    shape = _shape_of_peak(low_loss)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(axis[0] + step * _places(rows.astype(np.float64), shape)[:, None])

    return measures_by_rows(low_loss, work, {"zero_loss": unit}, name="zero_loss")


def correct_zero_loss(
    low_loss: SpectralMap, core_loss: SpectralMap | None = None, /, *, ends: Ends = "extend"
) -> ZeroLossCorrection:
    """Bring the zero loss of every pixel to zero, and move the core-loss map along with it.

    Parameters
    ----------
    low_loss : SpectralMap
        As of `estimate_zero_loss`, which this calls, and then `correct_shifts`.
    core_loss : SpectralMap, optional
        Of the same pixels, taken at the same time with a known difference of
        energy: every pixel is moved by as many eV as its low loss.
    ends : {"extend", "keep", "common"}
        What becomes of the ends of the axes, as of `correct_shifts`.

    Returns
    -------
    ZeroLossCorrection
        Both maps and the positions, which are computed; the maps are dask
        where they were.

    Raises
    ------
    SettingError
        If no row has a peak, or an axis does not have equal steps.
    KindError
        If the maps are not of the same pixels.

    Examples
    --------
    >>> energy = np.arange(-5.0, 10.0, 0.5)
    >>> peak = 1000 * np.exp(-(((energy - [[[0.5], [-0.5]]]) / 0.9) ** 2))
    >>> place = {n: (n, np.arange(k) * 1.0, {"units": "nm"}) for n, k in (("y", 1), ("x", 2))}
    >>> low = xr.DataArray(peak, dims=("y", "x", "energy"),
    ...     coords={**place, "energy": ("energy", energy, {"units": "eV"})})
    >>> moved = correct_zero_loss(low).low_loss
    >>> moved.energy.values[moved.fillna(0).argmax("energy")].round(1)
    array([[0., 0.]])
    """
    SPECTRAL_MAP.check(low_loss)
    if core_loss is not None:
        SPECTRAL_MAP.check(core_loss, name="core_loss")
    positions = estimate_zero_loss(low_loss).compute()
    n_unknown = int(np.isnan(positions.values).sum())
    if n_unknown:
        add_note(positions, f"{n_unknown} of {positions.size} rows have no zero-loss peak: NaN.")
    moved = correct_shifts(low_loss, positions, ends=ends)
    along = correct_shifts(core_loss, positions, ends=ends) if core_loss is not None else None
    return ZeroLossCorrection(moved, along, positions)


class _Shape(NamedTuple):
    """The zero-loss peak about its maximum, in channels."""

    spline: CubicSpline
    slope: CubicSpline
    half: int
    """Channels that are fitted on both sides."""


def _step(axis: NDArray[np.float64]) -> float:
    steps = np.diff(axis)
    if axis.size < 2 * _LEAST_HALF + 1 or not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
        msg = "the zero loss needs five channels or more in equal steps: use correct_sampling"
        raise SettingError(msg)
    return float(steps.mean())


def _shape_of_peak(low_loss: xr.DataArray) -> _Shape:
    """Average the peaks of a sample of rows, moved onto one another until they rest."""
    cut = blocks(low_loss)
    counts = moments_of(cut).counts
    rows = sample_of(cut, counts, n_rows=_SAMPLE_ROWS, seed=0).astype(np.float64)
    peaks = _start(rows)
    rows, peaks = rows[np.isfinite(peaks)], peaks[np.isfinite(peaks)]
    if not len(rows):
        msg = (
            "no row has a zero-loss peak: its largest value is above zero and not at an end of the "
            "axis; is this a low-loss map?"
        )
        raise SettingError(msg)
    half = _half_of(rows, peaks)
    shape = _averaged(rows, peaks, half)
    for _ in range(_TEMPLATE_PASSES):
        places = _fitted(rows, _start(rows), shape)
        good = np.isfinite(places)
        if not good.any():
            break
        shape = _averaged(rows[good], places[good], half)
    return shape


def _start(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the maximum of every row by the parabola through it; NaN where there is none."""
    known = np.where(np.isfinite(rows), rows, -np.inf)
    best = known.argmax(axis=1)
    inside = (best > 0) & (best < rows.shape[1] - 1) & (known.max(axis=1) > 0)
    safe = np.clip(best, 1, rows.shape[1] - 2)[:, None]
    low, middle, high = (np.take_along_axis(rows, safe + k, axis=1)[:, 0] for k in (-1, 0, 1))
    curvature = low - 2 * middle + high
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(curvature < 0, 0.5 * (low - high) / curvature, 0.0)
    return np.where(inside, safe[:, 0] + part, np.nan)


def _half_of(rows: NDArray[np.float64], peaks: NDArray[np.float64]) -> int:
    """Measure the full width at half maximum of the mean peak, in channels."""
    reach = rows.shape[1] - 1
    around = interpolated(rows, peaks[:, None] + np.arange(-reach, reach + 1.0)[None, :])
    measured = np.isfinite(around)
    counts = measured.sum(axis=0)
    mean = np.where(measured, around, 0.0).sum(axis=0) / np.maximum(counts, 1)
    below = (mean < mean[reach] / 2) | (counts == 0)
    right = int(np.argmax(below[reach:])) or reach
    left = int(np.argmax(below[reach::-1])) or reach
    return max(_LEAST_HALF, round(_HALF_WIDTHS * (left + right - 1)))


def _averaged(rows: NDArray[np.float64], places: NDArray[np.float64], half: int) -> _Shape:
    """Average peaks moved onto their places; the maximum of the mean becomes zero."""
    # Two channels beyond what is fitted, since the shape is moved while it is fitted.
    along = np.arange(-half - 3, half + 4.0)
    around = interpolated(rows, places[:, None] + along[None, :])
    measured = np.isfinite(around)
    counts = np.maximum(measured.sum(axis=0), 1)
    mean = np.where(measured, around, 0.0).sum(axis=0) / counts
    spline = CubicSpline(along, mean)
    turns = spline.derivative().roots(extrapolate=False)
    tops = turns[np.abs(turns) < 1.5]
    top = float(tops[np.argmax(spline(tops))]) if tops.size else 0.0
    centered = CubicSpline(along - top, mean / max(float(spline(top)), 1e-300))
    return _Shape(centered, centered.derivative(), half)


def _places(rows: NDArray[np.float64], shape: _Shape) -> NDArray[np.float64]:
    return _fitted(rows, _start(rows), shape)


def _fitted(
    rows: NDArray[np.float64], start: NDArray[np.float64], shape: _Shape
) -> NDArray[np.float64]:
    """Fit height and place of the peak to every row, by scoring with the weights of counts."""
    n_channels = rows.shape[1]
    first = np.clip(np.nan_to_num(np.round(start)), 0, n_channels - 1).astype(np.int64)
    channels = first[:, None] + np.arange(-shape.half, shape.half + 1)[None, :]
    inside = (channels >= 0) & (channels < n_channels)
    counts = np.take_along_axis(rows, np.clip(channels, 0, n_channels - 1), axis=1)
    inside &= np.isfinite(counts)
    counts = np.where(inside, counts, 0.0)
    place = start.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_NEWTON_STEPS):
            apart = channels - place[:, None]
            # A thousandth of the height keeps weights finite where the peak ends.
            model = np.maximum(shape.spline(apart), 1e-3)
            slope = shape.slope(apart)
            weight = np.where(inside, 1 / model, 0.0)
            # Sums along rows, not products of matrices, whose last bits depend on their number.
            height = counts.sum(axis=1) / np.where(inside, model, 0.0).sum(axis=1)
            residual = counts / height[:, None] - model
            # The height is fitted too: only what it cannot explain moves the place.
            shared = (weight * model * slope).sum(axis=1) / (weight * model**2).sum(axis=1)
            own = slope - shared[:, None] * model
            moved = -(weight * own * residual).sum(axis=1) / (weight * own**2).sum(axis=1)
            place = place + np.clip(moved, -0.5, 0.5)
    lost = ~np.isfinite(place) | (np.abs(place - start) > 2)
    # Where the fit runs away the parabola through the three highest channels stands.
    return np.where(lost, start, place)
