"""Potentials of slices of atoms, placed exactly between the points of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray


def potential_of_slices(
    abtem: Any,  # noqa: ANN401 -- a library without types
    atoms: Atoms,
    grid: tuple[int, int],
    slices: int,
) -> Any:  # noqa: ANN401
    """Project the atoms of each slice onto its plane: abTEM's scattering factors, exact phases.

    abTEM spreads every atom over the four nearest points of the grid, and
    corrects for that on average only: with 30 points per nm, equivalent columns
    then differ by a third in a dark field, by where they lie between the points. The
    Fourier series of a projected potential is the sum of the atoms' scattering
    factors with their phases, which needs no grid to place them on.

    Parameters
    ----------
    abtem : module
    atoms : Atoms
        In an upright box, periodic in its plane.
    grid : tuple of two int
        Points along x and y.
    slices : int
        Of equal thickness, from z = 0 to the top of the box.
    """
    width, height, depth = atoms.cell.lengths()
    frequencies = [
        np.fft.fftfreq(n, length / n) for n, length in zip(grid, (width, height), strict=True)
    ]
    squared = np.add.outer(*(frequency**2 for frequency in frequencies))
    # Positions along the beam may lie beyond the box by a vibration.
    number = np.floor(atoms.positions[:, 2] / depth * slices).astype(int).clip(0, slices - 1)
    series = np.zeros((slices, *grid), dtype=np.complex128)
    factors = abtem.parametrizations.LobatoParametrization()
    for element in np.unique(atoms.numbers).tolist():
        factor = _factor(factors, element, squared)
        for one in range(slices):
            here = (atoms.numbers == element) & (number == one)
            if here.any():
                series[one] += factor * _phases(atoms.positions[here, :2], frequencies)
    points_per_area = grid[0] * grid[1] / (width * height)
    values = (np.fft.ifft2(series).real * points_per_area).astype(np.float32)
    return abtem.PotentialArray(values, slice_thickness=depth / slices, extent=(width, height))


def _factor(
    factors: Any,  # noqa: ANN401
    element: int,
    squared: NDArray[np.float64],
) -> NDArray[np.float64]:
    from ase.data import chemical_symbols

    factor: NDArray[np.float64] = factors.projected_scattering_factor(chemical_symbols[element])(
        squared
    )
    return factor


def _phases(
    places: NDArray[np.float64], frequencies: list[NDArray[np.float64]]
) -> NDArray[np.complex128]:
    x, y = (
        np.exp(-2j * np.pi * np.outer(frequency, place))
        for frequency, place in zip(frequencies, places.T, strict=True)
    )
    phases: NDArray[np.complex128] = x @ y.T
    return phases
