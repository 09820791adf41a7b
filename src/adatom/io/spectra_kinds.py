"""From datasets of a file to spectra: alone, at scattered places, along a line, or in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from adatom.io.calibration import axis_values, channel_axis, factor_to_unit, space_steps
from adatom.io.draft import Draft, as_written, attributes, lazy, require_possible
from adatom.io.guard import read_error
from adatom.io.layout import axis_unit
from adatom.io.signals import Places, RawAxis
from adatom.io.values import in_house_unit, real_numbers
from adatom.schema import SPECTRA, Spectra


def spectra_from_draft(draft: Draft, /, *, channel: str | None) -> Spectra:
    """Make spectra of a dataset, lazily."""
    require_possible(draft)
    if as_written(draft, SPECTRA, channel):
        return draft.signal.original  # type: ignore[no-any-return]
    outer = draft.layout.order[:-1]
    values = real_numbers(draft, _rows(draft, lazy(draft.signal.values, outer)), channel)
    dim = draft.layout.channel
    coords = _places(draft, values.shape[0])
    last = len(draft.layout.order) - 1
    along, unit = channel_axis(draft, values.shape[1], position=last)
    if along.size > 1 and (np.diff(along) <= 0).all():
        values, along = values[:, ::-1], along[::-1]
        draft.notes.append(f"{dim} ran downwards in the file and was turned around")
    coords[dim] = (dim, along, {"units": unit})
    values, intensity = in_house_unit(draft, values)
    found = xr.DataArray(
        values,
        dims=(draft.layout.place, dim),
        coords=coords,
        name="intensity",
        attrs=attributes(draft, intensity, {}),
    )
    SPECTRA.check(found, name=f"{draft.path.name!r}")
    return found


def _rows(draft: Draft, values: Any) -> Any:  # noqa: ANN401 -- dask
    """Bring spectra into rows; axes of one entry are dropped."""
    order = draft.layout.order
    dropped = tuple(i for i in range(values.ndim) if i not in order)
    rows = values.transpose((*dropped, *order))[(0,) * len(dropped)]
    return rows if len(order) == 2 else rows[None]


def _places(draft: Draft, n_spectra: int) -> dict[str, Any]:
    """Give y and x of the spectra, or the axis that was varied instead of the place."""
    if draft.signal.places is not None:
        return _given_places(draft, draft.signal.places, n_spectra)
    if len(draft.layout.order) == 1:
        return {}
    axis = draft.axis(0)
    if draft.layout.place != "site":
        unit, factor = axis_unit(axis)
        along = axis_values(draft, axis, n_spectra) * (factor if unit else 1.0)
        return {draft.layout.place: (draft.layout.place, *_short_times(along, unit or axis.unit))}
    return _line_places(draft, axis, n_spectra)


def _short_times(along: Any, unit: str) -> tuple[Any, dict[str, str]]:  # noqa: ANN401 -- numpy
    if unit == "s" and along.size and np.abs(along).max() < 1e-3:
        return along * 1e9, {"units": "ns"}
    return along, {"units": unit or "1"}


def _line_places(draft: Draft, axis: RawAxis, n_spectra: int) -> dict[str, Any]:
    """Lay spectra along a line of which only distances are known: x, with y = 0."""
    _, unit = space_steps(axis)
    if not unit:
        return {}
    even = axis.offset + np.arange(n_spectra) * axis.scale
    values = even if axis.values is None else axis.values
    along = np.asarray(values, float) * factor_to_unit(axis, unit)
    draft.notes.append("spectra lie along a line, of which the file gives distances: y is zero")
    attrs = {"units": unit}
    return {"y": ("site", np.zeros(n_spectra), attrs), "x": ("site", along, attrs)}


def _given_places(draft: Draft, given: Places, n_spectra: int) -> dict[str, Any]:
    if len(given.y) != n_spectra or len(given.x) != n_spectra:
        reason = f"it gives {len(given.y)} positions for {n_spectra} spectra"
        raise read_error(draft.path, reason, "The file may be damaged: copy it again")
    unit, factor = axis_unit(RawAxis("x", given.unit))
    if unit not in {"nm", "mm"}:
        draft.notes.append(f"positions of the spectra have no unit of length ({given.unit!r})")
        unit, factor = "px", 1.0
    attrs = {"units": unit}
    return {
        "y": ("site", np.asarray(given.y, float) * factor, attrs),
        "x": ("site", np.asarray(given.x, float) * factor, attrs),
    }
