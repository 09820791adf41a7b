"""From what a file holds to kinds of data: one place for units, order and direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.errors import UnitError
from adatom.io.guard import check_size, read_error
from adatom.io.layout import Layout, axis_unit
from adatom.schema import IMAGE, MOVIE, SPECTRAL_MAP, Image, Movie, SpectralMap
from adatom.units import LENGTH, SPACE_UNITS, Length, house_unit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from adatom.io.signals import RawAxis, RawFile, RawSignal

# Steps of a space axis given pixel by pixel may differ so much, relatively.
_STEP_TOLERANCE: Final = 1e-3
# A pixel smaller than 0.1 pm or larger than 1 m is a mistake of the file.
_PLAUSIBLE_NM: Final = (1e-4, 1e9)
# ITU-R BT.601, as in Pillow and most cameras.
_LUMINANCE: Final = {"red": 0.299, "green": 0.587, "blue": 0.114}
# An expert draws a handful of classes; more values than a byte holds are a photograph.
MAX_LABELS: Final = 256
_COMPLEX: Final = ("real", "imaginary", "magnitude", "phase")


@dataclass
class Draft:
    """A dataset on its way to a kind, with what is to be told of it."""

    file: RawFile
    signal: RawSignal
    layout: Layout
    notes: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Return the file that the dataset is of."""
        return self.file.path

    def axis(self, position: int) -> RawAxis:
        """Return the axis at a position of the kind's order."""
        return self.signal.axes[self.layout.order[position]]


def image_from_draft(
    draft: Draft, /, *, channel: str | None, frame: int | None, pixel_size: Length | None
) -> Image:
    """Make an image of a dataset, in memory."""
    _require_possible(draft)
    ordered = _ordered(draft, _loaded(draft.signal.values[_index(draft, frame)]))
    if len(draft.layout.order) == 3:
        draft.layout = Layout("image", draft.layout.order[1:])
        ordered = ordered[0]
    values = _numbers(draft, _one_color(draft, ordered, channel), channel)
    coords, attrs = _space(draft, 0, values.shape, pixel_size)
    values, unit = _in_house_unit(draft, values)
    image = xr.DataArray(
        values, dims=("y", "x"), coords=coords, name="intensity", attrs=_attrs(draft, unit, attrs)
    )
    IMAGE.check(image, name=f"{draft.path.name!r}")
    return image


def movie_from_draft(draft: Draft, /, *, channel: str | None, pixel_size: Length | None) -> Movie:
    """Make a movie of a dataset, lazily."""
    _require_possible(draft)
    _note_assumed_order(draft, "(frame, y, x)")
    ordered = _ordered(draft, _lazy(draft.signal.values, draft.layout.order[:1]))
    values = _numbers(draft, _one_color(draft, ordered, channel), channel)
    coords, attrs = _space(draft, 1, values.shape, pixel_size)
    coords["frame"] = ("frame", np.arange(values.shape[0]))
    time = draft.axis(0)
    unit, factor = axis_unit(time)
    if unit in {"s", "ns"}:
        seconds = _axis_values(draft, time, values.shape[0]) * factor
        coords["time"] = ("frame", seconds, {"units": unit})
    values, intensity = _in_house_unit(draft, values)
    movie = xr.DataArray(
        values,
        dims=("frame", "y", "x"),
        coords=coords,
        name="intensity",
        attrs=_attrs(draft, intensity, attrs),
    )
    MOVIE.check(movie, name=f"{draft.path.name!r}")
    return movie


def map_from_draft(
    draft: Draft, /, *, channel: str | None, pixel_size: Length | None
) -> SpectralMap:
    """Make a spectral map of a dataset, lazily."""
    _require_possible(draft)
    _note_assumed_order(draft, "(y, x, channel)")
    ordered = _ordered(draft, _lazy(draft.signal.values, draft.layout.order[:2]))
    values = _numbers(draft, ordered, channel)
    coords, attrs = _space(draft, 0, values.shape, pixel_size)
    dim = draft.layout.channel
    along, unit = _channel_axis(draft, values.shape[2])
    if along.size > 1 and (np.diff(along) < 0).all():
        values, along = values[..., ::-1], along[::-1]
        draft.notes.append(f"{dim} ran downwards in the file and was turned around")
    coords[dim] = (dim, along, {"units": unit})
    values, intensity = _in_house_unit(draft, values)
    found = xr.DataArray(
        values,
        dims=("y", "x", dim),
        coords=coords,
        name="intensity",
        attrs=_attrs(draft, intensity, attrs),
    )
    SPECTRAL_MAP.check(found, name=f"{draft.path.name!r}")
    return found


