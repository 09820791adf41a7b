"""An executor that sends everything through pickle, as a cluster does, but works here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NoReturn
from unittest.mock import patch

import cloudpickle

from adatom.numerics.blocks import Blocks, Piece
from adatom.numerics.readers import ArrayReader, DaskReader, ValuesReader, traveling_reader


class TravelingExecutor:
    """Does every piece of work on copies, so that steps which write outside of them are found.

    Steps that close over the blocks they are given are refused: the whole
    array would travel with every task.
    """

    def span(self, _blocks: Blocks, /) -> int:
        return 2

    def map(self, work: Callable[[Any], Any], pieces: Iterable[Any], /) -> Iterator[Any]:
        pickled = _pickled_without_blocks(work)
        for piece in pieces:
            if not isinstance(piece, Piece):
                yield _copy(cloudpickle.loads(pickled)(_copy(piece)))
                continue
            reader = traveling_reader(piece.blocks.reader, piece.blocks.boxes_of(piece.numbers))
            alone = piece.blocks.only(piece.numbers, ValuesReader({}))
            blocks, read, beside = _copy((alone, reader, piece.beside))
            moved = Piece(replace(blocks, reader=read), piece.numbers, beside)
            yield _copy(cloudpickle.loads(pickled)(moved))


def _copy(value: Any) -> Any:
    return cloudpickle.loads(cloudpickle.dumps(value))


def _pickled_without_blocks(work: Any) -> bytes:
    def refused(_reader: object) -> NoReturn:
        msg = "a step closes over blocks: all of them would travel with every task"
        raise AssertionError(msg)

    with (
        patch.object(ArrayReader, "__reduce__", refused),
        patch.object(DaskReader, "__reduce__", refused),
    ):
        return bytes(cloudpickle.dumps(work))
