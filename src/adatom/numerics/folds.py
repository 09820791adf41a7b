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
    work: Callable[[Block], Sequence[NDArray[Any]]],
    outputs: Sequence[NDArray[Any]],
    /,
    *,
    executor: Executor | None = None,
) -> None:
    """Write what `work` gives for the measured rows of every block into `outputs`, in place.

    Parameters
    ----------
    blocks : Blocks
        Where the rows come from.
    work : callable
        One array (measured row, ...) for each of the outputs.
    outputs : sequence of arrays, shape (row, ...)
        In memory, or anything that takes assignment to slices, such as a
        zarr array; rows that were not measured keep what they hold.
    executor : Executor, optional
        By default the one of `adatom.numerics.executors.current_executor`.
    """

    def piece(index: int) -> tuple[Block, Sequence[NDArray[Any]]]:
        block = blocks[index]
        return block, work(block)

    executor = executor or current_executor()
    with single_threaded_blas():
        for block, results in executor.map(piece, len(blocks)):
            for output, result in zip(outputs, results, strict=True):
                if block.measured.all():
                    output[block.rows] = result
                else:
                    part = output[block.rows]
                    part[block.measured] = result
                    output[block.rows] = part


def add_states(first: State, second: State, /) -> State:
    """Merge two NamedTuples of sums by adding them field by field."""
    return type(first)(*(np.add(a, b) for a, b in zip(first, second, strict=True)))  # type: ignore[call-overload]
