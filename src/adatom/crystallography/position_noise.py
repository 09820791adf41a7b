"""How well positions are known: as told, as fitted, or as their scatter shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import gammainc, gammaincinv

from adatom.errors import SettingError
from adatom.numerics.groups import means_by_group
from adatom.schema import Sites, space_unit
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.neighborhoods import AffineFits, Neighborhood

# Fewer residuals than this give a scatter that is itself uncertain by more than a fifth.
_FEW: Final = 20
# Of normal residuals one in a hundred is left out, with walls and defects.
_TAIL: Final = 0.99


def position_covariance(
    sites: Sites, around: Neighborhood, fits: AffineFits, /, *, told: Length | None = None
) -> tuple[NDArray[np.float64], str]:
    """Give the covariance (site, 2, 2) of the positions of sites, and how it was found.

    What the user tells is taken as it is. Errors of fitted positions know of
    the noise of pixels only; where neighbors scatter about their affine maps
    by more, as scan noise makes them, they are scaled up to it [1]_. Without
    either the scatter alone tells the noise.

    References
    ----------
    .. [1] R. T. Birge, Phys. Rev. 40, 207 (1932).
    """
    unit = space_unit(sites)
    if told is not None:
        return told_covariance(sites, told), f"position errors of {told} as told"
    stated = stated_covariance(sites)
    base = np.broadcast_to(np.eye(2), (sites.sizes["site"], 2, 2)) if stated is None else stated
    ratio = scatter_of_neighbors(around, fits, base)
    if ratio is None and stated is None:
        msg = (
            "the noise of positions cannot be found: fewer than "
            f"{_FEW} sites have neighbors all around, and the sites carry no y_error, x_error; "
            'give position_error, such as "0.02 d"'
        )
        raise SettingError(msg)
    if stated is None and ratio is not None:
        y, x = np.sqrt(ratio)
        text = f"position errors of y {y:.3g}, x {x:.3g} {unit} from the scatter of neighbors"
        return scaled_covariance(base, ratio), text
    if ratio is None:
        return base, "position errors as fitted"
    y, x = np.sqrt(np.maximum(ratio, 1.0))
    text = f"position errors as fitted, times y {y:.3g}, x {x:.3g} by the scatter of neighbors"
    return scaled_covariance(base, np.maximum(ratio, 1.0)), text


def told_covariance(sites: Sites, told: Length, /) -> NDArray[np.float64]:
    """Give the covariance (site, 2, 2) of an error that was told, alike along y and x."""
    error = length_from_setting(
        told, unit=space_unit(sites), spacing=sites.attrs.get("spacing"), name="position_error"
    )
    if error < 0:
        msg = f"position_error={told!r} must not be negative"
        raise SettingError(msg)
    spacing = sites.attrs.get("spacing")
    if spacing and error > spacing:
        msg = (
            f"position_error={told!r} is {error / spacing:.3g} distances between neighbors: it is "
            "the standard deviation of a position, mostly 0.01 to 0.1 d"
        )
        raise SettingError(msg)
    return np.broadcast_to(error**2 * np.eye(2), (sites.sizes["site"], 2, 2))


def scaled_covariance(
    covariance: NDArray[np.float64], ratio: NDArray[np.float64], /
) -> NDArray[np.float64]:
    """Multiply the variances along y and x by a ratio each, and leave their correlation."""
    factor = np.sqrt(ratio)
    scaled: NDArray[np.float64] = covariance * factor[:, None] * factor
    return scaled


def stated_covariance(sites: Sites, /) -> NDArray[np.float64] | None:
    """Give the covariance (site, 2, 2) that sites carry, if any; gaps get the median."""
    found: NDArray[np.float64]
    if {"y_error", "x_error"} <= set(sites.variables):
        errors = np.stack([sites[name].values for name in ("y_error", "x_error")], axis=1)
        found = errors.astype(np.float64)[:, :, None] ** 2 * np.eye(2)
    elif "covariance" in sites:
        found = sites["covariance"].values.astype(np.float64)
    else:
        return None
    variance = np.diagonal(found, axis1=1, axis2=2)
    good = np.isfinite(found).all(axis=(1, 2)) & np.all(variance > 0, axis=1)
    if not good.any():
        return None
    if not good.all():
        found = np.where(good[:, None, None], found, np.median(found[good], axis=0))
    return found


def scatter_of_neighbors(
    around: Neighborhood, fits: AffineFits, covariance: NDArray[np.float64], /
) -> NDArray[np.float64] | None:
    """Compare the scatter of neighbors with that of a covariance: ratio of variances, y and x.

    Neighbors beyond three, as the fourth of a square lattice, deviate from
    the best affine map by their noise. Where there are three, the center's
    place between them tells it. The median over sites keeps walls, defects
    and dislocations out. None where too few sites tell.

    Parameters
    ----------
    covariance : ndarray, shape (point, 2, 2)
        Of the points that are neighbors.
    """
    freedom = fits.freedom[fits.pattern]
    number = int(np.bincount(freedom).argmax()) if len(freedom) else 0
    if number == 0:
        return _scatter_of_centers(around, fits, covariance)
    use = np.flatnonzero(freedom == number)
    if len(use) < _FEW:
        return None
    residual = fits.residual[fits.pattern[use]]
    off = residual @ around.vector[use]
    share = np.diagonal(residual, axis1=1, axis2=2)
    variance = np.diagonal(covariance, axis1=1, axis2=2)[np.maximum(around.number[use], 0)]
    expected = (share[..., None] * variance).sum(axis=1) / number
    return robust_variance((off**2).sum(axis=1) / expected, number)


def _scatter_of_centers(
    around: Neighborhood, fits: AffineFits, covariance: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    n = around.number.shape[1]
    use = np.flatnonzero(around.filled.all(axis=1) & fits.known)
    if n < 2 or len(use) < _FEW or len(covariance) != len(around.star):
        return None
    center = around.vector[use].mean(axis=1)
    star = around.star[use]
    center -= means_by_group(center, star, n_groups=len(around.stars))[star]
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    expected = variance[use] + variance[around.number[use]].sum(axis=1) / n**2
    return robust_variance(center**2 / expected, 1)


def robust_variance(squares: NDArray[np.float64], freedom: int, /) -> NDArray[np.float64]:
    """Give the scale of columns of scaled chi squared numbers, whose tail may be of another kind.

    The median gives it first; the mean of what lies below the 99th percentile
    then has nearly the full efficiency, where the median has a third of it.
    """
    half = freedom / 2
    scale = np.median(squares, axis=0) / (2 * gammaincinv(half, 0.5))
    bound = 2 * gammaincinv(half, _TAIL)
    # Mean of chi squared below the bound.
    inner = freedom * gammainc(half + 1, bound / 2) / _TAIL
    below = squares <= bound * scale
    count = np.maximum(below.sum(axis=0), 1)
    found: NDArray[np.float64] = np.where(below, squares, 0.0).sum(axis=0) / count / inner
    return found
