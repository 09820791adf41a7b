"""From what a file holds to kinds of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from adatom.io.calibration import axis_values, channel_axis, space_coordinates
from adatom.io.draft import Draft, as_written, attributes, lazy, loaded, ordered, require_possible
from adatom.io.layout import Layout, axis_unit
from adatom.io.signals import RawAxis
from adatom.io.values import in_house_unit, one_color, real_numbers
from adatom.schema import (
    DIFFRACTION_MAP,
    IMAGE,
    MOVIE,
    SPECTRAL_MAP,
    DiffractionMap,
    Image,
    Movie,
    SpectralMap,
)
from adatom.units import Length


def image_from_draft(
    draft: Draft, /, *, channel: str | None, frame: int | None, pixel_size: Length | None
) -> Image:
    """Make an image of a dataset, in memory."""
    require_possible(draft)
    if as_written(draft, IMAGE, channel, frame, pixel_size):
        return draft.signal.original.compute()  # type: ignore[no-any-return]
    pixels = ordered(draft, loaded(draft.signal.values[_index(draft, frame)]))
    if len(draft.layout.order) == 3:
        draft.layout = Layout("image", draft.layout.order[1:])
        pixels = pixels[0]
    values = real_numbers(draft, one_color(draft, pixels, channel), channel)
    coords, attrs = space_coordinates(draft, 0, values.shape, pixel_size)
    values, unit = in_house_unit(draft, values)
    image = xr.DataArray(
        values,
        dims=("y", "x"),
        coords=coords,
        name="intensity",
        attrs=attributes(draft, unit, attrs),
    )
    IMAGE.check(image, name=f"{draft.path.name!r}")
    return image


def movie_from_draft(draft: Draft, /, *, channel: str | None, pixel_size: Length | None) -> Movie:
    """Make a movie of a dataset, lazily."""
    require_possible(draft)
    if as_written(draft, MOVIE, channel, pixel_size):
        return draft.signal.original  # type: ignore[no-any-return]
    _note_assumed_order(draft, "(frame, y, x)")
    pixels = ordered(draft, lazy(draft.signal.values, draft.layout.order[:1]))
    values = real_numbers(draft, one_color(draft, pixels, channel), channel)
    coords, attrs = space_coordinates(draft, 1, values.shape, pixel_size)
    coords["frame"] = ("frame", np.arange(values.shape[0]))
    coords.update(_times(draft, values.shape[0]))
    values, intensity = in_house_unit(draft, values)
    movie = xr.DataArray(
        values,
        dims=("frame", "y", "x"),
        coords=coords,
        name="intensity",
        attrs=attributes(draft, intensity, attrs),
    )
    MOVIE.check(movie, name=f"{draft.path.name!r}")
    return movie


def _times(draft: Draft, frames: int) -> dict[str, Any]:
    """Give the times of the frames where the file has them."""
    axis = draft.axis(0)
    unit, factor = axis_unit(axis)
    if unit not in {"s", "ns"}:
        if axis.unit.strip():
            draft.notes.append(_what_frames_follow(axis))
        return {}
    if axis.values is None and not axis.scale > 0:
        draft.notes.append(f"the file gives {axis.scale:.6g} {axis.unit} a frame, which is no time")
        return {}
    return {"time": ("frame", axis_values(draft, axis, frames) * factor, {"units": unit})}


def _what_frames_follow(axis: RawAxis) -> str:
    step = f"in steps of {axis.scale:.6g}" if axis.values is None else "in uneven steps"
    return f"frames follow {axis.name or 'an axis'} {step} {axis.unit}, not time: they are numbered"


def map_from_draft(
    draft: Draft, /, *, channel: str | None, pixel_size: Length | None
) -> SpectralMap:
    """Make a spectral map of a dataset, lazily."""
    require_possible(draft)
    if as_written(draft, SPECTRAL_MAP, channel, pixel_size):
        return draft.signal.original  # type: ignore[no-any-return]
    _note_assumed_order(draft, "(y, x, channel)")
    pixels = ordered(draft, lazy(draft.signal.values, draft.layout.order[:2]))
    values = real_numbers(draft, pixels, channel)
    coords, attrs = space_coordinates(draft, 0, values.shape, pixel_size)
    dim = draft.layout.channel
    along, unit = channel_axis(draft, values.shape[2], position=2)
    if along.size > 1 and (np.diff(along) <= 0).all():
        values, along = values[..., ::-1], along[::-1]
        draft.notes.append(f"{dim} ran downwards in the file and was turned around")
    coords[dim] = (dim, along, {"units": unit})
    values, intensity = in_house_unit(draft, values)
    found = xr.DataArray(
        values,
        dims=("y", "x", dim),
        coords=coords,
        name="intensity",
        attrs=attributes(draft, intensity, attrs),
    )
    SPECTRAL_MAP.check(found, name=f"{draft.path.name!r}")
    return found


def diffraction_map_from_draft(
    draft: Draft, /, *, channel: str | None, pixel_size: Length | None
) -> DiffractionMap:
    """Make a map of diffraction patterns of a dataset, lazily."""
    require_possible(draft)
    if as_written(draft, DIFFRACTION_MAP, channel, pixel_size):
        return draft.signal.original  # type: ignore[no-any-return]
    pixels = ordered(draft, lazy(draft.signal.values, draft.layout.order[:2]))
    values = real_numbers(draft, pixels, channel)
    coords, attrs = space_coordinates(draft, 0, values.shape, pixel_size)
    for position, dim in ((2, "k_y"), (3, "k_x")):
        coords[dim] = _pattern_axis(draft, dim, position, values.shape[position])
    values, intensity = in_house_unit(draft, values)
    found = xr.DataArray(
        values,
        dims=("y", "x", "k_y", "k_x"),
        coords=coords,
        name="intensity",
        attrs=attributes(draft, intensity, attrs),
    )
    DIFFRACTION_MAP.check(found, name=f"{draft.path.name!r}")
    return found


def _pattern_axis(draft: Draft, dim: str, position: int, size: int) -> tuple[str, Any, Any]:
    """Give an axis of the pattern: in 1/nm or deg from the file's own origin, else in px."""
    axis = draft.axis(position)
    unit, factor = axis_unit(axis)
    if unit in {"1/nm", "deg"}:
        return (dim, axis_values(draft, axis, size) * factor, {"units": unit})
    if axis.unit.strip() not in {"", "px"}:
        step = f"{axis.scale:.6g} {axis.unit}"
        draft.notes.append(f"the step of {dim} is {step} in the file, which is no angle: px")
    return (dim, np.arange(size, dtype=float), {"units": "px"})


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
