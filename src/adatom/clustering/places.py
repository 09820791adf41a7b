"""Which places of a map, or which sites, are next to each other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial import Delaunay, QhullError

from adatom.errors import KindError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# Edges of a triangulation that cross a gap or run along the rim of all sites are longer than this
# many times the usual one; the diagonal of a square, 1.41, is a neighbor still.
_LONGEST: Final = 2.0


def neighbor_pairs(label: xr.DataArray, /) -> NDArray[np.int64]:
    """Pair the places that touch, (pair, 2), by their numbers in C order.

    Pixels touch along their edges, within one frame. Sites with positions
    touch where their Voronoi cells do, unless they are farther apart than
    twice the median of such distances.

    Parameters
    ----------
    label : DataArray
        Anything on these places: (y, x), (frame, y, x) or (site,).

    Raises
    ------
    KindError
        If the places have no positions.
    """
    if label.dims[-2:] == ("y", "x"):
        return _pixel_pairs(label.shape)
    if label.dims == ("site",) and {"y", "x"} <= set(label.coords):
        points = np.stack([label.coords["y"].values, label.coords["x"].values], axis=1)
        frames = label.coords["frame"].values if "frame" in label.coords else np.zeros(len(points))
        return _site_pairs(points.astype(float), frames)
    msg = (
        f"places on {tuple(label.dims)} have no neighbors: need pixels (y, x), or sites with "
        "coordinates y and x"
    )
    raise KindError(msg)


def _pixel_pairs(shape: tuple[int, ...]) -> NDArray[np.int64]:
    number = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    down = np.stack([number[..., :-1, :].ravel(), number[..., 1:, :].ravel()], axis=1)
    right = np.stack([number[..., :-1].ravel(), number[..., 1:].ravel()], axis=1)
    return np.concatenate([down, right])


def _site_pairs(points: NDArray[np.float64], frames: NDArray[Any]) -> NDArray[np.int64]:
    parts = [_triangulated(points, np.flatnonzero(frames == frame)) for frame in np.unique(frames)]
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *parts])
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    return pairs[lengths <= _LONGEST * np.median(lengths)] if len(pairs) else pairs


def _triangulated(points: NDArray[np.float64], sites: NDArray[np.intp]) -> NDArray[np.int64]:
    try:
        corners = Delaunay(points[sites]).simplices if len(sites) > 3 else None
    except QhullError:
        corners = None
    if corners is None:
        # Few sites, or all on a line: each touches the next along it.
        along = sites[np.lexsort(points[sites].T)]
        return np.array(list(pairwise(along)), dtype=np.int64).reshape(-1, 2)
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    return np.asarray(sites[np.unique(np.sort(edges, axis=1), axis=0)], dtype=np.int64)
