"""Lengths of bonds and angles between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.crystallography.neighborhoods import fit_affine, fitted, neighborhood, unfitted_text
from adatom.crystallography.position_noise import position_covariance
from adatom.schema import SITES, Sites, add_note, space_unit
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def estimate_bonds(sites: Sites, /, *, position_error: Length | None = None) -> Sites:
    """Estimate the lengths of bonds and the angles between them.

    Noise across a bond makes it look longer, by s^2 / length for position
    errors s: that much is taken off.

    Parameters
    ----------
    sites : Sites
        With the neighbors that `descriptors.neighbor_vectors` adds.
    position_error : length, optional
        Standard deviation of positions along one axis, found as in
        `estimate_strain` if left out.

    Returns
    -------
    Sites
        With ``bond_length`` (site, neighbor) in the unit of the sites,
        ``bond_angle`` (site, neighbor) in deg between a bond and that of the
        next slot, the first following the last, and the standard deviation
        ``_error`` of each. NaN where a slot is empty, or the fit of an end failed.

    Raises
    ------
    KindError
        If the sites carry no neighbors.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> film = neighbor_vectors(sites_from_positions(0.4 * y, 0.39 * x, unit="nm"))
    >>> estimate_bonds(film)["bond_length"].sel(site=27).values.round(3)
    array([0.39, 0.4 , 0.39, 0.4 ])
    """
    SITES.check(sites, name="sites")
    around = neighborhood(sites)
    noise, how = position_covariance(
        sites, around, fit_affine(around, around.stars), told=position_error
    )
    filled = around.filled & fitted(sites)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        vector = np.where(filled[..., None], around.vector, np.nan)
        length = np.linalg.norm(vector, axis=2)
        along = vector / length[..., None]
    across = np.stack([along[..., 1], -along[..., 0]], axis=2)
    theirs = noise[np.maximum(around.number, 0)]
    both = theirs + noise[:, None]
    variance = _seen(along, both, along)
    bias = _seen(across, both, across) / (2 * length)
    angle, angle_error = _angles(vector, across / length[..., None], noise, theirs)
    unit = space_unit(sites)
    dtype = np.result_type(sites["neighbor_vector"].dtype, np.float32)
    out = sites.copy()
    for name, numbers, its_unit in (
        ("bond_length", length - bias, unit),
        ("bond_length_error", np.sqrt(variance), unit),
        ("bond_angle", angle, "deg"),
        ("bond_angle_error", angle_error, "deg"),
    ):
        out[name] = (("site", "neighbor"), numbers.astype(dtype), {"units": its_unit})
    share = float(np.nanmedian(bias)) if filled.any() else 0.0
    add_note(
        out,
        f"bonds less {share:.2g} {unit}, by which noise lengthens them; {how}"
        f"{unfitted_text(around)}",
    )
    return out


def _seen(
    one: NDArray[np.float64], covariance: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the covariance (site, neighbor) of what two directions see of positions."""
    seen: NDArray[np.float64] = ((one[..., None, :] @ covariance)[..., 0, :] * other).sum(axis=-1)
    return seen


def _angles(
    vector: NDArray[np.float64],
    turn: NDArray[np.float64],
    own: NDArray[np.float64],
    theirs: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the angle (deg) from each bond to the next, with its error.

    `turn` (site, neighbor, 2) is by how much a bond's angle changes with the
    place of its neighbor; the site itself moves both bonds.
    """
    following = np.roll(vector, -1, axis=1)
    cross = vector[..., 1] * following[..., 0] - vector[..., 0] * following[..., 1]
    angle = np.degrees(np.arctan2(cross, (vector * following).sum(axis=2))) % 360
    next_turn = np.roll(turn, -1, axis=1)
    center = next_turn - turn
    variance = (
        _seen(turn, theirs, turn)
        + _seen(next_turn, np.roll(theirs, -1, axis=1), next_turn)
        + _seen(center, own[:, None], center)
    )
    if vector.shape[1] < 2:
        angle, variance = np.full_like(angle, np.nan), np.full_like(variance, np.nan)
    return angle, np.degrees(np.sqrt(variance))
