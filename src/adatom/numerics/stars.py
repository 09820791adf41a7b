"""Reference stars: the vectors to neighbors that many sites have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_CANDIDATES: Final = 16
"""Candidates a site: three shells of a hexagonal or honeycomb lattice, so that the star of a
rectangular lattice is complete up to an axial ratio of about four."""

# Half way between the angle of a hexagonal lattice (60 deg), all of whose bonds count, and that of
# square and rectangular ones (90 deg), whose diagonals do not.
SHADOW_ANGLE: Final = 75.0
"""In deg: points that a third sees under more are not bonded."""
# A neighbor farther from its slot than this share of the slot's length is not it (methods 1.2).
_CAPTURE: Final = 0.6
# Turned by 14 deg, or one bond in four wrong: such a site needs a star of its own. Noise of 10 %
# of the spacing takes 3 in 10,000 sites of a square lattice there.
_MISFIT: Final = 0.25
# 72 turns of 5 deg sample every symmetry; 2,000 sites give the shares to 0.01.
_N_TURNS: Final = 72
_CONTRAST_SAMPLE: Final = 2_000
# One common vector is no lattice: random points have that too.
_LEAST_BONDS: Final = 2
# A bond of one sublattice among three, vacancies allowed for, is seen by a fifth of their sites;
# a mode of one star by half of its own.
_FIFTH: Final = 0.2
_HALF: Final = 0.5
# A bond that fewer sites have, vacancies and noise allowed for, is of some sublattices only.
_NEARLY_ALL: Final = 0.8
_MOST_SHARED: Final = 3
# Sites that lack a part of a known star must be a quarter of all to make another, not a hundredth.
_TIMES_A_PART: Final = 25.0
# Candidates of a site inside leave no wider angle free, in deg; at an edge it is about 180.
_WIDEST_GAP: Final = 120.0
_CENTERINGS: Final = 5
# In units of the nearest distance: position noise of 10 % scatters vectors by 0.14 along each axis.
_BIN: Final = 0.1
_SMOOTHING: Final = 0.12
_MODE_RADIUS: Final = 0.4
_CLEAR_RADIUS: Final = 0.5
# First direction of a star, in deg from +x towards +y. Lattices are often aligned with the scan,
# so the cut must not lie on a multiple of 15 deg.
_FIRST_DIRECTION: Final = -7.0


class Star(NamedTuple):
    """A star before its slots are counted.

    Attributes
    ----------
    bonds : ndarray, shape (bond, 2)
        Vectors to the neighbors in the sense of `relative_neighbors`.
    further : ndarray, shape (mode, 2)
        Further common vectors, by length.
    n_sites : int
        Sites that called for it.
    modes : ndarray, shape (bond, 2)
        The bonds before they were moved to the middle of these sites; what
        random points have in common fits them as loosely as it fits chance.
    """

    bonds: NDArray[np.float64]
    further: NDArray[np.float64]
    n_sites: int
    modes: NDArray[np.float64]

    @property
    def n_modes(self) -> int:
        """Bonds and further modes together."""
        return len(self.bonds) + len(self.further)


@dataclass(frozen=True)
class StarSearch:
    """What was found by `find_stars`.

    Attributes
    ----------
    stars : ndarray, shape (star, neighbor, 2)
        Slots of every star, axis y, x, by angle; stars of more sites first.
    further : tuple of ndarray, each of shape (mode, 2)
        For every star the common vectors that are no slots of it.
    n_bonds : int
        Neighbors of most sites, in the sense of `relative_neighbors`.
    share : float
        Of the sample's inner sites, those that fit one of the stars.
    contrast : float
        How many times more sites fit the first star than fit it turned by any
        angle; about 2 and more in a single crystal, 1 where no direction is
        preferred, or where the stars of grains fill all directions.
    sharpness : float
        Share, of the sites that fit, of those that fit half as closely as
        well: nearly all in crystals, half where stars are turned at random.
    """

    stars: NDArray[np.float64]
    further: tuple[NDArray[np.float64], ...]
    n_bonds: int
    share: float
    contrast: float
    sharpness: float


def capture_radii(star: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the distance (..., neighbor) from each slot within which a neighbor fills it.

    It is 0.6 of the slot's length, and never more than half the distance
    between two slots. Discs of two slots therefore do not overlap: the best
    assignment of neighbors to slots with the cost r^2 for an empty slot is the
    nearest neighbor in each disc, and no neighbor can fill two.

    Examples
    --------
    >>> capture_radii(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]))
    array([0.6, 0.6, 0.6, 0.6])
    """
    length = np.linalg.norm(star, axis=-1)
    apart = np.linalg.norm(star[..., :, None, :] - star[..., None, :, :], axis=-1)
    n = star.shape[-2]
    apart[..., np.arange(n), np.arange(n)] = np.inf
    smallest = apart.min(axis=(-2, -1), initial=np.inf)
    radii: NDArray[np.float64] = np.minimum(_CAPTURE * length, 0.5 * smallest[..., None])
    return radii


