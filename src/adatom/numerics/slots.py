"""Slots of a reference star: which neighbor fills each, and what an empty one means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from adatom.numerics.stars import capture_radii, squared_distance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from adatom.numerics.neighbors import PointTree

FILLED: Final = 0
VACANT: Final = 1
UNKNOWN: Final = 2


class Slots(NamedTuple):
    """Neighbors of every site, in the slots of its star.

    Attributes
    ----------
    star : ndarray of int, shape (site,)
        The star that fits best.
    point : ndarray of int, shape (site, neighbor)
        Point that fills the slot, -1: none.
    vector : ndarray, shape (site, neighbor, 2)
        To that point, NaN: none.
    """

    star: NDArray[np.int64]
    point: NDArray[np.int64]
    vector: NDArray[np.float64]


def fill_slots(
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
    tree: PointTree,
    stars: NDArray[np.float64],
    further: Sequence[NDArray[np.float64]],
    /,
    *,
    max_distance: float = np.inf,
) -> Slots:
    """Fill the slots of the star that fits each site best.

    The nearest neighbor within the radius of capture fills a slot, unless it
    is nearer to one of the `further` places of the star, and the nearest one
    there: then it is of the next shell, and the slot is empty.

    A star fits by the mean over its slots of the squared deviation in units of
    the capture radius, 1 for an empty slot, whatever the reason that it is
    empty: a star must not win by having its slots beyond the frame.
    """
    index, vector, best = _fill_star(points, frame, tree, stars[0], further[0], max_distance)
    chosen = Slots(np.zeros(len(points), dtype=np.int64), index, vector)
    for s, star in enumerate(stars[1:], start=1):
        index, vector, cost = _fill_star(points, frame, tree, star, further[s], max_distance)
        better = cost < best
        chosen.star[better] = s
        chosen.point[better] = index[better]
        chosen.vector[better] = vector[better]
        best[better] = cost[better]
    return chosen


def _fill_star(
    points: NDArray[np.float64],
    frame: NDArray[np.int64] | None,
    tree: PointTree,
    star: NDArray[np.float64],
    further: NDArray[np.float64],
    max_distance: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    index = np.empty((len(points), len(star)), dtype=np.int64)
    vector = np.empty((len(points), len(star), 2))
    cost = np.zeros(len(points))
    for k, (slot, radius) in enumerate(zip(star, capture_radii(star))):
        found = tree.nearest(points + slot, frame, max_distance=float(radius))[:, 0]
        to = tree.points[np.maximum(found, 0)] - points
        squared = squared_distance(to, slot)
        lost = squared_distance(to, np.zeros(2)) > max_distance**2
        for place in further:
            # Only a neighbor past the middle can be nearer to the other place.
            past = np.flatnonzero((found >= 0) & (4 * squared > squared_distance(place, slot)))
            there = frame[past] if frame is not None else None
            nearest = tree.nearest(points[past] + place, there, max_distance=float(radius))[:, 0]
            nearer = squared_distance(to[past], place) < squared[past]
            lost[past[nearer & (nearest == found[past])]] = True
        found[lost] = -1
        to[found < 0] = np.nan
        cost += np.where(found < 0, 1.0, squared / radius**2)
        index[:, k], vector[:, k] = found, to
    return index, vector, cost / len(star)


def slot_states(
    slots: Slots,
    stars: NDArray[np.float64],
    points: NDArray[np.float64],
    /,
    *,
    room: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]],
) -> NDArray[np.int8]:
    """Tell filled slots (0) from vacant (1) and unknown ones (2).

    An empty slot is unknown where its disc of capture is not wholly within
    what was analyzed.

    Parameters
    ----------
    room : callable
        ``room(places, empty)`` gives for the places (empty slot, 2), taken
        where `empty` (site, neighbor) is true, their distance to what was not
        analyzed, negative within it.
    """
    state = np.zeros(slots.point.shape, dtype=np.int8)
    empty = slots.point < 0
    site, slot = np.nonzero(empty)
    mine = slots.star[site]
    places = points[site] + stars[mine, slot]
    radius = capture_radii(stars)[mine, slot]
    state[empty] = np.where(room(places, empty) < radius, UNKNOWN, VACANT)
    return state


def room_in_box(
    places: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Give the distance of places (place, 2) to the edges of a box, negative outside."""
    room: NDArray[np.float64] = np.minimum(places - low, high - places).min(axis=1)
    return room


def room_in_mask(
    places: NDArray[np.float64],
    mask: NDArray[np.bool_],
    origin: NDArray[np.float64],
    step: NDArray[np.float64],
    /,
) -> NDArray[np.float64]:
    """Give the distance of places to the nearest pixel of a mask that is False.

    Places outside of the mask's image are at distance -1.
    """
    distance = (
        np.full(mask.shape, np.inf) if mask.all() else distance_transform_edt(mask, sampling=step)
    )
    pixel = np.rint((places - origin) / step).astype(np.int64)
    inside = ((pixel >= 0) & (pixel < mask.shape)).all(axis=1)
    pixel = np.clip(pixel, 0, np.array(mask.shape) - 1)
    return np.where(inside, distance[pixel[:, 0], pixel[:, 1]], -1.0)
