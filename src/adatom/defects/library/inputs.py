"""Calculations as input files for a cluster, and their results read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from zipfile import BadZipFile

import numpy as np

from adatom.defects.calculators import Level
from adatom.defects.hosts import host_of_name
from adatom.defects.library.calculations import rows_to_compute, store_calculation
from adatom.defects.library.computing import (
    Computation,
    plain_structure,
    results_of_relaxation,
)
from adatom.defects.library.exporting import file_name
from adatom.defects.library.reading import read_defect
from adatom.defects.relaxing import relaxed_from_structure
from adatom.defects.structure import structure_from_defect
from adatom.errors import AdatomError, SettingError, WriteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.defects.library.opening import Library
    from adatom.defects.library.queries import DefectQuery
    from adatom.schema import Structure

Code = Literal["vasp", "espresso"]

_CARD: Final = "adatom.json"
_START: Final = "start.npz"
# Where each code leaves its last geometry and energy, and how ASE calls that; the first there is
# taken.
_OUTPUTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "vasp": (("vasprun.xml", "vasp-xml"), ("OUTCAR", "vasp-out")),
    "espresso": (("espresso.pwo", "espresso-out"),),
}
# Sampling as dense as 12 x 12 points in the zone of one cell, where total energies of graphene
# and dichalcogenides stand still within some meV.
_POINTS_OF_ONE_CELL: Final = 12

# PBE with settings that are accurate for light elements: `precision` first, cost second.
_INCAR: Final = """SYSTEM = {name}
GGA = PE
PREC = Accurate
ENCUT = 450
ISMEAR = 0
SIGMA = 0.05
EDIFF = 1E-6
IBRION = 2
ISIF = 2
NSW = {steps}
EDIFFG = -{force:g}
ISPIN = {spin}
{moments}LORBIT = 11
LWAVE = .FALSE.
LCHARG = .FALSE.
"""

_README: Final = """Input files of {code}, written by adatom
=========================================

One folder a defect of the library. Each holds a structure embedded in its host
with measured lattice constant, and relaxes at a fixed cell.

{how}

Then read the results back:

    adatom library compute LIBRARY --read THIS_FOLDER