def relative_neighbors(vectors: NDArray[np.float64], /) -> NDArray[np.bool_]:
    """Tell which of the vectors (..., vector, 2) from a site are its bonds.

    A vector is no bond where another site sees its two ends under more than 75
    deg: a beta skeleton [1]_ between the Gabriel graph (90 deg) and the angle of
    a hexagonal lattice (60 deg). It needs no scale and gives 3 for honeycomb, 4
    for square, for rectangular up to an axial ratio of 3.7, and for oblique
    above 75 deg, 6 for hexagonal and for oblique below. NaN is none.

    References
    ----------
    .. [1] D. G. Kirkpatrick and J. D. Radke, in Computational Geometry (North-Holland,
       1985), p. 217.

    Examples
    --------
    >>> relative_neighbors(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    array([ True,  True, False])
    """
    length = np.linalg.norm(vectors, axis=-1)
    # [e, f]: what site f sees, back to the origin and on to the end of vector e.
    onward = vectors[..., :, None, :] - vectors[..., None, :, :]
    inner = -(onward * vectors[..., None, :, :]).sum(axis=-1)
    cosine = np.cos(np.radians(SHADOW_ANGLE))
    between = inner < cosine * np.linalg.norm(onward, axis=-1) * length[..., None, :]
    bonds: NDArray[np.bool_] = ~between.any(axis=-1) & np.isfinite(length)
    return bonds


def find_stars(vectors: NDArray[np.float64], /, *, n_neighbors: int | None = None) -> StarSearch:
    """Find the stars that the sites of a sample have in common.

    The densest vector among the nearest ones is a slot of some star; of the
    sites that have it, the modes of all their vectors are that star, also
    where sublattices or grains hold others: half of the sites of a honeycomb
    do not have it. Sites that fit are put aside, and the search goes on with
    the others while a hundredth of all sites fit a new star.

    Parameters
    ----------
    vectors : ndarray, shape (site, candidate, 2)
        From each site to its nearest candidates, by distance, NaN where there
        are fewer.
    n_neighbors : int, optional
        Slots of every star; the number of bonds of most sites if left out.

    Returns
    -------
    StarSearch
        Without stars where the sites have no vectors in common.
    """
    found, share = _pursue(vectors)
    if not found:
        return StarSearch(np.zeros((0, n_neighbors or 0, 2)), (), 0, 0.0, 0.0, 0.0)
    counts = np.bincount(
        [len(star.bonds) for star in found], weights=[star.n_sites for star in found]
    )
    n_bonds = int(counts.argmax())
    wanted = n_neighbors or n_bonds
    parted = [_parted(star, wanted) for star in found if star.n_modes >= wanted]
    if not parted:
        return StarSearch(np.zeros((0, wanted, 2)), (), n_bonds, 0.0, 0.0, 0.0)
    stars, n_sites = _settled(vectors, np.stack([slots for slots, _ in parted]))
    own = _own_stars(vectors, stars, [further for _, further in parted])
    if not own.all():
        parted = [each for each, kept in zip(parted, own, strict=True) if kept]
        stars, n_sites = _settled(vectors, stars[own])
    stars, order = _in_order(stars, n_sites)
    further = tuple(parted[s][1] for s in order)
    return StarSearch(
        stars,
        further,
        n_bonds,
        share,
        _contrast(vectors, found[0].modes),
        _sharpness(vectors, found),
    )


