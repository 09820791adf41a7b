"""Neighbor vectors of all grains and sublattices, laid on one symmetric star."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from adatom.errors import KindError, SettingError
from adatom.numerics.point_groups import (
    POINT_GROUPS,
    SymmetricStar,
    mirror,
    rotation,
    symmetric_star,
)
from adatom.schema import positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.schema import Sites

# Medians of so many sites are exact to a hundredth of their noise.
_SAMPLE: Final = 4_000
# A star laid on the reference leaves strain of some per cent and the noise of its own; the star
# of another surrounding leaves a third of a bond and more.
_LARGEST_MISFIT: Final = 0.2


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the sites of one grain with one star are laid on the reference star."""

    matrix: NDArray[np.float64]
    slot: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AlignedVectors:
    """Vectors of all sites in the order and orientation of one star.

    Attributes
    ----------
    deviation : ndarray, shape (site, neighbor, 2)
        From the symmetric star, in units of the spacing; NaN: no neighbor.
    neighbor : ndarray of int, shape (site, neighbor)
        Numbers of the neighbors in the same order; -1: none.
    crystal : ndarray of int, shape (site,)
        Grain of a frame, whose drift is its own; -1: not indexed.
    group : ndarray of int, shape (site,)
        Sublattice of a grain of a frame, whose cells form one grid; -1: none.
    member : ndarray of int, shape (site,)
        Which of the alignments was taken; -1: none fits.
    alignments : tuple of Alignment
        For each grain and star that occur together.
    star : SymmetricStar
        The reference, in units of the spacing.
    spacing : float
        Unit of length, in the unit of the sites.
    itself : bool
        Neighbors are sites of the same set.
    """

    deviation: NDArray[np.float64]
    neighbor: NDArray[np.int64]
    crystal: NDArray[np.int64]
    group: NDArray[np.int64]
    member: NDArray[np.int64]
    alignments: tuple[Alignment, ...]
    star: SymmetricStar
    spacing: float
    itself: bool


def aligned_vectors(
    sites: Sites, point_group: str | None, /, *, star: SymmetricStar | None = None
) -> AlignedVectors:
    """Lay the vectors of all sites on one star, the most frequent one if none is given.

    Grains are turned by the least angle. Sublattices of one grain are taken
    as they stand or, where their stars are opposite as in a honeycomb,
    through an inversion, which leaves strain as it is.
    """
    _check(sites)
    vector = sites["neighbor_vector"].transpose("site", "neighbor", "axis").values
    stars = np.asarray(sites.attrs["stars"], dtype=float)
    spacing = float(np.linalg.norm(stars[0], axis=1).min())
    star = star or _reference(stars[0] / spacing, point_group)
    if star.slots.shape[0] != vector.shape[1]:
        msg = (
            f"sites have {vector.shape[1]} neighbors each, the model was made for "
            f"{star.slots.shape[0]}: call neighbor_vectors with that n_neighbors"
        )
        raise KindError(msg)
    crystal, group = crystals_of(sites)
    star_of_site = sites["star_index"].values.astype(np.int64)
    alignments, member = _alignments(vector / spacing, crystal, star_of_site, star)
    deviation = np.full(vector.shape, np.nan)
    neighbor = np.full(vector.shape[:2], -1, dtype=np.int64)
    given = sites["neighbor_index"].transpose("site", "neighbor").values
    measured = _measured(sites, given)
    for number, alignment in enumerate(alignments):
        here = np.flatnonzero(member == number)
        turned = vector[here].astype(float) @ alignment.matrix.T / spacing
        neighbor[here[:, None], alignment.slot] = given[here]
        deviation[here[:, None], alignment.slot] = np.where(
            measured[here][..., None], turned, np.nan
        )
    deviation -= star.slots
    return AlignedVectors(
        deviation, neighbor, crystal, group, member, alignments, star, spacing, _itself(sites)
    )


