"""The neighbors that sites carry, and the affine maps fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.sparse

from adatom.crystallography.checked import finite_positions
from adatom.errors import KindError, SettingError
from adatom.schema import Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

# An affine map in the plane is known from three points that are not on one line.
_LEAST_SLOTS: Final = 3
# Slots count as on one line where their spread across it is below a hundredth of that along it:
# its square is compared. Axial ratios of stars stay below four.
_LINE: Final = 1e-4
# Vectors in float32 differ by less than this share of their length from the differences of places.
_ROUNDING: Final = 1e-3


class Neighborhood(NamedTuple):
    """Neighbors of sites in the slots of stars, as arrays.

    Attributes
    ----------
    vector : ndarray, shape (site, neighbor, 2)
        Axis y, x; zero where a slot is empty.
    number : ndarray of int, shape (site, neighbor)
        Number of the neighbor, -1: none.
    star : ndarray of int, shape (site,)
        Reference star of each site.
    stars : ndarray, shape (star, neighbor, 2)
        Slots of the stars.
    n_unfitted : int
        Points left out as neighbors since their fit failed.
    """

    vector: NDArray[np.float64]
    number: NDArray[np.int64]
    star: NDArray[np.int64]
    stars: NDArray[np.float64]
    n_unfitted: int = 0

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Slots with a neighbor, (site, neighbor)."""
        filled: NDArray[np.bool_] = self.number >= 0
        return filled


def neighborhood(sites: Sites, others: Sites | None = None, /) -> Neighborhood:
    """Take the neighbors that sites carry, once they are known to be of these sites.

    A neighbor whose ``fit_ok`` is False is left out: its place is that of the
    finder, of unknown error, and at the edge of the frame, where columns are
    cut, beside the column.

    Raises
    ------
    KindError
        If there are none, or if they are of other sites than `others`
        (`sites` themselves if left out), or if a position is not finite.
    """
    lacking = [n for n in ("neighbor_vector", "neighbor_index", "star_index") if n not in sites]
    if lacking or "stars" not in sites.attrs:
        msg = (
            f"these sites carry no {', '.join(lacking) or 'attrs[stars]'}: "
            "run descriptors.neighbor_vectors first"
        )
        raise KindError(msg)
    vector = sites["neighbor_vector"].values.astype(np.float64)
    index = sites["neighbor_index"].values.astype(np.int64)
    index = np.where(np.isfinite(vector).all(axis=2), index, -1)
    star = sites["star_index"].values.astype(np.int64)
    stars = np.asarray(sites.attrs["stars"], dtype=np.float64)
    found = Neighborhood(np.nan_to_num(vector), index, star, stars)
    points = sites if others is None else others
    _check_places(found, finite_positions(sites), finite_positions(points))
    good = fitted(points)
    number = np.where(good[np.maximum(index, 0)], index, -1)
    vector = np.where(number[..., None] < 0, 0.0, found.vector)
    return found._replace(vector=vector, number=number, n_unfitted=int((~good).sum()))


def fitted(sites: Sites, /) -> NDArray[np.bool_]:
    """Tell which sites (site,) are where a fit put them; all where none was made."""
    if "fit_ok" not in sites:
        return np.ones(sites.sizes["site"], dtype=bool)
    return sites["fit_ok"].values.astype(bool)


def _check_places(
    found: Neighborhood, own: NDArray[np.float64], theirs: NDArray[np.float64]
) -> None:
    """Vectors that do not lead to their neighbors are of other sites, or of before a selection."""
    site, slot = np.nonzero(found.filled)
    number = found.number[site, slot]
    wrong = len(number) > 0 and int(number.max()) >= len(theirs)
    if len(number) and not wrong:
        off = theirs[number] - own[site] - found.vector[site, slot]
        reach = _ROUNDING * float(np.linalg.norm(found.stars, axis=2).max())
        # Positions in float32, far from the origin, are rounded as well.
        reach += 1e-6 * float(np.abs(theirs).max())
        wrong = bool((np.abs(off) > reach).any())
    if wrong:
        msg = (
            "neighbor_vector does not lead from these sites to their neighbors: the sites were "
            "selected or moved after descriptors.neighbor_vectors, or neighbors are among other "
            "sites; run it again on the sites given here"
        )
        raise KindError(msg)


def check_slots(around: Neighborhood, /) -> None:
    """Raise `SettingError` where sites have too few slots to span a plane."""
    n = around.number.shape[1]
    if n < _LEAST_SLOTS:
        msg = (
            f"sites have {n} slots for neighbors, a map of the plane needs {_LEAST_SLOTS} or more: "
            "leave n_neighbors of descriptors.neighbor_vectors out, or raise it"
        )
        raise SettingError(msg)


def unfitted_text(around: Neighborhood, /) -> str:
    """Say for a note how many neighbors were left out, if any."""
    if not around.n_unfitted:
        return ""
    return f"; {around.n_unfitted} sites whose fit failed are no neighbors"


