"""Defects relaxed by a calculator: geometry, energy, and what they share with the image."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.defects.calculators import (
    FAILURES,
    Calculator,
    Level,
    attach_calculator,
    level_of_calculator,
    require_calculator,
    version_of_calculator,
)
from adatom.defects.hosts import HOSTS, host_of_name
from adatom.defects.references import formation_energy, host_reference
from adatom.defects.registration import rigid_motion
from adatom.errors import KindError, SettingError
from adatom.numerics.long_work import current_long_work
from adatom.numerics.whole_files import write_whole
from adatom.schema import STRUCTURE, Structure, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray

# Bonds are told by the sum of covalent radii: Si-C is 0.187 nm and C-C 0.152 nm, next neighbors
# stand 1.7 times farther, so that any factor from 1.05 to 1.5 finds the same.
_BONDED: Final = 1.25


class RelaxedDefect(NamedTuple):
    """A defect as a calculator leaves it.

    Attributes
    ----------
    structure : Structure
        Relaxed, in angstrom; arrays and ``info`` as given, ``level`` says by
        what kind of theory.
    bonds : Table
        Of the foreign atoms, and of the neighbors of missing ones among one
        another: ``first``, ``second`` (atoms of the structure), ``pair``
        ("C-Si"), ``length`` (nm), ``length_projected`` (nm, seen from above),
        ``length_observed`` (nm, NaN: not observed).
    summary : Table
        One row: ``energy``, ``formation_energy`` (eV, NaN where a reservoir
        is not known), ``largest_force`` (eV/nm), ``converged``, ``n_steps``,
        ``distance`` (nm, root mean square in projection between observed and
        relaxed atoms, turned and shifted onto one another), ``buckling`` (nm,
        height of the foreign atoms above the mean of their sheet, the farthest
        one), ``lattice_constant`` (nm, of the unstrained host), ``strain``,
        ``magnetic_moment`` (in Bohr magnetons, NaN where it is not offered),
        ``calculator``, ``version``, ``theory``.
    """

    structure: Structure
    bonds: Table
    summary: Table


def relax_defect(
    structure: Structure,
    /,
    *,
    calculator: Calculator | None = None,
    max_force: float = 0.5,
    max_steps: int = 300,
    strain: float = 0.0,
) -> RelaxedDefect:
    """Relax a defect in its host, and compare it with what was observed.

    The cell gets the lattice constant with which the ideal sheet has no
    stress by this calculator in as many cells, and is then held: the rest of
    the crystal holds the defect. The energy of formation is counted from the
    ideal sheet in the same cell and from reservoirs of the elements (see
    ``docs/electronic-structure.md``). Work that is lent a folder goes on from
    the last step after it was killed.

    Parameters
    ----------
    structure : Structure
        As `structure_from_defect` gives it.
    calculator : Calculator, optional
        Tight binding (GFN1-xTB) by default. It samples the center of the zone
        only: differences between cells of equal size are meant.
    max_force : float
        In eV/nm. At the default of 0.5 (0.05 eV per angstrom) bonds are
        within 0.0005 nm of where they would end.
    max_steps : int
        Of the optimizer (BFGS). A defect that is not relaxed after so many is
        given as it is, ``converged`` says so.
    strain : float
        By which the host is stretched in all directions: 0.05 is 5 %.

    Returns
    -------
    RelaxedDefect

    Raises
    ------
    MissingExtraError
        If the calculator is not installed; the line says what to install.
    SettingError
        If it cannot compute these atoms, or a setting has no sense.
    KindError
        If the structure does not say what its host is.

    References
    ----------
    .. [1] S. Grimme, C. Bannwarth and P. Shushkov, J. Chem. Theory Comput.
       13, 1989 (2017): GFN1-xTB.
    .. [2] C. Freysoldt et al., Rev. Mod. Phys. 86, 253 (2014), eq. 2: energy
       of formation, here of neutral cells.

    Examples
    --------
    >>> from adatom.defects import Calculator, build_impurity, relax_defect
    >>> found = relax_defect(build_impurity("Si"), calculator=Calculator("tersoff"))
    >>> str(found.bonds["pair"].values[0]), len(found.bonds["pair"])
    ('C-Si', 3)
    """
    STRUCTURE.check(structure)
    chosen = calculator or Calculator()
    _check_settings(structure, max_force, max_steps, strain)
    require_calculator(chosen)
    given: Any = structure
    host, size = host_of_name(str(given.info["host"])), int(given.info["cell"])
    reference = host_reference(host, size, chosen, strain=strain)
    atoms = _stretched(given, host.lattice_constant, reference.lattice_constant * (1.0 + strain))
    n_steps, converged = _optimized(atoms, chosen, max_force / 10.0, max_steps)
    energy, forces = float(atoms.get_potential_energy()), atoms.get_forces()
    moment = _moment(atoms, chosen)
    atoms.calc = None
    atoms.info["lattice_constant"] = reference.lattice_constant
    formation, note = _formation(atoms, energy, chosen, strain)
    level = level_of_calculator(chosen)
    found = relaxed_from_structure(
        atoms,
        {
            "energy": energy,
            "formation_energy": formation,
            "largest_force": _largest(forces),
            "converged": converged,
            "n_steps": n_steps,
            "strain": strain,
            "magnetic_moment": moment,
            "calculator": chosen.name,
            "version": version_of_calculator(chosen),
        },
        level,
    )
    if note:
        add_note(found.summary, note)
    return found


def relaxed_from_structure(
    atoms: Structure, numbers: Mapping[str, Any], level: Level, /
) -> RelaxedDefect:
    """Measure a relaxed structure, and tell what is known of it.

    Parameters
    ----------
    atoms : Structure
        With the arrays ``role`` and ``observed``, and in ``info`` the
        ``lattice_constant`` of its host.
    numbers : mapping
        Columns of the summary that the structure does not tell.
    level : Level
        Of the theory.
    """
    given: Any = atoms
    given.info["level"] = level.label
    values = {
        **numbers,
        "distance": observed_distance(given),
        "buckling": _buckling(given),
        "lattice_constant": float(given.info["lattice_constant"]) / 10.0,
        "theory": level.theory,
    }
    table = table_from_columns(
        {name: np.array([value]) for name, value in values.items()}, units=_UNITS
    )
    add_note(table, level.label)
    if not values["converged"]:
        add_note(
            table,
            f"not relaxed after {values['n_steps']} steps: the largest force is "
            f"{values['largest_force']:.2g} eV/nm",
        )
    return RelaxedDefect(atoms, _bonds(given), table)


def _formation(
    atoms: Any,  # noqa: ANN401 -- of ASE, untyped
    energy: float,
    calculator: Calculator,
    strain: float,
) -> tuple[float, str]:
    """Give the energy of formation, NaN and why where it is not known."""
    if calculator.charge:
        return float("nan"), "the energy of formation of a charged cell is not known"
    counts = Counter(str(symbol) for symbol in atoms.symbols)
    host, size = host_of_name(str(atoms.info["host"])), int(atoms.info["cell"])
    try:
        return formation_energy(energy, counts, host, size, calculator, strain=strain), ""
    except SettingError as error:
        return float("nan"), str(error)


def _largest(forces: NDArray[np.float64]) -> float:
    """Give the largest force in eV/nm, of forces in eV per angstrom."""
    return 10.0 * float(np.linalg.norm(forces, axis=1).max())


def _check_settings(structure: Any, max_force: float, max_steps: int, strain: float) -> None:  # noqa: ANN401
    lacking = [name for name in ("host", "cell") if name not in structure.info]
    if lacking or structure.info["host"] not in HOSTS:
        told = structure.info.get("host")
        msg = (
            f"the structure does not say in which host and cell it stands (host {told!r}): take "
            "what structure_from_defect gives"
        )
        raise KindError(msg)
    if not max_force > 0 or max_steps < 0:
        msg = f"{max_force=} must be above 0 and {max_steps=} not below"
        raise SettingError(msg)
    if not -0.5 < strain < 0.5:
        msg = f"{strain=} is no share between -0.5 and 0.5: 5 % is 0.05"
        raise SettingError(msg)


def _stretched(structure: Any, ideal: float, constant: float) -> Any:  # noqa: ANN401 -- of ASE
    """Give a copy whose sheet has another lattice constant; heights stay."""
    atoms = structure.copy()
    before = float(np.linalg.norm(atoms.cell.array[0])) / int(atoms.info["cell"])
    share = constant / (before if np.isfinite(before) else ideal)
    vectors = atoms.cell.array * [[share], [share], [1.0]]
    atoms.set_cell(vectors, scale_atoms=True)
    if "observed" in atoms.arrays:
        atoms.arrays["observed"] = atoms.arrays["observed"] * share
    return atoms


def _optimized(
    atoms: Any,  # noqa: ANN401 -- of ASE, untyped
    calculator: Calculator,
    fmax: float,
    max_steps: int,
) -> tuple[int, bool]:
    """Relax atoms in place, from where an earlier start was killed if there is a folder."""
    from ase.optimize import BFGS

    work = current_long_work()
    file = _checkpoint(work.folder, atoms, calculator)
    n_before = _restored(file, atoms)
    attach_calculator(atoms, calculator)
    clock = time.monotonic()
    try:
        with BFGS(atoms, logfile=None) as optimizer:

            def keep() -> None:
                done = n_before + optimizer.nsteps
                seconds = time.monotonic() - clock
                numbers = {"largest force in eV/nm": _largest(atoms.get_forces())}
                work.tell(min(done + 1, max_steps), max_steps, seconds, numbers)
                _keep(file, atoms.positions, done)

            optimizer.attach(keep)
            converged = bool(optimizer.run(fmax=fmax, steps=max(max_steps - n_before, 0)))
            n_steps = n_before + int(optimizer.nsteps)
    except FAILURES as error:
        told = " ".join(str(error).split()) or type(error).__name__
        msg = f"calculator {calculator.name!r} failed on {atoms.symbols.formula}: {told}"
        raise SettingError(msg) from error
    if file is not None:
        file.unlink(missing_ok=True)
    return n_steps, converged


def _checkpoint(folder: Path | None, atoms: Any, calculator: Calculator) -> Path | None:  # noqa: ANN401
    if folder is None:
        return None
    told = [
        atoms.numbers.tolist(), np.round(atoms.positions, 6).tolist(),
        np.round(atoms.cell.array, 6).tolist(), calculator.record(),
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]
    return Path(folder) / f"relaxation-{key}.npy"


def _keep(file: Path | None, places: NDArray[np.float64], done: int) -> None:
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = BytesIO()
    np.save(stream, np.vstack([places, [done, 0.0, 0.0]]))
    # Two processes may relax like defects at once: each writes a draft of its own.
    write_whole(file, stream.getvalue())


def _restored(file: Path | None, atoms: Any) -> int:  # noqa: ANN401 -- of ASE, untyped
    if file is None or not file.exists():
        return 0
    try:
        stored = np.load(file, allow_pickle=False)
    except (OSError, ValueError):
        # Cut off by a full disk: the relaxation begins anew.
        return 0
    if stored.shape != (len(atoms) + 1, 3):
        return 0
    atoms.positions[:] = stored[:-1]
    return int(stored[-1, 0])


def _moment(atoms: Any, calculator: Calculator) -> float:  # noqa: ANN401 -- of ASE, untyped
    from ase.calculators.calculator import PropertyNotImplementedError

    if level_of_calculator(calculator).theory == "tight binding":
        return float(calculator.n_unpaired or 0) if calculator.n_unpaired is not None else np.nan
    try:
        return float(atoms.get_magnetic_moment())
    except (PropertyNotImplementedError, NotImplementedError):
        return float("nan")


def observed_distance(atoms: Any, /) -> float:  # noqa: ANN401 -- of ASE, untyped
    """Give the distance of observed and present atoms, seen from above, in nm.

    Root mean square after the turn and shift that bring them nearest; NaN
    where fewer than two atoms were observed.
    """
    if "observed" not in atoms.arrays:
        return float("nan")
    observed = atoms.arrays["observed"]
    seen = np.isfinite(observed).all(axis=1)
    if seen.sum() < 2:
        return float("nan")
    now = unwrapped(atoms, observed)[seen]
    turn, source, goal = rigid_motion(now, observed[seen])
    gaps = (now - source) @ turn + goal - observed[seen]
    return float(np.sqrt((gaps**2).sum(axis=1).mean())) / 10.0


def unwrapped(atoms: Any, near: NDArray[np.float64], /) -> NDArray[np.float64]:  # noqa: ANN401
    """Give x and y of atoms in the images nearest to given places."""
    lattice = atoms.cell.array[:2, :2]
    share = (atoms.positions[:, :2] - near) @ np.linalg.inv(lattice)
    return near + (share - np.round(share)) @ lattice  # type: ignore[no-any-return]


def _buckling(atoms: Any) -> float:  # noqa: ANN401 -- of ASE, untyped
    role = atoms.arrays.get("role", np.zeros(len(atoms)))
    z = atoms.positions[:, 2]
    if not (role == 1).any() or not (role != 1).any():
        return float("nan")
    heights = z[role == 1] - z[role != 1].mean()
    return float(np.abs(heights).max()) / 10.0


def _bonds(atoms: Any) -> xr.Dataset:  # noqa: ANN401 -- of ASE, untyped
    first, second = bonded_pairs(atoms)
    role = atoms.arrays.get("role", np.zeros(len(atoms), dtype=int))
    # Bonds of the foreign atoms, and those among the neighbors of what is missing.
    inside = ((role[first] == 1) | (role[second] == 1)) | ((role[first] == 2) & (role[second] == 2))
    first, second = first[inside], second[inside]
    vectors = _vectors(atoms, first, second)
    observed = np.full(len(first), np.nan)
    if "observed" in atoms.arrays:
        seen = atoms.arrays["observed"]
        observed = np.linalg.norm(seen[second] - seen[first], axis=1)
    symbols = np.array(atoms.symbols, dtype=str)
    pairs = ["-".join(sorted((symbols[a], symbols[b]))) for a, b in zip(first, second)]
    return table_from_columns(
        {
            "first": first,
            "second": second,
            "pair": np.array(pairs, dtype=str),
            "length": np.linalg.norm(vectors, axis=1) / 10.0,
            "length_projected": np.linalg.norm(vectors[:, :2], axis=1) / 10.0,
            "length_observed": observed / 10.0,
        },
        units=dict.fromkeys(("length", "length_projected", "length_observed"), "nm"),
    )


def _vectors(
    atoms: Any,  # noqa: ANN401 -- of ASE, untyped
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.float64]:
    offsets = atoms.positions[second] - atoms.positions[first]
    share = offsets @ np.linalg.inv(atoms.cell.array)
    return (share - np.round(share)) @ atoms.cell.array  # type: ignore[no-any-return]


def bonded_pairs(atoms: Any, /) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # noqa: ANN401
    """Give pairs of atoms nearer than 1.25 of the sum of their covalent radii."""
    from ase.data import covalent_radii

    radii = covalent_radii[atoms.numbers]
    first, second = np.triu_indices(len(atoms), 1)
    lengths = np.linalg.norm(_vectors(atoms, first, second), axis=1)
    bonded = lengths < _BONDED * (radii[first] + radii[second])
    return first[bonded], second[bonded]


_UNITS: Final = {
    "energy": "eV",
    "formation_energy": "eV",
    "largest_force": "eV/nm",
    "distance": "nm",
    "buckling": "nm",
    "lattice_constant": "nm",
}
