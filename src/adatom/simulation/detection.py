"""From expected electrons to counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sloping_background(
    shape: tuple[int, int], *, level: float, slope: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give a plane of the mean `level` that changes by `slope` from edge to edge."""
    direction = rng.uniform(0.0, 2 * math.pi)
    y = np.linspace(-0.5, 0.5, shape[0])[:, None] * math.sin(direction)
    x = np.linspace(-0.5, 0.5, shape[1])[None, :] * math.cos(direction)
    # Between opposite corners a diagonal plane runs over more than 1.
    run = abs(math.sin(direction)) + abs(math.cos(direction))
    return (level * (1.0 + slope * (y + x) / run)).astype(np.float32)


def counted_electrons(
    expected: NDArray[np.float32], *, readout_noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw counts: Poisson statistics and the detector's own noise."""
    counts = rng.poisson(expected).astype(np.float32)
    if readout_noise > 0:
        counts += readout_noise * rng.standard_normal(expected.shape, dtype=np.float32)
    return counts
