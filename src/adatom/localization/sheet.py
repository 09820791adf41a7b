"""Atoms of a sheet whose bond length is known, in images too noisy for finders that ask nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.errors import NoLatticeError, SettingError
from adatom.localization.choosing import DEFAULT_METHOD, runner_of_method
from adatom.localization.finding import Found, find_atoms, refine_sought, seek_atoms
from adatom.localization.refinement import refine_sites
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.honeycomb_waves import Honeycomb, fit_honeycomb
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.peaks import thin_out
from adatom.numerics.sheet_bonds import SHEET_BONDS
from adatom.schema import (
    IMAGE,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Noise of 128 to 256 px, searched over all angles and scales, gives at most 11; a lattice that the
# eye just sees 100 and more.
_LEAST_POWER: Final = 20.0
# Of the places of the lattice: a network that finds fewer does not see the lattice.
_LEAST_COVERED: Final = 0.75
_SAME: Final = 0.4
# How far atoms are from places that sixty of them tell, in bonds.
_SPREAD: Final = 0.12
_REACH: Final = 0.35
# An impurity is so many contrasts of the host brighter than an atom of it; places nearer to it
# than this are its own; its neighbors are not nearer than Si-C.
_BRIGHT: Final = 2.5
_OWN: Final = 0.65
_AWAY: Final = 1.2


def find_sheet_atoms(
    image: Image,
    regions: Mask | None = None,
    trained: ExportedNetwork | None = None,
    /,
    *,
    host: str = "graphene",
) -> Sites:
    """Find the atoms of a sheet, with its bond length for help.

    A network looks at the scale that the pixel size and the bond of the host
    tell. Where it misses a fourth or more of a lattice whose waves stand out of
    the noise twenty times, atoms are sought at the places of that lattice
    instead: there each is moved to where the pixels have it, as far as the
    lattice lets expect, and impurities, which are far brighter, take the places
    that are nearest to them. Contamination is not left out unless `regions` say so.

    Parameters
    ----------
    image : Image
        Atoms are bright. Without a scale (in px) the network finds its own.
    regions : Mask, optional
        True where to look; everywhere if left out.
    trained : ExportedNetwork, optional
        A network of one's own.
    host : str
        The sheet: "graphene".

    Returns
    -------
    Sites
        As of `find_atoms`.

    Raises
    ------
    NoLatticeError
        If neither the network nor the spectrum shows a lattice.
    SettingError
        If the host is not known.

    Examples
    --------
    >>> from adatom.simulation import simulate_graphene
    >>> image = simulate_graphene(size=128, field="2 nm").image
    >>> find_sheet_atoms(image).sizes["site"] > 100
    True
    """
    IMAGE.check(image)
    if host not in SHEET_BONDS:
        msg = f"{host=} is not known: {', '.join(SHEET_BONDS)}"
        raise SettingError(msg)
    unit = {"nm": 1.0, "mm": 1e-6}.get(space_unit(image))
    if unit is None:
        return find_atoms(image, regions, trained)
    bond = SHEET_BONDS[host] * unit
    everywhere = xr.ones_like(image, dtype=bool) if regions is None else regions
    in_pixels = bond / float(np.sqrt(np.prod(pixel_size(image))))
    runner = runner_of_method(DEFAULT_METHOD, trained, None)
    try:
        sought = seek_atoms(image, everywhere, runner, spacing=in_pixels)
    except NoLatticeError:
        sought = None
    pixels = np.asarray(image.values, dtype=float)
    pixels = np.where(np.isfinite(pixels), pixels, np.nanmedian(pixels))
    lattice = fit_honeycomb(pixels, in_pixels)
    if lattice.power < _LEAST_POWER or not len(lattice.place):
        if sought is None:
            msg = (
                f"neither the network nor the spectrum shows bonds of {bond:.3g} "
                f"{space_unit(image)}, {in_pixels:.1f} px: check the "
                "scale, as by pixel_size= of read_image, or use find_atoms, which finds its own"
            )
            raise NoLatticeError(msg)
        return refine_sought(sought)
    covered = 0.0 if sought is None else _covered(sought.found, everywhere, lattice, in_pixels)
    if sought is not None and covered >= _LEAST_COVERED:
        return refine_sought(sought)
    return _lattice_sites(image, everywhere, lattice, bond, covered)


def _covered(found: Found, regions: Mask, lattice: Honeycomb, bond: float) -> float:
    """Give the share of the lattice's places at which the network found an atom; in pixels."""
    inside = regions.values[tuple(lattice.place.astype(int).T)]
    if not inside.any():
        return 1.0
    distance, _ = cKDTree(found.position).query(lattice.place[inside])
    return float((distance < _SAME * bond).mean())


