"""Defects of a library computed: which, with what, and what is stored of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from adatom.defects.calculators import (
    FAILURES,
    Calculator,
    level_of_calculator,
    require_calculator,
    version_of_calculator,
)
from adatom.defects.library.calculations import (
    calculation_key,
    read_calculations,
    rows_to_compute,
    store_calculation,
)
from adatom.defects.library.jobs import (
    Job,
    add_jobs,
    claim_job,
    count_jobs,
    fail_job,
    failures,
    finish_job,
    name_of_process,
    release_jobs,
    retry_jobs,
    signs_of_life,
)
from adatom.defects.library.reading import read_defect
from adatom.errors import AdatomError, SettingError
from adatom.numerics.long_work import lend_long_work
from adatom.schema import notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from adatom.defects.library.opening import Library
    from adatom.defects.library.queries import DefectQuery
    from adatom.defects.records import Defects
    from adatom.schema import Structure


@dataclass(frozen=True)
class Computation:
    """How defects of a library are computed.

    Attributes
    ----------
    calculator : Calculator
    cell : int, optional
        Cells of the host along both lattice vectors, see
        `structure_from_defect`.
    max_force : float
        In eV/nm, see `relax_defect`.
    max_steps : int
    strain : float
    density : bool
        Also the density of states, where the calculator offers it.
    """

    calculator: Calculator = field(default_factory=Calculator)
    cell: int | None = None
    max_force: float = 0.5
    max_steps: int = 300
    strain: float = 0.0
    density: bool = True

    def record(self) -> dict[str, Any]:
        """Give all that results depend on but the version, as JSON can hold it."""
        told = {
            name: getattr(self, name)
            for name in ("cell", "max_force", "max_steps", "strain", "density")
        }
        return {**self.calculator.record(), **told}


class Computed(NamedTuple):
    """What is stored of a calculation.

    Attributes
    ----------
    structure : Structure
    energy, formation_energy, rmsd : float
        In eV and nm; NaN where not known.
    results : dict
        Further numbers and texts.
    arrays : dict of array
    """

    structure: Structure
    energy: float
    formation_energy: float
    rmsd: float
    results: dict[str, Any]
    arrays: dict[str, Any]


class LibraryCalculation(NamedTuple):
    """What became of the defects that were to be computed.

    Attributes
    ----------
    n_wanted : int
        Defects that were not yet computed so.
    n_computed : int
        By this process.
    n_elsewhere : int
        Still with other processes.
    failed : list of (int, str)
        Rows of the defects that could not be computed, and why.
    """

    n_wanted: int
    n_computed: int
    n_elsewhere: int
    failed: list[tuple[int, str]]


class Task(NamedTuple):
    """What travels to the process that computes.

    Attributes
    ----------
    job : Job
    found : Defects
        The defect alone.
    computation : Computation
    folder : str
        Where it keeps what it needs to go on after a kill.
    """

    job: Job
    found: Defects
    computation: Computation
    folder: str


class Outcome(NamedTuple):
    """What comes back.

    Attributes
    ----------
    computed : Computed or None
    error : str
        Why there is no result.
    """

    computed: Computed | None
    error: str = ""


class Workers(Protocol):
    """Do tasks somewhere and give them back with what came of them, in any order."""

    def __call__(self, tasks: Iterable[Task], /) -> Iterator[tuple[Task, Outcome]]:
        """Take tasks as they are needed."""
        ...


def compute_library(
    library: Library,
    /,
    *,
    computation: Computation | None = None,
    query: DefectQuery | None = None,
    one_per_class: bool = True,
    retry: bool = False,
    workers: Workers | None = None,
    listener: Callable[[int, int, str], None] | None = None,
) -> LibraryCalculation:
    """Compute defects of a library that were not yet computed so, and store the results.

    Every job is claimed in the database before it is done, so that several
    processes may work on one library, and a killed one loses none: the next
    start goes on, within a relaxation from its last step.

    Parameters
    ----------
    library : Library
    computation : Computation, optional
    query : DefectQuery, optional
        Only these defects.
    one_per_class : bool
        Only the surest one of every class, for all relax to the same
        structure.
    retry : bool
        Also those that failed before.
    workers : callable, optional
        Does the tasks; one after the other in this process by default,
        `dask_workers` gives them to a cluster.
    listener : callable, optional
        Told how many of how many are done, and which one.

    Raises
    ------
    MissingExtraError
        If the calculator is not installed; the line says what to install.
    """
    own = computation or Computation()
    require_calculator(own.calculator)
    by: dict[str, Any] = {
        "calculator": own.calculator.name,
        "settings": own.record(),
        "version": version_of_calculator(own.calculator),
    }
    key = calculation_key(by["calculator"], by["settings"], by["version"])
    wanted = rows_to_compute(library, query=query, one_per_class=one_per_class, **by)
    add_jobs(library, [row.id for row in wanted], key)
    if retry:
        retry_jobs(library, key)
    owner = name_of_process()
    n_computed = 0
    with signs_of_life(library, owner):
        try:
            tasks = _tasks(library, key, owner, own)
            for task, outcome in (workers or serial_workers)(tasks):
                if outcome.computed is None:
                    fail_job(library, task.job, owner, outcome.error)
                else:
                    _store(library, task.job.defect_id, outcome.computed, by)
                    finish_job(library, task.job, owner)
                    n_computed += 1
                if listener is not None:
                    name = str(task.found.defects["name"].values[0])
                    listener(n_computed, len(wanted), name or f"defect {task.job.defect_id}")
        finally:
            release_jobs(library, owner)
    return LibraryCalculation(
        len(wanted), n_computed, count_jobs(library, key).running, failures(library, key)
    )


def _tasks(library: Library, key: str, owner: str, computation: Computation) -> Iterator[Task]:
    """Claim jobs as they are asked for."""
    folder = folder_of_work(library)
    while (job := claim_job(library, key, owner)) is not None:
        done = [
            one for one in read_calculations(library, defect_id=job.defect_id)
            if calculation_key(one.calculator, one.settings, one.version) == key
        ]  # fmt: skip
        if done:
            # Stored by a process that was killed before it took the job out of the queue.
            finish_job(library, job, owner)
            continue
        yield Task(job, read_defect(library, job.defect_id).found, computation, str(folder))


def folder_of_work(library: Library, /) -> Path:
    """Give the folder where relaxations and references are kept to go on from."""
    if library.store is not None:
        return library.store.with_suffix(".work")
    return Path(f"adatom-{library.id[:12]}.work").absolute()


def serial_workers(tasks: Iterable[Task], /) -> Iterator[tuple[Task, Outcome]]:
    """Do tasks one after the other in this process."""
    for task in tasks:
        yield task, compute_task(task)


def compute_task(task: Task, /) -> Outcome:
    """Do a task; what goes wrong with one defect is told and does not end the others."""
    try:
        return Outcome(compute_defect(task.found, task.computation, folder=task.folder))
    except AdatomError as error:
        return Outcome(None, str(error))
    except FAILURES as error:
        # Programs of others are run here, whose errors are not ours to foresee.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(None, f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})")


def compute_defect(
    found: Defects, computation: Computation, /, *, folder: str | Path | None = None
) -> Computed:
    """Embed, relax and compute one defect.

    Parameters
    ----------
    found : Defects
        With one defect.
    computation : Computation
    folder : path, optional
        Where references are kept, and what is needed to go on after a kill.
    """
    from adatom.defects.relaxing import relax_defect
    from adatom.defects.structure import structure_from_defect

    with lend_long_work(None if folder is None else Path(folder)):
        start = structure_from_defect(found.defects, found.members, cell=computation.cell)
        relaxed = relax_defect(
            start,
            calculator=computation.calculator,
            max_force=computation.max_force,
            max_steps=computation.max_steps,
            strain=computation.strain,
        )
    results, arrays = results_of_relaxation(relaxed)
    results["off_lattice_nm"] = float(start.info["off_lattice"]) / 10.0
    if computation.density and level_of_calculator(computation.calculator).theory in _ELECTRONIC:
        try:
            more, spectra = _density(relaxed.structure, computation.calculator)
        except SettingError as error:
            # What was relaxed, perhaps for hours, is kept.
            results["notes"].append(f"no density of states: {error}")
        else:
            results |= more
            arrays |= spectra
    summary = {name: column.values[0] for name, column in relaxed.summary.variables.items()}
    return Computed(
        relaxed.structure,
        float(summary["energy"]),
        float(summary["formation_energy"]),
        float(summary["distance"]),
        results,
        arrays,
    )


_ELECTRONIC: Final = frozenset({"tight binding", "DFT"})
_NUMBERS: Final = {
    "largest_force": "largest_force_eV_per_nm",
    "buckling": "buckling_nm",
    "lattice_constant": "lattice_constant_nm",
    "magnetic_moment": "magnetic_moment",
}


def results_of_relaxation(relaxed: Any, /) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401
    """Give what is stored of a relaxation: numbers and texts, and arrays."""
    summary = {name: column.values[0] for name, column in relaxed.summary.variables.items()}
    results: dict[str, Any] = {
        spelled: float(summary[name])
        for name, spelled in _NUMBERS.items()
        if name in summary and np.isfinite(summary[name])
    }
    results |= {
        "theory": str(summary["theory"]),
        "converged": bool(summary["converged"]),
        "n_steps": int(summary["n_steps"]),
        "cell": int(relaxed.structure.info["cell"]),
        "notes": notes(relaxed.summary),
        "lengths_nm": lengths_by_pair(relaxed.bonds),
    }
    arrays = {
        f"bond_{name}": relaxed.bonds[name].values
        for name in ("first", "second", "length", "length_projected", "length_observed")
    }
    for name in ("role", "observed"):
        if name in relaxed.structure.arrays:
            arrays[name] = relaxed.structure.arrays[name]
    return results, arrays


def lengths_by_pair(bonds: Any, /) -> dict[str, list[float]]:  # noqa: ANN401 -- a table
    """Give smallest, mean and largest length of the bonds of each pair of elements, in nm."""
    pairs, lengths = bonds["pair"].values, bonds["length"].values
    return {
        str(pair): [float(value(lengths[pairs == pair])) for value in (np.min, np.mean, np.max)]
        for pair in np.unique(pairs)
    }


def _density(structure: Structure, calculator: Calculator) -> tuple[dict[str, Any], dict[str, Any]]:
    from adatom.defects.densities import estimate_density_of_states

    found = estimate_density_of_states(structure, calculator=calculator)
    results = {f"{name}_eV": float(column.values[0]) for name, column in found.levels.items()}
    arrays = {
        "density_energy": found.total["energy"].values,
        "density_total": found.total["density"].values,
        "density_local": found.local.values.astype(np.float32),
        "charge": found.atoms["charge"].values,
        "atom_moment": found.atoms["magnetic_moment"].values,
    }
    return results, arrays


def _store(library: Library, defect_id: int, computed: Computed, by: dict[str, Any]) -> None:
    store_calculation(
        library,
        defect_id,
        energy=computed.energy,
        formation_energy=computed.formation_energy,
        rmsd_nm=computed.rmsd,
        structure=plain_structure(computed.structure),
        results=computed.results,
        arrays=computed.arrays if library.store is not None else None,
        **by,
    )


def plain_structure(structure: Structure, /) -> Structure:
    """Give atoms and cell alone, as rows of the ASE database hold them."""
    from ase import Atoms

    given: Any = structure
    return Atoms(given.numbers, given.positions, cell=given.cell, pbc=given.pbc)
