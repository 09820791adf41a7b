"""Bond-orientational order and coordination of every site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.position_noise import stated_covariance, told_covariance
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.intervals import NORMAL_95
from adatom.numerics.magnitudes import length_bias
from adatom.numerics.neighbors import PointTree, spatial_order
from adatom.numerics.stars import relative_neighbors
from adatom.schema import SITES, Sites, add_note, positions
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Two shells of a hexagonal lattice: what is farther has something between.
_CANDIDATES: Final = 12
# Pairs of candidates of so many sites fit into memory at once.
_BLOCK: Final = 20_000
# Variance of a phase that is spread over a whole turn, (2 pi)^2: it says nothing any more.
_MOST_SPREAD: Final = 39.5
_QUANTITIES: Final = {
    "bond_order": "1",
    "bond_order_angle": "deg",
    "bond_order_error": "1",
    "bond_order_angle_error": "deg",
    "bond_order_lower": "1",
    "bond_order_upper": "1",
}


class _Bonds(NamedTuple):
    """Vectors (site, candidate, 2) to candidates, their numbers, and which are bonds."""

    vector: NDArray[np.float64]
    number: NDArray[np.int64]
    bonded: NDArray[np.bool_]


def estimate_site_order(
    sites: Sites, /, *, n_fold: int = 6, position_error: Length | None = None
) -> Sites:
    """Estimate the bond-orientational order and the coordination of every site.

    The order psi is the mean of exp(i n angle) over the bonds of a site [1]_:
    of magnitude one where they stand as on a lattice of that symmetry. Noise
    of angles lowers it, by exp(-n^2 s^2 / 2) for each bond whose angle has the
    error s; where position errors are known, that is made up for.

    Two sites are bonded unless a third sees both under more than 75 deg, half
    way between the angles of hexagonal and square lattices; no length is
    needed.

    Parameters
    ----------
    sites : Sites
        Neighbors are sought within one frame only.
    n_fold : int
        Symmetry of the lattice: 6 for hexagonal, 4 for square, 3 for the sites
        of a honeycomb.
    position_error : length, optional
        Standard deviation of positions along one axis; by default that of
        ``y_error``, ``x_error`` or ``covariance``. Without any there are no
        errors, and order is not cleared of noise.

    Returns
    -------
    Sites
        With ``bond_order`` (magnitude of psi), ``bond_order_angle`` (its phase over
        n, in deg from +x towards +y, within 180 / n), ``bond_order_error``,
        ``bond_order_angle_error`` (standard deviations, NaN where not known),
        ``bond_order_lower`` and ``bond_order_upper``, the ends of the 95 %
        interval of the order, and ``coordination``: the number of bonds, -1, with
        order NaN, where a bond may lead out of the frame. Near one, which
        order cannot exceed, it is not normal: take the interval there, and
        ``bond_order_error`` as an upper bound. Of 10,000 simulated sites, sheared by
        up to 0.15, the interval holds the truth of 95 to 98 %; with noise
        of 0.05 spacings of 99 %, since bonds of hexagonal lattices are then hard to tell apart.

    Raises
    ------
    SettingError
        If `n_fold` is less than two.
    TooFewSitesError
        If there are fewer than four sites.

    References
    ----------
    .. [1] D. R. Nelson and B. I. Halperin, Phys. Rev. B 19, 2457 (1979), sec. II.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:5.0, :5.0])
    >>> found = estimate_site_order(sites_from_positions(y, x, unit="nm"), n_fold=4)
    >>> found["bond_order"].sel(site=12).item(), found["coordination"].sel(site=12).item()
    (1.0, 4)
    """
    SITES.check(sites, name="sites")
    if n_fold < 2:
        msg = f"{n_fold=} must be 2 or more: 6 for a hexagonal lattice, 4 for a square one"
        raise SettingError(msg)
    places = positions(sites)
    good = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(good) < 4:
        msg = f"{len(good)} sites have a position, order needs 4 or more"
        raise TooFewSitesError(msg)
    frame = sites.coords["frame"].values.astype(np.int64) if "frame" in sites.coords else None
    noise = stated_covariance(sites)
    if position_error is not None:
        noise = told_covariance(sites, position_error)
    order = good[spatial_order(places[good], frame[good] if frame is not None else None)]
    tree = PointTree(places[order], frame[order] if frame is not None else None)
    low, high = _box(sites, places[good])
    found = np.full((len(_QUANTITIES), len(places)), np.nan)
    count = np.full(len(places), -1, dtype=np.int64)
    for start in range(0, len(order), _BLOCK):
        here = order[start : start + _BLOCK]
        bonds = _bonds(tree, order, here)
        own = None if noise is None else noise[here]
        theirs = None if noise is None else noise[np.maximum(bonds.number, 0)]
        found[:, here] = _order(bonds, own, theirs, n_fold)
        longest = np.where(bonds.bonded, np.linalg.norm(bonds.vector, axis=2), 0.0).max(axis=1)
        room = np.minimum(places[here] - low, high - places[here]).min(axis=1)
        count[here] = np.where(room < longest, -1, bonds.bonded.sum(axis=1))
    found[:, count < 0] = np.nan
    return _described(sites, found, count, n_fold, known=noise is not None)


def _box(
    sites: Sites, places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    given = sites.attrs.get("extent")
    if given is None:
        return places.min(axis=0), places.max(axis=0)
    return np.array([given[0], given[2]]), np.array([given[1], given[3]])


def _bonds(tree: PointTree, order: NDArray[np.int64], here: NDArray[np.int64]) -> _Bonds:
    """Give the bonds of the sites `here` among the points of the tree, in their `order`."""
    back = np.empty(int(order.max()) + 1, dtype=np.int64)
    back[order] = np.arange(len(order))
    mine = back[here]
    points, frame = tree.points[mine], tree.frame[mine] if tree.frame is not None else None
    index = tree.nearest(points, frame, k=_CANDIDATES + 1)
    vector = tree.points[np.maximum(index, 0)] - points[:, None]
    vector[(index < 0) | (index == mine[:, None])] = np.nan
    bonded = relative_neighbors(vector)
    return _Bonds(
        np.where(bonded[..., None], vector, 0.0), np.where(bonded, order[index], -1), bonded
    )


def _order(
    bonds: _Bonds,
    own: NDArray[np.float64] | None,
    theirs: NDArray[np.float64] | None,
    n: int,
) -> NDArray[np.float64]:
    """Give order, its angle (deg), the errors of both, and the ends of its interval, (6, site)."""
    angle = np.arctan2(bonds.vector[..., 0], bonds.vector[..., 1])
    count = bonds.bonded.sum(axis=1)
    share = bonds.bonded / np.maximum(count, 1)[:, None]
    wave = np.exp(1j * n * angle)
    lacking = 1 - np.abs((share * wave).sum(axis=1))
    spread = None
    if own is not None and theirs is not None:
        spread = n**2 * _covariance_of_angles(bonds, own, theirs)
        # Angles that may be any, as of a site whose fit failed, are cleared of nothing.
        wide = np.diagonal(spread, axis1=1, axis2=2)
        wave = wave * np.exp(np.where(wide < _MOST_SPREAD, wide, np.nan) / 2)
    psi = (share * wave).sum(axis=1)
    size = np.abs(psi)
    result = np.full((len(_QUANTITIES), len(psi)), np.nan)
    result[0] = np.where(count > 0, size, np.nan)
    result[1] = np.where(count > 0, np.degrees(np.angle(psi)) / n, np.nan)
    if spread is not None:
        result[2], turned = _errors(share * wave, psi, spread, share)
        result[0] = size - length_bias(size, turned)
        result[4:] = _interval(result[0], lacking, result[2] ** 2, spread, share)
        with np.errstate(divide="ignore", invalid="ignore"):
            result[3] = np.degrees(turned / size) / n
        # An angle that may be any of those within 360 / n.
        result[3] = np.minimum(result[3], 360 / n / np.sqrt(12))
        result[:, count == 0] = np.nan
    return result


def _covariance_of_angles(
    bonds: _Bonds, own: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the covariance (site, bond, bond) of the angles of bonds, which share their site."""
    square = (bonds.vector**2).sum(axis=2)
    across = np.stack([bonds.vector[..., 1], -bonds.vector[..., 0]], axis=2)
    turn = across / np.where(square > 0, square, 1.0)[..., None]
    found: NDArray[np.float64] = turn @ own @ turn.swapaxes(1, 2)
    each = ((turn[..., None, :] @ theirs)[..., 0, :] * turn).sum(axis=2)
    diagonal = np.arange(each.shape[1])
    found[:, diagonal, diagonal] += each
    return found


