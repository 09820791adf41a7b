"""Elastic displacements of domains that each want another shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Nodes along each side of the square: two a cell over the fields of usual images.
_NODES: Final = 256
# Images of the crystal repeat; this far beyond the columns they are no longer felt much.
_BEYOND: Final = 1.5


def stretched_along(directions: NDArray[np.float64], angle: float, /) -> NDArray[np.float64]:
    """Strains yy, xx, xy (variant, 3) that stretch a square along each unit vector y, x.

    Along a diagonal of the square that changes its right angle by `angle`, in deg.
    """
    half = math.tan(math.radians(angle)) / 2
    y, x = directions.T
    return half * np.stack([2 * y * y - 1, 2 * x * x - 1, 2 * x * y], axis=1)


def relaxed_displacement(
    places: NDArray[np.float64],
    strain_at: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    /,
    *,
    reach: float,
    poisson: float,
) -> NDArray[np.float64]:
    """Displacements (place, axis) by which stress-free strains relax elastically.

    The crystal is isotropic and periodic, and does not change its shape as a
    whole, as a film that its substrate holds [1]_.

    Parameters
    ----------
    places : array, shape (place, axis)
        Around the origin.
    strain_at : callable
        Gives the traceless stress-free strain yy, xx, xy (place, 3) at places.
    reach : float
        Half the side of the square that holds all places.
    poisson : float
        Poisson's ratio.

    References
    ----------
    .. [1] A. G. Khachaturyan, Theory of Structural Transformations in Solids (1983), sec. 7.2.
    """
    side = 2 * _BEYOND * reach
    along = (np.arange(_NODES) / _NODES - 0.5) * side
    nodes = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
    strain = strain_at(nodes).T.reshape(3, _NODES, _NODES)
    yy, xx, xy = scipy.fft.fft2(strain)
    frequency = scipy.fft.fftfreq(_NODES, side / _NODES) * 2 * np.pi
    k = np.stack(np.meshgrid(frequency, frequency, indexing="ij"))
    square = (k**2).sum(axis=0)
    square[0, 0] = 1.0
    # Of a traceless strain E the force is the divergence of 2 mu E.
    force = 2 * np.stack([yy * k[0] + xy * k[1], xy * k[0] + xx * k[1]])
    along_k = (k * force).sum(axis=0) / square
    moved = -1j * (force - k * along_k / (2 * (1 - poisson))) / square
    moved[:, 0, 0] = 0.0
    field = scipy.fft.ifft2(moved).real
    node = (places.T / side + 0.5) * _NODES
    found: NDArray[np.float64] = np.stack(
        [map_coordinates(part, node, order=3, mode="grid-wrap") for part in field], axis=1
    )
    return found
