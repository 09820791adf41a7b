"""How long increments must be until they are independent, and twice as long to be safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.dynamics.free_motion import DOUBT, compare_with_free_motion
from adatom.dynamics.lag_fits import typical_length

if TYPE_CHECKING:
    from adatom.dynamics.free_motion import FreeMotionTest
    from adatom.dynamics.trajectories import Trajectories

_LONGEST: Final = 64
# Of twice the lag that passes: what the test cannot see at a lag may be as large as the
# error of D there; a memory that fades leaves next to nothing of it at twice the lag.
_MARGIN: Final = 2


class LagChoice(NamedTuple):
    """Frames of an increment, and the test at each lag that was tried, shortest first."""

    lag: int
    tests: dict[int, FreeMotionTest]

    def in_words(self) -> str:
        """Say why it was chosen."""
        tried = list(self.tests)
        last = self.tests[tried[-1]]
        p_values = ", ".join(f"{self.tests[lag].p_value:.2g}" for lag in tried)
        over = "a frame" if self.lag == 1 else f"{self.lag} frames"
        if not np.isfinite(last.p_value) and len(tried) == 1:
            return (
                "Tracks are too few or too short for a test of free motion: increments over "
                "a frame were taken."
            )
        told = f"Lags of {', '.join(map(str, tried))} frames were tested (p = {p_values}). "
        if _keeps_direction(last):
            return (
                f"{told}At none of them is motion free, and tracks are too short for longer ones: "
                f"increments over {over} were taken, and D may still be too small."
            )
        if last.p_value < DOUBT and len(tried) == 1:
            return (
                f"{told}Increments turn back, which longer ones do not mend: those over {over} "
                "were taken."
            )
        if self.lag < _MARGIN * tried[-1]:
            return f"{told}Tracks are too short for longer increments: {over} were taken."
        return (
            f"{told}The shortest at which they do not keep their direction is {tried[-1]}; "
            f"increments over twice that, {over}, were taken, since the test may miss a little."
        )


def choose_lag(trajectories: Trajectories, rng: np.random.Generator, /) -> LagChoice:
    """Find the shortest of lags 1, 2, 4, ... that passes the test of free motion; take twice it.

    Where steps are alike over some frames, D is too small at short lags by
    the sum of the correlations of increments that are not neighbors. The test
    sees just that sum, but with an error as large as that of D: at the
    shortest lag that passes D may be off by one or two of its errors, and an
    interval of 95 % there holds the truth in as few as 74 %. Correlations that fade are far
    smaller at twice the lag. Increments that turn back are no reason for longer ones.
    """
    longest = int(np.clip(typical_length(trajectories) // 4, 1, _LONGEST))
    tests: dict[int, FreeMotionTest] = {}
    lag = 1
    while True:
        tests[lag] = compare_with_free_motion(trajectories.with_steps_of(lag), rng)
        if not _keeps_direction(tests[lag]) or _MARGIN * 2 * lag > longest:
            break
        lag *= 2
    first = tests[1]
    untold = not np.isfinite(first.p_value)
    turns_back = first.p_value < DOUBT and not _keeps_direction(first)
    if untold or turns_back:
        return LagChoice(1, tests)
    return LagChoice(min(_MARGIN * lag, longest), tests)


def _keeps_direction(test: FreeMotionTest) -> bool:
    return bool(test.p_value < DOUBT and test.sign > 0)