def squared_distance(
    vectors: NDArray[np.float64], place: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Give the squared distance of vectors (..., 2) to a place (2) or to places (..., 2)."""
    # Twice as fast as a sum over an axis of two.
    squared: NDArray[np.float64] = (vectors[..., 0] - place[..., 0]) ** 2
    squared += (vectors[..., 1] - place[..., 1]) ** 2
    return squared


def match_slots(
    vectors: NDArray[np.float64], star: NDArray[np.float64], /
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the deviations (site, neighbor, 2) from a star, NaN: empty, and the cost (site).

    The cost is the mean over slots of the squared deviation in units of the
    capture radius, 1 for an empty slot.
    """
    radius = capture_radii(star)
    deviation = np.full((len(vectors), len(star), 2), np.nan)
    cost = np.zeros(len(vectors))
    rows = np.arange(len(vectors))
    for k, slot in enumerate(star):
        squared = squared_distance(vectors, slot)
        squared[np.isnan(squared)] = np.inf
        best = squared.argmin(axis=1)
        least = squared[rows, best]
        filled = least < radius[k] ** 2
        deviation[filled, k] = vectors[rows, best][filled] - slot
        cost += np.where(filled, least / radius[k] ** 2, 1.0)
    return deviation, cost / len(star)


def _pursue(vectors: NDArray[np.float64]) -> tuple[list[Star], float]:
    inner = _surrounded(vectors)
    n_sites = int(inner.sum())
    # One hundredth, and never so few that chance makes them; small sets are taken as they are.
    needed = max(min(10, n_sites / 4), n_sites / 100, 1)
    fitting = np.zeros(len(vectors), dtype=bool)
    found: list[Star] = []
    # Sites that share a vector by chance may hide a star from the first search.
    while more := _pursue_once(vectors, inner & ~fitting, needed, found):
        found += more
        for star in more:
            fitting |= _fits(vectors, star.bonds)
    return found, float(fitting[inner].mean()) if n_sites else 0.0


def _pursue_once(
    vectors: NDArray[np.float64], left: NDArray[np.bool_], needed: float, known: list[Star]
) -> list[Star]:
    """Search for stars beyond those known, asking every site that is left once."""
    found: list[Star] = []
    while left.sum() >= needed:
        first = _densest(vectors[left, 0])
        length = float(np.linalg.norm(first))
        having = left & _have(vectors, first, length)
        if not having.any():
            # Vectors all around, as of a gas, are densest where there are none: about zero.
            break
        star, fits = _star_of_modes(_common_modes(vectors[having], length), vectors, left)
        least = needed * max((_least(star, other) for other in [*known, *found]), default=1)
        if star.n_sites >= least:
            found.append(star)
            # Of another grain some have that vector as well: they are asked again.
            left &= ~fits
        else:
            left &= ~having
    return found


def _least(star: Star, known: Star) -> float:
    """Give by how much more sites must call for a star that is like a known one."""
    if _fits(star.bonds[None], known.bonds)[0]:
        return np.inf
    # All its bonds are places of the known lattice: an edge or a row of vacancies leaves such
    # sites, and only where they are many is it a sublattice with fewer bonds.
    modes = np.concatenate([known.bonds, known.further])
    reach = _MISFIT * float(np.linalg.norm(known.bonds, axis=1).min())
    nearest = squared_distance(star.bonds[:, None], modes[None]).min(axis=1)
    return _TIMES_A_PART if (nearest < reach**2).all() else 1.0


def _own_stars(
    vectors: NDArray[np.float64],
    stars: NDArray[np.float64],
    further: Sequence[NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Tell which stars are not those of sites that fill all slots of another as well.

    A few sites at a boundary lack a bond there; filled up from the next
    shell, whose radius of capture is larger, their star would take sites of
    the other.
    """
    own = np.ones(len(stars), dtype=bool)
    if len(stars) == 1:
        return own
    matched = [match_slots(vectors, star) for star in stars]
    best = np.argmin([cost for _, cost in matched], axis=0)
    whole = [np.isfinite(deviation).all(axis=(1, 2)) for deviation, _ in matched]
    for s, star in enumerate(stars):
        mine = (best == s) & whole[s]
        for other, slots in enumerate(stars):
            longer = np.linalg.norm(star, axis=1).sum() > np.linalg.norm(slots, axis=1).sum()
            if other == s or not longer or not own[other]:
                continue
            modes = np.concatenate([slots, further[other]])
            reach = _MISFIT * float(np.linalg.norm(slots, axis=1).min())
            nearest = squared_distance(star[:, None], modes[None]).min(axis=1)
            shared = whole[other][mine]
            if (nearest < reach**2).all() and 2 * shared.sum() > len(shared) > 0:
                own[s] = False
    return own


def _star_of_modes(
    modes: NDArray[np.float64], vectors: NDArray[np.float64], left: NDArray[np.bool_]
) -> tuple[Star, NDArray[np.bool_]]:
    bonded = relative_neighbors(modes)
    bonds = modes[bonded]
    if len(bonds) < _LEAST_BONDS:
        return Star(bonds, modes[~bonded], 0, bonds), np.zeros(len(vectors), dtype=bool)
    centered = _centered(bonds, vectors[left])
    fits = left.copy()
    fits[left] = _fits(vectors[left], centered)
    return Star(centered, modes[~bonded], int(fits.sum()), bonds), fits


def _centered(bonds: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move bonds to the middle of the sites that fit them.

    Modes of two grains lie between those of each where these are turned by 25
    deg and less; their star would fit a part of either.
    """
    for _ in range(_CENTERINGS):
        mine = _fits(vectors, bonds)
        deviation = match_slots(vectors[mine], bonds)[0]
        if not np.isfinite(deviation).any(axis=0).all():
            break
        bonds = bonds + np.nanmedian(deviation, axis=0)
    return bonds


def _fits(
    vectors: NDArray[np.float64], star: NDArray[np.float64], misfit: float = _MISFIT
) -> NDArray[np.bool_]:
    """Tell which sites fill more than half of the slots, and nearly with the star's own shape.

    The shape is compared with the center of both laid together: a site that
    is displaced as a whole, as in a polar phase, is of the same star.
    """
    deviation, _ = match_slots(vectors, star)
    filled = np.isfinite(deviation[..., 0])
    n_filled = filled.sum(axis=1)
    n_or_one = np.maximum(n_filled, 1)
    held = np.where(filled[..., None], deviation, 0.0)
    spread = (held**2).sum(axis=(1, 2)) / n_or_one
    shift = ((held.sum(axis=1) / n_or_one[:, None]) ** 2).sum(axis=1)
    allowed = (misfit * np.linalg.norm(star, axis=1).mean()) ** 2
    fits: NDArray[np.bool_] = (2 * n_filled > len(star)) & (spread - shift <= allowed)
    return fits


def _sharpness(vectors: NDArray[np.float64], found: list[Star]) -> float:
    sample = vectors[:: -(-len(vectors) // _CONTRAST_SAMPLE)]
    loose, close = (
        np.any([_fits(sample, star.modes, misfit) for star in found], axis=0)
        for misfit in (_MISFIT, _MISFIT / 2)
    )
    return float(close.sum() / max(loose.sum(), 1))


def _contrast(vectors: NDArray[np.float64], star: NDArray[np.float64]) -> float:
    sample = vectors[:: -(-len(vectors) // _CONTRAST_SAMPLE)]
    turned = []
    for angle in np.arange(_N_TURNS) * (2 * np.pi / _N_TURNS):
        sine, cosine = np.sin(angle), np.cos(angle)
        turned.append(_fits(sample, star @ np.array([[cosine, -sine], [sine, cosine]])).mean())
    return float(turned[0] / max(np.mean(turned), 1e-9))


def _densest(pool: NDArray[np.float64], scale: float | None = None) -> NDArray[np.float64]:
    """Find where vectors (vector, 2) lie densest, as the mean of those around."""
    scale = scale or float(np.median(np.linalg.norm(pool, axis=1)))
    reach = min(float(np.abs(pool).max()), 8 * scale) + _BIN * scale
    n_bins = max(1, int(np.ceil(2 * reach / (_BIN * scale))))
    edges = np.linspace(-reach, reach, n_bins + 1)
    counts, _, _ = np.histogram2d(pool[:, 0], pool[:, 1], bins=(edges, edges))
    smooth = gaussian_filter(counts, _SMOOTHING / _BIN, mode="constant")
    top = np.unravel_index(int(smooth.argmax()), smooth.shape)
    middle = (edges[1:] + edges[:-1]) / 2
    place = np.array([middle[top[0]], middle[top[1]]])
    for _ in range(20):
        near = squared_distance(pool, place) < (_MODE_RADIUS * scale) ** 2
        moved = pool[near].mean(axis=0) if near.any() else place
        if np.array_equal(moved, place):
            break
        place = moved
    return place


def _have(
    vectors: NDArray[np.float64], place: NDArray[np.float64], scale: float
) -> NDArray[np.bool_]:
    """Tell which sites have a vector near a place."""
    near = squared_distance(vectors, place) < (_MODE_RADIUS * scale) ** 2
    have: NDArray[np.bool_] = np.any(near, axis=1)
    return have


def _common_modes(vectors: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Find the modes of sites, of one sublattice where there are several among them.

    In a kagome lattice two of three sublattices share a bond; sites that have
    one of the bonds that only some of them have are of one sublattice.
    """
    modes, share = _modes(vectors, scale)
    for _ in range(_MOST_SHARED):
        some = np.flatnonzero(relative_neighbors(modes) & (share < _NEARLY_ALL))
        if not len(some):
            break
        vectors = vectors[_have(vectors, modes[some[share[some].argmax()]], scale)]
        modes, share = _modes(vectors, scale)
    return modes[share >= _HALF]


def _modes(
    vectors: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the vectors that many sites have, by length, and the share that has them."""
    pool = vectors.reshape(-1, 2)
    pool = pool[np.isfinite(pool[:, 0])]
    needed = _FIFTH * len(vectors)
    modes: list[tuple[float, float, float]] = []
    for _ in range(2 * vectors.shape[1]):
        if len(pool) < max(needed, 1):
            break
        place = _densest(pool, scale)
        squared = squared_distance(pool, place)
        reach = (_MODE_RADIUS * scale) ** 2
        count = np.count_nonzero(squared < reach)
        clear = (_CLEAR_RADIUS * scale) ** 2
        # What is left at the rim of a mode may lead back into it; what is about zero is no bond.
        new = all(squared_distance(place, np.array(mode[:2])) >= clear for mode in modes)
        if count >= needed and new and (place**2).sum() > reach:
            modes.append((place[0], place[1], count / len(vectors)))
        # A mode too thin is cleared as well, or it would be found again.
        near = squared < clear
        if not near.any():
            break
        pool = pool[~near]
    found = np.array(modes).reshape(-1, 3)
    found = found[np.argsort(np.linalg.norm(found[:, :2], axis=1), kind="stable")]
    return found[:, :2], found[:, 2]


def _surrounded(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which sites have candidates all around; all that have any if none has.

    The sites of an edge have like neighbors too, and would make a star of
    their own that lacks what is beyond the edge.
    """
    any_candidate = np.isfinite(vectors[:, 0, 0])
    angle = np.sort(np.arctan2(vectors[..., 0], vectors[..., 1]), axis=1)
    last = np.nanmax(angle, axis=1, initial=-np.inf)
    gap = np.nanmax(np.diff(angle, axis=1), axis=1, initial=0.0)
    gap = np.maximum(gap, angle[:, 0] + 2 * np.pi - last)
    inner: NDArray[np.bool_] = any_candidate & (gap < np.radians(_WIDEST_GAP))
    return inner if inner.any() else any_candidate


def _parted(star: Star, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Part the modes into `n` slots, bonds first and shorter ones first, and the rest."""
    modes = np.concatenate([star.bonds, star.further])
    return modes[:n], modes[n:]


def _settled(
    vectors: NDArray[np.float64], stars: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move every slot to the mean of the vectors that fill it, each site at its best star."""
    for _ in range(10):
        matched = [match_slots(vectors, star) for star in stars]
        best = np.argmin([cost for _, cost in matched], axis=0)
        moved = stars.copy()
        for s, (deviation, _) in enumerate(matched):
            mine = deviation[best == s]
            filled = np.isfinite(mine[..., 0])
            total = np.where(filled[..., None], mine, 0.0).sum(axis=0)
            moved[s] += total / np.maximum(filled.sum(axis=0), 1)[:, None]
        shift = np.abs(moved - stars).max()
        stars = moved
        if shift <= 1e-9 * np.abs(stars).max():
            break
    return stars, np.bincount(best, minlength=len(stars))


def _in_order(
    stars: NDArray[np.float64], n_sites: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Order slots by angle and stars by the number of their sites, then by their first angle."""
    angle = np.degrees(np.arctan2(stars[..., 0], stars[..., 1]))
    angle = (angle - _FIRST_DIRECTION) % 360
    by_angle = np.argsort(angle, axis=1, kind="stable")
    stars = np.take_along_axis(stars, by_angle[..., None], axis=1)
    first = np.take_along_axis(angle, by_angle, axis=1)[:, 0]
    order = np.lexsort((first, -n_sites))
    return stars[order], order
