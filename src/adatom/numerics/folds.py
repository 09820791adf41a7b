"""Sums over blocks that are the same bits whatever the chunks and whoever computes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from adatom.numerics.blocks import pieces_of
from adatom.numerics.executors import current_executor, single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks, Piece
    from adatom.numerics.executors import Executor

State = TypeVar("State")


def fold(
    blocks: Blocks,
    step: Callable[..., State],
    merge: Callable[[State, State], State],
    /,
    *,
    beside: Sequence[NDArray[Any]] = (),
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
        State of one block, and of the measured rows of what stands beside
        it. It may run in another process: it must not write into anything
        from outside, nor close over arrays as long as the rows.
    merge : callable
        State of two neighboring runs of blocks, the earlier one first; it
        must be associative but for rounding.
    beside : sequence of arrays, shape (row, ...)
        What else is known of every row; of each the rows that were measured
        in the block are given to `step`.
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
    return _run(blocks, _Fold(step, merge), (), beside, executor)


def fold_map(
    blocks: Blocks,
    step: Callable[..., tuple[State, Sequence[NDArray[Any]]]],
    merge: Callable[[State, State], State],
    outputs: Sequence[NDArray[Any]],
    /,
    *,
    beside: Sequence[NDArray[Any]] = (),
    executor: Executor | None = None,
) -> State:
    """Reduce blocks to one small state and write what they give for their rows, in one pass.

    The arrays of a block are written here, where `outputs` are, and not by
    `step`, which may run in another process. An output may stand in `beside`
    as well: every block sees its own rows as they were before.

    Parameters
    ----------
    blocks : Blocks
        At least one.
    step : callable
        For a block, and the measured rows of what stands beside it: its
        state, and one array (measured row, ...) for each of the outputs.
        See `fold` for what it may not do.
    merge : callable
        As of `fold`.
    outputs : sequence of arrays, shape (row, ...)
        In memory, or anything that takes assignment to slices, such as a
        zarr array. Rows that were not measured keep what they hold.
    beside : sequence of arrays, shape (row, ...)
        As of `fold`.
    executor : Executor, optional
        As of `fold`.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.numerics.blocks import blocks_from_array
    >>> cut = blocks_from_array(np.arange(20_000.0)[:, None])
    >>> double = np.zeros(20_000)
    >>> def step(block):
    ...     return block.values.max(), [2 * block.values[:, 0]]
    >>> fold_map(cut, step, max, [double]), double[-1]
    (np.float64(19999.0), np.float64(39998.0))
    """
    return _run(blocks, _FoldMap(step, merge), outputs, beside, executor)


def map_to(
    blocks: Blocks,
    work: Callable[..., Sequence[NDArray[Any]]],
    outputs: Sequence[NDArray[Any]],
    /,
    *,
    incomplete: Callable[[NDArray[Any]], Sequence[NDArray[Any]]] | None = None,
    beside: Sequence[NDArray[Any]] = (),
    executor: Executor | None = None,
) -> None:
    """Write what `work` gives for the rows of every block into `outputs`, in place.

    Parameters
    ----------
    blocks : Blocks
        Where the rows come from.
    work : callable
        For measured rows (row, feature), and those of what stands beside
        them: one array (row, ...) for each of the outputs. See `fold` for
        what it may not do.
    outputs : sequence of arrays, shape (row, ...)
        In memory, or anything that takes assignment to slices, such as a
        zarr array.
    incomplete : callable, optional
        The same for rows that lack some values, without what stands beside
        them; without it they keep what the outputs hold.
    beside : sequence of arrays, shape (row, ...)
        As of `fold`.
    executor : Executor, optional
        As of `fold`.
    """
    if len(blocks):
        step = partial(_values_alone, work)
        _run(blocks, _Map(step, _nothing, incomplete), outputs, beside, executor)


def _values_alone(
    work: Callable[..., Sequence[NDArray[Any]]], block: Block, *rows: NDArray[Any]
) -> tuple[None, Sequence[NDArray[Any]]]:
    return None, work(block.values, *rows)


def _nothing(_first: None, _second: None) -> None:
    return None


class _Written(NamedTuple):
    """What is to be written into some rows of the outputs."""

    rows: slice
    where: NDArray[np.bool_]
    arrays: Sequence[NDArray[Any]]


class _Runs(Generic[State]):
    """States of runs of blocks, merged as in binary counting.

    Two runs of equal length become one of twice the length, so the tree
    follows from the index of the blocks alone, and a run of a power of two
    of blocks may be merged elsewhere.
    """

    def __init__(self, merge: Callable[[State, State], State]) -> None:
        self._merge = merge
        self.waiting: list[tuple[int, State]] = []

    def add(self, level: int, state: State) -> None:
        """Add the run of 2**level blocks that follows on those before."""
        while self.waiting and self.waiting[-1][0] == level:
            state = self._merge(self.waiting.pop()[1], state)
            level += 1
        self.waiting.append((level, state))

    def merged(self) -> State:
        """Merge what is left, the last first."""
        if not self.waiting:
            msg = "no blocks to fold: the features have no rows"
            raise ValueError(msg)
        _, state = self.waiting.pop()
        while self.waiting:
            state = self._merge(self.waiting.pop()[1], state)
        return state


class _Done(NamedTuple):
    """What a piece gives."""

    waiting: list[tuple[int, Any]]
    written: list[_Written]


# What is done with one piece: objects, not closures, so that nothing travels but what they name.


@dataclass(frozen=True)
class _Fold(Generic[State]):
    step: Callable[..., State]
    merge: Callable[[State, State], State]

    def __call__(self, piece: Piece) -> _Done:
        runs = _Runs(self.merge)
        for block, rows in piece:
            runs.add(0, self.step(block, *rows))
        return _Done(runs.waiting, [])


@dataclass(frozen=True)
class _FoldMap(Generic[State]):
    step: Callable[..., tuple[State, Sequence[NDArray[Any]]]]
    merge: Callable[[State, State], State]

    def __call__(self, piece: Piece) -> _Done:
        runs = _Runs(self.merge)
        written = []
        for block, rows in piece:
            state, arrays = self.step(block, *rows)
            runs.add(0, state)
            written.append(_Written(block.rows, block.measured, arrays))
        return _Done(runs.waiting, written)


@dataclass(frozen=True)
class _Map(_FoldMap[None]):
    """Sums nothing; rows that lack some values may be worked on as well."""

    incomplete: Callable[[NDArray[Any]], Sequence[NDArray[Any]]] | None = None

    def __call__(self, piece: Piece) -> _Done:
        written = []
        for block, rows in piece:
            _, arrays = self.step(block, *rows)
            written.append(_Written(block.rows, block.measured, arrays))
            if self.incomplete is not None and len(block.incomplete):
                arrays = self.incomplete(block.incomplete)
                written.append(_Written(block.rows, ~block.measured, arrays))
        return _Done([(0, None)], written)


def _run(
    blocks: Blocks,
    work: _Fold[State] | _FoldMap[State],
    outputs: Sequence[Any],
    beside: Sequence[NDArray[Any]],
    executor: Executor | None,
) -> State:
    executor = executor or current_executor()
    span = executor.span(blocks)
    runs = _Runs(work.merge)
    with single_threaded_blas():
        for done in executor.map(work, pieces_of(blocks, span, beside)):
            for level, state in done.waiting:
                runs.add(level, state)
            for part in done.written:
                _write(outputs, part)
        return runs.merged()


def _write(outputs: Sequence[Any], part: _Written) -> None:
    for output, array in zip(outputs, part.arrays, strict=True):
        if part.where.all():
            output[part.rows] = array
        else:
            held = output[part.rows]
            held[part.where] = array
            output[part.rows] = held


def add_states(first: State, second: State, /) -> State:
    """Merge two NamedTuples of sums by adding them field by field."""
    return type(first)(*(np.add(a, b) for a, b in zip(first, second, strict=True)))  # type: ignore[call-overload]
