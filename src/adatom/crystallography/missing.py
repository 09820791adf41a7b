"""Missing sites: places of the lattice, surrounded by others, at which no atom stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.crystallography.checked import numbers_of_frames
from adatom.crystallography.lattice_fits import sites_of_grains
from adatom.crystallography.least_squares import Lattice, fit_grain, indexed_lattice
from adatom.numerics.intervals import student_widening
from adatom.schema import Sites, add_note, sites_from_positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A place with a site nearer than this share of the nearest distance is not empty.
_FILLED: Final = 0.5
# Neighbors whose mean displacement a place shares.
_N_AROUND: Final = 8
# A diagonal of the cell that is not this much longer than its sides joins neighbors too.
_ALIKE: Final = 1.2


class _Missing(NamedTuple):
    place: NDArray[np.float64]
    error: NDArray[np.float64]
    cell: NDArray[np.int64]
    sublattice: NDArray[np.int64]
    n_connected: NDArray[np.int64]


def find_missing_sites(sites: Sites, /) -> Sites:
    """Find the places of the lattice, surrounded by sites, that no site fills.

    Of every sublattice of every grain, cells that others of it surround and
    that hold no site are looked at. Their place is that of the lattice, moved
    as the eight nearest sites of the sublattice are. Places where some other
    site stands, of another grain, beside a dislocation, or one that was not
    indexed, are not missing.

    Parameters
    ----------
    sites : Sites
        From `assign_lattice_indices`. Frames of a movie are taken one by one.

    Returns
    -------
    Sites
        With ``lattice_index`` (site, direction), ``sublattice`` and ``grain``
        as of the sites; ``y_error`` and ``x_error``, by the scatter of the
        sites around, and a fifth larger, so that 1.96 of them hold the truth of
        95 % though eight sites tell their scatter roughly; and ``n_connected``,
        how many places of the sublattice are missing in one piece: 1 of a
        vacancy, many of a hole. Open to the edge of a grain nothing is missing.

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
    >>> y, x = (np.delete(part.ravel(), 14) for part in np.mgrid[:6.0, :6.0])
    >>> found = assign_lattice_indices(neighbor_vectors(sites_from_positions(y, x, unit="nm")))
    >>> missing = find_missing_sites(found)
    >>> missing["y"].values.round(6), missing["x"].values.round(6)
    (array([2.]), array([2.]))
    """
    lattice = indexed_lattice(sites)
    frame, _ = numbers_of_frames(sites)
    gap = _FILLED * float(np.linalg.norm(_shortest(sites, lattice)))
    parts: list[_Missing] = []
    grains: list[int] = []
    for grain, here in enumerate(sites_of_grains(lattice)):
        beside = np.flatnonzero(frame == frame[here[0]]) if len(here) else here
        for found in _of_grain(lattice, grain, here, cKDTree(lattice.place[beside]), gap):
            parts.append(found)
            grains.append(grain)
    return _described(sites, parts, np.array(grains, dtype=np.int64), frame, lattice)


def _shortest(sites: Sites, lattice: Lattice) -> NDArray[np.float64]:
    """Give the shortest vector between sites: of the stars where these are known."""
    vectors = np.array(sites.attrs.get("stars", lattice.vectors), dtype=float).reshape(-1, 2)
    shortest: NDArray[np.float64] = vectors[np.linalg.norm(vectors, axis=1).argmin()]
    return shortest


def _of_grain(
    lattice: Lattice, grain: int, here: NDArray[np.int64], tree: cKDTree, gap: float
) -> list[_Missing]:
    if len(here) < _N_AROUND:
        return []
    fit = fit_grain(lattice, grain, here)
    wide = student_widening(_N_AROUND - 1)
    found = []
    for k in np.unique(lattice.sublattice[here]):
        mine = here[lattice.sublattice[here] == k]
        empty, n_connected = _enclosed(lattice.cell[mine], _adjoining(fit.vectors))
        if not len(empty) or len(mine) < _N_AROUND:
            continue
        ideal = fit.origins[k] + lattice.cell[mine] @ fit.vectors
        displaced = lattice.place[mine] - ideal
        place = fit.origins[k] + empty @ fit.vectors
        _, near = cKDTree(ideal).query(place, k=_N_AROUND)
        place = place + displaced[near].mean(axis=1)
        error = wide * displaced[near].std(axis=1, ddof=1) / np.sqrt(_N_AROUND)
        away, _ = tree.query(place)
        open_ = away > gap
        number = np.full(int(open_.sum()), k)
        found.append(_Missing(place[open_], error[open_], empty[open_], number, n_connected[open_]))
    return found


def _adjoining(vectors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Tell which of 3 x 3 cells are neighbors of the middle one: along i, j, a short diagonal."""
    structure = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    longest = _ALIKE * np.linalg.norm(vectors, axis=1).max()
    for sign in (-1, 1):
        if np.linalg.norm(vectors[0] + sign * vectors[1]) <= longest:
            structure[2, 1 + sign] = structure[0, 1 - sign] = 1
    return structure


def _enclosed(
    cell: NDArray[np.int64], adjoining: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the empty cells that filled ones surround, and how many each adjoins in one piece."""
    low = cell.min(axis=0)
    filled = np.zeros(cell.max(axis=0) - low + 1, dtype=bool)
    filled[tuple((cell - low).T)] = True
    # What touches the border of the grid is open.
    piece, n_pieces = ndimage.label(np.pad(~filled, 1, constant_values=True), structure=adjoining)
    piece = piece[1:-1, 1:-1]
    size = np.bincount(piece.ravel(), minlength=n_pieces + 1)
    outside = 1
    holes = (piece > 0) & (piece != outside)
    empty = np.argwhere(holes)
    return empty + low, size[piece[holes]]


def _described(
    sites: Sites,
    parts: list[_Missing],
    grains: NDArray[np.int64],
    frame: NDArray[np.int64],
    lattice: Lattice,
) -> Sites:
    nothing = _Missing(
        np.zeros((0, 2)),
        np.zeros((0, 2)),
        np.zeros((0, 2), dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    )
    columns = zip(nothing, *parts, strict=True)
    place, error, cell, sublattice, n_connected = (np.concatenate(column) for column in columns)
    grain = np.repeat(grains, [len(part.place) for part in parts])
    unit = space_unit(sites)
    of_grain = np.zeros(len(lattice.vectors), dtype=np.int64)
    known = lattice.grain >= 0
    of_grain[lattice.grain[known]] = frame[known]
    found = sites_from_positions(
        place[:, 0],
        place[:, 1],
        unit=unit,
        frame=of_grain[grain] if "frame" in sites.coords else None,
        spacing=sites.attrs.get("spacing"),
        extent=sites.attrs.get("extent"),
    )
    found.coords["direction"] = ("direction", np.array(["i", "j"]))
    found["lattice_index"] = (("site", "direction"), cell)
    found["sublattice"] = ("site", sublattice)
    found["grain"] = ("site", grain)
    found["y_error"] = ("site", error[:, 0], {"units": unit})
    found["x_error"] = ("site", error[:, 1], {"units": unit})
    found["n_connected"] = ("site", n_connected)
    single = int((n_connected == 1).sum())
    add_note(
        found,
        f"{len(place)} missing sites, {single} of them single vacancies, beside "
        f"{int(known.sum())} that are there.",
    )
    return found
