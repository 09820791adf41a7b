"""Draws that occur again and again where samples and instruments are random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Chance:
    """A source of randomness that knows how much goes wrong in this image, and keeps a record.

    Attributes
    ----------
    rng : numpy Generator
        All randomness comes from it.
    trouble : float
        0: nothing goes wrong; 0.5: as often as stated; 1: twice as often.
    noted : dict
        What was drawn.
    """

    rng: np.random.Generator
    trouble: float
    noted: dict[str, Any]

    def happens(self, share: float) -> bool:
        """Draw whether something goes wrong that does so in a share of all images."""
        return bool(self.rng.random() < 2 * self.trouble * share)

    def amount(self, share: float, most: float) -> float:
        """Draw how much is wrong: in a share of images something, small amounts more often."""
        # All are always drawn, so that what comes later does not hang on this.
        happens, value = self.happens(share), float(self.rng.beta(1.0, 2.0 - self.trouble))
        return most * value if happens else 0.0

    def between(self, low: float, high: float) -> float:
        """Draw an evenly spread number."""
        return float(self.rng.uniform(low, high))

    def log_between(self, low: float, high: float) -> float:
        """Draw a number whose logarithm is evenly spread."""
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def note(self, **values: object) -> None:
        """Keep a record; numbers to four digits, which says enough."""
        self.noted.update({name: _short(value) for name, value in values.items()})


def _short(value: object) -> object:
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
