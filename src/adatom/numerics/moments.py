"""Count, mean and Gram matrix of features, and a sample of their rows, in one pass each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adatom.numerics.folds import add_states, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks


class Moments(NamedTuple):
    """What one pass over features tells."""

    counts: NDArray[np.int64]
    """Measured rows in every block."""
    mean: NDArray[np.float64]
    sum_of_squares: float
    """Of all measured values about the mean."""
    lowest: float
    """The least measured value."""
    scatter: NDArray[np.float64] | None
    """(column, column), sums of products about the mean; None where not asked for."""


class _Sums(NamedTuple):
    counts: NDArray[np.int64]
    first: NDArray[np.float64]
    square: NDArray[np.float64]
    second: NDArray[np.float64]
    lowest: float


def moments_of(blocks: Blocks, /, *, scatter: bool = False) -> Moments:
    """Count, average and correlate the columns of all measured rows.

    Products are summed in the type of the blocks within a block, in float64
    over blocks, about the mean of an early block, so that a large offset
    costs no digits.

    Examples
    --------
    >>> from adatom.numerics.blocks import blocks_from_array
    >>> moments_of(blocks_from_array(np.array([[1.0], [3.0]]))).mean
    array([2.])
    """
    shift = _early_mean(blocks)
    n_blocks = len(blocks)

    def step(block: Block) -> _Sums:
        values = block.values - shift
        counts = np.zeros(n_blocks, dtype=np.int64)
        counts[block.number] = len(values)
        second = values.T @ values if scatter else np.zeros((0, 0))
        square = np.einsum("ij,ij->", values, values, dtype=np.float64)
        return _Sums(
            counts,
            values.sum(axis=0, dtype=np.float64),
            np.asarray(square),
            second.astype(np.float64),
            float(block.values.min(initial=np.inf)),
        )

    sums = fold(blocks, step, _merged)
    n = int(sums.counts.sum())
    offset = sums.first / max(n, 1)
    return Moments(
        counts=sums.counts,
        mean=shift.astype(np.float64) + offset,
        sum_of_squares=max(0.0, float(sums.square - n * offset @ offset)),
        lowest=sums.lowest,
        scatter=sums.second - n * np.outer(offset, offset) if scatter else None,
    )


def _merged(first: _Sums, second: _Sums) -> _Sums:
    added = add_states(first, second)
    return added._replace(lowest=min(first.lowest, second.lowest))


def _early_mean(blocks: Blocks) -> NDArray[Any]:
    for number in range(len(blocks)):
        values = blocks[number].values
        if len(values):
            mean: NDArray[Any] = values.mean(axis=0, dtype=np.float64).astype(blocks.dtype)
            return mean
    return np.zeros(blocks.n_columns, dtype=blocks.dtype)


def measured_rows(blocks: Blocks, /, *, counts: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Tell which of all rows were measured.

    Parameters
    ----------
    blocks : Blocks
        The rows.
    counts : array of int, shape (block,), optional
        Measured rows in every block, from `moments_of`, where they are known:
        if they are all rows nothing is read.
    """
    if counts is not None and counts.sum() == blocks.n_rows:
        return np.ones(blocks.n_rows, dtype=bool)
    return np.concatenate(fold(blocks, lambda block: [block.measured], lambda a, b: a + b))


def sample_of(
    blocks: Blocks,
    counts: NDArray[np.int64],
    /,
    *,
    n_rows: int,
    seed: int,
    work: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> NDArray[Any]:
    """Draw measured rows, one from each of `n_rows` strata of equal length.

    Strata follow the order of the rows, so that every region of a map is
    drawn from alike; all rows come if there are no more.

    Parameters
    ----------
    blocks : Blocks
        Where to draw from.
    counts : array of int, shape (block,)
        Measured rows in every block, from `moments_of`.
    n_rows : int
        How many to draw.
    seed : int
        Of the draw.
    work : callable, optional
        What is made of drawn rows (row, column) before they are gathered,
        such as their scores.
    """
    n = int(counts.sum())
    if n <= n_rows:
        chosen = np.arange(n)
    else:
        edges = np.arange(n_rows + 1) * n // n_rows
        chosen = np.random.default_rng(seed).integers(edges[:-1], edges[1:])
    ends = np.cumsum(counts)
    splits = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    starts = ends - counts

    def step(block: Block) -> list[NDArray[Any]]:
        return [work(block.values[splits[block.number] - starts[block.number]])]

    return np.concatenate(fold(blocks, step, lambda a, b: a + b))
