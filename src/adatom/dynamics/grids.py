"""Segments of tracks as dense rows over frames, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.trajectories import Trajectories

# Cells of a batch: of 16 MB an array of positions.
_MOST_CELLS: Final = 1_000_000


@dataclass(frozen=True)
class Grid:
    """Positions (segment, frame, axis) from the first frame of each, and where there is one.

    Positions are counted from the first of their segment, and are zero where
    there is none.
    """

    segment: NDArray[np.int64]
    position: NDArray[np.float64]
    seen: NDArray[np.bool_]


def grids_of(trajectories: Trajectories, /) -> Iterator[Grid]:
    """Go through all segments of two or more sites, shortest first.

    Rows of a batch differ in length by less than two, so that the cells
    are no more than twice the frames that the tracks span.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(trajectories.segment) > 0])
    sizes = np.diff(np.r_[starts, len(trajectories.segment)])
    first = trajectories.frame[starts]
    span = trajectories.frame[starts + sizes - 1] - first + 1
    order = np.argsort(span, kind="stable")
    order = order[sizes[order] > 1]
    at = 0
    while at < len(order):
        shortest = int(span[order[at]])
        end = int(np.searchsorted(span[order], 2 * shortest))
        end = min(end, at + max(1, _MOST_CELLS // (2 * shortest)))
        chosen = order[at:end]
        at = end
        count = sizes[chosen]
        row = np.repeat(np.arange(len(chosen)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        sites = np.repeat(starts[chosen], count) + within
        column = trajectories.frame[sites] - np.repeat(first[chosen], count)
        shape = (len(chosen), int(span[chosen].max()))
        seen = np.zeros(shape, dtype=bool)
        seen[row, column] = True
        position = np.zeros((*shape, 2))
        origin = trajectories.position[starts[chosen]]
        position[row, column] = trajectories.position[sites] - origin[row]
        yield Grid(chosen, position, seen)