def _errors(
    part: NDArray[np.complex128],
    psi: NDArray[np.complex128],
    spread: NDArray[np.float64],
    share: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the errors of psi along and across itself, for the covariance of the bonds' phases.

    The slopes of both by the phases are the parts of the bonds across and
    along psi. Along psi they vanish where order is perfect; what is left there
    is of second order, the variance of sum (x_k^2 - <x_k^2>) / 2.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        turned = part * np.where(np.abs(psi) > 0, psi.conj() / np.abs(psi), 1.0)[:, None]

    along = _seen(turned.imag, spread) + _seen(share, spread**2) / 2
    return np.sqrt(along), np.sqrt(_seen(turned.real, spread))


def _interval(
    order: NDArray[np.float64],
    lacking: NDArray[np.float64],
    variance: NDArray[np.float64],
    spread: NDArray[np.float64],
    share: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the 95 % interval of order, whose variance depends on what it lacks to one.

    Of bonds that deviate by little the lack d is half their mean square, so
    that its variance is a d + c: a from what the bonds lack as they are
    seen, c what noise makes where nothing is lacking. The interval holds all d
    with (d_seen - d)^2 < 1.96^2 (a d + c).
    """
    least = _seen(share, spread**2) / 2
    usual = 2 * np.diagonal(spread * share[:, :, None] * share[:, None], axis1=1, axis2=2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(lacking > 1e-9, (variance - least) / lacking, usual)
    seen = 1 - order
    middle = seen + NORMAL_95**2 * slope / 2
    half = np.sqrt(np.maximum(middle**2 - seen**2 + NORMAL_95**2 * least, 0.0))
    return np.clip(1 - middle - half, 0.0, 1.0), np.clip(1 - middle + half, 0.0, 1.0)


def _seen(slope: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the variance (site,) of a sum over bonds with these slopes."""
    variance: NDArray[np.float64] = ((by @ slope[..., None])[..., 0] * slope).sum(axis=1)
    return variance


def _described(
    sites: Sites,
    found: NDArray[np.float64],
    count: NDArray[np.int64],
    n_fold: int,
    *,
    known: bool,
) -> Sites:
    out = sites.copy()
    dtype = np.result_type(sites.coords["y"].dtype, np.float32)
    for (name, unit), numbers in zip(_QUANTITIES.items(), found, strict=True):
        out[name] = ("site", numbers.astype(dtype), {"units": unit})
    out["coordination"] = ("site", count)
    usual = np.nanmean(found[0]) if np.isfinite(found[0]).any() else np.nan
    how = "cleared of noise" if known else "not cleared of noise: position errors are not known"
    add_note(
        out,
        f"{n_fold}-fold order, {usual:.3f} in the mean, {how}; {int((count < 0).sum())} sites of "
        "the edge are left out",
    )
    return out
