"""Refinement of all sites of an image by one batched fit of Gaussians."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.gaussian_fit import GaussianFit, fit_gaussians
from adatom.schema import IMAGE, MASK, SITES, Image, Mask, Sites, pixel_size, positions, space_unit
from adatom.units import Length, length_from_setting


def refine_sites(
    image: Image,
    sites: Sites,
    regions: Mask | None = None,
    /,
    *,
    window: Length | None = None,
    max_shift: Length = "0.5 d",
    contrast: Literal["auto", "bright", "dark"] = "auto",
) -> Sites:
    """Refine positions by fitting a Gaussian to every site, all sites at once.

    The image is modelled as the sum of one round Gaussian a site and of a
    background that bends on the scale of three sites. All parameters are
    fitted together by damped Gauss-Newton steps [1]_, so that overlapping
    neighbors neither pull at one another nor spoil the stated errors.
    Pixels are weighted by the noise found in the image: its variance may
    grow with the signal, as that of counted electrons does.

    Parameters
    ----------
    image : Image
        Loaded into memory if it is lazy.
    sites : Sites
        Start positions, best within a quarter of the distance to the next
        site; ``attrs["spacing"]`` is measured if it is missing.
    regions : Mask, optional
        True where to fit; pixels outside are not used.
    window : length, optional
        Side of the square around each site whose pixels are fitted; by
        default 7 fitted widths, at whose rim a Gaussian has vanished.
    max_shift : length
        A site that wants to go farther from its start has run away: half
        the distance to the next site, beyond which it would be that one.
    contrast : {"auto", "bright", "dark"}
        Whether sites stand out brighter or darker than their
        surroundings; by default what most of them do.

    Returns
    -------
    Sites
        The same sites in the same order with refined ``y`` and ``x`` and
        with ``amplitude``, ``background``, ``width``, ``covariance`` of the
        position, ``volume_error`` (relative, of amplitude times width squared),
        ``fit_quality`` and ``fit_ok``. Where ``fit_ok`` is False the position is
        that given and the fitted numbers are NaN.

    Raises
    ------
    KindError
        If image, sites and regions do not belong together.
    SettingError
        If the window is smaller than 5 pixels or `max_shift` not positive.
    TooFewSitesError
        If a single site is given whose spacing is not known.

    Notes
    -----
    The covariance is that of the joint fit, scaled by the reduced chi squared
    of the site's own window: what the model does not describe widens it.
    ``fit_quality`` is that chi squared against the noise of the whole image,
    as found from the residuals, so that 1 is usual. Widths are held near
    their common median by a prior of 25 % or their own spread, whichever is
    larger; it matters only where the image says little about the width.

    A fit has failed if it wants to go farther than `max_shift` or out of the image, if its height
    is less than three standard errors or the width three times another than
    that of the others, if the image does not tell the position to within
    `max_shift`, or if it had not settled when the others had.

    References
    ----------
    .. [1] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> y, x = np.mgrid[:32, :32]
    >>> blob = np.exp(-((y - 15.3) ** 2 + (x - 16.4) ** 2) / (2 * 2.0**2))
    >>> sites = sites_from_positions([15.0], [17.0], unit="px", spacing=10.0)
    >>> refined = refine_sites(image_from_array(blob), sites)
    >>> refined.y.values.round(3), refined.x.values.round(3)
    (array([15.3]), array([16.4]))
    """
    refined, _ = refine_singly(
        image, sites, regions, window=window, max_shift=max_shift, contrast=contrast
    )
    return refined


def refine_singly(
    image: Image,
    sites: Sites,
    regions: Mask | None = None,
    /,
    *,
    window: Length | None = None,
    max_shift: Length = "0.5 d",
    contrast: str = "auto",
    apart: float | None = None,
) -> tuple[Sites, NDArray[np.intp]]:
    """Refine sites as `refine_sites`; give which of them do not lie on a brighter one.

    Of those that come nearer to a brighter one than `apart`, in the unit of
    the sites, nothing is fitted, and what is left are the others.
    """
    IMAGE.check(image, name="image")
    SITES.check(sites, name="sites")
    _check_belonging(image, sites, regions)
    if contrast not in {"auto", "bright", "dark"}:
        msg = f"{contrast=} is not known: use 'auto', 'bright' or 'dark'"
        raise SettingError(msg)
    spacing = _spacing(sites)
    steps = pixel_size(image)
    unit = float(np.sqrt(steps[0] * steps[1]))
    side, reach = _lengths(image, window, max_shift, spacing=spacing, unit=unit)
    origin = np.array([float(image.coords[dim].values[0]) for dim in ("y", "x")])
    values = np.asarray(image.values)
    fit = fit_gaussians(
        values,
        _usable_pixels(values, regions),
        (positions(sites) - origin) / unit,
        step=(steps[0] / unit, steps[1] / unit),
        spacing=spacing / unit,
        side=side,
        max_shift=reach,
        sign={"auto": None, "bright": 1, "dark": -1}[contrast],
        apart=None if apart is None else apart / unit,
    )
    refined = _refined(sites, fit, unit=unit, origin=origin, spacing=spacing)
    kept = np.flatnonzero(fit.single)
    return refined if apart is None else refined.isel(site=kept), kept


def _lengths(
    image: Image, window: Length | None, max_shift: Length, *, spacing: float, unit: float
) -> tuple[float | None, float]:
    """Give window and largest shift in mean pixels."""
    in_space = space_unit(image)

    def pixels(setting: Length, name: str) -> float:
        length = length_from_setting(
            setting, unit=in_space, pixel_size=unit, spacing=spacing, name=name
        )
        return length / unit

    reach = pixels(max_shift, "max_shift")
    if not reach > 0:
        msg = f"{max_shift=} must be positive: a site has to be allowed to move"
        raise SettingError(msg)
    side = None if window is None else pixels(window, "window")
    if side is not None and side < 5:
        msg = f"{window=} is {side:.3g} pixels wide, 5 or more are needed for 5 parameters"
        raise SettingError(msg)
    return side, reach


def _check_belonging(image: Image, sites: Sites, regions: Mask | None) -> None:
    if space_unit(image) != space_unit(sites):
        msg = (
            f"the image is in {space_unit(image)}, the sites are in {space_unit(sites)}: "
            "find the sites in this image, or read it with the pixel_size that they were found with"
        )
        raise KindError(msg)
    if regions is None:
        return
    MASK.check(regions, name="regions")
    if regions.shape != image.shape:
        msg = f"regions of shape {regions.shape} do not cover an image of shape {image.shape}"
        raise KindError(msg)


def _spacing(sites: Sites) -> float:
    if "spacing" in sites.attrs:
        return float(sites.attrs["spacing"])
    if sites.sizes["site"] < 2:
        msg = (
            "a single site has no distance to the next one: set attrs['spacing'], which says "
            "how much of the image belongs to a site"
        )
        raise TooFewSitesError(msg)
    points = positions(sites)
    distance, _ = cKDTree(points).query(points, k=2)
    return float(np.median(distance[:, 1]))


def _usable_pixels(values: NDArray[np.generic], regions: Mask | None) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.isfinite(values)
    return finite if regions is None else finite & np.asarray(regions.values)


def _refined(
    sites: Sites, fit: GaussianFit, *, unit: float, origin: NDArray[np.float64], spacing: float
) -> Sites:
    """Put the fit, in the units of the sites, on a copy of the sites."""
    refined = sites.copy()
    refined.attrs = dict(sites.attrs)
    refined.attrs.setdefault("spacing", spacing)
    in_space = space_unit(sites)
    ok = fit.ok
    for axis, name in enumerate(("y", "x")):
        given = sites.coords[name]
        place = np.where(ok, fit.position[:, axis] * unit + origin[axis], given.values)
        refined.coords[name] = ("site", place, dict(given.attrs))
    columns = {
        "amplitude": (fit.amplitude, {}),
        "background": (fit.background, {}),
        "width": (fit.width * unit, {"units": in_space}),
        "volume_error": (fit.volume_error, {"units": "1"}),
        "fit_quality": (fit.quality, {"units": "1"}),
    }
    for name, (values, attrs) in columns.items():
        refined[name] = ("site", np.where(ok, values, np.nan), attrs)
    refined["covariance"] = (
        ("site", "axis", "axis_other"),
        np.where(ok[:, None, None], fit.covariance * unit**2, np.nan),
        {"units": f"{in_space}^2"},
    )
    refined["fit_ok"] = ("site", ok)
    return refined