def _lattice_sites(
    image: Image, regions: Mask, lattice: Honeycomb, bond: float, covered: float
) -> Sites:
    step = np.array(pixel_size(image))
    in_pixels = bond / float(np.sqrt(step.prod()))
    place, score = _placed(lattice, in_pixels)
    inside = regions.values[tuple(np.rint(place).astype(int).T)]
    place = place[inside] * step + np.array(extent(image)[::2])
    sites = sites_from_positions(
        *place.T, unit=space_unit(image), spacing=bond, extent=extent(image)
    )
    sites["score"] = ("site", score[inside])
    sites = refine_sites(image, sites, max_shift="0.25 d")
    add_note(
        sites,
        f"Found at the places of a honeycomb whose waves stand {lattice.power:.0f} times above "
        f"the noise; the network saw {covered:.0%} of them.",
    )
    return sites


def _placed(lattice: Honeycomb, bond: float) -> tuple[Floats, Floats]:
    """Give places in pixels, moved to the pixels' maxima, and how sure an atom is there."""
    smooth = lattice.smooth
    height = smooth[tuple(lattice.place.astype(int).T)]
    usual = float(np.median(height))
    noise = SIGMA_OF_MAD * float(np.median(np.abs(height - usual)))
    contrast = max(usual - float(np.quantile(smooth, 0.1)), noise)
    bright = _bright(smooth, usual + _BRIGHT * contrast + 2 * noise, bond)
    place, heights = lattice.place, height
    if len(bright):
        away, nearest = cKDTree(bright).query(place)
        place, away, nearest = (part[away > _OWN * bond] for part in (place, away, nearest))
        out = (place - bright[nearest]) / away[:, None]
        near = away < _AWAY * bond
        place = np.where(near[:, None], bright[nearest] + _AWAY * bond * out, place)
    place, heights = _moved(smooth, place, contrast / noise**2, bond)
    evidence = contrast * (heights - usual + 0.5 * contrast) / noise**2
    # Nineteen of twenty places of a lattice are filled, before the pixels are asked.
    score = 1 / (1 + np.exp(-np.clip(evidence + np.log(19), -50, 50)))
    return np.concatenate([place, bright]), np.concatenate([score, np.ones(len(bright))])


def _bright(smooth: Floats, level: float, bond: float) -> Floats:
    tops = smooth == ndimage.maximum_filter(smooth, size=max(3, int(0.5 * bond) | 1))
    points = np.argwhere(tops & (smooth > level)).astype(float)
    if not len(points):
        return points.reshape(-1, 2)
    kept = thin_out(points, smooth[tuple(points.astype(int).T)], distance=0.8 * bond)
    return points[kept]


def _moved(smooth: Floats, place: Floats, weight: float, bond: float) -> tuple[Floats, Floats]:
    """Move places to where pixels and lattice together have them most likely."""
    steps = np.linspace(-_REACH, _REACH, 15) * bond
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    tried = place[:, None] + offsets
    height = ndimage.map_coordinates(smooth, tried.reshape(-1, 2).T, order=1, mode="nearest")
    height = height.reshape(tried.shape[:2])
    likely = weight * height - 0.5 * (offsets**2).sum(axis=1) / (_SPREAD * bond) ** 2
    best = likely.argmax(axis=1)
    rows = np.arange(len(place))
    moved = np.clip(tried[rows, best], 0, np.array(smooth.shape) - 1)
    return moved, height[rows, best]
