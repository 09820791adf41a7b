"""Atoms of an image, found without training and without being told their size."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from adatom.errors import SettingError
from adatom.localization.detection import Detection, find_peaks, pixels_of_image
from adatom.localization.refinement import refine_sites
from adatom.localization.regions import find_lattice, lattice_gaps
from adatom.localization.sublattices import alternating_sublattices
from adatom.numerics.peaks import thin_out
from adatom.schema import (
    IMAGE,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    pixel_size,
    positions,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

# No two columns of a crystal are seen nearer to one another than this share of
# the usual distance between neighbors: they are one atom with a broad foot.
ONE_ATOM = 0.5
MOST_FITS = 4


def find_atoms(
    image: Image,
    regions: Mask | None = None,
    /,
    *,
    contrast: Literal["bright", "dark"] = "bright",
    spacing: Length | None = None,
) -> Sites:
    """Find the atoms of an image; no size, no threshold and no scale is needed.

    The strongest ring of the radial power spectrum gives the period p. What
    repeats itself within windows of seven periods predicts where atoms are,
    the pixels tell whether they are there; both are weighed by their
    uncertainties. The ring is not the distance between neighbors (honeycomb
    0.67 p, square p, hexagonal 1.15 p): that is measured on the sites found.

    Parameters
    ----------
    image : Image
        Any size; loaded into memory if it is lazy.
    regions : Mask, optional
        True where to look; by default where `find_lattice_regions` sees a
        lattice.
    contrast : {"bright", "dark"}
        Atoms are brighter than their surroundings (HAADF, ADF) or darker
        (bright field, ABF).
    spacing : length, optional
        Distance between neighbors if it is known, to choose among several
        rings of the spectrum; by default the strongest one is taken.

    Returns
    -------
    Sites
        Refined positions with what `refine_sites` gives, ``score``, and
        ``sublattice`` where brighter columns (0) alternate with dimmer ones
        (1).
        ``attrs``: ``spacing``, ``extent``, ``period`` and
        ``period_confidence`` (probability that noise alone would not show so
        strong a ring).

    Raises
    ------
    NoLatticeError
        If the spectrum shows no ring above the noise, or the surroundings of
        the peaks do not repeat, as in amorphous images or noise.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> sites = find_atoms(image_from_array(np.cos(y) + np.cos(x), pixel_size="0.01 nm"))
    >>> sites.sizes["site"], round(sites.attrs["spacing"], 2)
    (81, 0.12)
    """
    IMAGE.check(image)
    told = None if spacing is None else _told_spacing(spacing, image)
    pixels = pixels_of_image(image, regions, contrast=contrast)
    if regions is None:
        found = find_lattice(pixels, spacing=told)
        disordered, empty = lattice_gaps(found, pixels)
        return _sites(image, found, ~(disordered | empty))
    found = find_peaks(pixels, spacing=told)
    return _sites(image, found, np.asarray(regions.values))


def _told_spacing(spacing: Length, image: Image) -> float:
    unit_of_pixel = float(np.sqrt(np.prod(pixel_size(image))))
    length = length_from_setting(
        spacing, unit=space_unit(image), pixel_size=unit_of_pixel, name="spacing"
    )
    if not length > 0:
        msg = f"{spacing=} must be positive"
        raise SettingError(msg)
    return length / unit_of_pixel


def _refined_singly(image: Image, sites: Sites) -> tuple[Sites, NDArray[np.intp]]:
    """Refine; of two sites that came to lie on one atom only the brighter is kept."""
    distance = ONE_ATOM * float(sites.attrs["spacing"])
    kept = np.arange(sites.sizes["site"])
    refined = refine_sites(image, sites)
    for _ in range(MOST_FITS - 1):
        height = np.nan_to_num(np.abs(refined["amplitude"].values), nan=0.0)
        single = np.sort(thin_out(positions(refined), height, distance=distance))
        if single.size == kept.size:
            break
        # What the other one had taken goes back to the atom in a new fit.
        kept = kept[single]
        refined = refine_sites(image, sites.isel(site=kept))
    if kept.size < sites.sizes["site"]:
        add_note(
            refined,
            f"{sites.sizes['site'] - kept.size} peaks on the flank of a brighter atom, which the "
            "fit moved onto it, are left out.",
        )
    return refined, kept


def _sites(image: Image, found: Detection, usable: NDArray[np.bool_]) -> Sites:
    step = np.array(pixel_size(image))
    frame = extent(image)
    row, column = np.rint(found.position).astype(int).T
    within = usable[row, column]
    position, height, score = (
        values[within] for values in (found.position, found.height, found.score)
    )
    place = position * step + np.array([frame[0], frame[2]])
    unit = float(np.sqrt(step.prod()))
    sites = sites_from_positions(
        place[:, 0],
        place[:, 1],
        unit=space_unit(image),
        spacing=found.spacing * unit,
        extent=frame,
    )
    sites["score"] = ("site", score)
    scale = found.scale
    sites.attrs["period"] = scale.period * unit
    sites.attrs["period_confidence"] = scale.confidence
    add_note(
        sites,
        f"The strongest ring of the power spectrum has a period of {scale.period * unit:.4g} "
        f"{space_unit(image)} (confidence {scale.confidence:.3f}).",
    )
    if not within.all():
        add_note(sites, f"{int((~within).sum())} peaks where there is no lattice are left out.")
    refined, kept = _refined_singly(image, sites)
    position, height = position[kept], height[kept]
    sublattice = alternating_sublattices(position, height, spacing=found.spacing)
    if sublattice is not None:
        refined["sublattice"] = ("site", sublattice)
        bright = int((sublattice == 0).sum())
        add_note(
            refined, f"Two sublattices: {bright} brighter sites, {len(height) - bright} dimmer."
        )
    return refined
