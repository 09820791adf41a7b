"""Class maps drawn by an expert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.io.calibration import space_coordinates
from adatom.io.draft import Draft, attributes, loaded, ordered, require_possible
from adatom.io.guard import read_error
from adatom.schema import IMAGE, Image
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.io.signals import RawSignal

# An expert draws a handful of classes; more values than a byte holds are a photograph.
MAX_LABELS: Final = 256


def labels_from_draft(draft: Draft, /, *, pixel_size: Length | None) -> Image:
    """Make integer labels of the distinct values or colors of a dataset."""
    require_possible(draft)
    drawn = ordered(draft, loaded(draft.signal.values[...]))
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
    coords, attrs = space_coordinates(draft, 0, shape, pixel_size)
    entries = drawn.reshape(shape[0] * shape[1], -1)[places]
    legend = [_legend_entry(entry, draft.signal) for entry in entries]
    labels_image = xr.DataArray(
        labels.reshape(shape).astype(np.int64),
        dims=("y", "x"),
        coords=coords,
        name="label",
        attrs=attributes(draft, "1", {**attrs, "legend": legend}),
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
