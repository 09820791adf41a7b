"""Axes of a dataset: scales, units, directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import UnitError
from adatom.io.guard import read_error
from adatom.io.layout import axis_unit
from adatom.units import LENGTH, SPACE_UNITS, Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.io.draft import Draft
    from adatom.io.signals import RawAxis

# Steps of a space axis given pixel by pixel may differ so much, relatively.
_STEP_TOLERANCE: Final = 1e-3
# A pixel smaller than 0.1 pm or larger than 1 m is a mistake of the file.
_PLAUSIBLE_NM: Final = (1e-4, 1e9)
# Profilers write mm throughout; of steps below a micrometer nm are easier to read.
_SMALL_MM: Final = 1e-3
# A pixel of a diffraction pattern is hardly smaller or larger, in 1/nm.
_PLAUSIBLE_RECIPROCAL: Final = (1e-6, 1e3)
# Decays last less than 1 ms and are told in ns, everything slower in s.
_LONGEST_DECAY: Final = 1e-3


def space_coordinates(
    draft: Draft, first: int, shape: tuple[int, ...], pixel_size: Length | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the coordinates y and x: from zero, upwards, in one unit."""
    axes = (draft.axis(first), draft.axis(first + 1))
    sizes = (shape[first], shape[first + 1])
    for name, axis in zip(("y", "x"), axes):
        _require_uniform(draft, name, axis)
    steps = list(pair_of_steps(*axes))
    units = [unit for _, unit in steps]
    attrs: dict[str, Any] = {}
    if pixel_size is not None:
        unit, sizes_of_pixel = _given_pixel(draft, pixel_size, steps)
    elif units[0] == units[1] != "":
        unit, sizes_of_pixel = units[0], [abs(step) for step, _ in steps]
        attrs = _origin(axes, unit)
        _note_odd_scale(draft, unit, sizes_of_pixel)
    else:
        unit, sizes_of_pixel = "px", [1.0, 1.0]
        _note_missing_scale(draft, axes)
    for name, axis in zip(("y", "x"), axes):
        if space_steps(axis)[0] < 0:
            draft.notes.append(
                f"{name} ran downwards in the file: pixels keep their place in the picture, "
                f"{name} counts up from the first of them"
            )
    coords = {
        name: (name, np.arange(size) * step, {"units": unit})
        for name, size, step in zip(("y", "x"), sizes, sizes_of_pixel)
    }
    return coords, attrs


def space_steps(axis: RawAxis, /) -> tuple[float, str]:
    """Give the signed step of a space axis and its unit, "" where the file has no scale."""
    unit, factor = axis_unit(axis)
    steps = None if axis.values is None else np.diff(axis.values)
    step = axis.scale if steps is None or not steps.size else float(steps.mean())
    # As nm the step of a damaged file may be more than a number holds.
    if unit not in {"nm", "mm"} or not np.isfinite(step * max(factor, 1e6)) or step == 0:
        return 1.0, ""
    if unit == "mm" and abs(step) < _SMALL_MM:
        return step * 1e6, "nm"
    return step * factor, unit


def factor_to_unit(axis: RawAxis, unit: str, /) -> float:
    """Give the factor of a space axis to nm or mm."""
    own, factor = axis_unit(axis)
    return factor * 1e6 if (own, unit) == ("mm", "nm") else factor


def pair_of_steps(y: RawAxis, x: RawAxis, /) -> tuple[tuple[float, str], tuple[float, str]]:
    """Give the steps of y and x, both in nm if one of them is."""
    pair = space_steps(y), space_steps(x)
    if {unit for _, unit in pair} == {"nm", "mm"}:
        first, second = ((step * 1e6 if unit == "mm" else step, "nm") for step, unit in pair)
        return first, second
    return pair


def _require_uniform(draft: Draft, name: str, axis: RawAxis) -> None:
    if axis.values is None:
        return
    steps = np.diff(axis.values)
    if steps.size and not np.allclose(steps, steps.mean(), rtol=_STEP_TOLERANCE, atol=0):
        reason = f"its axis {name} is not uniform (steps {steps.min():.6g} to {steps.max():.6g})"
        raise read_error(draft.path, reason, "Resample it on equal steps first")


def _given_pixel(
    draft: Draft, pixel_size: Length, steps: list[tuple[float, str]]
) -> tuple[str, list[float]]:
    step, unit = LENGTH.check(pixel_size, name="pixel_size")
    if unit not in SPACE_UNITS or not step > 0:
        msg = f'{pixel_size=} must be a positive length in {", ".join(SPACE_UNITS)}: "0.02 nm"'
        raise UnitError(msg)
    if all(found for _, found in steps):
        was = " x ".join(f"{abs(size):.6g} {found}" for size, found in steps)
        draft.notes.append(
            f"pixel_size={pixel_size!r} was set by hand; the file says {was} (y x x)"
        )
    else:
        draft.notes.append(f"pixel_size={pixel_size!r} was set by hand; the file has no scale")
    return unit, [step, step]


