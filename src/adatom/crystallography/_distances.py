"""Signed distances of places from lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial import cKDTree

from adatom.numerics.class_contours import normals, segment_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Nearest pieces of lines that are looked at: a place may be nearer to a segment whose middle is
# farther, by less than half a piece.
_CANDIDATES: Final = 4
# Places at a time: the pixels of a large image would take gigabytes at once.
_BLOCK: Final = 1 << 18


@dataclass(frozen=True)
class NearestLine:
    """Where places are with regard to the line nearest to each.

    Attributes
    ----------
    distance : ndarray, shape (place,)
        Signed, positive on the side to which the normals point; NaN beyond the
        open end of the line, and farther than asked for.
    along : ndarray, shape (place,)
        Of the foot of the perpendicular, from the start of the line.
    line : ndarray of int, shape (place,)
        -1 where the distance is NaN.
    vertex : ndarray of int, shape (place,)
        Vertex at which the segment of the foot begins.
    """

    distance: NDArray[np.float64]
    along: NDArray[np.float64]
    line: NDArray[np.int64]
    vertex: NDArray[np.int64]


def nearest_line(
    places: NDArray[np.float64],
    points: NDArray[np.float64],
    line: NDArray[np.int64],
    /,
    *,
    reach: float,
    piece: float,
) -> NearestLine:
    """Measure distances from the nearest line.

    Parameters
    ----------
    places : ndarray, shape (place, 2)
    points : ndarray, shape (vertex, 2)
        Vertices of the lines, in order; axis y, x.
    line : ndarray of int, shape (vertex,)
    reach : float
        Beyond it nothing is measured.
    piece : float
        Longer segments are cut for the search.
    """
    length = segment_lengths(points, line)
    segment = np.flatnonzero(length > 0)
    n = len(places)
    if not len(segment) or not n:
        none = np.full(n, np.nan)
        return NearestLine(none, none.copy(), np.full(n, -1), np.full(n, -1))
    cuts = np.maximum(1, np.ceil(length[segment] / piece).astype(np.int64))
    owner = np.repeat(segment, cuts)
    part = np.arange(len(owner)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    where = ((part + 0.5) / np.repeat(cuts, cuts))[:, None]
    middles = points[owner] * (1 - where) + points[owner + 1] * where
    tree = cKDTree(middles)
    k = min(_CANDIDATES, len(middles))
    nothing = np.full(n, np.nan), np.full(n, -1)
    found = NearestLine(nothing[0], nothing[0].copy(), nothing[1], nothing[1].copy())
    measured = np.flatnonzero(np.isfinite(places).all(axis=1))
    for start in range(0, len(measured), _BLOCK):
        here = measured[start : start + _BLOCK]
        _, near = tree.query(
            places[here], k=list(range(1, k + 1)), distance_upper_bound=reach + piece
        )
        close = near[:, 0] < len(middles)
        here, near = here[close], near[close]
        near = np.where(near < len(middles), near, near[:, :1])
        part = _feet(places[here], points, line, length, owner[near], reach)
        for whole, values in zip(_arrays(found), _arrays(part), strict=True):
            whole[here] = values
    return found


def _arrays(nearest: NearestLine) -> tuple[NDArray[Any], ...]:
    return nearest.distance, nearest.along, nearest.line, nearest.vertex


def _feet(
    places: NDArray[np.float64],
    points: NDArray[np.float64],
    line: NDArray[np.int64],
    length: NDArray[np.float64],
    candidates: NDArray[np.int64],
    reach: float,
) -> NearestLine:
    start = points[candidates]
    step = points[candidates + 1] - start
    off = places[:, None, :] - start
    share = np.clip((off * step).sum(-1) / (step**2).sum(-1), 0.0, 1.0)
    gap = off - share[..., None] * step
    best = (gap**2).sum(-1).argmin(axis=1)
    row = np.arange(len(places))
    vertex, share, gap = candidates[row, best], share[row, best], gap[row, best]
    # At a corner the side is told by the mean of both normals.
    corner = normals(points, line)[np.where(share >= 1, vertex + 1, vertex)]
    own = step[row, best]
    own = np.column_stack([own[:, 1], -own[:, 0]])
    normal = np.where(((share > 0) & (share < 1))[:, None], own, corner)
    distance = np.hypot(*gap.T) * np.where((gap * normal).sum(-1) >= 0, 1.0, -1.0)
    known = ~_beyond_end(points, line, vertex, share) & (np.abs(distance) <= reach)
    begin = np.cumsum(length) - length
    first = begin[np.searchsorted(line, line[vertex])]
    along = begin[vertex] - first + share * length[vertex]
    return NearestLine(
        np.where(known, distance, np.nan),
        np.where(known, along, np.nan),
        np.where(known, line[vertex], -1),
        np.where(known, vertex, -1),
    )


def _beyond_end(
    points: NDArray[np.float64],
    line: NDArray[np.int64],
    vertex: NDArray[np.int64],
    share: NDArray[np.float64],
) -> NDArray[np.bool_]:
    changes = np.diff(line) != 0
    is_first = np.concatenate([[True], changes])
    is_last = np.concatenate([changes, [True]])
    n_lines = int(line.max()) + 1
    first, last = points[is_first], points[is_last]
    rings = np.zeros(n_lines, dtype=bool)
    rings[line[is_first]] = (first == last).all(axis=1)
    at_end = (is_first[vertex] & (share <= 0)) | (is_last[vertex + 1] & (share >= 1))
    return np.asarray(at_end & ~rings[line[vertex]])
