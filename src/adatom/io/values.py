"""Numbers of a dataset: colors, complex numbers, types and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import UnitError
from adatom.io.color_maps import (
    ANY_MAP,
    COLOR_MAPS,
    FARTHEST,
    choose_color_map,
    place_on_color_map,
)
from adatom.io.guard import read_error
from adatom.units import house_unit

if TYPE_CHECKING:
    from adatom.io.draft import Draft

# ITU-R BT.601, as in Pillow and most cameras.
_LUMINANCE: Final = {"red": 0.299, "green": 0.587, "blue": 0.114}
_COMPLEX: Final = ("real", "imaginary", "magnitude", "phase")


def one_color(draft: Draft, values: Any, channel: str | None) -> Any:  # noqa: ANN401
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
        choices += f', or of false colors channel="{ANY_MAP}"'
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
    if channel == ANY_MAP or channel in COLOR_MAPS:
        return _from_false_colors(draft, values, channel)
    if channel != "luminance":
        known = ", ".join((*colors, "luminance", ANY_MAP, *COLOR_MAPS))
        raise read_error(draft.path, f"it has no {channel=}", f"Choose one of {known}")
    draft.notes.append("the luminance was computed from a color picture (weights of BT.601)")
    weighted = [values[..., colors.index(name)] * np.float32(w) for name, w in _LUMINANCE.items()]
    return weighted[0] + weighted[1] + weighted[2]


def _from_false_colors(draft: Draft, values: Any, channel: str) -> Any:  # noqa: ANN401
    """Give places along a color map, from 0 to 1, block by block of lazy values."""
    if values.dtype.kind not in "ui":
        reason = f"its colors are {values.dtype}, and color maps are inverted of whole numbers"
        raise read_error(draft.path, reason, 'Choose a color such as channel="red"')
    levels = 255 / float(np.iinfo(values.dtype).max)
    rgb = values[..., [draft.signal.colors.index(name) for name in ("red", "green", "blue")]]
    # Frames spread over a movie have the say, rows all over an image.
    some = rgb[np.unique(np.linspace(0, len(rgb) - 1, 3 if rgb.ndim > 3 else 64).astype(int))]
    nearest = choose_color_map(np.asarray(some) * levels)
    name = nearest.name if channel == ANY_MAP else channel
    if channel == ANY_MAP and nearest.distance > FARTHEST:
        reason = (
            f"its colors are of no known color map: those nearest, {nearest.name!r}, are "
            f"{nearest.distance:.0f} of 255 levels away (root mean square)"
        )
        raise read_error(draft.path, reason, 'Choose a color, or channel="luminance"')
    if channel == ANY_MAP:
        draft.notes.append(
            f"values are places from 0 to 1 along the color map {name!r}, from which the colors "
            f"of the picture stray by {nearest.distance:.2g} of 255 levels ({nearest.second!r}, "
            f"the next, by {nearest.second_distance:.2g}); the map's range is not stored"
        )
    else:
        draft.notes.append(
            f"values are places from 0 to 1 along the color map {name!r}, as asked for; the "
            f"known map nearest to the colors is {nearest.name!r}"
        )
    if isinstance(rgb, np.ndarray):
        return place_on_color_map(rgb * levels, name)
    whole = rgb.rechunk({rgb.ndim - 1: -1})
    return whole.map_blocks(_places, levels, name, dtype=np.float32, drop_axis=rgb.ndim - 1)


def _places(colors: Any, levels: float, name: str) -> Any:  # noqa: ANN401
    return place_on_color_map(colors * levels, name)


def real_numbers(draft: Draft, values: Any, channel: str | None) -> Any:  # noqa: ANN401
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


def in_house_unit(draft: Draft, values: Any) -> tuple[Any, str]:  # noqa: ANN401
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
    number = np.float32(factor) if small else factor
    if hasattr(values, "map_blocks"):
        return values.map_blocks(_times, number, dtype=np.result_type(values.dtype, number)), unit
    return _times(values, number), unit


def _times(values: Any, factor: float | np.float32) -> Any:  # noqa: ANN401
    """Multiply; what no float32 can hold, as in damaged files, becomes infinite."""
    with np.errstate(over="ignore"):
        return values * factor
