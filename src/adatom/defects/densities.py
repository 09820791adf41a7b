"""Densities of states of defects, atom by atom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.defects.calculators import (
    Calculator,
    attach_calculator,
    level_of_calculator,
    require_calculator,
    version_of_calculator,
)
from adatom.errors import SettingError
from adatom.schema import STRUCTURE, Spectra, Structure, Table, add_note, table_from_columns
from adatom.units import ENERGY, Energy

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A Gaussian sampled at a quarter of its standard deviation is integrated to rounding.
_PER_WIDTH: Final = 4.0
_MOST_ENERGIES: Final = 20_000


class Orbitals(NamedTuple):
    """One-electron states.

    Attributes
    ----------
    energies : array (spin, state)
        In eV.
    occupations : array (spin, state)
        Electrons in each.
    weights : array (spin, state, atom)
        Share of each state on each atom; the shares of a state sum to one.
    charges : array (atom,)
        In elementary charges, by the same shares.
    """

    energies: NDArray[np.float64]
    occupations: NDArray[np.float64]
    weights: NDArray[np.float64]
    charges: NDArray[np.float64]


class DensityOfStates(NamedTuple):
    """Densities of states of a structure.

    Attributes
    ----------
    local : Spectra
        (site, energy), in states per eV, both spins together, along the
        atoms; ``energy`` in eV from the Fermi level (the middle between the
        highest filled and the lowest empty state), ``y``, ``x`` (nm, y down)
        and ``species``, ``role``.
    total : Table
        ``energy``, ``density`` and, where spins differ, ``spin_density``
        (up minus down).
    atoms : Table
        ``species``, ``charge`` (in elementary charges) and
        ``magnetic_moment`` (in Bohr magnetons).
    levels : Table
        One row: ``fermi_level``, ``highest_filled``, ``lowest_empty``,
        ``gap``, in eV.
    """

    local: Spectra
    total: Table
    atoms: Table
    levels: Table


def estimate_density_of_states(
    structure: Structure,
    /,
    *,
    calculator: Calculator | None = None,
    width: Energy = "0.1 eV",
    below: Energy = "15 eV",
    above: Energy = "6 eV",
) -> DensityOfStates:
    """Compute the density of states on each atom of a structure.

    Each state is shared among the atoms by Mulliken's populations [1]_ and
    broadened by a Gaussian. The densities of all atoms sum to the total one.

    Parameters
    ----------
    structure : Structure
        Relaxed, as `relax_defect` gives it; it is computed as it is.
    calculator : Calculator, optional
        Tight binding (GFN1-xTB) by default. It samples the center of the zone
        only: bands of the host show as single peaks, the levels of the defect
        are what is meant. GPAW gives the weights of its projectors, which
        need not sum to the total density.
    width : energy
        Standard deviation of the Gaussians. Spectra of tunneling at room
        temperature are blurred by 3.5 kT = 0.1 eV.
    below, above : energy
        Range about the Fermi level; the defaults hold the valence bands of
        carbon but for their bottom, and the first empty ones.

    Returns
    -------
    DensityOfStates

    Raises
    ------
    MissingExtraError
        If the calculator is not installed.
    SettingError
        If the calculator has no electrons or offers no densities of states.

    References
    ----------
    .. [1] R. S. Mulliken, J. Chem. Phys. 23, 1833 (1955), eq. 6'.

    Examples
    --------
    >>> from adatom.defects import build_impurity, estimate_density_of_states
    >>> found = estimate_density_of_states(build_impurity("Si"))  # doctest: +SKIP
    >>> found.local.sizes["site"]  # doctest: +SKIP
    32
    """
    STRUCTURE.check(structure)
    chosen = calculator or Calculator()
    wide, low, high = (
        _positive(text, name)
        for text, name in ((width, "width"), (below, "below"), (above, "above"))
    )
    theory = level_of_calculator(chosen).theory
    if theory == "potential" or chosen.name not in {"gfn1-xtb", "gfn2-xtb", "ipea1-xtb", "gpaw"}:
        msg = (
            f"calculator {chosen.name!r} gives no densities of states here: take gfn1-xtb, "
            "gfn2-xtb or gpaw"
        )
        raise SettingError(msg)
    require_calculator(chosen)
    energies = np.arange(-low, high + wide / _PER_WIDTH, wide / _PER_WIDTH)
    if len(energies) > _MOST_ENERGIES:
        msg = f"{width=} makes {len(energies)} energies of -{below} to {above}: make it wider"
        raise SettingError(msg)
    if theory == "DFT":
        from adatom.defects.gpaw import density_by_gpaw

        found: DensityOfStates = density_by_gpaw(structure, chosen, energies, wide)
    else:
        found = _density(structure, tight_binding_orbitals(structure, chosen), energies, wide)
    text = f"densities of states by {chosen.name} ({version_of_calculator(chosen)})"
    for part in (found.local, found.total):
        add_note(part, text)
    return found


def _positive(text: Energy, name: str) -> float:
    value, _ = ENERGY.check(text, name=name)
    if not value > 0:
        msg = f"{name}={text!r} must be above 0"
        raise SettingError(msg)
    return value


def tight_binding_orbitals(structure: Structure, calculator: Calculator, /) -> Orbitals:
    """Compute the states of a structure by tblite, with Mulliken's shares of the atoms."""
    from ase.units import Hartree

    atoms: Any = structure.copy()  # type: ignore[no-untyped-call]
    attach_calculator(atoms, calculator)
    try:
        atoms.get_potential_energy()
        # The interface of ASE does not ask for the overlaps; the one beneath it goes on from there.
        beneath = atoms.calc._xtb
        beneath.set("save-integrals", 1)
        result = beneath.singlepoint()
    except (RuntimeError, ValueError) as error:
        msg = f"calculator {calculator.name!r} failed on {atoms.symbols.formula}: {error}"
        raise SettingError(msg) from error
    overlap = np.asarray(result.get("overlap-matrix"))
    levels = np.atleast_2d(result.get("orbital-energies")) * Hartree
    filled = np.atleast_2d(result.get("orbital-occupations"))
    states = np.asarray(result.get("orbital-coefficients"))
    states = states.reshape(len(levels), *states.shape[-2:])
    atom_of_orbital = np.asarray(beneath.get("shell-map"))[np.asarray(beneath.get("orbital-map"))]
    weights = np.zeros((*levels.shape, len(atoms)))
    for spin, coefficients in enumerate(states):
        shares = coefficients * (overlap @ coefficients)
        for atom in range(len(atoms)):
            weights[spin, :, atom] = shares[atom_of_orbital == atom].sum(axis=0)
    return Orbitals(levels, filled, weights, np.asarray(result.get("charges")))