def labels_from_draft(draft: Draft, /, *, pixel_size: Length | None) -> Image:
    """Make integer labels of the distinct values or colors of a dataset."""
    _require_possible(draft)
    drawn = _ordered(draft, _loaded(draft.signal.values[...]))
    if drawn.dtype.kind not in "biuf":
        raise read_error(
            draft.path, f"its values are {drawn.dtype}", "Draw classes in plain colors"
        )
    distinct, places, labels = np.unique(_codes(drawn), return_index=True, return_inverse=True)
    if len(distinct) > MAX_LABELS:
        reason = f"it has {len(distinct)} distinct values, which are no classes"
        remedy = (
            "Draw classes in plain colors without smoothed edges, and save as png or tif, "
            "never as jpg"
        )
        raise read_error(draft.path, reason, remedy)
    shape = drawn.shape[:2]
    coords, attrs = _space(draft, 0, shape, pixel_size)
    entries = drawn.reshape(shape[0] * shape[1], -1)[places]
    legend = [_legend_entry(entry, draft.signal) for entry in entries]
    labels_image = xr.DataArray(
        labels.reshape(shape).astype(np.int64),
        dims=("y", "x"),
        coords=coords,
        name="label",
        attrs=_attrs(draft, "1", {**attrs, "legend": legend}),
    )
    IMAGE.check(labels_image, name=f"{draft.path.name!r}")
    return labels_image


def _codes(drawn: NDArray[Any]) -> NDArray[Any]:
    """Give one number a pixel, of which colors have the order of red, then green, then blue."""
    if drawn.ndim == 2:
        return drawn
    bits = 8 * drawn.dtype.itemsize
    codes = np.zeros(drawn.shape[:2], np.uint64)
    for color in np.moveaxis(drawn, -1, 0):
        codes = (codes << np.uint64(bits)) | color
    return codes


def _legend_entry(entry: Any, signal: RawSignal) -> str:  # noqa: ANN401 -- row of numbers
    if signal.colors and entry.dtype == np.uint8:
        opaque = "alpha" not in signal.colors or entry[-1] == 255
        shown = entry[:3] if opaque else entry
        return "#" + "".join(f"{value:02x}" for value in shown)
    return ", ".join(str(value) for value in entry)


def _require_possible(draft: Draft) -> None:
    """Refuse a dataset that holds nothing, or more than its file can hold."""
    if 0 in draft.signal.shape:
        reason = f"its dataset {draft.signal.name!r} of shape {draft.signal.shape} is empty"
        raise read_error(draft.path, reason, "Check that the measurement was saved")
    if draft.path.is_file():
        stored = draft.path.stat().st_size
        values = draft.signal.values
        check_size(draft.path, values.shape, values.dtype.itemsize, stored=stored)


def _note_assumed_order(draft: Draft, order: str) -> None:
    if draft.layout.kind == "movie or spectral map":
        draft.notes.append(f"the file does not name its axes: they were taken as {order}")


def _index(draft: Draft, frame: int | None) -> tuple[slice, ...]:
    """Give what is to be read for an image: everything, or one frame of a stack."""
    index = [slice(None)] * draft.signal.values.ndim
    if len(draft.layout.order) == 3:
        number = frame or 0
        index[draft.layout.order[0]] = slice(number, number + 1)
    return tuple(index)


def _loaded(values: Any) -> Any:  # noqa: ANN401 -- numpy or dask
    # A copy, so that no map of the file's bytes stays behind.
    return np.array(values.compute() if hasattr(values, "compute") else values)


def _lazy(values: Any, outer: tuple[int, ...]) -> Any:  # noqa: ANN401 -- dask
    import dask.array as da

    if isinstance(values, da.Array):
        return values
    chunks = {i: ("auto" if i in outer else -1) for i in range(values.ndim)}
    return da.from_array(values, chunks=chunks, name=False)  # type: ignore[no-untyped-call]


