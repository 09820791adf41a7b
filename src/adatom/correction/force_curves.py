"""Force curves: volts to nanonewtons, the line of the free cantilever, tip-sample separation."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.contacts import LEAST_SAMPLES, free_line, ordered
from adatom.numerics.force_curves import (
    channel_by_curves,
    force_of,
    height_of,
    measures_by_curves,
    needed_channels,
)
from adatom.schema import FEATURES, FORCE_CURVES, Features, ForceCurves, add_note

Array = NDArray[np.float64]

_RAMPS: Final = ("approach", "retract")


class ForceBaselineCorrection(NamedTuple):
    """Force curves that are zero away from the surface, and what was taken off each."""

    curves: ForceCurves
    baseline: Features
    """(site, measure): line and noise of each segment, NaN where none was found."""


def correct_deflection(
    curves: ForceCurves,
    reference: Features | None = None,
    /,
    *,
    sensitivity: float | None = None,
    spring_constant: float | None = None,
) -> ForceCurves:
    """Turn deflection from volts into nanometers and these into force.

    Deflection in nm is that in V times the sensitivity; force is deflection
    in nm times the spring constant (Hooke's law). What the file holds is
    used where nothing is told. Data that are in nm already are scaled anew if
    a sensitivity is told and the one of the file is known.

    Parameters
    ----------
    curves : ForceCurves
        With ``deflection``, or with ``force`` and a spring constant. Numpy
        gives numpy; dask gives dask.
    reference : Features, optional
        By `curves.estimate_sensitivity` from curves on a stiff sample; the
        median of its curves is used.
    sensitivity : float, optional
        In nm/V.
    spring_constant : float, optional
        In N/m, from the thermal spectrum or the maker.

    Returns
    -------
    ForceCurves
        With ``deflection`` in nm and, where a spring constant is known,
        ``force`` in nN; both calibrations in ``attrs``.

    Raises
    ------
    KindError
        If there is neither deflection nor force with a spring constant.
    SettingError
        If deflection is in V and no sensitivity is known, or one of the two
        is not above zero.

    Examples
    --------
    >>> dims = ("site", "segment", "sample")
    >>> volts = xr.Dataset({"deflection": (dims, np.ones((1, 1, 2)), {"units": "V"})},
    ...     coords={"segment": ["approach"]})
    >>> found = correct_deflection(volts, sensitivity=50.0, spring_constant=0.1)
    >>> float(found.deflection[0, 0, 0]), float(found.force[0, 0, 0].round(9))
    (50.0, 5.0)
    """
    FORCE_CURVES.check(curves)
    told = _told_sensitivity(reference, sensitivity)
    stiffness = _positive(spring_constant, "spring_constant") or curves.attrs.get("spring_constant")
    found = curves.copy()
    found.attrs = dict(curves.attrs)
    deflection = _deflection_in_nm(curves, told, found)
    found["deflection"] = deflection.assign_attrs(units="nm")
    if stiffness is None:
        add_note(found, "No spring constant is known: there is no force.")
        return found
    found["force"] = (deflection * float(stiffness)).astype(deflection.dtype)
    found["force"].attrs = {"units": "nN"}
    found.attrs["spring_constant"] = float(stiffness)
    add_note(found, f"Force is deflection times a spring constant of {float(stiffness):.5g} N/m.")
    return found


def correct_force_baseline(curves: ForceCurves, /) -> ForceBaselineCorrection:
    """Make force and deflection zero where the cantilever is free of the surface.

    A line in the height is fitted to the free part of every approach and
    every retract and taken off the whole segment: its offset is that of the
    laser on the detector, and of viscous drag, which pushes opposite ways on
    the two; its tilt is interference and virtual deflection. The free part
    begins at the farthest fifth and goes on towards the surface as long as
    running means stay on its line, so that no range has to be told.

    Parameters
    ----------
    curves : ForceCurves
        With a height, and force or deflection. Numpy gives numpy; dask
        gives dask. Other segments, such as a pause, take the line of the
        approach.

    Returns
    -------
    ForceBaselineCorrection
        The curves, and of every segment ``offset`` (at the farthest
        sample), ``tilt`` and ``noise`` about the line. A segment of under
        twenty samples is left as it is, with NaN.

    Raises
    ------
    KindError
        If a channel is missing.

    Examples
    --------
    >>> height = np.linspace(100.0, 0.0, 101)
    >>> force = np.where(height < 20, 0.1 * (20 - height), 0.0) + 0.5 + 0.001 * height
    >>> dims = ("site", "segment", "sample")
    >>> curves = xr.Dataset(
    ...     {"height": (dims, height[None, None], {"units": "nm"}),
    ...      "force": (dims, force[None, None], {"units": "nN"})},
    ...     coords={"segment": ["approach"]})
    >>> abs(correct_force_baseline(curves).curves.force.values[0, 0, :80]).max() < 1e-9
    np.True_
    """
    FORCE_CURVES.check(curves)
    height, ordinate = height_of(curves), force_of(curves)
    names = [str(name) for name in curves.coords["segment"].values]
    lines = [names.index(name) for name in _RAMPS if name in names] or [0]
    found = curves.copy()
    found.attrs = dict(curves.attrs)
    for channel in ("force", "deflection"):
        if channel in curves:
            made = channel_by_curves(curves, (height, channel), lambda h, f: _levelled(h, f, lines))
            found[channel] = made.assign_attrs(curves[channel].attrs)
    add_note(found, "A line fitted where the cantilever is free was taken off every ramp.")
    unit = str(curves[ordinate].attrs["units"])
    units = {
        f"{what}_{names[number]}": of
        for number in lines
        for what, of in (("offset", unit), ("tilt", f"{unit}/nm"), ("noise", unit))
    }
    baseline = measures_by_curves(
        curves, (height, ordinate), lambda h, f: _line_numbers(h, f, lines), units, name="baseline"
    )
    return ForceBaselineCorrection(found, baseline)


def correct_separation(curves: ForceCurves, contact: Features, /) -> ForceCurves:
    """Add the tip-sample separation: height above contact plus deflection.

    The height says where the base of the cantilever is; the tip is higher
    by the deflection. Zero is where the approach leaves the baseline;
    negative separation is indentation.

    Parameters
    ----------
    curves : ForceCurves
        With a baseline of zero, and the deflection in nm (else the force
        and a spring constant). Numpy gives numpy; dask gives dask.
    contact : Features
        Of the same curves, by `curves.find_contact`.

    Returns
    -------
    ForceCurves
        With ``separation`` (nm), NaN for curves without a contact.

    Raises
    ------
    KindError
        If the contact is not of these curves, or the deflection is not in nm.

    Examples
    --------
    >>> dims = ("site", "segment", "sample")
    >>> channel = lambda *v: (dims, np.array([[v]], float), {"units": "nm"})
    >>> curves = xr.Dataset({"height": channel(8, 5, 2), "deflection": channel(0, 0, 3)},
    ...     coords={"segment": ["approach"]})
    >>> contact = xr.DataArray([[5.0]], dims=("site", "measure"),
    ...     coords={"measure": ["contact_height"]})
    >>> correct_separation(curves, contact).separation.values
    array([[[3., 0., 0.]]])
    """
    FORCE_CURVES.check(curves)
    FEATURES.check(contact, name="contact")
    height = height_of(curves)
    is_known = "measure" in contact.coords and "contact_height" in contact.coords["measure"]
    if not is_known or contact.sizes.get("site") != curves.sizes["site"]:
        msg = (
            f"the contact is on {dict(contact.sizes)}, the curves are {curves.sizes['site']}: "
            "give what curves.find_contact found in these curves"
        )
        raise KindError(msg)
    place = contact.sel(measure="contact_height", drop=True).variable
    deflection = _deflection_in_nm(curves, None, xr.Dataset())
    above = curves[height].variable - place + deflection.variable
    found = curves.copy()
    found.attrs = dict(curves.attrs)
    found["separation"] = above.transpose(*curves[height].dims).astype(curves[height].dtype)
    found["separation"].attrs = {"units": "nm"}
    add_note(found, "Separation is the height above the contact plus the deflection.")
    return found


def _told_sensitivity(reference: xr.DataArray | None, sensitivity: float | None) -> float | None:
    if sensitivity is not None or reference is None:
        return _positive(sensitivity, "sensitivity")
    FEATURES.check(reference, name="reference")
    if "measure" not in reference.coords or "sensitivity" not in reference.coords["measure"]:
        msg = (
            "the reference has no measure `sensitivity`: it is made by curves.estimate_sensitivity"
        )
        raise KindError(msg)
    found = reference.sel(measure="sensitivity").values
    found = found[np.isfinite(found)]
    if not found.size:
        msg = "no curve of the reference has a sensitivity: see its measure `fault`"
        raise SettingError(msg)
    return float(np.median(found))


def _positive(value: float | None, name: str) -> float | None:
    if value is not None and not value > 0:
        msg = f"{name}={value!r} must be above zero"
        raise SettingError(msg)
    return value


def _deflection_in_nm(curves: xr.Dataset, told: float | None, noted: xr.Dataset) -> xr.DataArray:
    """Give the deflection in nm, and note in `noted` how it was made."""
    of_file = curves.attrs.get("deflection_sensitivity")
    if "deflection" not in curves:
        needed_channels(curves, "force", by="correction.correct_deflection")
        if "spring_constant" not in curves.attrs:
            msg = "these curves have a force, but neither deflection nor spring constant"
            raise KindError(msg)
        made: xr.DataArray = curves["force"] / float(curves.attrs["spring_constant"])
        return made.astype(curves["force"].dtype)
    deflection = curves["deflection"]
    unit = deflection.attrs["units"]
    if unit == "nm" and (told is None or of_file is None):
        if told is not None:
            msg = (
                f"sensitivity={told:g}: the deflection is in nm already and the file does not say "
                "by which sensitivity: leave the sensitivity out"
            )
            raise SettingError(msg)
        return deflection
    used = told or of_file
    if used is None:
        msg = (
            f"the deflection is in {unit} and no sensitivity is known: give sensitivity= in nm/V, "
            "or a reference on a stiff sample by curves.estimate_sensitivity"
        )
        raise SettingError(msg)
    factor = used if unit == "V" or of_file is None else used / float(of_file)
    noted.attrs["deflection_sensitivity"] = float(used)
    add_note(noted, f"Deflection was scaled by a sensitivity of {used:.5g} nm/V.")
    scaled: xr.DataArray = deflection * factor
    return scaled.astype(deflection.dtype)


def _levelled(height: Array, force: Array, lines: list[int]) -> Array:
    made = force.copy()
    for number in range(len(height)):
        of = number if number in lines else lines[0]
        x, y = ordered(height[of], force[of])
        if len(x) >= LEAST_SAMPLES:
            made[number] -= free_line(x, y).at(height[number])
    return made


def _line_numbers(height: Array, force: Array, lines: list[int]) -> list[float]:
    numbers: list[float] = []
    for number in lines:
        x, y = ordered(height[number], force[number])
        if len(x) < LEAST_SAMPLES:
            numbers += [np.nan] * 3
            continue
        line = free_line(x, y)
        numbers += [float(line.at(x[:1])[0]), line.tilt, line.noise]
    return numbers
