"""Where fits of models start, told from the curves or by the user."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import scipy.signal

from adatom.curves.expressions import Floats
from adatom.curves.models import Component, CurveModel, limits
from adatom.errors import SettingError
from adatom.numerics.line_widths import line_width_of

# Lines half and twice as wide are tried too: the starts of some will lie beyond a hill.
_WIDTH_FACTORS: Final = (1.0, 0.5, 2.0)
# Peaks below this share of the highest are not sought.
_LOWEST_PEAK: Final = 0.01
# Where no width can be told from the curve.
_DEFAULT_WIDTH: Final = 1 / 20
# Several decays start apart by this factor, or they would stay together.
_DECAYS_APART: Final = 5.0
_FWHM_PER_SIGMA: Final = {
    "GaussianModel": 2.3548,
    "LorentzianModel": 2.0,
    "VoigtModel": 3.6,
    "PseudoVoigtModel": 2.0,
    "SkewedGaussianModel": 2.3548,
    "BreitWignerModel": 1.0,
}
# Area over height and sigma, of a line of each shape.
_AREA_PER_HEIGHT: Final = {
    "GaussianModel": 2.5066,
    "LorentzianModel": 3.1416,
    "VoigtModel": 4.8,
    "PseudoVoigtModel": 2.54,
    "SkewedGaussianModel": 2.5066,
}
_FANO: Final = 3.0


def starts_from_curve(model: CurveModel, axis: Floats, curve: Floats, /) -> Floats:
    """Give several starts (start, free parameter) for one curve (channel).

    Lines start at the peaks that stand out most, in the order of the axis,
    or where the user says; backgrounds at what passes below them.

    Raises
    ------
    SettingError
        If a parameter of a formula has neither a start nor two bounds.
    """
    measured = np.isfinite(curve)
    axis, curve = axis[measured], curve[measured]
    made = []
    for level in _levels(axis, curve):
        for factor in _WIDTH_FACTORS:
            values = _backgrounds(model, axis, curve, level, factor)
            values |= _lines(model, axis, curve - level, factor)
            made.append(_of_free(model, values))
    return _inside(model, np.unique(np.array(made), axis=0))


def _levels(axis: Floats, curve: Floats) -> list[Floats]:
    """Give backgrounds to try: a line through both ends, and a level below nearly all."""
    tenth = max(1, len(axis) // 10)
    ends = [np.median(part) for part in (curve[:tenth], curve[-tenth:])]
    places = [np.median(part) for part in (axis[:tenth], axis[-tenth:])]
    slope = (ends[1] - ends[0]) / (places[1] - places[0]) if places[1] != places[0] else 0.0
    return [ends[0] + slope * (axis - places[0]), np.full(len(axis), np.percentile(curve, 10))]


def _of_free(model: CurveModel, values: dict[str, float]) -> list[float]:
    told, bounds = dict(model.starts), {name: ends for name, *ends in model.bounds}
    chosen = []
    for name in model.free:
        low, high = bounds.get(name, (-math.inf, math.inf))
        if name in told:
            chosen.append(told[name])
        elif name in values:
            chosen.append(values[name])
        elif math.isfinite(low) and math.isfinite(high):
            chosen.append((low + high) / 2)
        else:
            msg = (
                f"no start for {name!r} can be told from the curves: "
                f"add '{name} ~ <value>' to parameters"
            )
            raise SettingError(msg)
    return chosen


def _inside(model: CurveModel, starts: Floats) -> Floats:
    """Move starts into the bounds, and a little off them."""
    lower, upper = limits(model)
    with np.errstate(invalid="ignore"):
        room = np.where(np.isfinite(upper - lower), 0.01 * (upper - lower), 0.0)
    return np.clip(starts, lower + room, upper - room)


def _backgrounds(
    model: CurveModel, axis: Floats, curve: Floats, level: Floats, factor: float
) -> dict[str, float]:
    slope = (level[-1] - level[0]) / (axis[-1] - axis[0])
    first = level[0] - slope * axis[0]
    parts = [part for part in model.components if part.shape.role == "background"]
    decays = [part for part in parts if part.model == "ExponentialModel"]
    values: dict[str, float] = {}
    for part in parts:
        match part.model:
            case "ConstantModel":
                found = {"c": float(level.mean())}
            case "LinearModel":
                found = {"slope": slope, "intercept": first}
            case "QuadraticModel":
                found = {"a": 0.0, "b": slope, "c": first}
            case "ExponentialModel":
                rank = decays.index(part) - (len(decays) - 1) / 2
                found = _exponential(axis, curve, factor * _DECAYS_APART**rank, len(decays))
            case _:
                found = _power_law(axis, curve)
        values |= {f"{part.prefix}{name}": float(value) for name, value in found.items()}
    return values


def _exponential(axis: Floats, curve: Floats, factor: float, shares: int) -> dict[str, float]:
    above = curve > 0.02 * np.max(curve)
    if above.sum() < 2:
        return {"amplitude": float(curve.mean()), "decay": float(np.ptp(axis)) / 3 * factor}
    slope, height = np.polyfit(axis[above], np.log(curve[above]), 1, w=np.sqrt(curve[above]))
    decay = -1 / slope if slope else float(np.ptp(axis))
    return {"amplitude": float(np.exp(height)) / shares, "decay": decay * factor}


def _power_law(axis: Floats, curve: Floats) -> dict[str, float]:
    above = (curve > 0) & (axis > 0)
    if above.sum() < 2:
        return {"amplitude": 1.0, "exponent": -1.0}
    power, height = np.polyfit(np.log(axis[above]), np.log(curve[above]), 1)
    return {"amplitude": float(np.exp(height)), "exponent": float(power)}


def _lines(model: CurveModel, axis: Floats, left: Floats, factor: float) -> dict[str, float]:
    parts = model.lines
    if not parts:
        return {}
    told = _told_centers(model, axis, left)
    width = line_width_of(axis, left) or _DEFAULT_WIDTH * float(np.ptp(axis))
    open_parts = [part for part in parts if f"{part.prefix}center" not in told]
    centers = dict(told)
    for part, center in zip(
        open_parts, _strongest(axis, left, list(told.values()), len(open_parts), width), strict=True
    ):
        centers[f"{part.prefix}center"] = center
    values: dict[str, float] = {}
    for part in parts:
        center = centers[f"{part.prefix}center"]
        height = float(np.interp(center, *_rising(axis, left)))
        found = _line(part, center, height, factor * width)
        values |= {f"{part.prefix}{name}": value for name, value in found.items()}
    return values


def _rising(axis: Floats, curve: Floats) -> tuple[Floats, Floats]:
    return (axis, curve) if axis[-1] >= axis[0] else (axis[::-1], curve[::-1])


def _told_centers(model: CurveModel, axis: Floats, left: Floats) -> dict[str, float]:
    """Give centers that the user starts, fixes or bounds: within bounds at the highest value."""
    told = dict(model.starts)
    for name, formula in model.constraints:
        try:
            told.setdefault(name, float(formula))
        except ValueError:
            continue
    for name, low, high in model.bounds:
        inside = (axis >= low) & (axis <= high)
        # Bounds that leave all of the axis tell nothing.
        if inside.any() and not inside.all():
            told.setdefault(name, float(axis[inside][np.argmax(left[inside])]))
    names = {f"{part.prefix}center" for part in model.lines}
    return {name: value for name, value in told.items() if name in names}


def _strongest(axis: Floats, left: Floats, taken: list[float], n: int, width: float) -> list[float]:
    """Give the places of the n peaks that stand out most, other than those taken, in order."""
    peaks, found = scipy.signal.find_peaks(left, prominence=_LOWEST_PEAK * np.ptp(left))
    ranked = [float(axis[k]) for k in peaks[np.argsort(-found["prominences"])]]
    ranked.append(float(axis[np.argmax(left)]))
    chosen: list[float] = []
    for place in ranked:
        if len(chosen) < n and all(abs(place - other) > width / 2 for other in taken + chosen):
            chosen.append(place)
    # More lines than peaks: the others start on the flanks of the strongest.
    side = 1
    while len(chosen) < n:
        chosen.append(ranked[0] + side * width / 2)
        side = -side if side > 0 else 1 - side
    return sorted(chosen)


def _line(part: Component, center: float, height: float, width: float) -> dict[str, float]:
    sigma = width / _FWHM_PER_SIGMA[part.model]
    if part.model == "BreitWignerModel":
        return {"amplitude": height / _FANO**2, "center": center, "sigma": sigma, "q": _FANO}
    found = {
        "amplitude": height * sigma * _AREA_PER_HEIGHT[part.model],
        "center": center,
        "sigma": sigma,
    }
    others = {"VoigtModel": ("gamma", sigma), "PseudoVoigtModel": ("fraction", 0.5)}
    others["SkewedGaussianModel"] = ("gamma", 0.0)
    if part.model in others:
        name, value = others[part.model]
        found[name] = value
    return found
