"""What force curves tell of adhesion and stiffness."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adatom.curves.contact import FAULTS, slope_of
from adatom.numerics.contacts import LEAST_SAMPLES, free_line, ordered
from adatom.numerics.force_curves import (
    height_of,
    measures_by_curves,
    needed_channels,
    segment_number,
)
from adatom.schema import FORCE_CURVES, Features, ForceCurves, add_note

Array = NDArray[np.float64]

_SEPARATION_BY: Final = "correction.correct_separation"
# Forces averaged for the pull-off: a share of the segment that a sharp jump survives.
_AVERAGED: Final = 400
# A minimum over thousands of samples of white noise stays above this many deviations.
_LEAST_ADHESION: Final = 5.0
_UPPER_HALF: Final = 0.5
# Nothing is stiffer than the cantilever in series with it; calibrations are good to ten per cent.
_STEEPEST: Final = 1.1
_LEAST_SAMPLES: Final = 5


def estimate_adhesion(curves: ForceCurves, /, *, segment: str = "retract") -> Features:
    """Measure pull-off force, work of adhesion and rupture length of every curve.

    Parameters
    ----------
    curves : ForceCurves
        With ``force`` and ``separation``, baseline taken off. Numpy gives
        numpy; dask gives dask.
    segment : str
        Where the tip is pulled off.

    Returns
    -------
    Features
        Last dim ``measure``: ``adhesion_force`` (nN), minus the lowest
        force, where a few neighboring samples are averaged;
        ``adhesion_force_error``, the noise of that average;
        ``adhesion_energy`` (nN nm, which is 1e-18 J), the area between curve
        and baseline from where the force becomes negative to the rupture;
        ``rupture_length`` (nm), the largest separation, counted from the
        contact of the approach, at which the tip still pulls; and
        ``fault``, as of `find_contact`. A curve whose lowest force is within
        five times the noise has adhesion, energy and length zero. Curves
        without separation are NaN with fault 1.

    Raises
    ------
    KindError
        If there is no force or separation.
    SettingError
        If there is no such segment.

    Examples
    --------
    >>> import xarray as xr
    >>> separation = np.linspace(-2.0, 18.0, 201)
    >>> force = np.where(separation < 0, -3 * separation - 2, 0) + np.where(
    ...     (separation >= 0) & (separation < 4), separation / 2 - 2, 0)
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"separation": (dims, separation[None, None], {"units": "nm"}),
    ...      "force": (dims, force[None, None], {"units": "nN"})},
    ...     coords={"segment": ["retract"]})
    >>> found = estimate_adhesion(curves)
    >>> found.sel(measure=["adhesion_force", "rupture_length"]).values.round(1)
    array([[2. , 3.9]])
    """
    FORCE_CURVES.check(curves)
    needed_channels(curves, "force", by="correction.correct_deflection")
    needed_channels(curves, "separation", by=_SEPARATION_BY)
    number = segment_number(curves, segment)

    def work(separations: Array, forces: Array) -> list[float]:
        return adhesion_of(separations[number], forces[number])

    units = {
        "adhesion_force": "nN",
        "adhesion_force_error": "nN",
        "adhesion_energy": "nN nm",
        "rupture_length": "nm",
        "fault": "1",
    }
    result = measures_by_curves(curves, ("separation", "force"), work, units, name="adhesion")
    result.attrs["faults"] = list(FAULTS)
    return result


def estimate_stiffness(curves: ForceCurves, /, *, segment: str = "retract") -> Features:
    """Measure the slope in contact, and the stiffness of contact that it stands for.

    The slope of force against height between half and all of the highest
    force is that of cantilever and contact in series; with the spring
    constant k the contact alone has ``k s / (k - s)``.

    Parameters
    ----------
    curves : ForceCurves
        With ``force``, a height, and ``separation``, which says which curves
        have a contact; ``attrs["spring_constant"]`` for the stiffness.
        Numpy gives numpy; dask gives dask.
    segment : str
        Unloading is elastic where loading may be plastic.

    Returns
    -------
    Features
        Last dim ``measure``: ``slope`` and ``slope_error``, ``stiffness``
        and ``stiffness_error`` (all nN/nm, which is N/m), and ``fault``, as
        of `find_contact`. The stiffness is NaN where the slope is within two
        errors of k: the sample is stiffer than this cantilever can tell.
        Fault 5: the slope is more than a tenth above k, which no sample can
        do; sensitivity or spring constant is wrong.

    Raises
    ------
    KindError
        If a channel is missing.
    SettingError
        If there is no such segment.

    Examples
    --------
    >>> import xarray as xr
    >>> height = np.linspace(10.0, -10.0, 101)
    >>> force = np.clip(-height, 0, None) * 0.05
    >>> dims = ("site", "segment", "sample")
    >>> channel = lambda values, unit: (dims, values[None, None], {"units": unit})
    >>> curves = xr.Dataset(
    ...     {"height": channel(height, "nm"), "force": channel(force, "nN"),
    ...      "separation": channel(height + force / 0.1, "nm")},
    ...     coords={"segment": ["retract"]}, attrs={"spring_constant": 0.1})
    >>> estimate_stiffness(curves).sel(measure=["slope", "stiffness"]).values.round(6)
    array([[0.05, 0.1 ]])
    """
    FORCE_CURVES.check(curves)
    height = height_of(curves)
    needed_channels(curves, "force", by="correction.correct_deflection")
    needed_channels(curves, "separation", by=_SEPARATION_BY)
    number = segment_number(curves, segment)
    spring = float(curves.attrs.get("spring_constant", np.nan))

    def work(heights: Array, forces: Array, separations: Array) -> list[float]:
        if not np.isfinite(separations[number]).any():
            return _without("no contact", 4)
        return _stiffness(heights[number], forces[number], spring)

    names = ("slope", "slope_error", "stiffness", "stiffness_error")
    units = {**dict.fromkeys(names, "N/m"), "fault": "1"}
    result = measures_by_curves(
        curves, (height, "force", "separation"), work, units, name="stiffness"
    )
    result.attrs["faults"] = list(FAULTS)
    if np.isnan(spring):
        add_note(result, "No spring constant is known: there is only the slope.")
    return result


def _without(fault: str, n: int) -> list[float]:
    return [np.nan] * n + [float(FAULTS.index(fault))]


def adhesion_of(separation: Array, force: Array, /) -> list[float]:
    """Give force, its error, energy, rupture length and fault of one pull-off."""
    x, y = ordered(separation, force)
    if not len(x):
        return _without("no contact", 4)
    if len(x) < LEAST_SAMPLES:
        return _without("too few samples", 4)
    width = max(1, len(x) // _AVERAGED)
    line = free_line(x, y)
    means = np.convolve(y, np.full(width, 1 / width), mode="valid")
    lowest = int(means.argmin())
    inflation = (1 + line.correlation) / (1 - line.correlation)
    error = line.noise * float(np.sqrt(min(inflation, width) / width))
    if not -means[lowest] > _LEAST_ADHESION * error:
        return [0.0, error, 0.0, 0.0, 0.0]
    # From the far side to the pull-off: the first that pulls and keeps pulling.
    pulls = means < -_LEAST_ADHESION * error
    rupture = int(pulls.argmax())
    after = np.flatnonzero(y[lowest:] > 0)
    stop = lowest + int(after[0]) if after.size else len(y) - 1
    inside = slice(rupture, stop + 1)
    energy = float(np.trapezoid(np.minimum(y[inside], 0), x[inside]))
    return [-float(means[lowest]), error, energy, float(x[rupture + width // 2]), 0.0]


def _stiffness(height: Array, force: Array, spring: float) -> list[float]:
    x, y = ordered(height, force)
    if len(x) < LEAST_SAMPLES:
        return _without("too few samples", 4)
    above = np.flatnonzero(y < _UPPER_HALF * y.max())
    used = slice(int(above[-1]) + 1 if above.size else 0, len(y))
    if len(x[used]) < _LEAST_SAMPLES:
        return _without("too few samples", 4)
    slope, error = slope_of(x[used], y[used])
    slope = -slope
    if slope - 2 * error > _STEEPEST * spring:
        return [slope, error, np.nan, np.nan, float(FAULTS.index("steeper than the cantilever"))]
    stiffness, stiffness_error = np.nan, np.nan
    if spring - slope > 2 * error:
        stiffness = spring * slope / (spring - slope)
        stiffness_error = error * (spring / (spring - slope)) ** 2
    return [slope, error, stiffness, stiffness_error, 0.0]
