"""From the curves of a file to force curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np
import xarray as xr

from adatom.errors import UnitError
from adatom.io.guard import read_error, reading
from adatom.io.layout import axis_unit
from adatom.io.signals import RawAxis
from adatom.schema import FORCE_CURVES, ForceCurves
from adatom.units import house_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from adatom.io.signals import RawCurves, RawFile

# Curves are short: one block of several costs little and keeps graphs of large maps small.
_BLOCK_BYTES: Final = 4 * 2**20
_LARGEST_CURVE: Final = 2**28


@dataclass(frozen=True)
class _Curves:
    """What is needed to read some curves, wherever that happens."""

    path: Path
    read: Callable[[int], Mapping[str, Sequence[NDArray[Any]]]]
    factors: dict[str, float]
    n_segments: int
    n_samples: int


def force_curves_from_raw(raw: RawFile, part: RawCurves, /) -> ForceCurves:
    """Make force curves, lazily: channels in the units of the house, NaN beyond the end."""
    if part.original is not None:
        return part.original  # type: ignore[no-any-return]
    lengths = _checked_lengths(raw, part)
    units, factors, notes = _house_units(part)
    n_curves, n_segments = lengths.shape
    curves = _Curves(raw.path, part.read, factors, n_segments, int(lengths.max()))
    values = _lazy_values(curves, n_curves)
    dims = ("site", "segment", "sample")
    variables = {
        name: (dims, values[:, place], {"units": units[name]})
        for place, name in enumerate(part.channels)
    }
    coords: dict[str, Any] = {
        "segment": ("segment", np.asarray(part.segments, dtype=str)),
        "n_samples": (("site", "segment"), lengths),
    }
    places, place_notes = _places(raw, part, n_curves)
    coords.update(places)
    notes = list(dict.fromkeys([*part.notes, *notes, *place_notes]))
    attrs: dict[str, Any] = {"source": raw.path.name}
    if len(raw.parts) > 1:
        attrs["dataset"] = part.name
    attrs.update(part.metadata)
    if notes:
        attrs["notes"] = notes
    found = xr.Dataset(variables, coords=coords, attrs=attrs)
    FORCE_CURVES.check(found, name=f"{raw.path.name!r}")
    return found


def _checked_lengths(raw: RawFile, part: RawCurves) -> NDArray[np.int64]:
    lengths = np.asarray(part.lengths, dtype=np.int64)
    if lengths.ndim != 2 or not lengths.size or lengths.min() < 0 or not lengths.max():
        raise read_error(raw.path, "its force curves have no samples", "Check how it was saved")
    needed = 8 * len(part.channels) * lengths.shape[1] * int(lengths.max())
    if needed > _LARGEST_CURVE:
        reason = f"one of its force curves takes {needed} bytes"
        raise read_error(raw.path, reason, "The file may be damaged: copy it again")
    return lengths


def _house_units(part: RawCurves) -> tuple[dict[str, str], dict[str, float], list[str]]:
    """Give unit and factor of every channel."""
    units, factors, notes = {}, {}, []
    for name, text in part.channels.items():
        try:
            units[name], factors[name] = house_unit(text)
        except UnitError:
            units[name], factors[name] = text, 1.0
            notes.append(f"the unit {text!r} of {name} is not known")
    return units, factors, notes


def _lazy_values(curves: _Curves, n_curves: int) -> Any:  # noqa: ANN401 -- dask
    """Give all channels of all curves; those of a curve are read together, once."""
    import dask.array as da

    inner = (len(curves.factors), curves.n_segments, curves.n_samples)
    together = max(1, _BLOCK_BYTES // (8 * int(np.prod(inner))))
    numbers = da.arange(n_curves, chunks=together)
    return numbers.map_blocks(
        partial(_read_block, curves),
        # A name of its own spares dask to look through the places of all curves.
        name=f"force-curves-{uuid4().hex}",
        new_axis=[1, 2, 3],
        chunks=(numbers.chunks[0], *inner),
        dtype=np.float64,
        meta=np.empty((0, 0, 0, 0)),
    )


def _read_block(curves: _Curves, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    shape = (len(numbers), len(curves.factors), curves.n_segments, curves.n_samples)
    block = np.full(shape, np.nan)
    for row, number in enumerate(numbers):
        with reading(curves.path):
            found = curves.read(int(number))
            for place, (name, factor) in enumerate(curves.factors.items()):
                for segment, samples in enumerate(found.get(name, ())):
                    if len(samples) > curves.n_samples:
                        reason = f"curve {number} is longer than the file says"
                        raise read_error(curves.path, reason, "Copy the file again")
                    block[row, place, segment, : len(samples)] = samples * factor
    return block


def _places(raw: RawFile, part: RawCurves, n_curves: int) -> tuple[dict[str, Any], list[str]]:
    """Give y and x of the curves where the file tells them."""
    given = part.places
    if given is None:
        return {}, []
    if len(given.y) != n_curves or len(given.x) != n_curves:
        reason = f"it gives {len(given.y)} positions for {n_curves} curves"
        raise read_error(raw.path, reason, "The file may be damaged: copy it again")
    unit, factor = axis_unit(RawAxis("x", given.unit))
    notes = []
    if unit not in {"nm", "mm"}:
        notes.append(f"positions of the curves have no unit of length ({given.unit!r})")
        unit, factor = "px", 1.0
    attrs = {"units": unit}
    return {
        "y": ("site", np.asarray(given.y, float) * factor, attrs),
        "x": ("site", np.asarray(given.x, float) * factor, attrs),
    }, notes
