"""Displacement of columns against the cage of their neighbors, and its polarization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy.sparse

from adatom.crystallography.neighborhoods import fit_affine, fitted, neighborhood
from adatom.crystallography.position_noise import (
    robust_variance,
    scaled_covariance,
    scatter_of_neighbors,
    stated_covariance,
    told_covariance,
)
from adatom.errors import SettingError, UnitError
from adatom.numerics.magnitudes import magnitudes
from adatom.numerics.neighbors import PointTree
from adatom.schema import SITES, Sites, add_note, positions, space_unit
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.neighborhoods import Neighborhood

# One elementary charge displaced by 1 nm in each 1 nm^3, in uC/cm^2.
_CHARGE: Final = 16.02176634
# Corners are opposite where their slots cancel to this share of their length.
_OPPOSITE: Final = 0.15
_FEW: Final = 20
# Of the way to the next cage: two polar columns may be displaced by 0.15 of it each.
_REACH: Final = 0.35


def estimate_polarization(
    sites: Sites,
    cage: Sites,
    /,
    *,
    born_charge: float | None = None,
    cell_volume: float | None = None,
    position_error: Length | None = None,
) -> Sites:
    """Estimate how far columns stand from the centers of their cages [1]_.

    The center is the mean of the corners, as of four columns of the A
    sublattice around one of B; of a cage that lacks corners the mean over
    pairs of opposite corners that are both there, since the others would pull
    it aside.

    Parameters
    ----------
    sites : Sites
        Columns inside of cages, with neighbors among `cage`:
        ``neighbor_vectors(sites, cage)``.
    cage : Sites
        The columns that make the cages.
    born_charge : float, optional
        Effective charge, in elementary charges, that moves with a column
        against its cage [2]_. Columns that the image does not show, as of oxygen,
        move as well: take a charge that stands for the whole cell.
    cell_volume : float, optional
        Volume of the cell in nm^3 that holds one such charge.
    position_error : length, optional
        Standard deviation of positions along one axis, of both. By default
        the errors that sites carry, scaled up to the scatter of cages and of
        neighboring displacements, or these alone; told in a note.

    Returns
    -------
    Sites
        With ``displacement_y``, ``displacement_x`` and
        ``displacement_magnitude`` in the unit of the sites, cleared of what
        noise adds to a magnitude, with its 95 % interval ``_lower``, ``_upper``;
        ``displacement_angle`` (deg, from +x towards +y); the standard deviation
        ``_error`` of each. Errors of angles of displacements within their noise
        end at 104 deg: any angle. With a charge also ``polarization_y``,
        ``polarization_x``, ``polarization_magnitude`` (uC/cm^2) and their errors.
        NaN where no two opposite corners are there, or the fit failed.

    Raises
    ------
    KindError
        If the neighbors of `sites` are not among `cage`.
    SettingError
        If only one of charge and volume is given.
    UnitError
        If a polarization is asked of sites without a scale.

    References
    ----------
    .. [1] C.-L. Jia et al., Nat. Mater. 7, 57 (2008).
    .. [2] R. Resta, Rev. Mod. Phys. 66, 899 (1994), on effective charges.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (0.4 * axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> a = sites_from_positions(y, x, unit="nm")
    >>> b = sites_from_positions(y + 0.2, x + 0.215, unit="nm")
    >>> caged = neighbor_vectors(b, a, n_neighbors=4)
    >>> found = estimate_polarization(caged, a, position_error="0.002 nm")
    >>> round(found["displacement_x"].sel(site=27).item(), 3)
    0.015
    """
    SITES.check(sites, name="sites")
    SITES.check(cage, name="cage")
    if space_unit(cage) != space_unit(sites):
        msg = (
            f"sites are in {space_unit(sites)}, cage in {space_unit(cage)}: bring them to one unit"
        )
        raise UnitError(msg)
    _check_charge(sites, born_charge, cell_volume)
    around = neighborhood(sites, cage)
    share, known = _shares_of_corners(around)
    known &= fitted(sites)
    moved = np.where(known[:, None], -(share[..., None] * around.vector).sum(axis=1), np.nan)
    weights = _as_matrix(around, share, cage.sizes["site"])
    own, theirs, how = _noise(sites, cage, around, moved, weights, position_error)
    corners = (weights.multiply(weights).tocsr() @ theirs.reshape(-1, 4)).reshape(-1, 2, 2)
    covariance = np.where(known[:, None, None], own + corners, np.nan)
    out = _described(sites, moved, covariance)
    usual = np.nanmean(moved, axis=0) if known.any() else np.full(2, np.nan)
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    typical = np.nanmedian(error, axis=0) if known.any() else usual
    unit = space_unit(sites)
    add_note(
        out,
        f"displacements against cages of {around.number.shape[1]} corners; {how}; typical errors "
        f"y {typical[0]:.2g}, x {typical[1]:.2g} {unit}; mean displacement y {usual[0]:.2g}, "
        f"x {usual[1]:.2g} {unit}; {int((~known).sum())} sites without opposite corners or "
        "a fit",
    )
    if born_charge is not None and cell_volume is not None:
        _add_polarization(out, born_charge, cell_volume)
    return out


def _check_charge(sites: Sites, charge: float | None, volume: float | None) -> None:
    if (charge is None) != (volume is None):
        msg = (
            f"born_charge={charge}, cell_volume={volume}: a polarization needs both, "
            "the charge in elementary charges and the volume in nm^3"
        )
        raise SettingError(msg)
    if charge is None:
        return
    if not np.isfinite(charge):
        msg = f"born_charge={charge} must be a number of elementary charges"
        raise SettingError(msg)
    if volume is not None and not 0 < volume < np.inf:
        msg = f"cell_volume={volume} must be greater than zero, in nm^3"
        raise SettingError(msg)
    if space_unit(sites) != "nm":
        msg = f"a polarization needs positions in nm, found {space_unit(sites)}: give the scale"
        raise UnitError(msg)


def _shares_of_corners(
    around: Neighborhood,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the share (site, neighbor) of every corner in the center, and who has a center."""
    filled = around.filled
    complete = np.all(filled, axis=1)
    # Slots of displaced columns are seen from beside the center of their cage.
    corners = around.stars - around.stars.mean(axis=1, keepdims=True)
    length = np.linalg.norm(corners, axis=2)
    off = np.linalg.norm(corners[:, :, None] + corners[:, None], axis=3)
    opposite = off.argmin(axis=2)
    paired = off.min(axis=2) < _OPPOSITE * length
    partner = opposite[around.star]
    there = filled & np.take_along_axis(filled, partner, axis=1) & paired[around.star]
    used = np.where(complete.reshape(-1, 1), filled, there)
    count = used.sum(axis=1)
    share = used / np.maximum(count, 1)[:, None]
    return share, count >= 2


def _as_matrix(
    around: Neighborhood, share: NDArray[np.float64], n_cage: int
) -> scipy.sparse.csr_array:
    site, slot = np.nonzero(share)
    entries = (share[site, slot], (site, around.number[site, slot]))
    return scipy.sparse.csr_array(entries, shape=(len(share), n_cage))


def _noise(
    sites: Sites,
    cage: Sites,
    around: Neighborhood,
    moved: NDArray[np.float64],
    weights: scipy.sparse.csr_array,
    told: Length | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Give the covariances (point, 2, 2) of sites and of corners, and how they were found."""
    if told is not None:
        return (
            told_covariance(sites, told),
            told_covariance(cage, told),
            f"errors of {told} as told",
        )
    fits = fit_affine(around, around.stars)
    stated = stated_covariance(sites), stated_covariance(cage)
    base = [
        np.broadcast_to(np.eye(2), (part.sizes["site"], 2, 2)) if given is None else given
        for part, given in zip((sites, cage), stated)
    ]
    pairs = _pairs(sites, around, moved)
    of_cage = scatter_of_neighbors(around, fits, base[1])
    of_own = _scatter_of_pairs(pairs, moved, weights, base, of_cage)
    ratios = [of_own, of_cage if of_cage is not None else of_own]
    covariances = []
    for given, ratio, covariance in zip(stated, ratios, base):
        if ratio is None:
            if given is None:
                msg = (
                    f"the noise of positions cannot be found from fewer than {_FEW} cages, and "
                    'the sites carry no y_error, x_error; give position_error, such as "0.02 d"'
                )
                raise SettingError(msg)
            covariances.append(covariance)
            continue
        scale = ratio if given is None else np.maximum(ratio, 1.0)
        covariances.append(scaled_covariance(covariance, scale))
    typical = [np.sqrt(np.median(np.diagonal(c, axis1=1, axis2=2), axis=0)) for c in covariances]
    unit = space_unit(sites)
    text = "; ".join(
        f"position errors of {name} y {error[0]:.2g}, x {error[1]:.2g} {unit} "
        f"{'by scatter' if given is None else 'as fitted, or by scatter if larger'}"
        for name, error, given in zip(("sites", "corners"), typical, stated)
    )
    return covariances[0], covariances[1], text


def _pairs(sites: Sites, around: Neighborhood, moved: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pair displaced sites with those of the next cage in one direction, (pair, 2).

    The nearest ones would be no fair choice: they are near since they are
    displaced towards one another.
    """
    known = np.flatnonzero(np.isfinite(moved[:, 0]))
    if len(known) < 2 or around.stars.shape[1] < 2:
        return np.zeros((0, 2), dtype=np.int64)
    places = positions(sites)[known]
    frame = sites.coords["frame"].values[known] if "frame" in sites.coords else None
    onward = (around.stars[:, 0] - around.stars[:, 1])[around.star[known]]
    reach = _REACH * float(np.linalg.norm(onward, axis=1).max())
    tree = PointTree(places, frame)
    other = tree.nearest(places + onward, frame, max_distance=reach)[:, 0]
    found = (other >= 0) & (other != np.arange(len(known)))
    return np.stack([known[found], known[other[found]]], axis=1)


def _scatter_of_pairs(
    pairs: NDArray[np.int64],
    moved: NDArray[np.float64],
    weights: scipy.sparse.csr_array,
    base: list[NDArray[np.float64]],
    of_cage: NDArray[np.float64] | None,
) -> NDArray[np.float64] | None:
    """Compare the noise of sites with that of a covariance: ratio of variances, y and x.

    Neighbors are displaced alike but for noise and walls; the noise of the
    corners that they do not share is taken off, or scaled along with that of
    the sites if it is not known.
    """
    if len(pairs) < _FEW:
        return None
    one, other = pairs.T
    off = (moved[one] - moved[other]) ** 2
    apart = weights[one] - weights[other]
    squared = apart.multiply(apart).tocsr()
    corners = squared @ np.diagonal(base[1], axis1=1, axis2=2)
    both = np.diagonal(base[0][one] + base[0][other], axis1=1, axis2=2)
    if of_cage is None:
        return robust_variance(off / (both + corners), 1)
    rest = robust_variance(off, 1) - of_cage * np.median(corners, axis=0)
    ratio: NDArray[np.float64] = np.maximum(rest, 0.0) / np.median(both, axis=0)
    return ratio


class _Column(NamedTuple):
    name: str
    values: NDArray[np.float64]
    units: str


def _described(sites: Sites, moved: NDArray[np.float64], covariance: NDArray[np.float64]) -> Sites:
    unit = space_unit(sites)
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    size = magnitudes(moved, covariance)
    columns = [
        _Column("displacement_y", moved[:, 0], unit),
        _Column("displacement_y_error", error[:, 0], unit),
        _Column("displacement_x", moved[:, 1], unit),
        _Column("displacement_x_error", error[:, 1], unit),
        _Column("displacement_magnitude", size.length, unit),
        _Column("displacement_magnitude_error", size.error, unit),
        _Column("displacement_magnitude_lower", size.lower, unit),
        _Column("displacement_magnitude_upper", size.upper, unit),
        _Column("displacement_angle", size.angle, "deg"),
        _Column("displacement_angle_error", size.angle_error, "deg"),
    ]
    out = sites.copy()
    dtype = np.result_type(sites["neighbor_vector"].dtype, np.float32)
    for column in columns:
        out[column.name] = ("site", column.values.astype(dtype), {"units": column.units})
    return out


def _add_polarization(sites: Sites, charge: float, volume: float) -> None:
    factor = _CHARGE * charge / volume
    for axis in ("y", "x", "magnitude"):
        # A magnitude has no sign, its error neither.
        scale = abs(factor) if axis == "magnitude" else factor
        for end, by in (("", scale), ("_error", abs(factor))):
            given = sites[f"displacement_{axis}{end}"]
            sites[f"polarization_{axis}{end}"] = (
                "site",
                (by * given.values).astype(given.dtype),
                {"units": "uC/cm^2"},
            )
    add_note(
        sites,
        f"polarization of {factor:.4g} uC/cm^2 a nm: {charge:g} elementary charges in "
        f"{volume:g} nm^3, as told",
    )
