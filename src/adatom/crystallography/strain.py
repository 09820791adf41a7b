"""Strain and rotation of the lattice around every site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.crystallography.affine_maps import affine_maps, errors_of
from adatom.crystallography.neighborhoods import fit_affine, neighborhood, unfitted_text
from adatom.crystallography.position_noise import position_covariance
from adatom.crystallography.references import reference_stars
from adatom.errors import SettingError
from adatom.schema import SITES, Classes, Mask, Sites, add_note, positions
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.affine_maps import AffineMaps

_QUANTITIES: Final = {
    "strain_yy": "1",
    "strain_xx": "1",
    "strain_xy": "1",
    "rotation": "deg",
    "dilatation": "1",
}


def estimate_strain(
    sites: Sites,
    classes: Classes | None = None,
    regions: Mask | None = None,
    /,
    *,
    label: int = 0,
    lattice: list[list[float]] | None = None,
    n_shells: int = 0,
    position_error: Length | None = None,
) -> Sites:
    """Estimate the strain and the rotation of the lattice around every site.

    The affine map A that takes the slots of the reference to the neighbors of
    a site is fitted by least squares together with a shift of the site itself,
    so that a column displaced against its surroundings strains nothing. A = R U
    parts it into a rotation and a stretch; strain is U - 1.

    The slow scan of a microscope drifts, and its coils distort: both change
    all distances alike and cannot be told from a strain of the whole crystal.
    Strain is therefore relative to the mean lattice of the image, or of the
    part that is told.

    Parameters
    ----------
    sites : Sites
        With the neighbors that `descriptors.neighbor_vectors` adds. Neighbors
        whose ``fit_ok`` is False do not count.
    classes : Classes, optional
        Of the sites: those of the class `label` are the reference, as those of
        a substrate.
    regions : Mask, optional
        Sites within it are the reference; within both if both are given.
    label : int
        The class of the reference.
    lattice : two vectors [y, x], optional
        Vectors of the unstrained lattice in the unit of the sites, in whole
        numbers of which the slots are counted. Drift and a wrong scale then
        count as strain.
    n_shells : int
        Average over the sites up to so many steps from neighbor to neighbor.
        Noise falls quickly, with the square of the width, since neighbors
        share positions, but steps get that wide. By default each site stands
        for itself.
    position_error : length, optional
        Standard deviation of positions along one axis. By default
        ``y_error``, ``x_error`` or ``covariance`` of the sites, scaled up where
        neighbors scatter by more, or the scatter of neighbors alone; told in a
        note.

    Returns
    -------
    Sites
        With ``strain_yy``, ``strain_xx``, ``strain_xy``, ``dilatation`` (change
        of area), ``rotation`` (deg, from +x towards +y), and the standard
        deviation ``_error`` of each. NaN where fewer than three slots are
        filled, or all on one line. Errors take the noise of positions as
        independent: line jitter, which moves all columns of a line together,
        adds to those along x.

    Raises
    ------
    KindError
        If the sites carry no neighbors, or `classes` are of others.
    SettingError
        If no site is of the reference, or slots do not fit `lattice`.

    References
    ----------
    .. [1] M. J. Hytch, E. Snoeck, R. Kilaas, Ultramicroscopy 74, 131 (1998), eqs. 43-47, for
       small strains.
    .. [2] P. L. Galindo et al., Ultramicroscopy 107, 1186 (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:12.0, :12.0])
    >>> film = sites_from_positions(y, np.where(x > 5, 1.02 * x - 0.1, x), unit="nm")
    >>> inside = neighbor_vectors(film, n_neighbors=4)
    >>> strained = estimate_strain(inside, lattice=[[1.0, 0.0], [0.0, 1.0]])
    >>> round(strained["strain_xx"].sel(site=80).item(), 6)
    0.02
    """
    SITES.check(sites, name="sites")
    if n_shells < 0:
        msg = f"{n_shells=} must be 0 or more: 0 for every site by itself"
        raise SettingError(msg)
    around = neighborhood(sites)
    stars, reference = reference_stars(
        sites, around, classes, regions, label=label, lattice=lattice
    )
    fits = fit_affine(around, stars)
    noise, how = position_covariance(sites, around, fits, told=position_error)
    maps = affine_maps(positions(sites), around, fits, noise, n_shells=n_shells)
    values, errors = _parted(maps)
    out = sites.copy()
    dtype = np.result_type(sites["neighbor_vector"].dtype, np.float32)
    for k, (name, unit) in enumerate(_QUANTITIES.items()):
        scale = 180 / np.pi if unit == "deg" else 1.0
        for key, numbers in ((name, values), (f"{name}_error", errors)):
            out[key] = ("site", (scale * numbers[:, k]).astype(dtype), {"units": unit})
    typical = np.nanmedian(errors, axis=0) if fits.known.any() else np.full(5, np.nan)
    over = "" if not n_shells else f", averaged over {n_shells} shells of neighbors"
    add_note(
        out,
        f"strain relative to {reference}{over}; {how}; typical errors of strain yy "
        f"{typical[0]:.2g}, xx {typical[1]:.2g}, xy {typical[2]:.2g}, of rotation "
        f"{np.degrees(typical[3]):.2g} deg; {int((~fits.known).sum())} sites have too few "
        f"neighbors{unfitted_text(around)}",
    )
    return out


def _parted(maps: AffineMaps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Part maps into strain yy, xx, xy, rotation (rad) and dilatation, (site, 5), with errors.

    The rotation by t takes (y, x) to (y cos t + x sin t, x cos t - y sin t).
    """
    yy, yx, xy, xx = maps.matrix.reshape(-1, 4).T
    turned, kept = yx - xy, yy + xx
    square = turned**2 + kept**2
    angle = np.arctan2(turned, kept)
    c, s = np.cos(angle), np.sin(angle)
    u_yy, u_xx, u_xy = c * yy - s * xy, s * yx + c * xx, s * yy + c * xy
    values = np.stack([u_yy - 1, u_xx - 1, u_xy, angle, yy * xx - yx * xy - 1], axis=1)
    # Derivatives by yy, yx, xy, xx; those of the stretch hold what the rotation takes along.
    by_map = np.stack([-turned, kept, -kept, -turned], axis=1) / square[:, None]
    o = np.zeros_like(c)
    slope = np.stack(
        [
            np.stack([c, o, -s, o], axis=1) - by_map * u_xy[:, None],
            np.stack([o, s, o, c], axis=1) + by_map * u_xy[:, None],
            np.stack([s, o, c, o], axis=1) + by_map * u_yy[:, None],
            by_map,
            np.stack([xx, -xy, -yx, yy], axis=1),
        ],
        axis=1,
    )
    return values, errors_of(maps, slope)
