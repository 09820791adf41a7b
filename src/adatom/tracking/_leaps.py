"""Rare long steps, told by tracks that end where others begin a frame later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import poisson

from adatom.tracking._steps import StepModel, reach_of_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.tracking._observed import Observed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# So many pairs at least, and so seldom by chance.
_FEWEST: Final = 3
_CHANCE: Final = 1e-4


def steps_with_leaps(observed: Observed, steps: StepModel, previous: Ints, /) -> StepModel | None:
    """Add a motion for leaps, if more ends than chance explains have a beginning beside them.

    Where few steps of many are long, distances alone do not show them, and a model
    without them breaks every track there. But of ends and beginnings that have nothing
    to do with one another few are neighbors in space and time.

    Parameters
    ----------
    observed : Observed
    steps : StepModel
        With which sites were linked.
    previous : ndarray of int, shape (site,)
        The site before each in its track, -1 for none.
    """
    continued = np.zeros(len(previous), dtype=bool)
    continued[previous[previous >= 0]] = True
    reach = reach_of_sites(observed)
    near, per_area = [np.zeros(0)], 0.0
    for f in range(observed.n_frames - 1):
        if observed.frames[f + 1] - observed.frames[f] != observed.step:
            continue
        here = np.arange(observed.start[f], observed.start[f + 1])
        after = np.arange(observed.start[f + 1], observed.start[f + 2])
        ends, begins = here[~continued[here]], after[previous[after] < 0]
        if len(ends) and len(begins):
            near.append(cdist(observed.place[ends], observed.place[begins]).ravel())
            per_area += len(ends) * len(begins) / observed.area
    distance = np.sort(np.concatenate(near))
    distance = distance[distance < reach]
    count = np.arange(1, len(distance) + 1)
    chance = poisson.sf(count - 1, per_area * np.pi * distance**2)
    chance[count < _FEWEST] = 1.0
    if not len(distance) or chance.min() > _CHANCE:
        return None
    leaps = distance[: int(chance.argmin()) + 1]
    share = len(leaps) / (len(leaps) + int((previous >= 0).sum()))
    diffusion = float(np.mean(leaps**2)) / (4 * observed.time_step)
    if diffusion <= steps.diffusion[-1]:
        return None
    weight = np.append(np.array(steps.weight) * (1 - share), share)
    return replace(steps, weight=tuple(weight.tolist()), diffusion=(*steps.diffusion, diffusion))
