"""How far small sets of labeled points are from one another, turned and mirrored as they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Turns of one anchor onto every like point are all tried; the best of them by their nearest points
# go on to exact pairing. Of 1500 copies of random sets of nine points, displaced by a fifth of a
# bond, the first alone led to the copy's own noise every time; two, for sets that are nearly
# symmetric.
_KEPT: Final = 2
_ROUNDS: Final = 3
# Candidates of one batch: cost matrices of a hundred turns of ten points take some 60 MB.
_BATCH: Final = 512


class PointAlignment(NamedTuple):
    """The best overlay of each candidate with the query.

    Attributes
    ----------
    rmsd : ndarray, shape (candidate,)
        Root of the mean squared distance over pairs and points without a partner, each of the
        latter counted by the penalty.
    angle : ndarray
        By which the query is turned, after it is mirrored, in rad from +x towards +y.
    mirrored : ndarray of bool
        Whether the query is mirrored (x to -x) first.
    n_pairs, n_alone : ndarray of int
        Points paired with one of their label, and points of either without a partner.
    """

    rmsd: Floats
    angle: Floats
    mirrored: NDArray[np.bool_]
    n_pairs: Ints
    n_alone: Ints


def align_points(
    query: Floats,
    query_label: Ints,
    candidates: Floats,
    candidate_label: Ints,
    /,
    *,
    penalty: float,
    reflect: bool = True,
) -> PointAlignment:
    """Lay the query over each candidate by a turn, a mirror and a shift, labels on like labels.

    Parameters
    ----------
    query : ndarray, shape (point, 2)
        Axis y, x.
    query_label : ndarray of int, shape (point,)
    candidates : ndarray, shape (candidate, member, 2)
    candidate_label : ndarray of int, shape (candidate, member)
        -1 beyond the last member of a candidate.
    penalty : float
        Distance as which a point without partner counts. Points farther apart
        than sqrt(2) of it are better left alone than paired.
    reflect : bool
        Whether mirror images are alike.
    """
    parts = [
        _align_batch(
            query,
            query_label,
            candidates[low : low + _BATCH],
            candidate_label[low : low + _BATCH],
            penalty,
            reflect,
        )
        for low in range(0, len(candidates), _BATCH)
    ]
    if not parts:
        none = np.zeros(0)
        whole = np.zeros(0, dtype=np.int64)
        return PointAlignment(none, none, np.zeros(0, dtype=bool), whole, whole)
    return PointAlignment(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _align_batch(
    query: Floats, label: Ints, others: Floats, other_label: Ints, penalty: float, reflect: bool
) -> PointAlignment:
    there = other_label >= 0
    query, others = _centered(query, label, others, other_label)
    turn, mirrored = _turns(query, label, others, other_label, reflect)
    unlike = (label[:, None] != other_label[:, None, :])[:, None]
    best = _by_nearest(query, others, turn, mirrored, unlike, there, penalty)
    rows = np.repeat(np.arange(len(others)), best.shape[1])
    shape = best.shape
    overlay = _Overlay(
        query,
        others[rows],
        unlike[rows, 0],
        there[rows],
        turn[rows, best.ravel()],
        mirrored[best.ravel()],
    )
    total, angle, n_pairs = _refined(overlay, penalty)
    total = total.reshape(shape)
    first = total.argmin(axis=1)
    pick = (np.arange(shape[0]), first)
    n_points = len(query) + there.sum(axis=1)
    pairs = n_pairs.reshape(shape)[pick]
    alone = n_points - 2 * pairs
    count = np.maximum(pairs + alone, 1)
    return PointAlignment(
        np.sqrt(total[pick] / count),
        angle.reshape(shape)[pick],
        mirrored[best][pick],
        pairs,
        alone,
    )


def _centered(
    query: Floats, label: Ints, others: Floats, other_label: Ints
) -> tuple[Floats, Floats]:
    """Shift middles to the origin: of the rarest label where both have as many of it.

    What one of them lacks elsewhere moves the middle of all points, not that of the impurities.
    """
    rarest = int(label[np.bincount(label)[label].argmin()])
    core, like = label == rarest, other_label == rarest
    there = other_label >= 0
    same = like.sum(axis=1) == core.sum()
    weight = np.where(same[:, None], like, there).astype(float)
    middle = (weight[..., None] * np.nan_to_num(others)).sum(axis=1) / weight.sum(axis=1)[:, None]
    moved = np.where(there[..., None], others - middle[:, None], 0.0)
    # The query has one middle only: that of all its points lies off that of the rarest label.
    own = query[core].mean(axis=0)
    off = query.mean(axis=0) - own
    moved = np.where(same[:, None, None] | ~there[..., None], moved, moved + off)
    return query - own, moved


def _turns(
    query: Floats, label: Ints, others: Floats, other_label: Ints, reflect: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Give turns (candidate, try) that bring an anchor of the query over each like member.

    The anchor is a point of the rarest label that is off the middle; all turns by 30 deg are
    tried besides, where a candidate has no such point.
    """
    radius = np.linalg.norm(query, axis=1)
    off = radius > 0.3 * radius.max(initial=0.0)
    counts = np.bincount(label, minlength=1)[label]
    anchor = int(np.lexsort((-radius, counts, ~off))[0])
    like = other_label == label[anchor]
    angle = np.arctan2(others[..., 0], others[..., 1])
    blind = np.arange(0, 2 * np.pi, np.pi / 6)
    turns, mirrored = [], []
    for mirror in (False, True) if reflect else (False,):
        own = np.arctan2(query[anchor, 0], -query[anchor, 1] if mirror else query[anchor, 1])
        # Members of another label are tried by a turn that is tried anyway.
        tried = np.where(like, angle - own, 0.0)
        turns += [tried, np.broadcast_to(blind, (len(others), len(blind)))]
        mirrored += [mirror] * (tried.shape[1] + len(blind))
    return np.concatenate(turns, axis=1), np.array(mirrored)