def _ordered(draft: Draft, values: Any) -> Any:  # noqa: ANN401 -- numpy or dask
    """Bring axes into the order of the kind, the color last, and drop those of one entry."""
    order = draft.layout.order
    dropped = tuple(i for i in range(len(draft.signal.axes)) if i not in order)
    colors = tuple(range(len(draft.signal.axes), values.ndim))
    return values.transpose((*dropped, *order, *colors))[(0,) * len(dropped)]


def _one_color(draft: Draft, values: Any, channel: str | None) -> Any:  # noqa: ANN401
    """Make grey of colors: as they are where equal, else the one that is asked for."""
    colors = draft.signal.colors
    if not colors:
        return values
    if channel is not None:
        return _asked_color(draft, values, channel)
    grey = values[..., 0]
    differ = [name for name in colors[1:3] if not _same(grey, values[..., colors.index(name)])]
    transparent = "alpha" in colors and not _same(values[..., -1], values[..., -1].reshape(-1)[0])
    if differ or transparent:
        seen = colors if transparent else colors[:3]
        choices = ", ".join(f'channel="{name}"' for name in (*seen, "luminance"))
        reason = "it is a color picture"
        if not differ:
            reason = "it is a grey picture of varying transparency"
        raise read_error(draft.path, reason, f"Choose one of {choices}")
    return grey


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401 -- numpy or dask
    return bool((a == b).all())


def _asked_color(draft: Draft, values: Any, channel: str) -> Any:  # noqa: ANN401
    colors = draft.signal.colors
    if channel in colors:
        draft.notes.append(f"{channel} was taken from a color picture")
        return values[..., colors.index(channel)]
    if channel != "luminance":
        known = ", ".join((*colors, "luminance"))
        raise read_error(draft.path, f"it has no {channel=}", f"Choose one of {known}")
    draft.notes.append("the luminance was computed from a color picture (weights of BT.601)")
    weighted = [values[..., colors.index(name)] * np.float32(w) for name, w in _LUMINANCE.items()]
    return weighted[0] + weighted[1] + weighted[2]


def _numbers(draft: Draft, values: Any, channel: str | None) -> Any:  # noqa: ANN401
    """Give real numbers in the machine's byte order, never less exact than in the file."""
    dtype = values.dtype
    if dtype.kind == "c":
        values = _real_part(draft, values, channel)
    elif channel is not None and not draft.signal.colors:
        reason = f"{channel=} was asked for, but it is neither a color picture nor complex"
        raise read_error(draft.path, reason, "Leave channel out")
    dtype = values.dtype
    if dtype.kind == "b":
        return values.astype(np.uint8)
    if dtype == np.float16:
        # Sums over half floats overflow; single floats hold them exactly.
        return values.astype(np.float32)
    if dtype.kind == "f" and dtype.itemsize > 8:
        return values.astype(np.float64)
    return values if dtype.isnative else values.astype(dtype.newbyteorder("="))


def _real_part(draft: Draft, values: Any, channel: str | None) -> Any:  # noqa: ANN401
    if channel == "real":
        return values.real
    if channel == "imaginary":
        return values.imag
    if channel == "magnitude":
        return abs(values)
    if channel == "phase":
        draft.notes.append("phase of complex numbers, in rad")
        return np.arctan2(values.imag, values.real)
    choices = ", ".join(f'channel="{name}"' for name in _COMPLEX)
    raise read_error(draft.path, "its numbers are complex", f"Choose one of {choices}")


