"""The loop over frames: candidates of every frame, and which of them become links."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.numerics.sparse_assignment import assign_by_gain
from adatom.tracking._model import Candidates, Gap, LinkModel, candidates_of_gap, gap_of_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]


class FrameCandidates(NamedTuple):
    """Candidates of one frame: rows are the sites at which open tracks were last seen."""

    last: Ints
    first_site: int
    n_sites: int
    found: Candidates


class Frames:
    """Candidates frame by frame, with the trees and gaps that are used again."""

    def __init__(self, observed: Observed, model: LinkModel, memory: int) -> None:
        self.observed, self.model, self.memory = observed, model, memory
        self._gaps: dict[tuple[float, int, int], Gap] = {}
        self._newest: tuple[int, cKDTree] | None = None

    def open_since(self, frame: int, /) -> int:
        """Give the first frame from which a track can reach `frame`."""
        numbers, step = self.observed.frames, self.observed.step
        # A frame that was skipped counts as missed.
        return int(np.searchsorted(numbers, numbers[frame] - (self.memory + 1) * step))

    def candidates(self, last: Ints, frame: int, /) -> FrameCandidates:
        """List candidates between open tracks, ordered by their last sites, and a frame."""
        observed = self.observed
        first, stop = int(observed.start[frame]), int(observed.start[frame + 1])
        tree = cKDTree(observed.place[first:stop])
        parts = []
        # Rows of one frame lie together, for sites are in the order of frames.
        cuts = np.searchsorted(last, observed.start)
        for seen in np.flatnonzero(np.diff(cuts)).tolist():
            rows = last[cuts[seen] : cuts[seen + 1]]
            gap = self._gap(seen, frame)
            if gap.reach <= 0:
                continue
            part = candidates_of_gap(
                self.model, observed, gap, (rows, self._tree(seen, rows)), (first, tree)
            )
            parts.append(part._replace(row=part.row + cuts[seen]))
        self._newest = frame, tree
        joined = (
            Candidates(*(np.concatenate(one) for one in zip(*parts, strict=True)))
            if parts
            else (Candidates(*(np.zeros(0, dtype=t) for t in (int, int, float, float, float))))
        )
        return FrameCandidates(last, first, stop - first, joined)

    def _tree(self, frame: int, rows: Ints) -> cKDTree:
        """Take the tree of a whole frame again, or make one of the rows left of it."""
        if self._newest is not None and self._newest == (frame, self._newest[1]):
            tree = self._newest[1]
            if tree.n == len(rows):
                return tree
        return cKDTree(self.observed.place[rows])

    def _gap(self, seen: int, frame: int) -> Gap:
        observed = self.observed
        dt = round(float(observed.times[frame] - observed.times[seen]) / observed.time_step, 9)
        key = (dt, frame - seen, int(observed.frames[frame] - observed.frames[seen]))
        if key not in self._gaps:
            self._gaps[key] = gap_of_frames(self.model, observed, seen, frame)
        return self._gaps[key]


def link_frames(
    observed: Observed, model: LinkModel, memory: int, /, *, span: tuple[int, int] | None = None
) -> Ints:
    """Link the frames of a span; give for each site that before it in its track, or -1."""
    first, stop = span or (0, observed.n_frames)
    frames = Frames(observed, model, memory)
    previous = np.full(len(observed.place), -1, dtype=np.intp)
    last = (
        np.arange(observed.start[first], observed.start[first + 1])
        if stop > first
        else (np.zeros(0, dtype=np.intp))
    )
    for frame in range(first + 1, stop):
        last = last[np.searchsorted(last, observed.start[frames.open_since(frame)]) :]
        here = frames.candidates(last, frame)
        found = here.found
        chosen = assign_by_gain(
            found.row, found.column, found.gain, n_rows=len(last), n_columns=here.n_sites
        )
        previous[found.column[chosen] + here.first_site] = last[found.row[chosen]]
        last = np.concatenate(
            [
                np.delete(last, found.row[chosen]),
                np.arange(here.first_site, here.first_site + here.n_sites),
            ]
        )
    return previous


def linked_candidates(
    observed: Observed, model: LinkModel, memory: int, previous: Ints, /
) -> Iterator[tuple[FrameCandidates, NDArray[np.bool_]]]:
    """Go through the frames again with the links that were made: candidates, which were chosen."""
    frames = Frames(observed, model, memory)
    last = (
        np.arange(observed.start[0], observed.start[1]) if observed.n_frames else np.zeros(0, int)
    )
    for frame in range(1, observed.n_frames):
        last = last[np.searchsorted(last, observed.start[frames.open_since(frame)]) :]
        here = frames.candidates(last, frame)
        sites = np.arange(here.first_site, here.first_site + here.n_sites)
        chosen = last[here.found.row] == previous[here.found.column + here.first_site]
        yield here, chosen
        last = np.concatenate([np.setdiff1d(last, previous[sites], assume_unique=False), sites])


def tracks_of_links(previous: Ints, /) -> Ints:
    """Give every site the number of its track; tracks are in the order of their first sites."""
    root = np.where(previous < 0, np.arange(len(previous)), previous)
    while True:
        # Every round doubles how far back a site looks.
        further = root[root]
        if (further == root).all():
            break
        root = further
    return np.unique(root, return_inverse=True)[1].astype(np.intp)
