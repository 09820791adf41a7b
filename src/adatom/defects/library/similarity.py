"""Searching a library for defects like a given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.defects.library.ase_rows import ANGSTROM
from adatom.defects.library.geometry import shape_of_atoms
from adatom.defects.library.overlays import least_rmsd, lower_bounds, n_permutations
from adatom.defects.library.packing import formula_of_symbols, symbols_of_numbers
from adatom.defects.library.queries import DefectQuery, condition_of_query
from adatom.defects.library.reading import StoredDefect
from adatom.defects.library.searching import table_of_ids, tables_of_condition
from adatom.errors import KindError, SettingError, StoreError
from adatom.schema import STRUCTURE, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.defects.library.opening import Library
    from adatom.schema import Structure, Table

# Candidates that are compared at once; the bound is looked at between batches.
_BATCH: Final = 256
# Ways of pairing that are tried at most: some half a second on one processor.
_MOST_PAIRINGS: Final = 25_000_000
# Where not all pairings of two defects are tried, comparing them takes as long as so many.
_PAIRINGS_OF_SEARCH: Final = 16_000

# Atoms are bonded up to this many times the sum of their covalent radii (ASE's natural cutoffs
# leave out the long bonds of strained rings).
_BOND_REACH: Final = 1.2


class Shape(NamedTuple):
    """Atoms whose like is sought: atomic numbers, and places (atom, axis y, x) in nm."""

    numbers: NDArray[np.int64]
    places: NDArray[np.float64]


def search_like(
    library: Library,
    wanted: StoredDefect | Structure,
    query: DefectQuery | None = None,
    /,
    *,
    n_results: int = 20,
    reflect: bool = True,
) -> Table:
    """Find the defects whose atoms lie best over those of a given one.

    Only defects of the same composition are comparable. They are turned,
    mirrored and shifted onto the given one, atoms paired by species, and
    ranked by the root of the mean squared distance (RMSD). Distances within
    each defect bound its RMSD from below (`lower_bounds`), so that the exact
    comparison stops where no other defect can be among the best: nothing is
    lost by it. Of more than seven like atoms not all pairings are tried.

    Parameters
    ----------
    library : Library
    wanted : StoredDefect or Structure
        A defect of a library, or ASE atoms in angstrom: the atoms of the
        defect alone, or a periodic cell, of which the foreign atoms and
        their bonded neighbors are taken.
    query : DefectQuery, optional
        Search among these only.
    n_results : int
        Length of the answer.
    reflect : bool
        Whether mirror images are alike.

    Returns
    -------
    Table
        As `search_library` gives it, best first, with ``rmsd``. Attributes:
        ``n_candidates`` of this composition, ``n_compared`` exactly, and
        ``is_exact``, whether the answer is certain.

    Raises
    ------
    KindError
        If the structure has no defect that can be told.
    SettingError
        If `n_results` is not positive.
    StoreError
        If the library holds no defect of this composition.
    """
    if n_results < 1:
        msg = f"{n_results=} must be 1 or more"
        raise SettingError(msg)
    shape = _shape(wanted)
    numbers, shapes = _candidates(library, shape, query or DefectQuery())
    rmsd, order, is_exact = _compared(shape, shapes, n_results, reflect)
    best = order[np.lexsort((numbers[order], rmsd))[:n_results]]
    distance = _precise(shape, shapes[best], reflect)
    ranked = np.argsort(distance, kind="stable")
    table = table_of_ids(library, numbers[best[ranked]].tolist())
    table["rmsd"] = ("row", distance[ranked], {"units": "nm"})
    table.attrs |= {
        "n_candidates": len(numbers),
        "n_compared": len(order),
        "is_exact": is_exact,
    }
    told = (
        "no other can be nearer"
        if is_exact
        else "the rest, which are likely farther, were not: narrow the query to be sure"
    )
    add_note(table, f"{len(order)} of {len(numbers)} defects compared atom by atom; {told}")
    return table


def _shape(wanted: StoredDefect | Structure) -> Shape:
    if isinstance(wanted, StoredDefect):
        return Shape(wanted.row.numbers, wanted.row.places)
    STRUCTURE.check(wanted)
    return shape_of_structure(wanted)


def shape_of_structure(atoms: Structure, /) -> Shape:
    """Give the atoms of the defect in a structure, in nm.

    Raises
    ------
    KindError
        If a periodic structure has no foreign atom.
    """
    numbers, places = np.asarray(atoms.numbers), np.asarray(atoms.positions)
    if np.any(atoms.pbc):
        numbers, places = _defect_in_cell(atoms)
    return Shape(numbers.astype(np.int64), places[:, 1::-1] * [-1.0, 1.0] / ANGSTROM)


def _defect_in_cell(atoms: Structure) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take the foreign atoms and their neighbors, each where it is nearest to the first."""
    from ase.neighborlist import natural_cutoffs, neighbor_list

    numbers = np.asarray(atoms.numbers)
    core = np.flatnonzero(numbers != np.bincount(numbers).argmax())
    if not core.size:
        formula = atoms.get_chemical_formula()  # type: ignore[no-untyped-call]
        msg = (
            f"the cell {formula} has no foreign atom by which its defect can be told: give the "
            "atoms of the defect alone, without a periodic cell"
        )
        raise KindError(msg)
    cutoffs = natural_cutoffs(atoms, mult=_BOND_REACH)  # type: ignore[no-untyped-call]
    first, second = neighbor_list("ij", atoms, cutoffs)  # type: ignore[no-untyped-call]
    taken = np.union1d(core, second[np.isin(first, core)])
    steps = atoms.get_distances(core[0], taken, mic=True, vector=True)  # type: ignore[no-untyped-call]
    return numbers[taken], np.asarray(atoms.positions[core[0]] + steps)