def _space(
    draft: Draft, first: int, shape: tuple[int, ...], pixel_size: Length | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the coordinates y and x: from zero, upwards, in one unit."""
    axes = (draft.axis(first), draft.axis(first + 1))
    sizes = (shape[first], shape[first + 1])
    for name, axis in zip(("y", "x"), axes):
        _require_uniform(draft, name, axis)
    steps = [space_steps(axis) for axis in axes]
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
        _note_missing_scale(draft, axes, units)
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
    if unit not in {"nm", "mm"} or not np.isfinite(step) or step == 0:
        return 1.0, ""
    return step * factor, unit


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


def _note_missing_scale(draft: Draft, axes: tuple[RawAxis, RawAxis], units: list[str]) -> None:
    remedy = 'set it with pixel_size="... nm"'
    scales = [axis.scale for axis in axes]
    if units[0] != units[1]:
        found = " and ".join(axis.unit or "no unit" for axis in axes)
        draft.notes.append(f"the file gives y and x in different units ({found}): {remedy}")
    elif axes[0].unit and axes[0].unit.lower() not in {"px", "pixel", "pixels"}:
        draft.notes.append(
            f"the axes are in {axes[0].unit!r} ({scales[0]:.6g} a pixel), which is no length: "
            "positions are in px"
        )
    elif scales[0] != 1.0 and np.isfinite(scales[0]) and scales[0] > 0:
        draft.notes.append(
            f"the file gives {scales[0]:.6g} a pixel without a unit: if nm are meant, read it "
            f'with pixel_size="{scales[0]:.6g} nm"'
        )
    else:
        draft.notes.append(f"the file has no scale: {remedy}")


def _origin(axes: tuple[RawAxis, RawAxis], unit: str) -> dict[str, Any]:
    """Keep where the first pixel lay in the frame of the instrument."""
    origin = []
    for axis in axes:
        _, factor = axis_unit(axis)
        start = axis.offset if axis.values is None else float(axis.values[0])
        origin.append(start * factor)
    if not all(np.isfinite(origin)) or not any(origin):
        return {}
    return {"instrument_origin": origin, "instrument_origin_unit": unit}


def _axis_values(
    draft: Draft, axis: RawAxis, size: int, *, sweep: bool = False
) -> NDArray[np.float64]:
    """Give the values of an axis; only a sweep may turn back, as in a hysteresis loop."""
    values = axis.values if axis.values is not None else axis.offset + np.arange(size) * axis.scale
    steps = np.diff(values)
    one_way = bool((steps > 0).all() or (steps < 0).all())
    if sweep and not one_way and np.isfinite(values).all():
        draft.notes.append(
            f"{axis.name or 'the sweep'} turns back: channels are in their own order"
        )
    elif not one_way or not np.isfinite(values).all():
        reason = f"its axis {axis.name or 'of channels'!r} neither rises nor falls throughout"
        raise read_error(draft.path, reason, "Correct the axis in the program that wrote the file")
    return np.asarray(values, dtype=float)


def _channel_axis(draft: Draft, size: int) -> tuple[Any, str]:
    """Give the values of the measured axis in the unit of the house."""
    axis = draft.axis(2)
    values = _axis_values(draft, axis, size, sweep=draft.layout.channel == "bias")
    text = axis.unit.strip()
    if not text:
        draft.notes.append(f"the axis {draft.layout.channel!r} has no unit in the file")
        return values, "1"
    if draft.layout.channel == "time":
        # Decays are told in ns, whatever the file says.
        seconds = house_unit(text)
        return (values * seconds[1] * 1e9, "ns") if seconds[0] == "s" else (values, text)
    unit, factor = axis_unit(axis)
    if not unit:
        draft.notes.append(f"the unit {text!r} of {draft.layout.channel!r} is not known")
        return values, text
    return values * factor, unit


def _in_house_unit(draft: Draft, values: Any) -> tuple[Any, str]:  # noqa: ANN401
    """Convert intensities of a known unit; what has none stays as it is."""
    text = draft.signal.unit.strip()
    try:
        unit, factor = house_unit(text)
    except UnitError:
        draft.notes.append(f"the unit {text!r} of the values is not known")
        return values, text
    if factor == 1.0:
        return values, unit
    small = values.dtype == np.float32 or values.dtype.itemsize <= 2
    return values * (np.float32(factor) if small else factor), unit


def _attrs(draft: Draft, unit: str, more: dict[str, Any]) -> dict[str, Any]:
    attrs: dict[str, Any] = {"units": unit, "source": draft.path.name}
    if len(draft.file.signals) > 1:
        attrs["dataset"] = draft.signal.name
    attrs.update(draft.signal.metadata)
    attrs.update(more)
    notes = list(dict.fromkeys([*draft.signal.notes, *draft.notes]))
    if notes:
        attrs["notes"] = notes
    return attrs
