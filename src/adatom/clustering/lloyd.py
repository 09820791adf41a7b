"""Seeding and passes of k-means, for many starts and numbers of classes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

    Floats = NDArray[np.float64]
    # Tells which starts rest from the longest step of a mean, the inertia before and after a pass.
    Rest = Callable[[Floats, Floats, Floats], NDArray[np.bool_]]

AT_REST: Final = 1e-4
"""Means that move by less than this share of the spread of all rows have come to rest.

Labels that would still change lie on a boundary to the fourth digit; full rest takes several times
as many passes over millions of rows.
"""
_GAIN_AT_REST: Final = 1e-5
# Blobs need some ten, evenly spread rows rarely more than a hundred.
_MOST_PASSES: Final = 100


class Passes(NamedTuple):
    """Where Lloyd's passes ended, for every start."""

    means: NDArray[np.float64]
    """(start, class, feature), about the given origin."""
    counts: NDArray[np.float64]
    """(start, class)"""
    inertia: NDArray[np.float64]
    """(start,)"""
    n_passes: int
    """Of the start that took longest."""
    converged: bool
    """False: a start still moved when the passes ran out."""


def seed_means(
    rows: NDArray[Any],
    /,
    *,
    n_classes: int,
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[Any]:
    """Draw first means far from each other by greedy k-means++ [1]_.

    Parameters
    ----------
    rows : array, shape (row, feature)
        To draw from.
    n_classes : int
        How many to draw.
    rng : numpy Generator
        Of the draw.
    weights : array, shape (row,), optional
        How often each row counts.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, Proc. 18th ACM-SIAM SODA, 1027 (2007).
    """
    # As many candidates a step as the authors' own code tries.
    n_trials = 2 + int(np.log(n_classes))
    squares = np.einsum("ij,ij->i", rows, rows)
    share = np.ones(len(rows)) if weights is None else weights

    def distances(chosen: NDArray[np.int64]) -> NDArray[Any]:
        products: NDArray[Any] = rows[chosen] @ rows.T
        squared = squares + squares[chosen, None] - 2 * products
        return np.asarray(np.maximum(squared, 0))

    chosen = [_draw(share, 1, rng)[0]]
    nearest = distances(np.array(chosen))[0]
    for _ in range(1, n_classes):
        candidates = _draw(nearest * share, n_trials, rng)
        shrunk = np.minimum(nearest, distances(candidates))
        best = int(np.argmin(shrunk @ share))
        chosen.append(candidates[best])
        nearest = shrunk[best]
    return rows[chosen]


def _draw(share: NDArray[Any], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    heights = np.cumsum(share, dtype=np.float64)
    if not heights[-1] > 0:
        # All rows lie on means already: any will do, the class stays empty.
        return rng.integers(len(share), size=n)
    found = np.searchsorted(heights, rng.random(n) * heights[-1], side="right")
    last = len(share) - 1
    return np.asarray(np.minimum(found, last), dtype=np.int64)


def stacked_starts(
    rows: NDArray[Any], n_classes: int, n_starts: int, seed: int
) -> NDArray[np.float64]:
    """Draw the first means of all starts, (start, class, feature)."""
    rng = np.random.default_rng(seed)
    return np.stack([seed_means(rows, n_classes=n_classes, rng=rng) for _ in range(n_starts)])


def lloyd_passes(
    blocks: Blocks,
    means: NDArray[Any],
    /,
    *,
    origin: NDArray[np.float64],
    spread: float,
    at_rest: float = AT_REST,
    n_passes: int = _MOST_PASSES,
    weights: NDArray[np.float64] | None = None,
) -> Passes:
    """Move means to the middle of their rows until none moves, all starts in the same passes [1]_.

    Parameters
    ----------
    blocks : Blocks
        The rows.
    means : array, shape (start, class, feature)
        Where to begin, about `origin`.
    origin : array, shape (feature,)
        Taken off every row first: distances by products lose no digits then.
    spread : float
        Root of the mean squared distance of rows to `origin`.
    at_rest : float
        See `AT_REST`; with 0 no label changes any more.
    n_passes : int
        At most.
    weights : array, shape (start, row), optional
        How often each row counts in each start.

    References
    ----------
    .. [1] S. P. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).
    """
    (found,) = shared_passes(
        blocks,
        [means],
        origin=origin,
        rest=lambda steps, _before, _after: steps <= at_rest * spread,
        n_passes=n_passes,
        weights=weights,
    )
    return found


def rest_by_gain(_steps: Floats, before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Let starts rest that a pass brings no more than a hundred-thousandth of their inertia.

    Rows between two classes go on changing sides for many passes, above all
    where a class is cut in two for want of a better place. What they gain is
    less than chance: the inertia of 65,536 rows of 1,024 channels has a
    standard deviation of 2e-4 of itself, as a sum of as many squares.
    """
    return np.asarray(after >= (1 - _GAIN_AT_REST) * before)


def shared_passes(
    blocks: Blocks,
    stacks: Sequence[NDArray[Any]],
    /,
    *,
    origin: NDArray[np.float64],
    rest: Rest,
    n_passes: int = _MOST_PASSES,
    weights: NDArray[np.float64] | None = None,
) -> list[Passes]:
    """Run the passes of several numbers of classes at once, and several starts of each.

    Every pass reads the rows once. Starts that have come to rest take no
    part in the passes that follow.

    Parameters
    ----------
    blocks : Blocks
        The rows.
    stacks : sequence of arrays, shape (start, class, feature)
        Where to begin, about `origin`: one stack for each number of classes.
    origin : array, shape (feature,)
        As of `lloyd_passes`.
    rest : callable
        Which starts have come to rest.
    n_passes : int
        At most.
    weights : array, shape (start, row), optional
        How often each row counts in each start, of a single stack.
    """
    shift = origin.astype(blocks.dtype)
    runs = [_Run(np.array(means, dtype=np.float64)) for means in stacks]
    for _ in range(n_passes):
        going = [run for run in runs if run.moving.any()]
        if not going:
            break
        step = _Tallier([run.means[run.moving].astype(blocks.dtype) for run in going], shift)
        beside = () if weights is None else (weights[going[0].moving].T,)
        tally = fold(blocks, step, add_states, beside=beside)
        for run, part in zip(going, step.parts_of(tally), strict=True):
            run.move(part, rest)
    return [run.passes() for run in runs]


class _Tally(NamedTuple):
    """Sums over rows; of several stacks one after the other, each as (start, class)."""

    sums: NDArray[np.float64]
    """(mean, feature)"""
    counts: NDArray[np.float64]
    """(mean,)"""
    costs: NDArray[np.float64]
    """(start,)"""


class _Run:
    """The starts of one number of classes on their way."""

    def __init__(self, means: Floats) -> None:
        n_starts, n_classes, _ = means.shape
        self.means = means
        self.counts = np.zeros((n_starts, n_classes))
        self.inertia = np.full(n_starts, np.inf)
        self.moving = np.ones(n_starts, dtype=bool)
        self.n_passes = 0

    def move(self, tally: _Tally, rest: Rest) -> None:
        """Move the means that are not at rest to the middle of their rows."""
        before = self.means[self.moving]
        counts = tally.counts.reshape(before.shape[:2])
        middles = tally.sums.reshape(before.shape) / np.maximum(counts, 1e-300)[..., None]
        # A mean without rows stays where it is.
        after = np.where(counts[..., None] > 0, middles, before)
        squares = ((after - before) ** 2).sum(axis=-1)
        # About their own middle the squares of rows are less by the square of the step.
        inertia = np.maximum(tally.costs - (counts * squares).sum(axis=1), 0.0)
        steps = np.sqrt(squares).max(axis=1)
        rested = rest(steps, self.inertia[self.moving], inertia)
        self.means[self.moving] = after
        self.counts[self.moving] = counts
        self.inertia[self.moving] = inertia
        self.moving[self.moving] = ~rested
        self.n_passes += 1

    def passes(self) -> Passes:
        """Give where the starts are."""
        converged = not self.moving.any()
        return Passes(self.means, self.counts, self.inertia, self.n_passes, converged)


class _Tallier:
    """Gives each row to its nearest mean, in every start of every stack, and sums over rows."""

    def __init__(self, stacks: list[NDArray[Any]], shift: NDArray[Any]) -> None:
        self._sizes = [means.shape[:2] for means in stacks]
        self._means = np.concatenate([_by_class(means) for means in stacks])
        self._half_squares = [(means**2).sum(axis=-1) / 2 for means in stacks]
        self._shift = shift

    def __call__(self, block: Block, weights: NDArray[np.float64] | None = None) -> _Tally:
        rows = block.values - self._shift
        squares = np.einsum("ij,ij->i", rows, rows) / 2
        # One product for all, and one for all sums: many narrow ones take several times as long.
        products = self._means @ rows.T
        members = np.empty_like(products)
        costs = []
        for own, (n_starts, n_classes), half_squares in zip(
            self._parts(), self._sizes, self._half_squares, strict=True
        ):
            by_class = products[own].reshape(n_classes, n_starts, len(rows))
            labels, cost = _nearest(by_class, half_squares)
            cost += squares
            member = members[own].reshape(n_starts, n_classes, len(rows))
            np.equal(
                labels[:, None, :], np.arange(n_classes, dtype=labels.dtype)[:, None], out=member
            )
            if weights is not None:
                member *= weights.T[:, None, :].astype(rows.dtype)
                cost *= weights.T
            costs.append(2 * cost.sum(axis=-1, dtype=np.float64))
        return _Tally(
            (members @ rows).astype(np.float64),
            members.sum(axis=-1, dtype=np.float64),
            np.concatenate(costs),
        )

    def parts_of(self, tally: _Tally) -> Iterator[_Tally]:
        """Give to each stack what is its own."""
        start = 0
        for own, (n_starts, _) in zip(self._parts(), self._sizes, strict=True):
            yield _Tally(tally.sums[own], tally.counts[own], tally.costs[start : start + n_starts])
            start += n_starts

    def _parts(self) -> Iterator[slice]:
        """Say where the means of each stack stand among all."""
        start = 0
        for n_starts, n_classes in self._sizes:
            yield slice(start, start + n_starts * n_classes)
            start += n_starts * n_classes


def nearest_means(
    rows: NDArray[Any], means: NDArray[Any], half_squares: NDArray[Any]
) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Find the nearest mean of every row by one matrix product.

    Returns
    -------
    labels : array of int, shape (start, row)
        The first of equally near means.
    costs : array, shape (start, row)
        Half the squared distance, less half the row's own square.
    """
    n_starts, n_classes, _ = means.shape
    products = _by_class(means) @ rows.T
    return _nearest(products.reshape(n_classes, n_starts, len(rows)), half_squares)


def _by_class(means: NDArray[Any]) -> NDArray[Any]:
    """Flatten (start, class, feature) to rows in the order class, start."""
    return means.transpose(1, 0, 2).reshape(-1, means.shape[2])


def _nearest(
    products: NDArray[Any], half_squares: NDArray[Any]
) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Find the nearest mean by the products (class, start, row) of means and rows."""
    n_classes = len(products)
    costs = half_squares[:, 0, None] - products[0]
    labels = np.zeros(costs.shape, dtype=np.int8 if n_classes < 128 else np.int32)
    # Row after row of a class is ten times faster than argmin over a short last axis.
    for number in range(1, n_classes):
        other = half_squares[:, number, None] - products[number]
        closer = other < costs
        np.copyto(costs, other, where=closer)
        np.copyto(labels, number, where=closer)
    return labels, costs
