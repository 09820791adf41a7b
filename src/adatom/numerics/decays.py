"""The sum of all decays, and where it rises and peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.numerics.folds import fold
from adatom.numerics.medians import SIGMA_OF_MAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block, Blocks

# What stands above the chance of counts by so many standard deviations is a pulse.
_SIGNIFICANT: Final = 5.0
# Of the channels, those side by side that tell the level: fewer than lie before a pulse.
_RUN: Final = 0.02
_FOOT: Final = 0.1


class Total(NamedTuple):
    """Sums over all rows."""

    counts: NDArray[np.float64]
    """(channel,), of the rows in which the channel was measured."""
    n_rows: NDArray[np.int64]
    """(channel,), so many rows."""


def total_of(cut: Blocks, /) -> Total:
    """Add up all rows, channel by channel; NaN is left out.

    Examples
    --------
    >>> from adatom.numerics.blocks import blocks_from_array
    >>> total_of(blocks_from_array(np.array([[1.0, 2.0], [3.0, np.nan]])))
    Total(counts=array([4., 2.]), n_rows=array([2, 1]))
    """

    def step(block: Block) -> Total:
        known = np.isfinite(block.incomplete)
        counts = block.values.sum(axis=0, dtype=np.float64)
        counts += np.where(known, block.incomplete, 0).sum(axis=0, dtype=np.float64)
        return Total(counts, known.sum(axis=0) + len(block.values))

    return fold(cut, step, lambda a, b: Total(a.counts + b.counts, a.n_rows + b.n_rows))


class Rise(NamedTuple):
    """Where a decay begins, in channels (not whole where it lies between two)."""

    foot: float
    """A tenth of the height is reached; 0 if it is already in the first channel."""
    half: float
    """Half of the height is reached."""
    peak: int
    level: float
    """Counts a channel without the pulse: the lowest mean of channels side by side."""


def rise_of(counts: NDArray[np.float64], /) -> Rise:
    """Find where counts along time rise to their peak.

    Raises
    ------
    SettingError
        If nothing stands out of the chance of counts.

    Examples
    --------
    >>> rise_of(np.array([0.0, 0, 0, 50, 100, 80, 60, 40, 20, 10, 5, 2]))
    Rise(foot=2.2, half=3.0, peak=4, level=0.0)
    """
    known = np.where(np.isfinite(counts), counts, 0.0)
    run = np.ones(max(3, int(_RUN * len(known))))
    level = float(np.convolve(known, run / len(run), mode="valid").min())
    peak = int(np.argmax(known))
    height = float(known[peak]) - level
    # From channel to channel decays bend little, so that what jumps is noise of any origin.
    jumps = SIGMA_OF_MAD * float(np.median(np.abs(np.diff(known, 2)))) / np.sqrt(6)
    if height <= _SIGNIFICANT * max(np.sqrt(max(level, 1.0)), jumps):
        msg = (
            f"no pulse shows: the highest of {len(known)} channels has {known[peak]:.4g} counts "
            f"over all decays, the lowest {level:.4g}. Give decays that start in the window"
        )
        raise SettingError(msg)
    before = known[: peak + 1] - level
    return Rise(_crossing(before, _FOOT * height), _crossing(before, 0.5 * height), peak, level)


def _crossing(rising: NDArray[np.float64], height: float) -> float:
    """Give where values last come up through a height before their end."""
    below = np.flatnonzero(rising < height)
    if not below.size or below[-1] + 1 >= len(rising):
        return 0.0 if not below.size else float(below[-1])
    last = int(below[-1])
    part = (height - rising[last]) / (rising[last + 1] - rising[last])
    return float(round(last + part, 9))