def _measured(sites: Sites, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which vectors (site, neighbor) lead from a fitted place to a fitted place.

    Where the fit failed the place is that of the finder: of columns that the
    frame cuts, at its very edge and not where they are.
    """
    measured = index >= 0
    if "neighbor_fit_ok" in sites:
        measured = measured & sites["neighbor_fit_ok"].transpose("site", "neighbor").values
    if "fit_ok" in sites:
        measured = measured & sites["fit_ok"].values.astype(bool)[:, None]
    return measured


def _check(sites: Sites) -> None:
    lacking = [n for n in ("neighbor_vector", "neighbor_index", "star_index") if n not in sites]
    if lacking or "stars" not in sites.attrs:
        msg = f"sites lack {', '.join(lacking) or 'attrs stars'}: run descriptors.neighbor_vectors"
        raise KindError(msg)
    lacking = [n for n in ("lattice_index", "sublattice", "grain") if n not in sites]
    if lacking:
        msg = (
            f"sites lack {', '.join(lacking)}: run crystallography.assign_lattice_indices on sites "
            "with neighbor_vectors among themselves; its numbers stay when neighbor_vectors is "
            "then called with others"
        )
        raise KindError(msg)


def _reference(star: NDArray[np.float64], point_group: str | None) -> SymmetricStar:
    if point_group is not None and point_group not in POINT_GROUPS:
        msg = f"{point_group=} is none of {', '.join(POINT_GROUPS)}"
        raise SettingError(msg)
    found = symmetric_star(star, point_group)
    if found is None:
        highest = symmetric_star(star)
        known = highest.group if highest else "C1"
        msg = (
            f"the star of the sites has not the symmetry {point_group=}, but {known}: "
            "leave point_group out, or give a subgroup of that"
        )
        raise SettingError(msg)
    return found


def crystals_of(sites: Sites, /) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give numbers to grains of frames, and to sublattices within; -1: not indexed."""
    grain = sites["grain"].values.astype(np.int64)
    sublattice = sites["sublattice"].values.astype(np.int64)
    frame = sites.coords["frame"].values if "frame" in sites.coords else np.zeros(len(grain))
    known = (grain >= 0) & (sublattice >= 0)
    crystal = np.full(len(grain), -1, dtype=np.int64)
    group = crystal.copy()
    if known.any():
        rank = np.unique(frame[known], return_inverse=True)[1]
        of_grain = rank * (int(grain.max()) + 1) + grain[known]
        crystal[known] = np.unique(of_grain, return_inverse=True)[1]
        of_group = crystal[known] * (int(sublattice.max()) + 1) + sublattice[known]
        group[known] = np.unique(of_group, return_inverse=True)[1]
    return crystal, group


def _itself(sites: Sites) -> bool:
    """Tell whether neighbors are numbered among the sites themselves."""
    index = sites["neighbor_index"].transpose("site", "neighbor").values
    first = np.flatnonzero(index[:, 0] >= 0)[:1000]
    to = index[first, 0]
    if len(first) == 0 or to.max() >= len(index):
        return False
    place = positions(sites)
    vector = sites["neighbor_vector"].transpose("site", "neighbor", "axis").values[first, 0]
    # Sites seen against others may have no spacing of their own.
    length = float(np.linalg.norm(sites.attrs["stars"], axis=2).min())
    return bool(np.allclose(place[to] - place[first], vector, atol=1e-3 * length))


def _alignments(
    vector: NDArray[np.floating],
    crystal: NDArray[np.int64],
    star_of_site: NDArray[np.int64],
    star: SymmetricStar,
) -> tuple[tuple[Alignment, ...], NDArray[np.int64]]:
    member = np.full(len(vector), -1, dtype=np.int64)
    found: list[Alignment] = []
    for number in np.unique(crystal[crystal >= 0]):
        here = crystal == number
        counts = np.bincount(star_of_site[here & (star_of_site >= 0)])
        main: NDArray[np.float64] | None = None
        for k in np.argsort(-counts, kind="stable"):
            rows = np.flatnonzero(here & (star_of_site == k))
            if not len(rows):
                continue
            shape = _median_star(vector[rows])
            if shape is None:
                continue
            alignment = _aligned(shape, star.slots, main)
            if alignment is None:
                continue
            main = alignment.matrix if main is None else main
            member[rows] = len(found)
            found.append(alignment)
    return tuple(found), member


def _median_star(vector: NDArray[np.floating]) -> NDArray[np.float64] | None:
    sample = vector[:: -(-len(vector) // _SAMPLE)].astype(float)
    if not np.isfinite(sample).any(axis=0).all():
        return None
    shape: NDArray[np.float64] = np.nanmedian(sample, axis=0)
    return shape


def _aligned(
    shape: NDArray[np.float64], star: NDArray[np.float64], main: NDArray[np.float64] | None
) -> Alignment | None:
    """Find how a star is laid on another, next to how the main star of its grain is."""
    base = np.eye(2) if main is None else main
    # A displaced center, as of a polar phase, says nothing of directions.
    centered, goal = shape - shape.mean(axis=0), star - star.mean(axis=0)
    if main is not None:
        for matrix in (base, -base):
            slot = _match(centered @ matrix.T, goal)
            if slot is not None:
                return Alignment(matrix, slot)
    tried = [_turn_onto(centered, goal, k) for k in range(len(star))]
    fitting = [each for each in tried if each is not None]
    if fitting:
        return min(fitting, key=lambda each: abs(_angle(each.matrix @ base.T)))
    for k in range(len(star)):
        flipped = _turn_onto(centered @ mirror(0.0).T, goal, k)
        if flipped is not None:
            return Alignment(flipped.matrix @ mirror(0.0), flipped.slot)
    return None


def _turn_onto(shape: NDArray[np.float64], goal: NDArray[np.float64], k: int) -> Alignment | None:
    """Turn the first slot onto slot k of the goal, then all slots as well as may be."""
    turn = rotation(_angle_of(goal[k]) - _angle_of(shape[0]))
    for _ in range(2):
        slot = _match(shape @ turn.T, goal, loose=True)
        if slot is None:
            return None
        turned = shape @ turn.T
        cross = (turned[:, 1] * goal[slot, 0] - turned[:, 0] * goal[slot, 1]).sum()
        turn = rotation(float(np.arctan2(cross, (turned * goal[slot]).sum()))) @ turn
    slot = _match(shape @ turn.T, goal)
    return None if slot is None else Alignment(turn, slot)


def _match(
    shape: NDArray[np.float64], goal: NDArray[np.float64], *, loose: bool = False
) -> NDArray[np.int64] | None:
    cost = np.linalg.norm(shape[:, None] - goal[None], axis=2)
    slot = np.asarray(linear_sum_assignment(cost**2)[1], dtype=np.int64)
    worst = float(cost[np.arange(len(slot)), slot].max())
    return slot if worst <= (2 if loose else 1) * _LARGEST_MISFIT else None


def _angle_of(vector: NDArray[np.float64]) -> float:
    return float(np.arctan2(vector[0], vector[1]))


def _angle(matrix: NDArray[np.float64]) -> float:
    return float(np.arctan2(matrix[0, 1], matrix[0, 0]))
