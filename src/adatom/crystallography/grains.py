"""Grains of a crystal: their size and lattice, and how they are turned against one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.crystallography.checked import numbers_of_frames
from adatom.crystallography.lattice_fits import sites_of_grains
from adatom.crystallography.least_squares import GrainFit, Lattice, fit_grain, indexed_lattice
from adatom.crystallography.shapes import (
    cell_shape,
    cell_units,
    orientation_of_cell,
    symmetry_of_cell,
)
from adatom.crystallography.walk import neighbors_of_sites
from adatom.errors import KindError
from adatom.schema import Sites, Table, space_unit, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Across a boundary sites stand farther apart than within a grain, by half of the distance at most:
# in a wider gap there would be room for one more.
_ACROSS: Final = 1.5


class Grains(NamedTuple):
    """What `find_grains` gives."""

    grains: Table
    """A row a grain."""
    boundaries: Table
    """A row for every two grains that touch."""


def find_grains(sites: Sites, /) -> Grains:
    """List the grains of indexed sites, and the boundaries at which two of them touch.

    Parameters
    ----------
    sites : Sites
        From `assign_lattice_indices`.

    Returns
    -------
    Grains
        ``grains``: number, ``n_sites``, ``area`` (that of the cells that the
        sites fill), ``length_i``, ``length_j``, ``angle`` between them and
        ``orientation`` of the lattice from +x towards +y, modulo its rotations
        of order ``n_fold``, each with its error.
        ``boundaries``: numbers of the two grains, ``misorientation``, the
        least angle between their lattices modulo the rotations of both, with
        its error, and ``n_contacts``, pairs of sites across the boundary
        not farther apart than 1.5 nearest distances.
        Errors are one standard deviation, for scatter of the sites about
        their places that is independent from site to site.

    Raises
    ------
    KindError
        If the sites are not indexed.
    TooFewSitesError
        If none of them has a place on a lattice.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import assign_lattice_indices
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (part.ravel() for part in np.mgrid[:6.0, :6.0])
    >>> found = assign_lattice_indices(neighbor_vectors(sites_from_positions(y, x, unit="nm")))
    >>> grains = find_grains(found).grains
    >>> grains["n_sites"].item(), round(grains["area"].item(), 6), grains["n_fold"].item()
    (36, 36.0, 4)
    """
    lattice = indexed_lattice(sites)
    members = sites_of_grains(lattice)
    fits = [fit_grain(lattice, grain, here) for grain, here in enumerate(members)]
    unit = space_unit(sites)
    return Grains(_grain_table(lattice, members, fits, unit), _boundary_table(sites, lattice, fits))


def _grain_table(
    lattice: Lattice, members: list[NDArray[np.int64]], fits: list[GrainFit], unit: str
) -> Table:
    columns: dict[str, list[float]] = {
        "grain": list(range(len(fits))),
        "n_sites": [len(here) for here in members],
        "area": [
            _n_cells(lattice, here) * abs(np.linalg.det(fit.vectors))
            for here, fit in zip(members, fits, strict=True)
        ],
    }
    for fit in fits:
        for name, value in cell_shape(fit).items():
            columns.setdefault(name, []).append(value)
    return table_from_columns(columns, units=cell_units(unit) | {"area": f"{unit}^2"})


def _n_cells(lattice: Lattice, here: NDArray[np.int64]) -> float:
    return len(here) / max(len(np.unique(lattice.sublattice[here])), 1)


def _boundary_table(sites: Sites, lattice: Lattice, fits: list[GrainFit]) -> Table:
    one, other, count = _contacts(sites, lattice)
    angle, error = np.zeros(len(one)), np.zeros(len(one))
    for row, (a, b) in enumerate(zip(one, other, strict=True)):
        angle[row], error[row] = _misorientation(fits[a], fits[b])
    return table_from_columns(
        {
            "grain": one,
            "other_grain": other,
            "misorientation": angle,
            "misorientation_error": error,
            "n_contacts": count,
        },
        units={"misorientation": "deg", "misorientation_error": "deg"},
    )


def _misorientation(one: GrainFit, other: GrainFit) -> tuple[float, float]:
    """Give the least angle between two lattices, and its error."""
    folds = symmetry_of_cell(one.vectors), symmetry_of_cell(other.vectors)
    n_fold = folds[0] if folds[0] == folds[1] else 2
    period = 360.0 / n_fold
    first, second = (orientation_of_cell(fit.vectors, n_fold) for fit in (one, other))
    apart = abs((first - second + period / 2) % period - period / 2)
    errors = [cell_shape(fit)["orientation_error"] for fit in (one, other)]
    return float(apart), float(np.linalg.norm(errors))


def _contacts(
    sites: Sites, lattice: Lattice
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count the pairs of near sites of every two grains."""
    outer = np.flatnonzero(lattice.grain >= 0)
    point = _neighbors(sites)
    if point is not None:
        # Inside of a grain every slot leads to a site of it.
        same = (point >= 0) & (lattice.grain[point] == lattice.grain[:, None])
        outer = outer[~same[outer].all(axis=1)]
    frame, _ = numbers_of_frames(sites)
    vectors = np.array(sites.attrs.get("stars", lattice.vectors), dtype=float).reshape(-1, 2)
    reach = _ACROSS * float(np.linalg.norm(vectors, axis=1).min())
    # Frames stand apart by more than the reach.
    lifted = np.column_stack([lattice.place[outer], 2 * reach * frame[outer]])
    pairs = outer[cKDTree(lifted).query_pairs(reach, output_type="ndarray")]
    ends = np.sort(lattice.grain[pairs], axis=1)
    ends = ends[ends[:, 0] != ends[:, 1]]
    kept, count = np.unique(ends, axis=0, return_counts=True)
    return kept[:, 0], kept[:, 1], count


def _neighbors(sites: Sites) -> NDArray[np.int64] | None:
    """Give the numbers of neighbors, where they are true and among the sites themselves."""
    try:
        return neighbors_of_sites(sites)[1]
    except KindError:
        # Of sites that were selected since, or that look for neighbors among others.
        return None
