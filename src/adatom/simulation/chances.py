"""Draws that occur again and again where samples and instruments are random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is evenly spread."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def now_and_then(rng: np.random.Generator, share: float, low: float, high: float) -> float:
    """Draw an even number in a share of all cases, else 0."""
    # Both are always drawn, so that what is drawn later does not hang on this.
    happens, value = rng.random() < share, float(rng.uniform(low, high))
    return value if happens else 0.0
