"""A lattice by the phases of its waves: how far it moved, and what its mean cell looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from adatom.numerics.spectrum import hann

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Waves = NDArray[np.complex128]

# Orders of the waves that are used: beyond them resolution leaves little.
_ORDERS: Final = 2
# Shifts that are tried along each vector of the cell before the best is refined.
_TRIALS: Final = 24
_CELL: Final = 72
# Of the height of the mean cell, above which a maximum is a column.
_LEAST_COLUMN: Final = 0.5
ORDERS: Final = np.array(
    [
        (h, k)
        for h in range(-_ORDERS, _ORDERS + 1)
        for k in range(_ORDERS + 1)
        if k > 0 or (k == 0 and h > 0)
    ],
    dtype=np.float64,
)
"""Indices of the waves, one of each pair of opposite ones."""
# Halfway between all of them: no wave of the lattice, so that they show the noise.
BETWEEN: Final = ORDERS + 0.5


def wave_amplitudes(image: Floats, matrix: Floats, orders: Floats, /) -> Waves:
    """Give the amplitudes of waves about the middle of an image, in a Hann window.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        About zero.
    matrix : ndarray, shape (2, 2)
        Columns are reciprocal vectors (y, x) in 1/px.
    orders : ndarray, shape (wave, 2)
        Multiples of these vectors.
    """
    rows, columns = image.shape
    tapered = image * np.outer(hann(rows), hann(columns))
    y, x = np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
    frequency = orders @ matrix.T
    along_y = np.exp(-2j * np.pi * np.outer(frequency[:, 0], y))
    along_x = np.exp(-2j * np.pi * np.outer(frequency[:, 1], x))
    total = hann(rows).sum() * hann(columns).sum()
    found: Waves = ((along_y @ tapered) * along_x).sum(axis=1) / total
    return found


def cell_shift(waves: Waves, reference: Waves, /) -> Floats:
    """Give by which part of the cell's vectors a lattice lies farther on than the reference.

    Each vector counts from -1/2 to 1/2, since whole ones leave a lattice as it is.
    """
    joint = waves * np.conj(reference)
    trial = np.arange(_TRIALS) / _TRIALS
    first, second = np.meshgrid(trial, trial, indexing="ij")
    phase = 2 * np.pi * (np.multiply.outer(first, ORDERS[:, 0]) + second[..., None] * ORDERS[:, 1])
    fit = (joint * np.exp(1j * phase)).real.sum(axis=-1)
    best = np.unravel_index(int(np.argmax(fit)), fit.shape)
    shift = np.array([trial[best[0]], trial[best[1]]])
    for _ in range(4):
        turned = joint * np.exp(2j * np.pi * ORDERS @ shift)
        # Newton's step of the sum of the waves' real parts.
        slope = -2 * np.pi * (turned.imag @ ORDERS)
        curvature = -((2 * np.pi) ** 2) * (ORDERS.T * turned.real) @ ORDERS
        if np.linalg.eigvalsh(curvature).max() >= 0:
            break
        shift = shift - np.linalg.solve(curvature, slope)
    return np.asarray((shift + 0.5) % 1.0 - 0.5)


def moved_waves(waves: Waves, shift: Floats, /) -> Waves:
    """Give the waves of a lattice that is moved back by parts of the cell's vectors."""
    found: Waves = waves * np.exp(2j * np.pi * ORDERS @ shift)
    return found


def columns_of_cell(waves: Waves, /) -> Floats:
    """Give where the mean cell is brightest, (column, 2) in parts of the cell's vectors."""
    at = np.arange(_CELL) / _CELL
    rows = np.exp(2j * np.pi * np.outer(at, ORDERS[:, 0]))
    columns = np.exp(2j * np.pi * np.outer(ORDERS[:, 1], at))
    cell = 2 * ((rows * waves) @ columns).real
    low, high = float(cell.min()), float(cell.max())
    tops = cell == ndimage.maximum_filter(cell, size=_CELL // 8 | 1, mode="wrap")
    places = np.argwhere(tops & (cell > low + _LEAST_COLUMN * (high - low)))
    refined = []
    for row, column in places:
        near = cell[np.ix_((row + np.arange(-1, 2)) % _CELL, (column + np.arange(-1, 2)) % _CELL)]
        refined.append(
            [(row + _vertex(near[:, 1])) / _CELL, (column + _vertex(near[1, :])) / _CELL]
        )
    return np.reshape(refined, (-1, 2))


def _vertex(three: Floats) -> float:
    bend = float(three[0] - 2 * three[1] + three[2])
    return 0.5 * float(three[0] - three[2]) / bend if bend < 0 else 0.0