def _turned(points: Floats, angle: Floats, mirrored: NDArray[np.bool_]) -> Floats:
    """Turn points (..., point, 2) by angles (...) after mirroring."""
    y, x = points[..., 0], np.where(mirrored[..., None], -points[..., 1], points[..., 1])
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    return np.stack([sin * x + cos * y, cos * x - sin * y], axis=-1)


def _by_nearest(
    query: Floats,
    others: Floats,
    turn: Floats,
    mirrored: NDArray[np.bool_],
    unlike: NDArray[np.bool_],
    there: NDArray[np.bool_],
    penalty: float,
) -> Ints:
    """Choose the turns (candidate, kept) whose points have the nearest like points around them."""
    laid = _turned(query[None, None], turn, np.broadcast_to(mirrored, turn.shape))
    cost = ((laid[..., :, None, :] - others[:, None, None]) ** 2).sum(axis=-1)
    alone = 2 * penalty**2
    cost = np.where(unlike, alone, np.minimum(cost, alone))
    nearest = cost.min(axis=3).sum(axis=2)
    nearest += np.where(there[:, None], cost.min(axis=2), 0.0).sum(axis=2)
    kept = min(_KEPT, turn.shape[1])
    return np.argpartition(nearest, kept - 1, axis=1)[:, :kept].astype(np.int64)


class _Overlay(NamedTuple):
    """Tries (try, ...): the query laid over one candidate each."""

    query: Floats
    others: Floats
    unlike: NDArray[np.bool_]
    there: NDArray[np.bool_]
    angle: Floats
    mirrored: NDArray[np.bool_]


def _refined(overlay: _Overlay, penalty: float) -> tuple[Floats, Floats, Ints]:
    """Pair points exactly and turn and shift the pairs onto one another, by turns."""
    angle = overlay.angle.copy()
    n_tries, n_query = len(angle), len(overlay.query)
    shift = np.zeros((n_tries, 2))
    total, n_pairs = np.full(n_tries, np.inf), np.zeros(n_tries, dtype=np.int64)
    best_angle = angle.copy()
    n_points = n_query + overlay.there.sum(axis=1)
    for _ in range(_ROUNDS):
        laid = _turned(overlay.query[None], angle, overlay.mirrored) + shift[:, None]
        weight, partner, distance = _paired(laid, overlay, penalty)
        pairs = weight.sum(axis=1).astype(np.int64)
        cost = (weight * distance).sum(axis=1) + (n_points - 2 * pairs) * penalty**2
        better = cost < total
        total = np.where(better, cost, total)
        n_pairs = np.where(better, pairs, n_pairs)
        best_angle = np.where(better, angle, best_angle)
        angle, shift = _fitted(overlay, weight, partner, angle)
    return total, best_angle % (2 * np.pi), n_pairs


def _paired(laid: Floats, overlay: _Overlay, penalty: float) -> tuple[Floats, Floats, Floats]:
    """Pair every try's points: weight (try, point) 1 of a pair, its partner's place, its cost."""
    cost = ((laid[:, :, None] - overlay.others[:, None]) ** 2).sum(axis=-1)
    alone = 2 * penalty**2
    # An absent member costs nothing more than its absence, which is counted apart.
    cost = np.where(overlay.unlike | (cost > alone), alone, cost)
    partner = np.zeros(laid.shape)
    weight, distance = np.zeros(laid.shape[:2]), np.zeros(laid.shape[:2])
    for k, matrix in enumerate(cost):
        row, column = linear_sum_assignment(matrix)
        paired = matrix[row, column] < alone
        row, column = row[paired], column[paired]
        weight[k, row] = 1.0
        distance[k, row] = matrix[row, column]
        partner[k, row] = overlay.others[k, column]
    return weight, partner, distance


def _fitted(
    overlay: _Overlay, weight: Floats, partner: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Give the turn and shift (try) that lay pairs over one another best (Kabsch in the plane)."""
    plain = overlay.query[None] * np.where(overlay.mirrored[:, None, None], [1.0, -1.0], 1.0)
    count = np.maximum(weight.sum(axis=1), 1.0)[:, None]
    own = (weight[..., None] * plain).sum(axis=1) / count
    theirs = (weight[..., None] * partner).sum(axis=1) / count
    one, two = plain - own[:, None], partner - theirs[:, None]
    dot = (weight * (one * two).sum(axis=-1)).sum(axis=1)
    cross = (weight * (one[..., 1] * two[..., 0] - one[..., 0] * two[..., 1])).sum(axis=1)
    known = np.hypot(dot, cross) > 0
    angle = np.where(known, np.arctan2(cross, np.where(known, dot, 1.0)), before)
    none = np.zeros(len(angle), dtype=bool)
    return angle, theirs - _turned(own[:, None], angle, none)[:, 0]
