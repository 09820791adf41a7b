"""The sites of several finders as one set: how many agree on each, and how far apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.numerics.matching import match_points
from adatom.numerics.peaks import thin_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


class AgreedSites(NamedTuple):
    """Sites of several finders, joined.

    Attributes
    ----------
    position : ndarray, shape (site, axis)
        Mean over the finders that found the site.
    score : ndarray, shape (site,)
        Mean over all finders; one that did not find the site counts as 0.
    agreement : ndarray, shape (site,)
        Share of the finders that found it.
    spread : ndarray, shape (site, axis)
        Standard deviation of their positions; NaN for a single finder.
    member : ndarray of int, shape (site, finder)
        Number of the site among those of each finder; -1 where it has none.
    """

    position: Points
    score: NDArray[np.float64]
    agreement: NDArray[np.float64]
    spread: Points
    member: NDArray[np.int64]


def agreed_sites(
    positions: Sequence[Points], scores: Sequence[NDArray[np.float64]], /, *, max_distance: float
) -> AgreedSites:
    """Join the sites of several finders.

    The surest sites of all finders that are farther apart than
    `max_distance` are the first guesses; each finder's sites are matched to
    them, exclusively and at the least sum of squared distances, then once
    more to the means of what was matched. Sites that find no partner stand
    for themselves, so that none is lost. The order of the finders changes
    nothing but rounding.

    Parameters
    ----------
    positions : sequence of ndarray, shape (site, axis)
        Of each finder.
    scores : sequence of ndarray, shape (site,)
        Between 0 and 1.
    max_distance : float
        Sites farther apart are never the same.

    Examples
    --------
    >>> one, other = np.array([[0.0, 0.0], [5.0, 5.0]]), np.array([[0.2, 0.0]])
    >>> found = agreed_sites([one, other], [np.ones(2), np.ones(1)], max_distance=1.0)
    >>> found.position.tolist(), found.agreement.tolist()
    ([[0.1, 0.0], [5.0, 5.0]], [1.0, 0.5])
    """
    n_members = len(positions)
    left = [np.arange(len(points)) for points in positions]
    rows: list[NDArray[np.int64]] = []
    while any(len(numbers) for numbers in left):
        parts = [points[numbers] for points, numbers in zip(positions, left, strict=True)]
        weights = [score[numbers] for score, numbers in zip(scores, left, strict=True)]
        found = _joined(parts, weights, max_distance)
        named = np.full(found.shape, -1, np.int64)
        for finder in range(n_members):
            has = found[:, finder] >= 0
            named[has, finder] = left[finder][found[has, finder]]
            left[finder] = np.setdiff1d(left[finder], named[has, finder])
        rows.append(named)
    member = np.concatenate(rows) if rows else np.empty((0, n_members), np.int64)
    return _summed_up(positions, scores, member)


def _joined(
    positions: Sequence[Points], scores: Sequence[NDArray[np.float64]], max_distance: float
) -> NDArray[np.int64]:
    """Match each finder's sites to the surest ones, then to the means of these matches."""
    pooled, height = np.concatenate(positions), np.concatenate(scores)
    # Among equal scores the place decides, not the order of the finders.
    order = np.lexsort((*pooled.T, -height))
    pooled, height = pooled[order], height[order]
    guess = pooled[np.sort(thin_out(pooled, height, distance=max_distance))]
    member = _matched(positions, guess, max_distance)
    has_any = (member >= 0).any(axis=1)
    mean, _ = _means(positions, member[has_any])
    return _matched(positions, mean, max_distance)


def _matched(positions: Sequence[Points], guess: Points, max_distance: float) -> NDArray[np.int64]:
    member = np.full((len(guess), len(positions)), -1, np.int64)
    for finder, points in enumerate(positions):
        match = match_points(guess, points, max_distance=max_distance)
        member[match.left, finder] = match.right
    return member[(member >= 0).any(axis=1)]


def _means(
    positions: Sequence[Points], member: NDArray[np.int64]
) -> tuple[Points, NDArray[np.float64]]:
    """Give the mean position of each row of members, and every member's own."""
    n_axes = positions[0].shape[1]
    each = np.full((*member.shape, n_axes), np.nan)
    for finder, points in enumerate(positions):
        has = member[:, finder] >= 0
        each[has, finder] = points[member[has, finder]]
    count = (member >= 0).sum(axis=1)[:, None]
    return np.nansum(each, axis=1) / np.maximum(count, 1), each


def _summed_up(
    positions: Sequence[Points], scores: Sequence[NDArray[np.float64]], member: NDArray[np.int64]
) -> AgreedSites:
    order = np.lexsort(_means(positions, member)[0].T[::-1])
    member = member[order]
    mean, each = _means(positions, member)
    count = (member >= 0).sum(axis=1)
    total = np.zeros(len(member))
    for finder, score in enumerate(scores):
        has = member[:, finder] >= 0
        total[has] += score[member[has, finder]]
    squares = np.nansum((each - mean[:, None]) ** 2, axis=1)
    variance = np.divide(
        squares, (count - 1)[:, None], out=np.full(mean.shape, np.nan), where=(count > 1)[:, None]
    )
    n_members = len(positions)
    return AgreedSites(mean, total / n_members, count / n_members, np.sqrt(variance), member)
