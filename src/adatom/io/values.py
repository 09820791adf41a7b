"""Numbers of a dataset: colors, complex numbers, types and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import UnitError
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
