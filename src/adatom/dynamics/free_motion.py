"""A test of free motion by the correlations of increments that are not neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.dynamics.grids import grids_of
from adatom.dynamics.lag_fits import typical_length
from adatom.numerics.groups import sums_by_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.dynamics.grids import Grid
    from adatom.dynamics.trajectories import Trajectories

DOUBT: Final = 0.05
"""Motion is called free where the p value is this or more."""
_MOST_LAGS: Final = 64
# Few long tracks are cut into blocks of so many frames, whose products are uncorrelated too.
_BLOCK: Final = 32
_ENOUGH_TRACKS: Final = 30
_FEWEST_UNITS: Final = 6
_N_SIGNS: Final = 4000


class FreeMotionTest(NamedTuple):
    """p value, and the sign of the correlation that it rests on."""

    p_value: float
    sign: int
    n_lags: int


def compare_with_free_motion(
    trajectories: Trajectories, rng: np.random.Generator, /
) -> FreeMotionTest:
    """Test whether increments two or more frames apart are uncorrelated.

    Under free motion they are, whatever the localization error and blur,
    which correlate neighbors alone; an increment times a later one is half the
    curvature of the mean squared displacement there. Products are summed over
    lags of 2 to 2, 4, 8, ... frames, so that both short and long memory are
    seen. The largest of the sums, each over its own scatter between tracks,
    is compared with that of the same tracks with signs drawn at random.
    """
    most = min(_MOST_LAGS, typical_length(trajectories) // 4)
    windows = [2**k for k in range(1, 7) if 2**k <= max(most, 2)]
    by_block = len(np.unique(trajectories.track)) < _ENOUGH_TRACKS
    units = _sums(trajectories, windows, by_block=by_block)
    units = units[np.any(units != 0, axis=1)]
    if len(units) < _FEWEST_UNITS:
        return FreeMotionTest(np.nan, 0, windows[-1])
    scatter = np.sqrt((units**2).sum(axis=0))
    known = scatter > 0
    units = units[:, known] / scatter[known]
    found = units.sum(axis=0)
    drawn = np.zeros(0)
    # In parts, so that a million tracks need no more memory than a thousand.
    part = max(1, min(_N_SIGNS, 4_000_000 // len(units)))
    while len(drawn) < _N_SIGNS:
        signs = rng.integers(0, 2, size=(part, len(units)), dtype=np.int8) * 2.0 - 1.0
        drawn = np.r_[drawn, np.abs(signs @ units).max(axis=1)]
    largest = int(np.abs(found).argmax())
    p_value = (1 + (drawn >= abs(found[largest])).sum()) / (1 + len(drawn))
    return FreeMotionTest(float(p_value), int(np.sign(found[largest])), windows[-1])


def _sums(trajectories: Trajectories, windows: list[int], *, by_block: bool) -> NDArray[np.float64]:
    """Sum the products (unit, window) over tracks, or over blocks of their frames."""
    if by_block and trajectories.n_phases > 1:
        # Blocks of other phases hold the same motion.
        trajectories = trajectories.of_phase(0)
    parts: list[NDArray[np.float64]] = []
    tracks: list[NDArray[np.int64]] = []
    for grid in grids_of(trajectories):
        if grid.seen.shape[1] < 4:
            continue
        products = _products(grid, windows, by_block=by_block)
        parts.append(products)
        tracks.append(trajectories.track[grid.segment])
    if not parts:
        return np.zeros((0, len(windows)))
    if by_block:
        return np.concatenate([part.reshape(-1, len(windows)) for part in parts])
    whole = np.concatenate([part[:, 0] for part in parts])
    return sums_by_group(whole, np.concatenate(tracks), n_groups=len(trajectories.names))


def _products(grid: Grid, windows: list[int], *, by_block: bool) -> NDArray[np.float64]:
    """Give (segment, block, window) sums of increments times those of the window later."""
    both = grid.seen[:, 1:] & grid.seen[:, :-1]
    step = np.where(both[..., None], np.diff(grid.position, axis=1), 0.0)
    n_rows, n_steps = step.shape[:2]
    size = _BLOCK if by_block else n_steps
    edges = np.arange(0, n_steps, size)
    total = np.zeros((n_rows, n_steps))
    sums = np.zeros((n_rows, len(edges), len(windows)))
    reached = 1
    for number, window in enumerate(windows):
        for lag in range(reached + 1, min(window, n_steps - 1) + 1):
            total[:, : n_steps - lag] += np.einsum(
                "tfa,tfa->tf", step[:, : n_steps - lag], step[:, lag:]
            )
        reached = window
        sums[:, :, number] = np.add.reduceat(total, edges, axis=1)
    return sums
