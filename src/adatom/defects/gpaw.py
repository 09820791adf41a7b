"""Densities of states and tunneling currents by GPAW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.defects.calculators import Calculator, attach_calculator
from adatom.errors import SettingError
from adatom.schema import table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.defects.densities import DensityOfStates
    from adatom.schema import Structure


def computed_by_gpaw(structure: Structure, calculator: Calculator, /) -> Any:  # noqa: ANN401
    """Give a copy of a structure with its ground state.

    Raises
    ------
    SettingError
        If GPAW fails on it.
    """
    atoms: Any = structure.copy()  # type: ignore[no-untyped-call]
    attach_calculator(atoms, calculator)
    try:
        atoms.get_potential_energy()
    except (RuntimeError, ValueError, KeyError, NotImplementedError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        msg = f"GPAW failed on {atoms.symbols.formula}: {told}"
        raise SettingError(msg) from error
    return atoms


def density_by_gpaw(
    structure: Structure,
    calculator: Calculator,
    energies: NDArray[np.float64],
    width: float,
    /,
) -> DensityOfStates:
    """Give densities of states by the projectors of each atom.

    Parameters
    ----------
    structure : Structure
    calculator : Calculator
    energies : array
        From the Fermi level, in eV.
    width : float
        Standard deviation of the Gaussians, in eV.
    """
    from adatom.defects.densities import DensityOfStates, levels_table, local_spectra

    atoms = computed_by_gpaw(structure, calculator)
    dos = atoms.calc.dos(shift_fermi_level=True)
    spins = range(atoms.calc.get_number_of_spins())
    # Without spins GPAW gives the density of one of both.
    share = 2.0 / len(spins)
    total = share * np.array([dos.raw_dos(energies, spin=spin, width=width) for spin in spins])
    local = np.zeros((len(atoms), len(energies)))
    for atom in range(len(atoms)):
        for spin in spins:
            # s, p and d waves: of f there are no projectors in the elements that hosts are of.
            for wave in range(3):
                local[atom] += share * dos.raw_pdos(
                    energies, a=atom, l=wave, spin=spin, width=width
                )
    fermi = float(atoms.calc.get_fermi_level())
    highest, lowest = (float(value) for value in atoms.calc.get_homo_lumo())
    columns = {"energy": energies, "density": total.sum(axis=0)}
    moments = np.zeros(len(atoms))
    if len(spins) == 2:
        columns["spin_density"] = total[0] - total[1]
        moments = np.asarray(atoms.get_magnetic_moments(), dtype=float)
    units = {"energy": "eV", "density": "1/eV", "spin_density": "1/eV"}
    return DensityOfStates(
        local_spectra(structure, energies, local, fermi),
        table_from_columns(columns, units={name: units[name] for name in columns}),
        table_from_columns(
            {
                "species": np.array(atoms.symbols, dtype=str),
                # GPAW has no charges of atoms without a partition that is not part of it.
                "charge": np.full(len(atoms), np.nan),
                "magnetic_moment": moments,
            }
        ),
        levels_table(fermi, highest, lowest, max(lowest - highest, 0.0)),
    )
