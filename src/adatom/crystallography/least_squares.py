"""Lattices fitted to indexed sites, grain by grain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.crystallography.checked import finite_positions
from adatom.errors import KindError, TooFewSitesError
from adatom.numerics.intervals import student_widening
from adatom.schema import SITES, Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Lattice(NamedTuple):
    """Sites as they were indexed.

    Attributes
    ----------
    place : ndarray, shape (site, 2)
        Axis y, x.
    cell : ndarray of int, shape (site, 2)
        Direction i, j.
    sublattice, grain : ndarray of int, shape (site,)
        Grain -1: not indexed.
    vectors : ndarray, shape (grain, 2, 2)
        Direction, axis.
    """

    place: NDArray[np.float64]
    cell: NDArray[np.int64]
    sublattice: NDArray[np.int64]
    grain: NDArray[np.int64]
    vectors: NDArray[np.float64]


class GrainFit(NamedTuple):
    """One grain, fitted by least squares.

    Attributes
    ----------
    vectors : ndarray, shape (2, 2)
        Direction, axis.
    origins : ndarray, shape (sublattice, 2)
        Place of the cell (0, 0), NaN of sublattices that the grain does not hold.
    vector_errors : ndarray, shape (2, 2)
        Of `vectors`, such that 1.96 of them make an interval of 95 %: standard deviations,
        widened by Student's t where the scatter is known from few sites only.
    origin_errors : ndarray, shape (sublattice, 2)
        Of `origins`, in the same way.
    coupling : float
        Correlation of the errors of i and j, the same along both axes.
    scatter : ndarray, shape (2,)
        Standard deviation of a site about its ideal place, axis y, x.
    ideal : ndarray, shape (site of the grain, 2)
        Ideal places, slow distortion included.
    leverage : ndarray, shape (site of the grain,)
        Variance of the ideal place in units of `scatter` squared; the share that the site itself
        has in it.
    wide : float
        By what Student's t widens an interval of 95 %.
    """

    vectors: NDArray[np.float64]
    origins: NDArray[np.float64]
    vector_errors: NDArray[np.float64]
    origin_errors: NDArray[np.float64]
    coupling: float
    scatter: NDArray[np.float64]
    ideal: NDArray[np.float64]
    leverage: NDArray[np.float64]
    wide: float


def indexed_lattice(sites: Sites, /) -> Lattice:
    """Give what `assign_lattice_indices` found.

    Raises
    ------
    KindError
        If the sites are not indexed.
    TooFewSitesError
        If none of them has a place on a lattice.
    """
    SITES.check(sites, name="sites")
    lacking = [n for n in ("lattice_index", "sublattice", "grain") if n not in sites]
    if lacking or "lattice_vectors" not in sites.attrs:
        msg = (
            f"sites have no {', '.join(lacking or ['lattice_vectors'])}: "
            "run crystallography.assign_lattice_indices(sites) first"
        )
        raise KindError(msg)
    grain = sites["grain"].values.astype(np.int64)
    vectors = np.array(sites.attrs["lattice_vectors"], dtype=float).reshape(-1, 2, 2)
    if grain.max(initial=-1) >= len(vectors):
        msg = (
            f"sites are of grain {grain.max()}, attrs['lattice_vectors'] holds those of "
            f"{len(vectors)} grains: run crystallography.assign_lattice_indices(sites) again"
        )
        raise KindError(msg)
    if not (grain >= 0).any():
        msg = (
            f"none of the {len(grain)} sites has a place on a lattice, all have grain -1: look at "
            "them with plotting, or restrict them to the crystalline part and run "
            "descriptors.neighbor_vectors and crystallography.assign_lattice_indices again"
        )
        raise TooFewSitesError(msg)
    return Lattice(
        finite_positions(sites),
        sites["lattice_index"].values.astype(np.int64),
        sites["sublattice"].values.astype(np.int64),
        grain,
        vectors,
    )


def fit_grain(
    lattice: Lattice, grain: int, here: NDArray[np.int64], /, *, degree: int = 1
) -> GrainFit:
    """Fit the sites of one grain: an origin a sublattice, two vectors, and slow distortion.

    Distortion is a polynomial of the cells, from the second degree on, made
    free of what origin and vectors can describe, so that these are means over
    the grain and do not depend on the degree. Sites on one line, as where few
    of a grain were selected, fix no lattice: it keeps the vectors that it has,
    and all else is NaN. So are the errors where no site is left over to tell
    the scatter.
    """
    place, cell = lattice.place[here], lattice.cell[here].astype(float)
    n_sub = int(lattice.sublattice.max(initial=0)) + 1
    own = np.zeros((len(here), n_sub))
    own[np.arange(len(here)), lattice.sublattice[here]] = 1.0
    held = own.any(axis=0)
    linear = np.column_stack([cell, own[:, held]])
    center = cell.sum(axis=0) / max(len(here), 1)
    # About the middle of the grain the normal equations stay well conditioned.
    linear[:, :2] -= center
    if np.linalg.matrix_rank(linear.T @ linear, hermitian=True) < linear.shape[1]:
        return _unknown(lattice.vectors[grain], n_sub, len(here))
    design = np.column_stack([linear, _slow_terms(linear, degree)])
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    found = inverse @ (design.T @ place)
    ideal = design @ found
    freedom = len(here) - int(np.linalg.matrix_rank(design))
    rest = np.sqrt(((place - ideal) ** 2).sum(axis=0))
    scatter = rest / np.sqrt(freedom) if freedom else np.full(2, np.nan)
    leverage = np.einsum("sk,kl,sl->s", design, inverse, design, optimize=True)
    # Back to the cell (0, 0): origin - center . vectors.
    back = np.zeros((int(held.sum()), design.shape[1]))
    back[:, :2] = -center
    back[np.arange(len(back)), 2 + np.arange(len(back))] = 1.0
    origins, origin_errors = np.full((2, n_sub, 2), np.nan)
    origins[held] = back @ found
    spread = np.sqrt(np.einsum("kp,pq,kq->k", back, inverse, back))
    wide = student_widening(freedom)
    origin_errors[held] = spread[:, None] * scatter * wide
    deviation = np.sqrt(np.diagonal(inverse)[:2])
    product = float(deviation.prod())
    return GrainFit(
        found[:2],
        origins,
        deviation[:, None] * scatter * wide,
        origin_errors,
        float(inverse[0, 1]) / product if product > 0 else 0.0,
        scatter,
        ideal,
        leverage,
        wide,
    )


def _unknown(vectors: NDArray[np.float64], n_sub: int, n_sites: int) -> GrainFit:
    """Give the fit of a grain whose sites fix no lattice."""
    return GrainFit(
        vectors,
        np.full((n_sub, 2), np.nan),
        np.full((2, 2), np.nan),
        np.full((n_sub, 2), np.nan),
        0.0,
        np.full(2, np.nan),
        np.full((n_sites, 2), np.nan),
        np.full(n_sites, np.nan),
        float("nan"),
    )


def _slow_terms(linear: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Give polynomials of the cell of degree 2 and up, at right angles to the linear ones."""
    u = linear[:, :2] / np.maximum(np.abs(linear[:, :2]).max(axis=0), 1.0)
    terms = [
        u[:, 0] ** a * u[:, 1] ** (total - a)
        for total in range(2, degree + 1)
        for a in range(total + 1)
    ]
    if not terms:
        return np.zeros((len(linear), 0))
    slow = np.column_stack(terms)
    normal = np.linalg.pinv(linear.T @ linear, hermitian=True)
    rest: NDArray[np.float64] = slow - linear @ (normal @ (linear.T @ slow))
    return rest