def _density(
    structure: Any,  # noqa: ANN401 -- of ASE, untyped
    orbitals: Orbitals,
    energies: NDArray[np.float64],
    width: float,
) -> DensityOfStates:
    per_state = 2.0 / len(orbitals.energies)
    is_filled = orbitals.occupations > per_state / 2.0
    highest = float(orbitals.energies[is_filled].max())
    lowest = float(orbitals.energies[~is_filled].min())
    # Half-filled states of both spins may lie in the other order by a hair.
    fermi = (highest + lowest) / 2.0
    gap = max(lowest - highest, 0.0)
    broadened = [_gaussians(energies, levels - fermi, width) for levels in orbitals.energies]
    by_spin = np.stack(
        [weights.T @ peaks for weights, peaks in zip(orbitals.weights, broadened, strict=True)]
    ) * per_state  # fmt: skip
    electrons = np.einsum("sn,sna->sa", orbitals.occupations, orbitals.weights)
    moments = electrons[0] - electrons[1] if len(electrons) == 2 else np.zeros(len(structure))
    columns = {"energy": energies, "density": by_spin.sum(axis=(0, 1))}
    if len(by_spin) == 2:
        columns["spin_density"] = (by_spin[0] - by_spin[1]).sum(axis=0)
    return DensityOfStates(
        local_spectra(structure, energies, by_spin.sum(axis=0), fermi),
        table_from_columns(columns, units=dict.fromkeys(columns, "1/eV") | {"energy": "eV"}),
        table_from_columns(
            {
                "species": np.array(structure.symbols, dtype=str),
                "charge": orbitals.charges,
                "magnetic_moment": moments,
            }
        ),
        levels_table(fermi, highest, lowest, gap),
    )


def local_spectra(
    structure: Any,  # noqa: ANN401 -- of ASE, untyped
    energies: NDArray[np.float64],
    density: NDArray[np.float64],
    fermi: float,
    /,
) -> xr.DataArray:
    """Give densities of states along the atoms of a structure."""
    place = structure.positions / 10.0
    role = structure.arrays.get("role", np.zeros(len(structure), dtype=np.int64))
    return xr.DataArray(
        density,
        dims=("site", "energy"),
        coords={
            "energy": ("energy", energies, {"units": "eV"}),
            # Images have y down, structures y up.
            "y": ("site", -place[:, 1], {"units": "nm"}),
            "x": ("site", place[:, 0], {"units": "nm"}),
            "z": ("site", place[:, 2], {"units": "nm"}),
            "species": ("site", np.array(structure.symbols, dtype=str)),
            "role": ("site", np.asarray(role, dtype=np.int64)),
        },
        name="local_density_of_states",
        attrs={"units": "1/eV", "fermi_level": fermi},
    )


def levels_table(fermi: float, highest: float, lowest: float, gap: float, /) -> xr.Dataset:
    """Give the levels about the gap as a table of one row."""
    values = {"fermi_level": fermi, "highest_filled": highest, "lowest_empty": lowest, "gap": gap}
    return table_from_columns(
        {name: np.array([value]) for name, value in values.items()},
        units=dict.fromkeys(values, "eV"),
    )


def _gaussians(
    energies: NDArray[np.float64], centers: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Give normalized Gaussians (state, energy)."""
    scaled = (energies[None] - centers[:, None]) / width
    values: NDArray[np.float64] = np.exp(-0.5 * scaled**2) / (width * np.sqrt(2.0 * np.pi))
    return values
