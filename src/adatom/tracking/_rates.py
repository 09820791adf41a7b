"""How often sites are missed, tracks end, sites are new and classes change, from the links."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.tracking._frames import link_frames
from adatom.tracking._model import LinkModel
from adatom.tracking._steps import StepModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# Frames in the middle of a movie that hold about so many sites tell the rates.
_SITES: Final = 40_000
_LEAST_FRAMES: Final = 12
_ROUNDS: Final = 3
_UNCHANGED: Final = 0.9


def model_from_links(
    observed: Observed, steps: StepModel, memory: int, /, *, max_distance: float | None = None
) -> LinkModel:
    """Find the rates that the links which they lead to have."""
    stays = float(np.clip(steps.found_later / max(steps.found, 1e-3), 0.5, 0.995))
    missed = 1 - steps.found / stays
    model = LinkModel(steps, 0.0, 0.0, 0.0, max_distance=max_distance)
    model = model.with_rates(missed, 1 - stays, max(1 - stays, 0.01) * observed.density)
    if observed.posterior is not None:
        prior = np.nanmean(observed.posterior, axis=0)
        change = _UNCHANGED * np.eye(len(prior)) + (1 - _UNCHANGED) * prior
        model = replace(model, change=change, prior=prior)
    span = _span(observed)
    if span[1] - span[0] < 2:
        return model
    for _ in range(_ROUNDS):
        previous = link_frames(observed, model, memory, span=span)
        model = _rates(observed, model, memory, previous, span)
    return model


def _span(observed: Observed) -> tuple[int, int]:
    per_frame = len(observed.place) / max(observed.n_frames, 1)
    length = min(observed.n_frames, max(_LEAST_FRAMES, int(_SITES / max(per_frame, 1))))
    first = (observed.n_frames - length) // 2
    return first, first + length


def _rates(
    observed: Observed, model: LinkModel, memory: int, previous: Ints, span: tuple[int, int]
) -> LinkModel:
    """Count what happened in the links of a span, with a little of what was thought before."""
    frame = observed.frame_of
    begin, stop = int(observed.start[span[0]]), int(observed.start[span[1]])
    site = np.arange(begin, stop)
    linked = site[previous[begin:stop] >= 0]
    before = previous[linked]
    n_missed = int((frame[linked] - frame[before] - 1).sum())
    continued = np.zeros(len(observed.place), dtype=bool)
    continued[before] = True
    # Whether a track ends or begins is not seen at the ends of the span.
    numbers = observed.frames
    last = numbers[span[1] - 1] - (memory + 1) * observed.step
    early = site[numbers[frame[site]] <= last]
    n_ended = int((~continued[early]).sum())
    first = numbers[span[0]] + (memory + 1) * observed.step
    late = site[numbers[frame[site]] >= first]
    n_new = int((previous[late] < 0).sum())
    n_frames = int((numbers[span[0] : span[1]] >= first).sum())
    weight = 1.0
    model_new = (n_new + weight * model.new * observed.area) / (n_frames + weight) / observed.area
    rates = model.with_rates(
        (n_missed + weight * model.missed) / (n_missed + len(linked) + weight),
        (n_ended + weight * model.ended) / (len(early) + n_missed + weight),
        # Less than one new site in the whole movie cannot be told from none.
        max(model_new, 0.5 / (n_frames + weight) / observed.area),
    )
    return replace(rates, change=_changes(observed, model, before, linked))


def _changes(observed: Observed, model: LinkModel, before: Ints, after: Ints) -> Floats | None:
    """Count changes of class over links without gaps, shared out where classes are not sure."""
    if model.change is None or model.prior is None or observed.posterior is None:
        return None
    frame = observed.frame_of
    direct = observed.frames[frame[after]] - observed.frames[frame[before]] == observed.step
    one, two = observed.posterior[before[direct]], observed.posterior[after[direct]]
    known = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    one, two = one[known], two[known]
    odds = model.change / model.prior
    total = np.einsum("ka,ab,kb->k", one, odds, two, optimize=True)
    counts = (one / total[:, None]).T @ two * odds
    counts += model.prior
    found: Floats = counts / counts.sum(axis=1, keepdims=True)
    return found
