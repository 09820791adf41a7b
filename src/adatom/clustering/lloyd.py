"""Seeding and passes of k-means, for many starts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

AT_REST: Final = 1e-4
"""Means that move by less than this share of the spread of all rows have come to rest.

Labels that would still change lie on a boundary to the fourth digit; full rest takes several times
as many passes over millions of rows.
"""


class Passes(NamedTuple):
    """Where Lloyd's passes ended, for every start."""

    means: NDArray[np.float64]
    """(start, class, feature), about the given origin."""
    counts: NDArray[np.float64]
    """(start, class)"""
    inertia: NDArray[np.float64]
    """(start,)"""
    n_passes: int
    converged: bool


class _Tally(NamedTuple):
    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    costs: NDArray[np.float64]


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


def lloyd_passes(
    blocks: Blocks,
    means: NDArray[Any],
    /,
    *,
    origin: NDArray[np.float64],
    spread: float,
    at_rest: float = AT_REST,
    n_passes: int = 100,
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
        At most; blobs need some ten, evenly spread rows rarely more than a hundred.
    weights : array, shape (start, row), optional
        How often each row counts in each start.

    References
    ----------
    .. [1] S. P. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).
    """
    shift = origin.astype(blocks.dtype)
    means = np.asarray(means, dtype=np.float64)
    beside = () if weights is None else (weights.T,)
    for number in range(1, n_passes + 1):
        step = _tallier(means.astype(blocks.dtype), shift)
        tally = fold(blocks, step, add_states, beside=beside)
        filled = tally.counts > 0
        moved = np.where(
            filled[..., None], tally.sums / np.maximum(tally.counts, 1e-300)[..., None], means
        )
        steps = np.sqrt(((moved - means) ** 2).sum(axis=-1)).max()
        means = moved
        if steps <= at_rest * spread:
            return Passes(means, tally.counts, tally.costs, number, converged=True)
    return Passes(means, tally.counts, tally.costs, n_passes, converged=False)


def _tallier(means: NDArray[Any], shift: NDArray[Any]) -> Any:  # noqa: ANN401 -- a step of fold
    n_starts, n_classes, n_features = means.shape
    half_squares = (means**2).sum(axis=-1) / 2

    def step(block: Block, weights: NDArray[np.float64] | None = None) -> _Tally:
        rows = block.values - shift
        labels, costs = nearest_means(rows, means, half_squares)
        squares = np.einsum("ij,ij->i", rows, rows) / 2
        costs += squares
        # (start, class, row): membership as numbers, so that all sums are one product.
        members = (labels[:, None, :] == np.arange(n_classes)[:, None]).astype(rows.dtype)
        if weights is not None:
            members *= weights.T[:, None, :].astype(rows.dtype)
            costs *= weights.T
        sums = members.reshape(-1, len(rows)) @ rows
        return _Tally(
            sums.reshape(n_starts, n_classes, n_features).astype(np.float64),
            members.sum(axis=-1, dtype=np.float64),
            2 * costs.sum(axis=-1, dtype=np.float64),
        )

    return step


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
    n_starts, n_classes, n_features = means.shape
    products = means.transpose(1, 0, 2).reshape(-1, n_features) @ rows.T
    products = products.reshape(n_classes, n_starts, len(rows))
    costs = half_squares[:, 0, None] - products[0]
    labels = np.zeros(costs.shape, dtype=np.int8 if n_classes < 128 else np.int32)
    # Row after row of a class is ten times faster than argmin over a short last axis.
    for number in range(1, n_classes):
        other = half_squares[:, number, None] - products[number]
        closer = other < costs
        np.copyto(costs, other, where=closer)
        np.copyto(labels, number, where=closer)
    return labels, costs
