"""Sums over blocks that are the same bits whatever the chunks and whoever computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from adatom.numerics.executors import current_executor, single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks
    from adatom.numerics.executors import Executor

State = TypeVar("State")


def fold(
    blocks: Blocks,
    step: Callable[[Block], State],
    merge: Callable[[State, State], State],
    /,
    *,
    executor: Executor | None = None,
) -> State:
    """Reduce blocks to one small state.

    Every block gives a state of its own; states are merged in a binary tree
    that is fixed by the index of the blocks, so that the result does not
    depend on which block was ready first. States in waiting grow with the
    logarithm of the number of blocks.

    Parameters
    ----------
    blocks : Blocks
        At least one.
    step : callable
        State of one block.
    merge : callable
        State of two neighboring runs of blocks, the earlier one first; it
        must be associative but for rounding.
    executor : Executor, optional
        By default the one of `adatom.numerics.executors.current_executor`.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.numerics.blocks import blocks_from_array
    >>> cut = blocks_from_array(np.ones((20_000, 2)))
    >>> fold(cut, lambda block: len(block.values), lambda a, b: a + b)
    20000
    """
    waiting: list[tuple[int, State]] = []
    executor = executor or current_executor()
    with single_threaded_blas():
        for state in executor.map(lambda index: step(blocks[index]), len(blocks)):
            level, merged = 0, state
            # As in binary counting: two runs of equal length become one of twice the length.
            while waiting and waiting[-1][0] == level:
                merged = merge(waiting.pop()[1], merged)
                level += 1
            waiting.append((level, merged))
        if not waiting:
            msg = "no blocks to fold: the features have no rows"
            raise ValueError(msg)
        _, merged = waiting.pop()
        while waiting:
            merged = merge(waiting.pop()[1], merged)
    return merged


def map_to(
    blocks: Blocks,
    work: Callable[[NDArray[Any]], Sequence[NDArray[Any]]],
    outputs: Sequence[NDArray[Any]],
    /,
    *,
    incomplete: Callable[[NDArray[Any]], Sequence[NDArray[Any]]] | None = None,
    executor: Executor | None = None,
) -> None:
    """Write what `work` gives for the rows of every block into `outputs`, in place.

    Parameters
    ----------
    blocks : Blocks
        Where the rows come from.
    work : callable
        For measured rows (row, feature): one array (row, ...) for each of the
        outputs.
    outputs : sequence of arrays, shape (row, ...)
        In memory, or anything that takes assignment to slices, such as a
        zarr array.
    incomplete : callable, optional
        The same for rows that lack some values; without it they keep what
        the outputs hold.
    executor : Executor, optional
        By default the one of `adatom.numerics.executors.current_executor`.
    """

    def piece(index: int) -> list[tuple[Block, NDArray[np.bool_], Sequence[NDArray[Any]]]]:
        block = blocks[index]
        parts = [(block, block.measured, work(block.values))]
        if incomplete is not None and len(block.incomplete):
            parts.append((block, ~block.measured, incomplete(block.incomplete)))
        return parts

    executor = executor or current_executor()
    with single_threaded_blas():
        for parts in executor.map(piece, len(blocks)):
            for block, where, results in parts:
                for output, result in zip(outputs, results, strict=True):
                    if where.all():
                        output[block.rows] = result
                    else:
                        part = output[block.rows]
                        part[where] = result
                        output[block.rows] = part


def add_states(first: State, second: State, /) -> State:
    """Merge two NamedTuples of sums by adding them field by field."""
    return type(first)(*(np.add(a, b) for a, b in zip(first, second, strict=True)))  # type: ignore[call-overload]
