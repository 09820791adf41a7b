"""Images without the tails of the probe, in which bright columns do not pull dim ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, TooFewSitesError
from adatom.numerics.probe_tails import Columns, Tails, find_tails, image_of_tails
from adatom.schema import (
    IMAGE,
    MASK,
    SITES,
    Image,
    Mask,
    Sites,
    add_note,
    pixel_size,
    positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of eleven widths the best gains by chance; pixels of windows that overlap count twice.
_LEAST_SIGNIFICANCE: Final = 5.0
_LEAST_SITES: Final = 20


def correct_probe_tails(
    image: Image, sites: Sites, regions: Mask | None = None, /, *, seed: int = 0
) -> Image:
    """Take off the tails of the probe, so that bright columns do not pull dim ones.

    A probe has a core and wider tails [1]_. A fit of one Gaussian a column knows
    the core only: in the slope of the tails of a bright column a dim one is
    found too near to it. Tails are taken as a second Gaussian around every
    column, in proportion to its fitted core; its width and height are found in
    the image, from what the fit of the cores leaves. Refine the sites again in
    the image that is returned.

    Parameters
    ----------
    image : Image
        In which the sites were fitted.
    sites : Sites
        With ``amplitude``, ``width`` and ``fit_ok`` of `localization.refine_sites` or
        `localization.find_atoms`.
    regions : Mask, optional
        True where the image is of use: the tails are found there.
    seed : int
        Of the sample of 500 columns from which tails are found.

    Returns
    -------
    Image
        Less the tails; unchanged where none show, which takes five standard errors. A note
        says their width and share of a column's signal. ``attrs["tail_width"]`` in the unit
        of the image and ``attrs["tail_height"]``, in heights of the core, are 0 if none show.

    Raises
    ------
    KindError
        If the sites were not fitted, or image, sites and regions do not belong together.
    TooFewSitesError
        If fewer than 20 sites were fitted.

    Notes
    -----
    Tails of columns outside of the image, and of columns that were not found, stay in it.
    Gaussians from 1.5 to 4 widths of the core are tried: what is wider is no
    slope between columns, and the background takes it up.

    References
    ----------
    .. [1] O. L. Krivanek et al., Nature 464, 571 (2010): tails taken off images of single atoms.

    Examples
    --------
    >>> from adatom.localization import find_atoms
    >>> from adatom.simulation import simulate_film
    >>> image = simulate_film(size=256, field="4 nm").image
    >>> without = correct_probe_tails(image, find_atoms(image, method="classical"))
    >>> bool(0.1 < without.attrs["tail_width"] < 0.16)
    True
    """
    IMAGE.check(image, name="image")
    SITES.check(sites, name="sites")
    columns = _columns(image, sites)
    usable = _usable(image, regions)
    values = np.where(usable, np.asarray(image.values, dtype=np.float64), 0.0)
    step = pixel_size(image)
    tails = find_tails(values, usable, columns, step=step, seed=seed)
    out = image.astype(np.result_type(image.dtype, np.float32))
    shows = tails.significance >= _LEAST_SIGNIFICANCE
    out.attrs["tail_width"] = tails.width if shows else 0.0
    out.attrs["tail_height"] = tails.height if shows else 0.0
    if not shows:
        add_note(out, f"no tails of the probe show ({tails.significance:.1f} standard errors)")
        return out
    taken = image_of_tails(values.shape, columns, tails, step=step)
    out = out.copy(data=(out.values - taken).astype(out.dtype))
    _tell(out, tails, float(np.median(columns.width)))
    return out


def _tell(image: Image, tails: Tails, core: float) -> None:
    unit = space_unit(image)
    share = tails.height * tails.width**2
    share /= share + core**2
    add_note(
        image,
        f"tails of the probe taken off: Gaussians {tails.width:.3g} {unit} wide, beside a core of "
        f"{core:.3g} {unit}, with {share:.0%} of a column's signal; their height is "
        f"{tails.height:.3f} +- {tails.error:.3f} of that of the core",
    )


def _usable(image: Image, regions: Mask | None) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = np.isfinite(image.values)
    if regions is None:
        return usable
    MASK.check(regions, name="regions")
    if regions.shape != image.shape:
        msg = f"regions of shape {regions.shape} do not cover an image of shape {image.shape}"
        raise KindError(msg)
    usable &= np.asarray(regions.values)
    return usable


def _columns(image: Image, sites: Sites) -> Columns:
    lacking = [name for name in ("amplitude", "width", "fit_ok") if name not in sites]
    if lacking:
        msg = f"sites lack {', '.join(lacking)}: run localization.refine_sites on them first"
        raise KindError(msg)
    if space_unit(image) != space_unit(sites):
        msg = (
            f"the image is in {space_unit(image)}, the sites are in {space_unit(sites)}: "
            "take the image in which they were fitted"
        )
        raise KindError(msg)
    ok = sites["fit_ok"].values.astype(bool)
    if ok.sum() < _LEAST_SITES:
        msg = f"{int(ok.sum())} of {len(ok)} sites are fitted, tails need {_LEAST_SITES} or more"
        raise TooFewSitesError(msg)
    origin = np.array([float(image.coords[dim].values[0]) for dim in ("y", "x")])
    return Columns(
        positions(sites)[ok] - origin,
        sites["amplitude"].values[ok].astype(np.float64),
        sites["width"].values[ok].astype(np.float64),
    )
