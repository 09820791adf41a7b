"""Two kinds of columns that alternate, told by the brightness of each beside its neighbors'."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

CLEARLY_APART: Final = 2.2
"""Ashman's measure of two groups; alternating groups made from noise alone reach 1.9, since each
site is put where its brightness fits."""
ALTERNATING: Final = 0.9
"""Share of neighbors that must belong to the other group."""
ROUNDS: Final = 10
"""Of passing on what a site is to its neighbors."""


class Alternation(NamedTuple):
    """Which of two kinds sites are, everything along site but the last two.

    Attributes
    ----------
    bright : array of bool
    contrast : array
        Logarithm of the brightness, less the mean of the neighbors'.
    alternating : float
        Share of neighbors that are of the other kind.
    apart : float
        Ashman's D of the contrasts of both kinds.
    """

    bright: NDArray[np.bool_]
    contrast: NDArray[np.float64]
    alternating: float
    apart: float

    @property
    def is_clear(self) -> bool:
        """Whether there are two kinds at all."""
        return self.alternating >= ALTERNATING and self.apart >= CLEARLY_APART


def logarithms(height: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the logarithms of heights, of which those near or below nothing are 1 % of the most."""
    logs: NDArray[np.float64] = np.log(np.maximum(height, 0.01 * np.abs(height).max()))
    return logs


def of_neighbors(
    values: NDArray[np.float64], near: NDArray[np.intp], known: NDArray[np.bool_], /
) -> NDArray[np.float64]:
    """Give the mean over the known neighbors (site, neighbor), a site's own where none is."""
    count = known.sum(axis=1)
    total = (values[near] * known).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), values))


def alternate(
    logs: NDArray[np.float64], near: NDArray[np.intp], known: NDArray[np.bool_], /
) -> Alternation:
    """Split sites into brighter and dimmer ones that alternate.

    A site is brighter or dimmer than its nearest neighbors, and they in turn
    are of the other kind: this is passed on from neighbor to neighbor some ten
    times, so that one impurity or a change of brightness over the image (of
    thickness, of material) does not put a site into the wrong kind.

    Parameters
    ----------
    logs : array, shape (site,)
        Logarithms of the brightness.
    near : array of int, shape (site, neighbor)
    known : array of bool, shape (site, neighbor)
        Whether there is this neighbor.

    References
    ----------
    K. M. Ashman et al., Astron. J. 108, 2348 (1994), eq. 2.
    """
    contrast = logs - of_neighbors(logs, near, known)
    kind = np.clip(contrast, -1, 1)
    for _ in range(ROUNDS):
        kind = 0.5 * (kind - of_neighbors(kind, near, known))
        kind = np.clip(kind / max(float(kind.std()), np.finfo(float).tiny), -1.5, 1.5)
    bright = kind > 0
    return Alternation(bright, contrast, *clearness(bright, contrast, near, known))


def clearness(
    bright: NDArray[np.bool_],
    contrast: NDArray[np.float64],
    near: NDArray[np.intp],
    known: NDArray[np.bool_],
    /,
) -> tuple[float, float]:
    """Tell how many neighbors are of the other kind, and how far the kinds are apart."""
    social = known.any(axis=1)
    groups = [bright & social, ~bright & social]
    if not all(group.any() for group in groups):
        return 0.0, 0.0
    alternating = float((bright[near] != bright[:, None])[known].mean())
    first, second = (contrast[group] for group in groups)
    apart = float(first.mean() - second.mean())
    spread = float(np.hypot(first.std(), second.std()))
    # Without any noise the kinds are as far apart as can be.
    return alternating, float(np.sqrt(2) * apart / max(spread, 1e-9 * abs(apart), 1e-300))
