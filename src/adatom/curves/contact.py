"""Where the tip meets the sample, and the sensitivity that a stiff sample tells."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adatom.errors import KindError
from adatom.numerics.contacts import find_contact_of, ordered
from adatom.numerics.force_curves import force_of, height_of, measures_by_curves, segment_number
from adatom.schema import FORCE_CURVES, Features, ForceCurves, add_note

Array = NDArray[np.float64]

FAULTS: Final = (
    "",
    "no contact",
    "no baseline",
    "too few samples",
    "too stiff",
    "steeper than the cantilever",
)
"""What the numbers of the measure ``fault`` mean."""

# The foot of the contact is bent by adhesion and roughness, its end by a detector near its limit.
_LINEAR_PART: Final = (0.3, 0.9)
_LEAST_SAMPLES: Final = 5


def find_contact(curves: ForceCurves, /, *, segment: str = "approach") -> Features:
    """Find the contact point of every curve, with its uncertainty, or say why there is none.

    The foot of the curve is fitted piecewise, as in [1]_ and [2]_: free of
    the surface by a straight line, in contact by ``-J + A (h0 - h)^p``. The
    contact h0 that fits best is taken, over all powers p from 1 (a stiff
    sample) to 2.5 and all jumps J into contact, so that neither tip shape
    nor sample need be known. Only the foot counts, up to 30 times the noise
    or a tenth of the force: farther up the sample need not follow one law.

    Parameters
    ----------
    curves : ForceCurves
        With a height, and force or deflection, baseline taken off or not.
        Numpy gives numpy; dask gives dask.
    segment : str
        Usually the approach: the retract has adhesion before the contact.

    Returns
    -------
    Features
        Last dim ``measure``: ``contact_height`` (nm) and
        ``contact_height_error``, where the misfit has grown by one standard
        deviation, correlation of the noise included (on simulated curves
        five in six lie within two of it); ``noise`` of the free
        line; ``rise``, the largest force above it, a few samples averaged;
        and ``fault``: 0 good, 1 no contact (the rise is below eight times
        the noise), 2 no baseline (all of the segment is one steep
        slope), 3 too few samples. ``attrs["faults"]`` has these words. A curve
        with a fault has no contact height.

    Raises
    ------
    KindError
        If a channel is missing.
    SettingError
        If there is no such segment.

    Examples
    --------
    >>> import xarray as xr
    >>> height = np.linspace(100.0, 0.0, 501)
    >>> noise = np.random.default_rng(0).normal(0, 0.01, 501)
    >>> force = np.clip(30 - height, 0, None)**1.5 * 0.02 + noise
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"height": (dims, height[None, None], {"units": "nm"}),
    ...      "force": (dims, force[None, None], {"units": "nN"})},
    ...     coords={"segment": ["approach"]})
    >>> abs(find_contact(curves).sel(measure="contact_height").values - 30) < 1
    array([ True])

    References
    ----------
    .. [1] D. C. Lin, E. K. Dimitriadis, F. Horkay, J. Biomech. Eng. 129, 430 (2007).
    .. [2] D. Rudoy, S. G. Yuen, R. D. Howe, P. J. Wolfe, J. R. Stat. Soc. C 59, 573 (2010).
    """
    FORCE_CURVES.check(curves)
    height, force = height_of(curves), force_of(curves)
    number = segment_number(curves, segment)

    def work(heights: Array, forces: Array) -> list[float]:
        found = find_contact_of(heights[number], forces[number])
        fault = float(FAULTS.index(found.fault))
        return [found.height, found.error, found.line.noise, found.rise, fault]

    unit = str(curves[force].attrs["units"])
    units = {"contact_height": "nm", "contact_height_error": "nm", "noise": unit, "rise": unit}
    result = measures_by_curves(
        curves, (height, force), work, {**units, "fault": "1"}, name="contact"
    )
    result.attrs["faults"] = list(FAULTS)
    add_note(result, f"Contact of the {segment}: piecewise fit of the foot of every curve.")
    return result


def estimate_sensitivity(curves: ForceCurves, /, *, segment: str = "retract") -> Features:
    """Measure the sensitivity of the detector on a sample that does not yield.

    On a stiff sample the deflection grows as the height falls, so the
    sensitivity is one over the slope of the deflection in volts between 30
    and 90 % of its rise.

    Parameters
    ----------
    curves : ForceCurves
        Deflection in V, on glass, mica, sapphire or the like. Numpy gives
        numpy; dask gives dask.
    segment : str
        The retract is less bent by creep of the piezo and friction.

    Returns
    -------
    Features
        Last dim ``measure``: ``sensitivity`` and ``sensitivity_error``
        (nm/V; of the fit, compare with the scatter of the curves) and
        ``fault``, as of `find_contact`.

    Raises
    ------
    KindError
        If the deflection is not in V.

    Examples
    --------
    >>> import xarray as xr
    >>> height = np.linspace(100.0, 0.0, 501)
    >>> noise = np.random.default_rng(0).normal(0, 0.001, 501)
    >>> volts = np.clip(30 - height, 0, None) / 50 + noise
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"height": (dims, height[None, None], {"units": "nm"}),
    ...      "deflection": (dims, volts[None, None], {"units": "V"})},
    ...     coords={"segment": ["retract"]})
    >>> estimate_sensitivity(curves).sel(measure="sensitivity").values.round()
    array([50.])
    """
    FORCE_CURVES.check(curves)
    unit = curves["deflection"].attrs["units"] if "deflection" in curves else "missing"
    if unit != "V":
        msg = (
            f"the deflection is {unit if unit == 'missing' else f'in {unit}'}: a sensitivity is "
            "measured from a deflection in V, as files without calibration hold it"
        )
        raise KindError(msg)
    height, number = height_of(curves), segment_number(curves, segment)

    def work(heights: Array, volts: Array) -> list[float]:
        return _sensitivity(heights[number], volts[number])

    units = {"sensitivity": "nm/V", "sensitivity_error": "nm/V", "fault": "1"}
    result = measures_by_curves(curves, (height, "deflection"), work, units, name="sensitivity")
    result.attrs["faults"] = list(FAULTS)
    return result


def _sensitivity(height: Array, volts: Array) -> list[float]:
    contact = find_contact_of(height, volts)
    if contact.fault:
        return [np.nan, np.nan, float(FAULTS.index(contact.fault))]
    x, y = ordered(height, volts)
    y = y - contact.line.at(x)
    low, high = (share * contact.rise for share in _LINEAR_PART)
    used = (x < contact.height) & (y >= low) & (y <= high)
    if used.sum() < _LEAST_SAMPLES:
        return [np.nan, np.nan, float(FAULTS.index("too few samples"))]
    slope, error = slope_of(x[used], y[used])
    return [-1 / slope, error / slope**2, 0.0]


def slope_of(x: Array, y: Array, /) -> tuple[float, float]:
    """Fit a slope by least squares, and its standard error with the samples' correlation."""
    off_x, off_y = x - x.mean(), y - y.mean()
    squares = float(off_x @ off_x)
    slope = float(off_x @ off_y) / squares
    left = off_y - slope * off_x
    varied = float(left @ left)
    correlation = float(left[1:] @ left[:-1]) / varied if varied > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.99)
    inflation = (1 + correlation) / (1 - correlation)
    return slope, float(np.sqrt(varied / max(len(x) - 2, 1) / squares * inflation))
