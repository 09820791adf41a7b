"""Lengths, angle, symmetry and orientation of a fitted cell, with errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.least_squares import GrainFit

# Lengths alike within 5 % and angles within 3 deg: scans distort by as much.
_ALIKE: Final = 0.05
_UPRIGHT: Final = 3.0


def cell_units(unit: str, /) -> dict[str, str]:
    """Give the units of the columns of `cell_shape`."""
    units = {"length_i": unit, "length_j": unit, "angle": "deg", "orientation": "deg"}
    return units | {f"{name}_error": of for name, of in units.items()}


def cell_shape(fit: GrainFit, /) -> dict[str, float]:
    """Give lengths, angle and orientation of the cell of a grain, each with its error.

    The orientation is that of j, modulo the rotations of the lattice: of a
    square one the mean over i and j, of a hexagonal one over i, j and j - i.
    """
    n_fold = symmetry_of_cell(fit.vectors)
    quantities: dict[str, Callable[[NDArray[np.float64]], float]] = {
        "length_i": lambda v: float(np.linalg.norm(v[0])),
        "length_j": lambda v: float(np.linalg.norm(v[1])),
        "angle": _angle,
        "orientation": lambda v: orientation_of_cell(v, n_fold),
    }
    shape: dict[str, float] = {}
    for name, quantity in quantities.items():
        shape[name] = quantity(fit.vectors)
        period = 360.0 / n_fold if name == "orientation" else np.inf
        shape[f"{name}_error"] = _propagated(fit, quantity, period)
    shape["n_fold"] = n_fold
    return shape


def symmetry_of_cell(vectors: NDArray[np.float64], /) -> int:
    """Tell of which order the rotations are that keep the lattice: 4, 6, or 2.

    Examples
    --------
    >>> symmetry_of_cell(np.array([[1.0, 0.0], [0.0, 1.01]]))
    4
    """
    length = np.linalg.norm(vectors, axis=1)
    if abs(length[0] / length[1] - 1) > _ALIKE:
        return 2
    angle = _angle(vectors)
    if abs(angle - 90) <= _UPRIGHT:
        return 4
    return 6 if min(abs(angle - 60), abs(angle - 120)) <= _UPRIGHT else 2


def orientation_of_cell(vectors: NDArray[np.float64], n_fold: int, /) -> float:
    """Give the angle in deg of the lattice from +x towards +y, from 0 to 360 / n_fold."""
    i, j = vectors
    along = {4: [i, j], 6: [i, j, j - i if i @ j > 0 else j + i]}.get(n_fold, [j])
    wave = sum(np.exp(1j * n_fold * np.arctan2(v[0], v[1])) for v in along)
    return float(np.degrees(np.angle(wave)) / n_fold % (360 / n_fold))


def _angle(vectors: NDArray[np.float64]) -> float:
    i, j = vectors
    return float(np.degrees(np.arctan2(abs(i[0] * j[1] - i[1] * j[0]), i @ j)))


def _propagated(
    fit: GrainFit, quantity: Callable[[NDArray[np.float64]], float], period: float
) -> float:
    """Carry the errors of the vectors over to a quantity, to first order."""
    value = quantity(fit.vectors)
    # Small against every curvature, large against rounding.
    step = 1e-5 * float(np.linalg.norm(fit.vectors))
    slope = np.zeros((2, 2))
    for d, a in np.ndindex(2, 2):
        moved = fit.vectors.copy()
        moved[d, a] += step
        change = quantity(moved) - value
        if np.isfinite(period):
            change = (change + period / 2) % period - period / 2
        slope[d, a] = change / step
    part = slope * fit.vector_errors
    variance = (part**2).sum() + 2 * fit.coupling * (part[0] * part[1]).sum()
    return float(np.sqrt(max(variance, 0.0)))