class AffineFits(NamedTuple):
    """Least-squares maps from slots to neighbors, one for every pattern of filled slots.

    The map of a site is ``einsum("ka,kb->ab", vector, weight[pattern])``.

    Attributes
    ----------
    pattern : ndarray of int, shape (site,)
        The pattern of each site.
    weight : ndarray, shape (pattern, neighbor, 2)
        What a neighbor's place adds to the map; they sum to zero, so that the
        place of the site itself does not count. NaN where no map is known.
    residual : ndarray, shape (pattern, neighbor, neighbor)
        Projector on what no map explains.
    freedom : ndarray of int, shape (pattern,)
        Its rank: neighbors beyond three.
    """

    pattern: NDArray[np.int64]
    weight: NDArray[np.float64]
    residual: NDArray[np.float64]
    freedom: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Sites that have a map."""
        known: NDArray[np.bool_] = np.isfinite(self.weight[:, 0, 0])[self.pattern]
        return known


def fit_affine(around: Neighborhood, stars: NDArray[np.float64], /) -> AffineFits:
    """Prepare the maps that take `stars` to the neighbors, for every pattern of filled slots.

    A map and a shift are fitted together: v_k = A e_k + c. With the noise of
    neighbor vectors, Cov(v_k, v_l) = s^2 (1 + delta_kl) since they share their
    center, the best fit with a free shift is that of ordinary least squares,
    and the noise of the center drops out.
    """
    n = stars.shape[1]
    filled = around.filled
    # A site's star and filled slots as one number: there are few of them.
    code = around.star * 2**n + filled @ (2 ** np.arange(n, dtype=np.int64))
    unique, pattern = np.unique(code, return_inverse=True)
    mask = (unique[:, None] >> np.arange(n) & 1).astype(bool)
    slots = np.where(mask[..., None], stars[unique >> n], 0.0)
    count = mask.sum(axis=1)
    mean = slots.sum(axis=1) / np.maximum(count, 1)[:, None]
    centered = np.where(mask[..., None], slots - mean[:, None], 0.0)
    moment = np.einsum("pka,pkb->pab", centered, centered)
    spread = np.trace(moment, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        known = (count >= _LEAST_SLOTS) & (np.linalg.det(moment) > _LINE * spread**2)
    weight = np.full(centered.shape, np.nan)
    weight[known] = centered[known] @ np.linalg.inv(moment[known])
    residual = mask[:, :, None] * (
        np.eye(n) - mask[:, None, :] / np.maximum(count, 1)[:, None, None]
    )
    residual = residual - np.nan_to_num(weight) @ np.nan_to_num(centered).swapaxes(1, 2)
    freedom = np.where(known, count - _LEAST_SLOTS, 0)
    return AffineFits(pattern.reshape(-1), weight, residual, freedom)


def maps_of_neighbors(
    around: Neighborhood, fits: AffineFits, /
) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """Give the maps as linear functions of all positions, (site, site) for the slots' y and x.

    Column b of the map of site i is ``maps[b] @ positions``: whatever is made
    of maps, its noise follows from that of the positions, shared ones too.
    """
    site, slot = np.nonzero(around.filled & fits.known[:, None])
    weight = fits.weight[fits.pattern[site], slot]
    counts = np.bincount(site, minlength=len(around.star))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    shape = (len(around.star), len(around.star))
    number = around.number[site, slot].astype(np.int32)
    y, x = (
        scipy.sparse.csr_array((weight[:, axis].copy(), number, ends), shape=shape)
        for axis in (0, 1)
    )
    return y, x


def steps_between(around: Neighborhood, /) -> scipy.sparse.csr_array:
    """Give one where a step from a site to a neighbor, or back, or none leads, (site, site)."""
    n = len(around.star)
    site, slot = np.nonzero(around.filled)
    steps = scipy.sparse.csr_array(
        (np.ones(len(site)), (site.astype(np.int32), around.number[site, slot].astype(np.int32))),
        shape=(n, n),
    )
    return scipy.sparse.csr_array(((steps + steps.T + scipy.sparse.eye_array(n)) > 0).astype(float))


def sites_around(
    steps: scipy.sparse.csr_array, known: NDArray[np.bool_], n_shells: int, here: slice, /
) -> scipy.sparse.csr_array:
    """Give the weights of a mean over the known sites within `n_shells` steps, (here, site)."""
    reached = steps[here]
    for _ in range(n_shells - 1):
        reached = ((reached @ steps) > 0).astype(np.float64)
    keep = known.astype(np.float64)
    reached = scipy.sparse.csr_array(reached @ scipy.sparse.diags_array(keep))
    total = np.asarray(reached.sum(axis=1)).ravel()
    scale = np.divide(keep[here], total, out=np.zeros(len(total)), where=total > 0)
    return scipy.sparse.csr_array(scipy.sparse.diags_array(scale) @ reached)
