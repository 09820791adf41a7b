"""Whether points repeat themselves by vectors longer than those to their neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Within = Callable[[Points], NDArray[np.bool_]]

# Vectors that are tried, in spacings: cells of complex oxides are three to four wide.
SHORTEST, LONGEST = 0.8, 5.0
# The chance of a vector to hit is read off directions spread evenly over half a turn.
_RADIAL_STEP = 0.2
_N_DIRECTIONS = 12
# And off places on a line through its end, in spacings, as along a stripe.
_LINE = np.linspace(-2.0, 2.0, 11)[:, None]
# So many candidates for the second vector of a lattice are compared with their lines.
_MOST_SECOND = 8
# Vectors between points that are tried; more of the same length and direction tell nothing new.
_MOST_VECTORS = 400
# The best of hundreds of vectors lies some three and a half deviations above
# chance by chance alone, and by two hits more where few are counted.
_DEVIATIONS = 3.5
_HITS = 2.0
# Sine of the least angle between the two vectors of a lattice.
_APART = 0.5
# Fewer points are no lattice.
FEWEST = 7
# So many points are judged at once: over more, strain adds up.
_WINDOW = 120
# Windows along each axis where there are more points.
_WINDOWS = 3


def repetition(points: Points, /, *, spacing: float, tolerance: float, within: Within) -> float:
    """Give how surely points are those of a lattice of any cell, from chance to always.

    A vector that leads from point to point is a translation of the lattice if it
    does so from most points. Its share of hits is compared with that of vectors
    of the same length in all directions, which is what the same points without
    long-range order would reach. The second vector of the lattice counts, as
    stripes repeat along one, and is compared with those along a line as well,
    which is what points strung along stripes would reach. In contrast to
    `recurrence` the vectors may be longer than those to near neighbors, as
    they have to be for cells of many atoms.

    Parameters
    ----------
    points : ndarray, shape (point, 2)
    spacing : float
        Between neighbors.
    tolerance : float
        How near to a point a vector must lead, in the same unit.
    within : callable
        Tells for places of shape (place, 2) whether a point could have been
        found there: what leads elsewhere counts neither way.

    Returns
    -------
    float
        From 0 to 1; of more than 180 points the mean over nine windows of 120.
        NaN of fewer than seven points.
    """
    if len(points) < FEWEST:
        return float("nan")
    orders = [
        _order_of_window(points[there], spacing, tolerance, inside)
        for there, inside in _windows(points, within)
    ]
    return float(np.mean(orders))


def _windows(points: Points, within: Within) -> Iterator[tuple[NDArray[np.bool_], Within]]:
    """Give the points of each window, and where in it points could be."""
    if len(points) <= 1.5 * _WINDOW:
        yield np.ones(len(points), dtype=bool), within
        return
    low, high = points.min(axis=0), points.max(axis=0)
    tree = cKDTree(points)
    for share in np.ndindex(_WINDOWS, _WINDOWS):
        middle = low + (high - low) * (np.array(share) + 0.5) / _WINDOWS
        # Never more points, however unevenly they lie: all pairs of them are formed.
        distance, nearest = tree.query(middle, k=_WINDOW, p=np.inf)

        def inside(
            places: Points, middle: Points = middle, reach: float = float(distance[-1])
        ) -> NDArray[np.bool_]:
            return np.asarray(within(places) & (np.abs(places - middle) <= reach).all(axis=-1))

        there = np.zeros(len(points), dtype=bool)
        there[nearest] = True
        yield there, inside


class _Rates(NamedTuple):
    """How often vectors lead from a point to a point, and how often they could."""

    hits: NDArray[np.float64]
    tries: NDArray[np.float64]


def _order_of_window(points: Points, spacing: float, tolerance: float, within: Within) -> float:
    pairs = (points[None] - points[:, None]).reshape(-1, 2)
    length = np.hypot(*pairs.T)
    reached = (length > SHORTEST * spacing - 2 * tolerance) & (
        length < LONGEST * spacing + 2 * tolerance
    )
    tree = cKDTree(pairs[reached])

    def rates(vectors: Points) -> _Rates:
        ends = (points[:, None] + vectors[None]).reshape(-1, 2)
        tries = within(ends).reshape(len(points), -1).sum(axis=0)
        return _Rates(tree.query_ball_point(vectors, tolerance, return_length=True), tries)

    forward = (pairs[:, 0] > 0) | ((pairs[:, 0] == 0) & (pairs[:, 1] > 0))
    vectors = pairs[forward & (length > SHORTEST * spacing) & (length < LONGEST * spacing)]
    if not len(vectors):
        return 0.0
    vectors = vectors[:: -(-len(vectors) // _MOST_VECTORS)]
    found, length = rates(vectors), np.hypot(*vectors.T)
    surely = _surely(found, _chance_in_rings(rates, length, spacing))
    best = int(np.argmax(surely))
    across = np.abs(vectors[:, 0] * vectors[best, 1] - vectors[:, 1] * vectors[best, 0])
    second = np.flatnonzero((across > _APART * length * length[best]) & (surely > 0))
    second = second[np.argsort(-surely[second], kind="stable")[:_MOST_SECOND]]
    if not second.size:
        return 0.0
    again = _Rates(found.hits[second], found.tries[second])
    off_line = _surely(again, _chance_on_lines(rates, vectors[second], spacing))
    return float(np.minimum(surely[second], off_line).max())


def _surely(found: _Rates, chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give by how much shares of hits exceed what chance reaches: 0 for that, 1 for always."""
    tries = np.maximum(found.tries, 1)
    bound = chance + _DEVIATIONS * np.sqrt(chance * (1 - chance) / tries) + _HITS / tries
    over = np.minimum(found.hits / tries, 1) - bound
    return np.where(bound < 1, over / np.maximum(1 - bound, 1e-9), 0.0).clip(0, 1)


def _directions() -> Points:
    angle = np.pi * np.arange(_N_DIRECTIONS) / _N_DIRECTIONS
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _chance_in_rings(
    rates: Callable[[Points], _Rates], length: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Give the share of hits of vectors of the same length in all directions."""
    radii = np.arange(SHORTEST, LONGEST + _RADIAL_STEP, _RADIAL_STEP) * spacing
    around = rates((radii[:, None, None] * _directions()).reshape(-1, 2))
    hits, tries = (rate.reshape(len(radii), -1).sum(axis=1) for rate in around)
    mean = np.interp(length, radii, hits / np.maximum(tries, 1))
    return np.asarray(mean.clip(0.05, 0.95))


def _chance_on_lines(
    rates: Callable[[Points], _Rates], vectors: Points, spacing: float
) -> NDArray[np.float64]:
    """Give the share of hits of vectors that end on a line with each, of the best direction.

    What is strung along stripes is hit as often wherever on a stripe a vector ends.
    """
    ends = vectors[:, None, None] + _LINE * spacing * _directions()[:, None]
    found = rates(ends.reshape(-1, 2))
    hits, tries = (rate.reshape(ends.shape[:3]).sum(axis=2) for rate in found)
    return np.asarray((hits / np.maximum(tries, 1)).max(axis=1)).clip(0.05, 0.95)