def _precise(shape: Shape, shapes: NDArray[np.float32], reflect: bool) -> NDArray[np.float64]:
    """Compare the few of the answer once more, in double precision."""
    own = shape_of_atoms(shape.numbers, shape.places).astype(np.float64)
    numbers = np.sort(shape.numbers)
    return least_rmsd(own, shapes.astype(np.float64), numbers, reflect=reflect)


def _candidates(
    library: Library, shape: Shape, query: DefectQuery
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the rows and shapes of all defects of the composition."""
    formula = formula_of_symbols(symbols_of_numbers(shape.numbers))
    where, values = condition_of_query(library, query)
    rows = library.session.rows(
        f"SELECT d.id, s.places FROM {tables_of_condition(where)} "  # noqa: S608 -- names of ours
        "JOIN adatom_shapes s ON s.defect_id = d.id "
        f"WHERE d.formula = ? AND {where} ORDER BY d.id",
        (formula, *values),
    )
    if not rows:
        known = [row[0] for row in library.session.rows("SELECT formula FROM adatom_formulas")]
        msg = f"no defect of composition {formula} is in {library!r}: there are {_shown(known)}"
        raise StoreError(msg)
    n_atoms = len(shape.numbers)
    packed = b"".join(row[1] for row in rows)
    if len(packed) != 8 * n_atoms * len(rows):
        msg = f"shapes of the defects {formula} in {library!r} are damaged: restore a copy"
        raise StoreError(msg)
    shapes = np.frombuffer(packed, dtype="<f4").reshape(len(rows), n_atoms, 2)
    return np.array([row[0] for row in rows], dtype=np.int64), shapes


def _shown(formulas: list[str], most: int = 8) -> str:
    more = f" and {len(formulas) - most} more" if len(formulas) > most else ""
    return (", ".join(sorted(formulas)[:most]) or "none") + more


def _compared(
    shape: Shape, shapes: NDArray[np.float32], n_results: int, reflect: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64], bool]:
    """Compare candidates, nearest bound first, until no other can be among the best.

    Gives the RMSD and the number of each that was compared, and whether it is certain that no
    other one is nearer.
    """
    own, numbers = shape_of_atoms(shape.numbers, shape.places), np.sort(shape.numbers)
    bounds = lower_bounds(own, shapes, numbers)
    order = np.argsort(bounds, kind="stable")
    each = min(n_permutations(numbers), _PAIRINGS_OF_SEARCH)
    n_affordable = max(n_results, _MOST_PAIRINGS // each)
    rmsd, n_compared = np.empty(0), 0
    while n_compared < min(len(order), n_affordable):
        # Few pairings take less time than looking at the bound would save.
        some = order[n_compared : n_compared + max(_BATCH, _MOST_PAIRINGS // each // 16)]
        rmsd = np.append(rmsd, least_rmsd(own, shapes[some], numbers, reflect=reflect))
        n_compared += len(some)
        if n_compared < len(order) and n_compared >= n_results:
            worst = np.partition(rmsd, n_results - 1)[n_results - 1]
            if bounds[order[n_compared]] > worst:
                return rmsd, order[:n_compared], True
    return rmsd, order[:n_compared], n_compared == len(order)