It takes the last geometry and energy of each folder ({outputs}), compares the
geometry with the observed one, and stores both beside the defect. The energy
of formation is left open: it needs the host and the elements by the same
settings.
"""
_HOW: Final = {
    "vasp": "VASP's potentials (POTCAR) are under licence and are not written: join them in the\n"
    "order of the elements in the sixth line of each POSCAR, e.g.\n"
    "cat C/POTCAR Si/POTCAR > POTCAR. Then run vasp_std (not vasp_gam, unless KPOINTS\n"
    "says 1 1 1) in every folder.",
    "espresso": "Put the pseudopotentials that each espresso.pwi names under ATOMIC_SPECIES into\n"
    "a folder, set ESPRESSO_PSEUDO to it, and run `pw.x -in espresso.pwi > espresso.pwo`\n"
    "in every folder.",
}


def export_inputs(
    library: Library,
    folder: str | Path,
    /,
    *,
    code: Code = "vasp",
    computation: Computation | None = None,
    query: DefectQuery | None = None,
    one_per_class: bool = True,
) -> list[Path]:
    """Write input files of the defects that were not yet computed by a code.

    Parameters
    ----------
    library : Library
    folder : path
        New, or empty.
    code : {"vasp", "espresso"}
        VASP: POSCAR, INCAR, KPOINTS; Quantum ESPRESSO: espresso.pwi.
    computation : Computation, optional
        Cell, forces, steps, strain, charge and unpaired electrons are taken
        from it.
    query : DefectQuery, optional
        Only these defects.
    one_per_class : bool
        Only the surest of every class.

    Returns
    -------
    list of Path
        The folders of the defects.

    Raises
    ------
    WriteError
        If the folder holds something already.
    """
    own = computation or Computation()
    if code not in _OUTPUTS:
        msg = f"{code=} is none of {', '.join(_OUTPUTS)}"
        raise SettingError(msg)
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        msg = f"{target} holds files already: name a new folder"
        raise WriteError(msg)
    wanted = rows_to_compute(
        library, calculator=code, settings=_record(own), version="", query=query,
        one_per_class=one_per_class,
    )  # fmt: skip
    written = []
    for row in wanted:
        found = read_defect(library, row.id).found
        start: Any = structure_from_defect(found.defects, found.members, cell=own.cell)
        _stretch(start, own.strain)
        # The name is whatever the library says.
        name = file_name(row.name or row.class_key[:8])
        place = target / f"defect-{row.id}-{name}"
        _write(place, start, code, own, {"library": library.id, "defect_id": row.id, "name": name})
        written.append(place)
    if written:
        outputs = " or ".join(name for name, _ in _OUTPUTS[code])
        text = _README.format(code=code, how=_HOW[code], outputs=outputs)
        (target / "README.txt").write_text(text, encoding="utf-8")
    return written


def _record(computation: Computation) -> dict[str, Any]:
    """Give what a calculation on a cluster depends on: the code's own settings are its user's."""
    told = computation.record()
    return {key: told[key] for key in ("cell", "charge", "n_unpaired", "strain", "max_force")}


def _stretch(atoms: Any, strain: float) -> None:  # noqa: ANN401 -- of ASE, untyped
    atoms.set_cell(atoms.cell.array * [[1.0 + strain], [1.0 + strain], [1.0]], scale_atoms=True)
    if "observed" in atoms.arrays:
        atoms.arrays["observed"] = atoms.arrays["observed"] * (1.0 + strain)


def _write(
    place: Path,
    atoms: Any,  # noqa: ANN401 -- of ASE, untyped
    code: Code,
    computation: Computation,
    of: dict[str, Any],
) -> None:
    place.mkdir(parents=True)
    # Codes want atoms of one element together; the order here is kept to find them again.
    order = np.argsort(np.array(atoms.symbols, dtype=str), kind="stable")
    ordered = atoms[order]
    points = max(1, round(_POINTS_OF_ONE_CELL / int(atoms.info["cell"])))
    writer = {"vasp": _write_vasp, "espresso": _write_espresso}[code]
    ordered.info["defect"] = of["name"]
    writer(place, ordered, points, computation)
    arrays = {name: ordered.arrays[name] for name in ("role", "observed") if name in ordered.arrays}
    np.savez(place / _START, numbers=ordered.numbers, **arrays)
    card = {
        **of,
        "code": code,
        "settings": _record(computation),
        "host": ordered.info["host"],
        "cell": ordered.info["cell"],
    }
    (place / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def _write_vasp(place: Path, atoms: Any, points: int, computation: Computation) -> None:  # noqa: ANN401
    from ase.io import write

    calculator = computation.calculator
    unpaired = calculator.n_unpaired
    moments = "" if unpaired is None else f"NUPDOWN = {unpaired}\n"
    if calculator.charge:
        # The number of electrons follows from the potentials, which are not known here.
        moments += (
            f"# charge {calculator.charge:+d}: set NELECT = (neutral) - {calculator.charge}\n"
        )
    write(place / "POSCAR", plain_structure(atoms), format="vasp", direct=True, vasp5=True)
    text = _INCAR.format(
        name=atoms.info["defect"],
        steps=computation.max_steps,
        force=computation.max_force / 10.0,
        spin=1 if unpaired is None else 2,
        moments=moments,
    )
    (place / "INCAR").write_text(text, encoding="ascii", errors="replace")
    (place / "KPOINTS").write_text(
        f"through the center of the zone\n0\nGamma\n{points} {points} 1\n0 0 0\n", encoding="ascii"
    )


def _write_espresso(place: Path, atoms: Any, points: int, computation: Computation) -> None:  # noqa: ANN401
    from ase.io import write
    from ase.units import Bohr, Rydberg

    calculator = computation.calculator
    force = computation.max_force / 10.0 / (Rydberg / Bohr)
    system: dict[str, Any] = {
        "ecutwfc": 45.0, "ecutrho": 360.0, "occupations": "smearing", "smearing": "gaussian",
        "degauss": 0.005, "tot_charge": float(calculator.charge),
    }  # fmt: skip
    if calculator.n_unpaired is not None:
        system |= {"nspin": 2, "tot_magnetization": float(calculator.n_unpaired)}
    data = {
        "control": {
            "calculation": "relax", "nstep": computation.max_steps, "forc_conv_thr": force,
            "tprnfor": True,
        },
        "system": system,
        "electrons": {"conv_thr": 1e-8},
        "ions": {"ion_dynamics": "bfgs"},
    }  # fmt: skip
    symbols = sorted(set(atoms.symbols))
    write(
        place / "espresso.pwi",
        plain_structure(atoms),
        format="espresso-in",
        input_data=data,
        pseudopotentials={symbol: f"{symbol}.UPF" for symbol in symbols},
        kpts=(points, points, 1),
    )


def read_outputs(
    library: Library, folder: str | Path, /
) -> tuple[list[int], list[tuple[str, str]]]:
    """Read what a code gave for exported inputs, and store it beside the defects.

    Parameters
    ----------
    library : Library
        From which the inputs were exported.
    folder : path
        Of `export_inputs`, with what the code wrote.

    Returns
    -------
    stored : list of int
        Rows of the defects.
    missing : list of (str, str)
        Folders without a result that can be read, and why.

    Raises
    ------
    SettingError
        If there are no exported inputs.
    """
    cards = sorted(Path(folder).glob(f"*/{_CARD}"))
    if not cards:
        msg = f"{folder} holds no inputs of adatom: name the folder given to --export"
        raise SettingError(msg)
    stored: list[int] = []
    missing: list[tuple[str, str]] = []
    for path in cards:
        try:
            stored.append(_stored(library, path.parent, _read_card(path, library)))
        except AdatomError as error:
            missing.append((path.parent.name, str(error)))
    return stored, missing


def _read_card(path: Path, library: Library) -> dict[str, Any]:
    """Read what was exported, and whether from this library: numbers of rows are its own."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        numbers = [float(card["settings"][name]) for name in ("max_force", "strain")]
        numbers += [int(card["cell"]), int(card["defect_id"])]
        texts = [card[name] for name in ("library", "name", "host")]
        whole = bool(np.isfinite(numbers).all()) and card["code"] in _OUTPUTS
        whole = whole and all(isinstance(text, str) for text in texts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{_CARD} cannot be read ({type(error).__name__}: {error}): export again"
        raise SettingError(msg) from error
    if not whole:
        msg = f"{_CARD} is none of adatom: export again"
        raise SettingError(msg)
    if card["library"] != library.id:
        msg = f"it was exported from another library than {library!r}: name that one"
        raise SettingError(msg)
    return dict(card)


def _stored(library: Library, place: Path, card: dict[str, Any]) -> int:
    code, settings = str(card["code"]), card["settings"]
    atoms, energy, forces = _result(place, card)
    largest = 10.0 * float(np.linalg.norm(forces, axis=1).max())
    limit = float(settings["max_force"])
    relaxed = relaxed_from_structure(
        atoms,
        {
            "energy": energy,
            "largest_force": largest,
            # Codes stop at forces per component; a tenth more in all is not worth a warning.
            "converged": largest <= 1.1 * limit,
            "n_steps": 0,
            "strain": float(settings["strain"]),
            "calculator": code,
        },
        Level("DFT", f"DFT geometry ({code}, computed elsewhere)"),
    )
    results, arrays = results_of_relaxation(relaxed)
    store_calculation(
        library,
        int(card["defect_id"]),
        calculator=code,
        settings=settings,
        version="",
        energy=energy,
        rmsd_nm=float(relaxed.summary["distance"].values[0]),
        structure=plain_structure(relaxed.structure),
        results=results,
        arrays=arrays if library.store is not None else None,
    )
    return int(card["defect_id"])


def _read_start(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as start:
            return {name: start[name] for name in ("numbers", "role", "observed") if name in start}
    except (OSError, ValueError, BadZipFile) as error:
        msg = f"{_START} cannot be read ({error}): export again"
        raise SettingError(msg) from error


def _result(place: Path, card: dict[str, Any]) -> tuple[Structure, float, NDArray[np.float64]]:
    """Read the last geometry of a code, with its energy and forces."""
    from ase.io import read

    code = str(card["code"])
    for name, form in _OUTPUTS[code]:
        file = place / name
        if not file.exists():
            continue
        try:
            found: Any = read(file, index=-1, format=form)
            energy, forces = float(found.get_potential_energy()), found.get_forces()
        except Exception as error:
            msg = f"{name} cannot be read ({type(error).__name__}: {error}): was the run cut off?"
            raise SettingError(msg) from error
        start = _read_start(place / _START)
        if not np.array_equal(found.numbers, start.pop("numbers", np.empty(0))):
            msg = f"{name} holds other atoms than were exported"
            raise SettingError(msg)
        for array, values in start.items():
            found.set_array(array, values)
        found.calc = None
        constant = host_of_name(card["host"]).lattice_constant
        found.info.update(
            host=card["host"], cell=card["cell"], defect=card["name"], lattice_constant=constant
        )
        return found, energy, forces
    names = " or ".join(name for name, _ in _OUTPUTS[code])
    msg = f"there is no {names}: run {code} there first"
    raise SettingError(msg)
