"""What a tunneling microscope shows of electrons: waves round defects, hollows round charges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.simulation.chances import Chance
from adatom.simulation.random_junk import Junk, no_junk

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Waves higher than this share of the typical atom make maxima of their own.
_MISLEADING: Final = 0.4


def draw_waves(chance: Chance, *, shape: tuple[int, int], spacing: float, typical: float) -> Junk:
    """Draw standing waves round some defects, such as the superstructure round those of graphite.

    On graphite they are 1.5 spacings long and run along three directions [1]_.

    References
    ----------
    .. [1] H. A. Mizes and J. S. Foster, Science 244, 559 (1989).
    """
    number = int(chance.rng.integers(1, 6))
    height = typical * chance.between(0.2, 1.2)
    length, reach = spacing * chance.between(1.3, 3.0), spacing * chance.log_between(1.5, 6.0)
    chance.note(waves={"number": number, "height": height, "length": length, "reach": reach})
    directions = chance.between(0.0, math.pi) + np.arange(3) * math.pi / 3
    waves = np.zeros(shape, dtype=np.float32)
    envelope = np.zeros(shape, dtype=np.float32)
    for center in chance.rng.uniform(0.0, 1.0, (number, 2)) * shape:
        y, x = _from(center, shape)
        fading = np.exp(-np.hypot(y, x) / np.float32(reach))
        envelope += fading
        for direction in directions:
            turn, phase = 2 * math.pi / length, chance.between(0.0, 2 * math.pi)
            down, right = (
                np.float32(turn * math.sin(direction)),
                np.float32(turn * math.cos(direction)),
            )
            waves += fading * np.cos(down * y + right * x + np.float32(phase))
    misleading = height * envelope > _MISLEADING * typical
    clean = no_junk(shape)
    return Junk(np.float32(height / 1.5) * waves, clean.transmission, clean.opaque, misleading)


def draw_hollows(chance: Chance, *, shape: tuple[int, int], spacing: float, typical: float) -> Junk:
    """Draw wide dark or bright hollows round charges below the surface; atoms go on in them."""
    intensity = np.zeros(shape, dtype=np.float32)
    number = int(chance.rng.integers(1, 6))
    chance.note(hollows=number)
    for center in chance.rng.uniform(0.0, 1.0, (number, 2)) * shape:
        height = typical * chance.between(0.5, 3.0) * float(chance.rng.choice([-1, -1, 1]))
        radius = spacing * chance.between(2.0, 8.0)
        y, x = _from(center, shape)
        intensity += np.float32(height) * np.exp(-(y**2 + x**2) / np.float32(2 * radius**2))
    clean = no_junk(shape)
    return Junk(intensity, clean.transmission, clean.opaque, clean.doubtful)


def _from(
    center: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of distances in px from a place."""
    y, x = (
        np.arange(size, dtype=np.float32) - np.float32(place)
        for size, place in zip(shape, center, strict=True)
    )
    return y[:, None], x[None, :]
