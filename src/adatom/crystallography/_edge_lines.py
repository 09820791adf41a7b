"""Smooth lines along edges: length, direction, and where places lie beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Points of a line, in distances of sites: dense enough for its normals.
STEP: Final = 0.25
_FEWEST: Final = 5
_REACH: Final = 4.0


class EdgeLine(NamedTuple):
    """Points along an edge at even distances.

    Attributes
    ----------
    points : ndarray, shape (point, axis)
    normal : ndarray, shape (point, axis)
        Unit vectors towards the vacuum: the direction of the line turned by 90 deg, from +x
        towards +y.
    along : ndarray, shape (point,)
        Length from the first point.
    closed : bool
        The first point follows the last.
    """

    points: Floats
    normal: Floats
    along: Floats
    closed: bool

    @property
    def length(self) -> float:
        """Length, that from the last point to the first included if it is closed."""
        total = float(self.along[-1])
        if self.closed:
            total += float(np.linalg.norm(self.points[0] - self.points[-1]))
        return total


def smooth_line(vertices: Floats, /, *, closed: bool, spacing: float, sigma: float) -> EdgeLine:
    """Smooth a line through atoms, in the order of an `Outline`.

    Parameters
    ----------
    vertices : ndarray, shape (vertex, axis)
    closed : bool
    spacing : float
        Distance of neighboring sites.
    sigma : float
        Standard deviation of the smoothing along the line; ends stay where they are.
    """
    knots = np.concatenate([vertices, vertices[:1]]) if closed else vertices
    steps = np.linalg.norm(np.diff(knots, axis=0), axis=1)
    at = np.append(0.0, np.cumsum(steps))
    count = max(_FEWEST, round(at[-1] / (STEP * spacing)) + (0 if closed else 1))
    where = np.linspace(0.0, at[-1], count, endpoint=not closed)
    points = np.column_stack([np.interp(where, at, knots[:, axis]) for axis in (0, 1)])
    step = at[-1] / (count if closed else count - 1)
    points = _smoothed(points, sigma / step, closed)
    direction = _directions(points, closed)
    normal = np.column_stack([direction[:, 1], -direction[:, 0]])
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return EdgeLine(points, normal, np.append(0.0, np.cumsum(lengths)), closed)


def _smoothed(points: Floats, sigma: float, closed: bool) -> Floats:
    if not sigma > 0:
        return points
    if closed:
        # A loop that is smoothed by more than its size would shrink to a point.
        sigma = min(sigma, len(points) / 12)
        return np.asarray(gaussian_filter1d(points, sigma, axis=0, mode="wrap"))
    reach = min(len(points) - 1, int(np.ceil(_REACH * sigma)))
    # The line goes on beyond its ends as its image in them: straight ends stay straight.
    before = 2 * points[0] - points[reach:0:-1]
    after = 2 * points[-1] - points[-2 : -2 - reach : -1]
    longer = np.concatenate([before, points, after])
    return np.asarray(gaussian_filter1d(longer, sigma, axis=0, mode="nearest")[reach:-reach])


def _directions(points: Floats, closed: bool) -> Floats:
    if closed:
        change = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    else:
        change = np.gradient(points, axis=0)
    size = np.linalg.norm(change, axis=1, keepdims=True)
    return np.asarray(change / np.where(size > 0, size, 1.0))


class Beside(NamedTuple):
    """Where places lie beside lines.

    Attributes
    ----------
    point : ndarray of int, shape (place,)
        The nearest point of the lines.
    ahead, distance : ndarray, shape (place,)
        From that point along the line, and away from it: positive towards the vacuum.
    tangent, normal : ndarray, shape (place, axis)
        There.
    """

    point: NDArray[np.int64]
    ahead: Floats
    distance: Floats
    tangent: Floats
    normal: Floats


def beside_lines(places: Floats, points: Floats, normal: Floats, /, *, step: float) -> Beside:
    """Find where places (place, axis) lie beside the points (point, axis) of lines.

    Parameters
    ----------
    places, points, normal : ndarray
        One place and one point or more.
    step : float
        Distance of points along their line: who is farther ahead of the nearest than that lies
        beyond an end.
    """
    _, near = cKDTree(points).query(places)
    away = places - points[near]
    outward = normal[near]
    tangent = np.column_stack([-outward[:, 1], outward[:, 0]])
    inner, ahead = (away * outward).sum(axis=1), (away * tangent).sum(axis=1)
    beyond = np.abs(ahead) > step
    distance = np.where(beyond, np.copysign(np.linalg.norm(away, axis=1), inner), inner)
    point = np.asarray(near, dtype=np.int64)
    return Beside(point, np.clip(ahead, -step, step), distance, tangent, outward)