def _note_odd_scale(draft: Draft, unit: str, steps: list[float]) -> None:
    low, high = _PLAUSIBLE_NM
    if unit == "nm" and not all(low <= step <= high for step in steps):
        draft.notes.append(
            f"a pixel of {steps[0]:.3g} nm is hard to believe: check it, and set pixel_size="
        )


def _note_missing_scale(draft: Draft, axes: tuple[RawAxis, RawAxis]) -> None:
    remedy = 'set it with pixel_size="... nm"'
    texts = [axis.unit.strip() for axis in axes]
    scale = axes[0].scale
    if texts[0] != texts[1]:
        found = " and ".join(text or "no unit" for text in texts)
        note = f"the file gives y and x in different units ({found}): {remedy}"
    elif axis_unit(axes[0])[0] in {"nm", "mm"}:
        found = " and ".join(f"{axis.scale:.6g}" for axis in axes)
        note = f"the file gives steps of {found} {texts[0]}, which are no scale: {remedy}"
    elif texts[0] and texts[0].lower() not in {"px", "pixel", "pixels"}:
        note = (
            f"the axes are in {texts[0]!r} ({scale:.6g} a pixel), which is no length: "
            "positions are in px"
        )
        reciprocal, factor = axis_unit(axes[0])
        low, high = _PLAUSIBLE_RECIPROCAL
        if reciprocal == "1/nm" and not low <= abs(scale * factor) <= high:
            note += ", and the scale is hard to believe: check it"
    elif scale != 1.0 and np.isfinite(scale) and scale > 0:
        note = (
            f"the file gives {scale:.6g} a pixel without a unit: if nm are meant, read it "
            f'with pixel_size="{scale:.6g} nm"'
        )
    else:
        note = f"the file has no scale: {remedy}"
    draft.notes.append(note)


def _origin(axes: tuple[RawAxis, RawAxis], unit: str) -> dict[str, Any]:
    """Keep where the first pixel lay in the frame of the instrument."""
    origin = []
    for axis in axes:
        start = axis.offset if axis.values is None else float(axis.values[0])
        origin.append(start * factor_to_unit(axis, unit))
    if not all(np.isfinite(origin)) or not any(origin):
        return {}
    return {"instrument_origin": origin, "instrument_origin_unit": unit}


def axis_values(
    draft: Draft, axis: RawAxis, size: int, *, sweep: bool = False, ties: bool = False
) -> NDArray[np.float64]:
    """Give the values of an axis; only a sweep may turn back, as in a hysteresis loop."""
    values = axis.values if axis.values is not None else axis.offset + np.arange(size) * axis.scale
    steps = np.diff(values)
    one_way = bool((steps > 0).all() or (steps < 0).all())
    if sweep and not one_way and np.isfinite(values).all():
        draft.notes.append(
            f"{axis.name or 'the sweep'} turns back: channels are in their own order"
        )
    elif ties and not one_way and steps.any() and ((steps >= 0).all() or (steps <= 0).all()):
        # Spectrometers join ranges, and numbers are rounded when they are written.
        count = int(np.count_nonzero(steps == 0))
        draft.notes.append(
            f"{count} channels have the same {axis.name or 'value'} as the one before"
        )
    elif not one_way or not np.isfinite(values).all():
        reason = f"its axis {axis.name or 'of channels'!r} neither rises nor falls throughout"
        raise read_error(draft.path, reason, "Correct the axis in the program that wrote the file")
    return np.asarray(values, dtype=float)


def channel_axis(draft: Draft, size: int, *, position: int) -> tuple[Any, str]:
    """Give the values of the measured axis in the unit of the house."""
    axis = draft.axis(position)
    values = axis_values(draft, axis, size, sweep=draft.layout.channel == "bias", ties=True)
    text = axis.unit.strip()
    if not text:
        draft.notes.append(f"the axis {draft.layout.channel!r} has no unit in the file")
        return values, "1"
    unit, factor = axis_unit(axis)
    if not unit:
        draft.notes.append(f"the unit {text!r} of {draft.layout.channel!r} is not known")
        return values, text
    values = values * factor
    if unit == "s" and np.abs(values).max() < _LONGEST_DECAY:
        return values * 1e9, "ns"
    return values, unit
