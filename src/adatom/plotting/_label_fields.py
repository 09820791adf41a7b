"""Labels of sites as a field of cells, each point having the label of the site nearest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import to_rgb
from scipy.spatial import cKDTree

from adatom.plotting._display import pixel_edges
from adatom.plotting._marks import site_edges
from adatom.schema import positions

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Dots along the longer side of a map of 6.4 inches at 160 an inch.
_DOTS: Final = 1024
# Spacings from the nearest site beyond which a place belongs to none.
_FAR: Final = 0.9


def label_field(
    labelled: xr.Dataset, /
) -> tuple[NDArray[np.int64], tuple[float, float, float, float]]:
    """Give labels of pixels or sites on a fine grid, -2 where nothing is known, and its edges."""
    label = labelled["label"]
    if label.dims == ("y", "x"):
        return label.values.astype(np.int64), pixel_edges(label)
    left, right, bottom, top = site_edges(labelled)
    size = max(right - left, bottom - top) / _DOTS
    columns, rows = max(1, round((right - left) / size)), max(1, round((bottom - top) / size))
    places = positions(labelled)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    tree = cKDTree(places[known])
    apart = np.median(tree.query(places[known][:: max(1, len(known) // 5000)], k=2)[0][:, 1])
    y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    _, near = tree.query(grid, distance_upper_bound=_FAR * 1.42 * float(apart))
    found = np.append(label.values[known].astype(np.int64), -2)[near]
    return found.reshape(rows, columns), (left, right, bottom, top)


def draw_labels(
    axes: Axes,
    field: NDArray[np.int64],
    edges: tuple[float, float, float, float],
    color_of: Callable[[int], str],
    /,
    *,
    alpha: float,
) -> None:
    """Tint the places of every label."""
    rgba = np.zeros((*field.shape, 4), dtype=np.float32)
    for k in np.unique(field).tolist():
        if k >= -1:
            rgba[field == k] = (*to_rgb(color_of(k)), alpha)
    left, right, bottom, top = edges
    axes.imshow(
        rgba,
        extent=(left, right, bottom, top),
        origin="upper",
        interpolation="nearest",
        aspect="auto",
        zorder=1.5,
    )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
