"""The measured axis: cut, calibrated, and brought to equal steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import xarray as xr

from adatom.errors import SettingError, UnitError
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows, channel_axis_of, channels_in, value_on_axis
from adatom.numerics.moments import moments_of
from adatom.numerics.transitions import find_transition
from adatom.schema import FEATURES, Features, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Steps of an axis of equal steps differ by rounding only.
_EQUAL: Final = 1e-4


def choose_channels(features: Features, /, *, span: tuple[str, str]) -> Features:
    """Keep the channels in a span of the measured axis, and say what is left out.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask.
    span : tuple of two texts
        Such as ("150 eV", "20 keV"), both ends included. An end may lie
        beyond the axis.

    Returns
    -------
    Features
        Values as they were.

    Raises
    ------
    SettingError
        If no channel lies in the span.

    Examples
    --------
    >>> energy = ("energy", np.arange(5.0), {"units": "eV"})
    >>> rows = xr.DataArray(np.eye(2, 5), dims=("site", "energy"), coords={"energy": energy})
    >>> choose_channels(rows, span=("1 eV", "3 eV")).energy.values
    array([1., 2., 3.])
    """
    FEATURES.check(features)
    inside = channels_in(features, span, name="span")
    axis, unit = channel_axis_of(features)
    kept = features[..., inside]
    n_below = int((axis < axis[inside].min()).sum())
    n_above = int((axis > axis[inside].max()).sum())
    add_note(
        kept,
        f"{int(inside.sum())} channels from {axis[inside].min():.6g} to {axis[inside].max():.6g} "
        f"{unit} are kept; {n_below} below and {n_above} above are left out.",
    )
    return kept


def correct_axis(
    features: Features, /, *, offset: str | None = None, scale: float = 1.0
) -> Features:
    """Calibrate the measured axis: multiply it by a scale, then add an offset.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask. Values are not touched.
    offset : text, optional
        Such as "-3.5 eV", in the unit of the axis.
    scale : float
        True step over the step that is stored; above zero.

    Returns
    -------
    Features
        On the calibrated axis.

    Raises
    ------
    SettingError
        If the scale is not above zero.
    UnitError
        If the offset is in another unit than the axis.

    Examples
    --------
    >>> energy = ("energy", [700.0, 708.0], {"units": "eV"})
    >>> rows = xr.DataArray(np.eye(2), dims=("site", "energy"), coords={"energy": energy})
    >>> correct_axis(rows, offset="-2 eV").energy.values
    array([698., 706.])
    """
    FEATURES.check(features)
    if not scale > 0:
        msg = f"{scale=} must be above zero"
        raise SettingError(msg)
    axis, unit = channel_axis_of(features)
    shift = value_on_axis(offset, unit, name="offset") if offset is not None else 0.0
    moved = _with_axis(features, axis * scale + shift)
    add_note(moved, f"The axis was multiplied by {scale:.6g} and shifted by {shift:.6g} {unit}.")
    return moved


def correct_axis_by_feature(
    features: Features,
    /,
    *,
    feature: str,
    at: str | None = None,
    search: str | None = None,
    shape: Literal["peak", "edge"] = "peak",
) -> Features:
    """Shift the measured axis so that a known line or edge lies where it should.

    It is sought in the mean of all rows: a peak is the largest value, an
    edge the steepest rise, both to a fraction of a channel by the parabola
    through it and its neighbors.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask. Values are not touched.
    feature : text
        A name of the tables: an X-ray line such as "Cu Ka" of a peak, an
        edge of EELS such as "Ti L3". Any other name needs `at`.
    at : text, optional
        Where it should lie, such as "520.7 1/cm" (a peak of silicon); by
        default as tabled.
    search : text, optional
        How far from there it is sought on both sides; by default 5 % of the
        length of the axis.
    shape : {"peak", "edge"}
        What it is.

    Returns
    -------
    Features
        On the shifted axis.

    Raises
    ------
    SettingError
        If the name is not tabled and `at` is not given, or the largest value
        lies at the end of what was searched: then there is no such feature.

    Examples
    --------
    >>> axis = ("wavenumber", np.arange(500.0, 540.0, 2.0), {"units": "1/cm"})
    >>> peak = np.exp(-((axis[1] - 524.3) / 5) ** 2)[None]
    >>> rows = xr.DataArray(peak, dims=("site", "wavenumber"), coords={"wavenumber": axis})
    >>> moved = correct_axis_by_feature(rows, feature="Si", at="520.7 1/cm", search="9 1/cm")
    >>> float(moved.wavenumber[0].round(1))
    496.4
    """
    FEATURES.check(features)
    axis, unit = channel_axis_of(features)
    if at is not None:
        known = value_on_axis(at, unit, name="at")
    else:
        known = find_transition(feature, "line" if shape == "peak" else "edge").energy
        if unit != "eV":
            msg = f"{feature=} is tabled in eV, the measured axis is in {unit}: give at="
            raise UnitError(msg)
    half = (
        value_on_axis(search, unit, name="search")
        if search is not None
        else 0.05 * float(np.ptp(axis))
    )
    found = _place_in_mean(features, axis, (known - half, known + half), shape, feature, unit)
    moved = _with_axis(features, axis + known - found)
    add_note(
        moved,
        f"{feature} was found at {found:.6g} {unit} in the mean of all rows and lies at "
        f"{known:.6g} {unit}: the axis was shifted by {known - found:.3g} {unit}.",
    )
    return moved


def correct_sampling(features: Features, /, *, step: str | None = None) -> Features:
    """Bring the measured axis to equal steps by linear interpolation between channels.

    Parameters
    ----------
    features : Features
        Numpy gives numpy; dask gives dask. An axis that falls is turned.
    step : text, optional
        Such as "0.5 nm"; by default the median step, so that about as many
        channels stay. Neighboring channels then share noise.

    Returns
    -------
    Features
        From the first channel to the last, or up to one step before it. An
        axis of this very step is only noted.

    Raises
    ------
    SettingError
        If the axis neither rises nor falls throughout, or the step is not
        above zero or longer than the axis.

    Examples
    --------
    >>> axis = ("time", [0.0, 1.0, 3.0], {"units": "ns"})
    >>> rows = xr.DataArray([[0.0, 2.0, 6.0]], dims=("site", "time"), coords={"time": axis})
    >>> correct_sampling(rows, step="1 ns").values
    array([[0., 2., 4., 6.]])
    """
    FEATURES.check(features)
    rising = features
    axis, unit = channel_axis_of(features)
    if axis.size > 1 and axis[0] > axis[-1]:
        rising, axis = features[..., ::-1], axis[::-1]
    steps = np.diff(axis)
    if not (steps.size and (steps > 0).all()):
        msg = f"the axis {features.dims[-1]!r} neither rises nor falls throughout: sort it"
        raise SettingError(msg)
    wanted = value_on_axis(step, unit, name="step") if step is not None else float(np.median(steps))
    if not 0 < wanted <= float(np.ptp(axis)):
        msg = f"step={wanted:.6g} {unit} must lie above 0 and within the {np.ptp(axis):.6g} {unit}"
        raise SettingError(msg)
    if np.allclose(steps, wanted, rtol=_EQUAL, atol=0):
        same = rising.copy()
        add_note(same, f"The axis has equal steps of {wanted:.6g} {unit} already.")
        return same
    # A last channel that is reached but for rounding is kept.
    even = axis[0] + wanted * np.arange(int((axis[-1] - axis[0]) / wanted + 1e-6) + 1)
    made = _interpolated(rising, axis, np.minimum(even, axis[-1]))
    add_note(
        made,
        f"{axis.size} channels with steps of {steps.min():.4g} to {steps.max():.4g} {unit} were "
        f"interpolated to {even.size} with steps of {wanted:.6g} {unit}.",
    )
    return made


def _interpolated(
    features: xr.DataArray, axis: NDArray[np.float64], even: NDArray[np.float64]
) -> xr.DataArray:
    left = np.clip(np.searchsorted(axis, even, side="right") - 1, 0, axis.size - 2)
    share = (even - axis[left]) / (axis[left + 1] - axis[left])

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        # Where a channel is met exactly, a gap beside it does not matter.
        right = np.where(share == 0, wide[:, left], wide[:, left + 1])
        return np.where(share == 1, right, wide[:, left] * (1 - share) + right * share)

    dim = str(features.dims[-1])
    made = by_rows(features, work, n_columns=even.size).rename(measure=dim)
    made = made.assign_coords({dim: (dim, even, dict(features.coords[dim].attrs))})
    made.attrs, made.name = dict(features.attrs), features.name
    return made


def _with_axis(features: xr.DataArray, axis: NDArray[np.float64]) -> xr.DataArray:
    dim = features.dims[-1]
    coordinate = (dim, axis, dict(features.coords[dim].attrs))
    return features.copy(deep=False).assign_coords({dim: coordinate})


def _place_in_mean(
    features: xr.DataArray,
    axis: NDArray[np.float64],
    span: tuple[float, float],
    shape: str,
    feature: str,
    unit: str,
) -> float:
    """Find the peak, or the steepest rise, of the mean row in a span."""
    mean = moments_of(blocks(features)).mean
    along, height = axis, mean
    if shape == "edge":
        along, height = (axis[1:] + axis[:-1]) / 2, np.diff(mean) / np.diff(axis)
    inside = np.flatnonzero((along >= span[0]) & (along <= span[1]))
    best = int(inside[np.argmax(height[inside])]) if inside.size else -1
    if best <= 0 or best >= along.size - 1 or best in (inside[0], inside[-1]):
        msg = (
            f"no {shape} of {feature} lies between {span[0]:.6g} and {span[1]:.6g} {unit}: the "
            "mean of all rows is largest at the end; look at it, or give another search="
        )
        raise SettingError(msg)
    low, middle, high = height[best - 1 : best + 2]
    curvature = low - 2 * middle + high
    part = 0.5 * (low - high) / curvature if curvature < 0 else 0.0
    return float(np.interp(best + part, np.arange(along.size), along))
