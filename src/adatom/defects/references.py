"""What a defect's energy is measured against: its host, and the elements it takes and gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.calculators import (
    FAILURES,
    Calculator,
    attach_calculator,
    version_of_calculator,
)
from adatom.defects.hosts import Host
from adatom.defects.structure import sheet_of_host
from adatom.errors import AdatomError, SettingError
from adatom.numerics.long_work import current_long_work
from adatom.numerics.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Elements are computed in cells at least so wide, in angstrom, for they too are sampled at the
# center of the zone: of silicon 64 atoms, whose energy is then 0.07 eV per atom above that of 216.
_WIDE: Final = 10.0
# A parabola through energies 2 % apart finds the minimum of a crystal to some 0.1 %; a second one
# of a quarter of that takes out what the third order had shifted.
_STRETCH: Final = 0.02
# No calculator in use is off by more than 10 % in a lattice constant.
_ROUNDS: Final = 6
_RELAXED: Final = 0.02
_MOST_STEPS: Final = 200
_REPEATED: Final = ("fcc", "bcc", "diamond", "sc")


class HostReference(NamedTuple):
    """The host without defects.

    Attributes
    ----------
    energy : float
        Of the whole supercell, in eV.
    lattice_constant : float
        With which the sheet has no stress, in angstrom.
    """

    energy: float
    lattice_constant: float


_known: dict[str, tuple[float, ...]] = {}


def host_reference(
    host: Host, size: int, calculator: Calculator, /, *, strain: float = 0.0
) -> HostReference:
    """Compute the ideal sheet in the cells of its defects.

    Sampled at the center of the zone alone, the energy of an atom depends on
    the number of cells; in the difference between a sheet with and one
    without a defect this cancels.

    Parameters
    ----------
    host : Host
    size : int
        Cells along both lattice vectors.
    calculator : Calculator
    strain : float
        By which the energy is that of the stretched sheet, the same in all
        directions: 0.05 is 5 %.
    """

    def compute() -> tuple[float, ...]:
        constant, _ = _relaxed_constant(
            lambda a: _energy_of_sheet(host, size, calculator, a),
            host.lattice_constant,
            finer=True,
        )
        return _energy_of_sheet(host, size, calculator, constant * (1.0 + strain)), constant

    return HostReference(*_cached(["host", host.name, size, strain], calculator, compute))


def chemical_potential(element: str, host: Host, size: int, calculator: Calculator, /) -> float:
    """Compute the energy of an atom in the reservoir with which a defect exchanges it.

    * An element of a host of one element: per atom of the host.
    * The anion of a compound (S, Se, Te, N): per atom of a ring of eight,
      or of the molecule N2; the other element of the compound: what is left
      of the host's energy (the limit rich in the anion).
    * Any other: per atom of its crystal (cubic, or a molecule of two for the
      gases) with the lattice constant of least energy.

    Raises
    ------
    SettingError
        If no such form of the element can be built.
    """
    cell: Any = host.cell()
    if element in set(cell.symbols):
        whole = host_reference(host, size, calculator).energy / size**2
        if not host.anion:
            return whole / len(cell)
        if element != host.anion:
            n_anions = list(cell.symbols).count(host.anion)
            rest = whole - n_anions * _of_element(host.anion, calculator)
            return rest / (len(cell) - n_anions)
    return _of_element(element, calculator)


def formation_energy(
    energy: float,
    counts: Mapping[str, int],
    host: Host,
    size: int,
    calculator: Calculator,
    /,
    *,
    strain: float = 0.0,
) -> float:
    """Give what it costs to make a defect in its host from the reservoirs of its elements.

    ``E(defect) - E(host) - sum over elements of (n - n_host) mu``, of neutral
    cells.

    Parameters
    ----------
    energy : float
        Of the cell with the defect, in eV.
    counts : mapping of str to int
        Atoms of each element in it.

    Raises
    ------
    SettingError
        If a reservoir cannot be computed.
    """
    sheet: Any = sheet_of_host(host, size)
    ideal = {symbol: list(sheet.symbols).count(symbol) for symbol in set(sheet.symbols)}
    spent = energy - host_reference(host, size, calculator, strain=strain).energy
    for element in sorted(set(ideal) | set(counts)):
        added = counts.get(element, 0) - ideal.get(element, 0)
        if added:
            spent -= added * chemical_potential(element, host, size, calculator)
    return spent


def _of_element(element: str, calculator: Calculator) -> float:
    neutral = Calculator(calculator.name, settings=calculator.settings)
    return _cached(["element", element], neutral, lambda: (_computed(element, neutral),))[0]


def _computed(element: str, calculator: Calculator) -> float:
    from ase.data import atomic_numbers, reference_states

    state: Any = reference_states[atomic_numbers[element]] or {}
    symmetry = state.get("symmetry", "unknown")
    if element in {"S", "Se", "Te"}:
        return _energy_of_molecule(_ring_of_eight(element), calculator)
    if symmetry == "diatom":
        from ase.build import molecule

        pair: Any = molecule(f"{element}2")  # type: ignore[no-untyped-call]
        return _energy_of_molecule(pair, calculator)
    if symmetry not in _REPEATED:
        msg = (
            f"a crystal of {element} ({symmetry}) cannot be built, so the energy of formation is "
            f"not known"
        )
        raise SettingError(msg)
    return _relaxed_constant(lambda a: _energy_of_crystal(element, a, calculator), state["a"])[1]


def _energy_of_sheet(host: Host, size: int, calculator: Calculator, constant: float) -> float:
    sheet: Any = sheet_of_host(host, size)
    stretched = sheet.cell.array * [[1.0], [1.0], [1.0]]
    stretched[:2] *= constant / host.lattice_constant
    sheet.set_cell(stretched, scale_atoms=True)
    if host.thickness:
        return _relaxed_energy(sheet, calculator)
    return _energy(sheet, calculator)


def _energy_of_crystal(element: str, constant: float, calculator: Calculator) -> float:
    from ase.build import bulk

    cell: Any = bulk(element, a=constant, cubic=True)
    crystal = cell.repeat(int(np.ceil(_WIDE / constant)))
    return _energy(crystal, calculator) / len(crystal)


def _energy_of_molecule(molecule: Any, calculator: Calculator) -> float:  # noqa: ANN401 -- of ASE
    from ase.build import molecule as known

    n_unpaired = None
    if len(molecule) == 2:
        moments: Any = known(str(molecule.symbols))  # type: ignore[no-untyped-call]
        n_unpaired = round(float(moments.get_initial_magnetic_moments().sum())) or None
    molecule.center(vacuum=4.0)
    own = Calculator(calculator.name, n_unpaired=n_unpaired, settings=calculator.settings)
    return _relaxed_energy(molecule, own) / len(molecule)


def _ring_of_eight(element: str) -> Any:  # noqa: ANN401 -- of ASE, untyped
    """Build the crown of eight atoms in which sulfur comes."""
    from ase import Atoms
    from ase.data import atomic_numbers, covalent_radii

    # Bonds of twice the covalent radius that meet at 108 deg, as in the crystal of sulfur.
    bond = 2.0 * float(covalent_radii[atomic_numbers[element]])
    angle = np.radians(108.0)
    across = bond * np.sqrt((1.0 - np.cos(angle)) / 2.0)  # half of the distance of next neighbors
    radius = across / np.sin(np.pi / 4.0)
    flat = 2.0 * radius * np.sin(np.pi / 8.0)
    height = np.sqrt(max(bond**2 - flat**2, 0.0)) / 2.0
    turns = np.arange(8) * np.pi / 4.0
    heights = height * (-1.0) ** np.arange(8)
    places = np.stack([radius * np.cos(turns), radius * np.sin(turns), heights], axis=1)
    return Atoms(f"{element}8", places)


def _energy(atoms: Any, calculator: Calculator) -> float:  # noqa: ANN401 -- of ASE, untyped
    attach_calculator(atoms, calculator)
    return float(atoms.get_potential_energy())


def _relaxed_energy(atoms: Any, calculator: Calculator) -> float:  # noqa: ANN401 -- of ASE
    from ase.optimize import BFGS

    attach_calculator(atoms, calculator)
    with BFGS(atoms, logfile=None) as optimizer:
        converged = optimizer.run(fmax=_RELAXED, steps=_MOST_STEPS)
    if not converged:
        msg = (
            f"{atoms.symbols.formula}, against which energies are counted, is not relaxed after "
            f"{_MOST_STEPS} steps of {calculator.name!r}: take another calculator"
        )
        raise SettingError(msg)
    return float(atoms.get_potential_energy())


def _relaxed_constant(
    energy_at: Callable[[float], float], start: float, *, finer: bool = False
) -> tuple[float, float]:
    """Find the lattice constant of least energy, and that energy, by parabolas.

    One parabola finds the energy within 1e-4 eV per atom, which is of second order in what the
    constant is off; `finer` draws a second one, for the constant.
    """
    step = _STRETCH * start
    known: dict[int, float] = {}

    def at(number: int) -> float:
        if number not in known:
            known[number] = energy_at(start + number * step)
        return known[number]

    middle, shift = 0, 0.0
    for _ in range(_ROUNDS):
        below, here, above = (at(middle + k) for k in (-1, 0, 1))
        shift = _vertex(below, here, above)
        if abs(shift) < 1.0:
            break
        # Beyond what was computed a parabola is not trusted: walk one step down.
        middle += int(np.sign(shift))
    else:
        msg = (
            f"the energy has no minimum within {100 * _ROUNDS * _STRETCH:.0f} % of {start:.4g} "
            "angstrom: take a calculator that knows these elements"
        )
        raise SettingError(msg)
    constant = start + (middle + shift) * step
    if finer:
        small = step / 4.0
        trio = [energy_at(constant + k * small) for k in (-1, 0, 1)]
        constant += float(np.clip(_vertex(*trio), -1.0, 1.0)) * small
    return constant, energy_at(constant)


def _vertex(below: float, here: float, above: float) -> float:
    """Give where a parabola through energies at -1, 0, 1 is least; +-1 where it is not inside."""
    curvature, slope = below - 2.0 * here + above, (above - below) / 2.0
    inside = curvature > 0 and abs(slope) < curvature
    return -slope / curvature if inside else -float(np.sign(slope))


def _cached(
    what: list[Any], calculator: Calculator, compute: Callable[[], tuple[float, ...]]
) -> tuple[float, ...]:
    """Give what was computed before in this process or into the folder lent to it."""
    told = [*what, calculator.record(), version_of_calculator(calculator)]
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]
    folder = current_long_work().folder
    file = None if folder is None else Path(folder) / f"reference-{key}.json"
    if key not in _known:
        stored = _stored(file)
        try:
            _known[key] = compute() if stored is None else stored
        except AdatomError:
            raise
        except FAILURES as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            msg = f"calculator {calculator.name!r} gives no energy of {what[1]}: {reason}"
            raise SettingError(msg) from error
    if file is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"of": told, "values": _known[key]}).encode())
    return _known[key]


def _stored(file: Path | None) -> tuple[float, ...] | None:
    if file is None or not file.exists():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))["values"]
        return tuple(float(value) for value in values)
    except (OSError, ValueError, KeyError, TypeError):
        # Written by a dying disk: it is computed again.
        return None
