"""Work on the frames of a movie that goes on where it was stopped."""

from __future__ import annotations

import io
import time
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.numerics.executors import SerialExecutor, ThreadExecutor, current_executor, use_executor
from adatom.numerics.long_work import current_long_work
from adatom.numerics.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.generic]]

# Frames whose results are kept together: seconds of work, and a file that is not tiny.
_BLOCK: Final = 16
_SERIAL: Final = ThreadExecutor(1)


def work_on_frames(n_frames: int, work: Callable[[int], Arrays], /) -> Iterator[Arrays]:
    """Do the work on every frame and give its arrays in order, by the threads that were chosen.

    Where a folder is lent to long work the arrays of every few frames are kept in it: killed
    and called again for the same data and settings, it takes them from there.

    Parameters
    ----------
    n_frames : int
        The work is asked for 0 to ``n_frames - 1``.
    work : callable
        Frame -> arrays by name, without objects. Called by several threads.

    Yields
    ------
    dict of ndarray
        Of one frame.
    """
    lent, began = current_long_work(), time.perf_counter()
    chosen = current_executor()
    executor = chosen if isinstance(chosen, ThreadExecutor) else SerialExecutor()

    def alone(number: int) -> Arrays:
        # Threads within threads would only wait for one another.
        with use_executor(_SERIAL):
            return work(number)

    for first in range(0, n_frames, _BLOCK):
        numbers = range(first, min(first + _BLOCK, n_frames))
        kept = None if lent.folder is None else lent.folder / f"frames-{first:08d}.npz"
        block = None if kept is None else _read(kept, len(numbers))
        if block is None:
            block = list(executor.map(alone, numbers))
            if kept is not None:
                _write(kept, block)
        lent.tell(numbers[-1] + 1, n_frames, time.perf_counter() - began, {})
        yield from block


def _write(place: Path, block: list[Arrays]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    named = {f"{k}/{name}": values for k, one in enumerate(block) for name, values in one.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **named)  # type: ignore[arg-type]
    write_whole(place, buffer.getvalue())


def _read(place: Path, n_frames: int) -> list[Arrays] | None:
    """Read what was kept; None if there is nothing, or it cannot be read."""
    block: list[Arrays] = [{} for _ in range(n_frames)]
    try:
        # A file that is cut is told from one that is no archive only where it is opened here.
        with place.open("rb") as handle, np.load(handle, allow_pickle=False) as kept:
            for key in kept.files:
                number, name = key.split("/", 1)
                block[int(number)][name] = kept[key]
    except (OSError, EOFError, ValueError, IndexError, zipfile.BadZipFile):
        return None
    return block
