"""Smooth random fields over an image: thickness, brightness, shapes of holes and dirt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Nodes across the longer side: fine enough for rims as ragged as those of dirt.
_NODES: Final = 64
# The field reaches this share of the longer side beyond the image, where atoms
# of its margin ask for it.
_BEYOND: Final = 0.2


@dataclass(frozen=True)
class SmoothField:
    """A field of zero mean and unit spread, given at nodes, smooth between.

    Attributes
    ----------
    nodes : ndarray, shape (node, node)
        Coefficients of a cubic B-spline.
    shape : tuple of int
        Rows and columns of the image.
    """

    nodes: NDArray[np.float32]
    shape: tuple[int, int]

    def at(self, places: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values at places (site, axis) in px."""
        where = _node_of(places.T, max(self.shape))
        found: NDArray[np.float32] = map_coordinates(
            self.nodes, where, output=np.float32, order=3, prefilter=False, mode="nearest"
        )
        return found

    def pixels(self) -> NDArray[np.float32]:
        """Values at all pixels."""
        side = max(self.shape)
        down, right = (_spline_weights(size, side) for size in self.shape)
        found = down @ self.nodes @ right.T
        return found.astype(np.float32, copy=False)


def draw_smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], *, detail: float, steepness: float = 2.5
) -> SmoothField:
    """Draw a field whose features are about one `detail`-th of the image wide.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    shape : tuple of int
        Rows and columns of the image.
    detail : float
        Waves across the image up to which the spectrum is flat.
    steepness : float
        Power by which amplitudes fall beyond: 2 is ragged, 4 is round.
    """
    # Twice as many nodes as are kept, so that opposite sides are not alike.
    size = 2 * _NODES
    frequency = np.hypot(
        np.fft.fftfreq(size)[:, None] * size, np.fft.rfftfreq(size)[None, :] * size
    ).astype(np.float32)
    across = frequency / (2 * (1 + 2 * _BEYOND))
    noise = rng.standard_normal((size, size), dtype=np.float32)
    spectrum = scipy.fft.rfft2(noise) * (1 + (across / detail) ** 2) ** (-steepness / 2)
    spectrum[0, 0] = 0
    nodes = scipy.fft.irfft2(spectrum, s=(size, size))[:_NODES, :_NODES].astype(np.float32)
    inner = nodes[_NODES // 8 : -_NODES // 8, _NODES // 8 : -_NODES // 8]
    return SmoothField((nodes - inner.mean()) / inner.std(), shape)


def _node_of(place: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    share: NDArray[np.float64] = (place / side + _BEYOND) / (1 + 2 * _BEYOND)
    return share * (_NODES - 1)


@lru_cache(maxsize=64)
def _spline_weights(size: int, side: int) -> NDArray[np.float32]:
    """Weights (pixel, node) of the cubic B-spline at each pixel of one axis."""
    where = _node_of(np.arange(size, dtype=float), side)
    t = np.abs(where[:, None] - np.arange(_NODES))
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)
